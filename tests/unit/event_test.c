#include "domain/event.h"

#include "plans.h"

static char listed[4096];
static int n;

static int list(void *ctx, const struct event *v, struct err *e)
{
	size_t at = strlen(listed);

	(void)ctx, (void)e;
	n++;
	snprintf(listed + at, sizeof listed - at, "%s %s %s %s>%s%s\n", v->user, v->command,
		 v->product ? v->product : "-", v->old ? v->old : "-", v->new ? v->new : "-",
		 v->has_run ? " run" : "");
	return 0;
}

static const char *history(struct plans *p, int64_t ds, int64_t product)
{
	listed[0] = '\0';
	n = 0;
	rows_must(event_each(p->db, ds, product, list, NULL, &p->e) == 0, "event_each", p->e.msg);
	return listed;
}

int main(void)
{
	struct plans p;

	plans_open(&p, "db");
	plans_publish(&p, "plan", "a b", "a>b");
	plans_publish(&p, "other", "a", "");
	rows_must(plans_update(&p, "plan", "a=success") == 0 && steer_pause(&p.s, "plan", true, &p.e) == 1 &&
		  plans_do(&p, "retry", "plan", "a") == 0, "commands", p.e.msg);
	int64_t a = plans_row(&p, "plan", "a"), ds = a >> 32;
	CHECK_STR(history(&p, ds, 0),
		  "me publish - ->active\n"
		  "me publish a ->waiting\nme publish b ->waiting\nme publish a waiting>queued\n"
		  "me update a queued>success\nme update b waiting>queued\n"
		  "me pause - active>paused\n"
		  "me retry a success>queued run\nme retry b queued>waiting\n", "every change, in order");
	CHECK_STR(history(&p, ds, a), "me publish a ->waiting\nme publish a waiting>queued\n"
		  "me update a queued>success\nme retry a success>queued run\n", "of one product");
	for (int i = 0; i < 600; i++)
		rows_must(plans_update(&p, "other", i % 2 ? "a=failed" : "a=running") == 0, "update", p.e.msg);
	history(&p, plans_row(&p, "other", "a") >> 32, 0);
	CHECK_INT(n, 603, "more than a page");
	history(&p, ds, 0);
	CHECK_INT(n, 9, "of one dataset");
	CHECK_INT(plans_wrong(p.raw), 0, "the file is sound");
	plans_close(&p);
	return unit_done();
}
