#include "cli/progress.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "base/str.h"
#include "unit.h"

static struct tool tool = { .program = "test", .progress_ms = 10000 };
static struct progress_state state;
static struct str said = STR_INIT; /* by the last child, on stderr */

static void reset(void)
{
	state = (struct progress_state){ "batch_5c0d", 1318, 1319, 2, -1, 64, 412000, 2500 };
}

static void read_back(int fd)
{
	char buf[4096];
	ssize_t n;
	str_reset(&said);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		str_add(&said, buf, (size_t)n);
}

/* Runs fn in a child whose stderr is a pipe, or a terminal of `cols` columns. */
static void run(void (*fn)(void), int cols)
{
	int ends[2], status;
	if (cols > 0) {
		ends[0] = posix_openpt(O_RDWR | O_NOCTTY);
		if (ends[0] < 0 || grantpt(ends[0]) < 0 || unlockpt(ends[0]) < 0)
			abort();
		ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
		struct winsize size = { .ws_row = 24, .ws_col = (unsigned short)cols };
		struct termios raw;
		if (ends[1] < 0 || tcgetattr(ends[1], &raw) < 0)
			abort();
		raw.c_oflag = 0;
		if (tcsetattr(ends[1], TCSANOW, &raw) < 0 ||
		    ioctl(ends[1], TIOCSWINSZ, &size) < 0)
			abort();
	} else if (pipe(ends) < 0) {
		abort();
	}
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		fn();
		_exit(0);
	}
	close(ends[1]);
	read_back(ends[0]);
	close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
		abort();
}

static void show_once(void)
{
	struct progress p;
	progress_start(&p, &tool);
	progress_show(&p, &state, 1000);
}

static void show_and_clear(void)
{
	struct progress p;
	progress_start(&p, &tool);
	progress_show(&p, &state, 1000);
	progress_clear(&p);
	progress_clear(&p);
}

static void show_often(void)
{
	struct progress p;
	progress_start(&p, &tool);
	state.done = 0;
	for (int64_t now = 1000; now < 2000; now++, state.done++)
		if (progress_due(&p, now))
			progress_show(&p, &state, now);
	for (int64_t now = 2000; now < 3000; now++, state.done++)
		progress_show(&p, &state, now);
}

static int count(const char *what)
{
	int n = 0;
	for (const char *p = str_z(&said); (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void check_line(const char *want, const char *rule)
{
	struct str line = STR_INIT;
	run(show_once, 100);
	str_addf(&line, "\r%s\033[K", want);
	CHECK_STR(str_z(&said), str_z(&line), "%s", rule);
	str_release(&line);
}

static void test_modes(void)
{
	setenv("TERM", "xterm", 1);
	reset();
	tool.progress = PROGRESS_AUTO;
	check_line("batch_5c0d 1,318/1,319 done, 2 failed, 64 in flight, 412/s, 3s left",
		   "auto draws a line on a terminal");
	run(show_once, 0);
	CHECK_STR(str_z(&said), "", "and nothing elsewhere");
	run(show_and_clear, 100);
	CHECK(strcmp(str_z(&said) + said.n - 7, "\033[K\r\033[K") == 0 && count("\r") == 2,
	      "the line is cleared once");
	tool.quiet = true;
	run(show_once, 100);
	CHECK_STR(str_z(&said), "", "nothing with -q");
	tool.quiet = false;
	setenv("TERM", "dumb", 1);
	run(show_once, 100);
	CHECK_STR(str_z(&said), "", "nothing on a dumb terminal");
	setenv("TERM", "xterm", 1);

	tool.progress = PROGRESS_NONE;
	run(show_and_clear, 100);
	CHECK_STR(str_z(&said), "", "none is none");
	tool.progress = PROGRESS_BAR;
	run(show_and_clear, 0);
	CHECK_INT(count("\r"), 2, "bar draws wherever it goes");
	tool.progress = PROGRESS_JSON;
	run(show_and_clear, 100);
	CHECK_STR(str_z(&said),
		  "{\"event\":\"progress\",\"what\":\"batch_5c0d\",\"done\":1318,\"total\":1319,"
		  "\"failed\":2,\"retrying\":null,\"in_flight\":64,\"rate\":412,"
		  "\"seconds_left\":2.5}\n", "json: null for what is unknown, nothing to clear");
}

static void test_rate(void)
{
	reset();
	tool.progress = PROGRESS_BAR;
	run(show_often, 100);
	CHECK_INT(count("\r"), 20, "2 seconds: 20 drawings, whoever asks how often");
	tool.progress = PROGRESS_JSON;
	tool.progress_ms = 500;
	run(show_often, 0);
	CHECK_INT(count("\n"), 4, "json: one each progress_ms");
	tool.progress_ms = 10000;
}

static void test_text(void)
{
	const struct progress_state unknown = { "importing", -1, -1, -1, -1, -1, -1, -1 };
	tool.progress = PROGRESS_BAR;
	state = unknown;
	check_line("importing", "what is unknown is left out");
	state.done = 1234567;
	check_line("importing 1,234,567 done", "no total");
	state.rate_milli = 1930;
	check_line("importing 1,234,567 done, 1.9/s", "a slow rate has a tenth");
	state.rate_milli = 50;
	check_line("importing 1,234,567 done, 3.0/m", "a slower one goes by the minute");
	state.rate_milli = 0;
	state.eta_ms = 0;
	check_line("importing 1,234,567 done, 0/s, 0s left", "nothing is 0");
	state.rate_milli = 1234567890;
	state.eta_ms = 250000;
	check_line("importing 1,234,567 done, 1,234,567/s, 4m10s left", "large numbers");
	state = unknown;
	state.what = "a\033[2J\r\xe2\x80\xae\xff\n";
	check_line("a\\x1b[2J\\x0d\\xe2\\x80\\xae\\xff\\x0a", "a hostile name is made safe");
	tool.progress = PROGRESS_JSON;
	state.rate_milli = state.eta_ms = INT64_MAX;
	run(show_once, 0);
	CHECK_INT(count("\n"), 1, "in JSON too");
	CHECK_INT(count("\033"), 0, "with no control character");
	tool.progress = PROGRESS_BAR;

	reset();
	run(show_once, 20);
	CHECK_STR(str_z(&said), "\rbatch_5c0d 1,318/1,\033[K", "a line is cut before it wraps");
	state.what = "\xc3\xa4\xf0\x9f\x99\x82\xe2\x82\xac";
	run(show_once, 3);
	CHECK_STR(str_z(&said), "\r\xc3\xa4\xf0\x9f\x99\x82\033[K", "between characters");
	run(show_once, 1);
	CHECK_STR(str_z(&said), "\r\033[K", "at any width");
}

int main(void)
{
	test_modes();
	test_rate();
	test_text();
	str_release(&said);
	return unit_done();
}
