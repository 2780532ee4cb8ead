#include "domain/reason.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "base/user.h"
#include "store/side.h"

enum { PARENTS_SHOWN = 3, SHOWN = 40, SAID = 200, URL_SHOWN = 120 };

enum { Q_BLOCKING, Q_WORKER, Q_BATCH };
static const char *const texts[] = {
	[Q_BLOCKING] = "SELECT p.name, p.state FROM dependencies d JOIN data_products p"
		       " ON p.id = d.parent WHERE d.child = ?1 AND p.state NOT IN (3, 5)"
		       " LIMIT ?2",
	[Q_WORKER] = "SELECT host, pid FROM workers WHERE id = ?1",
	[Q_BATCH] = "SELECT 'batch_' || lower(hex(uuid)), failed + cancelled + expired, total,"
		    " base_url, completed, attempts, coalesce(completed_ms, 0),"
		    " cancelled, expired FROM batches WHERE id = ?1",
};
const struct stmt_set reason_sql = { "reason", texts, ARRAY_LEN(texts) };

static int parents(struct db *db, const struct product *p, struct str *out, struct err *e)
{
	char more[NUM_BUF];
	int rc, n = 0;

	str_addz(out, "waits for ");
	STMT(q, db, &reason_sql, Q_BLOCKING);
	stmt_int(&q, 1, p->id);
	stmt_int(&q, 2, PARENTS_SHOWN);
	for (; (rc = stmt_step(&q, e)) > 0; n++)
		str_addf(out, "%s%s (%s)", n ? ", " : "", safe_show(stmt_col(&q, 0), SHOWN),
			 state_text((enum state)stmt_col_int(&q, 1)));
	if (rc == 0 && p->parents_left > n)
		str_addf(out, " and %s more", num_count(p->parents_left - n, more));
	return rc;
}

static int worker(struct db *db, const struct product *p, const char *what, struct str *out,
		  struct err *e)
{
	STMT(q, db, &reason_sql, Q_WORKER);
	stmt_int(&q, 1, p->worker);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		str_addf(out, "%s by a worker (process %lld on %s)", what,
			 (long long)stmt_col_int(&q, 1), safe_show(stmt_col(&q, 0), SHOWN));
	return rc < 0 ? -1 : 0;
}

/* A remote product that a batch hands over, or has handed over. */
static int handover(struct db *db, const struct product *p, struct str *out, struct err *e)
{
	char n[NUM_BUF], at[CLOCK_BUF];

	STMT(q, db, &reason_sql, Q_BATCH);
	stmt_int(&q, 1, p->batch);
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc;
	const char *url = safe_show(stmt_col(&q, 3), URL_SHOWN);
	if (p->state == STATE_QUEUED)
		str_addf(out, "is being handed over to %s (%s so far)%s", url,
			 num_of(stmt_col_int(&q, 5), "attempt", n),
			 side_any_worker(db_side(db)) ? "" : "; no worker is running");
	else if (stmt_col_int(&q, 4) > 0)
		str_addf(out, "was handed over to %s at %s and waits for fletcher-plan update", url,
			 clock_text(stmt_col_int(&q, 6), at));
	return 0;
}

static int waiting(struct db *db, const struct dataset *d, const struct product *p,
		   struct str *out, struct err *e)
{
	if (p->parents_left > 0)
		return parents(db, p, out, e);
	if (!p->eager)
		str_addz(out, "is not eager: fletcher-plan trigger starts it");
	else if (d->paused)
		str_addz(out, "the dataset is paused: fletcher-plan unpause goes on");
	return 0;
}

static int queued(struct db *db, const struct dataset *d, const struct product *p,
		  struct str *out, struct err *e)
{
	if (p->worker && state_remote(p->compute) && product_has_batch(p))
		return handover(db, p, out, e);
	if (p->worker)
		return worker(db, p, "is being started", out, e);
	if (p->held)
		safe_text(out, span_of(p->held));
	else if (state_remote(p->compute))
		str_addf(out, "waits for a worker with --compute %s=URL, or for whoever reports it with"
			 " fletcher-plan update", p->compute);
	else if (strcmp(d->user, user_name()) != 0)
		str_addf(out, "waits for fsl-run of the user '%s', who has published it",
			 safe_show(span_of(d->user), SHOWN));
	else if (!side_any_worker(db_side(db)))
		str_addz(out, "no worker is running");
	else
		str_addz(out, "no worker has started it yet");
	return 0;
}

static int running(struct db *db, const struct product *p, struct str *out, struct err *e)
{
	if (p->worker)
		return worker(db, p, "is run", out, e);
	return state_remote(p->compute) && product_has_batch(p) ? handover(db, p, out, e) : 0;
}

static void undone(struct stmt *q, struct str *out)
{
	int64_t cancelled = stmt_col_int(q, 7), expired = stmt_col_int(q, 8);
	char count[NUM_BUF], total[NUM_BUF];

	str_addf(out, "%s of %s requests %s", num_count(stmt_col_int(q, 1), count),
		 num_count(stmt_col_int(q, 2), total),
		 cancelled + expired > 0 ? "did not complete" : "failed");
	if (cancelled > 0)
		str_addf(out, ", %s cancelled", num_count(cancelled, count));
	if (expired > 0)
		str_addf(out, ", %s expired", num_count(expired, count));
	str_addf(out, ": fsl-batch errors %.20s", safe_show(stmt_col(q, 0), SHOWN));
}

/* Its batch, if that is what failed: 1; 0: it is not. */
static int failed_batch(struct db *db, const struct product *p, struct str *out, struct err *e)
{
	if (!product_has_batch(p))
		return 0;
	STMT(q, db, &reason_sql, Q_BATCH);
	stmt_int(&q, 1, p->batch);
	int rc = stmt_step(&q, e);
	if (rc <= 0 || stmt_col_int(&q, 1) == 0)
		return rc < 0 ? -1 : 0;
	if (state_remote(p->compute))
		str_addf(out, "could not be handed over to %s: fsl-batch errors %.20s",
			 safe_show(stmt_col(&q, 3), URL_SHOWN), safe_show(stmt_col(&q, 0), SHOWN));
	else
		undone(&q, out);
	return 1;
}

/* A member of an object, SPAN_NONE if there is none or it is null. */
static struct span member(struct span object, const char *name)
{
	struct span key, value;
	size_t pos = 0;

	while (json_type(object) == JSON_OBJECT && json_each(object, &pos, &key, &value))
		if (span_is(key, name) && json_type(value) != JSON_NULL)
			return value;
	return SPAN_NONE;
}

/* Appends a string as it is, of several lines the last; anything else as JSON. */
static void say(struct str *out, struct span value)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	if (json_type(value) == JSON_STRING)
		json_string(value, &text);
	else
		json_compact(value, &text);
	struct span v = span_last_line(str_span(&text));
	if (v.n > 0)
		str_addf(out, "%s%s", out->n > 0 ? ": " : "", safe_show(v, SAID));
}

/* What stands in the passback of a failure: {"error":"exit status 5","stderr":"…"}
 * of a command, {"error":{"message":"…"}} as servers say it, "message", or
 * whatever else. */
static void say_passback(struct str *out, struct span passback)
{
	struct span error = member(passback, "error"), message = member(passback, "message"),
		    heard = member(passback, "stderr");
	struct span inner = error.n ? member(error, "message") : SPAN_NONE;

	if (!error.n && !message.n) {
		/* One with a batch is ours, of before: it says how all was well. */
		if (json_type(passback) != JSON_NULL && !span_is(passback, "{}") &&
		    !member(passback, "batch").n)
			say(out, passback);
		return;
	}
	say(out, inner.n ? inner : error.n ? error : message);
	if (heard.n && json_type(heard) == JSON_STRING)
		say(out, heard);
}

static int failed(struct db *db, const struct product *p, struct str *out, struct err *e)
{
	struct product_texts t CLEANUP(product_texts_release) = { 0 };
	struct str said CLEANUP(str_release) = STR_INIT;
	struct json_error je;
	int rc = failed_batch(db, p, out, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (product_texts(db, p->id, &t, e) < 0)
		return -1;
	if (t.passback && json_scan(span_of(t.passback), NULL, NULL, &je) == 0)
		say_passback(&said, span_of(t.passback));
	if (said.n == 0)
		str_addz(&said, "was reported as failed: fletcher-plan retry runs it again");
	str_addspan(out, str_span(&said));
	if (t.link && *t.link)
		str_addf(out, " (%s)", safe_show(span_of(t.link), URL_SHOWN));
	return 0;
}

int reason_text(struct db *db, const struct dataset *d, const struct product *p,
		struct str *out, struct err *e)
{
	switch (p->state) {
	case STATE_WAITING:
		return waiting(db, d, p, out, e);
	case STATE_QUEUED:
		return queued(db, d, p, out, e);
	case STATE_RUNNING:
		return running(db, p, out, e);
	case STATE_FAILED:
		return failed(db, p, out, e);
	case STATE_DISABLED:
		str_addz(out, "is not part of the plan: fletcher-plan enable brings it back");
		return 0;
	default:
		return 0;
	}
}
