/* states: what somebody reports of data products, read from operands or JSON.
 *
 *     PRODUCT=STATE
 *     {"id":"…","state":"success","run_id":"…","link":"…","passback":{…}}
 *
 * Members as Fletcher's: id (a UUID, a name or what else names a product) and
 * state are required; the others may be null, which is the same as absent. */
#ifndef FSL_DOMAIN_STATES_H
#define FSL_DOMAIN_STATES_H

#include <stdbool.h>
#include "base/err.h"
#include "base/id.h"
#include "domain/state.h"

struct states_item {
	char *product;       /* as given: an operand of product_find() */
	enum state state;    /* running, success or failed */
	bool has_run;
	struct id run_id;
	char *link;          /* or NULL */
	char *passback;      /* compact JSON, or NULL */
	char place[32];      /* "-:17", "-: [3]": where it stands, for messages; "": an operand */
};

struct states {
	struct states_item *v;
	int n;
};

#define STATES_INIT { NULL, 0 }
void states_release(struct states *s);

/* A new item, all of it unset; valid until the next one. */
struct states_item *states_add(struct states *s);

/* All that `fletcher-plan update` is told: words PRODUCT=STATE with details for
 * all of them (NULL: not given), or the word "-" alone and then JSON from
 * standard input.  ERR_USAGE, ERR_INPUT. */
struct states_given {
	const char *const *words; /* n_words of them */
	int n_words;
	const char *run_id, *link, *passback;
};
int states_read(struct states *s, const struct states_given *g, struct err *e) MUST_CHECK;

/* Its parts: one word, the last '=' of which parts it; */
int states_operand(struct states *s, const char *operand, struct err *e) MUST_CHECK;
/* the details, for all items; */
int states_details(struct states *s, const struct states_given *g, struct err *e) MUST_CHECK;
/* a JSON array of objects, or an object a line; `name` is the input's, for
 * messages.  ERR_INPUT with the place: "-:3: state: ...", "-: [2].state: ...". */
int states_json(struct states *s, const char *name, struct span text, struct err *e) MUST_CHECK;

#endif
