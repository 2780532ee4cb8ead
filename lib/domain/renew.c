#include "domain/renew.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "domain/ending.h"
#include "domain/import.h"

enum { LINE_BYTES = 512 << 20 }; /* the most that --max-line takes */

#define UNSENT (1u << REQUEST_FAILED | 1u << REQUEST_CANCELLED | 1u << REQUEST_EXPIRED)
#define ENDED (UNSENT | 1u << REQUEST_COMPLETED)

/* The lines of what is chosen, on their way into a file. */
struct lines {
	struct db *db;
	const struct batch *b;
	FILE *out;     /* unnamed; NULL: they are only counted */
	struct str raw;
};

static void lines_release(struct lines *l)
{
	if (l->out)
		fclose(l->out);
	str_release(&l->raw);
}

static int on_row(void *ctx, const struct select_row *r, struct err *e)
{
	struct lines *l = ctx;

	if (!l->out)
		return 0;
	str_reset(&l->raw);
	int rc = file_line(l->db, l->b->file, request_line(r->row), &l->raw, e);
	if (rc == 0)
		return err_set(e, ERR_STATE, "its file was deleted: there is nothing to send again");
	if (rc < 0)
		return -1;
	str_addc(&l->raw, '\n');
	if (fwrite(l->raw.p, 1, l->raw.n, l->out) != l->raw.n)
		return err_sys(e, ERR_IO, "cannot write a temporary file");
	return 0;
}

static int64_t choose(struct lines *l, const struct select *f, struct err *e)
{
	struct select g = *f;

	g.bare = true;
	if (g.states == 0 && !g.retrying)
		g.states = g.custom_ids ? ENDED : UNSENT;
	g.states &= g.custom_ids ? ENDED : UNSENT;
	if (g.states == 0) {
		err_set(e, ERR_USAGE, "only requests that have ended can be sent once more");
		return err_hint(e, "completed ones are named by --custom-id");
	}
	g.retrying = false;
	/* They would have expired before. */
	if (!l->out && ending_due(l->b, clock_wall_ms()) && g.states & 1u << REQUEST_EXPIRED)
		g.states |= 1u << REQUEST_PENDING;
	return select_each(l->db, l->b, &g, on_row, l, e);
}

int64_t renew_count(struct db *db, const struct batch *b, const struct select *f,
		    struct err *e)
{
	struct lines l CLEANUP(lines_release) = { .db = db, .b = b };

	return choose(&l, f, e);
}

/* They were checked when they were imported first. */
static int import(struct lines *l, const struct batch *b, struct file *out, struct err *e)
{
	struct file from CLEANUP(file_release) = FILE_INIT;
	struct import im = IMPORT_INIT;
	char path[64];

	if (file_get(l->db, b->file, &from, e) < 0)
		return -1;
	if (fflush(l->out) != 0)
		return err_sys(e, ERR_IO, "cannot write a temporary file");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(l->out));
	im.path = path;
	im.filename = from.filename;
	im.automatic = im.if_absent = true;
	im.rules.allow_secrets = true;
	im.max_line = LINE_BYTES;
	return import_run(l->db, &im, out, e);
}

int64_t renew_batch(struct db *db, const struct batch *b, const struct select *f,
		    int64_t window_ms, struct batch *out, struct err *e)
{
	struct lines l CLEANUP(lines_release) = { .db = db, .b = b, .out = tmpfile() };
	struct file file CLEANUP(file_release) = FILE_INIT;
	struct batch_new n = {
		.base_url = b->base_url, .endpoint = b->endpoint, .key_ref = b->key_ref,
		.key_header = b->key_header, .headers = b->headers, .metadata = b->metadata,
		.priority = b->priority, .send = &b->send,
		.window_ms = window_ms > 0 ? window_ms : b->window_ms,
	};
	bool existed;

	if (!l.out)
		return err_sys(e, ERR_IO, "cannot make a temporary file");
	int64_t chosen = choose(&l, f, e);
	if (chosen <= 0)
		return chosen;
	if (import(&l, b, &file, e) < 0)
		return -1;
	n.file = file.id;
	return batch_create(db, &n, out, &existed, e) < 0 ? -1 : chosen;
}
