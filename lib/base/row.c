#include "base/row.h"

#include "base/err.h"

void row_release(struct row *r)
{
	str_release(&r->text);
	r->n = 0;
}

void row_reset(struct row *r)
{
	str_reset(&r->text);
	r->n = 0;
}

static struct row_value *add(struct row *r)
{
	if (r->n == ROW_MAX)
		BUG("a row of more than %d values", ROW_MAX);
	r->v[r->n] = (struct row_value){ .kind = ROW_NULL };
	return &r->v[r->n++];
}

void row_null(struct row *r)
{
	add(r);
}

void row_int(struct row *r, int64_t v)
{
	struct row_value *to = add(r);

	to->kind = ROW_INT;
	to->n = v;
}

void row_int_if(struct row *r, bool known, int64_t v)
{
	known ? row_int(r, v) : row_null(r);
}

void row_text(struct row *r, struct span v)
{
	struct row_value *to = add(r);

	if (!v.p)
		return;
	to->kind = ROW_TEXT;
	to->at = r->text.n;
	to->len = v.n;
	str_addspan(&r->text, v);
}

void row_textz(struct row *r, const char *z)
{
	row_text(r, span_of(z));
}

void row_time(struct row *r, int64_t wall_ms)
{
	struct row_value *to = add(r);

	if (wall_ms == 0)
		return;
	to->kind = ROW_TIME;
	to->n = wall_ms;
}

struct span row_span(const struct row *r, int i)
{
	const struct row_value *v = &r->v[i];

	return (struct span){ str_z(&r->text) + v->at, v->len };
}
