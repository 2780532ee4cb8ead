#include "engine/watch.h"

#include "domain/ending.h"
#include "rows.h"

static struct rows r;
static struct watch w;
static struct desk_words words;
static struct err e;

enum { ME = 1, OTHER = 2, GRACE = 1000 };

/* What the network thread is told then, when so many flights are out. */
static const char *told(int64_t now_ms, int outstanding)
{
	static char text[400];
	size_t n = 0;

	desk_words_clear(&words);
	rows_must(watch_look(&w, r.db, outstanding, now_ms, &words, &e) == 0, "watch_look", e.msg);
	text[0] = '\0';
	for (int i = 0; i < words.n; i++) {
		const struct desk_word *d = &words.v[i];
		const char *what[] = { [DESK_RECHECK] = "recheck", [DESK_CUT_BATCH] = "batch",
				       [DESK_CUT_ROW] = "row", [DESK_KEEP] = "keep",
				       [DESK_HALT_BATCH] = "halt", [DESK_HALT_ROW] = "halt row" };
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "", what[d->what]);
		bool row = d->what == DESK_CUT_ROW || d->what == DESK_HALT_ROW;
		if (row || d->what == DESK_CUT_BATCH || d->what == DESK_HALT_BATCH)
			n += (size_t)snprintf(text + n, sizeof text - n, " %u",
					      row ? request_line(d->id) : (unsigned)d->id);
		for (int64_t k = 0; d->what == DESK_KEEP && k < d->n; k++)
			n += (size_t)snprintf(text + n, sizeof text - n, " %u", request_line(d->rows[k]));
	}
	return text;
}

static struct request_started start(int64_t worker, int64_t row)
{
	struct request_started s = { 0 };

	rows_begin(&r);
	rows_must(rows_start(&r, worker, row, &s) == 1, "start", "not pending");
	rows_commit(&r);
	return s;
}

static void begin(void)
{
	watch_release(&w);
	watch_init(&w, ME, GRACE);
}

static void windows(void)
{
	int64_t id = rows_batch(&r, 1, 5, 0);

	begin();
	CHECK_STR(told(1000, 0), "", "nothing is recalled: no word");
	CHECK(!watch_has_work(&w) && watch_next(&w) == 0, "nothing to do, ever");
	ROWS_DO(r.raw, "UPDATE batches SET expires_ms = 5000 WHERE id = ?1", id);
	start(ME, request_row(id, 1));
	CHECK_STR(told(2000, 1), "", "a window that ends later");
	CHECK(!watch_has_work(&w) && watch_next(&w) == 5000, "is looked at then");
	CHECK_STR(told(5000, 1), "recheck, halt 1", "it ends: what lies ready comes back");
	CHECK(watch_has_work(&w) && watch_next(&w) == 6000, "what is pending has to be ended");
	CHECK_STR(told(5500, 1), "", "that is said once");
	CHECK_STR(told(6000, 1), "recheck, batch 1", "after the grace what is in flight is cut off");
	CHECK_STR(told(7000, 1), "", "once");
	CHECK(watch_has_work(&w), "as long as something is pending");
	/* By the clock my flight is overdue as well. */
	CHECK_INT(ending_expire(r.db, id, &e), 5, "it expires");
	CHECK_STR(told(7000, 0), "", "no word for that");
	CHECK(!watch_has_work(&w), "and nothing is left to do");
}

static void cancels(void)
{
	int64_t id = rows_batch(&r, 1, 8, 0);

	begin();
	for (uint32_t line = 1; line <= 4; line++)
		start(ME, request_row(id, line));
	CHECK_STR(told(1000, 4), "", "nothing is cancelled");
	rows_begin(&r);
	rows_must(request_cancel(&r.t, request_row(id, 2), false, 1000, &e) == 2, "cancel", e.msg);
	rows_commit(&r);
	CHECK_STR(told(1000, 4), "recheck, halt row 2", "a request is cancelled: it is not sent, if it was not");
	CHECK_STR(told(1000, 4), "", "once");
	rows_begin(&r);
	rows_must(request_cancel(&r.t, request_row(id, 2), true, 1100, &e) == 2, "cancel", e.msg);
	rows_must(request_cancel(&r.t, request_row(id, 3), true, 1100, &e) == 2, "cancel", e.msg);
	rows_commit(&r);
	CHECK_STR(told(1100, 4), "recheck, row 2, row 3", "with --now it is cut off");
	CHECK_STR(told(1100, 4), "", "once");
	ROWS_DO(r.raw, "UPDATE batches SET status = 5 WHERE id = ?1", id);
	CHECK_STR(told(1200, 4), "recheck, halt 2, row 2, row 3", "the batch is cancelled: nothing of it is sent");
	ROWS_DO(r.raw, "UPDATE batches SET abort_ms = 1500 WHERE id = ?1", id);
	CHECK_STR(told(1500, 4), "recheck, batch 2, row 2, row 3", "with --now all is cut off");
	CHECK_STR(told(1500, 4), "", "once");
	CHECK(!watch_has_work(&w), "what comes back settles it: there is no other work");
}

/* Somebody else has ended what flies here. */
static void robbed(void)
{
	int64_t id = rows_batch(&r, 1, 6, 0);
	struct request_started s[4];

	begin();
	ROWS_DO(r.raw, "DELETE FROM flights");
	ROWS_DO(r.raw, "DELETE FROM recalls");
	ROWS_DO(r.raw, "DELETE FROM shares");
	ROWS_DO(r.raw, "UPDATE batches SET status = 6 WHERE id <> ?1", id);
	for (int i = 0; i < 4; i++)
		s[i] = start(i < 3 ? ME : OTHER, request_row(id, (uint32_t)i + 1));
	CHECK_STR(told(1000, 3), "", "all three that are out are in the file");
	CHECK_STR(told(1000, 2), "", "so are those that have ended and are not settled yet");
	struct request_end end = rows_end(&s[1], ME, VERDICT_FAILED);
	rows_begin(&r);
	rows_must(rows_settle(&r, &end) == 1, "settle", "lost");
	rows_commit(&r);
	CHECK_STR(told(1000, 3), "keep 1 3", "one is not: the others are kept");
	CHECK_STR(told(1000, 3), "keep 1 3", "till it has come back");
	CHECK_STR(told(1000, 2), "", "then all is well");
	rows_begin(&r);
	for (int i = 0; i < 3; i += 2) {
		end = rows_end(&s[i], ME, VERDICT_COMPLETED);
		rows_must(rows_settle(&r, &end) == 1, "settle", "lost");
	}
	rows_commit(&r);
	CHECK_STR(told(1000, 2), "keep", "none is: none is kept");
	CHECK_STR(told(1000, 0), "", "nothing is out");
}

/* What others do not end is overdue: there is work. */
static void overdue(void)
{
	int64_t id = rows_batch(&r, 1, 2, 0);

	begin();
	ROWS_DO(r.raw, "DELETE FROM flights");
	ROWS_DO(r.raw, "DELETE FROM shares");
	ROWS_DO(r.raw, "UPDATE batches SET status = 6 WHERE id <> ?1", id);
	ROWS_DO(r.raw, "UPDATE requests SET state = 4 WHERE id = ?1", request_row(id, 2));
	ROWS_DO(r.raw, "UPDATE queues SET pending = 1 WHERE batch = ?1", id);
	ROWS_DO(r.raw, "UPDATE batches SET pending = 1, cancelled = 1, expires_ms = 5000 WHERE id = ?1", id);
	start(OTHER, request_row(id, 1));
	int64_t due = 5000 + RECALL_GRACE_MS + RECALL_SLACK_MS;
	told(6000, 0);
	CHECK(!watch_has_work(&w) && watch_next(&w) == due, "another worker has its time");
	told(due, 0);
	CHECK(watch_has_work(&w), "then there is something to be settled for it");
}

int main(void)
{
	rows_open(&r, "db");
	windows();
	cancels();
	robbed();
	overdue();
	watch_release(&w);
	desk_words_clear(&words);
	free(words.v);
	rows_close(&r);
	return unit_done();
}
