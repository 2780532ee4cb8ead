/* dataset: the rows of datasets: how they are found, and their counters. */
#ifndef FSL_DOMAIN_DATASET_H
#define FSL_DOMAIN_DATASET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "domain/state.h"
#include "store/stmt.h"

extern const struct stmt_set dataset_sql;

struct dataset {
	int64_t id;              /* 0: it is not stored yet */
	struct id uuid;
	char *name;              /* NULL: it has none */
	char *user;              /* OS user who published it last */
	bool paused;
	char *modified_by;
	int64_t modified_us;     /* of the dataset itself */
	int64_t active_us;       /* of anything in it */
	int64_t products, events; /* numbers given to the newest of them */
	int64_t count[STATES];   /* products in each state */
	int64_t ahead;           /* products that are active with parents left */
};

#define DATASET_INIT { 0 }
void dataset_release(struct dataset *d);

/* Its name, else its id; into `buf` (DATASET_LABEL_BUF bytes). */
enum { DATASET_LABEL_BUF = 160 };
const char *dataset_label(const struct dataset *d, char *buf);

/* By UUID, name, unique prefix of the UUID (4 hex digits or more), or "@last"
 * (the one published first most lately); ERR_NOTFOUND. */
int dataset_find(struct db *db, const char *operand, struct dataset *out,
		 struct err *e) MUST_CHECK;
/* 1 and *out, 0: there is none, -1. */
int dataset_get(struct db *db, int64_t id, struct dataset *out, struct err *e) MUST_CHECK;
int dataset_by_uuid(struct db *db, struct id uuid, struct dataset *out, struct err *e) MUST_CHECK;
int dataset_by_name(struct db *db, struct span name, struct dataset *out,
		    struct err *e) MUST_CHECK;

/* Reads the current row of a query that begins with DATASET_SELECT. */
#define DATASET_SELECT \
	"SELECT id, uuid, name, user, paused, modified_by, modified_us, active_us, products," \
	" events, waiting, queued, running, success, failed, disabled, ahead FROM datasets "
void dataset_read(struct stmt *q, struct dataset *out);

/* ERR_STATE: another dataset has its name. */
int dataset_check_name(struct db *db, const struct dataset *d, struct err *e) MUST_CHECK;
/* Inside a write transaction: a new row, whose name is checked (sets d->id), or
 * all of a row that is there but for its uuid. */
int dataset_insert(struct db *db, struct dataset *d, struct err *e) MUST_CHECK;
int dataset_save(struct db *db, const struct dataset *d, struct err *e) MUST_CHECK;

/* The long members.  Owned; NULL: null. */
struct dataset_texts {
	char *extra, *params, *dir, *words;
};
void dataset_texts_release(struct dataset_texts *t);
/* 1, or 0 if there are none (the dataset was not stored). */
int dataset_texts(struct db *db, int64_t id, struct dataset_texts *out,
		  struct err *e) MUST_CHECK;
/* Stores them, and keeps the index of words; inside a write transaction.
 * `old`: what is stored, or NULL. */
int dataset_texts_store(struct db *db, int64_t id, const struct dataset_texts *t,
			const struct dataset_texts *old, struct err *e) MUST_CHECK;

/* Products that are part of the plan: all but the disabled ones. */
int64_t dataset_live(const struct dataset *d);
/* The worst state there is: failed, running, queued, waiting, success,
 * disabled; STATE_NONE without products. */
enum state dataset_worst(const struct dataset *d);
/* The exit status by its states: 4 while something is queued or running, or
 * waits and nothing has failed; else 0 nothing failed, 1 nothing succeeded,
 * 3 some failed. */
int dataset_exit(const struct dataset *d);

/* Removes the dataset with all that is in it but the batches; inside a write
 * transaction. */
int dataset_delete(struct db *db, int64_t id, struct err *e) MUST_CHECK;
/* Gives the pages that it had back to the file system, in transactions of its own
 * that are short. */
int dataset_shrink(struct db *db, struct err *e) MUST_CHECK;

#endif
