/* config: the config file, read at the start and looked at again.
 *
 * One long option a line ("jobs 32", "jobs = 32", "quiet"; the value is the
 * rest of the line, quotes mean nothing), '#' at the start of a line is a
 * comment, "[fsl-run]" starts the section of one program; what stands before
 * any section is for all of them, and there an option that `program` does not
 * have is no error.  All its errors are ERR_CONFIG and name file and line. */
#ifndef FSL_CLI_CONFIG_H
#define FSL_CLI_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "cli/opt.h"

struct config_source {
	const struct opt *const *tables;
	const struct opt *const *others; /* of other verbs, passed over; may be NULL */
	const char *program;
	const char *path;                /* NULL: there is none */
	bool must_exist;                 /* it was named: missing is an error */
};

/* Sets what was not given on the command line or in the environment. */
int config_read(const struct config_source *s, struct err *e) MUST_CHECK;

/* A list option that follows the file while a program runs. */
struct config_watch {
	const struct config_source *source; /* NULL: it does not follow */
	const struct opt *row;
	struct opt_list values;             /* those of now */
	/* The version of the file that was looked at. */
	struct config_mark {
		bool exists, regular;
		uint64_t dev, ino;
		int64_t size, mtime_ns;
	} seen;
	bool begun, settled, failed;
};

/* From now on, with the values that `row`, an OPT_LIST of the tables, has now.
 * It does not follow if they came from the command line or the environment,
 * which are stronger, or if the file is a pipe.  `s` must outlive the watch. */
void config_watch_start(struct config_watch *w, const struct config_source *s,
			const struct opt *row);
void config_watch_release(struct config_watch *w);

/* Has the file given the option other values?  One stat(2) unless the file has
 * changed; once a second is often enough.  1: w->values are new, valid until the
 * next call.  0: no.  -1 and *e: the file is broken now, or gone; the values
 * stay, and it is told once for each version of the file. */
int config_changed(struct config_watch *w, struct err *e) MUST_CHECK;

#endif
