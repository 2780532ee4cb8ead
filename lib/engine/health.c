#include "engine/health.h"

#include <stdio.h>
#include <stdlib.h>

#include <string.h>

#include "base/intmap.h"
#include "base/mem.h"
#include "base/safe.h"

enum kind { ORIGIN, BUCKET, BATCH, KINDS };

struct mark {
	enum kind kind;
	int64_t id;
	int silent, errors;      /* of an origin: in a row */
	bool answered;           /* it has, whatever */
	int refused;             /* of a bucket: in a row */
	int failed;              /* of a batch: in the same way, from its first */
	int status;              /* and this way */
	enum http_code code;
	bool trusted;            /* a batch that the guard no longer looks at */
	/* While it is left alone. */
	const char *reason;      /* NULL: it is not */
	char message[HEALTH_MESSAGE];
	int64_t number;          /* version in which that began */
	int64_t since_ms, next_ms, wait_ms; /* next 0: never */
	bool probing, left;      /* left: by health_leave() */
};

struct health {
	struct health_options o;
	struct mark **marks;
	int n;
	struct intmap index[KINDS];
	int64_t version;
};

struct health *health_new(const struct health_options *o)
{
	struct health *h = mem_alloc(sizeof *h);

	h->o = *o;
	return h;
}

void health_free(struct health *h)
{
	if (!h)
		return;
	for (int i = 0; i < h->n; i++)
		free(h->marks[i]);
	for (int i = 0; i < KINDS; i++)
		intmap_release(&h->index[i]);
	free(h->marks);
	free(h);
}

static struct mark *mark_of(struct health *h, enum kind kind, int64_t id)
{
	int64_t at;

	if (intmap_get(&h->index[kind], id, &at))
		return h->marks[at];
	struct mark *m = mem_alloc(sizeof *m);
	m->kind = kind;
	m->id = id;
	h->marks = mem_resize(h->marks, (size_t)h->n + 1, sizeof(void *));
	h->marks[h->n] = m;
	intmap_set(&h->index[kind], id, h->n++);
	return m;
}

/* The three that stand in the way of one request. */
struct way {
	struct mark *m[KINDS];
};

static struct way way_of(struct health *h, int64_t batch, int64_t bucket, int origin)
{
	return (struct way){ { [ORIGIN] = mark_of(h, ORIGIN, origin),
			       [BUCKET] = mark_of(h, BUCKET, bucket),
			       [BATCH] = mark_of(h, BATCH, batch) } };
}

static void block(struct health *h, struct mark *m, const char *reason, const char *message,
		  int64_t wait_ms, int64_t now_ms)
{
	m->reason = reason;
	snprintf(m->message, sizeof m->message, "%s", message ? message : "");
	/* What was too long may have been cut within a character. */
	for (size_t n = strlen(m->message); !safe_is_utf8(span_of(m->message));)
		m->message[--n] = '\0';
	m->since_ms = now_ms;
	m->wait_ms = wait_ms;
	m->next_ms = wait_ms ? now_ms + wait_ms : 0;
	m->probing = false;
	m->number = ++h->version;
}

static void lift(struct health *h, struct mark *m)
{
	m->silent = m->errors = m->refused = 0;
	m->probing = false;
	if (!m->reason || m->left)
		return;
	m->reason = NULL;
	h->version++;
}

/* The one that was to try has failed: a longer pause; or has told nothing, with
 * the same one. */
static void wait_again(struct health *h, struct mark *m, int64_t wait_ms, int64_t now_ms)
{
	if (!m->probing)
		return;
	m->probing = false;
	m->wait_ms = wait_ms;
	m->next_ms = now_ms + wait_ms;
	h->version++;
}

static void wait_longer(struct health *h, struct mark *m, int64_t most_ms, int64_t now_ms)
{
	wait_again(h, m, m->wait_ms * 2 < most_ms ? m->wait_ms * 2 : most_ms, now_ms);
}

static bool review_origin(struct health *h, struct mark *m, const struct health_facts *f,
			  int64_t now_ms)
{
	bool answered = f->code == HTTP_ANSWERED || f->code == HTTP_TOO_LARGE;
	bool silent = f->code == HTTP_CONNECT || f->code == HTTP_DNS || f->code == HTTP_TLS;
	bool broke = (f->code == HTTP_RECV || f->code == HTTP_SEND) && f->status == 0 &&
		     f->tries == 1 && !f->stale;
	bool throttled = answered && (f->status == 429 || f->status == 529);
	bool error = answered && f->status >= 500 && !throttled;

	if (h->o.no_hold)
		return false;
	if (answered || f->status > 0) { /* also what broke off behind its head */
		m->silent = 0;
		m->answered = true;
	}
	/* Throttling says nothing about a server's health, but to who has asked
	 * whether it is there. */
	if (answered && !error && (!throttled || m->probing))
		lift(h, m);
	m->silent += silent || broke;
	m->errors += error;
	/* The last few requests of a batch would have failed before there are 20.  Who
	 * wants no retries wants to know at once. */
	bool last = silent && m->answered && f->spent && f->tries > 1 && m->silent >= HEALTH_LAST;
	if (!m->reason && (m->silent >= HEALTH_SILENT || m->errors >= HEALTH_ERRORS || last)) {
		block(h, m, "host_down", f->message, HEALTH_PROBE_MS, now_ms);
		return true;
	}
	if (!m->reason || answered != error)
		return false;
	wait_longer(h, m, HEALTH_PROBE_MAX_MS, now_ms);
	return true;
}

static bool review_bucket(struct health *h, struct mark *m, const struct health_facts *f,
			  int64_t now_ms)
{
	int64_t wait = h->o.retry ? HEALTH_RETRY_MS : 0;
	bool wrong_key = f->status == 401 && f->key;
	bool refused = f->status == 403 || (f->status == 401 && !f->key);

	if (!wrong_key && !f->quota && !refused)
		return false;
	if (m->reason) {
		wait_longer(h, m, HEALTH_RETRY_MS, now_ms);
		return true;
	}
	m->refused += refused;
	if (refused && m->refused < HEALTH_REFUSED)
		return false;
	block(h, m, f->quota ? "quota" : wrong_key ? "unauthorized" : "refused", f->message,
	      wait, now_ms);
	return !refused;
}

static bool review_batch(struct health *h, struct mark *m, const struct health_facts *f,
			 int64_t now_ms)
{
	if (h->o.no_guard || m->trusted || !f->final)
		return false;
	if (m->failed == 0) {
		m->status = f->status;
		m->code = f->code;
	}
	if (f->status != m->status || f->code != m->code) {
		m->trusted = !m->reason;
		return false;
	}
	if (m->reason) {
		wait_longer(h, m, HEALTH_RETRY_MS, now_ms);
		return true;
	}
	if (++m->failed >= HEALTH_GUARD)
		block(h, m, "all_failing", f->message, h->o.retry ? HEALTH_RETRY_MS : 0, now_ms);
	return false;
}

bool health_review(struct health *h, const struct health_facts *f, int64_t now_ms)
{
	struct way w = way_of(h, f->batch, f->bucket, f->origin);

	/* What was not sent, or cut off by us, says nothing about any server. */
	if (f->code == HTTP_ABORTED || f->code == HTTP_SUPERSEDED || f->code == HTTP_UNUSABLE)
		health_unsent(h, f->batch, f->bucket, f->origin);
	if (f->code == HTTP_ABORTED || f->code == HTTP_SUPERSEDED)
		return false;
	if (f->code == HTTP_UNUSABLE)
		return review_batch(h, w.m[BATCH], f, now_ms);
	if (f->success) {
		for (int i = 0; i < KINDS; i++)
			lift(h, w.m[i]);
		w.m[BATCH]->trusted = w.m[ORIGIN]->answered = true;
		return false;
	}
	/* All three learn of it; the guard only of what would end the request. */
	bool back = review_origin(h, w.m[ORIGIN], f, now_ms);
	back |= review_bucket(h, w.m[BUCKET], f, now_ms);
	back = back || review_batch(h, w.m[BATCH], f, now_ms);
	/* Who was to try for those that this tells nothing has ended as well. */
	for (int i = 0; i < KINDS; i++)
		wait_again(h, w.m[i], w.m[i]->wait_ms, now_ms);
	return back;
}

static int64_t gives_up_at(const struct health *h, const struct mark *m)
{
	return m->kind == ORIGIN && h->o.give_up_ms ? m->since_ms + h->o.give_up_ms : INT64_MAX;
}

static bool given_up(const struct health *h, const struct mark *m, int64_t now_ms)
{
	return m->reason && (m->next_ms == 0 || now_ms >= gives_up_at(h, m));
}

int64_t health_room(struct health *h, int64_t batch, int64_t bucket, int origin,
		    int64_t now_ms)
{
	struct way w = way_of(h, batch, bucket, origin);
	int64_t room = INT32_MAX;

	for (int i = 0; i < KINDS; i++) {
		const struct mark *m = w.m[i];
		if (!m->reason)
			continue;
		if (given_up(h, m, now_ms) || m->probing || now_ms < m->next_ms)
			return 0;
		room = 1;
	}
	return room;
}

bool health_leave(struct health *h, int64_t batch, const char *reason, const char *message,
		  int64_t now_ms)
{
	struct mark *m = mark_of(h, BATCH, batch);

	if (m->left)
		return false;
	block(h, m, reason, message, 0, now_ms);
	m->left = true;
	return true;
}

static struct health_block block_of(const struct health *h, const struct mark *m, int64_t now_ms)
{
	bool over = given_up(h, m, now_ms);

	return (struct health_block){
		.batch = m->kind == BATCH ? m->id : 0, .bucket = m->kind == BUCKET ? m->id : 0,
		.origin = m->kind == ORIGIN ? (int)m->id : -1, .number = m->number,
		.reason = m->reason, .message = m->message, .since_ms = m->since_ms,
		.next_ms = over ? 0 : m->next_ms, .given_up = over,
	};
}

bool health_given_up(struct health *h, int64_t batch, int64_t bucket, int origin,
		     int64_t now_ms, struct health_block *why)
{
	struct way w = way_of(h, batch, bucket, origin);

	for (int i = 0; i < KINDS; i++) {
		if (!given_up(h, w.m[i], now_ms))
			continue;
		if (why)
			*why = block_of(h, w.m[i], now_ms);
		return true;
	}
	return false;
}

void health_started(struct health *h, int64_t batch, int64_t bucket, int origin)
{
	struct way w = way_of(h, batch, bucket, origin);

	for (int i = 0; i < KINDS; i++)
		w.m[i]->probing = w.m[i]->reason != NULL;
}

void health_unsent(struct health *h, int64_t batch, int64_t bucket, int origin)
{
	struct way w = way_of(h, batch, bucket, origin);

	for (int i = 0; i < KINDS; i++)
		w.m[i]->probing = false;
}

void health_trust(struct health *h, int64_t batch)
{
	mark_of(h, BATCH, batch)->trusted = true;
}

int64_t health_next(const struct health *h, int64_t after_ms)
{
	int64_t next = -1;

	for (int i = 0; i < h->n; i++) {
		const struct mark *m = h->marks[i];
		if (!m->reason || given_up(h, m, after_ms))
			continue;
		int64_t end = gives_up_at(h, m);
		int64_t at = m->probing || m->next_ms <= after_ms || m->next_ms > end ? end : m->next_ms;
		if (at < INT64_MAX && (next < 0 || at < next))
			next = at;
	}
	return next;
}

bool health_block(const struct health *h, int i, int64_t now_ms, struct health_block *out)
{
	for (int k = 0; k < h->n; k++) {
		const struct mark *m = h->marks[k];
		if (!m->reason || i-- > 0)
			continue;
		*out = block_of(h, m, now_ms);
		return true;
	}
	return false;
}

int64_t health_version(const struct health *h)
{
	return h->version;
}
