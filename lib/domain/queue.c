#include "domain/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/idset.h"
#include "base/mem.h"
#include "domain/batch.h"
#include "domain/escalate.h"
#include "domain/peer.h"
#include "domain/roster.h"
#include "domain/url.h"
#include "store/tx.h"

#define QUEUE_SELECT \
	"SELECT q.id, q.batch, q.bucket, q.pending, q.retrying, q.model, m.name, b.base_url," \
	" b.key_ref, b.user, b.status, (SELECT dataset FROM data_products WHERE batch = b.id" \
	" AND state IN (1, 2)) FROM batches b CROSS JOIN queues q ON q.batch = b.id" \
	" CROSS JOIN models m ON m.id = q.model "
#define BUCKET_SELECT \
	"SELECT k.id, k.origin, k.key_ref, m.name, k.hold_ms, k.hold_why, k.cap, k.rate_us," \
	" k.tokens_us FROM buckets k CROSS JOIN models m ON m.id = k.model "

/* A worker believes no hold that is longer; what says more was written by a clock
 * that was set wrong. */
enum { HOLD_MAX_MS = 3600 * 1000 };

enum { Q_FLIGHTS, Q_QUEUES, Q_QUEUE, Q_BUCKET, Q_BUCKET_OF, Q_DUE, Q_MODELS };
static const char *const texts[] = {
	/* As many as are in flight: thousands, not millions. */
	[Q_FLIGHTS] = "/*scan*/ SELECT r.queue, f.bucket, f.worker, count(*) FROM"
		      " (SELECT request, bucket, worker FROM flights"
		      " UNION ALL SELECT request, bucket, worker FROM races) f"
		      " CROSS JOIN requests r ON r.id = f.request GROUP BY 1, 2, 3",
	[Q_QUEUES] = QUEUE_SELECT "WHERE b.status IN (1, 5) AND q.pending > 0",
	[Q_QUEUE] = QUEUE_SELECT "WHERE b.id = (SELECT batch FROM queues WHERE id = ?1)"
		    " AND q.id = ?1",
	[Q_MODELS] = "SELECT m.name FROM queues q CROSS JOIN models m ON m.id = q.model"
		     " WHERE q.batch = ?1 AND q.pending > 0",
	[Q_BUCKET] = BUCKET_SELECT "WHERE k.id = ?1",
	[Q_BUCKET_OF] = BUCKET_SELECT "WHERE k.origin = ?1 AND k.key_ref = ?2 AND k.model = ?3",
	[Q_DUE] = "SELECT due FROM requests WHERE queue = ?1 AND state = 0 AND due > 0"
		  " ORDER BY due LIMIT 1",
};
const struct stmt_set queue_sql = { "queue", texts, ARRAY_LEN(texts) };

struct reason {
	char *text;
	int n; /* queues that stand still for it */
};

struct row {
	struct queue_row out;
	char *model, *origin, *key;
	int64_t bucket;       /* 0: nobody has met it yet */
	int64_t hold_ms, rate_ms, tokens_ms, cap;
	struct limit limit;   /* of all living workers */
	char *hold_why;
	int queues;           /* with pending requests */
	struct reason *reasons;
	int n_reasons;
};

/* A queue with pending requests. */
struct item {
	int64_t id, batch, dataset, pending, retrying;
	uint32_t row;
	char *user;
	enum batch_status status;
};

struct queue {
	struct db *db;
	int64_t now_ms;
	struct roster roster;
	struct peers peers;    /* their limits */
	struct idset *numbers; /* of the rows' keys, from 1 */
	struct row *rows;
	uint32_t n_rows;
	struct item *items;
	int n_items;
};

static void release(struct queue *q)
{
	for (uint32_t i = 0; i < q->n_rows; i++) {
		struct row *r = &q->rows[i];
		char *const owned[] = { r->model, r->origin, r->key, r->hold_why };
		for (size_t k = 0; k < ARRAY_LEN(owned); k++)
			free(owned[k]);
		for (int k = 0; k < r->n_reasons; k++)
			free(r->reasons[k].text);
		free(r->reasons);
	}
	for (int i = 0; i < q->n_items; i++)
		free(q->items[i].user);
	free(q->rows);
	free(q->items);
	idset_free(q->numbers);
	roster_release(&q->roster);
	peer_release(&q->peers);
}

/* Room for one more in an array of n. */
static void *grow(void *v, uint32_t n, size_t size)
{
	return (n & (n - 1)) == 0 ? mem_resize(v, n ? 2 * (size_t)n : 1, size) : v;
}

/* What names a row. */
struct place {
	struct span model, origin, key;
};

static uint32_t find_row(struct queue *q, struct place p)
{
	struct str key CLEANUP(str_release) = STR_INIT;
	const struct span parts[] = { p.model, p.origin, p.key };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		str_addspan(&key, parts[i]);
		str_addc(&key, '\0');
	}
	uint32_t number = idset_add(q->numbers, str_span(&key), q->n_rows + 1);
	if (number > 0)
		return number - 1;
	q->rows = grow(q->rows, q->n_rows, sizeof *q->rows);
	q->rows[q->n_rows] = (struct row){
		.model = mem_copy(p.model.p, p.model.n), .origin = mem_copy(p.origin.p, p.origin.n),
		.key = mem_copy(p.key.p, p.key.n),
	};
	return q->n_rows++;
}

/* The row of the statement's bucket, which is the limits' row too. */
static uint32_t bucket_row(struct queue *q, struct stmt *s)
{
	uint32_t at = find_row(q, (struct place){ .model = stmt_col(s, 3), .origin = stmt_col(s, 1),
						  .key = stmt_col(s, 2) });
	struct row *r = &q->rows[at];

	if (r->bucket)
		return at;
	r->bucket = stmt_col_int(s, 0);
	r->hold_ms = stmt_col_int(s, 4);
	if (r->hold_ms > q->now_ms + HOLD_MAX_MS)
		r->hold_ms = q->now_ms + HOLD_MAX_MS;
	r->hold_why = stmt_col_copy(s, 5);
	r->cap = stmt_col_int(s, 6);
	r->rate_ms = stmt_col_int(s, 7) / 1000;
	r->tokens_ms = stmt_col_int(s, 8) / 1000;
	return at;
}

/* The row of a bucket: 1, 0 if there is no such bucket. */
static int row_of_bucket(struct queue *q, int64_t bucket, uint32_t *row, struct err *e)
{
	STMT(s, q->db, &queue_sql, Q_BUCKET);
	stmt_int(&s, 1, bucket);
	int rc = stmt_step(&s, e);
	if (rc > 0)
		*row = bucket_row(q, &s);
	return rc;
}

/* The row of the statement's queue; what no worker has met goes where its batch
 * says. */
static int row_of_queue(struct queue *q, struct stmt *s, uint32_t *row, struct err *e)
{
	struct str origin CLEANUP(str_release) = STR_INIT;
	int rc = stmt_col_null(s, 2) ? 0 : row_of_bucket(q, stmt_col_int(s, 2), row, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	url_origin(stmt_col(s, 7), &origin);
	STMT(b, q->db, &queue_sql, Q_BUCKET_OF);
	stmt_text(&b, 1, str_span(&origin));
	stmt_text(&b, 2, stmt_col(s, 8));
	stmt_int(&b, 3, stmt_col_int(s, 5));
	rc = stmt_step(&b, e);
	const struct place p = { stmt_col(s, 6), str_span(&origin), stmt_col(s, 8) };
	if (rc >= 0)
		*row = rc > 0 ? bucket_row(q, &b) : find_row(q, p);
	return rc < 0 ? -1 : 0;
}

static int load_queues(struct queue *q, struct err *e)
{
	int rc;

	STMT(s, q->db, &queue_sql, Q_QUEUES);
	while ((rc = stmt_step(&s, e)) > 0) {
		uint32_t row;
		if (row_of_queue(q, &s, &row, e) < 0)
			return -1;
		struct item it = {
			.id = stmt_col_int(&s, 0), .batch = stmt_col_int(&s, 1),
			.pending = stmt_col_int(&s, 3), .retrying = stmt_col_int(&s, 4),
			.row = row, .status = (enum batch_status)stmt_col_int(&s, 10),
			.user = stmt_col_copy(&s, 9), .dataset = stmt_col_int(&s, 11),
		};
		q->items = grow(q->items, (uint32_t)q->n_items, sizeof *q->items);
		q->items[q->n_items++] = it;
		q->rows[row].queues++;
		q->rows[row].out.pending += it.pending - it.retrying;
		q->rows[row].out.retrying += it.retrying;
	}
	return rc;
}

/* The row where flights of the queue count that went to no bucket. */
static int row_by_id(struct queue *q, int64_t queue, uint32_t *row, struct err *e)
{
	STMT(s, q->db, &queue_sql, Q_QUEUE);
	stmt_int(&s, 1, queue);
	int rc = stmt_step(&s, e);
	return rc > 0 && row_of_queue(q, &s, row, e) < 0 ? -1 : rc;
}

static int load_flights(struct queue *q, struct err *e)
{
	int rc;

	STMT(s, q->db, &queue_sql, Q_FLIGHTS);
	while ((rc = stmt_step(&s, e)) > 0) {
		int64_t worker = stmt_col_int(&s, 2), n = stmt_col_int(&s, 3);
		uint32_t row = 0;
		int found = row_of_bucket(q, stmt_col_int(&s, 1), &row, e);
		if (found == 0)
			found = row_by_id(q, stmt_col_int(&s, 0), &row, e);
		if (found < 0)
			return -1;
		if (found > 0)
			q->rows[row].out.in_flight += n;
		for (int i = 0; i < q->roster.n_workers; i++)
			if (q->roster.workers[i].id == worker)
				q->roster.workers[i].in_flight += n;
	}
	return rc;
}

/* The least that a living worker or the server wants. */
static void find_limits(struct queue *q)
{
	for (uint32_t i = 0; i < q->n_rows; i++) {
		struct row *r = &q->rows[i];
		for (int k = 0; k < q->peers.n; k++) {
			struct limit theirs = limits_of(&q->peers.v[k], r->model);
			limits_least(&r->limit, &theirs);
		}
		bool capped = r->cap > 0 && (r->limit.jobs == 0 || r->cap < r->limit.jobs);
		r->out.limit = capped ? r->cap : r->limit.jobs > 0 ? r->limit.jobs : -1;
	}
}

static void sooner(int64_t *next, int64_t at)
{
	if (at > 0 && (*next == 0 || at < *next))
		*next = at;
}

/* Of two reasons the one that ends sooner. */
static const struct roster_block *milder(const struct roster_block *a,
					 const struct roster_block *b)
{
	if (!a || (b->next_ms > 0 && (a->next_ms == 0 || b->next_ms < a->next_ms)))
		return b;
	return a;
}

/* Is there a worker that would send it?  Else why none does. */
static bool has_worker(const struct queue *q, const struct item *it, struct str *why,
		       int64_t *next)
{
	const struct roster *all = &q->roster;
	const struct row *r = &q->rows[it->row];
	const struct roster_block *blocked = NULL;
	bool ready = false, idle = r->out.in_flight > 0, by_user = true;

	for (int i = 0; i < all->n_workers; i++) {
		const struct roster_worker *w = &all->workers[i];
		by_user &= w->batches == NULL;
		if (!roster_takes(w, it->batch, it->dataset, it->user))
			continue;
		const struct roster_block *b = roster_block(all, w, it->batch, r->bucket);
		if (b)
			blocked = milder(blocked, b);
		ready |= !b;
		idle |= !b && (w->jobs == 0 || w->in_flight < w->jobs);
	}
	if (ready && !idle) {
		str_addz(why, "the workers are busy with other requests");
	} else if (!ready && blocked) {
		str_addz(why, blocked->text);
		*next = blocked->next_ms;
	} else if (!ready && all->n_workers == 0 && !all->any) {
		str_addz(why, "no worker is running");
	} else if (!ready && all->n_workers > 0) {
		if (by_user)
			str_addf(why, "no worker takes batches of %s", it->user);
		else
			str_addz(why, "every worker was started for other batches");
	}
	return why->n == 0; /* one that is just coming may take it */
}

/* When the first of a queue's retries is due; 0: now, or it has no others. */
static int waits_until(const struct queue *q, const struct item *it, int64_t *due, struct err *e)
{
	*due = 0;
	if (it->pending > it->retrying)
		return 0;
	STMT(s, q->db, &queue_sql, Q_DUE);
	stmt_int(&s, 1, it->id);
	int rc = stmt_step(&s, e);
	if (rc > 0 && stmt_col_int(&s, 0) > q->now_ms)
		*due = stmt_col_int(&s, 0);
	return rc < 0 ? -1 : 0;
}

/* Why nothing of the queue starts now; *why stays empty if something may. */
static int explain(const struct queue *q, const struct item *it, struct str *why, int64_t *next,
		   struct err *e)
{
	const struct row *r = &q->rows[it->row];
	int64_t due;

	if (it->status == BATCH_CANCELLING) {
		str_addz(why, "the batch is being cancelled");
		return 0;
	}
	if (waits_until(q, it, &due, e) < 0)
		return -1;
	if (!has_worker(q, it, why, next))
		return 0;
	if (r->hold_ms > q->now_ms) {
		str_addf(why, "held by the server%s%s", r->hold_why ? ": " : "",
			 r->hold_why ? r->hold_why : "");
		*next = r->hold_ms;
	} else if (due > 0) {
		str_addz(why, "waits to be tried again");
		*next = due;
	} else if (r->out.limit >= 0 && r->out.in_flight >= r->out.limit) {
		str_addz(why, "as many are in flight as the limit allows");
	} else if (r->limit.rate.n > 0 && r->rate_ms > q->now_ms) {
		str_addz(why, "its rate of requests is used up");
		*next = r->rate_ms;
	} else if (r->limit.tokens.n > 0 && r->tokens_ms > q->now_ms) {
		str_addz(why, "its rate of tokens is used up");
		*next = r->tokens_ms;
	}
	return 0;
}

static void add_reason(struct row *r, struct str *why)
{
	for (int i = 0; i < r->n_reasons; i++)
		if (strcmp(r->reasons[i].text, str_z(why)) == 0) {
			r->reasons[i].n++;
			return;
		}
	r->reasons = grow(r->reasons, (uint32_t)r->n_reasons, sizeof *r->reasons);
	r->reasons[r->n_reasons++] = (struct reason){ str_take(why), 1 };
}

static int explain_all(struct queue *q, struct err *e)
{
	for (int i = 0; i < q->n_items; i++) {
		struct str why CLEANUP(str_release) = STR_INIT;
		struct row *r = &q->rows[q->items[i].row];
		int64_t next = 0;
		if (explain(q, &q->items[i], &why, &next, e) < 0)
			return -1;
		sooner(&r->out.next_ms, next);
		if (why.n > 0)
			add_reason(r, &why);
	}
	return 0;
}

/* One reason for all, or how many batches each one is for. */
static void write_reasons(const struct queue *q, const struct row *r, struct str *why)
{
	if (r->queues == 0 && !q->roster.any) /* what a dead one had in flight */
		str_addz(why, "no worker is running");
	bool all = r->n_reasons == 1 && r->reasons[0].n == r->queues;

	for (int i = 0; i < r->n_reasons; i++) {
		if (!all)
			str_addf(why, "%s%d of %d batches: ", i ? "; " : "", r->reasons[i].n,
				 r->queues);
		str_addz(why, r->reasons[i].text);
	}
}

static int by_place(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;
	int d = strcmp(a->model, b->model);

	d = d ? d : strcmp(a->origin, b->origin);
	return d ? d : strcmp(a->key, b->key);
}

static int load(struct queue *q, struct err *e)
{
	TX(tx);
	if (tx_begin_read(&tx, q->db, e) < 0 || roster_load(&q->roster, q->db, e) < 0 ||
	    peer_read(q->db, 0, &q->peers, e) < 0 || load_queues(q, e) < 0 ||
	    load_flights(q, e) < 0)
		return -1;
	find_limits(q);
	if (explain_all(q, e) < 0)
		return -1;
	return tx_commit(&tx, e);
}

int queue_each(struct db *db, int64_t now_ms, queue_fn *fn, void *ctx, struct err *e)
{
	struct queue q CLEANUP(release) = { .db = db, .now_ms = now_ms, .numbers = idset_new() };

	if (load(&q, e) < 0)
		return -1;
	if (q.n_rows > 0)
		qsort(q.rows, q.n_rows, sizeof *q.rows, by_place);
	for (uint32_t i = 0; i < q.n_rows; i++) {
		struct str why CLEANUP(str_release) = STR_INIT;
		struct row *r = &q.rows[i];
		write_reasons(&q, r, &why);
		r->out.model = span_of(r->model);
		r->out.origin = span_of(r->origin);
		r->out.key = span_of(r->key);
		r->out.why = why.n > 0 ? str_span(&why) : SPAN_NONE;
		if (fn(ctx, &r->out, e) < 0)
			return -1;
	}
	return 0;
}

struct models {
	struct db *db;
	const char *escalate;
	queue_model_fn *fn;
	void *ctx;
};

/* One, and the one that its requests may go to. */
static int add_model(const struct models *m, const struct batch *b, struct span model,
		     struct err *e)
{
	const char *rules = b->send.escalate ? b->send.escalate : m->escalate;
	struct str name CLEANUP(str_release) = STR_INIT;
	struct escalate rule;

	str_addspan(&name, model);
	if (m->fn(m->ctx, model, e) < 0)
		return -1;
	if (!rules || b->expires_ms == 0 || !escalate_find(rules, str_z(&name), &rule))
		return 0;
	return m->fn(m->ctx, span_of(rule.other), e) < 0 ? -1 : 0;
}

static int models_of(void *ctx, const struct batch *b, struct err *e)
{
	const struct models *m = ctx;
	int rc;

	if (b->status != BATCH_IN_PROGRESS)
		return 0;
	STMT(q, m->db, &queue_sql, Q_MODELS);
	stmt_int(&q, 1, b->id);
	while ((rc = stmt_step(&q, e)) > 0)
		if (add_model(m, b, stmt_col(&q, 0), e) < 0)
			return -1;
	return rc;
}

int queue_models(struct db *db, const int64_t *batches, int n, const char *user,
		 const char *escalate, queue_model_fn *fn, void *ctx, struct err *e)
{
	struct models m = { db, escalate, fn, ctx };

	if (!batches)
		return batch_open(db, user, models_of, &m, e) < 0 ? -1 : 0;
	for (int i = 0; i < n; i++) {
		struct batch b CLEANUP(batch_release) = BATCH_INIT;
		if (batch_get(db, batches[i], &b, e) < 0 || models_of(&m, &b, e) < 0)
			return -1;
	}
	return 0;
}
