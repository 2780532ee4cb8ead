#include "engine/stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/outfile.h"
#include "base/sig.h"
#include "engine/follow.h"

struct stream {
	struct db *db;
	int64_t batch;
	struct outfile *out;
	int stop_fd, gone_fd;
	pthread_t thread;
	int rc;           /* the thread's until it has ended; so is the next */
	struct err error;
};

static int on_line(void *ctx, int64_t row, bool success, struct span line, struct err *e)
{
	struct stream *s = ctx;

	(void)row;
	(void)success;
	if (outfile_write(s->out, line, e) < 0)
		return -1;
	return outfile_write(s->out, SPAN_LIT("\n"), e);
}

static int on_caught_up(void *ctx, struct err *e)
{
	struct stream *s = ctx;

	return outfile_flush(s->out, e);
}

static void *thread_main(void *arg)
{
	struct stream *s = arg;
	struct result_counts counts = { 0 };
	struct follow f = FOLLOW_INIT;

	f.results = (struct result_options){ .successes = true, .completion_order = true };
	f.stop_fd = s->stop_fd;
	f.reader_fd = STDOUT_FILENO;
	f.caught_up = on_caught_up;
	int rc = follow_results(s->db, s->batch, &f, on_line, s, &counts, &s->error);
	if (rc >= 0)
		rc = outfile_commit(s->out, &s->error) < 0 ? -1 : 1;
	s->rc = rc < 0 && s->error.code == ERR_PIPE ? 0 : rc;
	uint64_t one = 1;
	if (s->rc <= 0 && write(s->gone_fd, &one, sizeof one) < 0)
		return NULL;
	return NULL;
}

static void free_stream(struct stream *s)
{
	db_close(s->db);
	outfile_close(s->out);
	if (s->stop_fd >= 0)
		close(s->stop_fd);
	if (s->gone_fd >= 0)
		close(s->gone_fd);
	free(s);
}

static int open_fds(struct stream *s, struct err *e)
{
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->gone_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return s->stop_fd < 0 || s->gone_fd < 0 ? err_sys(e, ERR_INTERNAL, "eventfd") : 0;
}

struct stream *stream_start(const char *db_path, int64_t batch, struct err *e)
{
	struct stream *s = mem_alloc(sizeof *s);

	s->batch = batch;
	s->stop_fd = s->gone_fd = -1;
	/* Standard output first: if it is closed, the next to open would be it. */
	s->out = outfile_open("-", e);
	s->db = s->out ? db_open(db_path, DB_EXISTING, e) : NULL;
	if (!s->db || open_fds(s, e) < 0) {
		free_stream(s);
		return NULL;
	}
	if (pthread_create(&s->thread, NULL, thread_main, s) != 0)
		BUG("cannot start a thread");
	return s;
}

int stream_gone_fd(const struct stream *s)
{
	return s->gone_fd;
}

int stream_stop(struct stream *s, struct err *e)
{
	uint64_t one = 1;

	sig_restore(); /* all is on disk, and the reader may be one who never reads */
	if (write(s->stop_fd, &one, sizeof one) < 0)
		BUG("cannot tell the thread");
	pthread_join(s->thread, NULL);
	int rc = s->rc;
	if (rc < 0)
		*e = s->error;
	free_stream(s);
	return rc;
}
