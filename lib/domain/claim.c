#include "domain/claim.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { Q_OPEN, Q_ONE, Q_ALL_OPEN, Q_ONE_OPEN, Q_QUEUES, Q_FRESH, Q_DUE, Q_NEXT_DUE };
static const char *const texts[] = {
	[Q_OPEN] = "SELECT id, priority, expires_ms FROM batches WHERE status IN (1, 5)"
		   " AND status = 1 AND (?1 IS NULL OR user = ?1)",
	[Q_ONE] = "SELECT id, priority, expires_ms FROM batches WHERE id = ?1 AND status = 1",
	[Q_ALL_OPEN] = "SELECT id FROM batches WHERE status IN (1, 5)"
		       " AND (?1 IS NULL OR user = ?1)",
	[Q_ONE_OPEN] = "SELECT id FROM batches WHERE id = ?1 AND status IN (1, 5)",
	[Q_QUEUES] = "SELECT id, pending, retrying FROM queues WHERE batch = ?1 AND pending > 0",
	[Q_FRESH] = "SELECT id FROM requests WHERE queue = ?1 AND state = 0 AND due = 0"
		    " AND id > ?2 ORDER BY id LIMIT ?3",
	[Q_DUE] = "SELECT due, id FROM requests WHERE queue = ?1 AND state = 0 AND due > 0"
		  " AND due <= ?2 ORDER BY due, id LIMIT ?3 OFFSET ?4",
	[Q_NEXT_DUE] = "SELECT due FROM requests WHERE queue = ?1 AND state = 0 AND due > 0"
		       " ORDER BY due LIMIT 1 OFFSET ?2",
};
const struct stmt_set claim_sql = { "claim", texts, ARRAY_LEN(texts) };

enum { FEED_ROWS = 64 };

/* What was read ahead of one queue. */
struct feed {
	int64_t queue, pending, retrying;
	int64_t given;           /* due rows of this call: pending until they are started */
	bool dry;                /* there are no more of them */
	int64_t last;            /* the last row read from the file */
	int64_t *rows;           /* FEED_ROWS of them once it is used */
	int n, at;
};

struct source {
	int64_t batch, priority, expires;
	struct feed *feeds;      /* a heap by the line of their next row */
	int n_feeds, n_heap;     /* those in the heap have a next row */
	bool heaped;
};

struct claim {
	int64_t *wanted;         /* NULL: by user */
	int n_wanted;
	int64_t *skipped;
	int n_skipped;
	char *user;
	struct source *sources;  /* in order of their turn */
	int n_sources, cap_sources;
	int64_t version;         /* data_version they were read at */
	bool fresh;              /* sources may be used */
	int64_t last_batch;      /* who had the last turn among equals */
	int64_t due;
};

static bool is_in(const int64_t *list, int n, int64_t batch)
{
	for (int i = 0; i < n; i++)
		if (list[i] == batch)
			return true;
	return false;
}

struct claim *claim_new(const int64_t *batches, int n, const char *user)
{
	struct claim *c = mem_alloc(sizeof *c);

	if (batches) {
		c->wanted = mem_alloc((size_t)n * sizeof *c->wanted);
		for (int i = 0; i < n; i++)
			if (!is_in(c->wanted, c->n_wanted, batches[i]))
				c->wanted[c->n_wanted++] = batches[i];
	}
	c->user = mem_strdup(user);
	return c;
}

void claim_forget(struct claim *c)
{
	for (int i = 0; i < c->n_sources; i++) {
		for (int k = 0; k < c->sources[i].n_feeds; k++)
			free(c->sources[i].feeds[k].rows);
		free(c->sources[i].feeds);
	}
	c->n_sources = 0;
	c->fresh = false;
}

void claim_free(struct claim *c)
{
	if (!c)
		return;
	claim_forget(c);
	free(c->sources);
	free(c->wanted);
	free(c->skipped);
	free(c->user);
	free(c);
}

void claim_skip(struct claim *c, int64_t batch)
{
	if (is_in(c->skipped, c->n_skipped, batch))
		return;
	c->skipped = mem_resize(c->skipped, (size_t)c->n_skipped + 1, sizeof *c->skipped);
	c->skipped[c->n_skipped++] = batch;
	claim_forget(c);
}

static int count_open(const struct claim *c, struct stmt *q, int *n, struct err *e)
{
	int rc;

	while ((rc = stmt_step(q, e)) > 0)
		*n += !is_in(c->skipped, c->n_skipped, stmt_col_int(q, 0));
	return rc;
}

int claim_open(struct claim *c, struct db *db, struct err *e)
{
	int n = 0;

	for (int i = 0; i < c->n_wanted; i++) {
		STMT(q, db, &claim_sql, Q_ONE_OPEN);
		stmt_int(&q, 1, c->wanted[i]);
		if (count_open(c, &q, &n, e) < 0)
			return -1;
	}
	if (!c->wanted) {
		STMT(q, db, &claim_sql, Q_ALL_OPEN);
		stmt_textz(&q, 1, c->user);
		if (count_open(c, &q, &n, e) < 0)
			return -1;
	}
	return n;
}

static int read_feeds(struct db *db, struct source *s, struct err *e)
{
	int cap = 0, rc;

	STMT(q, db, &claim_sql, Q_QUEUES);
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
	return rc;
}

/* Reads the open batches that the query gives. */
static int read_sources(struct claim *c, struct db *db, struct stmt *q, struct err *e)
{
	int rc;

	while ((rc = stmt_step(q, e)) > 0) {
		struct source s = { .batch = stmt_col_int(q, 0), .priority = stmt_col_int(q, 1),
				    .expires = stmt_col_null(q, 2) ? INT64_MAX
								   : stmt_col_int(q, 2) };
		if (is_in(c->skipped, c->n_skipped, s.batch))
			continue;
		if (c->n_sources == c->cap_sources) {
			c->cap_sources = c->cap_sources ? c->cap_sources * 2 : 8;
			c->sources = mem_resize(c->sources, (size_t)c->cap_sources,
						sizeof *c->sources);
		}
		c->sources[c->n_sources++] = s;
		struct source *kept = &c->sources[c->n_sources - 1];
		if (read_feeds(db, kept, e) < 0)
			return -1;
		if (kept->n_feeds == 0)
			c->n_sources--;
	}
	return rc;
}

static int same_turn(const struct source *a, const struct source *b)
{
	return a->priority == b->priority && a->expires == b->expires;
}

static int by_turn(const void *pa, const void *pb)
{
	const struct source *a = pa, *b = pb;

	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	if (a->expires != b->expires)
		return a->expires < b->expires ? -1 : 1;
	return a->batch < b->batch ? -1 : a->batch > b->batch;
}

static int refresh(struct claim *c, struct db *db, struct err *e)
{
	int64_t version;

	if (db_version(db, &version, e) < 0)
		return -1;
	if (c->fresh && version == c->version)
		return 0;
	claim_forget(c);
	if (c->wanted) {
		for (int i = 0; i < c->n_wanted; i++) {
			STMT(q, db, &claim_sql, Q_ONE);
			stmt_int(&q, 1, c->wanted[i]);
			if (read_sources(c, db, &q, e) < 0)
				return -1;
		}
	} else {
		STMT(q, db, &claim_sql, Q_OPEN);
		stmt_textz(&q, 1, c->user);
		if (read_sources(c, db, &q, e) < 0)
			return -1;
	}
	if (c->n_sources > 1)
		qsort(c->sources, (size_t)c->n_sources, sizeof *c->sources, by_turn);
	c->version = version;
	c->fresh = true;
	return 0;
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
	STMT(q, db, &claim_sql, Q_FRESH);
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

/* Up to n fresh rows of one batch, in line order. */
static int take_fresh(struct db *db, struct source *s, int64_t *rows, int n, struct err *e)
{
	int got = 0;

	if (!s->heaped && heap_up(db, s, n, e) < 0)
		return -1;
	while (got < n && s->n_heap > 0) {
		struct feed *f = &s->feeds[0];
		rows[got++] = next_row(f);
		f->at++;
		f->pending--;
		int rc = fill(db, f, n - got + 1, e);
		if (rc < 0)
			return -1;
		if (rc == 0) {
			struct feed gone = *f;
			*f = s->feeds[--s->n_heap];
			s->feeds[s->n_heap] = gone;
		}
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

static int read_due(struct db *db, struct feed *f, int64_t now_ms, struct due *out, int n,
		    struct err *e)
{
	int got = 0, rc;

	STMT(q, db, &claim_sql, Q_DUE);
	stmt_int(&q, 1, f->queue);
	stmt_int(&q, 2, now_ms);
	stmt_int(&q, 3, n);
	stmt_int(&q, 4, f->given);
	while ((rc = stmt_step(&q, e)) > 0)
		out[got++] = (struct due){ stmt_col_int(&q, 0), stmt_col_int(&q, 1), f };
	f->dry = got == 0;
	return rc < 0 ? -1 : got;
}

/* Up to n rows of one batch that are due again, the first due first. */
static int take_due(struct db *db, struct source *s, int64_t now_ms, int64_t *rows,
		    int n, struct err *e)
{
	struct due *found CLEANUP(mem_cleanup) = NULL;
	int n_found = 0, got = 0;

	for (int i = 0; i < s->n_feeds; i++) {
		struct feed *f = &s->feeds[i];
		if (f->retrying <= 0 || f->dry)
			continue;
		found = mem_resize(found, (size_t)n_found + (size_t)n, sizeof *found);
		int rc = read_due(db, f, now_ms, found + n_found, n, e);
		if (rc < 0)
			return -1;
		n_found += rc;
	}
	if (n_found > 1)
		qsort(found, (size_t)n_found, sizeof *found, by_due);
	for (; got < n && got < n_found; got++) {
		struct feed *f = found[got].feed;
		rows[got] = found[got].row;
		f->given++;
		f->pending--;
		f->retrying--;
	}
	return got;
}

static int take(struct db *db, struct source *s, int64_t now_ms, int64_t *rows, int n,
		struct err *e)
{
	int got = take_due(db, s, now_ms, rows, n, e);
	int rc = got < 0 || got == n ? 0 : take_fresh(db, s, rows + got, n - got, e);

	return got < 0 || rc < 0 ? -1 : got + rc;
}

/* Sources first..end-1 are equals: each gets its share, turn by turn. */
static int take_turns(struct claim *c, struct db *db, int first, int end, int64_t now_ms,
		      int64_t *rows, int n, struct err *e)
{
	int count = end - first, got = 0, start = first;

	while (start < end && c->sources[start].batch <= c->last_batch)
		start++;
	for (int givers = count; got < n && givers > 0;) {
		int share = (n - got) / givers > 0 ? (n - got) / givers : 1;
		givers = 0;
		for (int k = 0; k < count && got < n; k++) {
			struct source *s = &c->sources[first + (start - first + k) % count];
			int most = share < n - got ? share : n - got;
			int rc = take(db, s, now_ms, rows + got, most, e);
			if (rc < 0)
				return -1;
			if (rc > 0 && count > 1) /* one alone does not disturb the turns */
				c->last_batch = s->batch;
			givers += rc > 0;
			got += rc;
		}
	}
	return got;
}

/* When the next row is due that this call did not give. */
static int find_due(struct claim *c, struct db *db, struct err *e)
{
	c->due = -1;
	for (int i = 0; i < c->n_sources; i++)
		for (int k = 0; k < c->sources[i].n_feeds; k++) {
			struct feed *f = &c->sources[i].feeds[k];
			if (f->retrying <= 0)
				continue;
			STMT(q, db, &claim_sql, Q_NEXT_DUE);
			stmt_int(&q, 1, f->queue);
			stmt_int(&q, 2, f->given);
			int rc = stmt_step(&q, e);
			if (rc < 0)
				return -1;
			int64_t due = rc > 0 ? stmt_col_int(&q, 0) : -1;
			if (due > 0 && (c->due < 0 || due < c->due))
				c->due = due;
		}
	return 0;
}

/* Is there a row that needs no due time? */
static bool fresh_left(const struct claim *c)
{
	for (int i = 0; i < c->n_sources; i++)
		for (int k = 0; k < c->sources[i].n_feeds; k++)
			if (c->sources[i].feeds[k].pending > c->sources[i].feeds[k].retrying)
				return true;
	return false;
}

static void begin_call(struct claim *c)
{
	for (int i = 0; i < c->n_sources; i++)
		for (int k = 0; k < c->sources[i].n_feeds; k++) {
			c->sources[i].feeds[k].given = 0;
			c->sources[i].feeds[k].dry = false;
		}
}

int claim_next(struct claim *c, struct db *db, int64_t now_ms, int64_t *rows, int n,
	       struct err *e)
{
	int got = 0;

	if (refresh(c, db, e) < 0)
		return -1;
	begin_call(c);
	for (int first = 0, end; first < c->n_sources && got < n; first = end) {
		for (end = first + 1; end < c->n_sources &&
		     same_turn(&c->sources[first], &c->sources[end]); end++)
			;
		int rc = take_turns(c, db, first, end, now_ms, rows + got, n - got, e);
		if (rc < 0)
			return -1;
		got += rc;
	}
	if (fresh_left(c))
		c->due = 0;
	else if (find_due(c, db, e) < 0)
		return -1;
	return got;
}

int64_t claim_pending(const struct claim *c)
{
	int64_t n = 0;

	for (int i = 0; i < c->n_sources; i++)
		for (int k = 0; k < c->sources[i].n_feeds; k++)
			n += c->sources[i].feeds[k].pending;
	return n;
}

int64_t claim_due(const struct claim *c)
{
	return c->due;
}
