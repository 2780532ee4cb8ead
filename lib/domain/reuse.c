#include "domain/reuse.h"

#include <stdlib.h>
#include <string.h>

#include "base/idset.h"
#include "base/mem.h"
#include "domain/batchload.h"
#include "domain/request.h"
#include "domain/tally.h"
#include "store/tx.h"

enum {
	HOUR_MS = 3600 * 1000,
	PAGE_TEMPLATES = 10000,
	GATHER_TEMPLATES = 100000,
	STEP_ROWS = 5000,
	STEP_BYTES = 4 << 20,
};

enum {
	Q_TEMPLATES, Q_BATCHES, Q_DONE, Q_AGE, Q_ORIGINAL, Q_ANSWER, Q_PUT, Q_SETTLE, Q_QUEUES,
	Q_USE, Q_GUESS, Q_SOURCE,
};
static const char *const texts[] = {
	[Q_TEMPLATES] = "SELECT id, hash FROM templates WHERE id > ?1 AND id <= ?2"
			" ORDER BY id LIMIT ?3",
	[Q_BATCHES] = "/*scan*/SELECT id, uuid, file FROM batches WHERE status > 0"
		      " AND completed > 0 AND base_url = ?1 AND headers IS ?2"
		      " AND NOT EXISTS (SELECT 1 FROM usage u WHERE u.batch = batches.id AND"
		      " u.model NOT IN (SELECT model FROM queues q WHERE q.batch = batches.id))"
		      " ORDER BY file, id DESC",
	[Q_DONE] = "SELECT answer FROM requests WHERE id = ?1 AND state = 2",
	[Q_AGE] = "SELECT ended_ms, source FROM answers WHERE id = ?1",
	[Q_ORIGINAL] = "SELECT a.ended_ms FROM batches b"
		       " CROSS JOIN requests r ON r.id = (b.id << 32) | ?2"
		       " CROSS JOIN answers a ON a.id = (b.id << 32) | r.answer"
		       " WHERE b.uuid = ?1 AND b.status > 0 AND r.state = 2",
	[Q_ANSWER] = "SELECT a.status, a.request_id, a.kind, a.body, a.source FROM requests r"
		     " CROSS JOIN answers a ON a.id = (?1 << 32) | r.answer"
		     " WHERE r.id = (?1 << 32) | ?2 AND r.state = 2",
	[Q_PUT] = "INSERT INTO answers (id, line, ended_ms, status, request_id, kind, body, source)"
		  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[Q_SETTLE] = "UPDATE requests SET state = 2, answer = ?2 WHERE id = ?1 AND state = 0",
	/* What is left is counted in the index: there may be thousands of queues. */
	[Q_QUEUES] = "UPDATE queues SET pending = (SELECT count(*) FROM requests"
		     " WHERE queue = queues.id AND state = 0) WHERE batch = ?1",
	/* Requests that ended, without attempts or tokens. */
	[Q_USE] = "INSERT INTO usage (batch, model, hour, requests)"
		  " SELECT b.id, q.model, ?2, f.requests - q.pending FROM batches b"
		  " CROSS JOIN queues q ON q.batch = b.id"
		  " CROSS JOIN file_models f ON f.file = b.file AND f.model = q.model"
		  " WHERE b.id = ?1 AND q.pending < f.requests",
	[Q_GUESS] = BATCHLOAD_SELECT "WHERE id = (SELECT max(b.id) FROM files f"
		    " CROSS JOIN files g ON g.hash = f.hash CROSS JOIN batches b ON b.file = g.id"
		    " WHERE f.id = ?1 AND b.id <> ?2 AND b.status > 0 AND b.base_url = ?3"
		    " AND b.headers IS ?4 AND b.completed * 2 > b.total)",
	[Q_SOURCE] = "SELECT a.source FROM requests r"
		     " CROSS JOIN answers a ON a.id = (?1 >> 32 << 32) | r.answer WHERE r.id = ?1",
};
const struct stmt_set reuse_sql = { "reuse", texts, ARRAY_LEN(texts) };

/* Requests of the new file that are equal. */
struct reuse_entry {
	uint32_t count;
	uint32_t batch;  /* where their answer is: 1 + index in batches; 0: nowhere */
	uint32_t line;   /* and of which line */
};

/* A batch that has answers. */
struct reuse_batch {
	int64_t id, file;
	struct id uuid;
};

void reuse_release(struct reuse *u)
{
	idset_free(u->hashes);
	free(u->entries);
	free(u->batches);
	*u = (struct reuse){ .within_ms = u->within_ms, .taken = u->taken };
}

static void reserve(struct reuse *u, int64_t n)
{
	if (n <= u->room)
		return;
	u->entries = mem_resize(u->entries, (size_t)n, sizeof *u->entries);
	u->room = n;
}

static void add(struct reuse *u, struct span hash)
{
	if (!u->hashes)
		u->hashes = idset_new();
	uint32_t i = idset_add(u->hashes, hash, u->n + 1);
	if (i > 0) {
		u->entries[i - 1].count++;
		return;
	}
	if (u->n == u->room)
		reserve(u, u->room ? u->room * 2 : 1024);
	u->entries[u->n++] = (struct reuse_entry){ .count = 1 };
}

void reuse_add(struct reuse *u, struct id hash)
{
	add(u, (struct span){ (const char *)hash.b, ID_BYTES });
}

/* NULL: the new file has no such request. */
static struct reuse_entry *entry_of(const struct reuse *u, struct span hash)
{
	uint32_t i = u->hashes ? idset_find(u->hashes, hash) : 0;

	return i > 0 ? &u->entries[i - 1] : NULL;
}

int reuse_file(struct reuse *u, struct db *db, int64_t file, int64_t requests, struct err *e)
{
	int64_t after = file << 32;

	reserve(u, requests);
	for (int n = PAGE_TEMPLATES; n == PAGE_TEMPLATES;) {
		int rc;
		n = 0;
		STMT(q, db, &reuse_sql, Q_TEMPLATES);
		stmt_int(&q, 1, after);
		stmt_int(&q, 2, request_row(file, UINT32_MAX));
		stmt_int(&q, 3, PAGE_TEMPLATES);
		for (; (rc = stmt_step(&q, e)) > 0; n++) {
			after = stmt_col_int(&q, 0);
			add(u, stmt_col(&q, 1));
		}
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int load_batches(struct reuse *u, struct db *db, const struct batch_new *n,
			struct err *e)
{
	int rc, room = 0;

	STMT(q, db, &reuse_sql, Q_BATCHES);
	stmt_textz(&q, 1, n->base_url);
	stmt_textz(&q, 2, n->headers);
	while ((rc = stmt_step(&q, e)) > 0) {
		struct span uuid = stmt_col(&q, 1);
		if (u->n_batches == room) {
			room = room ? room * 2 : 64;
			u->batches = mem_resize(u->batches, (size_t)room, sizeof *u->batches);
		}
		struct reuse_batch *b = &u->batches[u->n_batches++];
		b->id = stmt_col_int(&q, 0);
		b->file = stmt_col_int(&q, 2);
		memcpy(b->uuid.b, uuid.p, ID_BYTES);
	}
	return rc;
}

/* The batches of one file, a run in reuse.batches, the newest first. */
struct run {
	const struct reuse_batch *first;
	int n;
};

static int newer_run(const void *a, const void *b)
{
	int64_t x = ((const struct run *)a)->first->id, y = ((const struct run *)b)->first->id;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The file with the newest batch first. */
static struct run *runs_of(const struct reuse *u, int *n)
{
	struct run *runs = mem_alloc((size_t)u->n_batches * sizeof *runs);

	*n = 0;
	for (int i = 0; i < u->n_batches; i++) {
		if (i == 0 || u->batches[i].file != u->batches[i - 1].file)
			runs[(*n)++].first = &u->batches[i];
		runs[*n - 1].n++;
	}
	qsort(runs, (size_t)*n, sizeof *runs, newer_run);
	return runs;
}

/* What looks for answers. */
struct search {
	struct reuse *u;
	struct db *db;
	int64_t now_ms;
	uint32_t missing; /* entries without an answer */
};

/* When the request with this id was answered: 1, 0 nobody knows. */
static int original_time(struct search *s, struct span source, int64_t *ended_ms, struct err *e)
{
	char *text CLEANUP(mem_cleanup) = mem_copy(source.p, source.n);
	struct id uuid;
	uint32_t line;

	if (!batch_request_of(text, &uuid, &line))
		return 0;
	STMT(q, s->db, &reuse_sql, Q_ORIGINAL);
	stmt_blob(&q, 1, uuid.b, ID_BYTES);
	stmt_int(&q, 2, line);
	int rc = stmt_step(&q, e);
	if (rc > 0)
		*ended_ms = stmt_col_int(&q, 0);
	return rc;
}

/* Did the answer come recently enough?  1, 0. */
static int young(struct search *s, int64_t answer, struct err *e)
{
	STMT(q, s->db, &reuse_sql, Q_AGE);
	stmt_int(&q, 1, answer);
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc;
	int64_t ended_ms = stmt_col_int(&q, 0);
	struct span source = stmt_col(&q, 1);
	if (source.p)
		rc = original_time(s, source, &ended_ms, e);
	return rc < 0 ? -1 : rc > 0 && ended_ms >= s->now_ms - s->u->within_ms;
}

/* Has the line a good answer in this batch?  1, 0. */
static int answered(struct search *s, const struct reuse_batch *b, uint32_t line, struct err *e)
{
	STMT(q, s->db, &reuse_sql, Q_DONE);
	stmt_int(&q, 1, request_row(b->id, line));
	int rc = stmt_step(&q, e);
	if (rc <= 0 || s->u->within_ms >= s->now_ms)
		return rc;
	return young(s, request_row(b->id, (uint32_t)stmt_col_int(&q, 0)), e);
}

/* A line of the run's file is equal to these requests. */
static int look_up(struct search *s, struct reuse_entry *x, const struct run *run,
		   uint32_t line, struct err *e)
{
	const struct reuse_batch *all = s->u->batches;
	/* It may have a newer one, or an earlier line of the same batch. */
	int64_t has = x->batch > 0 ? all[x->batch - 1].id : 0;

	for (int i = 0; i < run->n && run->first[i].id > has; i++) {
		int rc = answered(s, &run->first[i], line, e);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		s->missing -= x->batch == 0;
		x->batch = (uint32_t)(&run->first[i] - all) + 1;
		x->line = line;
		return 0;
	}
	return 0;
}

/* One page; how many templates it had. */
static int search_page(struct search *s, const struct run *run, int64_t *after, struct err *e)
{
	int n = 0, rc;

	TX(tx);
	if (tx_begin_read(&tx, s->db, e) < 0)
		return -1;
	STMT(q, s->db, &reuse_sql, Q_TEMPLATES);
	stmt_int(&q, 1, *after);
	stmt_int(&q, 2, request_row(run->first->file, UINT32_MAX));
	stmt_int(&q, 3, PAGE_TEMPLATES);
	for (; (rc = stmt_step(&q, e)) > 0; n++) {
		*after = stmt_col_int(&q, 0);
		struct reuse_entry *x = entry_of(s->u, stmt_col(&q, 1));
		if (x && look_up(s, x, run, request_line(*after), e) < 0)
			return -1;
	}
	return rc < 0 ? -1 : n;
}

/* The oldest batch that an answer was found in; all have one. */
static int64_t oldest(const struct reuse *u)
{
	int64_t id = INT64_MAX;

	for (uint32_t i = 0; i < u->n; i++)
		if (u->batches[u->entries[i].batch - 1].id < id)
			id = u->batches[u->entries[i].batch - 1].id;
	return id;
}

int64_t reuse_find(struct reuse *u, struct db *db, const struct batch_new *n, int64_t now_ms,
		   struct err *e)
{
	struct search s = { .u = u, .db = db, .now_ms = now_ms, .missing = u->n };
	int64_t found = 0;
	int n_runs;

	if (load_batches(u, db, n, e) < 0)
		return -1;
	struct run *runs CLEANUP(mem_cleanup) = runs_of(u, &n_runs);
	for (int i = 0; i < n_runs; i++) {
		int64_t after = runs[i].first->file << 32;
		if (s.missing == 0 && oldest(u) > runs[i].first->id)
			break;
		for (int page = PAGE_TEMPLATES; page == PAGE_TEMPLATES;) {
			page = search_page(&s, &runs[i], &after, e);
			if (page < 0)
				return -1;
		}
	}
	for (uint32_t i = 0; i < u->n; i++)
		found += u->entries[i].batch > 0 ? u->entries[i].count : 0;
	return found;
}

/* Requests of the new batch and what they take. */
struct pair {
	uint32_t line;
	const struct reuse_entry *entry;
};

struct step {
	struct reuse *u;
	struct db *db;
	int64_t batch, file, now_ms;
	int64_t after;  /* the template that was looked at last */
	struct pair pairs[STEP_ROWS];
	int n;
};

/* Reads on until there is enough for a step; 1, 0 at the end of the file. */
static int gather(struct step *s, struct err *e)
{
	int seen = 0, rc = 0;

	STMT(q, s->db, &reuse_sql, Q_TEMPLATES);
	stmt_int(&q, 1, s->after);
	stmt_int(&q, 2, request_row(s->file, UINT32_MAX));
	stmt_int(&q, 3, GATHER_TEMPLATES);
	for (s->n = 0; s->n < STEP_ROWS && (rc = stmt_step(&q, e)) > 0; seen++) {
		s->after = stmt_col_int(&q, 0);
		const struct reuse_entry *x = entry_of(s->u, stmt_col(&q, 1));
		if (x && x->batch > 0)
			s->pairs[s->n++] = (struct pair){ request_line(s->after), x };
	}
	return rc < 0 ? -1 : s->n == STEP_ROWS || seen == GATHER_TEMPLATES;
}

/* Stores a copy of the answer that `q` stands on as the next one. */
static int put_answer(struct step *s, const struct pair *p, struct stmt *from, struct err *e)
{
	const struct reuse_batch *b = &s->u->batches[p->entry->batch - 1];
	struct span body = stmt_col(from, 3), source = stmt_col(from, 4);
	char id[REQUEST_ID_BUF];

	STMT(q, s->db, &reuse_sql, Q_PUT);
	stmt_int(&q, 1, request_row(s->batch, (uint32_t)++s->u->taken));
	stmt_int(&q, 2, p->line);
	stmt_int(&q, 3, s->now_ms);
	if (!stmt_col_null(from, 0))
		stmt_int(&q, 4, stmt_col_int(from, 0));
	stmt_text(&q, 5, stmt_col(from, 1));
	stmt_int(&q, 6, stmt_col_int(from, 2));
	stmt_blob(&q, 7, body.p, body.n);
	stmt_text(&q, 8, source.p ? source
		  : span_of(batch_request_text(b->uuid, p->entry->line, id)));
	return stmt_run(&q, e) < 0 ? -1 : 0;
}

static int settle(struct step *s, const struct pair *p, struct err *e)
{
	STMT(q, s->db, &reuse_sql, Q_SETTLE);
	stmt_int(&q, 1, request_row(s->batch, p->line));
	stmt_int(&q, 2, s->u->taken);
	int n = stmt_run(&q, e);
	if (n == 0)
		BUG("a request of a batch in the making is not pending");
	return n < 0 ? -1 : 0;
}

/* The request takes its answer, unless that is gone. */
static int take_one(struct step *s, const struct pair *p, int64_t *bytes, struct err *e)
{
	int64_t batch = s->u->batches[p->entry->batch - 1].id;

	STMT(q, s->db, &reuse_sql, Q_ANSWER);
	stmt_int(&q, 1, batch);
	stmt_int(&q, 2, p->entry->line);
	int rc = stmt_step(&q, e);
	if (rc <= 0)
		return rc;
	*bytes += (int64_t)stmt_col(&q, 3).n;
	return put_answer(s, p, &q, e) < 0 || settle(s, p, e) < 0 ? -1 : 0;
}

/* One transaction; how many pairs are behind it. */
static int take_some(struct step *s, const struct pair *pairs, int n, struct err *e)
{
	int64_t bytes = 0;
	int i = 0;

	TX(tx);
	if (tx_begin(&tx, s->db, e) < 0)
		return -1;
	for (; i < n && bytes < STEP_BYTES; i++)
		if (take_one(s, &pairs[i], &bytes, e) < 0)
			return -1;
	return tx_commit(&tx, e) < 0 ? -1 : i;
}

int reuse_take(struct reuse *u, struct db *db, int64_t batch, int64_t file, int64_t now_ms,
	       struct err *e)
{
	struct step *s CLEANUP(mem_cleanup) = mem_alloc(sizeof *s);
	int more = 1;

	*s = (struct step){ .u = u, .db = db, .batch = batch, .file = file, .now_ms = now_ms,
			    .after = file << 32 };
	while (more > 0) {
		more = gather(s, e);
		for (int done = 0; more >= 0 && done < s->n;) {
			int n = take_some(s, s->pairs + done, s->n - done, e);
			if (n < 0)
				return -1;
			done += n;
		}
	}
	return more;
}

static int count_queues(struct db *db, int64_t batch, int64_t now_ms, struct err *e)
{
	STMT(q, db, &reuse_sql, Q_QUEUES);
	stmt_int(&q, 1, batch);
	if (stmt_run(&q, e) < 0)
		return -1;
	STMT(u, db, &reuse_sql, Q_USE);
	stmt_int(&u, 1, batch);
	stmt_int(&u, 2, now_ms / HOUR_MS);
	return stmt_run(&u, e) < 0 ? -1 : 0;
}

int reuse_show(struct reuse *u, struct db *db, int64_t batch, int64_t now_ms, struct err *e)
{
	struct tally t CLEANUP(tally_release) = { 0 };

	if (u->taken == 0)
		return 0;
	tally_begin(&t, db);
	struct tally_batch *b = tally_batch(&t, batch, e);
	if (!b || count_queues(db, batch, now_ms, e) < 0)
		return -1;
	b->answers = u->taken;
	b->delta[REQUEST_PENDING] -= u->taken;
	b->delta[REQUEST_COMPLETED] += u->taken;
	b->touched = true;
	return tally_flush(&t, now_ms, e);
}

int reuse_guess(struct db *db, const struct batch *b, struct batch *other, struct err *e)
{
	struct id second;

	STMT(q, db, &reuse_sql, Q_GUESS);
	stmt_int(&q, 1, b->file);
	stmt_int(&q, 2, b->id);
	stmt_textz(&q, 3, b->base_url);
	stmt_textz(&q, 4, b->headers);
	return batchload_first(&q, other, &second, e);
}

int reuse_source(struct db *db, int64_t row, struct str *out, struct err *e)
{
	STMT(q, db, &reuse_sql, Q_SOURCE);
	stmt_int(&q, 1, row);
	int rc = stmt_step(&q, e);
	if (rc <= 0 || stmt_col_null(&q, 0))
		return rc < 0 ? -1 : 0;
	str_addspan(out, stmt_col(&q, 0));
	return 1;
}
