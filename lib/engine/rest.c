#include "engine/rest.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "domain/overview.h"
#include "store/side.h"

enum { LOOK_MS = 3000 };
enum { TIMEOUT, AT_REST, NOBODY };

enum { Q_ELSEWHERE };
static const char *const texts[] = {
	/* Whoever computes these needs no worker of ours. */
	[Q_ELSEWHERE] = "SELECT 1 FROM data_products WHERE dataset = ?1 AND state = 2"
			" AND (worker IS NULL OR compute = 'cams' OR compute = 'dbxaas') UNION ALL"
			" SELECT 1 FROM data_products WHERE dataset = ?1 AND state = 1 AND worker IS NULL"
			" AND (compute = 'cams' OR compute = 'dbxaas') LIMIT 1",
};
const struct stmt_set rest_sql = { "rest", texts, ARRAY_LEN(texts) };

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int elsewhere(struct db *db, int64_t id, struct err *e)
{
	STMT(q, db, &rest_sql, Q_ELSEWHERE);
	stmt_int(&q, 1, id);
	return stmt_step(&q, e);
}

static bool moves(const struct dataset *d)
{
	return d->count[STATE_QUEUED] + d->count[STATE_RUNNING] > 0;
}

static int wait_for(struct db *db, int64_t id, int64_t timeout_ms, struct dataset *d,
		    struct err *e)
{
	int bell CLEANUP(close_fd) = side_listen(db_side(db), e);
	int64_t end = clock_mono_ms() + timeout_ms;

	while (bell >= 0) {
		/* Before the dataset: a worker that has just left did all it could. */
		bool idle = !side_any_worker(db_side(db));
		int rc = dataset_get(db, id, d, e);
		if (rc == 0)
			return err_set(e, ERR_NOTFOUND, "the dataset was deleted");
		if (rc < 0 || !moves(d))
			return rc < 0 ? -1 : AT_REST;
		rc = idle ? elsewhere(db, id, e) : 1;
		if (rc <= 0)
			return rc < 0 ? -1 : NOBODY;
		int64_t left = timeout_ms < 0 ? LOOK_MS : end - clock_mono_ms();
		if (left <= 0)
			return TIMEOUT;
		struct pollfd p = { .fd = bell, .events = POLLIN };
		if (poll(&p, 1, (int)(left < LOOK_MS ? left : LOOK_MS)) < 0 && errno != EINTR)
			return err_sys(e, ERR_INTERNAL, "cannot wait");
		side_heard(bell);
	}
	return -1;
}

int rest_wait(struct db *db, const char *dataset, int64_t timeout_ms, struct err *e)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	struct str verdict CLEANUP(str_release) = STR_INIT;

	if (dataset_find(db, dataset, &d, e) < 0)
		return -1;
	int how = wait_for(db, d.id, timeout_ms, &d, e);
	if (how < 0)
		return -1;
	int status = dataset_exit(&d);
	overview_verdict(&d, &verdict);
	if (how == NOBODY)
		log_note("no worker is running, so nothing will end: fsl-run starts one");
	else if (how == TIMEOUT)
		log_note("the time is over and work remains; fletcher-plan why tells what it waits for");
	else if (status == 4)
		log_note("%s; fletcher-plan why tells what it waits for", str_z(&verdict));
	return status;
}
