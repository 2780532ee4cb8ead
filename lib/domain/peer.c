#include "domain/peer.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/side.h"

enum { Q_READ, Q_ANNOUNCE };
static const char *const texts[] = {
	/* Of a slot that was taken again the older row is a dead one's. */
	[Q_READ] = "SELECT slot, limits FROM workers w WHERE ended_ms IS NULL AND slot > 0"
		   " AND id <> ?1 AND NOT EXISTS (SELECT 1 FROM workers n WHERE n.slot = w.slot"
		   " AND n.ended_ms IS NULL AND n.id > w.id)",
	[Q_ANNOUNCE] = "UPDATE workers SET limits = ?2 WHERE id = ?1",
};
const struct stmt_set peer_sql = { "peer", texts, ARRAY_LEN(texts) };

void peer_release(struct peers *p)
{
	for (int i = 0; i < p->n; i++)
		limits_release(&p->v[i]);
	free(p->v);
	*p = (struct peers)PEERS_INIT;
}

int peer_read(struct db *db, int64_t me, struct peers *out, struct err *e)
{
	int rc;

	peer_release(out);
	STMT(q, db, &peer_sql, Q_READ);
	stmt_int(&q, 1, me);
	while ((rc = stmt_step(&q, e)) > 0) {
		if (!side_alive(db_side(db), (int)stmt_col_int(&q, 0)))
			continue;
		out->v = mem_resize(out->v, (size_t)out->n + 1, sizeof *out->v);
		out->v[out->n] = (struct limits)LIMITS_INIT;
		limits_read(&out->v[out->n++], stmt_col(&q, 1));
	}
	return rc;
}

int peer_announce(struct db *db, int64_t me, const struct limits *l, struct err *e)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	limits_write(l, &text);
	STMT(q, db, &peer_sql, Q_ANNOUNCE);
	stmt_int(&q, 1, me);
	stmt_text(&q, 2, str_span(&text));
	return stmt_run(&q, e) < 0 ? -1 : 0;
}
