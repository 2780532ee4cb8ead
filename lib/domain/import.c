#include "domain/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/idset.h"
#include "base/jsonw.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "domain/importrows.h"
#include "domain/lineparts.h"
#include "domain/ref.h"

/* OpenAI, Batch API guide: at most 50,000 requests and 200 MB in a file. */
enum { STRICT_REQUESTS = 50000, STRICT_BYTES = 200 * 1000 * 1000 };

enum { MODEL_BYTES = 256, SHOWN = 60, PROGRESS_LINES = 256, BOM_BYTES = 3 };
static const int64_t GIVEN_UP = INT64_C(1) << 30; /* see base/lines.h */

struct reading {
	struct import *im;
	struct lines *in;
	struct importrows *rows; /* NULL: only checked, or nothing is kept any more */
	struct idset *ids;
	struct line line;
	struct str changed;      /* a line with what it got from the rules */
	struct str url, model;   /* of the first line, for `strict` */
	bool any_changed;
	bool hopeless;           /* no line can be made good by leaving it out */
	size_t shift;            /* bytes of a byte order mark before this line */
};

static void reading_release(struct reading *r)
{
	idset_free(r->ids);
	lines_close(r->in);
	importrows_close(r->rows);
	line_release(&r->line);
	str_release(&r->changed);
	str_release(&r->url);
	str_release(&r->model);
}

__attribute__((format(printf, 4, 5)))
static int wrong(struct line_problem *why, enum line_code code, size_t column,
		 const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	why->code = code;
	why->column = column;
	return -1;
}

/* Nothing of a bad file is kept, but with `skipped`. */
static void report(struct reading *r, int64_t number, struct line_problem *why)
{
	struct import *im = r->im;
	why->column += r->shift;
	im->bad++;
	/* A line that is too long is in no file of bad lines. */
	bool told = im->bad <= im->max_errors || why->code == LINE_TOO_LONG || r->hopeless;
	if (im->problem && told)
		im->problem(im->ctx, lines_name(r->in), number, why);
	if (!im->skipped || r->hopeless) {
		importrows_close(r->rows);
		r->rows = NULL;
	}
}

static bool gave_up(const struct reading *r)
{
	return r->hopeless || (!r->im->skipped && r->im->bad >= r->im->max_errors);
}

/* Where a member's value begins in the line; 1: it is not there. */
static size_t column_of(struct span text, enum lineparts_member m)
{
	struct lineparts parts;
	struct json_error je;
	if (lineparts_read(&parts, text, &je) < 0 || !parts.value[m].p)
		return 1;
	return (size_t)(parts.value[m].p - text.p) + 1;
}

static int check_duplicate(struct reading *r, struct span text, uint32_t number,
			   struct line_problem *why)
{
	struct span id = r->line.custom_id;
	uint32_t before = idset_add(r->ids, id, number);
	if (before == 0)
		return 0;
	return wrong(why, LINE_DUPLICATE_CUSTOM_ID, column_of(text, PART_CUSTOM_ID),
		     "\"%s\" was used on line %lu", safe_show(id, SHOWN),
		     (unsigned long)before);
}

/* All lines have the value of the first one. */
static int check_same(struct str *first, struct span value, enum line_code code,
		      enum lineparts_member m, struct span text, struct line_problem *why)
{
	if (first->n == 0)
		str_addspan(first, value);
	if (span_eq(value, str_span(first)))
		return 0;
	return wrong(why, code, column_of(text, m), "'%s' is '%s', on the first line '%s'",
		     lineparts_names[m].p, safe_show(value, SHOWN),
		     safe_show(str_span(first), SHOWN));
}

/* The limits of OpenAI's service that hold for each line. */
static int check_service(struct reading *r, struct span text, struct line_problem *why)
{
	const struct line *l = &r->line;
	if (l->url.p[0] != '/')
		return wrong(why, LINE_INVALID_URL, column_of(text, PART_URL),
			     "'url' must be a path for the service");
	if (!span_is(l->method, "POST"))
		return wrong(why, LINE_INVALID_METHOD, column_of(text, PART_METHOD),
			     "'method' must be POST for the service, not %s",
			     safe_show(l->method, SHOWN));
	if (check_same(&r->url, l->url, LINE_URL_MISMATCH, PART_URL, text, why) < 0)
		return -1;
	return check_same(&r->model, l->model, LINE_MODEL_MISMATCH, PART_MODEL, text, why);
}

/* What only `strict` objects to, as it stands in the file. */
static int check_form(const struct reading *r, struct span text, bool blank,
		      struct line_problem *why)
{
	if (!r->im->strict)
		return 0;
	if (r->shift > 0)
		return wrong(why, LINE_NOT_STRICT, 1 - r->shift,
			     "a byte order mark at the start");
	if (text.n > 0 && text.p[text.n - 1] == '\r')
		return wrong(why, LINE_NOT_STRICT, text.n, "the line ends in CR LF");
	if (blank)
		return wrong(why, LINE_NOT_STRICT, 1, "a blank line");
	if (!lines_ended_in_lf(r->in))
		return wrong(why, LINE_NOT_STRICT, text.n + 1,
			     "the last line has no newline at its end");
	return 0;
}

static int check_line(struct reading *r, struct span text, uint32_t number,
		      struct line_problem *why)
{
	struct import *im = r->im;
	if (check_form(r, text, false, why) < 0 ||
	    line_read(&r->line, text, &im->rules, why) < 0)
		return -1;
	if (im->endpoint && !span_is(r->line.url, im->endpoint))
		return wrong(why, LINE_URL_MISMATCH, column_of(text, PART_URL),
			     "'url' is '%s', not the endpoint '%s'",
			     safe_show(r->line.url, SHOWN),
			     safe_show(span_of(im->endpoint), SHOWN));
	if (im->strict && check_service(r, text, why) < 0)
		return -1;
	return check_duplicate(r, text, number, why);
}

/* The line with the members that the rules gave it, before its last brace. */
static struct span with_defaults(struct reading *r, struct span text)
{
	const struct line_rules *rules = &r->im->rules;
	const struct line *l = &r->line;
	bool url = rules->default_url && l->url.p == rules->default_url;
	bool model = rules->default_model && l->model.p == rules->default_model;
	if (!url && !model)
		return text;
	r->any_changed = true;
	const char *brace = memrchr(text.p, '}', text.n);
	size_t n = (size_t)(brace - text.p);
	str_reset(&r->changed);
	str_add(&r->changed, text.p, n);
	if (url) {
		str_addz(&r->changed, ",\"url\":");
		jsonw_quote(&r->changed, l->url);
	}
	if (model) {
		str_addz(&r->changed, ",\"model\":");
		jsonw_quote(&r->changed, l->model);
	}
	str_add(&r->changed, brace, text.n - n);
	return str_span(&r->changed);
}

static int keep(struct reading *r, struct span text, uint32_t number, struct err *e)
{
	struct import *im = r->im;
	im->lines++;
	if (im->line)
		im->line(im->line_ctx, &r->line);
	struct importrows_line l = {
		.number = number, .raw = with_defaults(r, text),
		.custom_id = r->line.custom_id, .model = r->line.model,
	};
	if (!r->rows)
		return 0;
	l.hash = line_hash(&r->line);
	return importrows_add(r->rows, &l, e);
}

static int skip(struct reading *r, struct span text, int64_t number,
		struct line_problem *why, struct err *e)
{
	report(r, number, why);
	if (!r->im->skipped)
		return 0;
	return outfile_write(r->im->skipped, text, e) < 0 ||
	       outfile_write(r->im->skipped, SPAN_LIT("\n"), e) < 0 ? -1 : 0;
}

static bool is_blank(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!strchr(" \t\r", text.p[i]) || text.p[i] == '\0')
			return false;
	return true;
}

/* The limits of OpenAI's service that hold for the whole file. */
static void check_size(struct reading *r, int64_t number)
{
	struct line_problem why;
	r->hopeless = true;
	if (r->im->lines > STRICT_REQUESTS)
		wrong(&why, LINE_TOO_MANY_TASKS, 1, "more than 50,000 requests");
	else if (lines_bytes(r->in) > STRICT_BYTES)
		wrong(&why, LINE_FILE_TOO_LARGE, 1, "more than 200 MB up to this line");
	else
		r->hopeless = false;
	if (r->hopeless)
		report(r, number, &why);
}

static int one_line(struct reading *r, struct span raw, struct err *e)
{
	int64_t number = lines_number(r->in);
	struct line_problem why;
	if (number > UINT32_MAX)
		return err_set(e, ERR_INPUT, "%s: has more than 4,294,967,295 lines",
			       lines_name(r->in));
	r->shift = number == 1 && span_starts(raw, "\xef\xbb\xbf") ? BOM_BYTES : 0;
	struct span text = { raw.p + r->shift, raw.n - r->shift };
	int rc;
	if (is_blank(text))
		rc = check_form(r, text, true, &why) < 0 ? skip(r, text, number, &why, e) : 0;
	else if (check_line(r, text, (uint32_t)number, &why) < 0)
		rc = skip(r, text, number, &why, e);
	else
		rc = keep(r, text, (uint32_t)number, e);
	r->shift = 0;
	if (rc == 0 && r->im->strict)
		check_size(r, number);
	return rc;
}

static void too_long(struct reading *r)
{
	struct line_problem why;
	char limit[NUM_BUF];
	wrong(&why, LINE_TOO_LONG, (size_t)r->im->max_line + 1,
	      "longer than %s bytes (--max-line)", num_count(r->im->max_line, limit));
	report(r, lines_number(r->in), &why);
}

static int read_lines(struct reading *r, struct err *e)
{
	struct span raw;
	int64_t start = 0; /* of the line that comes */
	int rc, last = 1;
	while (!gave_up(r) && (rc = lines_next(r->in, &raw, e)) != 0) {
		if (rc < 0 && e->code != ERR_INPUT)
			return -1;
		if (rc < 0)
			too_long(r);
		else if (one_line(r, raw, e) < 0)
			return -1;
		else
			start = lines_bytes(r->in);
		if (r->im->progress && lines_number(r->in) % PROGRESS_LINES == 0)
			r->im->progress(r->im->ctx, lines_number(r->in), start);
		last = rc;
	}
	/* The end may be where a line was given up, not that of the file. */
	if (last < 0 && lines_bytes(r->in) - start > GIVEN_UP)
		r->hopeless = true;
	return 0;
}

static int verdict(struct reading *r, bool stores, struct err *e)
{
	struct import *im = r->im;
	char count[NUM_BUF];
	struct line_problem why;
	if (im->lines == 0 && im->bad == 0) {
		wrong(&why, LINE_EMPTY_FILE, 1, "there is no request in it");
		report(r, lines_number(r->in) + 1, &why);
	}
	if (im->bad == 0 || (im->skipped && !r->hopeless && im->lines > 0))
		return 0;
	err_set(e, ERR_INPUT, "%s: %s%s%s", safe_show(span_of(lines_name(r->in)), 200),
		gave_up(r) ? "gave up after " : "", num_of(im->bad, "problem", count),
		stores ? "; nothing was stored" : "");
	if (im->lines > 0 && !im->skipped && stores)
		err_hint(e, "--skip-invalid FILE writes the bad lines to FILE and imports the rest");
	return -1;
}

static int open_input(struct reading *r, struct import *im, struct err *e)
{
	*r = (struct reading){ .im = im, .line = LINE_INIT };
	r->in = lines_open(im->path, (size_t)im->max_line, e);
	r->ids = idset_new();
	im->lines = im->bad = 0;
	return r->in ? 0 : -1;
}

/* Reads the whole input.  0: it is good. */
static int read_all(struct reading *r, bool stores, struct err *e)
{
	return read_lines(r, e) < 0 || verdict(r, stores, e) < 0 ? -1 : 0;
}

/* See import.h. */
static struct id content_hash(const struct reading *r)
{
	const struct line_rules *rules = &r->im->rules;
	struct id sum = lines_hash(r->in);
	if (!r->any_changed && r->im->bad == 0)
		return sum;
	struct span fields[] = {
		{ (const char *)sum.b, ID_BYTES }, span_of(rules->default_url),
		span_of(rules->default_model), span_of(r->im->bad > 0 ? "some" : "all"),
	};
	return hash_fields(fields, ARRAY_LEN(fields));
}

static int check_model(const char *model, struct err *e)
{
	struct span v = span_of(model);
	bool ok = v.n > 0 && v.n <= MODEL_BYTES;
	for (size_t i = 0; ok && i < v.n;) {
		uint32_t code;
		size_t n = safe_decode(v.p + i, v.n - i, &code);
		ok = n > 0 && !safe_control(code);
		i += n;
	}
	return ok ? 0 : err_set(e, ERR_USAGE, "--model: '%s' is no model: 1 to %d bytes of UTF-8 "
				"without control characters", safe_show(v, SHOWN), MODEL_BYTES);
}

static int check_request(const struct import *im, struct err *e)
{
	struct line_problem why;
	const char *url = im->rules.default_url;
	if (im->name && ref_check_name(im->name, e) < 0)
		return -1;
	if (url && line_check_url(span_of(url), true, im->rules.allow_secrets, &why) < 0)
		return err_set(e, ERR_USAGE, "--url %s", why.text);
	return im->rules.default_model ? check_model(im->rules.default_model, e) : 0;
}

static struct importrows_end end_of(const struct reading *r)
{
	const struct import *im = r->im;
	const char *slash = strrchr(im->path, '/');
	return (struct importrows_end){
		.name = im->name,
		.filename = im->filename ? im->filename :
			    strcmp(im->path, "-") == 0 ? "stdin" : slash ? slash + 1 : im->path,
		.bytes = lines_bytes(r->in),
		.hash = content_hash(r),
		.automatic = im->automatic,
		.share = im->if_absent || im->automatic,
	};
}

/* Is the content there already?  Then the file need not be stored to find that
 * out, only checked: 1 and *out, 0 it is not, or it cannot be told. */
static int try_share(struct db *db, struct import *im, struct file *out, struct err *e)
{
	struct reading r CLEANUP(reading_release) = { .line = LINE_INIT };
	struct id sum;
	struct stat st;
	int64_t bytes;
	if (im->skipped || stat(im->path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (lines_hash_file(im->path, &sum, &bytes, e) < 0)
		return -1;
	int rc = file_by_hash(db, sum, out, e);
	if (rc <= 0)
		return rc;
	if (open_input(&r, im, e) < 0 || read_all(&r, true, e) < 0)
		return -1;
	struct importrows_end end = end_of(&r);
	r.rows = importrows_open(db, im->automatic, e);
	return r.rows ? importrows_share(r.rows, &end, out, e) : -1;
}

int import_run(struct db *db, struct import *im, struct file *out, struct err *e)
{
	struct reading r CLEANUP(reading_release) = { .line = LINE_INIT };
	bool share = im->if_absent || im->automatic;
	if (check_request(im, e) < 0)
		return -1;
	if (im->name && !share && importrows_check_name(db, im->name, e) < 0)
		return -1;
	int rc = share && strcmp(im->path, "-") != 0 ? try_share(db, im, out, e) : 0;
	im->existed = rc > 0;
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (open_input(&r, im, e) < 0)
		return -1;
	r.rows = importrows_open(db, im->automatic, e);
	if (!r.rows || read_all(&r, true, e) < 0)
		return -1;
	struct importrows_end end = end_of(&r);
	return importrows_finish(r.rows, &end, out, &im->existed, e);
}

int import_check(struct import *im, struct err *e)
{
	struct reading r CLEANUP(reading_release) = { .line = LINE_INIT };
	if (check_request(im, e) < 0 || open_input(&r, im, e) < 0)
		return -1;
	int rc = read_all(&r, false, e);
	im->hash = content_hash(&r);
	return rc;
}

void import_complain(const char *file, int64_t line, const struct line_problem *why)
{
	log_error("%s:%lld:%zu: %s: %s", safe_show(span_of(file), 200), (long long)line,
		  why->column, line_code_text(why->code), why->text);
}
