#include "base/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/rng.h"
#include "unit.h"

static const size_t MIB = 1024 * 1024;

static void free_lines(struct lines **l)
{
	lines_close(*l);
}

#define LINES struct lines *CLEANUP(free_lines)

/* A path in unit_dir(), in one of two static buffers. */
static const char *in_dir(const char *name)
{
	static char paths[2][512];
	static unsigned turn;
	char *p = paths[turn++ % 2];
	snprintf(p, sizeof(paths[0]), "%s/%s", unit_dir(), name);
	return p;
}

static const char *put(const char *name, struct span v)
{
	const char *path = in_dir(name);
	FILE *f = fopen(path, "w");
	if (!f || fwrite(v.p ? v.p : "", 1, v.n, f) != v.n || fclose(f) != 0)
		abort();
	return path;
}

static void check_line(struct lines *l, struct span want, int64_t number, bool lf,
		       const char *rule)
{
	struct err e = ERR_INIT;
	struct span line;
	int r = lines_next(l, &line, &e);
	CHECK(r == 1 && span_eq(line, want) && lines_number(l) == number &&
	      lines_ended_in_lf(l) == lf, "%s", rule);
}

static void check_end(struct lines *l, struct span whole)
{
	struct err e = ERR_INIT;
	struct span line;
	CHECK_INT(lines_next(l, &line, &e), 0, "then the end");
	CHECK_INT(lines_next(l, &line, &e), 0, "which stays the end");
	CHECK_INT(lines_bytes(l), whole.n, "all bytes were counted");
	CHECK(id_eq(lines_hash(l), hash_of(whole.p, whole.n)), "and hashed");
}

static void test_plain(void)
{
	struct err e = ERR_INIT;
	struct span text = SPAN_LIT("one\n\ntwo\r\nth\0ree\n\r\nlast");
	const char *path = put("plain", text);
	LINES l = lines_open(path, 100, &e);
	CHECK(l != NULL, "a file is opened");
	CHECK_STR(lines_name(l), path, "its name is the path");
	CHECK(lines_number(l) == 0 && lines_bytes(l) == 0, "nothing is counted at first");
	CHECK(id_eq(lines_hash(l), hash_of("", 0)), "nor hashed");
	check_line(l, SPAN_LIT("one"), 1, true, "a line");
	CHECK_INT(lines_bytes(l), 4, "its LF is counted");
	CHECK(id_eq(lines_hash(l), hash_of("one\n", 4)),
	      "and hashed, but nothing behind it");
	check_line(l, SPAN_LIT(""), 2, true, "an empty line counts");
	check_line(l, SPAN_LIT("two\r"), 3, true, "CR stays");
	check_line(l, SPAN_LIT("th\0ree"), 4, true, "NUL is a byte");
	check_line(l, SPAN_LIT("\r"), 5, true, "a line of CR");
	check_line(l, SPAN_LIT("last"), 6, false, "the last line may lack its LF");
	check_end(l, text);
}

static void test_small(void)
{
	struct err e = ERR_INIT;
	LINES empty = lines_open(put("empty", SPAN_NONE), 1, &e);
	CHECK(lines_ended_in_lf(empty), "no line lacks an LF in an empty file");
	check_end(empty, SPAN_NONE);
	CHECK_INT(lines_number(empty), 0, "an empty file has no line");
	LINES lf = lines_open(put("lf", SPAN_LIT("\n")), 1, &e);
	check_line(lf, SPAN_LIT(""), 1, true, "LF alone is an empty line");
	check_end(lf, SPAN_LIT("\n"));
}

static void check_too_long(struct lines *l, int64_t number)
{
	struct err e = ERR_INIT;
	struct span line;
	CHECK_INT(lines_next(l, &line, &e), -1,
		  "line %lld is too long", (long long)number);
	CHECK_INT(e.code, ERR_INPUT, "which is bad input");
	CHECK_INT(lines_number(l), number, "and has its number");
	CHECK(line.p == NULL, "and no bytes");
}

static void test_too_long(void)
{
	struct err e = ERR_INIT;
	struct span text = SPAN_LIT("12345\n123456\n1\n12345\r\n1234567");
	LINES l = lines_open(put("long", text), 5, &e);
	check_line(l, SPAN_LIT("12345"), 1, true, "a line of just the limit");
	check_too_long(l, 2);
	check_line(l, SPAN_LIT("1"), 3, true, "reading goes on behind it");
	check_too_long(l, 4);
	check_too_long(l, 5);
	CHECK(!lines_ended_in_lf(l), "without an LF at the end of the file");
	check_end(l, text);
}

static void test_message(void)
{
	struct err e = ERR_INIT;
	struct span line;
	LINES l = lines_open(put("e\033[2J", SPAN_LIT("ok\ntoo long\n")), 3, &e);
	CHECK(lines_next(l, &line, &e) == 1 && lines_next(l, &line, &e) == -1 &&
	      strstr(e.msg, "line 2 of ") && strstr(e.msg, "e\\x1b[2J'") &&
	      strstr(e.msg, "longer than 3 bytes"),
	      "the message has number, name (safe to show) and limit: %s", e.msg);
}

/* Lines whose lengths are around what a reader may get wrong. */
static void random_text(struct str *s, struct rng *r, size_t lines)
{
	for (size_t i = 0; i < lines; i++) {
		size_t n = rng_below(r, 4) ? rng_below(r, 200) :
			   rng_below(r, 8) ? rng_below(r, 70000) :
					     262144 - 3 + rng_below(r, 6) +
						     262144 * rng_below(r, 3);
		str_reserve(s, n + 1);
		for (size_t j = 0; j < n; j++)
			str_addc(s, (char)('a' + (i + j) % 26));
		str_addc(s, '\n');
	}
	if (rng_below(r, 2))
		str_addz(s, "no LF");
}

/* Reads all of it and compares with what a simple loop finds. */
static bool reads_right(struct lines *l, struct span text, size_t max)
{
	struct err e = ERR_INIT;
	struct span line;
	int64_t number = 0;
	for (size_t at = 0; at < text.n;) {
		const char *lf = memchr(text.p + at, '\n', text.n - at);
		size_t n = lf ? (size_t)(lf - text.p) - at : text.n - at;
		int r = lines_next(l, &line, &e);
		if (r != (n > max ? -1 : 1) || lines_number(l) != ++number)
			return false;
		if (r == 1 && !span_eq(line, (struct span){ text.p + at, n }))
			return false;
		at += n + (lf != NULL);
		if (r == 1 && (lines_bytes(l) != (int64_t)at || lines_ended_in_lf(l) != !!lf))
			return false;
		/* Asking must change nothing, whenever it is done. */
		if (number % 7 == 0 && r == 1 &&
		    !id_eq(lines_hash(l), hash_of(text.p, at)))
			return false;
	}
	return lines_next(l, &line, &e) == 0 && lines_bytes(l) == (int64_t)text.n &&
	       id_eq(lines_hash(l), hash_of(text.p, text.n));
}

static void test_random(void)
{
	static const size_t limits[] = { 1, 100, 65536,
					262143, 262144, 262145, 600000, 16777216 };
	struct rng r;
	rng_seed(&r, 42);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct str s CLEANUP(str_release) = STR_INIT;
		struct err e = ERR_INIT;
		random_text(&s, &r, 150);
		LINES l = lines_open(put("random", str_span(&s)), limits[i], &e);
		CHECK(reads_right(l, str_span(&s), limits[i]),
		      "150 random lines with a limit of %zu", limits[i]);
	}
}

/* A child that writes `v` in pieces; signals for the reader between them. */
static pid_t write_pieces(int fd, struct span v, uint64_t seed, int sig)
{
	pid_t child = fork();
	if (child != 0)
		return child;
	struct rng r;
	rng_seed(&r, seed);
	while (v.n > 0) {
		size_t n = 1 + rng_below(&r, 5000);
		ssize_t done = write(fd, v.p, n < v.n ? n : v.n);
		if (done < 0)
			_exit(1);
		v.p += done;
		v.n -= (size_t)done;
		if (sig)
			kill(getppid(), sig);
	}
	_exit(0);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void test_stdin(const char *rule, int flags, int sig)
{
	struct str s CLEANUP(str_release) = STR_INIT;
	struct rng r;
	rng_seed(&r, 9);
	random_text(&s, &r, 60);
	int ends[2], keep = dup(STDIN_FILENO), status = -1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		abort();
	fcntl(ends[0], F_SETFL, flags);
	struct sigaction act = { .sa_handler = on_signal }, old; /* no SA_RESTART */
	sigaction(SIGUSR1, &act, &old);
	pid_t child = write_pieces(ends[1], str_span(&s), 4, sig);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	struct err e = ERR_INIT;
	struct lines *l = lines_open("-", MIB, &e);
	CHECK(l && reads_right(l, str_span(&s), MIB), "%s", rule);
	CHECK_STR(lines_name(l), "<stdin>", "its name");
	lines_close(l);
	CHECK(fcntl(STDIN_FILENO, F_GETFD) >= 0, "standard input is not closed");
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	CHECK_INT(status, 0, "all of it was read");
	sigaction(SIGUSR1, &old, NULL);
	if (keep >= 0) {
		dup2(keep, STDIN_FILENO);
		close(keep);
	}
}

/* Somebody who types wants an answer per line, not per buffer. */
static void test_at_once(void)
{
	int ends[2], keep = dup(STDIN_FILENO);
	if (pipe2(ends, O_CLOEXEC) != 0)
		abort();
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	struct err e = ERR_INIT;
	LINES l = lines_open("-", 100, &e);
	for (int i = 1; i <= 3; i++) {
		ssize_t n = write(ends[1], "line\nha", 7);
		struct span want = i == 1 ? SPAN_LIT("line") : SPAN_LIT("haline");
		check_line(l, want, i, true, n == 7 ? "a line is there when its LF is" : "");
	}
	close(ends[1]);
	check_line(l, SPAN_LIT("ha"), 4, false, "the end of a pipe ends a line");
	dup2(keep, STDIN_FILENO);
	close(keep);
}

static void check_refused(const char *path, const char *why)
{
	struct err e = ERR_INIT;
	struct id sum;
	int64_t bytes;
	CHECK(lines_open(path, 10, &e) == NULL && e.code == ERR_NOINPUT &&
	      strstr(e.msg, why), "refused: %s", e.msg);
	e = (struct err)ERR_INIT;
	CHECK(lines_hash_file(path, &sum, &bytes, &e) == -1 && e.code == ERR_NOINPUT &&
	      strstr(e.msg, why), "not hashed either: %s", e.msg);
}

static void test_refused(void)
{
	check_refused(unit_dir(), "is a directory");
	check_refused(in_dir("missing"), "No such file");
	check_refused("", "is empty");
	const char *path = put("secret", SPAN_LIT("x\n"));
	chmod(path, 0);
	if (geteuid() != 0)
		check_refused(path, "Permission denied");
	check_refused(in_dir("missing\033[2J"), "missing\\x1b[2J'");
}

static void test_read_error(void)
{
	/* Its first page is not mapped, so that reading it gives EIO. */
	struct err e = ERR_INIT;
	struct span line;
	LINES l = lines_open("/proc/self/mem", 10, &e);
	CHECK(l && lines_next(l, &line, &e) == -1 && e.code == ERR_IO &&
	      strstr(e.msg, "/proc/self/mem"), "a failed read is ERR_IO: %s", e.msg);
	CHECK(l && lines_next(l, &line, &e) == 0, "and ends the file");
}

static long max_rss(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss; /* KiB */
}

static void test_memory(void)
{
	struct err e = ERR_INIT;
	struct span line;
	const char *path = put("wide", SPAN_NONE);
	if (truncate(path, (off_t)(64 * MIB)) != 0)
		abort();
	FILE *f = fopen(path, "a");
	fputs("\nnext\n", f);
	fclose(f);
	long before = max_rss();
	LINES l = lines_open(path, MIB, &e);
	check_too_long(l, 1);
	check_line(l, SPAN_LIT("next"), 2, true, "a line behind one of 64 MiB");
	CHECK(max_rss() - before < 8 * 1024, "which was never in memory");
	CHECK_INT(lines_next(l, &line, &e), 0, "and then the end");
	CHECK_INT(lines_bytes(l), 64 * MIB + 6, "what was skipped is counted");
	struct id sum;
	int64_t bytes;
	CHECK(lines_hash_file(path, &sum, &bytes, &e) == 0 && id_eq(sum, lines_hash(l)),
	      "and hashed");
}

static void test_endless(void)
{
	struct err e = ERR_INIT;
	struct span line;
	LINES l = lines_open("/dev/zero", 32 * MIB, &e);
	check_too_long(l, 1);
	CHECK(lines_bytes(l) < (int64_t)(34 * MIB),
	      "it is refused as soon as that is known");
	CHECK_INT(lines_next(l, &line, &e), 0, "a line that does not end ends the file");
	CHECK(lines_bytes(l) > (int64_t)(1024 * MIB) &&
	      lines_bytes(l) < (int64_t)(1026 * MIB), "after 1 GiB");
	CHECK_INT(lines_next(l, &line, &e), 0, "for good");
}

static void test_hash_file(void)
{
	struct err e = ERR_INIT;
	struct id sum;
	int64_t bytes;
	char hex[ID_HEX + 1];
	CHECK(lines_hash_file(put("h", SPAN_NONE), &sum, &bytes, &e) == 0 && bytes == 0,
	      "an empty file is hashed");
	CHECK_STR(id_hex(sum, hex), "99aa06d3014798d86001c324468d497f",
		  "to what xxh128sum prints");
	struct str s CLEANUP(str_release) = STR_INIT;
	for (int i = 0; i < 100000; i++)
		str_addf(&s, "%d ", i);
	CHECK(lines_hash_file(put("h", str_span(&s)), &sum, &bytes, &e) == 0 &&
	      bytes == (int64_t)s.n && id_eq(sum, hash_of(s.p, s.n)),
	      "so is a larger one");
	const char *fifo = in_dir("fifo");
	CHECK(mkfifo(fifo, 0600) == 0 && lines_hash_file(fifo, &sum, &bytes, &e) == -1 &&
	      e.code == ERR_NOINPUT && strstr(e.msg, "no regular file"),
	      "a FIFO is refused without waiting: %s", e.msg);
}

static void no_limit(void)
{
	struct err e = ERR_INIT;
	lines_close(lines_open("/dev/null", 0, &e));
}

static int open_fds(void)
{
	int n = 0;
	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

int main(void)
{
	int fds = open_fds();
	lines_close(NULL);
	test_memory(); /* first: what it looks at never goes down */
	test_plain();
	test_small();
	test_too_long();
	test_message();
	test_random();
	test_stdin("standard input from a pipe", 0, 0);
	test_stdin("standard input that another process made non-blocking", O_NONBLOCK, 0);
	test_stdin("standard input while signals come", 0, SIGUSR1);
	test_at_once();
	test_refused();
	test_read_error();
	test_endless();
	test_hash_file();
	CHECK(unit_child(no_limit, NULL, 0) != 0, "a limit of 0 is a bug");
	CHECK_INT(open_fds(), fds, "all files were closed");
	return unit_done();
}
