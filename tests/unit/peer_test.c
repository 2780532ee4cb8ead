#include "domain/peer.h"

#include "domain/worker.h"
#include "rows.h"

static struct rows r;
static struct err e;

struct hand {
	struct db *db;
	struct worker worker;
};

static struct hand enter(const char *rule)
{
	static const struct worker_new me = { .version = "0", .config = "{}" };
	struct hand h = { .db = db_open(db_path(r.db), DB_EXISTING, &e) };
	struct limits l CLEANUP(limits_release) = LIMITS_INIT;

	rows_must(h.db != NULL, "db_open", e.msg);
	rows_must(worker_enter(h.db, &me, &h.worker, &e) == 0, "worker_enter", e.msg);
	TX(tx);
	rows_must((!rule || limits_add(&l, rule, &e) == 0) && tx_begin(&tx, h.db, &e) == 0 &&
		  peer_announce(h.db, h.worker.id, &l, &e) == 0 && tx_commit(&tx, &e) == 0,
		  "peer_announce", e.msg);
	return h;
}

/* What the worker sees, as written: one list for each of the others. */
static const char *seen(const struct hand *h)
{
	static struct str out;
	struct peers p CLEANUP(peer_release) = PEERS_INIT;

	str_reset(&out);
	/* Twice: it is read anew. */
	rows_must(peer_read(h->db, h->worker.id, &p, &e) == 0 &&
		  peer_read(h->db, h->worker.id, &p, &e) == 0, "peer_read", e.msg);
	for (int i = 0; i < p.n; i++)
		limits_write(&p.v[i], &out);
	return str_z(&out);
}

int main(void)
{
	rows_open(&r, "peer");
	struct hand a = enter("*:jobs=1");
	CHECK_STR(seen(&a), "", "a worker alone has no peers, and is none of its own");
	struct hand b = enter("m:jobs=2,rate=5/15s"), c = enter(NULL);
	CHECK_STR(seen(&a), "[\"m:jobs=2,rate=5/15s\"][]", "it sees what the others announced, also nothing");
	CHECK_STR(seen(&b), "[\"*:jobs=1\"][]", "each the others'");
	struct limits other CLEANUP(limits_release) = LIMITS_INIT;
	rows_must(limits_add(&other, "m:jobs=9", &e) == 0, "limits_add", e.msg);
	TX(tx);
	rows_must(tx_begin(&tx, b.db, &e) == 0 && peer_announce(b.db, b.worker.id, &other, &e) == 0,
		  "peer_announce", e.msg);
	CHECK_STR(seen(&a), "[\"m:jobs=2,rate=5/15s\"][]", "not before it is committed");
	rows_must(tx_commit(&tx, &e) == 0, "tx_commit", e.msg);
	CHECK_STR(seen(&a), "[\"m:jobs=9\"][]", "what is announced later comes in its place");
	rows_must(worker_leave(c.db, &c.worker, &e) == 0, "worker_leave", e.msg);
	CHECK_STR(seen(&a), "[\"m:jobs=9\"]", "who has left is none");
	ROWS_DO(r.raw, "UPDATE workers SET limits = ' [\"m:jobs=3\",\"m:turbo=1\",4] ' WHERE id = ?1",
		b.worker.id);
	CHECK_STR(seen(&a), "[\"m:jobs=3\"]", "what cannot be read of another's is passed over");
	ROWS_DO(r.raw, "UPDATE workers SET limits = 'nonsense' WHERE id = ?1", b.worker.id);
	CHECK_STR(seen(&a), "[]", "all of it");
	int slot = b.worker.slot;
	db_close(b.db);
	CHECK_INT(ROWS_INT(r.raw, "SELECT ended_ms IS NULL FROM workers WHERE id = ?1", b.worker.id), 1,
		  "a worker dies without a word");
	CHECK_STR(seen(&a), "", "it is none any more");
	struct hand d = enter("m:jobs=8");
	CHECK_INT(d.worker.slot, slot, "its place is taken again");
	CHECK_STR(seen(&a), "[\"m:jobs=8\"]", "then the new one counts, and only that");
	peer_release(&(struct peers)PEERS_INIT);
	db_close(a.db);
	db_close(c.db);
	db_close(d.db);
	rows_close(&r);
	return unit_done();
}
