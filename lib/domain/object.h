/* object: files and batches as the JSON objects of OpenAI's API, with one
 * member "fsl" of ours at the end.
 *
 * File (OpenAI API reference, "The file object"):
 *   {"id","object":"file","bytes","created_at","filename","purpose":"batch",
 *    "status":"processed","fsl":{"requests","models":{…},"xxh128","name"}}
 * Batch (OpenAI API reference, "The batch object"): all its members in its
 * order, null where there is nothing; times in Unix seconds. */
#ifndef FSL_DOMAIN_OBJECT_H
#define FSL_DOMAIN_OBJECT_H

#include "base/err.h"
#include "base/str.h"
#include "domain/batch.h"
#include "domain/file.h"

int object_file(struct db *db, const struct file *f, struct str *out, struct err *e) MUST_CHECK;
int object_batch(struct db *db, const struct batch *b, struct str *out, struct err *e) MUST_CHECK;

/* Appends a completion window as OpenAI writes it: "24h". */
void object_window(int64_t ms, struct str *out);

#endif
