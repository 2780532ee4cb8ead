/* parents: what a command of a plan is given of the products above it. */
#ifndef FSL_ENGINE_PARENTS_H
#define FSL_ENGINE_PARENTS_H

#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "store/db.h"

/* Writes the output of the live parents to the descriptor, in the order of
 * publication: of a batch its output lines in the order of the input, the
 * completed ones only, of an exec what it wrote.  `products`, unless NULL, gets
 * "extract=batch_… load=exec", a word each. */
int parents_write(struct db *db, int64_t product, int fd, struct str *products,
		  struct err *e) MUST_CHECK;

/* The environment of a command, "NAME=value", NULL behind the last; to be freed
 * with parents_env_free(). */
struct parents_env {
	const char *db_path, *dataset, *product, *products;
	struct id run_id;
	const char *params; /* JSON object of the dataset, or NULL */
};
char **parents_env(const struct parents_env *v);
void parents_env_free(char **env);

#endif
