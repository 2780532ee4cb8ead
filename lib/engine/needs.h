/* needs: is all there that a data product needs to begin?  Its input file, or
 * the leave, the program and the directory of its command. */
#ifndef FSL_ENGINE_NEEDS_H
#define FSL_ENGINE_NEEDS_H

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/passthrough.h"
#include "store/db.h"

struct needs {
	struct db *db;
	const struct passthrough *pass;
	const char *dir;         /* of the plan */
	bool allow_exec;
	bool may_command;        /* there is room for one more command */
};

/* 1; 0: not now; then *why, if it is not empty, is the reason for people. */
int needs_met(const struct needs *n, struct str *why, struct err *e) MUST_CHECK;

/* The path of the input, looked for in the plan's directory; into *path. */
const char *needs_path(const struct needs *n, struct str *path);

#endif
