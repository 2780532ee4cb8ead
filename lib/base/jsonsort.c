#include "base/jsonsort.h"

#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"

struct member {
	char *name; /* decoded */
	size_t n, at; /* its length; where the member stands, among equal names */
	struct span value;
};

static int compare(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int c = memcmp(x->name, y->name, x->n < y->n ? x->n : y->n);

	if (c != 0)
		return c;
	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void put_string(struct span value, struct str *out)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	json_string(value, &text);
	jsonw_quote(out, str_span(&text));
}

/* Nesting is at most JSON_DEPTH (base/json.h) and a level takes some hundred
 * bytes of stack. */
static void put_object(struct span value, struct str *out)
{
	struct member *members = NULL;
	size_t n = 0, pos = 0;
	struct span name, item;

	while (json_each(value, &pos, &name, &item)) {
		struct str text = STR_INIT;
		members = mem_room(members, n, sizeof *members);
		str_reserve(&text, 1);
		json_unescape(name, &text);
		members[n] = (struct member){ .n = text.n, .at = n, .value = item };
		members[n++].name = text.p;
	}
	if (n > 1)
		qsort(members, n, sizeof *members, compare);
	str_addc(out, '{');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			str_addc(out, ',');
		jsonw_quote(out, (struct span){ members[i].name, members[i].n });
		str_addc(out, ':');
		jsonsort(members[i].value, out);
		mem_free(members[i].name);
	}
	str_addc(out, '}');
	mem_free(members);
}

static void put_array(struct span value, struct str *out)
{
	struct span name, item;
	size_t pos = 0;

	str_addc(out, '[');
	for (bool more = false; json_each(value, &pos, &name, &item); more = true) {
		if (more)
			str_addc(out, ',');
		jsonsort(item, out);
	}
	str_addc(out, ']');
}

void jsonsort(struct span value, struct str *out)
{
	switch (json_type(value)) {
	case JSON_OBJECT:
		put_object(value, out);
		break;
	case JSON_ARRAY:
		put_array(value, out);
		break;
	case JSON_STRING:
		put_string(value, out);
		break;
	default:
		str_addspan(out, value);
	}
}

bool jsonsort_eq(struct span a, struct span b)
{
	struct str x CLEANUP(str_release) = STR_INIT, y CLEANUP(str_release) = STR_INIT;

	if (!a.p || !b.p || span_eq(a, b))
		return a.p ? b.p && span_eq(a, b) : !b.p;
	jsonsort(a, &x);
	jsonsort(b, &y);
	return span_eq(str_span(&x), str_span(&y));
}
