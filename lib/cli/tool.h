/* tool: what main() of every program does.
 *
 * Opens fds 0 to 2 if they are closed, sets umask 077, ignores SIGPIPE, finds
 * the verb, parses options (opt.h), reads config file and environment, runs
 * the verb, flushes and checks stdout, prints the error if there is one and
 * turns it into the exit status of the table in fsl(7).
 *
 * Common options of every program, their values in struct tool:
 *   -D --db, --json, --plain, --columns, -q --quiet, -v --verbose,
 *   --color, --progress, --log-format, --config, -h --help, -V --version.
 * They may stand before the verb too; a verb's own options stand behind it.  In
 * a program without verbs an option of its own takes the place of the common one
 * of that name; what struct tool has of it is then the default.
 *
 * "PROGRAM help [VERB]" is "PROGRAM [VERB] --help".  "PROGRAM --list-options"
 * is for `make lint`: a line per option, "VERB<TAB>--name<TAB>-x<TAB>ARG";
 * "-" stands for what is not there, and as verb for the common options and
 * those of a program without verbs. */
#ifndef FSL_CLI_TOOL_H
#define FSL_CLI_TOOL_H

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"
#include "cli/config.h"
#include "cli/opt.h"

enum tool_format { TOOL_TABLE, TOOL_PLAIN, TOOL_JSON };
enum tool_progress { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_JSON, PROGRESS_NONE };

struct tool {
	const char *program;     /* "fsl-file" */
	const char *verb;        /* "import"; NULL in a program without verbs */
	char *db;                /* the state file's path; never NULL */
	bool db_is_default;      /* it was not named: its directory may be made */
	enum tool_format format; /* table on a terminal, else plain, or as asked */
	bool format_given;       /* --json or --plain was given */
	const char *columns;     /* --columns, or NULL */
	bool quiet;
	int verbose;
	bool color;              /* for stdout */
	enum tool_progress progress;
	int64_t progress_ms;     /* of --progress json:SECS; default 10000 */
	const struct config_source *config; /* the config file, while the verb runs */
	char **operands;
	int n_operands;
};

/* Runs one verb: an exit status from 0 up (EXIT_… of base/err.h), or -1 with *e. */
typedef int tool_run_fn(struct tool *t, struct err *e);

struct tool_verb {
	const char *name;     /* NULL: the program has no verbs, the only row */
	const char *operands; /* "FILE|-..." for the usage line, or "" */
	int min_operands, max_operands; /* max -1: any number */
	const char *summary;  /* a line, without a full stop */
	const char *help;     /* for TOOL VERB --help, printed as it stands, or NULL */
	const struct opt *options; /* may be NULL */
	tool_run_fn *run;
};

struct tool_program {
	const char *name;
	const char *summary;
	const char *examples;  /* lines for --help */
	const struct tool_verb *verbs; /* closed by a row without run */
	const char *(*libraries)(void); /* versions for --version, or NULL */
};

/* The whole of main().  Returns the exit status. */
int tool_main(const struct tool_program *p, int argc, char **argv);

/* Prints "program: message" and the hint on stderr, through log.h. */
void tool_complain(const struct err *e);

/* Calls fn for each operand; "-" stands for the lines of stdin, one operand
 * each (blank ones skipped, 1 MiB at most).  Errors of ERR_NOTFOUND and
 * ERR_STATE are printed and the others go on; the worst status comes back
 * (the highest of what fn returned and of the printed errors' statuses), or
 * -1 with another error. */
typedef int tool_operand_fn(struct tool *t, const char *operand, void *ctx,
			    struct err *e);
int tool_each(struct tool *t, tool_operand_fn *fn, void *ctx, struct err *e) MUST_CHECK;

/* Writes to stdout through stdio; the end of tool_main() checks it.  A reader
 * that went away gives ERR_PIPE, which ends the program with status 0 and no
 * word. */
int tool_print(struct span v, struct err *e) MUST_CHECK;
int tool_printf(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3))) MUST_CHECK;

#endif
