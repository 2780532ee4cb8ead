#include "domain/states.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/safe.h"
#include "base/wholefile.h"
#include "domain/fields.h"

enum { SHOWN = 100, NAME_BUF = 256, INPUT_MAX = 256 << 20 };

void states_release(struct states *s)
{
	for (int i = 0; i < s->n; i++) {
		free(s->v[i].product);
		free(s->v[i].link);
		free(s->v[i].passback);
	}
	free(s->v);
	*s = (struct states)STATES_INIT;
}

struct states_item *states_add(struct states *s)
{
	s->v = mem_room(s->v, (size_t)s->n, sizeof *s->v);
	s->v[s->n] = (struct states_item){ 0 };
	return &s->v[s->n++];
}

static int no_state(struct span product, struct span state, enum err_code code, struct err *e)
{
	if (state_of(state) == STATE_NONE)
		err_set(e, code, "'%s' is no state of '%s'", safe_show(state, SHOWN),
			safe_show(product, SHOWN));
	else
		err_set(e, code, "The requested state for '%s' is invalid: '%s'",
			safe_show(product, SHOWN), safe_show(state, SHOWN));
	return err_hint(e, "running, success and failed can be reported");
}

int states_operand(struct states *s, const char *operand, struct err *e)
{
	const char *sign = strrchr(operand, '=');

	if (!sign || sign == operand)
		return err_set(e, ERR_USAGE, "'%s' is not PRODUCT=STATE",
			       safe_show(span_of(operand), SHOWN));
	struct span product = { operand, (size_t)(sign - operand) }, state = span_of(sign + 1);
	if (!state_reportable(state_of(state)))
		return no_state(product, state, ERR_USAGE, e);
	struct states_item *i = states_add(s);
	i->product = mem_copy(product.p, product.n);
	i->state = state_of(state);
	return 0;
}

/* The text in one line, checked. */
static char *compact(struct span json)
{
	struct str out = STR_INIT;

	str_reserve(&out, 1);
	json_compact(json, &out);
	return str_take(&out);
}

int states_details(struct states *s, const struct states_given *g, struct err *e)
{
	struct json_error je;
	struct id run = { { 0 } };

	if (g->run_id && !id_from_uuid(span_of(g->run_id), &run))
		return err_set(e, ERR_USAGE, "--run-id: '%s' is no UUID",
			       safe_show(span_of(g->run_id), SHOWN));
	if (g->link && !safe_is_utf8(span_of(g->link)))
		return err_set(e, ERR_USAGE, "--link: is no UTF-8");
	if (g->passback && json_scan(span_of(g->passback), NULL, NULL, &je) < 0)
		return err_set(e, ERR_USAGE, "--passback: is no JSON: %s at byte %zu", je.what,
			       je.offset + 1);
	for (int i = 0; i < s->n; i++) {
		s->v[i].has_run = g->run_id != NULL;
		s->v[i].run_id = run;
		s->v[i].link = mem_strdup(g->link);
		s->v[i].passback = g->passback ? compact(span_of(g->passback)) : NULL;
	}
	return 0;
}

static char *decoded(struct span json)
{
	struct str out CLEANUP(str_release) = STR_INIT;

	if (!json.p)
		return NULL;
	str_reserve(&out, 1);
	json_string(json, &out);
	return strlen(str_z(&out)) == out.n ? str_take(&out) : NULL;
}

static int read_item(struct states *s, struct fields *f, struct span value, struct err *e)
{
	struct span product = SPAN_NONE, state = SPAN_NONE, link = SPAN_NONE, passback = SPAN_NONE;
	struct id run;
	bool has_run = false;
	const struct field table[] = {
		{ "id", FIELD_STRING, true, &product, NULL },
		{ "state", FIELD_STRING, true, &state, NULL },
		{ "run_id", FIELD_UUID, false, &run, &has_run },
		{ "link", FIELD_STRING, false, &link, NULL },
		{ "passback", FIELD_ANY, false, &passback, NULL }, { .name = NULL },
	};

	if (fields_read(f, value, table, e) < 0)
		return -1;
	char *word CLEANUP(mem_cleanup) = decoded(state), *name CLEANUP(mem_cleanup) = decoded(product);
	if (!name || !word)
		return fields_error(f, name ? "state" : "id", e, "has a NUL character");
	char *url CLEANUP(mem_cleanup) = decoded(link);
	if (link.p && !url)
		return fields_error(f, "link", e, "has a NUL character");
	if (!state_reportable(state_of(span_of(word)))) {
		struct err why = ERR_INIT;
		no_state(span_of(name), span_of(word), ERR_INPUT, &why);
		fields_error(f, "state", e, "%s", why.msg);
		return err_hint(e, "%s", why.hint);
	}
	struct states_item *i = states_add(s);
	*i = (struct states_item){
		.product = TAKE(name), .state = state_of(span_of(word)), .has_run = has_run,
		.link = TAKE(url), .passback = passback.p ? compact(passback) : NULL,
	};
	if (has_run)
		i->run_id = run;
	return 0;
}

static int read_array(struct states *s, const char *name, struct span text, struct err *e)
{
	struct fields f = { .file = name };
	struct span ignored, item;
	size_t pos = 0;

	if (fields_check(name, text, e) < 0)
		return -1;
	while (strchr(" \t\r\n", *text.p)) {
		text.p++;
		text.n--;
	}
	for (; json_each(text, &pos, &ignored, &item); f.index++) {
		if (read_item(s, &f, item, e) < 0)
			return -1;
		snprintf(s->v[s->n - 1].place, sizeof s->v->place, "%.8s: [%d]", name, (int)f.index);
	}
	fields_finish(&f);
	return 0;
}

static int read_line(struct states *s, const char *name, int64_t line, struct span text,
		     struct fields *f, struct err *e)
{
	char file[NAME_BUF];
	struct fields here = *f;
	struct json_error je;

	snprintf(file, sizeof file, "%s:%lld", name, (long long)line);
	here.file = file;
	if (json_scan(text, NULL, NULL, &je) < 0)
		return err_set(e, ERR_INPUT, "%s:%zu: %s", file, je.offset + 1, je.what);
	while (strchr(" \t\r", *text.p)) {
		text.p++;
		text.n--;
	}
	int rc = read_item(s, &here, text, e);
	if (rc == 0)
		snprintf(s->v[s->n - 1].place, sizeof s->v->place, "%.8s:%lld", name, (long long)line);
	f->warned = here.warned;
	return rc;
}

static bool is_blank(struct span line)
{
	for (size_t i = 0; i < line.n; i++)
		if (!strchr(" \t\r\n", line.p[i]) || !line.p[i])
			return false;
	return true;
}

int states_json(struct states *s, const char *name, struct span text, struct err *e)
{
	struct fields f = { .file = name, .index = -1 };
	size_t first = 0;

	while (first < text.n && is_blank((struct span){ text.p + first, 1 }))
		first++;
	if (first < text.n && text.p[first] == '[')
		return read_array(s, name, text, e);
	for (int64_t line = 1; text.n > 0; line++) {
		const char *end = memchr(text.p, '\n', text.n);
		struct span v = { text.p, end ? (size_t)(end - text.p) : text.n };
		if (!is_blank(v) && read_line(s, name, line, v, &f, e) < 0)
			return -1;
		text.p += v.n + (end != NULL);
		text.n -= v.n + (end != NULL);
	}
	fields_finish(&f);
	return 0;
}

int states_read(struct states *s, const struct states_given *g, struct err *e)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	if (g->n_words > 0 && strcmp(g->words[0], "-") == 0) {
		if (g->n_words > 1 || g->run_id || g->link || g->passback)
			return err_set(e, ERR_USAGE, "'-' takes all from standard input: nothing may "
				       "stand beside it");
		return wholefile_read("-", INPUT_MAX, &text, e) < 0 ? -1 :
		       states_json(s, "-", str_span(&text), e);
	}
	for (int i = 0; i < g->n_words; i++)
		if (states_operand(s, g->words[i], e) < 0)
			return -1;
	return states_details(s, g, e);
}
