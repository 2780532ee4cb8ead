/* merge: a JSON object put together from the pieces of a stream.
 *
 * A shape says for each member what its pieces come to.  Values are kept as
 * the bytes they came as: strings are joined as they stand between their
 * quotes, escapes and all, and numbers never become numbers.  null takes the
 * place of nothing but nothing.
 *
 * What is given must be valid JSON (base/json.h).  Memory: the bytes of the
 * pieces, and MERGE_VALUES members; time: linear in the bytes. */
#ifndef FSL_DOMAIN_MERGE_H
#define FSL_DOMAIN_MERGE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

enum {
	MERGE_MEMBERS = 64,   /* of one object */
	MERGE_ITEMS = 128,    /* of one list */
	MERGE_VALUES = 20000, /* members of all objects together */
};

enum merge_rule {
	MERGE_LAST,    /* the last value counts */
	MERGE_FIRST,   /* the first that is not null, "" or 0 */
	MERGE_APPEND,  /* strings are joined, arrays too; else the last value */
	MERGE_ELEMENT, /* each value is one more element of an array */
	MERGE_OBJECT,  /* objects are merged by a shape of their own */
	MERGE_LIST,    /* arrays of objects; those of one "index" are one object */
	MERGE_DROP,
};

struct merge_shape;
struct merge_field {
	const char *name;                /* as it stands between its quotes */
	enum merge_rule rule;
	const struct merge_shape *shape; /* MERGE_OBJECT, MERGE_LIST: of the objects */
	const char *as;                  /* the name it gets; NULL: the same */
	const char *otherwise;           /* JSON to write if none came; NULL: no member */
};
struct merge_shape {
	const struct merge_field *fields; /* written in this order, before all others */
	int n;
	enum merge_rule rest;             /* of all others */
};

struct merge_object {
	struct merge_value *v;
	int n, cap;
	int last; /* found last: members come in the same order again */
};
struct merge_item {
	int64_t index;
	uint64_t id; /* hash of its first id; 0: none came */
	struct merge_object object;
};
struct merge_value {
	struct str name;
	enum merge_type {
		MERGE_NULL, MERGE_STRING, MERGE_ARRAY, /* text: between quotes or brackets */
		MERGE_RAW,                             /* text: the value */
		MERGE_ONE, MERGE_MANY,                 /* items: 1, or as many as there are */
		MERGE_GONE,                            /* never written */
	} type;
	struct str text;
	struct merge_item *items;
	int n_items;
};

struct merge {
	struct merge_object root;
	int values; /* there are so far */
};

void merge_release(struct merge *m);

/* Merges one more piece, an object, into m->root or an object within it.
 * -1: it has more than fits, or a MERGE_LIST that is none; m is good for
 * merge_release() only then. */
int merge_add(struct merge *m, struct merge_object *to, const struct merge_shape *shape,
	      struct span object);

/* The object with that index in the list of that name in `in`, made if there
 * is none; NULL: it does not fit.  Valid until the next change of `in`. */
struct merge_object *merge_item(struct merge *m, struct merge_object *in, const char *name,
				int64_t index);

/* A member; NULL: there is none.  Valid until the next change of the object. */
struct merge_value *merge_find(const struct merge_object *o, const char *name);

/* Appends the object as JSON, lists in the order of their index. */
void merge_write(struct merge_object *o, const struct merge_shape *shape, struct str *out);

#endif
