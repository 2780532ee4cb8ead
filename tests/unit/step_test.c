/* step: a product from the claim to the report. */
#include "engine/step.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "domain/produce.h"
#include "steps.h"

static struct steps s;
static struct err e;
static struct compute compute = COMPUTE_INIT;
static struct str why = STR_INIT;

static int claim(const char *dataset, bool allow, struct step **out)
{
	struct product p CLEANUP(product_release) = PRODUCT_INIT;
	const struct step_options o = { .db = s.p.db, .worker = s.me.id, .compute = &compute,
					.allow_exec = allow, .may_command = true };

	str_reset(&why);
	*out = NULL;
	rows_must(product_get(s.p.db, plans_row(&s.p, dataset, "work"), &p, &e) == 1, dataset, e.msg);
	return step_claim(&o, &p, out, &why, &e);
}

/* Until it is over, or for 20 s; what step_work() said. */
static int work(struct step *t)
{
	int64_t end = clock_mono_ms() + 20000, due;
	struct pollfd fds[CHILD_FDS];
	int rc;

	while ((rc = step_work(t, clock_mono_ms(), &e)) == 0 && step_watch(t, fds, &due) &&
	       clock_mono_ms() < end)
		poll(fds, CHILD_FDS, 20);
	return rc;
}

static const char *passback(const char *dataset)
{
	static char text[2000];
	struct product_texts t CLEANUP(product_texts_release) = { 0 };

	rows_must(product_texts(s.p.db, plans_row(&s.p, dataset, "work"), &t, &e) == 1, dataset, e.msg);
	snprintf(text, sizeof text, "%s", t.passback ? t.passback : "null");
	return text;
}

static void refusals(void)
{
	struct step *t;

	steps_one(&s, "wrong", "exec", "{\"argv\":7}");
	CHECK_INT(claim("wrong", true, &t), 0, "what is said wrongly is not claimed");
	CHECK(strstr(str_z(&why), "passthrough.argv"), "and the reason names the member");
	steps_one(&s, "held", "exec", "{\"argv\":[\"true\"]}");
	CHECK_INT(claim("held", false, &t), 0, "nor is a command without leave");
	CHECK(strstr(str_z(&why), "--allow-exec"), "with the reason");
	CHECK_STR(plans_states(&s.p, "held"), "work=queued", "it stays queued");
}

static void commands(void)
{
	struct str body CLEANUP(str_release) = STR_INIT;
	struct step *t;

	steps_one(&s, "good", "exec", "{\"argv\":[\"echo\",\"out\"]}");
	CHECK_INT(claim("good", true, &t), 1, "a command is claimed");
	CHECK_STR(step_label(t), "good/work", "its name for people");
	CHECK_INT(work(t), 1, "it runs to its end");
	CHECK_INT(step_outcome(t), STATE_SUCCESS, "and is success");
	CHECK_STR(plans_states(&s.p, "good"), "work=success", "in the state file");
	CHECK_INT(produce_read(s.p.db, plans_row(&s.p, "good", "work"), &body, &e), 1, "its output");
	CHECK_STR(str_z(&body), "out\n", "is kept");
	step_free(t);
	steps_one(&s, "evil", "exec", "{\"argv\":[\"sh\",\"-c\",\"exit 2\"]}");
	CHECK_INT(claim("evil", true, &t), 1, "one that fails");
	CHECK(work(t) == 1 && step_outcome(t) == STATE_FAILED, "is reported as that");
	CHECK(strstr(passback("evil"), "\"exit_status\":2"), "with its exit status");
	step_free(t);

	steps_one(&s, "stop", "exec", "{\"argv\":[\"sleep\",\"60\"]}");
	CHECK_INT(claim("stop", true, &t), 1, "one that takes long");
	CHECK_INT(step_work(t, clock_mono_ms(), &e), 0, "goes on");
	CHECK_STR(plans_states(&s.p, "stop"), "work=running", "and is running");
	step_stop(t, clock_mono_ms());
	CHECK(work(t) == 1 && step_outcome(t) == STATE_NONE, "told to stop, it stops");
	CHECK_STR(plans_states(&s.p, "stop"), "work=queued", "and is there for the next worker");
	step_free(t);
	CHECK_INT(claim("stop", true, &t), 1, "who takes it");
	CHECK_INT(step_work(t, clock_mono_ms(), &e), 0, "it runs");
	CHECK_INT(steer_pause(&s.p.s, "stop", true, &e), 1, "paused");
	CHECK_INT(plans_do(&s.p, "clear", "stop", "work"), 0, "and cleared");
	CHECK(step_work(t, clock_mono_ms(), &e) == 1 && step_outcome(t) == STATE_NONE,
	      "the step is over, and nothing is reported");
	step_free(t);
	CHECK_STR(plans_states(&s.p, "stop"), "work=waiting", "as it was cleared");
}

static void settle(int64_t batch, int lines, int failed)
{
	for (int i = 1; i <= lines; i++)
		if (i <= failed)
			fixture_fail(s.p.db, batch << 32 | i, 400, NULL, "{}");
		else
			fixture_complete(s.p.db, batch << 32 | i, "{}");
}

static const char line[] = "{\"custom_id\":\"%s\",\"url\":\"/v1/x\",\"body\":{\"model\":\"m\"}}\n";

static void batches(void)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	struct step *t;

	str_addf(&text, line, "a");
	str_addf(&text, line, "b");
	steps_file("two.jsonl", str_z(&text));
	steps_one(&s, "sent", "batch", "{\"file\":\"two.jsonl\",\"base_url\":\"http://h\",\"key\":\"none\"}");
	CHECK_INT(claim("sent", false, &t), 1, "a batch of a file needs no leave");
	CHECK_INT(step_work(t, clock_mono_ms(), &e), 0, "it is made");
	int64_t batch = step_batch(t);
	CHECK(batch > 0, "it has a row");
	CHECK_STR(plans_states(&s.p, "sent"), "work=queued", "and is queued until something is sent");
	fixture_complete(s.p.db, batch << 32 | 1, "{}");
	CHECK_INT(step_work(t, clock_mono_ms(), &e), 0, "something was");
	CHECK_STR(plans_states(&s.p, "sent"), "work=running", "it is running");
	fixture_fail(s.p.db, batch << 32 | 2, 400, NULL, "{}");
	CHECK(step_work(t, clock_mono_ms(), &e) == 1 && step_outcome(t) == STATE_FAILED, "one has failed");
	CHECK(strstr(passback("sent"), "\"failed\":1"), "as its counts say");
	step_free(t);

	CHECK_INT(plans_do(&s.p, "retry", "sent", "work"), 0, "retry");
	CHECK_INT(claim("sent", false, &t), 1, "is claimed");
	CHECK_INT(step_work(t, clock_mono_ms(), &e), 0, "and goes on");
	CHECK_INT(step_batch(t), batch, "with its batch");
	CHECK_INT(ROWS_INT(s.p.raw, "SELECT count(*) FROM requests WHERE state = 0"), 1,
		  "what failed is pending, and that only");
	CHECK_INT(step_give_back(t, &e), 0, "given back");
	step_free(t);
	CHECK_INT(claim("sent", false, &t), 1, "the next one");
	fixture_complete(s.p.db, batch << 32 | 2, "{}");
	CHECK(step_work(t, clock_mono_ms(), &e) == 1 && step_outcome(t) == STATE_SUCCESS, "finishes it");
	step_free(t);

	steps_one(&s, "some", "batch", "{\"file\":\"two.jsonl\",\"base_url\":\"http://h\",\"key\":\"none\","
		  "\"max_failed\":\"50%\"}");
	CHECK_INT(claim("some", false, &t), 1, "max_failed");
	CHECK_INT(step_work(t, clock_mono_ms(), &e), 0, "half of them");
	settle(step_batch(t), 2, 1);
	CHECK(step_work(t, clock_mono_ms(), &e) == 1 && step_outcome(t) == STATE_SUCCESS, "may fail");
	step_free(t);

	steps_one(&s, "made", "batch", "{\"prepare\":[\"sed\",\"s/a/z/\",\"two.jsonl\"],\"base_url\":\"http://h\",\"key\":\"none\"}");
	CHECK_INT(claim("made", true, &t), 1, "a command prepares the lines");
	CHECK_INT(work(t), 0, "and has ended");
	CHECK_INT(ROWS_INT(s.p.raw, "SELECT total FROM batches ORDER BY id DESC LIMIT 1"), 2, "they are a batch");
	CHECK_INT(ROWS_INT(s.p.raw, "SELECT filename = 'work.jsonl' FROM files ORDER BY id DESC LIMIT 1"), 1,
		  "of a file with the product's name");
	CHECK_INT(batch_delete(s.p.db, step_batch(t), &e), -1, "it has not ended");
	settle(step_batch(t), 2, 0);
	CHECK(step_work(t, clock_mono_ms(), &e) == 1, "over");
	step_free(t);

	steps_one(&s, "twice", "batch", "{\"prepare\":[\"sh\",\"-c\",\"cat two.jsonl two.jsonl\"],\"base_url\":\"http://h\",\"key\":\"none\"}");
	CHECK_INT(claim("twice", true, &t), 1, "lines that are bad");
	CHECK(work(t) == 1 && step_outcome(t) == STATE_FAILED, "are a failure");
	CHECK(strstr(passback("twice"), "what prepare wrote, line 3:"), "with the place (%s)", passback("twice"));
	step_free(t);
}

static struct step *goes_on(const char *dataset, int64_t worker)
{
	struct product p CLEANUP(product_release) = PRODUCT_INIT;
	const struct step_options o = { .db = s.p.db, .worker = worker };
	struct step *t = NULL;

	rows_must(product_get(s.p.db, plans_row(&s.p, dataset, "work"), &p, &e) == 1 &&
		  step_adopt(&o, &p, &t, &e) == 1, "step_adopt", e.msg);
	return t;
}

static void remotes(void)
{
	const char *url = "cams=http://h/jobs";
	struct step *t;

	steps_one(&s, "far", "cams", "{\"n\":1e2}");
	CHECK(claim("far", true, &t) == 0 && why.n == 0, "without an URL a remote product is left, without a word");
	rows_must(compute_read(&compute, &url, 1, NULL, 0, &e) == 0, url, e.msg);
	CHECK_INT(claim("far", false, &t), 1, "with one it is claimed");
	CHECK_INT(step_work(t, clock_mono_ms(), &e), 0, "a batch is made");
	int64_t batch = step_batch(t);
	CHECK_STR(ROWS_TEXT(s.p.raw, "SELECT total || ' ' || base_url || ' ' || key_ref FROM batches WHERE id = ?1",
			    batch), "1 http://h/jobs none", "of one request");
	CHECK(strstr(ROWS_TEXT(s.p.raw, "SELECT CAST(raw AS TEXT) FROM lines ORDER BY id DESC LIMIT 1"),
		     "\"name\":\"work\",\"version\":\"1\",\"passthrough\":{\"n\":1e2}}}"), "that tells of it");
	CHECK_INT(step_give_back(t, &e), 0, "given back");
	step_free(t);
	CHECK_INT(ROWS_INT(s.p.raw, "SELECT worker FROM data_products WHERE batch = ?1", batch), s.me.id,
		  "it stays claimed until the worker has left");
	t = goes_on("far", s.me.id);
	fixture_complete(s.p.db, batch << 32 | 1, "{}");
	CHECK(step_work(t, clock_mono_ms(), &e) == 1 && step_outcome(t) == STATE_RUNNING, "a 2xx hands it over");
	CHECK_STR(plans_states(&s.p, "far"), "work=running", "it runs there");
	step_free(t);

	steps_one(&s, "no", "cams", "null");
	CHECK(claim("no", false, &t) == 1 && step_work(t, clock_mono_ms(), &e) == 0, "another one");
	fixture_fail(s.p.db, step_batch(t) << 32 | 1, 400, NULL, "{\"message\":\"no\"}");
	CHECK(step_work(t, clock_mono_ms(), &e) == 1 && step_outcome(t) == STATE_FAILED, "that is refused");
	CHECK(strstr(passback("no"), "\"status\":400"), "as it passes back");
	step_free(t);

	steps_one(&s, "fast", "cams", "null");
	CHECK(claim("fast", false, &t) == 1 && step_work(t, clock_mono_ms(), &e) == 0, "a third");
	CHECK_INT(plans_update(&s.p, "fast", "work=success"), 0, "whose platform is faster");
	CHECK(step_work(t, clock_mono_ms(), &e) == 1 && step_outcome(t) == STATE_RUNNING, "was handed over as well");
	CHECK_STR(plans_states(&s.p, "fast"), "work=success", "and stays what was reported");
	step_free(t);

	steps_one(&s, "gone", "cams", "null");
	CHECK(claim("gone", false, &t) == 1 && step_work(t, clock_mono_ms(), &e) == 0, "a fourth");
	CHECK_INT(plans_do(&s.p, "disable", "gone", "work"), 0, "that is disabled");
	CHECK(step_work(t, clock_mono_ms(), &e) == 1 && step_outcome(t) == STATE_NONE, "is over");
	step_free(t);

	steps_one(&s, "lost", "cams", "null");
	CHECK(claim("lost", false, &t) == 1 && step_work(t, clock_mono_ms(), &e) == 0, "a fifth");
	fixture_complete(s.p.db, step_batch(t) << 32 | 1, "{}");
	rows_must(batch_delete(s.p.db, step_batch(t), &e) == 0, "batch_delete", e.msg);
	CHECK(step_work(t, clock_mono_ms(), &e) == 1 && step_outcome(t) == STATE_FAILED, "whose batch is deleted");
	CHECK_STR(passback("lost"), "{\"error\":\"its batch was deleted\"}", "has failed");
	step_free(t);
	compute_release(&compute);
}

int main(void)
{
	steps_open(&s, "step.db");
	fixture_must(freopen("/dev/null", "w", stderr) != NULL, "freopen", &e); /* the warnings */
	refusals();
	commands();
	batches();
	remotes();
	CHECK_INT(plans_wrong(s.p.raw), 0, "the plans are as they must be");
	str_release(&why);
	steps_close(&s);
	return unit_done();
}
