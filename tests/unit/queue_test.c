/* queue: rows of what waits, and every reason for standing still. */
#include "domain/queue.h"

#include <string.h>

#include "domain/worker.h"
#include "rows.h"
#include "unit.h"

enum { NOW = 100000 };

static struct rows r;

static int print(void *ctx, const struct queue_row *q, struct err *e)
{
	(void)e;
	str_addf(ctx, "%.*s %.*s %.*s %lld/%lld/%lld", (int)q->model.n, q->model.p, (int)q->origin.n,
		 q->origin.p, (int)q->key.n, q->key.p, (long long)q->pending, (long long)q->retrying,
		 (long long)q->in_flight);
	if (q->limit >= 0)
		str_addf(ctx, " of %lld", (long long)q->limit);
	if (q->why.p)
		str_addf(ctx, " [%.*s]", (int)q->why.n, q->why.p);
	if (q->next_ms > 0)
		str_addf(ctx, " @%lld", (long long)q->next_ms);
	str_addz(ctx, "\n");
	return 0;
}

static void shows(const char *want, const char *rule)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;

	CHECK(queue_each(r.db, NOW, print, &out, &e) == 0, "it is read (%s)", e.msg);
	CHECK_STR(str_z(&out), want, "%s", rule);
}

/* The row without the place, of a file that has one row only. */
static void says(const char *want, const char *rule)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;

	CHECK(queue_each(r.db, NOW, print, &out, &e) == 0, "it is read (%s)", e.msg);
	const char *row = strstr(str_z(&out), " none ");
	CHECK_STR(row ? row + 6 : str_z(&out), want, "%s", rule);
}

static struct worker enter_with(const char *config, const char *limits)
{
	const struct worker_new n = { .version = "0", .config = config, .limits = limits };
	struct worker w;
	struct err e = ERR_INIT;

	rows_must(worker_enter(r.db, &n, &w, &e) == 0, "worker_enter", e.msg);
	return w;
}

static struct worker enter(const char *config)
{
	return enter_with(config, NULL);
}

static void leave(struct worker w)
{
	struct err e = ERR_INIT;

	rows_must(worker_leave(r.db, &w, &e) == 0, "worker_leave", e.msg);
}

/* Starts a line, and puts it back as a retry that is due then (0: it flies). */
static void start(int64_t worker, int64_t batch, uint32_t line, int64_t due)
{
	struct request_started s;

	rows_begin(&r);
	rows_must(rows_start(&r, worker, request_row(batch, line), &s) == 1, "start", "refused");
	if (due > 0) {
		struct request_end end = rows_end(&s, worker, VERDICT_RETRY);
		end.next_ms = due;
		rows_settle(&r, &end);
	}
	rows_commit(&r);
}

static void nobody(int64_t a)
{
	shows("m1 http://h none 2/0/0 [no worker is running]\n", "a row per bucket, and why");
	int64_t b = rows_batch(&r, 2, 4, 0);
	shows("m1 http://h none 4/0/0 [no worker is running]\n"
	      "m2 http://h none 2/0/0 [no worker is running]\n", "batches are added up by model");
	ROWS_DO(r.raw, "UPDATE batches SET base_url = 'https://G:443/v1' WHERE id = ?1", b);
	ROWS_DO(r.raw, "UPDATE batches SET key_ref = 'env:K' WHERE id = ?1", a);
	shows("m1 http://h env:K 2/0/0 [no worker is running]\n"
	      "m1 https://g none 2/0/0 [no worker is running]\n"
	      "m2 https://g none 2/0/0 [no worker is running]\n", "not by origin and key");
	ROWS_DO(r.raw, "INSERT INTO buckets (id, origin, key_ref, model, cap) VALUES"
		" (1, 'http://h', 'env:K', 1, 5), (2, 'http://h', 'none', 1, 6)");
	ROWS_DO(r.raw, "UPDATE queues SET bucket = 2 WHERE batch = ?1 AND model = 1", b);
	shows("m1 http://h env:K 2/0/0 of 5 [no worker is running]\n"
	      "m1 http://h none 2/0/0 of 6 [no worker is running]\n"
	      "m2 https://g none 2/0/0 [no worker is running]\n",
	      "what a worker has met is where it says, the rest where its batch says");
	ROWS_DO(r.raw, "UPDATE batches SET base_url = 'http://h', key_ref = 'none' WHERE id < 9");
	ROWS_DO(r.raw, "UPDATE batches SET status = 2 WHERE id = ?1", b);
	ROWS_DO(r.raw, "DELETE FROM buckets WHERE id = 1");
	shows("m1 http://h none 2/0/0 of 6 [no worker is running]\n",
	      "batches that have ended are no work");
	ROWS_DO(r.raw, "UPDATE buckets SET cap = NULL");
}

static void who_takes(int64_t a)
{
	struct worker w = enter("{\"user\":\"you\",\"batches\":null}");
	says("2/0/0 [no worker takes batches of me]\n", "a worker for another user");
	struct worker v = enter("{\"user\":\"me\",\"batches\":[77]}");
	says("2/0/0 [every worker was started for other batches]\n", "and one for other batches");
	ROWS_DO(r.raw, "INSERT INTO datasets (id, uuid, name, user, modified_by, modified_us, active_us)"
		" VALUES (5, randomblob(16), 'papers', 'me', 'me', 1, 1)");
	ROWS_DO(r.raw, "INSERT INTO data_products (id, dataset, uuid, name, version, compute, eager, state,"
		" batch, since_us, modified_by, modified_us) VALUES (5 << 32 | 1, 5, randomblob(16), 'p', '1',"
		" 'batch', 1, 2, ?1, 1, 'me', 1)", a);
	struct worker t = enter("{\"user\":\"me\",\"batches\":[],\"datasets\":[5]}");
	says("2/0/0\n", "the batch of a product that runs, and a worker for its dataset");
	ROWS_DO(r.raw, "UPDATE data_products SET state = 4");
	says("2/0/0 [every worker was started for other batches]\n", "of one that has failed it takes none");
	leave(t);
	struct worker u = enter("{\"user\":\"me\",\"batches\":null,\"jobs\":1}");
	says("2/0/0\n", "it moves when one takes it");
	leave(v);
	leave(w);

	ROWS_DO(r.raw, "UPDATE queues SET bucket = 2 WHERE batch = ?1", a);
	ROWS_DO(r.raw, "INSERT INTO blocks (worker, batch, bucket, reason, message, since_ms, next_ms)"
		" VALUES (?1, 0, 2, 'host_down', 'Connection refused', 1, 105000)", u.id);
	says("2/0/0 [host_down: Connection refused] @105000\n", "who takes it leaves it alone");
	w = enter("{}");
	ROWS_DO(r.raw, "INSERT INTO blocks (worker, batch, bucket, reason, message, since_ms, next_ms)"
		" VALUES (?1, ?2, 0, 'all_failing', 'HTTP 400', 1, NULL)", w.id, a);
	says("2/0/0 [host_down: Connection refused] @105000\n", "of two reasons the one that ends");
	ROWS_DO(r.raw, "DELETE FROM blocks WHERE worker = ?1", u.id);
	says("2/0/0\n", "one that does not is enough");
	leave(u);
	says("2/0/0 [all_failing: HTTP 400]\n", "or there is none");
	leave(w);
}

static void what_holds(int64_t a)
{
	struct worker w = enter("{\"jobs\":2}");

	ROWS_DO(r.raw, "UPDATE buckets SET hold_ms = 130000, hold_why = '429'");
	says("2/0/0 [held by the server: 429] @130000\n", "a hold");
	ROWS_DO(r.raw, "UPDATE buckets SET hold_ms = ?1, hold_why = NULL", (int64_t)NOW + 1);
	says("2/0/0 [held by the server] @100001\n", "without a reason");
	ROWS_DO(r.raw, "UPDATE buckets SET hold_ms = ?1", (int64_t)NOW);
	says("2/0/0\n", "that is over");
	ROWS_DO(r.raw, "UPDATE buckets SET hold_ms = 999999999999");
	says("2/0/0 [held by the server] @3700000\n", "no longer than a worker believes");
	ROWS_DO(r.raw, "UPDATE buckets SET hold_ms = 0, rate_us = 100250000, tokens_us = 100750000");
	says("2/0/0\n", "a rate that nobody has is none");
	struct worker v = enter_with("{}", "[\"other:jobs=1\",\"m1:rate=5/s\"]");
	says("2/0/0 [its rate of requests is used up] @100250\n", "one that a living worker has");
	leave(v);
	v = enter_with("{}", "[\"*:tokens=5/s\"]");
	says("2/0/0 [its rate of tokens is used up] @100750\n", "tokens");
	leave(v);
	ROWS_DO(r.raw, "UPDATE buckets SET rate_us = 0, tokens_us = 0");
	v = enter_with("{}", "[\"*:jobs=7\"]");
	says("2/0/0 of 7\n", "a limit of a living worker");
	struct worker u = enter_with("{}", "[\"m1:jobs=5\"]");
	says("2/0/0 of 5\n", "the smallest of them");
	ROWS_DO(r.raw, "UPDATE buckets SET cap = 6");
	says("2/0/0 of 5\n", "or that of the server");
	ROWS_DO(r.raw, "UPDATE buckets SET cap = 4");
	says("2/0/0 of 4\n", "if it is smaller");
	leave(u);
	leave(v);
	ROWS_DO(r.raw, "UPDATE buckets SET cap = 1");
	says("2/0/0 of 1\n", "a limit that is not reached");
	start(w.id, a, 1, 0);
	says("1/0/1 of 1 [as many are in flight as the limit allows]\n", "a limit");
	ROWS_DO(r.raw, "UPDATE buckets SET cap = NULL");
	says("1/0/1\n", "in flight");
	start(w.id, a, 2, 150000);
	says("0/1/1 [waits to be tried again] @150000\n", "a retry that is not due");
	ROWS_DO(r.raw, "UPDATE batches SET status = 5 WHERE id = ?1", a);
	says("0/1/1 [the batch is being cancelled]\n", "a batch that is being cancelled");
	ROWS_DO(r.raw, "UPDATE batches SET status = 1 WHERE id = ?1", a);
	ROWS_DO(r.raw, "UPDATE requests SET due = ?1 WHERE due > 0", (int64_t)NOW);
	says("0/1/1\n", "a retry that is due");
	side_leave(db_side(r.db), w.slot); /* as the kernel does when it dies */
	says("0/1/1 [no worker is running]\n", "but nobody who does it");
}

static void several(int64_t a)
{
	int64_t b = rows_batch(&r, 1, 3, 0);
	struct worker w = enter("{\"user\":\"me\",\"batches\":null}");

	ROWS_DO(r.raw, "INSERT INTO blocks (worker, batch, bucket, reason, message, since_ms, next_ms)"
		" VALUES (?1, ?2, 0, 'key_unresolved', 'no key', 1, NULL)", w.id, b);
	says("3/1/1 [1 of 2 batches: key_unresolved: no key]\n", "one of two batches");
	int64_t c = rows_batch(&r, 1, 2, 0);
	ROWS_DO(r.raw, "UPDATE batches SET user = 'you' WHERE id = ?1", c);
	says("5/1/1 [1 of 3 batches: key_unresolved: no key; "
	     "1 of 3 batches: no worker takes batches of you]\n", "several reasons");
	ROWS_DO(r.raw, "DELETE FROM blocks");
	ROWS_DO(r.raw, "UPDATE batches SET status = 6 WHERE id IN (?1, ?2)", b, c);
	says("0/1/1\n", "none");

	/* Lines 1 and 2 of m1 fly: no other has a slot. */
	start(w.id, a, 2, 0);
	says("0/0/2\n", "only in flight");
	int64_t d = rows_batch(&r, 2, 2, 0);
	ROWS_DO(r.raw, "UPDATE workers SET config = '{\"jobs\":2}' WHERE id = ?1", w.id);
	ROWS_DO(r.raw, "UPDATE flights SET worker = ?1", w.id);
	shows("m1 http://h none 1/0/2\n"
	      "m2 http://h none 1/0/0 [the workers are busy with other requests]\n",
	      "who has no slot left");
	ROWS_DO(r.raw, "INSERT INTO buckets (id, origin, key_ref, model) VALUES"
		" (3, 'http://h', 'none', 2)");
	ROWS_DO(r.raw, "INSERT INTO races (request, worker, n, started_ms, bucket)"
		" SELECT request, worker, 9, 1, 3 FROM flights LIMIT 1");
	shows("m1 http://h none 1/0/2\nm2 http://h none 1/0/1\n",
	      "a race counts in the bucket it goes to");
	ROWS_DO(r.raw, "UPDATE batches SET status = 6 WHERE id = ?1", d);
	ROWS_DO(r.raw, "DELETE FROM races");
	side_leave(db_side(r.db), w.slot);
	says("0/0/2 [no worker is running]\n", "what a dead worker had in flight");
}

static int add_model(void *ctx, struct span model, struct err *e)
{
	str_addspan(ctx, model);
	str_addc(ctx, ' ');
	return span_is(model, "m3") ? err_set(e, ERR_STATE, "enough") : 0;
}

static void models(void)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;
	int64_t ids[] = { rows_batch(&r, 2, 2, 0), rows_batch(&r, 2, 1, 0), rows_batch(&r, 2, 2, 0) };

	ROWS_DO(r.raw, "UPDATE batches SET user = 'them'");
	ROWS_DO(r.raw, "UPDATE batches SET status = 6 WHERE id <> ?1 AND id <> ?2", ids[0], ids[1]);
	CHECK(queue_models(r.db, ids, 3, NULL, NULL, add_model, &out, &e) == 0, "models of batches");
	CHECK_STR(str_z(&out), "m1 m2 m1 ", "those that are pending, of those in progress");
	str_reset(&out);
	CHECK(queue_models(r.db, NULL, 0, "them", NULL, add_model, &out, &e) == 0, "of a user's");
	CHECK_STR(str_z(&out), "m1 m2 m1 ", "the same");
	str_reset(&out);
	CHECK(queue_models(r.db, NULL, 0, "nobody", NULL, add_model, &out, &e) == 0 && out.n == 0, "of nobody's");
	rows_batch(&r, 3, 3, 0);
	CHECK(queue_models(r.db, NULL, 0, NULL, NULL, add_model, &out, &e) < 0 && e.code == ERR_STATE,
	      "the callback may stop it");
}

static int stop(void *ctx, const struct queue_row *q, struct err *e)
{
	(void)q;
	++*(int *)ctx;
	return err_set(e, ERR_STATE, "enough");
}

int main(void)
{
	struct err e = ERR_INIT;
	int calls = 0;

	rows_open(&r, "db");
	shows("", "nothing");
	int64_t a = rows_batch(&r, 1, 2, 0);
	CHECK(queue_each(r.db, NOW, stop, &calls, &e) < 0 && e.code == ERR_STATE && calls == 1,
	      "the callback may stop it");
	nobody(a);
	who_takes(a);
	what_holds(a);
	several(a);
	models();
	rows_close(&r);
	return unit_done();
}
