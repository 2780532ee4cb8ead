#include "domain/source.h"

#include <stdlib.h>

#include "base/mem.h"

enum { Q_QUEUES, Q_FRESH, Q_DUE, Q_NEXT_DUE };
static const char *const texts[] = {
	[Q_QUEUES] = "SELECT id, pending, retrying FROM queues WHERE batch = ?1 AND pending > 0",
	[Q_FRESH] = "SELECT id FROM requests WHERE queue = ?1 AND state = 0 AND due = 0"
		    " AND id > ?2 ORDER BY id LIMIT ?3",
	[Q_DUE] = "SELECT due, id FROM requests WHERE queue = ?1 AND state = 0 AND due > 0"
		  " AND due <= ?2 ORDER BY due, id LIMIT ?3 OFFSET ?4",
	[Q_NEXT_DUE] = "SELECT due FROM requests WHERE queue = ?1 AND state = 0 AND due > 0"
		       " ORDER BY due LIMIT 1 OFFSET ?2",
};
const struct stmt_set source_sql = { "source", texts, ARRAY_LEN(texts) };

enum { FEED_ROWS = 64, ASKED = 32 };

/* What was read ahead of one queue. */
struct feed {
	int64_t queue, pending, retrying;
	int64_t given;           /* due rows of this call: pending until they are started */
	bool dry;                /* there are no more of them */
	int64_t *room;           /* of this call; NULL: not asked yet */
	int64_t last;            /* the last row read from the file */
	int64_t *rows;           /* FEED_ROWS of them once it is used */
	int n, at;
};

int source_load(struct source *s, struct db *db, struct err *e)
{
	int cap = 0, rc;

	STMT(q, db, &source_sql, Q_QUEUES);
	stmt_int(&q, 1, s->batch);
	while ((rc = stmt_step(&q, e)) > 0) {
		if (s->n_feeds == cap) {
			cap = cap ? cap * 2 : 4;
			s->feeds = mem_resize(s->feeds, (size_t)cap, sizeof *s->feeds);
		}
		s->feeds[s->n_feeds++] = (struct feed){
			.queue = stmt_col_int(&q, 0), .pending = stmt_col_int(&q, 1),
			.retrying = stmt_col_int(&q, 2),
		};
	}
	return rc < 0 ? -1 : s->n_feeds > 0;
}

void source_release(struct source *s)
{
	for (int i = 0; i < s->n_feeds; i++)
		free(s->feeds[i].rows);
	free(s->feeds);
	*s = (struct source){ 0 };
}

void source_begin(struct source *s)
{
	for (int i = 0; i < s->n_feeds; i++) {
		s->feeds[i].given = 0;
		s->feeds[i].dry = false;
		s->feeds[i].room = NULL;
	}
}

/* Makes sure that the feed has a next row; 0 if the queue has no fresh one. */
static int fill(struct db *db, struct feed *f, int want, struct err *e)
{
	if (f->at < f->n)
		return 1;
	if (f->pending <= f->retrying)
		return 0;
	if (!f->rows)
		f->rows = mem_alloc(FEED_ROWS * sizeof *f->rows);
	STMT(q, db, &source_sql, Q_FRESH);
	stmt_int(&q, 1, f->queue);
	stmt_int(&q, 2, f->last);
	stmt_int(&q, 3, want < FEED_ROWS ? want : FEED_ROWS);
	int rc;
	f->n = f->at = 0;
	while ((rc = stmt_step(&q, e)) > 0)
		f->rows[f->n++] = stmt_col_int(&q, 0);
	if (rc < 0)
		return -1;
	if (f->n > 0)
		f->last = f->rows[f->n - 1];
	else
		f->pending = f->retrying; /* a strange hand: do not look again */
	return f->n > 0;
}

static int64_t next_row(const struct feed *f)
{
	return f->rows[f->at];
}

static void sift_down(struct source *s, int i)
{
	for (;;) {
		int least = i, left = 2 * i + 1;
		for (int k = left; k <= left + 1 && k < s->n_heap; k++)
			if (next_row(&s->feeds[k]) < next_row(&s->feeds[least]))
				least = k;
		if (least == i)
			return;
		struct feed f = s->feeds[i];
		s->feeds[i] = s->feeds[least];
		s->feeds[least] = f;
		i = least;
	}
}

static int heap_up(struct db *db, struct source *s, int want, struct err *e)
{
	int end = s->n_feeds;

	for (int i = 0; i < end;) {
		int rc = fill(db, &s->feeds[i], want, e);
		if (rc < 0)
			return -1;
		if (rc > 0) {
			i++;
			continue;
		}
		struct feed f = s->feeds[i]; /* nothing fresh: behind the heap */
		s->feeds[i] = s->feeds[--end];
		s->feeds[end] = f;
	}
	s->n_heap = end;
	for (int i = s->n_heap / 2; i-- > 0;)
		sift_down(s, i);
	s->heaped = true;
	return 0;
}

/* Is there room for one more?  1, 0. */
static int has_room(const struct claim_gate *gate, const struct source *s, struct feed *f,
		    struct err *e)
{
	static _Thread_local int64_t endless;

	if (!gate->room) {
		endless = INT32_MAX;
		f->room = &endless;
	} else if (!f->room) {
		f->room = gate->room(gate->ctx, s->batch, f->queue, e);
	}
	return !f->room ? -1 : *f->room > 0;
}

/* The first of the heap leaves it. */
static void pop_feed(struct source *s)
{
	struct feed gone = s->feeds[0];

	s->feeds[0] = s->feeds[--s->n_heap];
	s->feeds[s->n_heap] = gone;
	sift_down(s, 0);
}

/* Up to n fresh rows of one batch, in line order. */
static int take_fresh(struct source *s, struct db *db, const struct claim_gate *gate, struct claim_row *rows,
		      int n, struct err *e)
{
	int got = 0, rc;

	if (!s->heaped && heap_up(db, s, n, e) < 0)
		return -1;
	/* All, before the first is given some: they share what there is. */
	for (int i = 0; i < s->n_heap && i < ASKED; i++)
		if (has_room(gate, s, &s->feeds[i], e) < 0)
			return -1;
	while (got < n && s->n_heap > 0) {
		struct feed *f = &s->feeds[0];
		if ((rc = has_room(gate, s, f, e)) < 0)
			return -1;
		if (rc == 0) { /* for this call; the next one makes a new heap */
			s->heaped = false;
			pop_feed(s);
			continue;
		}
		rows[got++] = (struct claim_row){ next_row(f), f->queue };
		(*f->room)--;
		f->at++;
		f->pending--;
		if ((rc = fill(db, f, n - got + 1, e)) < 0)
			return -1;
		if (rc == 0)
			pop_feed(s);
		else
			sift_down(s, 0);
	}
	return got;
}

struct due {
	int64_t due, row;
	struct feed *feed;
};

static int by_due(const void *pa, const void *pb)
{
	const struct due *a = pa, *b = pb;

	if (a->due != b->due)
		return a->due < b->due ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

static int read_due(struct db *db, struct feed *f, int64_t until, struct due *out, int n,
		    struct err *e)
{
	int got = 0, rc;

	STMT(q, db, &source_sql, Q_DUE);
	stmt_int(&q, 1, f->queue);
	stmt_int(&q, 2, until);
	stmt_int(&q, 3, n);
	stmt_int(&q, 4, f->given);
	while ((rc = stmt_step(&q, e)) > 0)
		out[got++] = (struct due){ stmt_col_int(&q, 0), stmt_col_int(&q, 1), f };
	return rc < 0 ? -1 : got;
}

/* The due time of the first row that was not given yet; -1: there is none. */
static int next_due(struct db *db, const struct feed *f, int64_t *due, struct err *e)
{
	STMT(q, db, &source_sql, Q_NEXT_DUE);
	stmt_int(&q, 1, f->queue);
	stmt_int(&q, 2, f->given);
	int rc = stmt_step(&q, e);
	*due = rc > 0 ? stmt_col_int(&q, 0) : -1;
	return rc < 0 ? -1 : 0;
}

/* Is something due?  Also what a wrong clock has put off for days: *until is the
 * time up to which things are. */
static int find_until(struct db *db, const struct feed *f, int64_t now_ms, int64_t *until,
		      struct err *e)
{
	int64_t due;

	if (next_due(db, f, &due, e) < 0)
		return -1;
	*until = due > now_ms + SOURCE_DUE_MAX_MS ? INT64_MAX : now_ms;
	return due >= 0 && due <= *until;
}

/* Up to n rows of one batch that are due again, the first due first. */
static int take_due(struct source *s, struct db *db, const struct claim_gate *gate, int64_t now_ms,
		    struct claim_row *rows, int n, struct err *e)
{
	struct due *found CLEANUP(mem_cleanup) = NULL;
	int n_found = 0, got = 0, rc;

	for (int i = 0; i < s->n_feeds; i++) {
		struct feed *f = &s->feeds[i];
		int64_t until;
		if (f->retrying <= 0 || f->dry)
			continue;
		/* Room is asked for only by who has something: it is shared by those. */
		if ((rc = find_until(db, f, now_ms, &until, e)) < 0)
			return -1;
		f->dry = rc == 0;
		if (rc > 0 && (rc = has_room(gate, s, f, e)) < 0)
			return -1;
		if (rc == 0)
			continue;
		found = mem_resize(found, (size_t)n_found + (size_t)n, sizeof *found);
		rc = read_due(db, f, until, found + n_found, n, e);
		if (rc < 0)
			return -1;
		n_found += rc;
	}
	if (n_found > 1)
		qsort(found, (size_t)n_found, sizeof *found, by_due);
	for (int i = 0; got < n && i < n_found; i++) {
		struct feed *f = found[i].feed;
		if (*f->room <= 0)
			continue; /* its later ones as well: none is passed over */
		rows[got++] = (struct claim_row){ found[i].row, f->queue };
		(*f->room)--;
		f->given++;
		f->pending--;
		f->retrying--;
	}
	return got;
}

int source_take(struct source *s, struct db *db, const struct claim_gate *gate,
		int64_t now_ms, struct claim_row *rows, int n, struct err *e)
{
	if (s->expires <= now_ms)
		return 0;
	int got = take_due(s, db, gate, now_ms, rows, n, e);
	int rc = got < 0 || got == n ? 0 : take_fresh(s, db, gate, rows + got, n - got, e);

	return got < 0 || rc < 0 ? -1 : got + rc;
}

/* It was asked in this call; then not its rows but its room is waited for. */
static bool no_room(const struct feed *f)
{
	return f->room && *f->room <= 0;
}

int source_due(struct source *s, struct db *db, int64_t now_ms, int64_t *due, struct err *e)
{
	*due = -1;
	for (int i = 0; i < s->n_feeds && s->expires > now_ms; i++) {
		const struct feed *f = &s->feeds[i];
		int64_t at = -1;
		if (no_room(f))
			continue;
		if (f->pending > f->retrying) {
			*due = 0;
			return 0;
		}
		if (f->retrying > 0 && next_due(db, f, &at, e) < 0)
			return -1;
		if (at > now_ms + SOURCE_DUE_MAX_MS)
			at = now_ms;
		if (at > 0 && (*due < 0 || at < *due))
			*due = at;
	}
	return 0;
}

int64_t source_pending(const struct source *s)
{
	int64_t n = 0;

	for (int i = 0; i < s->n_feeds; i++)
		n += s->feeds[i].pending;
	return n;
}
