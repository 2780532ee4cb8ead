/* params: the parameters of a plan: "params":{"day":null} and --set day=…
 *
 * A plan that declares parameters has ${day} replaced in the texts that
 * domain/plan names, and $${ stands for ${.  Without declarations ${…} is
 * text like any other. */
#ifndef FSL_DOMAIN_PARAMS_H
#define FSL_DOMAIN_PARAMS_H

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"
#include "domain/fields.h"

struct params {
	struct params_item {
		char *name;   /* [A-Za-z_][A-Za-z0-9_]*, up to 64 bytes */
		char *value;  /* NULL: it has none yet */
		bool set;     /* by --set */
	} *v;
	int n;
};

enum { PARAMS_MAX = 1000 };

#define PARAMS_INIT { NULL, 0 }
void params_release(struct params *p);

/* From the member "params" of a plan: null is a parameter without a default;
 * strings, numbers and booleans are defaults.  ERR_INPUT. */
int params_declare(struct params *p, const struct fields *where, struct span object,
		   struct err *e) MUST_CHECK;

/* "K=V" of --set.  ERR_USAGE: it is not K=V; ERR_INPUT: K is not declared. */
int params_set(struct params *p, const char *text, struct err *e) MUST_CHECK;

/* ERR_INPUT: a parameter has no value. */
int params_complete(const struct params *p, const struct fields *where, struct err *e) MUST_CHECK;

/* 1: appends the JSON text with the values in place of ${name}, escaped for
 * JSON strings, where alone it can stand; 0: there is nothing to replace and
 * nothing was appended.  ERR_INPUT: no parameter of that name. */
int params_apply(const struct params *p, const struct fields *where, const char *member,
		 struct span json, struct str *out, struct err *e) MUST_CHECK;

/* Appends {"day":"2026-01-01"}, by name. */
void params_json(const struct params *p, struct str *out);

#endif
