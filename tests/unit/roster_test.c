/* roster: who lives, what it takes, what it leaves alone. */
#include "domain/roster.h"

#include <string.h>

#include "domain/worker.h"
#include "rows.h"
#include "unit.h"

static struct rows r;

/* A living worker; its row. */
static int64_t enter(const char *config)
{
	struct worker w;
	struct err e = ERR_INIT;

	rows_must(worker_enter(r.db, &(struct worker_new){ .version = "0", .config = config }, &w, &e) == 0, "worker_enter", e.msg);
	return w.id;
}

static void load(struct roster *ro)
{
	struct err e = ERR_INIT;

	rows_must(roster_load(ro, r.db, &e) == 0, "roster_load", e.msg);
}

static const struct roster_worker *find(const struct roster *ro, int64_t id)
{
	for (int i = 0; i < ro->n_workers; i++)
		if (ro->workers[i].id == id)
			return &ro->workers[i];
	rows_must(false, "roster", "a worker is not there");
	return NULL;
}

/* Which of batch 1 of "me", batch 2 of "me", batch 1 of "you" and batch 3 of
 * "you", which is of dataset 4, it takes. */
static const char *taken(const struct roster *ro, int64_t id)
{
	static char text[5];
	const struct roster_worker *w = find(ro, id);

	snprintf(text, sizeof text, "%d%d%d%d", roster_takes(w, 1, 0, "me"),
		 roster_takes(w, 2, 0, "me"), roster_takes(w, 1, 0, "you"),
		 roster_takes(w, 3, 4, "you"));
	return text;
}

static void blocks(int64_t a, int64_t b)
{
	struct roster ro CLEANUP(roster_release) = ROSTER_INIT;

	ROWS_DO(r.raw, "INSERT INTO blocks (worker, batch, bucket, reason, message, since_ms, next_ms)"
		" VALUES (?1, 7, 0, 'all_failing', 'HTTP 400', 1, NULL),"
		" (?1, 0, 3, 'host_down', '', 1, 99), (999, 8, 0, 'x', 'y', 1, 1)", a);
	load(&ro);
	const struct roster_worker *w = find(&ro, a);
	const struct roster_block *k = roster_block(&ro, w, 7, 1);
	CHECK(k && k->next_ms == 0, "a batch is left alone in every bucket, for this run");
	CHECK_STR(k ? k->text : "", "all_failing: HTTP 400", "for a reason");
	k = roster_block(&ro, w, 1, 3);
	CHECK(k && k->next_ms == 99, "a bucket is left alone in every batch, until then");
	CHECK_STR(k ? k->text : "", "host_down", "also without a message");
	CHECK(!roster_block(&ro, w, 1, 1), "others are not");
	CHECK(!roster_block(&ro, w, 1, 0), "nor is a bucket that nobody has met");
	CHECK(!roster_block(&ro, find(&ro, b), 7, 3), "nor by another worker");
	CHECK_INT(ro.n_blocks, 2, "what a dead worker has left is not read");
}

int main(void)
{
	struct roster ro CLEANUP(roster_release) = ROSTER_INIT;
	struct err e = ERR_INIT;

	rows_open(&r, "db");
	load(&ro);
	CHECK(!ro.any && ro.n_workers == 0, "nobody");
	ROWS_DO(r.raw, "INSERT INTO workers (slot, host, pid, user, version, config, started_ms)"
		" VALUES (5, 'h', 1, 'me', '0', '{}', 1)");
	load(&ro);
	CHECK(!ro.any && ro.n_workers == 0, "a row whose process is gone is nobody");

	int64_t any = enter("{}"), user = enter("{\"jobs\":8,\"user\":\"me\",\"batches\":null}"),
		all = enter("{\"user\":null,\"batches\":null}"),
		named = enter("{\"user\":\"me\",\"batches\":[2,5]}"),
		none = enter("{\"batches\":[]}"), broken = enter("no JSON"),
		plans = enter("{\"user\":\"me\",\"batches\":[],\"datasets\":[0,7,4]}"),
		twice = enter("{\"user\":\"me\",\"user\":\"you\",\"batches\":[2],\"batches\":[1]}");
	load(&ro);
	CHECK(ro.any, "somebody lives");
	CHECK_INT(ro.n_workers, 8, "all of them are there");
	CHECK_STR(taken(&ro, any), "1111", "who says nothing takes everything");
	CHECK_STR(taken(&ro, broken), "1111", "so does one that cannot be understood");
	CHECK_STR(taken(&ro, user), "1100", "batches of a user");
	CHECK_STR(taken(&ro, all), "1111", "of all users");
	CHECK_STR(taken(&ro, named), "0100", "named batches, whoever made them");
	CHECK_STR(taken(&ro, none), "0000", "none of no batches");
	CHECK_STR(taken(&ro, plans), "0001", "those of named datasets, and no others");
	CHECK_STR(taken(&ro, twice), "1010", "of two values the last one counts");
	CHECK(find(&ro, user)->jobs == 8 && find(&ro, any)->jobs == 0, "jobs, if it tells");

	ROWS_DO(r.raw, "INSERT INTO workers (slot, host, pid, user, version, config, started_ms)"
		" SELECT slot, 'h', 1, 'me', '0', '{\"jobs\":3}', 1 FROM workers WHERE id = ?1", any);
	load(&ro);
	CHECK_INT(ro.n_workers, 8, "of two rows with one byte the older is gone");
	CHECK_INT(find(&ro, ROWS_INT(r.raw, "SELECT max(id) FROM workers"))->jobs, 3,
		  "the newer lives");
	blocks(user, named);

	struct worker w = { user, (int)find(&ro, user)->slot };
	rows_must(worker_leave(r.db, &w, &e) == 0, "worker_leave", e.msg);
	load(&ro);
	CHECK_INT(ro.n_workers, 7, "one that has left is nobody");
	CHECK_INT(ro.n_blocks, 0, "and blocks nothing");
	rows_close(&r);
	return unit_done();
}
