/* planjson: a stored plan as JSON. */
#ifndef FSL_DOMAIN_PLANJSON_H
#define FSL_DOMAIN_PLANJSON_H

#include "base/err.h"
#include "base/str.h"
#include "store/stmt.h"

extern const struct stmt_set planjson_sql;

enum planjson_form {
	/* Fletcher's response, on one line: members in alphabetical order, also in
	 * passthrough, passback and extra, every one of them there, time stamps with
	 * microseconds and +00:00.  The same bytes as long as nothing has changed. */
	PLANJSON_RESPONSE,
	/* A file that publish accepts and that changes nothing there: long form, a
	 * product and a dependency a line; without what is disabled. */
	PLANJSON_FILE,
};

/* Appends the dataset that the operand names, as it is at one moment, with a
 * newline at the end. */
int planjson_read(struct db *db, const char *dataset, enum planjson_form form, struct str *out,
		  struct err *e) MUST_CHECK;

#endif
