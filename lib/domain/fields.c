#include "domain/fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/safe.h"

enum { SHOWN = 60, MEMBERS_MAX = 32 };

static void put_place(const struct fields *f, const char *member, struct str *out)
{
	str_addf(out, "%s: ", f->file);
	if (f->place)
		str_addz(out, f->place);
	if (f->index >= 0)
		str_addf(out, "[%lld]", (long long)f->index);
	if (member)
		str_addf(out, "%s%s", f->place || f->index >= 0 ? "." : "", member);
}

int fields_error(const struct fields *f, const char *member, struct err *e, const char *fmt, ...)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	va_list ap;

	put_place(f, member, &text);
	if (member || f->place || f->index >= 0)
		str_addz(&text, ": ");
	va_start(ap, fmt);
	str_addv(&text, fmt, ap);
	va_end(ap);
	return err_set(e, ERR_INPUT, "%s", str_z(&text));
}

static void warn_unknown(struct fields *f, struct span name)
{
	struct str place CLEANUP(str_release) = STR_INIT;

	if (f->warned++ >= FIELDS_WARNINGS)
		return;
	put_place(f, safe_show(name, SHOWN), &place);
	log_warn("%s: unknown member, ignored", str_z(&place));
}

void fields_finish(const struct fields *f)
{
	if (f->warned > FIELDS_WARNINGS)
		log_warn("%s: %d more unknown members are ignored", f->file,
			 f->warned - FIELDS_WARNINGS);
}

static const char *type_word(enum json_type t)
{
	static const char *const words[] = {
		[JSON_NULL] = "null", [JSON_FALSE] = "a boolean", [JSON_TRUE] = "a boolean",
		[JSON_NUMBER] = "a number", [JSON_STRING] = "a string", [JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};

	return words[t];
}

static const char *kind_word(enum field_kind k)
{
	static const char *const words[] = {
		[FIELD_STRING] = "string", [FIELD_UUID] = "UUID", [FIELD_BOOL] = "boolean",
		[FIELD_OBJECT] = "object", [FIELD_ARRAY] = "array", [FIELD_ANY] = "value",
		[FIELD_IGNORED] = "value",
	};

	return words[k];
}

static bool fits(enum field_kind k, enum json_type t)
{
	switch (k) {
	case FIELD_STRING:
	case FIELD_UUID:
		return t == JSON_STRING;
	case FIELD_BOOL:
		return t == JSON_TRUE || t == JSON_FALSE;
	case FIELD_OBJECT:
		return t == JSON_OBJECT;
	case FIELD_ARRAY:
		return t == JSON_ARRAY;
	default:
		return true;
	}
}

static int take_value(const struct fields *f, const struct field *row, struct span value,
		      struct err *e)
{
	enum json_type t = json_type(value);

	if (t == JSON_NULL && !row->required)
		return 0;
	if (!fits(row->kind, t))
		return fields_error(f, row->name, e, "must be a%s %s, not %s",
				    row->kind == FIELD_ARRAY || row->kind == FIELD_OBJECT ? "n" : "",
				    kind_word(row->kind), type_word(t));
	if (row->kind == FIELD_IGNORED)
		return 0;
	if (row->kind == FIELD_BOOL) {
		*(bool *)row->dst = t == JSON_TRUE;
	} else if (row->kind == FIELD_UUID) {
		struct span text = { value.p + 1, value.n - 2 };
		if (!id_from_uuid(text, row->dst))
			return fields_error(f, row->name, e, "'%s' is no UUID", safe_show(text, SHOWN));
	} else {
		*(struct span *)row->dst = value;
	}
	if (row->given)
		*row->given = true;
	return 0;
}

static int find_row(const struct field *table, struct span name)
{
	struct str plain CLEANUP(str_release) = STR_INIT;

	if (!json_plain(name)) {
		json_unescape(name, &plain);
		name = str_span(&plain);
	}
	for (int i = 0; table[i].name; i++)
		if (span_is(name, table[i].name))
			return i;
	return -1;
}

int fields_read(struct fields *f, struct span value, const struct field *table, struct err *e)
{
	uint32_t seen = 0;
	size_t pos = 0;
	struct span name, item;

	if (json_type(value) != JSON_OBJECT)
		return fields_error(f, NULL, e, "must be an object, not %s", type_word(json_type(value)));
	while (json_each(value, &pos, &name, &item)) {
		int i = find_row(table, name);
		if (i < 0) {
			warn_unknown(f, name);
			continue;
		}
		if (i >= MEMBERS_MAX)
			BUG("a table of more than %d fields", MEMBERS_MAX);
		if (seen >> i & 1)
			return fields_error(f, table[i].name, e, "stands there twice");
		seen |= UINT32_C(1) << i;
		if (take_value(f, &table[i], item, e) < 0)
			return -1;
	}
	for (int i = 0; table[i].name; i++)
		if (table[i].required && !(seen >> i & 1))
			return fields_error(f, table[i].name, e, "required %s is missing",
					    kind_word(table[i].kind));
	return 0;
}

int fields_check(const char *file, struct span text, struct err *e)
{
	struct json_error je;
	size_t line = 1, start = 0;

	if (json_scan(text, NULL, NULL, &je) == 0)
		return 0;
	for (size_t i = 0; i < je.offset && i < text.n; i++)
		if (text.p[i] == '\n') {
			line++;
			start = i + 1;
		}
	return err_set(e, ERR_INPUT, "%s:%zu:%zu: %s", file, line, je.offset - start + 1, je.what);
}
