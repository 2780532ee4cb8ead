#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "unit.h"

/* stderr of a child is what is looked at; FSL_TEST_NOW stands still. */

static void every_level(void)
{
	log_error("e%d", 1);
	log_warn("w%d", 2);
	log_note("n%d", 3);
	log_info("i%d", 4);
	log_debug("d%d", 5);
}

static void quiet(void) { log_init("prog", LOG_ERROR, false); every_level(); }
static void normal(void) { log_init("prog", LOG_NOTE, false); every_level(); }
static void verbose(void) { log_init("prog", LOG_INFO, false); every_level(); }
static void debug(void) { log_init("prog", LOG_DEBUG, false); every_level(); }
static void json(void) { log_init("prog", LOG_DEBUG, true); every_level(); }

static void lines(void)
{
	log_init("prog", LOG_NOTE, false);
	log_notes("one\ntwo\n");
	log_notes("");
}

static void later(void)
{
	log_init("prog", LOG_NOTE, true);
	log_set(LOG_INFO, false);
	every_level();
}

static void says(void (*fn)(void), const char *want, const char *rule)
{
	char said[2000];
	unit_child(fn, said, sizeof(said));
	CHECK_STR(said, want, "%s", rule);
}

static void levels(void)
{
	says(every_level, "fsl: e1\nfsl: warning: w2\nfsl: n3\n",
	     "before log_init()");
	says(quiet, "prog: e1\n", "-q: errors only");
	says(normal, "prog: e1\nprog: warning: w2\nprog: n3\n", "notes and above");
	says(verbose, "prog: e1\nprog: warning: w2\nprog: n3\nprog: i4\n",
	     "-v: information");
	says(debug, "prog: e1\nprog: warning: w2\nprog: n3\nprog: i4\nprog: d5\n",
	     "-vv: all");
	says(later, "prog: e1\nprog: warning: w2\nprog: n3\nprog: i4\n",
	     "log_set() keeps the program");
#define LINE(level, msg) "{\"time\":\"2026-11-21T03:12:45.123Z\",\"level\":\"" level \
	"\",\"program\":\"prog\",\"message\":\"" msg "\"}\n"
	says(lines, "prog: one\nprog: two\n", "log_notes(): a note per line");
	says(json, LINE("error", "e1") LINE("warning", "w2") LINE("note", "n3")
	     LINE("info", "i4") LINE("debug", "d5"), "JSON: an object a line");
	CHECK(log_shows(LOG_ERROR) && log_shows(LOG_NOTE) && !log_shows(LOG_INFO),
	      "log_shows() tells what would be shown");
	CHECK_STR(log_program(), "fsl", "the program is fsl before log_init()");
}

static void odd_text(void) { log_note("a\nb\x1b[2J\x7f \"é\\\n"); }
static void odd_json(void) { log_init("p", LOG_NOTE, true); odd_text(); }

static void escapes(void)
{
	says(odd_text, "fsl: a\\x0ab\\x1b[2J\\x7f \"é\\\\x0a\n",
	     "a message stays one line and safe");
	says(odd_json, "{\"time\":\"2026-11-21T03:12:45.123Z\",\"level\":\"note\","
	     "\"program\":\"p\",\"message\":\"a\\nb\\u001b[2J\\u007f \\\"é\\\\\\n\"}\n",
	     "JSON: escaped");
}

static void keep_errno(void)
{
	errno = 1234;
	close(STDERR_FILENO);
	log_error("nobody hears");
	if (errno != 1234)
		abort();
}

/* A pipe in packet mode keeps writes apart. */
static void one_write(void)
{
	int ends[2], saved = dup(STDERR_FILENO);
	if (!CHECK(pipe2(ends, O_DIRECT | O_NONBLOCK) == 0, "a pipe in packet mode"))
		return;
	dup2(ends[1], STDERR_FILENO);
	log_note("%3000d", 1);
	log_set(LOG_NOTE, true);
	log_note("%3000d", 2);
	log_set(LOG_NOTE, false);
	dup2(saved, STDERR_FILENO);
	char buf[4096];
	ssize_t n = read(ends[0], buf, sizeof(buf));
	CHECK(n == 3006 && buf[n - 1] == '\n', "a line is one write");
	n = read(ends[0], buf, sizeof(buf));
	CHECK(n > 3000 && buf[0] == '{' && buf[n - 1] == '\n',
	      "JSON: a line is one write");
	CHECK_INT(read(ends[0], buf, sizeof(buf)), -1, "and nothing more");
	close(ends[0]);
	close(ends[1]);
	close(saved);
}

enum { THREADS = 6, LINES = 100 };

static void *log_much(void *arg)
{
	int me = *(int *)arg;
	for (int i = 0; i < LINES; i++) {
		log_set(LOG_NOTE, false);
		if (log_shows(LOG_NOTE))
			log_note("thread %d line %d of %s", me, i, log_program());
	}
	return NULL;
}

static void from_threads(void)
{
	pthread_t id[THREADS];
	int me[THREADS];
	for (int i = 0; i < THREADS; i++) {
		me[i] = i;
		pthread_create(&id[i], NULL, log_much, &me[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
}

static void threads(void)
{
	static char said[THREADS * LINES * 64];
	CHECK_INT(unit_child(from_threads, said, sizeof(said)), 0,
		  "several threads log at once");
	int next[THREADS] = { 0 }, wrong = 0, n = 0;
	for (char *line = strtok(said, "\n"); line; line = strtok(NULL, "\n"), n++) {
		int who = -1, which = -1, end = 0;
		sscanf(line, "fsl: thread %d line %d of fsl%n", &who, &which, &end);
		bool whole = end > 0 && !line[end] && who >= 0 && who < THREADS;
		wrong += !whole || which != next[who]++;
	}
	CHECK_INT(n, THREADS * LINES, "every line is there");
	CHECK_INT(wrong, 0, "whole, and in the order of its thread");
}

int main(void)
{
	setenv("FSL_TEST_NOW", "1795230765123", 1);
	levels();
	escapes();
	CHECK_INT(unit_child(keep_errno, NULL, 0), 0, "logging leaves errno alone");
	one_write();
	threads();
	return unit_done();
}
