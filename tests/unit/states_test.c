#include "domain/states.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "unit.h"

static struct err e;

static const char *operand(const char *text)
{
	static char buf[200];
	struct states s CLEANUP(states_release) = STATES_INIT;

	if (states_operand(&s, text, &e) < 0)
		return e.msg;
	snprintf(buf, sizeof buf, "[%s] %s", s.v[0].product, state_text(s.v[0].state));
	return buf;
}

static const char *json(const char *text)
{
	static char buf[500];
	struct states s CLEANUP(states_release) = STATES_INIT;
	size_t n = 0;

	buf[0] = '\0';
	if (states_json(&s, "-", span_of(text), &e) < 0) {
		CHECK_INT(e.code, ERR_INPUT, "bad input");
		return e.msg;
	}
	for (int i = 0; i < s.n; i++)
		n += (size_t)snprintf(buf + n, sizeof buf - n, "%s%s %s %s %s %s", i ? ", " : "", s.v[i].product,
				      state_text(s.v[i].state), s.v[i].has_run ? "run" : "-",
				      s.v[i].link ? s.v[i].link : "-", s.v[i].passback ? s.v[i].passback : "-");
	return buf;
}

static int given(const char *const *words, int n, const char *run_id, const char *link,
		 const char *passback, struct states *s)
{
	const struct states_given g = { words, n, run_id, link, passback };

	states_release(s);
	e = (struct err)ERR_INIT;
	return states_read(s, &g, &e);
}

static void operands(void)
{
	CHECK_STR(operand("a=success"), "[a] success", "PRODUCT=STATE");
	CHECK_STR(operand("a=b=failed"), "[a=b] failed", "the last = parts them");
	CHECK_STR(operand("a=queued"), "The requested state for 'a' is invalid: 'queued'",
		  "a state that cannot be reported, in Fletcher's words");
	CHECK_INT(e.code, ERR_USAGE, "is a wrong command line");
	CHECK_STR(operand("a=done"), "'done' is no state of 'a'", "no state");
	CHECK_STR(operand("a"), "'a' is not PRODUCT=STATE", "no =");
	CHECK_STR(operand("=success"), "'=success' is not PRODUCT=STATE", "no product");
}

#define RUN "123e4567-e89b-12d3-a456-426614174000"

static void objects(void)
{
	CHECK_STR(json("[{\"id\":\"a\",\"state\":\"success\",\"run_id\":\"" RUN "\",\"link\":\"http://x\","
		       "\"passback\":{ \"n\" : 1.0 }}, {\"id\":\"b\",\"state\":\"failed\",\"run_id\":null,"
		       "\"link\":null,\"passback\":null}]"),
		  "a success run http://x {\"n\":1.0}, b failed - - -", "an array, as Fletcher takes it");
	CHECK_STR(json("{\"id\":\"a\",\"state\":\"running\"}\r\n\n  {\"id\":\"b\",\"state\":\"failed\"}"),
		  "a running - - -, b failed - - -", "an object a line");
	CHECK_STR(json(""), "", "nothing");
	CHECK_STR(json(" [ ] "), "", "an empty array");
	CHECK_STR(json("{\"id\":\"a\",\"state\":\"running\"}\n{\"id\":\"b\"}\n"),
		  "-:2: state: required string is missing", "the place of an error in lines");
	CHECK_STR(json("[{\"id\":\"a\",\"state\":\"running\"},{\"id\":7}]"),
		  "-: [1].id: must be a string, not a number", "and in an array");
	CHECK_STR(json("{\"id\":\"a\",\"state\":\"queued\"}"),
		  "-:1: state: The requested state for 'a' is invalid: 'queued'", "a state");
	CHECK_STR(json("{\"id\":\"a\",\"state\":\"running\",\"run_id\":\"7\"}"), "-:1: run_id: '7' is no UUID",
		  "a run");
	CHECK_STR(json("{\"id\":\"a\",\n"), "-:1:11: unexpected end", "broken lines");
	CHECK(strstr(json("[{]"), "-:1:3: "), "and arrays");
	CHECK_STR(json("{\"id\":\"a\\u0000b\",\"state\":\"failed\"}"), "-:1: id: has a NUL character",
		  "a NUL");
}

static void details(void)
{
	struct states s CLEANUP(states_release) = STATES_INIT;
	const char *const two[] = { "a=success", "b=failed" }, *const dash[] = { "-", "a=success" };

	CHECK(given(two, 2, RUN, "http://x", " { \"a\" : 1 } ", &s) == 0 && s.n == 2, "operands");
	CHECK(s.v[0].has_run && s.v[1].has_run && s.v[1].run_id.b[0] == 0x12, "--run-id, for all");
	CHECK_STR(s.v[0].link, "http://x", "--link");
	CHECK_STR(s.v[1].passback, "{\"a\":1}", "--passback");
	CHECK(given(two, 2, NULL, NULL, NULL, &s) == 0 && !s.v[0].has_run && !s.v[0].link &&
	      !s.v[0].passback, "or nothing");
	CHECK(given(two, 2, "7", NULL, NULL, &s) < 0 && e.code == ERR_USAGE, "--run-id 7");
	CHECK(given(two, 2, NULL, "\xff", NULL, &s) < 0 && e.code == ERR_USAGE, "--link of odd bytes");
	CHECK(given(two, 2, NULL, NULL, "{", &s) < 0 && e.code == ERR_USAGE, "--passback {");
	CHECK(given(dash, 2, NULL, NULL, NULL, &s) < 0 && e.code == ERR_USAGE, "nothing stands beside -");
	CHECK(given(dash, 1, RUN, NULL, NULL, &s) < 0 && e.code == ERR_USAGE, "and no details");
	char path[4096];
	snprintf(path, sizeof path, "%s/in", unit_dir());
	FILE *f = fopen(path, "w");
	fputs("{\"id\":\"a\",\"state\":\"running\"}", f);
	fclose(f);
	int fd = open(path, O_RDONLY);
	dup2(fd, STDIN_FILENO);
	close(fd);
	CHECK(given(dash, 1, NULL, NULL, NULL, &s) == 0 && s.n == 1, "- reads standard input");
}

int main(void)
{
	operands();
	objects();
	details();
	return unit_done();
}
