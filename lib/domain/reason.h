/* reason: why a data product is where it is, in words for people. */
#ifndef FSL_DOMAIN_REASON_H
#define FSL_DOMAIN_REASON_H

#include "base/err.h"
#include "base/str.h"
#include "domain/dataset.h"
#include "domain/product.h"
#include "store/stmt.h"

extern const struct stmt_set reason_sql;

/* Appends "waits for extract (running), load (failed)"; nothing when there is
 * nothing to say.  One line, safe for terminals: of what a command, a person or
 * another system has said of a failure the telling part, shortened. */
int reason_text(struct db *db, const struct dataset *d, const struct product *p,
		struct str *out, struct err *e) MUST_CHECK;

#endif
