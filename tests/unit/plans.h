/* plans: a state file with plans in it, for the tests of what works on them;
 * and what must be true of them whatever was done.
 *
 * A step of the test's own that fails ends it.  A plan is written in short:
 *     plans_publish(&p, "plan", "a b c!", "a>b b>c");   c! is not eager */
#ifndef FSL_PLANS_H
#define FSL_PLANS_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "domain/dataset.h"
#include "domain/plan.h"
#include "domain/produce.h"
#include "domain/product.h"
#include "domain/publish.h"
#include "domain/steer.h"
#include "rows.h"
#include "store/tx.h"

struct plans {
	struct db *db;
	sqlite3 *raw;     /* a second connection that looks */
	struct steer s;
	struct err e;     /* of the last call that failed */
};

static inline void plans_open(struct plans *p, const char *name)
{
	struct err e = ERR_INIT;

	*p = (struct plans){ .s = STEER_INIT };
	p->db = db_open(rows_path(name), DB_CREATE, &e);
	rows_must(p->db != NULL, "db_open", e.msg);
	p->raw = rows_raw(db_path(p->db));
	p->s.db = p->db;
	p->s.by = "me";
}

static inline void plans_close(struct plans *p)
{
	steer_release(&p->s);
	sqlite3_close(p->raw);
	db_close(p->db);
}

/* "a b!" and "a>b" as the JSON of a plan. */
static inline void plans_json(struct str *out, const char *dataset, const char *products,
			      const char *edges)
{
	char *names = strdup(products), *pairs = strdup(edges), *rest = NULL;

	str_addf(out, "{\"dataset\":{\"name\":\"%s\"},\"data_products\":[", dataset);
	const char *comma = "";
	for (char *n = strtok_r(names, " ", &rest); n; n = strtok_r(NULL, " ", &rest)) {
		bool lazy = n[strlen(n) - 1] == '!';
		n[strlen(n) - lazy] = '\0';
		str_addf(out, "%s{\"name\":\"%s\",\"compute\":\"cams\",\"version\":\"1\",\"eager\":%s}", comma,
			 n, lazy ? "false" : "true");
		comma = ",";
	}
	str_addz(out, "],\"dependencies\":[");
	comma = "";
	for (char *n = strtok_r(pairs, " ", &rest); n; n = strtok_r(NULL, " ", &rest)) {
		char *child = strchr(n, '>');
		*child++ = '\0';
		str_addf(out, "%s{\"parent\":\"%s\",\"child\":\"%s\"}", comma, n, child);
		comma = ",";
	}
	str_addz(out, "]}");
	free(names);
	free(pairs);
}

/* Publishes JSON with these switches; its result, and p->e. */
static inline int plans_publish_with(struct plans *p, struct publish *how, struct span json)
{
	static const struct plan_options none = { NULL, NULL, 0 };
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;

	how->db = p->db;
	how->by = "me";
	return plan_parse("plan.json", json, "/", &none, &plan, &p->e) < 0 ? -1 :
	       publish_plan(how, &plan, &p->e);
}

static inline int plans_try(struct plans *p, struct publish *how, const char *dataset,
			    const char *products, const char *edges)
{
	struct str json CLEANUP(str_release) = STR_INIT;

	plans_json(&json, dataset, products, edges);
	return plans_publish_with(p, how, str_span(&json));
}

static inline void plans_publish(struct plans *p, const char *dataset, const char *products,
				 const char *edges)
{
	struct publish how CLEANUP(publish_release) = PUBLISH_INIT;

	rows_must(plans_try(p, &how, dataset, products, edges) == 0, "publish", p->e.msg);
}

/* "a=success b=failed": the result of steer_update(). */
static inline int plans_update(struct plans *p, const char *dataset, const char *words)
{
	struct states list CLEANUP(states_release) = STATES_INIT;
	char *copy = strdup(words), *rest = NULL;
	int rc = 0;

	for (char *w = strtok_r(copy, " ", &rest); w && rc == 0; w = strtok_r(NULL, " ", &rest))
		rc = states_operand(&list, w, &p->e);
	free(copy);
	return rc < 0 ? -1 : steer_update(&p->s, dataset, &list, &p->e);
}

/* The verb about these products: "a b"; NULL: none are named. */
static inline int plans_do(struct plans *p, const char *verb, const char *dataset,
			   const char *products)
{
	const char *v[32] = { NULL };
	char *copy = strdup(products ? products : ""), *rest = NULL;
	int n = 0;

	for (char *w = strtok_r(copy, " ", &rest); w && n < 31; w = strtok_r(NULL, " ", &rest))
		v[n++] = w;
	const struct chosen_which which = { products ? v : NULL, CHOSEN_FAILED };
	int rc = steer_run(&p->s, verb, dataset, &which, &p->e);
	free(copy);
	return rc;
}

/* "a=queued b=waiting": how the products of the dataset stand. */
static inline const char *plans_states(struct plans *p, const char *dataset)
{
	static char text[4096];
	sqlite3_stmt *s = rows_prepare(p->raw, "SELECT group_concat(product || '=' || state, ' ') FROM"
				       " (SELECT l.product, l.state FROM product_list l"
				       " JOIN datasets d ON d.name = l.dataset"
				       " JOIN data_products p ON p.dataset = d.id AND p.name = l.product"
				       " WHERE l.dataset = ?1 ORDER BY p.id)", NULL, 0);

	sqlite3_bind_text(s, 1, dataset, -1, SQLITE_STATIC);
	text[0] = '\0';
	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_text(s, 0))
		snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	return text;
}

/* produce_sends() in a transaction of its own; 1, or 0: the run is over. */
static inline int plans_sends(struct plans *p, int64_t product, struct id run_id, int64_t batch)
{
	struct err e = ERR_INIT;

	TX(tx);
	rows_must(tx_begin(&tx, p->db, &e) == 0, "tx_begin", e.msg);
	int rc = produce_sends(p->db, product, run_id, batch, &e);
	rows_must(rc >= 0 && tx_commit(&tx, &e) == 0, "produce_sends", e.msg);
	return rc;
}

/* The row of a product. */
static inline int64_t plans_row(struct plans *p, const char *dataset, const char *product)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	struct product v CLEANUP(product_release) = PRODUCT_INIT;
	struct err e = ERR_INIT;

	rows_must(dataset_find(p->db, dataset, &d, &e) == 0 &&
		  product_find(p->db, d.id, product, &v, &e) == 0, product, e.msg);
	return v.id;
}

/* What became of the last command: "a queued>running, b success>waiting". */
static inline const char *plans_moved(const struct cascade *c)
{
	static char text[4096];
	size_t n = 0;

	text[0] = '\0';
	for (int i = 0; i < c->n_moved && n < sizeof text - 200; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %s>%s", i ? ", " : "", c->moved[i].name,
				      c->moved[i].old == STATE_NONE ? "-" : state_text(c->moved[i].old),
				      state_text(c->moved[i].new));
	return text;
}

/* How many things are not as they must be after every command. */
static inline int64_t plans_wrong(sqlite3 *raw)
{
	static const char *const sql[] = {
		/* parents_left is what it says */
		"SELECT count(*) FROM data_products p WHERE p.parents_left <> (SELECT count(*)"
		" FROM dependencies d JOIN data_products q ON q.id = d.parent"
		" WHERE d.child = p.id AND q.state NOT IN (3, 5))",
		/* the counters are those of the rows */
		"SELECT count(*) FROM datasets d WHERE (waiting, queued, running, success, failed,"
		" disabled, ahead) IS NOT (SELECT sum(state = 0), sum(state = 1), sum(state = 2),"
		" sum(state = 3), sum(state = 4), sum(state = 5), sum(state BETWEEN 1 AND 4"
		" AND parents_left > 0) FROM data_products p WHERE p.dataset = d.id)"
		" AND EXISTS (SELECT 1 FROM data_products p WHERE p.dataset = d.id)",
		/* what can start is queued, unless the dataset is paused */
		"SELECT count(*) FROM data_products p JOIN datasets d ON d.id = p.dataset"
		" WHERE p.state = 0 AND p.eager = 1 AND p.parents_left = 0 AND NOT d.paused",
		/* numbers are those of the newest */
		"SELECT count(*) FROM datasets d WHERE products < coalesce((SELECT max(id) & 4294967295"
		" FROM data_products p WHERE p.dataset = d.id), 0) OR events <> (SELECT count(*)"
		" FROM events e WHERE e.id >> 32 = d.id)",
		/* the newest event of a product led to its state */
		"SELECT count(*) FROM data_products p WHERE p.state IS NOT (SELECT new FROM events e"
		" WHERE e.product = p.id ORDER BY id DESC LIMIT 1)",
		/* each began where the one before ended */
		"SELECT count(*) FROM (SELECT old, lag(new) OVER (PARTITION BY product ORDER BY id) AS was"
		" FROM events WHERE product IS NOT NULL) WHERE old IS NOT was",
		/* a waiting or disabled product has no run that could still be reported */
		"SELECT count(*) FROM data_products p WHERE state IN (0, 5) AND (worker IS NOT NULL"
		" OR resume <> 0 OR (run_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM retired_runs r"
		" WHERE r.product = p.id AND r.run_id = p.run_id)))",
		/* nothing is newer than the dataset's activity */
		"SELECT count(*) FROM data_products p JOIN datasets d ON d.id = p.dataset"
		" WHERE p.modified_us > d.active_us OR p.since_us > p.modified_us",
		"SELECT count(*) FROM datasets WHERE id NOT IN (SELECT id FROM dataset_texts)",
		"SELECT count(*) FROM pragma_foreign_key_check",
	};
	int64_t wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(sql); i++) {
		int64_t n = ROWS_INT(raw, sql[i]);
		if (n != 0)
			printf("# rule %zu: %lld rows\n", i, (long long)n);
		wrong += n;
	}
	return wrong;
}

#endif
