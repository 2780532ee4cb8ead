#include "cli/opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"

enum { NAME_MAX_LEN = 64 /* of a name worth a suggestion */ };
#define MOST_NUMBER INT64_C(1000000000000000)
#define MOST_MS (INT64_C(36500) * 86400000)
#define MOST_BYTES (INT64_C(1) << 50)

/* Who gave a value; the stronger one wins. */
enum rank { RANK_NONE, RANK_CONFIG, RANK_ENV, RANK_LINE };

struct given {
	const struct opt *row;
	enum rank rank;
	char label[NAME_MAX_LEN];
};

/* What was given since the last opt_parse(), one per destination, and the
 * values that stood in a config file.  Option tables are static, and so is
 * what is known about them. */
static struct given *given;
static int n_given;
static struct opt_list kept;

static void forget(void)
{
	for (int i = 0; i < kept.n; i++)
		free((char *)(uintptr_t)kept.v[i]);
	opt_list_release(&kept);
	free(given);
	given = NULL;
	n_given = 0;
}

static struct given *given_find(const void *dst)
{
	for (int i = 0; i < n_given; i++)
		if (given[i].row->dst == dst)
			return &given[i];
	return NULL;
}

static enum rank given_rank(const struct opt *o)
{
	const struct given *g = given_find(o->dst);
	return g ? g->rank : RANK_NONE;
}

static void __attribute__((format(printf, 3, 4)))
given_note(const struct opt *o, enum rank rank, const char *label, ...)
{
	va_list ap;
	struct given *g = given_find(o->dst);
	if (!g) {
		given = mem_resize(given, (size_t)n_given + 1, sizeof(*given));
		g = &given[n_given++];
	}
	g->row = o;
	g->rank = rank;
	va_start(ap, label);
	vsnprintf(g->label, sizeof(g->label), label, ap);
	va_end(ap);
}

const char *opt_source(const struct opt *o)
{
	const struct given *g = given_find(o->dst);
	return g && g->row == o ? g->label : "";
}

void opt_blame(const struct opt *const *tables, const char *config_path, struct err *e)
{
	struct span msg = span_of(e->msg), name = { e->msg + 2, 0 };
	if (e->code != ERR_USAGE || !span_starts(msg, "--"))
		return;
	while (name.p[name.n] == '-' || (name.p[name.n] >= 'a' && name.p[name.n] <= 'z') ||
	       (name.p[name.n] >= '0' && name.p[name.n] <= '9'))
		name.n++;
	const struct opt *o = opt_named(tables, name);
	struct span source = span_of(o ? opt_source(o) : "-");
	bool file = span_starts(source, "config:");
	if (source.n == 0 || source.p[0] == '-')
		return;
	if (file)
		e->code = ERR_CONFIG;
	/* Of a list the label has only the last line. */
	(void)err_wrap(e, "%s", file && config_path ? safe_show(span_of(config_path), 200) : source.p);
}

const struct opt *opt_given(const struct opt *table, const void *const *dst, size_t n)
{
	for (const struct opt *o = table; o->kind != OPT_END; o++)
		for (size_t i = 0; i < n; i++)
			if (o->dst == dst[i] && opt_source(o)[0] == '-')
				return o;
	return NULL;
}

static void list_add(struct opt_list *l, const char *value)
{
	l->v = mem_resize(l->v, (size_t)l->n + 1, sizeof(*l->v));
	l->v[l->n++] = value;
}

void opt_list_release(struct opt_list *l)
{
	free(l->v);
	l->v = NULL;
	l->n = 0;
}

static bool is_switch(const struct opt *o)
{
	return o->kind == OPT_FLAG || o->kind == OPT_NOFLAG || o->kind == OPT_COUNT;
}

static int set_choice(const struct opt *o, const char *value, struct err *e)
{
	for (int i = 0; o->choices[i]; i++) {
		if (strcmp(o->choices[i], value) == 0) {
			*(int *)o->dst = i;
			return 0;
		}
	}
	struct str all CLEANUP(str_release) = STR_INIT;
	for (int i = 0; o->choices[i]; i++)
		str_addf(&all, "%s%s", i ? ", " : "", o->choices[i]);
	return err_set(e, ERR_USAGE, "'%s' is not one of %s",
		       safe_show(span_of(value), 60), str_z(&all));
}

/* Checks the value and puts it where it belongs; `value` is NULL for
 * switches. */
static int set_value(const struct opt *o, const char *value, struct err *e)
{
	int64_t max = o->max;
	switch (o->kind) {
	case OPT_FLAG:
	case OPT_NOFLAG:
		*(bool *)o->dst = o->kind == OPT_FLAG;
		return 0;
	case OPT_COUNT:
		++*(int *)o->dst;
		return 0;
	case OPT_TEXT:
		if (o->max > 0 && strlen(value) > (size_t)max)
			return err_set(e, ERR_USAGE, "is longer than %lld bytes", (long long)max);
		if (o->min > 0 && !*value)
			return err_set(e, ERR_USAGE, "must not be empty");
		*(const char **)o->dst = value;
		return 0;
	case OPT_LIST:
		list_add(o->dst, value);
		return 0;
	case OPT_INT:
		return num_int(value, o->min, max ? max : MOST_NUMBER, o->dst, e);
	case OPT_MICRO:
		return num_micro(value, o->min, max ? max : MOST_NUMBER, o->dst, e);
	case OPT_DURATION:
		return num_duration(value, o->min, max ? max : MOST_MS, o->dst, e);
	case OPT_SIZE:
		return num_size(value, o->min, max ? max : MOST_BYTES, o->dst, e);
	case OPT_CHOICE:
		return set_choice(o, value, e);
	case OPT_END:
		break;
	}
	BUG("option --%s has kind %d", o->name, (int)o->kind);
}

/* By name, or by letter if that is not 0. */
static const struct opt *find(const struct opt *const *tables, struct span name,
			      char letter)
{
	for (int t = 0; tables && tables[t]; t++)
		for (const struct opt *o = tables[t]; o->kind != OPT_END; o++)
			if (letter ? o->letter == letter : span_is(name, o->name))
				return o;
	return NULL;
}

const struct opt *opt_named(const struct opt *const *tables, struct span name)
{
	return find(tables, name, 0);
}

const char *opt_nearest_option(const struct opt *const *tables, const char *name)
{
	const char **names CLEANUP(mem_cleanup) = NULL;
	size_t n = 0;
	for (int t = 0; tables && tables[t]; t++) {
		for (const struct opt *o = tables[t]; o->kind != OPT_END; o++) {
			names = mem_resize(names, n + 2, sizeof(*names));
			names[n++] = o->name;
		}
	}
	if (n == 0)
		return NULL;
	names[n] = NULL;
	return opt_nearest(name, names);
}

static int unknown_long(const struct opt *const *tables, struct span name, struct err *e)
{
	char *z CLEANUP(mem_cleanup) = mem_copy(name.p, name.n);
	err_set(e, ERR_USAGE, "unknown option '--%s'", safe_show(name, 60));
	const char *near = opt_nearest_option(tables, z);
	return near ? err_hint(e, "did you mean --%s?", near) : -1;
}

/* A word "-abc" whose letter at `at` is unknown. */
static int unknown_short(const struct opt *const *tables, const char *word,
			 const char *at, struct err *e)
{
	size_t n = safe_utf8(at, strlen(at));
	const char *letter = safe_show((struct span){ at, n ? n : 1 }, 20);
	if (at == word + 1 && !at[1])
		return err_set(e, ERR_USAGE, "unknown option '-%s'", letter);
	err_set(e, ERR_USAGE, "unknown option '-%s' in '%s'", letter,
		safe_show(span_of(word), 60));
	const struct opt *o = find(tables, span_of(word + 1), 0);
	return o ? err_hint(e, "did you mean --%s?", o->name) : -1;
}

/* Sets an option of the command line (or, without `set`, nothing). */
static int line_value(const struct opt *o, const char *value, bool set, struct err *e)
{
	if (!set)
		return 0;
	if (set_value(o, value, e) < 0)
		return err_wrap(e, "--%s", o->name);
	given_note(o, RANK_LINE, "--%s", o->name);
	return 0;
}

/* The word argv[i], an option, and the value behind it; returns how many
 * words that were. */
static int read_long(const struct opt *const *tables, int argc, char **argv, int i,
		     bool set, struct err *e)
{
	const struct span name = { argv[i] + 2, strcspn(argv[i] + 2, "=") };
	const char *value = name.p[name.n] == '=' ? name.p + name.n + 1 : NULL;
	const struct opt *o = find(tables, name, 0);
	if (!o)
		return unknown_long(tables, name, e);
	if (is_switch(o) && value)
		return err_set(e, ERR_USAGE, "--%s takes no value", o->name);
	if (is_switch(o) || value || o->bare)
		return line_value(o, value ? value : o->bare, set, e) < 0 ? -1 : 1;
	if (i + 1 >= argc)
		return err_set(e, ERR_USAGE, "--%s needs a value: %s", o->name, o->arg);
	return line_value(o, argv[i + 1], set, e) < 0 ? -1 : 2;
}

static int read_group(const struct opt *const *tables, int argc, char **argv, int i,
		      bool set, struct err *e)
{
	for (const char *p = argv[i] + 1; *p; p++) {
		const struct opt *o = find(tables, SPAN_NONE, *p);
		if (!o)
			return unknown_short(tables, argv[i], p, e);
		if (is_switch(o)) {
			if (line_value(o, NULL, set, e) < 0)
				return -1;
			continue;
		}
		if (p[1] || o->bare)
			return line_value(o, p[1] ? p + 1 : o->bare, set, e) < 0 ? -1 : 1;
		if (i + 1 >= argc)
			return err_set(e, ERR_USAGE, "-%c, --%s needs a value: %s",
				       o->letter, o->name, o->arg);
		return line_value(o, argv[i + 1], set, e) < 0 ? -1 : 2;
	}
	return 1;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

static int read_option(const struct opt *const *tables, int argc, char **argv, int i,
		       bool set, struct err *e)
{
	return argv[i][1] == '-' ? read_long(tables, argc, argv, i, set, e)
				 : read_group(tables, argc, argv, i, set, e);
}

int opt_parse(const struct opt *const *tables, int argc, char **argv, char ***operands,
	      int *n_operands, struct err *e)
{
	char **found CLEANUP(mem_cleanup) = mem_alloc(((size_t)argc + 1) * sizeof(*found));
	int n = 0;
	forget();
	for (int i = 1, words; i < argc; i += words) {
		words = 1;
		if (!is_option(argv[i])) {
			found[n++] = argv[i];
		} else if (strcmp(argv[i], "--") == 0) {
			while (++i < argc)
				found[n++] = argv[i];
		} else {
			words = read_option(tables, argc, argv, i, true, e);
			if (words < 0)
				return -1;
		}
	}
	*operands = TAKE(found);
	*n_operands = n;
	return 0;
}

int opt_first_operand(const struct opt *const *tables, int argc, char **argv,
		      struct err *e)
{
	int i = 1;
	while (i < argc && is_option(argv[i])) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		int words = read_option(tables, argc, argv, i, false, e);
		if (words < 0)
			return -1;
		i += words;
	}
	return i;
}

static bool in_words(const char *value, const char *const *words)
{
	for (; *words; words++)
		if (span_is_nocase(span_of(value), *words))
			return true;
	return false;
}

/* 1: the value was set, 0: it says "as if not there". */
static int set_environment(const struct opt *o, const char *value, struct err *e)
{
	static const char *const yes[] = { "1", "true", "yes", "on", NULL };
	static const char *const no[] = { "0", "false", "no", "off", NULL };
	if (o->kind == OPT_COUNT) {
		int64_t n;
		if (num_int(value, 0, 9, &n, e) < 0)
			return -1;
		*(int *)o->dst = (int)n;
		return 1;
	}
	if (is_switch(o) && !in_words(value, yes)) {
		if (in_words(value, no))
			return 0;
		return err_set(e, ERR_USAGE, "'%s' is neither 1 (yes) nor 0 (no)",
			       safe_show(span_of(value), 60));
	}
	return set_value(o, value, e) < 0 ? -1 : 1;
}

int opt_environment(const struct opt *const *tables, struct err *e)
{
	for (int t = 0; tables[t]; t++) {
		for (const struct opt *o = tables[t]; o->kind != OPT_END; o++) {
			const char *value = o->env ? getenv(o->env) : NULL;
			if (!value || !*value || given_rank(o) > RANK_ENV)
				continue;
			int rc = set_environment(o, value, e);
			if (rc < 0)
				return err_wrap(e, "%s", o->env);
			if (rc > 0)
				given_note(o, RANK_ENV, "%s", o->env);
		}
	}
	return 0;
}

/* A value of a config file: NULL for what takes none. */
static int file_value(const struct opt *o, struct span value, char **out, struct err *e)
{
	*out = NULL;
	if (is_switch(o))
		return value.p ? err_set(e, ERR_CONFIG, "%s takes no value", o->name) : 0;
	if (!value.p && o->bare)
		value = span_of(o->bare);
	if (value.n == 0)
		return err_set(e, ERR_CONFIG, "%s needs a value: %s", o->name, o->arg);
	*out = mem_copy(value.p, value.n);
	return 0;
}

int opt_set_file(const struct opt *o, struct span value, int64_t line, struct err *e)
{
	char *z;
	if (file_value(o, value, &z, e) < 0)
		return -1;
	if (given_rank(o) > RANK_CONFIG) {
		free(z);
		return 0;
	}
	if (z)
		list_add(&kept, z);
	if (set_value(o, z, e) < 0)
		return err_wrap(e, "%s", o->name);
	given_note(o, RANK_CONFIG, "config:%lld", (long long)line);
	return 0;
}

int opt_check_file(const struct opt *o, struct span value, struct err *e)
{
	union {
		bool flag;
		int count;
		int64_t number;
		const char *text;
	} nowhere = { .number = 0 };
	struct opt copy = *o;
	char *z CLEANUP(mem_cleanup) = NULL;
	copy.dst = &nowhere;
	if (file_value(o, value, &z, e) < 0)
		return -1;
	if (o->kind != OPT_LIST && set_value(&copy, z, e) < 0)
		return err_wrap(e, "%s", o->name);
	return 0;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

const char *opt_nearest(const char *a, const char *const *names)
{
	const char *near = NULL;
	size_t n = strlen(a), near_d = SIZE_MAX;
	if (n > NAME_MAX_LEN)
		return NULL;
	for (; *names; names++) {
		const char *b = *names;
		size_t m = strlen(b);
		if (m > NAME_MAX_LEN)
			continue;
		/* Optimal string alignment: a swap of neighbours counts as one. */
		size_t d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];
		for (size_t i = 0; i <= n; i++) {
			for (size_t j = 0; j <= m; j++) {
				d[i][j] = i + j;
				if (i == 0 || j == 0)
					continue;
				size_t replace = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
				size_t best = least(replace, least(d[i - 1][j], d[i][j - 1]) + 1);
				if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
					best = least(best, d[i - 2][j - 2] + 1);
				d[i][j] = best;
			}
		}
		if (d[n][m] < near_d && d[n][m] * 3 <= (n > m ? n : m)) {
			near_d = d[n][m];
			near = b;
		}
	}
	return near;
}
