/* steps: a state file with plans whose products do something, and a worker that
 * may take them, for the tests of what runs plans. */
#ifndef FSL_STEPS_H
#define FSL_STEPS_H

#include "domain/lease.h"
#include "domain/worker.h"
#include "fixture.h"
#include "plans.h"

struct steps {
	struct plans p;
	struct worker me;
};

static inline void steps_open(struct steps *s, const char *name)
{
	const struct worker_new n = { .version = "1", .config = "{}" };
	struct err e = ERR_INIT;

	plans_open(&s->p, name);
	rows_must(worker_enter(s->p.db, &n, &s->me, &e) == 0, "worker_enter", e.msg);
}

static inline void steps_close(struct steps *s)
{
	struct err e = ERR_INIT;

	rows_must(worker_leave(s->p.db, &s->me, &e) == 0, "worker_leave", e.msg);
	plans_close(&s->p);
}

struct steps_product {
	const char *name, *compute, *passthrough;
};

/* A plan in unit_dir() of these products; edges as in plans_publish(). */
static inline void steps_publish(struct steps *s, const char *dataset,
				 const struct steps_product *v, int n, const char *edges)
{
	static const struct plan_options none = { NULL, NULL, 0 };
	struct publish how CLEANUP(publish_release) = PUBLISH_INIT;
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	struct str json CLEANUP(str_release) = STR_INIT;
	char *pairs = strdup(edges), *rest = NULL;
	struct err e = ERR_INIT;
	const char *comma = "";

	str_addf(&json, "{\"dataset\":{\"name\":\"%s\"},\"params\":{\"day\":\"7\"},\"data_products\":[", dataset);
	for (int i = 0; i < n; i++)
		str_addf(&json, "%s{\"name\":\"%s\",\"compute\":\"%s\",\"version\":\"1\",\"eager\":true,"
			 "\"passthrough\":%s}", i ? "," : "", v[i].name, v[i].compute, v[i].passthrough);
	str_addz(&json, "],\"dependencies\":[");
	for (char *p = strtok_r(pairs, " ", &rest); p; p = strtok_r(NULL, " ", &rest), comma = ",") {
		char *child = strchr(p, '>');
		*child++ = '\0';
		str_addf(&json, "%s{\"parent\":\"%s\",\"child\":\"%s\"}", comma, p, child);
	}
	str_addz(&json, "]}");
	free(pairs);
	how.db = s->p.db;
	how.by = "me";
	rows_must(plan_parse("plan.json", str_span(&json), unit_dir(), &none, &plan, &e) == 0 &&
		  publish_plan(&how, &plan, &e) == 0, "publish", e.msg);
}

static inline void steps_one(struct steps *s, const char *dataset, const char *compute,
			     const char *passthrough)
{
	const struct steps_product one = { "work", compute, passthrough };

	steps_publish(s, dataset, &one, 1, "");
}

/* Claims the product as this worker. */
static inline struct id steps_claim(struct steps *s, int64_t product)
{
	struct err e = ERR_INIT;
	struct id run;

	rows_must(lease_claim(s->p.db, product, s->me.id, &run, &e) == 1, "lease_claim", e.msg);
	return run;
}

/* A file in unit_dir(). */
static inline void steps_file(const char *name, const char *text)
{
	FILE *f = fopen(rows_path(name), "w");

	rows_must(f && fputs(text, f) >= 0 && fclose(f) == 0, name, "cannot be written");
}

#endif
