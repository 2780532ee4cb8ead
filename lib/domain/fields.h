/* fields: the members of a JSON object, read by a table.
 *
 * Errors name the place, in the words of whoever wrote the file:
 *     plan.json: data_products[3].eager: required boolean is missing
 * A member that no row names is accepted with a warning. */
#ifndef FSL_DOMAIN_FIELDS_H
#define FSL_DOMAIN_FIELDS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/id.h"
#include "base/json.h"
#include "base/str.h"

/* Where an object stands. */
struct fields {
	const char *file;    /* "plan.json", "-:3" */
	const char *place;   /* "data_products", or NULL: the file's outermost object */
	int64_t index;       /* in that array; -1: none */
	int warned;          /* warnings so far; the first FIELDS_WARNINGS are printed */
};
enum { FIELDS_WARNINGS = 5 };

enum field_kind {
	FIELD_STRING, /* struct span *: the JSON string, with its quotes */
	FIELD_UUID,   /* struct id * */
	FIELD_BOOL,   /* bool * */
	FIELD_OBJECT, /* struct span *: the JSON object */
	FIELD_ARRAY,  /* struct span *: the JSON array */
	FIELD_ANY,    /* struct span *: any JSON value */
	FIELD_IGNORED,/* known, not used, no warning */
};

/* One row; a row without a name closes the table.  dst stays as it is when the
 * member is absent or, where it is not required, null. */
struct field {
	const char *name;
	enum field_kind kind;
	bool required;
	void *dst;
	bool *given;         /* becomes true when dst was set; or NULL */
};

/* ERR_INPUT: `value` is no object; a member has another type, is missing, or
 * stands there twice. */
int fields_read(struct fields *f, struct span value, const struct field *table,
		struct err *e) MUST_CHECK;

/* ERR_INPUT: "file: place[index].member: why".  member NULL: of the object. */
int fields_error(const struct fields *f, const char *member, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* How many warnings were not printed, as a last one. */
void fields_finish(const struct fields *f);

/* Checks a whole text; ERR_INPUT: "plan.json:12:5: expected a value". */
int fields_check(const char *file, struct span text, struct err *e) MUST_CHECK;

#endif
