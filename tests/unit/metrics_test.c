#include "engine/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "unit.h"

static struct err e;

/* Each number is another one. */
static struct run_summary summary(void)
{
	struct run_summary s = {
		.attempts = 131,
		.ledger = { .completed = 118, .failures = 2, .lost = 6, .input_tokens = 9440,
			    .cached_tokens = 17, .output_tokens = 2242, .reasoning_tokens = 31,
			    .total = 290, .done = 205, .retrying = 3 },
		.retries = { { "429", 7 }, { "connect_error", 4 } }, .n_retries = 2,
	};
	return s;
}

static struct metrics running(const struct run_summary *s)
{
	return (struct metrics){
		.run = "nightly", .version = "1.2", .up = true, .exit = -1, .in_flight = 5, .held = 12345,
		.started_ms = 1763736000042, .changed_ms = 1763736061500, .ledger = &s->ledger, .sum = s,
	};
}

static const char *text_of(const struct metrics *m)
{
	static struct str text;

	str_reset(&text);
	metrics_write(m, &text);
	return str_z(&text);
}

/* Is it the text format?  Every sample comes right after the HELP and TYPE of
 * its name, each of which is there once; every line ends. */
static const char *wrong(const char *text)
{
	static char why[300];
	char name[100] = "", help[100] = "", seen[4000] = " ";

	while (*text) {
		size_t n = strcspn(text, "\n"), at = strcspn(text, "{ ");
		char word[100], key[110];
		snprintf(why, sizeof why, "%.*s", (int)(n < 200 ? n : 200), text);
		if (text[n] != '\n')
			return why;
		if (sscanf(text, "# HELP %99s", help) == 1 && strstr(text, help) + strlen(help) + 1 < text + n) {
			snprintf(key, sizeof key, " %s ", help);
			if (strstr(seen, key))
				return why;
			strcat(strcat(seen, help), " ");
		} else if (sscanf(text, "# TYPE %99s %99[a-z]", name, word) == 2) {
			bool counts = strcmp(word, "counter") == 0;
			size_t length = strlen(name);
			if (strcmp(name, help) != 0 || (!counts && strcmp(word, "gauge") != 0) ||
			    counts != (length > 6 && strcmp(name + length - 6, "_total") == 0))
				return why;
		} else if (*text == '#' || at != strlen(name) || memcmp(text, name, at) != 0) {
			return why;
		}
		text += n + 1;
	}
	return NULL;
}

static bool has(const char *text, const char *line)
{
	char whole[300];

	snprintf(whole, sizeof whole, "\n%s\n", line);
	return strstr(text, whole) != NULL;
}

static void writing(void)
{
	struct run_summary s = summary();
	struct metrics m = running(&s);
	static const char *const lines[] = {
		"fsl_up{run=\"nightly\"} 1", "fsl_info{run=\"nightly\",version=\"1.2\"} 1",
		"fsl_requests_completed_total{run=\"nightly\"} 118",
		"fsl_requests_failed_total{run=\"nightly\"} 2", "fsl_attempts_total{run=\"nightly\"} 131",
		"fsl_retries_total{run=\"nightly\",reason=\"429\"} 7",
		"fsl_retries_total{run=\"nightly\",reason=\"connect_error\"} 4",
		"fsl_results_dropped_total{run=\"nightly\"} 6",
		"fsl_tokens_total{run=\"nightly\",kind=\"input\"} 9440",
		"fsl_tokens_total{run=\"nightly\",kind=\"output\"} 2242",
		"fsl_cached_tokens_total{run=\"nightly\"} 17",
		"fsl_reasoning_tokens_total{run=\"nightly\"} 31", "fsl_in_flight{run=\"nightly\"} 5",
		"fsl_pending{run=\"nightly\"} 80", "fsl_retrying{run=\"nightly\"} 3",
		"fsl_buffered_bytes{run=\"nightly\"} 12345", "fsl_draining{run=\"nightly\"} 0", "fsl_stuck{run=\"nightly\"} 0",
		"fsl_start_timestamp_seconds{run=\"nightly\"} 1763736000.042",
		"fsl_last_change_timestamp_seconds{run=\"nightly\"} 1763736061.500",
		"# TYPE fsl_requests_completed_total counter", "# TYPE fsl_pending gauge",
	};
	const char *text = text_of(&m);

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		CHECK(has(text, lines[i]), "%s", lines[i]);
	CHECK(!wrong(text), "each name has its help and type before it, once: %s", wrong(text));
	CHECK(!strstr(text, "fsl_exit_status") && !strstr(text, "\nfsl_left_alone{"),
	      "there is no exit status yet, and nothing is left alone");
	s.ledger.total = 207;
	CHECK(has(text_of(&m), "fsl_pending{run=\"nightly\"} 0"), "what is pending is never below 0");
	m.up = false;
	m.exit = 4;
	s.ledger.block = "host_down";
	s.ledger.stuck = m.draining = true;
	text = text_of(&m);
	CHECK(has(text, "fsl_up{run=\"nightly\"} 0") && has(text, "fsl_exit_status{run=\"nightly\"} 4") &&
	      has(text, "fsl_left_alone{run=\"nightly\",reason=\"host_down\"} 1") &&
	      has(text, "fsl_draining{run=\"nightly\"} 1") && has(text, "fsl_stuck{run=\"nightly\"} 1"),
	      "the end of a run");
	CHECK(!wrong(text), "in the same format: %s", wrong(text));
	m.run = "a\"b\\c\nd\xc3\xa9";
	CHECK(strstr(text_of(&m), "fsl_up{run=\"a\\\"b\\\\c\\nd\xc3\xa9\"} 0\n"), "a label is quoted");
	m.run = "x\xff\"";
	CHECK(strstr(text_of(&m), "fsl_up{run=\"x\\\\xff\\\"\"} 0\n"), "what is no UTF-8 is made so");
}

static char read_text[9000];

static const char *content(const char *path)
{
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(read_text, 1, sizeof read_text - 1, f) : 0;

	if (f)
		fclose(f);
	read_text[n] = '\0';
	return read_text;
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void files(void)
{
	struct run_summary s = summary();
	struct run_progress p = { .ledger = &s.ledger, .sum = &s, .in_flight = 5 };
	struct metrics_file f;

	CHECK(metrics_start(&f, NULL, "1", &e) == 0, "without a file");
	metrics_tick(&f, &p);
	metrics_end(&f, &s, 0);
	umask(077);
	int64_t before = clock_wall_ms();
	CHECK(metrics_start(&f, "./a.b.prom", "1", &e) == 0, "with one");
	metrics_tick(&f, &p);
	CHECK(has(content("a.b.prom"), "fsl_in_flight{run=\"a.b\"} 5"), "the label is the file's name: %s",
	      read_text);
	CHECK_INT(mode_of("a.b.prom"), 0644, "others can read a new one, whatever the umask");
	CHECK(f.started_ms >= before && f.changed_ms >= f.started_ms, "it knows when");
	p.in_flight = 6;
	metrics_tick(&f, &p);
	CHECK(has(content("a.b.prom"), "fsl_in_flight{run=\"a.b\"} 5"), "not more than once a second");
	chmod("a.b.prom", 0604);
	f.next_ms = 0;
	f.changed_ms = 1000;
	metrics_tick(&f, &p);
	CHECK(has(content("a.b.prom"), "fsl_in_flight{run=\"a.b\"} 6") &&
	      has(read_text, "fsl_last_change_timestamp_seconds{run=\"a.b\"} 1.000"),
	      "nothing has ended: no change");
	CHECK_INT(mode_of("a.b.prom"), 0604, "permissions that somebody has set stay");
	s.attempts++;
	f.next_ms = 0;
	metrics_tick(&f, &p);
	CHECK(f.changed_ms >= before, "an attempt that has ended is one");
	metrics_end(&f, &s, 3);
	CHECK(has(content("a.b.prom"), "fsl_exit_status{run=\"a.b\"} 3") &&
	      strncmp(strstr(read_text, "\nfsl_up"), "\nfsl_up{run=\"a.b\"} 0\n", 21) == 0,
	      "the end is written at once");
	CHECK_INT(system("test \"$(ls -A | tr '\\n' ' ')\" = 'a.b.prom '"), 0, "nothing else is left there");
}

static void failing(void)
{
	struct run_summary s = summary();
	struct run_progress p = { .ledger = &s.ledger, .sum = &s };
	struct metrics_file f;

	fprintf(stderr, "%d:", metrics_start(&f, "nowhere/x.prom", "1", &e));
	for (int i = 0; i < 3; i++) {
		f.next_ms = 0;
		metrics_tick(&f, &p);
	}
	metrics_end(&f, &s, 0);
	if (mkdir("nowhere", 0700) == 0)
		metrics_end(&f, &s, 0);
	fprintf(stderr, "%s", strstr(content("nowhere/x.prom"), "fsl_up") ? "written" : "missing");
}

static void trouble(void)
{
	char said[1000];
	struct metrics_file f;

	CHECK_INT(unit_child(failing, said, sizeof said), 0, "a directory that is not there");
	CHECK_STR(said, "0:fsl: warning: cannot create 'nowhere/x.prom': No such file or directory; the run"
		  " goes on, and --metrics-file is tried again\nwritten",
		  "is one warning; it is written as soon as it can be");
	CHECK(metrics_start(&f, "-", "1", &e) < 0 && e.code == ERR_USAGE, "standard output is refused");
	CHECK(metrics_start(&f, "/dev/null", "1", &e) < 0, "a device too");
	CHECK(metrics_start(&f, ".", "1", &e) < 0, "and a directory");
	CHECK(mkfifo("fifo", 0600) == 0 && metrics_start(&f, "fifo", "1", &e) < 0 &&
	      strstr(e.msg, "'fifo' is no regular file"), "and a FIFO: %s", e.msg);
	struct run_summary s = summary();
	struct run_progress p = { .ledger = &s.ledger, .sum = &s };
	CHECK(metrics_start(&f, "later", "1", &e) == 0 && mkfifo("later", 0600) == 0, "one that comes later");
	log_set(LOG_ERROR, false);
	metrics_tick(&f, &p);
	CHECK(f.failed, "does not stop the run");
}

int main(void)
{
	if (chdir(unit_dir()) < 0)
		return 1;
	writing();
	files();
	trouble();
	return unit_done();
}
