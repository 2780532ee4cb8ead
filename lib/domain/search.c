#include "domain/search.h"

#include <stdlib.h>
#include <string.h>

#include "base/casefold.h"
#include "base/mem.h"
#include "base/safe.h"

enum {
	NEWEST = 300,   /* looked at before the index is asked */
	BLOCK = 100,
	TRIGRAMS = 40,  /* of a text that the index is asked for */
};

enum { Q_ALL, Q_IDS, Q_WALK, Q_MATCH, Q_ONE };
static const char *const texts[] = {
	[Q_ALL] = "SELECT id FROM datasets WHERE active_us <= ?1 ORDER BY active_us DESC, id DESC"
		  " LIMIT ?2 OFFSET ?3",
	[Q_IDS] = "/*scan*/ SELECT uuid FROM datasets ORDER BY active_us DESC, id DESC",
	[Q_WALK] = "SELECT d.id, d.active_us, t.words FROM datasets d JOIN dataset_texts t"
		   " ON t.id = d.id WHERE d.active_us <= ?1 AND (d.active_us < ?1 OR d.id < ?2)"
		   " ORDER BY d.active_us DESC, d.id DESC LIMIT ?3",
	[Q_MATCH] = "/*scan*/ SELECT rowid FROM dataset_words WHERE dataset_words MATCH ?1",
	[Q_ONE] = "SELECT d.id, d.active_us, t.words FROM datasets d JOIN dataset_texts t"
		  " ON t.id = d.id WHERE d.id = ?1",
};
const struct stmt_set search_sql = { "search", texts, ARRAY_LEN(texts) };

struct hit {
	int64_t id, active_us;
};

struct hits {
	struct hit *v;
	size_t n;
};

static void hits_release(struct hits *h)
{
	free(h->v);
}

static void add(struct hits *h, int64_t id, int64_t active_us)
{
	h->v = mem_room(h->v, h->n, sizeof *h->v);
	h->v[h->n++] = (struct hit){ id, active_us };
}

static int newest_first(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	if (x->active_us != y->active_us)
		return x->active_us > y->active_us ? -1 : 1;
	return x->id > y->id ? -1 : x->id < y->id;
}

static int list_all(struct db *db, int64_t skip, struct hits *out, struct err *e)
{
	int rc;

	STMT(q, db, &search_sql, Q_ALL);
	stmt_int(&q, 1, INT64_MAX);
	stmt_int(&q, 2, SEARCH_PAGE + 1);
	stmt_int(&q, 3, skip);
	while ((rc = stmt_step(&q, e)) > 0)
		add(out, stmt_col_int(&q, 0), 0);
	return rc;
}

static bool has(struct span words, struct span needle)
{
	return memmem(words.p, words.n, needle.p, needle.n) != NULL;
}

/* Looks at the next block behind *at: how many rows it has had. */
static int walk(struct db *db, struct span needle, struct hit *at, struct hits *out,
		struct err *e)
{
	int rc, rows = 0;

	STMT(q, db, &search_sql, Q_WALK);
	stmt_int(&q, 1, at->active_us);
	stmt_int(&q, 2, at->id);
	stmt_int(&q, 3, BLOCK);
	for (; (rc = stmt_step(&q, e)) > 0; rows++) {
		*at = (struct hit){ stmt_col_int(&q, 0), stmt_col_int(&q, 1) };
		if (has(stmt_col(&q, 2), needle))
			add(out, at->id, at->active_us);
	}
	return rc < 0 ? -1 : rows;
}

/* "abc" AND "bcd" AND ...; false if the text has less than three characters. */
static bool build_query(struct span needle, struct str *out)
{
	size_t start[3] = { 0 }, n = 0;
	int terms = 0;

	for (size_t i = 0; i < needle.n && terms < TRIGRAMS; n++) {
		start[n % 3] = i;
		i += safe_utf8(needle.p + i, needle.n - i);
		if (n < 2)
			continue;
		str_addz(out, terms++ ? " AND \"" : "\"");
		for (size_t k = start[(n + 1) % 3]; k < i; k++) {
			if (needle.p[k] == '"')
				str_addc(out, '"');
			str_addc(out, needle.p[k]);
		}
		str_addc(out, '"');
	}
	return terms > 0;
}

static int match(struct db *db, const struct str *query, struct hits *out, struct err *e)
{
	int rc;

	STMT(q, db, &search_sql, Q_MATCH);
	stmt_text(&q, 1, str_span(query));
	while ((rc = stmt_step(&q, e)) > 0)
		add(out, stmt_col_int(&q, 0), 0);
	return rc;
}

/* Of those that have all the threes, the ones that have the text. */
static int verify(struct db *db, struct span needle, struct hits *h, struct err *e)
{
	size_t n = 0;

	STMT(q, db, &search_sql, Q_ONE);
	for (size_t i = 0; i < h->n; i++) {
		stmt_again(&q);
		stmt_int(&q, 1, h->v[i].id);
		int rc = stmt_step(&q, e);
		if (rc < 0)
			return -1;
		if (rc > 0 && has(stmt_col(&q, 2), needle))
			h->v[n++] = (struct hit){ stmt_col_int(&q, 0), stmt_col_int(&q, 1) };
	}
	h->n = n;
	if (n > 1)
		qsort(h->v, n, sizeof *h->v, newest_first);
	return 0;
}

static int find(struct db *db, struct span needle, size_t wanted, struct hits *out,
		struct err *e)
{
	struct str query CLEANUP(str_release) = STR_INIT;
	struct hit at = { INT64_MAX, INT64_MAX };
	bool index = build_query(needle, &query);
	int rows = BLOCK;

	for (int seen = 0; rows == BLOCK && out->n < wanted; seen += rows) {
		if (index && seen >= NEWEST) {
			out->n = 0;
			return match(db, &query, out, e) < 0 ? -1 : verify(db, needle, out, e);
		}
		rows = walk(db, needle, &at, out, e);
	}
	return rows < 0 ? -1 : 0;
}

int search_page(struct db *db, const char *text, int64_t page, search_fn *fn, void *ctx,
		bool *more, struct err *e)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	struct hits h CLEANUP(hits_release) = { NULL, 0 };
	struct str needle CLEANUP(str_release) = STR_INIT;
	size_t skip = 0;

	if (text && *text) {
		if (!safe_is_utf8(span_of(text)) || strlen(text) > SEARCH_TEXT_MAX)
			return err_set(e, ERR_USAGE, "a text to look for is UTF-8 of at most %d bytes",
				       SEARCH_TEXT_MAX);
		casefold(span_of(text), &needle);
		skip = (size_t)page * SEARCH_PAGE;
		if (find(db, str_span(&needle), skip + SEARCH_PAGE + 1, &h, e) < 0)
			return -1;
	} else if (list_all(db, page * SEARCH_PAGE, &h, e) < 0) {
		return -1;
	}
	*more = h.n > skip + SEARCH_PAGE;
	for (size_t i = skip; i < h.n && i < skip + SEARCH_PAGE; i++) {
		int rc = dataset_get(db, h.v[i].id, &d, e);
		if (rc < 0 || (rc > 0 && fn(ctx, &d, e) < 0))
			return -1;
	}
	return 0;
}

int search_ids(struct db *db, struct str *out, struct err *e)
{
	char text[ID_UUID + 1];
	struct id id;
	int rc;

	STMT(q, db, &search_sql, Q_IDS);
	while ((rc = stmt_step(&q, e)) > 0) {
		memcpy(id.b, stmt_col(&q, 0).p, ID_BYTES);
		str_add(out, id_uuid(id, text), sizeof text);
	}
	return rc;
}
