#include "domain/chosen.h"

#include <stdlib.h>

#include "base/mem.h"
#include "domain/product.h"

enum { Q_FAILED, Q_LIVE };
static const char *const texts[] = {
	[Q_FAILED] = "SELECT id FROM data_products WHERE dataset = ?1 AND state = 4"
		     " ORDER BY id",
	[Q_LIVE] = "SELECT id FROM data_products WHERE id > ?1 << 32 AND id < (?1 + 1) << 32"
		   " AND state <> 5 ORDER BY id",
};
const struct stmt_set chosen_sql = { "chosen", texts, ARRAY_LEN(texts) };

void chosen_release(struct chosen *c)
{
	free(c->ids);
	free(c->names);
	idmap_free(c->known);
	*c = (struct chosen)CHOSEN_INIT;
}

static void add(struct chosen *c, int64_t id, const char *name)
{
	uint32_t place = (uint32_t)c->n;

	if (!idmap_put(c->known, idmap_pair((uint64_t)id, 0), &place))
		return;
	c->ids = mem_room(c->ids, (size_t)c->n, sizeof *c->ids);
	c->names = mem_room(c->names, (size_t)c->n, sizeof *c->names);
	c->ids[c->n] = id;
	c->names[c->n++] = name;
}

int chosen_read(struct db *db, int64_t dataset, const struct chosen_which *w, struct chosen *out,
		struct err *e)
{
	struct product p CLEANUP(product_release) = PRODUCT_INIT;
	int rc = 0;

	out->known = idmap_new();
	for (int i = 0; w->operands && w->operands[i]; i++) {
		if (product_find(db, dataset, w->operands[i], &p, e) < 0)
			return -1;
		add(out, p.id, w->operands[i]);
	}
	if (w->operands)
		return 0;
	STMT(q, db, &chosen_sql, w->all == CHOSEN_ALL ? Q_LIVE : Q_FAILED);
	stmt_int(&q, 1, dataset);
	while ((rc = stmt_step(&q, e)) > 0)
		add(out, stmt_col_int(&q, 0), NULL);
	return rc;
}
