#include "domain/planrows.h"

#include "plans.h"

static char text[8192];

static int put(void *ctx, const struct row *r, struct err *e)
{
	size_t n = strlen(text);

	(void)ctx, (void)e;
	for (int i = 0; i < r->n; i++) {
		struct span v = row_span(r, i);
		n += (size_t)snprintf(text + n, sizeof text - n, "%s", i ? "|" : "");
		if (r->v[i].kind == ROW_INT)
			n += (size_t)snprintf(text + n, sizeof text - n, "%lld", (long long)r->v[i].n);
		else if (r->v[i].kind == ROW_TIME)
			n += (size_t)snprintf(text + n, sizeof text - n, "time");
		else
			n += (size_t)snprintf(text + n, sizeof text - n, "%.*s", r->v[i].kind ? (int)v.n : 1,
					      r->v[i].kind ? v.p : "-");
	}
	snprintf(text + n, sizeof text - n, "\n");
	return 0;
}

#define ROWS(call) (text[0] = '\0', (call) < 0 ? p.e.msg : text)

int main(void)
{
	struct plans p;
	struct planrows to = { .form = PLANROWS_PLAIN, .put = put };
	struct overview o CLEANUP(overview_release) = OVERVIEW_INIT;
	static const char *const one[] = { "a", NULL };
	bool more;

	plans_open(&p, "db");
	to.db = p.db;
	plans_publish(&p, "plan", "a b!", "a>b");
	rows_must(plans_update(&p, "plan", "a=success") == 0, "update", p.e.msg);
	ROWS_DO(p.raw, "UPDATE datasets SET uuid = zeroblob(16), active_us = 1000000");
	ROWS_DO(p.raw, "UPDATE data_products SET uuid = zeroblob(16) WHERE name = 'b'");

	CHECK_STR(ROWS(planrows_moved(&to, &p.s.c, &p.e)), "a|queued|success\n", "moves");
	CHECK_STR(ROWS(planrows_list(&to, NULL, 0, &more, &p.e)),
		  "plan|waiting|1/2|time|-|00000000-0000-0000-0000-000000000000\n", "a list");
	to.form = PLANROWS_TABLE;
	CHECK(strncmp(ROWS(planrows_list(&to, NULL, 0, &more, &p.e)), "plan|waiting|1/2|", 17) == 0 &&
	      !strstr(text, "time"), "in a table its age");
	to.form = PLANROWS_JSON;
	CHECK_STR(ROWS(planrows_list(&to, NULL, 0, &more, &p.e)),
		  "plan|waiting|1|2|0|time|false|00000000-0000-0000-0000-000000000000|-\n", "for programs");
	CHECK_STR(ROWS(planrows_ready(&to, "plan", &p.e)), "plan|b|waiting|cams|1|00000000-0000-0000-0000-"
		  "000000000000|00000000-0000-0000-0000-000000000000|-\n", "what is ready");
	to.form = PLANROWS_PLAIN;
	CHECK_STR(ROWS(planrows_ready(&to, NULL, &p.e)), "plan|b|waiting|cams|1|00000000-0000-0000-0000-"
		  "000000000000|00000000-0000-0000-0000-000000000000\n", "in all datasets");
	CHECK_STR(ROWS(planrows_ready(&to, "nosuch", &p.e)), "there is no dataset 'nosuch'", "or in none");
	rows_must(overview_read(p.db, "plan", NULL, &o, &p.e) == 0, "overview", p.e.msg);
	CHECK_STR(ROWS(planrows_show(&to, &o, &p.e)), "a|success|-|-|time|-|plan\nb|waiting|-|-|time|is not eager: "
		  "fletcher-plan trigger starts it|plan\n", "products");
	to.form = PLANROWS_TABLE;
	CHECK(strstr(ROWS(planrows_show(&to, &o, &p.e)), "starts it\n") != NULL,
	      "in a table without the dataset");
	CHECK_STR(ROWS(planrows_why(&to, "plan", NULL, &p.e)), "b|waiting|is not eager: fletcher-plan trigger "
		  "starts it\n", "why, of what has a reason");
	CHECK_STR(ROWS(planrows_why(&to, "plan", one, &p.e)), "a|success|-\n", "or of what is named");
	CHECK_STR(ROWS(planrows_history(&to, "plan", "a", &p.e)), "time|me|publish|a|-|waiting|-\n"
		  "time|me|publish|a|waiting|queued|-\ntime|me|update|a|queued|success|-\n", "history");
	CHECK_STR(ROWS(planrows_history(&to, "plan", "x", &p.e)), "Data product not found for: 'x'",
		  "of what is there");
	plans_close(&p);
	return unit_done();
}
