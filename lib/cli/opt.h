/* opt: options as a table: parsed here, explained by help.h.
 *
 * The rules of the POSIX utility syntax guidelines with GNU long options:
 * options may stand before or after operands, "--" ends them, --name=value
 * and --name value, short flags group (-nq), a short option takes the rest of
 * its word or the next word.  "-" is an operand.  A flag takes no value
 * (--quiet=yes is an error).  The last of a repeated option wins, but for
 * lists.  Long options may not be abbreviated.  An option with a value of its
 * own ("--exclusive", which means "--exclusive=fail") takes another one behind
 * the = only.
 *
 * Precedence: command line, environment variable (when set and not empty),
 * config file, default.  All four go through the same checks; an error names
 * where the value came from: "FSL_DB", "config:3", "--jobs". */
#ifndef FSL_CLI_OPT_H
#define FSL_CLI_OPT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/span.h"

enum opt_kind {
	OPT_END = 0,  /* closes a table */
	OPT_FLAG,     /* bool *: true when given */
	OPT_NOFLAG,   /* bool *: false when given (--no-…) */
	OPT_COUNT,    /* int *: how often it was given */
	OPT_TEXT,     /* const char **: argv's or the environment's own bytes; min above 0:
		       * not empty, max above 0: at most so many bytes */
	OPT_LIST,     /* struct opt_list *: each value appended */
	OPT_INT,      /* int64_t *: min to max */
	OPT_MICRO,    /* int64_t *: a decimal in millionths */
	OPT_DURATION, /* int64_t *: milliseconds */
	OPT_SIZE,     /* int64_t *: bytes */
	OPT_CHOICE,   /* int *: index into `choices` */
};

/* One row.  `dst` keeps its initial value, the default, unless the option is
 * given; `dflt` is that default in words for --help ("" or NULL: none).  Rows
 * that share `dst` are spellings of one option: the last one given wins. */
struct opt {
	enum opt_kind kind;
	char letter;        /* 0: none */
	const char *name;   /* long name without dashes */
	void *dst;
	const char *arg;    /* "FILE", "DUR", …; NULL for flags and counts */
	const char *help;   /* one or two short lines, no newline */
	const char *dflt;
	const char *env;    /* environment variable, or NULL */
	int64_t min, max;   /* for the numbers (texts: see above); max 0 means the kind's own:
			     * 10^15, 10^9 units, 100 years, 1 PiB */
	const char *const *choices; /* OPT_CHOICE: NULL-terminated */
	const char *bare;   /* the value if none is given; NULL: one must be */
};

struct opt_list {
	const char **v;
	int n;
};
void opt_list_release(struct opt_list *l);

/* Which options were given, and where: "" (not given, or another spelling won),
 * or a label as above. */
const char *opt_source(const struct opt *o);

/* An ERR_USAGE that begins with "--NAME" is about its value: if that came from the
 * environment or the config file, that is named before it, and for the file it
 * becomes an ERR_CONFIG. */
void opt_blame(const struct opt *const *tables, const char *config_path, struct err *e);

/* The first row of the table that was given on the command line and sets one of
 * these n destinations, or NULL. */
const struct opt *opt_given(const struct opt *table, const void *const *dst, size_t n);

/* Parses argv[1..] with the given tables (NULL-terminated array of tables).
 * Operands are gathered in *operands (pointers into argv, to be freed with
 * free()).  ERR_USAGE with the nearest name as a hint when unknown. */
int opt_parse(const struct opt *const *tables, int argc, char **argv,
	      char ***operands, int *n_operands, struct err *e) MUST_CHECK;

/* The index in argv of the first operand (argc: there is none), with nothing
 * parsed or set.  ERR_USAGE for an unknown option before it. */
int opt_first_operand(const struct opt *const *tables, int argc, char **argv,
		      struct err *e) MUST_CHECK;

/* Then the environment, for options not given yet.  There a flag is 1, true,
 * yes, on or 0, false, no, off (as if not set), and a count is a number. */
int opt_environment(const struct opt *const *tables, struct err *e) MUST_CHECK;

/* For cli/config.h, which reads the config file after that.  A value is
 * SPAN_NONE if there is none.  Setting does nothing for what was given
 * already; what the options then point to lives until the next opt_parse().
 * Checking sets nothing, and sees no range of a list. */
const struct opt *opt_named(const struct opt *const *tables, struct span name);
int opt_set_file(const struct opt *o, struct span value, int64_t line,
		 struct err *e) MUST_CHECK;
int opt_check_file(const struct opt *o, struct span value, struct err *e) MUST_CHECK;

/* The option of the tables (may be NULL) whose name is nearest, or NULL. */
const char *opt_nearest_option(const struct opt *const *tables, const char *name);

/* The name among `names` (NULL-terminated) that is nearest to `given` by edit
 * distance, or NULL if none is near (more than a third of it off). */
const char *opt_nearest(const char *given, const char *const *names);

#endif
