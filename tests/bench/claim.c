/* claim: what it costs to claim and start requests; for the benchmarks.
 *
 *     claim [-n REQUESTS] [-k CHUNK] STATE_FILE BATCH
 *
 * Claims and starts REQUESTS (1000) pending requests of the batch, CHUNK (50)
 * at a time, in one transaction that is rolled back: the file stays as it is.
 * A first round, not counted, fills the page cache.  Prints the microseconds
 * per request, without the commit. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "domain/batch.h"
#include "domain/claim.h"
#include "domain/request.h"
#include "store/tx.h"

enum { CHUNK_MAX = 10000, WORKER = 1 };

struct plan {
	int64_t requests, chunk;
	struct db *db;
	int64_t batch;
};

static void drop_claim(struct claim **c)
{
	claim_free(*c);
}

/* One chunk; how many were started. */
static int start_some(const struct plan *p, struct claim *c, struct tally *t, int want,
		      struct err *e)
{
	struct claim_row rows[CHUNK_MAX];
	int64_t now = clock_wall_ms();
	struct request_started s;
	int n = claim_next(c, p->db, now, rows, want, e);

	for (int i = 0; i < n; i++)
		if (request_start(t, WORKER, 0, rows[i].row, now, &s, e) != 1)
			return e->code ? -1 : err_set(e, ERR_INTERNAL, "a claimed row is not pending");
	return n;
}

/* Microseconds per request, -1 on failure. */
static double measure(const struct plan *p, struct err *e)
{
	struct claim *c CLEANUP(drop_claim) = claim_new(&p->batch, 1, NULL);
	struct tally t CLEANUP(tally_release) = { 0 };
	int64_t done = 0;

	TX(tx);
	if (tx_begin(&tx, p->db, e) < 0)
		return -1;
	tally_begin(&t, p->db);
	int64_t begin = clock_mono_us();
	while (done < p->requests) {
		int64_t left = p->requests - done;
		int n = start_some(p, c, &t, (int)(left < p->chunk ? left : p->chunk), e);
		if (n <= 0)
			return n < 0 ? -1 : err_set(e, ERR_INPUT, "only %lld requests are pending",
						    (long long)done);
		done += n;
	}
	if (tally_flush(&t, clock_wall_ms(), e) < 0)
		return -1;
	return (double)(clock_mono_us() - begin) / (double)done;
}

static int read_options(struct plan *p, int argc, char **argv, struct err *e)
{
	int opt, bad = 0;

	while (!bad && (opt = getopt(argc, argv, "n:k:")) != -1) {
		switch (opt) {
		case 'n': bad = num_int(optarg, 1, 1000000000, &p->requests, e); break;
		case 'k': bad = num_int(optarg, 1, CHUNK_MAX, &p->chunk, e); break;
		default: bad = err_set(e, ERR_USAGE, "unknown option");
		}
	}
	if (!bad && optind + 2 != argc)
		bad = err_set(e, ERR_USAGE, "claim [-n REQUESTS] [-k CHUNK] STATE_FILE BATCH");
	return bad;
}

static int run(struct plan *p, int argc, char **argv, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;

	if (read_options(p, argc, argv, e) < 0)
		return -1;
	struct db *db CLEANUP(db_cleanup) = p->db = db_open(argv[optind], DB_EXISTING, e);
	if (!db || batch_find(db, argv[optind + 1], &b, e) < 0)
		return -1;
	p->batch = b.id;
	double us = measure(p, e);
	if (us >= 0)
		us = measure(p, e);
	if (us < 0)
		return -1;
	printf("%.2f\n", us);
	return 0;
}

int main(int argc, char **argv)
{
	struct plan p = { .requests = 1000, .chunk = 50 };
	struct err e = ERR_INIT;

	log_init("claim", LOG_NOTE, false);
	if (run(&p, argc, argv, &e) == 0)
		return 0;
	log_error("%s", e.msg);
	return 1;
}
