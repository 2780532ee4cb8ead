#include "engine/gate.h"

#include "unit.h"

int main(void)
{
	struct gate g = GATE_INIT;

	CHECK(gate_is_open(&g, 1, 0) && gate_is_open(&g, 1, INT64_MAX), "no gate is closed at first");
	gate_close(&g, 1, 500);
	CHECK(!gate_is_open(&g, 1, 0) && !gate_is_open(&g, 1, 499), "closed until then");
	CHECK(gate_is_open(&g, 1, 500) && gate_is_open(&g, 1, 501), "open from then on");
	CHECK(gate_is_open(&g, 2, 499), "others are open");
	gate_close(&g, 1, 400);
	CHECK(!gate_is_open(&g, 1, 499), "an earlier time changes nothing");
	gate_close(&g, 1, 700);
	CHECK(!gate_is_open(&g, 1, 699) && gate_is_open(&g, 1, 700), "the later of two times counts");
	gate_close(&g, 2, 600);
	CHECK(!gate_is_open(&g, 2, 599) && gate_is_open(&g, 2, 600) && !gate_is_open(&g, 1, 600),
	      "each bucket has its own");
	for (int64_t i = 10; i < 3000; i++)
		gate_close(&g, i, 1000 + i);
	int wrong = 0;
	for (int64_t i = 10; i < 3000; i++)
		wrong += gate_is_open(&g, i, 999 + i) || !gate_is_open(&g, i, 1000 + i);
	CHECK_INT(wrong, 0, "thousands of them");
	CHECK(gate_is_open(&g, 2999, 5000) && gate_is_open(&g, 1, 5000), "after the last all are open");
	gate_close(&g, 1, 6000);
	CHECK(!gate_is_open(&g, 1, 5500) && gate_is_open(&g, 2, 5500), "and can be closed again");
	gate_release(&g);
	CHECK(gate_is_open(&g, 1, 5500), "released: all are open");
	gate_close(&g, 1, 10);
	CHECK(!gate_is_open(&g, 1, 9) && gate_is_open(&g, 1, 10), "and usable again");
	gate_wall(&g, 1, 400);
	gate_close(&g, 2, 450);
	gate_wall(&g, 2, 400);
	CHECK(!gate_is_open(&g, 1, 399) && gate_is_open(&g, 1, 400), "a wall stands until then");
	gate_success(&g, 1);
	gate_success(&g, 2);
	gate_success(&g, 3);
	CHECK(gate_is_open(&g, 1, 300) && gate_is_open(&g, 3, 0), "or until something succeeds");
	CHECK(!gate_is_open(&g, 2, 449), "but what the server wants, it wants all the same");
	gate_wall(&g, 1, 400);
	CHECK(!gate_is_open(&g, 1, 300), "the next one stands again");
	gate_release(&g);
	gate_release(&g);
	return unit_done();
}
