#include "domain/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"

static void release_object(struct merge_object *o);

static void release_value(struct merge_value *v)
{
	str_release(&v->name);
	str_release(&v->text);
	for (int i = 0; i < v->n_items; i++)
		release_object(&v->items[i].object);
	free(v->items);
}

static void release_object(struct merge_object *o)
{
	for (int i = 0; i < o->n; i++)
		release_value(&o->v[i]);
	free(o->v);
}

void merge_release(struct merge *m)
{
	release_object(&m->root);
	*m = (struct merge){ .values = 0 };
}

static struct merge_value *find(const struct merge_object *o, struct span name, int from)
{
	for (int i = 0; i < o->n; i++) {
		struct merge_value *v = &o->v[from + i < o->n ? from + i : from + i - o->n];
		if (v->name.n == name.n && (name.n == 0 || memcmp(v->name.p, name.p, name.n) == 0))
			return v;
	}
	return NULL;
}

struct merge_value *merge_find(const struct merge_object *o, const char *name)
{
	return find(o, span_of(name), 0);
}

/* The member, made if there is none; NULL: it does not fit. */
static struct merge_value *get(struct merge *m, struct merge_object *o, struct span name)
{
	struct merge_value *v = find(o, name, o->last + 1 < o->n ? o->last + 1 : 0);

	if (!v) {
		if (o->n == MERGE_MEMBERS || m->values == MERGE_VALUES)
			return NULL;
		if (o->n == o->cap) {
			o->cap = o->cap ? 2 * o->cap : 4;
			o->v = mem_resize(o->v, (size_t)o->cap, sizeof *o->v);
		}
		m->values++;
		v = &o->v[o->n++];
		*v = (struct merge_value){ .type = MERGE_NULL };
		str_addspan(&v->name, name);
	}
	o->last = (int)(v - o->v);
	return v;
}

static struct span inner(struct span value)
{
	return (struct span){ value.p + 1, value.n - 2 };
}

static void set(struct merge_value *v, enum merge_type type, struct span text)
{
	v->type = type;
	str_reset(&v->text);
	str_addspan(&v->text, text);
}

static void set_value(struct merge_value *v, struct span value)
{
	switch (json_type(value)) {
	case JSON_NULL:
		return;
	case JSON_STRING:
		set(v, MERGE_STRING, inner(value));
		return;
	case JSON_ARRAY:
		set(v, MERGE_ARRAY, inner(value));
		return;
	default:
		set(v, MERGE_RAW, value);
	}
}

static bool is_blank(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != ' ' && text.p[i] != '\t' && text.p[i] != '\n' && text.p[i] != '\r')
			return false;
	return true;
}

/* The text between the brackets of an array, or one element, to an array. */
static void add_elements(struct merge_value *v, struct span elements)
{
	if (v->type != MERGE_ARRAY)
		set(v, MERGE_ARRAY, SPAN_LIT(""));
	if (is_blank(elements))
		return;
	if (is_blank(str_span(&v->text)))
		str_reset(&v->text);
	else
		str_addc(&v->text, ',');
	str_addspan(&v->text, elements);
}

static void append(struct merge_value *v, struct span value)
{
	enum json_type type = json_type(value);

	if (type == JSON_STRING && v->type == MERGE_STRING)
		str_addspan(&v->text, inner(value));
	else if (type == JSON_ARRAY && v->type == MERGE_ARRAY)
		add_elements(v, inner(value));
	else
		set_value(v, value);
}

static bool says_nothing(const struct merge_value *v)
{
	return v->type == MERGE_NULL || (v->type == MERGE_STRING && v->text.n == 0) ||
	       (v->type == MERGE_RAW && span_is(str_span(&v->text), "0"));
}

static struct merge_item *add_item(struct merge_value *v, int64_t index)
{
	if (v->n_items == MERGE_ITEMS)
		return NULL;
	if ((v->n_items & (v->n_items - 1)) == 0) /* 0 and the powers of two are full */
		v->items = mem_resize(v->items, v->n_items ? 2 * (size_t)v->n_items : 1,
				      sizeof *v->items);
	struct merge_item *item = &v->items[v->n_items++];
	*item = (struct merge_item){ .index = index };
	return item;
}

static struct merge_item *item_of(struct merge_value *v, int64_t index)
{
	for (int i = v->n_items; i-- > 0;)
		if (v->items[i].index == index)
			return &v->items[i];
	return add_item(v, index);
}

static uint64_t number_of(struct span id)
{
	struct id sum = hash_of(id.p, id.n);
	uint64_t n;

	memcpy(&n, sum.b, sizeof n);
	return n;
}

/* Objects without an index: a new id begins one, no id goes on with the last. */
static struct merge_item *item_by_id(struct merge_value *v, uint64_t id)
{
	int64_t next = 0;

	for (int i = v->n_items; i-- > 0;) {
		if (id == 0 || v->items[i].id == id)
			return &v->items[i];
		if (v->items[i].index >= next)
			next = v->items[i].index + 1;
	}
	return add_item(v, next);
}

static struct merge_object *item_for(struct merge_value *v, struct span object)
{
	struct span name, value;
	int64_t index = -1;
	uint64_t id = 0;
	size_t pos = 0;

	while (json_each(object, &pos, &name, &value)) {
		if (span_is(name, "index"))
			json_int(value, 0, INT32_MAX, &index);
		else if (span_is(name, "id") && json_type(value) == JSON_STRING && value.n > 2)
			id = number_of(value);
	}
	struct merge_item *item = index >= 0 ? item_of(v, index) : item_by_id(v, id);
	if (item && item->id == 0)
		item->id = id;
	return item ? &item->object : NULL;
}

static int add_list(struct merge *m, struct merge_value *v, const struct merge_shape *shape,
		    struct span list)
{
	struct span name, value;
	size_t pos = 0;

	if (json_type(list) == JSON_NULL)
		return 0;
	if (json_type(list) != JSON_ARRAY)
		return -1;
	v->type = MERGE_MANY;
	while (json_each(list, &pos, &name, &value)) {
		if (json_type(value) != JSON_OBJECT)
			return -1;
		struct merge_object *item = item_for(v, value);
		if (!item || merge_add(m, item, shape, value) < 0)
			return -1;
	}
	return 0;
}

static int add_object(struct merge *m, struct merge_value *v, const struct merge_shape *shape,
		      struct span object)
{
	if (json_type(object) != JSON_OBJECT) {
		if (v->type != MERGE_ONE)
			set_value(v, object);
		return 0;
	}
	v->type = MERGE_ONE;
	return merge_add(m, &item_of(v, 0)->object, shape, object);
}

static const struct merge_field *field_of(const struct merge_shape *shape, struct span name)
{
	for (int i = 0; i < shape->n; i++)
		if (span_is(name, shape->fields[i].name))
			return &shape->fields[i];
	return NULL;
}

static int add_value(struct merge *m, struct merge_object *to, const struct merge_shape *shape,
		     struct span name, struct span value)
{
	const struct merge_field *f = field_of(shape, name);
	enum merge_rule rule = f ? f->rule : shape->rest;

	if (rule == MERGE_DROP)
		return 0;
	struct merge_value *v = get(m, to, f && f->as ? span_of(f->as) : name);
	if (!v)
		return -1;
	switch (rule) {
	case MERGE_FIRST:
		if (!says_nothing(v))
			return 0;
		set_value(v, value);
		return 0;
	case MERGE_APPEND:
		append(v, value);
		return 0;
	case MERGE_ELEMENT:
		add_elements(v, value);
		return 0;
	case MERGE_OBJECT:
		return add_object(m, v, f->shape, value);
	case MERGE_LIST:
		return add_list(m, v, f->shape, value);
	default:
		set_value(v, value);
		return 0;
	}
}

int merge_add(struct merge *m, struct merge_object *to, const struct merge_shape *shape,
	      struct span object)
{
	struct span name, value;
	size_t pos = 0;

	while (json_each(object, &pos, &name, &value))
		if (add_value(m, to, shape, name, value) < 0)
			return -1;
	return 0;
}

struct merge_object *merge_item(struct merge *m, struct merge_object *in, const char *name,
				int64_t index)
{
	struct merge_value *v = get(m, in, span_of(name));

	if (!v)
		return NULL;
	v->type = MERGE_MANY;
	struct merge_item *item = item_of(v, index);
	return item ? &item->object : NULL;
}

static int by_index(const void *a, const void *b)
{
	int64_t x = ((const struct merge_item *)a)->index;
	int64_t y = ((const struct merge_item *)b)->index;

	return (x > y) - (x < y);
}

static void write_value(struct merge_value *v, const struct merge_shape *shape, struct str *out)
{
	switch (v->type) {
	case MERGE_STRING:
		str_addc(out, '"');
		str_addspan(out, str_span(&v->text));
		str_addc(out, '"');
		return;
	case MERGE_ARRAY:
		str_addc(out, '[');
		str_addspan(out, str_span(&v->text));
		str_addc(out, ']');
		return;
	case MERGE_RAW:
		str_addspan(out, str_span(&v->text));
		return;
	case MERGE_ONE:
		merge_write(&v->items[0].object, shape, out);
		return;
	case MERGE_MANY:
		if (v->n_items > 1)
			qsort(v->items, (size_t)v->n_items, sizeof *v->items, by_index);
		str_addc(out, '[');
		for (int i = 0; i < v->n_items; i++) {
			if (i > 0)
				str_addc(out, ',');
			merge_write(&v->items[i].object, shape, out);
		}
		str_addc(out, ']');
		return;
	case MERGE_NULL:
	case MERGE_GONE:
		str_addz(out, "null");
	}
}

/* The name is valid between quotes: it came so, or is ours. */
static void write_name(struct str *out, struct span name)
{
	if (out->p[out->n - 1] != '{')
		str_addc(out, ',');
	str_addc(out, '"');
	str_addspan(out, name);
	str_addz(out, "\":");
}

static bool is_field(const struct merge_shape *shape, struct span name)
{
	for (int i = 0; i < shape->n; i++) {
		const struct merge_field *f = &shape->fields[i];
		if (span_is(name, f->as ? f->as : f->name))
			return true;
	}
	return false;
}

static bool is_there(const struct merge_value *v)
{
	return v && v->type != MERGE_GONE;
}

void merge_write(struct merge_object *o, const struct merge_shape *shape, struct str *out)
{
	str_addc(out, '{');
	for (int i = 0; i < shape->n; i++) {
		const struct merge_field *f = &shape->fields[i];
		const char *name = f->as ? f->as : f->name;
		struct merge_value *v = merge_find(o, name);
		if (f->rule == MERGE_DROP ? !f->otherwise : !is_there(v) && !f->otherwise)
			continue;
		write_name(out, span_of(name));
		if (is_there(v) && (v->type != MERGE_NULL || !f->otherwise))
			write_value(v, f->shape, out);
		else
			str_addz(out, f->otherwise);
	}
	for (int i = 0; i < o->n; i++)
		if (is_there(&o->v[i]) && !is_field(shape, str_span(&o->v[i].name))) {
			write_name(out, str_span(&o->v[i].name));
			write_value(&o->v[i], NULL, out);
		}
	str_addc(out, '}');
}
