#include "domain/chosen.h"

#include "plans.h"

int main(void)
{
	static const char *const twice[] = { "k", "a", "k", NULL }, *const wrong[] = { "a", "x", NULL },
				 *const none[] = { NULL };
	struct chosen c CLEANUP(chosen_release) = CHOSEN_INIT;
	struct plans p;

	plans_open(&p, "db");
	plans_publish(&p, "plan", "a b k", "");
	int64_t a = plans_row(&p, "plan", "a"), ds = a >> 32;
	chosen_release(&c);
	CHECK(chosen_read(p.db, ds, &(struct chosen_which){ twice, 0 }, &c, &p.e) == 0 && c.n == 2,
	      "named products, each once");
	CHECK(c.ids[0] == a + 2 && c.ids[1] == a && strcmp(c.names[0], "k") == 0, "in the order given");
	chosen_release(&c);
	CHECK(chosen_read(p.db, ds, &(struct chosen_which){ wrong, 0 }, &c, &p.e) < 0 &&
	      p.e.code == ERR_NOTFOUND, "one that is not there");
	chosen_release(&c);
	CHECK(chosen_read(p.db, ds, &(struct chosen_which){ none, CHOSEN_ALL }, &c, &p.e) == 0 && c.n == 0,
	      "an empty list is not all of them");
	chosen_release(&c);
	CHECK(chosen_read(p.db, ds, &(struct chosen_which){ NULL, CHOSEN_FAILED }, &c, &p.e) == 0 &&
	      c.n == 0, "none has failed");
	rows_must(plans_update(&p, "plan", "b=failed") == 0 && plans_do(&p, "disable", "plan", "a") == 0,
		  "update", p.e.msg);
	chosen_release(&c);
	CHECK(chosen_read(p.db, ds, &(struct chosen_which){ NULL, CHOSEN_FAILED }, &c, &p.e) == 0 &&
	      c.n == 1 && c.ids[0] == a + 1 && !c.names[0], "one has");
	chosen_release(&c);
	CHECK(chosen_read(p.db, ds, &(struct chosen_which){ NULL, CHOSEN_ALL }, &c, &p.e) == 0 &&
	      c.n == 2 && c.ids[1] == a + 2, "all but the disabled");
	plans_close(&p);
	return unit_done();
}
