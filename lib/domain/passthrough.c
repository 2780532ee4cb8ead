#include "domain/passthrough.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"

enum { SHOWN = 60, PAIRS_MAX = 100 };
static const int64_t SECOND = 1000, HOUR = 3600000, DAY = 86400000;

enum kind { TEXT, ARGV, DURATION, SIZE, INTEGER, FACTOR, FLAG, PORTION, HEADERS, METADATA, STDIN };

/* A member, of which compute it is, and where its value goes. */
struct member {
	const char *name;
	bool batch, exec;
	enum kind kind;
	void *dst;
	int64_t min, max;
};

void passthrough_release(struct passthrough *p)
{
	for (int i = 0; i < p->n_texts; i++)
		free(p->texts[i]);
	free(p->texts);
	free(p->argv);
	free(p->headers);
	free(p->metadata);
	memset(p, 0, sizeof *p); /* the analyzer follows this */
	*p = (struct passthrough)PASSTHROUGH_INIT;
}

static int wrong(struct err *e, const char *member, const char *why)
{
	return err_set(e, ERR_INPUT, "passthrough.%s: %s", member, why);
}

/* Kept until the release. */
static char *keep(struct passthrough *p, char *text)
{
	p->texts = mem_room(p->texts, (size_t)p->n_texts, sizeof *p->texts);
	p->texts[p->n_texts++] = text;
	return text;
}

/* A string without NUL, kept; NULL: it is something else. */
static char *text_of(struct passthrough *p, struct span value)
{
	struct str s CLEANUP(str_release) = STR_INIT;

	if (json_type(value) != JSON_STRING)
		return NULL;
	json_string(value, &s);
	if (s.n != strlen(str_z(&s)))
		return NULL;
	return keep(p, mem_copy(str_z(&s), s.n));
}

static int read_argv(struct passthrough *p, const char *name, struct span value, struct err *e)
{
	struct span none, item;
	size_t pos = 0;

	if (json_type(value) != JSON_ARRAY)
		return wrong(e, name, "must be an array of strings: the program and its arguments");
	p->argv = mem_resize(NULL, PASSTHROUGH_ARGS + 1, sizeof *p->argv);
	p->argc = 0;
	p->argv[0] = NULL;
	while (json_each(value, &pos, &none, &item)) {
		if (p->argc == PASSTHROUGH_ARGS)
			return wrong(e, name, "has more than 1,000 elements");
		char *word = text_of(p, item);
		if (!word)
			return wrong(e, name, "must be an array of strings without NUL");
		p->argv[p->argc++] = word;
		p->argv[p->argc] = NULL;
	}
	return p->argc > 0 && *p->argv[0] ? 0 : wrong(e, name, "must begin with a program");
}

/* An object of strings as "K: V" or "K=V". */
static int read_pairs(struct passthrough *p, const struct member *m, struct span value,
		      const char ***list, int *n, struct err *e)
{
	struct span name, item;
	size_t pos = 0;

	if (json_type(value) != JSON_OBJECT)
		return wrong(e, m->name, "must be an object of strings");
	*list = mem_resize(NULL, PAIRS_MAX, sizeof **list);
	while (json_each(value, &pos, &name, &item)) {
		struct str s CLEANUP(str_release) = STR_INIT;
		char *text = text_of(p, item);
		if (!text)
			return wrong(e, m->name, "must be an object of strings");
		if (*n == PAIRS_MAX)
			return wrong(e, m->name, "has more than 100 members");
		json_unescape(name, &s);
		if (m->kind == METADATA && memchr(str_z(&s), '=', s.n))
			return wrong(e, m->name, "has a name with '='");
		str_addf(&s, "%s%s", m->kind == METADATA ? "=" : ": ", text);
		(*list)[(*n)++] = keep(p, str_take(&s));
	}
	return 0;
}

static int read_portion(struct passthrough *p, const struct member *m, struct span value,
			struct err *e)
{
	int64_t ignored;
	char *text = json_type(value) == JSON_NUMBER ? keep(p, mem_copy(value.p, value.n))
						     : text_of(p, value);

	if (!text || num_portion(text, 0, &ignored, e) < 0)
		return wrong(e, m->name, "must be a number of requests, or a text such as \"1%\"");
	*(char **)m->dst = text;
	return 0;
}

static int read_number(const struct member *m, const char *text, struct err *e)
{
	int rc = m->kind == DURATION ? num_duration(text, m->min, m->max, m->dst, e) :
		 m->kind == SIZE ? num_size(text, m->min, m->max, m->dst, e) :
		 m->kind == FACTOR ? num_micro(text, m->min, m->max, m->dst, e) :
		 num_int(text, m->min, m->max, m->dst, e);

	if (rc == 0)
		return 0;
	e->code = ERR_INPUT;
	return err_wrap(e, "passthrough.%s", m->name);
}

static int read_member(struct passthrough *p, const struct member *m, struct span value,
		       struct err *e)
{
	enum json_type type = json_type(value);
	char *text = type == JSON_STRING ? text_of(p, value) : NULL;

	switch (m->kind) {
	case TEXT:
		if (!text || !*text)
			return wrong(e, m->name, "must be a text");
		*(char **)m->dst = text;
		return 0;
	case ARGV:
		return read_argv(p, m->name, value, e);
	case HEADERS:
		return read_pairs(p, m, value, &p->headers, &p->options.n_headers, e);
	case METADATA:
		return read_pairs(p, m, value, &p->metadata, &p->options.n_metadata, e);
	case PORTION:
		return read_portion(p, m, value, e);
	case FLAG:
		if (type != JSON_TRUE && type != JSON_FALSE)
			return wrong(e, m->name, "must be true or false");
		*(bool *)m->dst = type == JSON_TRUE;
		return 0;
	case STDIN:
		if (!text || (strcmp(text, "parents") != 0 && strcmp(text, "none") != 0))
			return wrong(e, m->name, "must be \"parents\" or \"none\"");
		*(bool *)m->dst = *text == 'p';
		return 0;
	case DURATION:
		if (!text)
			return wrong(e, m->name, "must be a text such as \"90s\" or \"1h\"");
		return read_number(m, text, e);
	default:
		if (type == JSON_NUMBER && m->kind != DURATION)
			text = keep(p, mem_copy(value.p, value.n));
		return text ? read_number(m, text, e) : wrong(e, m->name, "must be a number");
	}
}

/* The file of a key is looked for where the plan is. */
static void place_key(struct passthrough *p, const char *dir)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	const char *key = p->options.key;

	if (!key || strncmp(key, "file:", 5) != 0 || key[5] == '/' || !key[5])
		return;
	str_addf(&s, "file:%s/%s", dir, key + 5);
	p->options.key = keep(p, str_take(&s));
}

static int check_whole(struct passthrough *p, bool is_batch, const char *dir, struct err *e)
{
	if (!is_batch)
		return p->argv ? 0 : wrong(e, "argv", "required array is missing");
	if (!p->file && !p->argv)
		return err_set(e, ERR_INPUT, "passthrough: needs \"file\" or \"prepare\"");
	if (p->file && p->argv)
		return err_set(e, ERR_INPUT, "passthrough: \"file\" and \"prepare\" exclude each "
			       "other");
	/* As for the programs: what the environment says, if nobody says more. */
	const char *url = getenv("FSL_BASE_URL");
	if (!p->options.base_url && url && *url)
		p->options.base_url = keep(p, mem_strdup(url));
	place_key(p, dir);
	p->options.headers = p->headers;
	p->options.metadata = p->metadata;
	struct create c CLEANUP(create_release) = CREATE_INIT;
	if (create_make(&p->options, &c, e) < 0) {
		e->code = ERR_INPUT;
		return err_wrap(e, "passthrough");
	}
	return 0;
}

int passthrough_parse(const char *compute, struct span json, const char *dir,
		      struct passthrough *p, struct err *e)
{
	bool is_batch = strcmp(compute, "batch") == 0;
	struct create_options *o = &p->options;
	struct send *send = &o->send;
	const struct member table[] = {
		{ "file", true, false, TEXT, &p->file, 0, 0 },
		{ "prepare", true, false, ARGV, NULL, 0, 0 },
		{ "argv", false, true, ARGV, NULL, 0, 0 },
		{ "stdin", false, true, STDIN, &p->parents, 0, 0 },
		{ "timeout", false, true, DURATION, &p->timeout_ms, SECOND, 30 * DAY },
		{ "prepare_timeout", true, false, DURATION, &p->timeout_ms, SECOND, 30 * DAY },
		{ "max_output", true, true, SIZE, &p->max_output, 1, PASSTHROUGH_OUTPUT_MAX },
		{ "max_failed", true, false, PORTION, &p->max_failed, 0, 0 },
		{ "base_url", true, false, TEXT, &o->base_url, 0, 0 },
		{ "endpoint", true, false, TEXT, &o->endpoint, 0, 0 },
		{ "key", true, false, TEXT, &o->key, 0, 0 },
		{ "key_header", true, false, TEXT, &o->key_header, 0, 0 },
		{ "headers", true, false, HEADERS, NULL, 0, 0 },
		{ "metadata", true, false, METADATA, NULL, 0, 0 },
		{ "priority", true, false, INTEGER, &o->priority, -1000, 1000 },
		{ "reuse", true, false, DURATION, &o->reuse_ms, 1, INT64_MAX },
		{ "completion_window", true, false, DURATION, &o->window_ms, 1, 3650 * DAY },
		{ "retries", true, false, INTEGER, &send->retries, 0, 1000 },
		{ "retry_delay", true, false, DURATION, &send->retry_delay_ms, 0, HOUR },
		{ "retry_factor", true, false, FACTOR, &send->retry_factor_micro, 1000000, 100000000 },
		{ "retry_max_delay", true, false, DURATION, &send->retry_max_delay_ms, 0, DAY },
		{ "retry_http", true, false, TEXT, &o->retry_http, 0, 0 },
		{ "connect_timeout", true, false, DURATION, &send->connect_ms, 1, HOUR },
		{ "first_byte_timeout", true, false, DURATION, &send->first_byte_ms, 1, HOUR },
		{ "stall_timeout", true, false, DURATION, &send->stall_ms, 1, HOUR },
		{ "timeout", true, false, DURATION, &send->total_ms, 1, 7 * DAY },
		{ "max_response", true, false, SIZE, &send->max_response, 1, 512 << 20 },
		{ "at_most_once", true, false, FLAG, &o->at_most_once, 0, 0 },
	};
	struct span name, value;
	uint64_t seen = 0;
	size_t pos = 0;

	passthrough_release(p);
	p->timeout_ms = HOUR;
	p->max_output = 64 << 20;
	p->parents = true;
	if (!json.p || json_type(json) != JSON_OBJECT)
		return err_set(e, ERR_INPUT, "passthrough: must be an object that says what to do");
	while (json_each(json, &pos, &name, &value)) {
		const struct member *m = NULL;
		for (size_t i = 0; i < ARRAY_LEN(table); i++)
			if ((is_batch ? table[i].batch : table[i].exec) && span_is(name, table[i].name))
				m = &table[i];
		if (!m)
			return err_set(e, ERR_INPUT, "passthrough.%s: is not known",
				       safe_show(name, SHOWN));
		if (seen & 1ull << (m - table))
			return wrong(e, m->name, "is there twice");
		seen |= 1ull << (m - table);
		if (json_type(value) != JSON_NULL && read_member(p, m, value, e) < 0)
			return -1;
	}
	if (!p->max_failed)
		p->max_failed = keep(p, mem_strdup("0"));
	return check_whole(p, is_batch, dir, e);
}

bool passthrough_is_id(const char *file)
{
	return strncmp(file, "file-", 5) == 0 && strspn(file + 5, "0123456789abcdefABCDEF") ==
	       strlen(file + 5) && strlen(file) >= 9;
}
