/* import_opts: the options of an import, as rows of an option table.
 *
 *     static struct import im = IMPORT_INIT;  // domain/import.h
 *     static const char *skip_invalid;
 *     static const struct opt options[] = {
 *             IMPORT_OPTS(im, skip_invalid)
 *             { .kind = OPT_END },
 *     }; */
#ifndef FSL_CLI_IMPORT_OPTS_H
#define FSL_CLI_IMPORT_OPTS_H

#include "cli/opt.h"

#define IMPORT_OPTS(im, skip) \
	{ .kind = OPT_TEXT, .name = "name", .dst = &(im).name, .arg = "NAME", \
	  .help = "a name to use in place of the id" }, \
	{ .kind = OPT_TEXT, .name = "url", .dst = &(im).rules.default_url, .arg = "PATH", \
	  .help = "url for lines that have none" }, \
	{ .kind = OPT_TEXT, .name = "model", .dst = &(im).rules.default_model, \
	  .arg = "MODEL", .help = "key for limits for lines that name no model" }, \
	{ .kind = OPT_FLAG, .name = "if-absent", .dst = &(im).if_absent, \
	  .help = "the same content again gives the id of the file that is there" }, \
	{ .kind = OPT_TEXT, .name = "skip-invalid", .dst = &(skip), .arg = "FILE", \
	  .help = "bad lines go to FILE, good ones are imported, exit 3" }, \
	{ .kind = OPT_INT, .name = "max-errors", .dst = &(im).max_errors, .arg = "N", \
	  .help = "problems to report", .dflt = "20", .min = 1, .max = 1000000 }, \
	{ .kind = OPT_FLAG, .name = "strict", .dst = &(im).strict, \
	  .help = "the limits of OpenAI's service: one url, one model, POST, 50,000 " \
		  "requests, 200 MB, no byte order mark, CR LF or blank lines" }, \
	{ .kind = OPT_FLAG, .name = "allow-inline-secrets", \
	  .dst = &(im).rules.allow_secrets, .help = "store keys that stand in lines" }, \
	{ .kind = OPT_SIZE, .name = "max-line", .dst = &(im).max_line, .arg = "SIZE", \
	  .help = "the longest line", .dflt = "32M", .min = 1, .max = 512 << 20 },

#endif
