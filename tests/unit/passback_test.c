/* passback: what a run gives back. */
#include "engine/passback.h"

#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "fixture.h"

static struct err e;
static struct str out = STR_INIT;

static bool command(const char *script, int64_t timeout_ms)
{
	struct passthrough p = PASSTHROUGH_INIT;
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL };
	const struct child_new n = { argv, unit_dir(), NULL, -1, timeout_ms, 100, unit_dir() };
	struct child *c = child_start(&n, &e);

	fixture_must(c != NULL, "child_start", &e);
	p.argv = argv;
	p.timeout_ms = timeout_ms;
	p.max_output = 100;
	for (int i = 0; i < 4000 && !child_work(c, clock_mono_ms()); i++)
		poll(NULL, 0, 5);
	bool good = passback_command(c, &p, "papers/judge", &out);
	child_free(c);
	return good;
}

int main(void)
{
	struct str link CLEANUP(str_release) = STR_INIT;
	const struct batch b = { .total = 3, .completed = 1, .failed = 1, .expired = 1, .input_tokens = 7 };

	fixture_must(freopen("/dev/null", "w", stderr) != NULL, "freopen", &e); /* the warnings */
	CHECK(command("echo note >&2", 20000), "a command that succeeds");
	CHECK_STR(str_z(&out), "{\"exit_status\":0,\"stderr\":\"note\\n\"}", "its end");
	CHECK(!command("printf 'a\\nb\\377' >&2; exit 3", 20000), "one that fails");
	CHECK_STR(str_z(&out), "{\"exit_status\":3,\"error\":\"exit status 3\",\"stderr\":\"a\\nb\xef\xbf\xbd\"}",
		  "the same with what is no UTF-8");
	CHECK(!command("kill -9 $$", 20000), "a signal");
	CHECK_STR(str_z(&out), "{\"exit_status\":null,\"error\":\"signal 9\",\"stderr\":\"\"}", "has no status");
	CHECK(!command("sleep 60", 10), "too long");
	CHECK(strstr(str_z(&out), "it took longer than 10ms"), "and how long");
	CHECK(!command("yes", 20000), "too much");
	CHECK(strstr(str_z(&out), "it wrote more than 100B"), "and how much");
	passback_error("papers/judge", "no \"more\"", &out);
	CHECK_STR(str_z(&out), "{\"error\":\"no \\\"more\\\"\"}", "another error");
	passback_batch(&b, &link, &out);
	CHECK_STR(str_z(&link), "fsl:batch_00000000000000000000000000000000", "the link of a batch");
	CHECK_STR(str_z(&out), "{\"batch\":\"batch_00000000000000000000000000000000\",\"counts\":{\"total\":3,"
		  "\"completed\":1,\"failed\":1,\"cancelled\":0,\"expired\":1},\"usage\":{\"input_tokens\":7,"
		  "\"cached_tokens\":0,\"output_tokens\":0,\"reasoning_tokens\":0}}", "counts and usage");
	struct batch told = { .total = 1, .completed = 1, .base_url = (char *)"http://h/jobs" };
	struct produce_answer a = { .status = 202 };
	const char *id = "batch_00000000000000000000000000000000";
	struct str want CLEANUP(str_release) = STR_INIT;
	passback_handover("papers/a", &told, &a, &link, &out);
	str_addf(&want, "{\"batch\":\"%s\",\"status\":202,\"code\":null,\"message\":null}", id);
	CHECK_STR(str_z(&out), str_z(&want), "what was handed over");
	told.completed = 0;
	told.failed = 1;
	a = (struct produce_answer){ .status = 503, .message = (char *)"bu\"sy" };
	passback_handover("papers/a", &told, &a, &link, &out);
	str_reset(&want);
	str_addf(&want, "{\"error\":\"the POST to http://h/jobs failed: HTTP 503: bu\\\"sy\",\"batch\":\"%s\","
		 "\"status\":503,\"code\":null,\"message\":\"bu\\\"sy\"}", id);
	CHECK_STR(str_z(&out), str_z(&want), "what was refused");
	a = (struct produce_answer){ .code = (char *)"connect_error", .message = (char *)"no" };
	passback_handover("papers/a", &told, &a, &link, &out);
	CHECK(strstr(str_z(&out), "failed: connect_error: no\"") && strstr(str_z(&out), "\"status\":null,"
	      "\"code\":\"connect_error\",\"message\":\"no\"}"), "what was not answered");
	told.cancelled = 1;
	a = (struct produce_answer){ 0 };
	passback_handover("papers/a", &told, &a, &link, &out);
	CHECK(strstr(str_z(&out), "\"status\":null,\"code\":\"batch_cancelled\",\"message\":null}"),
	      "what was cancelled");
	str_release(&out);
	return unit_done();
}
