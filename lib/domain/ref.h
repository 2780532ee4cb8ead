/* ref: how people name a file or a batch on the command line.
 *
 * "@last" (the newest), a full id with or without its prefix word
 * ("file-<32 hex>", "batch_<32 hex>"), a unique prefix of at least 4 hex
 * digits, or a name. */
#ifndef FSL_DOMAIN_REF_H
#define FSL_DOMAIN_REF_H

#include "base/err.h"
#include "base/id.h"

enum ref_kind { REF_LAST, REF_ID, REF_NAME };

struct ref {
	enum ref_kind kind;
	struct id low, high; /* REF_ID: the ids it may mean */
	struct span text;    /* as given */
};

/* `word` is "file-" or "batch_".  Never fails: what is no id is a name. */
struct ref ref_parse(const char *text, const char *word);

/* A name is 1 to 128 bytes of UTF-8 without control characters, is not all
 * hex digits, does not look like an id, does not begin with '@' or '-', and
 * has no '/'.  ERR_USAGE. */
int ref_check_name(const char *name, struct err *e) MUST_CHECK;

#endif
