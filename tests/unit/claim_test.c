#include "domain/claim.h"

#include <string.h>

#include "base/str.h"
#include "proc.h"
#include "rows.h"
#include "unit.h"

static struct rows r;
static int64_t now = 10000; /* wall clock */

/* Claims and starts up to n in one transaction; what it got as "batch/line". */
static const char *take(struct claim *c, int n)
{
	static struct str got;
	struct err e = ERR_INIT;
	struct request_started s;
	struct claim_row rows[512];

	str_reset(&got);
	rows_begin(&r);
	int m = claim_next(c, r.db, now, rows, n, &e);
	rows_must(m >= 0 && m <= n, "claim_next", e.msg);
	for (int i = 0; i < m; i++) {
		str_addf(&got, "%s%lld/%lu", i ? " " : "", (long long)request_batch(rows[i].row),
			 (unsigned long)request_line(rows[i].row));
		rows_must(rows_start(&r, 1, rows[i].row, &s) == 1, "start", str_z(&got));
	}
	rows_must(rows_commit(&r) == 0, "commit", "a counter is wrong");
	return str_z(&got);
}

/* A request of model 1, in flight for the first time if it is not pending,
 * becomes one that will be tried again. */
static void retry(int64_t batch, uint32_t line, int64_t due)
{
	struct request_started s = { .row = request_row(batch, line) };

	rows_begin(&r);
	if (rows_start(&r, 1, s.row, &s) == 0)
		s = (struct request_started){ .row = s.row, .queue = rows_queue(batch, 1),
					      .bucket = 1, .n = 1 };
	struct request_end end = rows_end(&s, 1, VERDICT_RETRY);
	end.next_ms = due;
	rows_must(rows_settle(&r, &end) == 1 && rows_commit(&r) == 0, "retry", "not in flight");
}

static void clear(void)
{
	ROWS_DO(r.raw, "DELETE FROM flights");
	ROWS_DO(r.raw, "DELETE FROM shares");
	ROWS_DO(r.raw, "DELETE FROM requests");
	ROWS_DO(r.raw, "DELETE FROM attempts");
	ROWS_DO(r.raw, "DELETE FROM batches");
}

static bool first_given_up(void *ctx, int64_t batch, int64_t queue)
{
	(void)ctx;
	(void)queue;
	return batch == 1;
}

static void line_order(void)
{
	clear();
	int64_t id = rows_batch(&r, 3, 100, 0);
	struct claim *c = claim_new(NULL, 0, NULL);
	bool in_order = true;
	char want[64];

	CHECK_STR(take(c, 5), "1/1 1/2 1/3 1/4 1/5", "requests come in line order, across three"
		  " models");
	for (int line = 6; line <= 100; line++) {
		snprintf(want, sizeof want, "%lld/%d", (long long)id, line);
		in_order &= strcmp(take(c, 1), want) == 0;
	}
	CHECK(in_order, "down to the last, one by one");
	CHECK_STR(take(c, 5), "", "then there is none");
	claim_free(c);

	clear();
	rows_batch(&r, 7, 200, 0);
	c = claim_new(NULL, 0, NULL);
	for (int line = 1, n = 1; line <= 200; n = n % 31 + 5) {
		struct str portion CLEANUP(str_release) = STR_INIT;
		for (int i = 0; i < n && line <= 200; i++, line++)
			str_addf(&portion, "%s1/%d", i ? " " : "", line);
		in_order &= strcmp(take(c, n), str_z(&portion)) == 0;
	}
	CHECK(in_order, "in portions of any size");
	claim_free(c);
	claim_free(NULL);
}

static void retries(void)
{
	clear();
	int64_t id = rows_batch(&r, 2, 8, 0);
	struct claim *c = claim_new(NULL, 0, NULL);

	retry(id, 2, 9000);
	retry(id, 5, 8000);
	retry(id, 6, 8500);
	retry(id, 7, 7000);
	retry(id, 8, 20000);
	CHECK_STR(take(c, 3), "1/7 1/5 1/6", "what is due again comes first, in the order of due times,"
		  " across models");
	CHECK_INT(claim_due(c), 0, "there is more at once");
	CHECK_STR(take(c, 3), "1/2 1/1 1/3", "then the others in line order");
	CHECK_STR(take(c, 1), "1/4", "the last");
	CHECK_INT(claim_due(c), 20000, "what is left has a due time, though as many came as were"
		  " asked for");
	CHECK_INT(claim_pending(c), 1, "it is one");
	CHECK_STR(take(c, 3), "", "and is not given before");
	now = 20000;
	CHECK_STR(take(c, 3), "1/8", "but at that time");
	CHECK_INT(claim_due(c), -1, "then none is pending");
	CHECK_INT(claim_pending(c), 0, "none at all");
	now = 10000;
	claim_free(c);

	clear();
	id = rows_batch(&r, 1, 3, 0);
	retry(id, 1, 9000);
	retry(id, 2, 30000);
	c = claim_new(NULL, 0, NULL);
	CHECK_STR(take(c, 10), "1/1 1/3", "a retry that is due and one that is not");
	CHECK_INT(claim_due(c), 30000, "the next is that one, not the one just given");
	claim_free(c);
}

static void between_batches(void)
{
	clear();
	rows_batch(&r, 1, 2, 0);
	rows_batch(&r, 1, 2, 5);
	rows_batch(&r, 1, 2, 0);
	ROWS_DO(r.raw, "UPDATE batches SET expires_ms = 50000 WHERE id = 3");
	struct claim *c = claim_new(NULL, 0, NULL);
	CHECK_STR(take(c, 5), "2/1 2/2 3/1 3/2 1/1",
		  "the higher priority first, then the nearest expiry, then the others");
	claim_free(c);

	clear();
	for (int i = 0; i < 3; i++)
		rows_batch(&r, 2, 20, 0);
	c = claim_new(NULL, 0, NULL);
	CHECK_STR(take(c, 6), "1/1 1/2 2/1 2/2 3/1 3/2", "equal batches share, the older first");
	CHECK_STR(take(c, 1), "1/3", "one by one they");
	CHECK_STR(take(c, 1), "2/3", "take");
	CHECK_STR(take(c, 1), "3/3", "turns");
	CHECK_STR(take(c, 4), "1/4 2/4 3/4 1/5", "a rest goes to the next in turn");
	CHECK_STR(take(c, 2), "2/5 3/5", "who is not the first again");
	CHECK_STR(take(c, 48), "1/6 1/7 1/8 1/9 1/10 1/11 1/12 1/13 1/14 1/15 1/16 1/17 1/18 1/19 1/20"
		  " 2/6 2/7 2/8 2/9 2/10 2/11 2/12 2/13 2/14 2/15 2/16 2/17 2/18 2/19 2/20"
		  " 3/6 3/7 3/8 3/9 3/10 3/11 3/12 3/13 3/14 3/15 3/16 3/17 3/18 3/19 3/20",
		  "what one does not need the others get");
	claim_free(c);

	clear();
	int64_t stormy = rows_batch(&r, 1, 10, 0);
	rows_batch(&r, 1, 10, 0);
	for (uint32_t line = 1; line <= 8; line++)
		retry(stormy, line, 9000);
	c = claim_new(NULL, 0, NULL);
	CHECK_STR(take(c, 1), "1/1", "a batch with many retries that are due");
	CHECK_STR(take(c, 1), "2/1", "does not take the turn of its equal");
	CHECK_STR(take(c, 4), "1/2 1/3 2/2 2/3", "nor its share");
	CHECK_STR(take(c, 14), "1/4 1/5 1/6 1/7 1/8 1/9 1/10 2/4 2/5 2/6 2/7 2/8 2/9 2/10",
		  "and none comes twice in one call");
	claim_free(c);

	clear();
	rows_batch(&r, 1, 9, 5);
	rows_batch(&r, 1, 9, 0);
	rows_batch(&r, 1, 9, 0);
	rows_batch(&r, 1, 9, 9);
	c = claim_new(NULL, 0, NULL);
	CHECK_STR(take(c, 19), "4/1 4/2 4/3 4/4 4/5 4/6 4/7 4/8 4/9 1/1 1/2 1/3 1/4 1/5 1/6 1/7 1/8"
		  " 1/9 2/1", "the lower priority gets what is left");
	retry(4, 1, 1);
	claim_forget(c);
	CHECK_STR(take(c, 2), "4/1 3/1", "a retry of a higher one does not disturb its turns");
	claim_free(c);
}

static int add_id(void *ctx, int64_t batch, struct err *e)
{
	(void)e;
	str_addf(ctx, "%lld ", (long long)batch);
	return 0;
}

static const char *all_of(struct claim *c)
{
	static char text[100];
	struct str ids CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;

	rows_must(claim_each(c, r.db, add_id, &ids, &e) == 0, "claim_each", e.msg);
	snprintf(text, sizeof text, "%s", str_z(&ids));
	return text;
}

static void choosing(void)
{
	struct err e = ERR_INIT;

	clear();
	for (int i = 0; i < 5; i++)
		rows_batch(&r, 1, 2, 0);
	ROWS_DO(r.raw, "UPDATE batches SET user = 'you' WHERE id = 2");
	ROWS_DO(r.raw, "UPDATE batches SET status = 5 WHERE id = 3");
	ROWS_DO(r.raw, "UPDATE batches SET status = 0 WHERE id = 4");
	struct claim *mine = claim_new(NULL, 0, "me");
	struct claim *some = claim_new((const int64_t[]){ 5, 2, 3, 5 }, 4, NULL);
	struct claim *none = claim_new((const int64_t[]){ 9 }, 0, NULL);

	CHECK_INT(claim_open(mine, r.db, NULL, NULL, &e), 3, "open are those in progress and cancelling, of"
		  " the user");
	CHECK_INT(claim_open(some, r.db, NULL, NULL, &e), 3, "or of the list, each counted once");
	CHECK_INT(claim_open(none, r.db, NULL, NULL, &e), 0, "no batch is not every batch");
	CHECK_STR(all_of(mine), "1 5 3 ", "the batches of a claim: open ones of the user, in any order");
	ROWS_DO(r.raw, "UPDATE batches SET status = 2 WHERE id = 5");
	CHECK_STR(all_of(some), "5 2 3 ", "or what it was given, whatever became of it");
	ROWS_DO(r.raw, "UPDATE batches SET status = 1 WHERE id = 5");
	CHECK_STR(all_of(none), "", "or none");
	CHECK_STR(take(none, 9), "", "and gives nothing");
	CHECK_STR(take(some, 1), "2/1", "a list of batches");
	CHECK_STR(take(some, 9), "5/1 5/2 2/2", "gives only theirs");
	CHECK_INT(claim_pending(some), 0, "and all of them");
	CHECK_STR(take(mine, 9), "1/1 1/2", "a user's batches that are in progress");
	claim_free(some);
	claim_free(none);
	claim_free(mine);

	clear();
	rows_batch(&r, 1, 4, 0);
	rows_batch(&r, 1, 4, 0);
	struct claim *c = claim_new(NULL, 0, NULL);
	CHECK_INT(claim_open(c, r.db, first_given_up, NULL, &e), 1,
		  "a batch whose queues are given up is not open");
	CHECK_STR(take(c, 1), "1/1", "the first");
	CHECK_INT(claim_open(c, r.db, first_given_up, NULL, &e), 2,
		  "but one with something in flight is");
	claim_free(c);
}

static int64_t rooms[8]; /* by model */

static int64_t *room_of(void *ctx, int64_t batch, int64_t queue, struct err *why)
{
	(void)ctx;
	(void)why;
	return &rooms[queue - batch * 1000];
}

static void room(void)
{
	clear();
	rows_batch(&r, 2, 8, 0); /* line 1 is of model 1, line 2 of model 2, … */
	rows_batch(&r, 1, 4, 0);
	struct claim *c = claim_new(NULL, 0, NULL);
	claim_limit(c, room_of, NULL);
	rooms[1] = 0;
	rooms[2] = 3;
	CHECK_STR(take(c, 9), "1/2 1/4 1/6", "a queue without room is passed over");
	CHECK_INT(claim_due(c), -1, "what waits for room is not due");
	CHECK_INT(claim_pending(c), 9, "but pending");
	rooms[1] = 3;
	rooms[2] = 0;
	CHECK_STR(take(c, 9), "2/1 2/2 2/3", "queues of several batches may share a room");
	rooms[1] = rooms[2] = 1;
	retry(2, 1, now + 5000);
	claim_forget(c);
	now += 6000;
	CHECK_STR(take(c, 9), "1/1 1/8", "what is due again takes room as well");
	rooms[1] = 9;
	CHECK_STR(take(c, 2), "2/1 1/3", "room that comes later is seen");
	claim_free(c);
}

static void wrong_clock(void)
{
	clear();
	rows_batch(&r, 1, 4, 0);
	struct claim *c = claim_new(NULL, 0, NULL);
	now = 1000000000;
	CHECK_STR(take(c, 2), "1/1 1/2", "two are started");
	retry(1, 1, now + 2 * 86400000LL);
	retry(1, 2, now + 5000);
	claim_forget(c);
	CHECK_STR(take(c, 9), "1/3 1/4", "a retry that is due in days waits behind one that is due");
	CHECK_INT(claim_due(c), now + 5000, "soon");
	now += 5000;
	CHECK_STR(take(c, 1), "1/2", "and when that is gone");
	CHECK_STR(take(c, 9), "1/1", "it is due at once: a clock was set wrong");
	claim_free(c);
	clear();
	rows_batch(&r, 1, 4, 0);
	ROWS_DO(r.raw, "UPDATE batches SET expires_ms = ?1", now);
	c = claim_new(NULL, 0, NULL);
	CHECK_STR(take(c, 4), "", "a batch past its expiry gives nothing");
	CHECK_INT(claim_due(c), -1, "and nothing of it is due");
	claim_free(c);
}

static void reading_ahead(void)
{
	struct err e = ERR_INIT;
	struct request_started s;
	struct claim_row rows[8];

	clear();
	int64_t id = rows_batch(&r, 1, 200, 0);
	struct claim *c = claim_new(NULL, 0, NULL);
	take(c, 2);
	CHECK_INT(claim_pending(c), 198, "claim_pending() is what is left");
	ROWS_DO(r.raw, "UPDATE requests SET state = 4 WHERE id & 4294967295 BETWEEN 3 AND 9");
	ROWS_DO(r.raw, "UPDATE batches SET pending = pending - 7, cancelled = 7");
	ROWS_DO(r.raw, "UPDATE queues SET pending = pending - 7");
	CHECK_STR(take(c, 2), "1/10 1/11", "what was read ahead is dropped when others have committed");

	rows_begin(&r);
	CHECK_INT(claim_next(c, r.db, now, rows, 2, &e), 2, "a transaction that starts two more");
	rows_start(&r, 1, rows[0].row, &s);
	tx_end(&r.tx);
	claim_forget(c);
	CHECK_STR(take(c, 2), "1/12 1/13", "after its rollback and claim_forget() they come again");
	rows_begin(&r);
	CHECK_INT(request_release(&r.t, 1, &(struct request_started){
			.row = request_row(id, 1), .n = 1, .bucket = 1 }, r.now, &e), 1, "a request is put back");
	rows_commit(&r);
	claim_forget(c);
	CHECK_STR(take(c, 2), "1/1 1/14", "after claim_forget() it is seen");
	ROWS_DO(r.raw, "UPDATE queues SET pending = pending + 5");
	claim_forget(c);
	rows_begin(&r);
	int n = 0, rc;
	while ((rc = claim_next(c, r.db, now, rows, 8, &e)) > 0 && n < 1000)
		n += rc;
	CHECK_INT(n, 186, "a counter that lies does no harm: what there is comes, and once");
	CHECK_INT(claim_due(c), -1, "and nothing more is said to be there");
	tx_end(&r.tx);
	claim_free(c);
}

/* Takes a portion, then, with the other, until nothing is left; says 'x' if a
 * start was refused. */
static void racer(struct proc *parent)
{
	struct err e = ERR_INIT;
	struct request_started s;
	struct claim_row rows[16];
	int n = 1, worker = proc_hear(parent), refused = 0;
	struct rows mine = { .db = db_open(rows_path("db"), DB_EXISTING, &e) };
	struct claim *c = claim_new(NULL, 0, NULL);

	for (bool first = true; mine.db && n > 0; first = false) {
		rows_begin(&mine);
		n = claim_next(c, mine.db, now, rows, 16, &e);
		for (int i = 0; i < n; i++)
			refused += rows_start(&mine, worker, rows[i].row, &s) != 1;
		rows_must(tally_flush(&mine.t, 1, &e) == 0 && tx_commit(&mine.tx, &e) == 0, "tx",
			  e.msg);
		if (first) {
			proc_say(parent, 'f');
			proc_hear(parent);
		}
	}
	proc_say(parent, n == 0 && !refused ? 'k' : 'x');
	claim_free(c);
}

static void two_at_once(struct proc *p)
{
	clear();
	for (int i = 0; i < 3; i++)
		rows_batch(&r, 3, 500, i % 2);
	proc_say(&p[0], 1);
	proc_say(&p[1], 2);
	CHECK(proc_hear(&p[0]) == 'f' && proc_hear(&p[1]) == 'f', "two processes claim");
	proc_say(&p[0], 'g');
	proc_say(&p[1], 'g');
	CHECK(proc_hear(&p[0]) == 'k' && proc_hear(&p[1]) == 'k',
	      "at once, and are never given a request that is started already");
	proc_end(&p[0]);
	proc_end(&p[1]);
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(*) FROM flights"), 1500, "each is started once");
	CHECK_INT(rows_wrong(r.raw), 0, "and counted");
	CHECK_INT(ROWS_INT(r.raw, "SELECT count(DISTINCT worker) FROM flights"), 2, "both had some");
}

/* The fastest of some claims of 100, in milliseconds: nothing of it is kept. */
static int64_t cost(void)
{
	struct err e = ERR_INIT;
	struct claim_row rows[100];
	int64_t best = INT64_MAX;

	for (int i = 0; i < 5; i++) {
		struct claim *c = claim_new(NULL, 0, NULL);
		rows_begin(&r);
		int64_t start = clock_mono_ms();
		int n = claim_next(c, r.db, now, rows, 100, &e);
		int64_t took = clock_mono_ms() - start;
		rows_must(n == 100, "claim_next", e.msg);
		best = took < best ? took : best;
		tx_end(&r.tx);
		claim_free(c);
	}
	return best;
}

static void flat(void)
{
	clear();
	rows_batch(&r, 3, 400000, 0);
	ROWS_DO(r.raw, "BEGIN IMMEDIATE");
	ROWS_DO(r.raw, "UPDATE requests SET state = 2 WHERE id & 4294967295 <= 200000");
	ROWS_DO(r.raw, "UPDATE queues SET pending = (SELECT count(*) FROM requests"
		" WHERE queue = queues.id AND state = 0)");
	ROWS_DO(r.raw, "UPDATE batches SET pending = 200000, completed = 200000");
	ROWS_DO(r.raw, "COMMIT");
	int64_t ms = cost();
	CHECK(ms < 20, "200,000 done in front and 200,000 pending: claiming 100 takes %lld ms (< 20)",
	      (long long)ms);
	ROWS_DO(r.raw, "UPDATE requests SET due = 99999999 WHERE state = 0 AND id & 4294967295 >"
		" 201000");
	ROWS_DO(r.raw, "UPDATE queues SET retrying = (SELECT count(*) FROM requests"
		" WHERE queue = queues.id AND state = 0 AND due > 0)");
	ms = cost();
	CHECK(ms < 20, "so it does with 199,000 of them not yet due: %lld ms", (long long)ms);
	ROWS_DO(r.raw, "UPDATE requests SET due = 1 WHERE due > 0");
	ms = cost();
	CHECK(ms < 20, "and with all of them due: %lld ms", (long long)ms);
}

/* Plans: the batches of a dataset's products, also of those that are made later. */
static void datasets(void)
{
	const int64_t one = 1, ids[] = { 77 };
	struct err e = ERR_INIT;

	clear();
	ROWS_DO(r.raw, "INSERT INTO datasets (id, uuid, name, user, modified_by, modified_us, active_us,"
		" queued, running) VALUES (77, zeroblob(16), 'd', 'me', 'me', 1, 1, 1, 1)");
	struct claim *c = claim_new(&one, 0, NULL);
	claim_datasets(c, ids, 1);
	int64_t id = rows_batch(&r, 1, 3, 0);
	char want[60];
	snprintf(want, sizeof want, "%lld/1 %lld/2", (long long)id, (long long)id);
	CHECK_STR(take(c, 1), "", "of a batch that no product sends nothing is taken");
	CHECK_INT(claim_open(c, r.db, NULL, NULL, &e), 0, "nor is it open");
	ROWS_DO(r.raw, "INSERT INTO data_products (id, dataset, uuid, name, version, compute, eager,"
		" state, batch, since_us, modified_by, modified_us) VALUES ((77 << 32) | 1, 77,"
		" zeroblob(16), 'a', '1', 'batch', 1, 1, ?1, 1, 'me', 1)", id);
	CHECK_STR(take(c, 2), want, "of one that a product sends it is");
	CHECK_INT(claim_open(c, r.db, NULL, NULL, &e), 1, "and it is open");
	CHECK_STR(all_of(c), "1 ", "it is of the claim");
	ROWS_DO(r.raw, "UPDATE data_products SET state = 0");
	CHECK_STR(take(c, 1), "", "until the product is cleared");
	claim_free(c);
	ROWS_DO(r.raw, "DELETE FROM data_products");
	ROWS_DO(r.raw, "DELETE FROM datasets");
}

int main(void)
{
	unit_dir();
	struct proc p[2] = { proc_start(racer), proc_start(racer) };
	rows_open(&r, "db");
	line_order();
	retries();
	between_batches();
	choosing();
	room();
	wrong_clock();
	reading_ahead();
	two_at_once(p);
	datasets();
	flat();
	rows_close(&r);
	return unit_done();
}
