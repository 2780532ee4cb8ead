#include "engine/follow.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/side.h"

enum { LOOK_MS = 3000 };

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd >= 0 && poll(&p, 1, 0) > 0;
}

/* Sleeps until somebody rings or there is a reason to stop. */
static int wait_for_bell(int bell, const struct follow *f, struct err *e)
{
	struct pollfd p[] = {
		{ .fd = bell, .events = POLLIN },
		{ .fd = f->stop_fd, .events = POLLIN },
		{ .fd = f->reader_fd, .events = 0 },
	};

	if (poll(p, ARRAY_LEN(p), LOOK_MS) < 0 && errno != EINTR)
		return err_sys(e, ERR_INTERNAL, "cannot wait");
	side_heard(bell);
	if (p[2].revents & (POLLERR | POLLNVAL))
		return err_set(e, ERR_PIPE, "the reader went away");
	return 0;
}

int follow_results(struct db *db, int64_t id, struct follow *f, result_fn *fn, void *ctx,
		   struct result_counts *counts, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	int bell CLEANUP(close_fd) = side_listen(db_side(db), e);
	bool told = !f->tell_idle;

	f->results.completion_order = true;
	while (bell >= 0) {
		/* Both are looked at before the batch is: what ended until then is
		 * in what is read afterwards. */
		bool stop = readable(f->stop_fd), idle = !side_any_worker(db_side(db));
		if (batch_get(db, id, &b, e) < 0 ||
		    result_each(db, &b, &f->results, &f->after, fn, ctx, counts, e) < 0 ||
		    (f->caught_up && f->caught_up(ctx, e) < 0))
			return -1;
		if (batch_terminal(b.status) || stop)
			return batch_terminal(b.status);
		if (idle && !told) {
			told = true;
			log_note("no worker is running: fsl-run starts one");
		}
		if (wait_for_bell(bell, f, e) < 0)
			return -1;
	}
	return -1;
}

/* How many of them are terminal. */
static int count_ended(struct db *db, const int64_t *batches, int n, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	int ended = 0;

	for (int i = 0; i < n; i++) {
		if (batch_get(db, batches[i], &b, e) < 0)
			return -1;
		ended += batch_terminal(b.status);
	}
	return ended;
}

int follow_wait(struct db *db, const int64_t *batches, int n, bool any, int64_t timeout_ms,
		struct err *e)
{
	int bell CLEANUP(close_fd) = side_listen(db_side(db), e);
	int64_t end = clock_mono_ms() + timeout_ms;

	while (bell >= 0) {
		/* Before the batches: a worker that has just left did all it could. */
		bool idle = !side_any_worker(db_side(db));
		int ended = count_ended(db, batches, n, e);
		if (ended < 0)
			return -1;
		if (ended == n || (any && ended > 0))
			return FOLLOW_ENDED;
		if (idle)
			return FOLLOW_NOBODY;
		int64_t left = timeout_ms < 0 ? LOOK_MS : end - clock_mono_ms();
		if (left <= 0)
			return FOLLOW_TIMEOUT;
		struct pollfd p = { .fd = bell, .events = POLLIN };
		if (poll(&p, 1, (int)(left < LOOK_MS ? left : LOOK_MS)) < 0 && errno != EINTR)
			return err_sys(e, ERR_INTERNAL, "cannot wait");
		side_heard(bell);
	}
	return -1;
}

int follow_exit(struct db *db, const int64_t *batches, int n, bool any, int64_t timeout_ms,
		struct err *e)
{
	static const int rank[] = { [0] = 0, [3] = 1, [1] = 2, [4] = 3 };
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	int how = follow_wait(db, batches, n, any, timeout_ms, e), worst = 0;

	if (how < 0)
		return -1;
	if (how == FOLLOW_NOBODY)
		log_note("no worker is running, so nothing will end: fsl-run starts one");
	else if (how == FOLLOW_TIMEOUT)
		log_note("the time is over and work remains");
	for (int i = 0; i < n; i++) {
		if (batch_get(db, batches[i], &b, e) < 0)
			return -1;
		int status = batch_exit(&b);
		if (rank[status] > rank[worst] && (!any || status != 4))
			worst = status;
	}
	return how == FOLLOW_ENDED ? worst : 4;
}
