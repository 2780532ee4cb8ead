/* step: a product from the claim to the report. */
#include "engine/step.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "domain/produce.h"
#include "steps.h"

static struct steps s;
static struct err e;
static struct str why = STR_INIT;

static int claim(const char *dataset, bool allow, struct step **out)
{
	struct product p CLEANUP(product_release) = PRODUCT_INIT;
	const struct step_options o = { s.p.db, s.me.id, allow, true };

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
	CHECK(strstr(passback("twice"), "line 3:"), "with the place (%s)", passback("twice"));
	step_free(t);
}

int main(void)
{
	steps_open(&s, "step.db");
	fixture_must(freopen("/dev/null", "w", stderr) != NULL, "freopen", &e); /* the warnings */
	refusals();
	commands();
	batches();
	CHECK_INT(plans_wrong(s.p.raw), 0, "the plans are as they must be");
	str_release(&why);
	steps_close(&s);
	return unit_done();
}
