#include "domain/dag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "unit.h"

static void name_of(void *ctx, uint32_t node, struct str *out)
{
	(void)ctx;
	str_addc(out, (char)('a' + node % 26));
	if (node >= 26)
		str_addf(out, "%u", node / 26);
}

/* "ab bc" is a>b, b>c. */
static struct dag *graph(uint32_t n, const char *edges)
{
	struct dag *d = dag_new(n);

	for (const char *p = edges; *p; p += p[2] ? 3 : 2)
		dag_edge(d, (uint32_t)(p[0] - 'a'), (uint32_t)(p[1] - 'a'));
	return d;
}

static const char *order_of(uint32_t n, const char *edges)
{
	static char text[64];
	struct dag *d CLEANUP(dag_cleanup) = graph(n, edges);
	const uint32_t *order;
	uint32_t found = dag_order(d, &order);

	for (uint32_t i = 0; i < found; i++)
		text[i] = (char)('a' + order[i]);
	text[found] = '\0';
	return text;
}

static const char *cycle_of(uint32_t n, const char *edges)
{
	static char text[64];
	struct dag *d CLEANUP(dag_cleanup) = graph(n, edges);
	struct str out CLEANUP(str_release) = STR_INIT;
	const uint32_t *order;

	if (dag_order(d, &order) == n)
		return "none";
	dag_cycle_text(d, name_of, NULL, &out);
	snprintf(text, sizeof text, "%s", str_z(&out));
	return text;
}

static void orders(void)
{
	CHECK_STR(order_of(0, ""), "", "nothing");
	CHECK_STR(order_of(3, ""), "abc", "without edges: by number");
	CHECK_STR(order_of(3, "cb ba"), "cba", "parents before children");
	CHECK_STR(order_of(4, "ac bc cd"), "abcd", "all parents");
	CHECK_STR(order_of(4, "db ad ab ac"), "adcb", "in the order of the edges");
	CHECK_STR(order_of(2, "ab ab ab"), "ab", "the same edge thrice");
}

static void cycles(void)
{
	CHECK_STR(cycle_of(3, "ab bc"), "none", "no cycle");
	CHECK_STR(cycle_of(3, "ab bc ca"), "a -> b -> c -> a", "a cycle");
	CHECK_STR(cycle_of(1, "aa"), "a -> a", "an edge to itself");
	CHECK_STR(cycle_of(2, "ba ab"), "a -> b -> a", "it begins with the lowest");
	CHECK_STR(cycle_of(6, "ab bc de ed ef fb"), "d -> e -> d",
		  "what leads to a cycle or comes from it is not part of it");
	struct dag *d CLEANUP(dag_cleanup) = dag_new(100);
	struct str out CLEANUP(str_release) = STR_INIT;
	const uint32_t *order;
	for (uint32_t i = 0; i < 100; i++)
		dag_edge(d, i, (i + 1) % 100);
	CHECK_INT(dag_order(d, &order), 0, "a hundred on a cycle");
	dag_cycle_text(d, name_of, NULL, &out);
	CHECK_STR(str_z(&out), "a -> b -> c -> d -> e -> f -> g -> h -> … (90 more) -> u3 -> v3 -> a",
		  "a long one is shortened");
	dag_edge(d, 3, 7);
	CHECK_INT(dag_order(d, &order), 0, "an edge more, ordered again");
}

/* Every order is right, every cycle is one. */
static void random_graphs(void)
{
	struct rng r;
	int with = 0, without = 0;
	bool right = true;

	rng_seed(&r, 1);
	for (int round = 0; round < 3000; round++) {
		uint32_t n = 1 + (uint32_t)rng_below(&r, 12), m = (uint32_t)rng_below(&r, 20);
		bool edges[12][12] = { { false } };
		struct dag *d CLEANUP(dag_cleanup) = dag_new(n);
		const uint32_t *v;
		for (uint32_t i = 0; i < m; i++) {
			uint32_t a = (uint32_t)rng_below(&r, n), b = (uint32_t)rng_below(&r, n);
			edges[a][b] = true;
			dag_edge(d, a, b);
		}
		if (dag_order(d, &v) == n) {
			for (uint32_t i = 0; i < n; i++)
				for (uint32_t k = 0; k <= i; k++)
					right = right && !edges[v[i]][v[k]];
			without++;
			continue;
		}
		uint32_t len = dag_cycle(d, &v);
		right = right && len > 0;
		for (uint32_t i = 0; i < len; i++)
			right = right && edges[v[i]][v[(i + 1) % len]] && v[i] >= v[0];
		with++;
	}
	CHECK(right, "3,000 random graphs: orders are orders, cycles are cycles");
	CHECK(with > 500 && without > 500, "of both kinds (%d, %d)", with, without);
}

enum { LONG = 1000000 };

/* In a process of its own: execv() to itself makes the limit count. */
static void deep(void)
{
	struct dag *d CLEANUP(dag_cleanup) = dag_new(LONG);
	const uint32_t *v;

	for (uint32_t i = 0; i + 1 < LONG; i++)
		dag_edge(d, i, i + 1);
	int64_t start = clock_mono_ms();
	if (dag_order(d, &v) != LONG)
		exit(1);
	dag_edge(d, LONG - 1, 0);
	if (dag_order(d, &v) != 0 || dag_cycle(d, &v) != LONG || clock_mono_ms() - start > 10000)
		exit(1);
	exit(0);
}

int main(int argc, char **argv)
{
	char command[4300];

	if (argc > 1)
		deep();
	orders();
	cycles();
	random_graphs();
	snprintf(command, sizeof command, "ulimit -s 256; exec '%s' deep", argv[0]);
	CHECK_INT(system(command), 0, "a chain of a million, and a cycle, with a stack of 256 KiB");
	dag_free(NULL);
	return unit_done();
}
