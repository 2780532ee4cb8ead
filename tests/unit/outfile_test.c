#include "base/outfile.h"

#include <dirent.h>
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
#include "unit.h"

#define OUTFILE struct outfile *CLEANUP(outfile_cleanup)

/* A path in unit_dir(), in one of four static buffers. */
static const char *in_dir(const char *name)
{
	static char paths[4][1024];
	static unsigned turn;
	char *p = paths[turn++ % 4];
	snprintf(p, sizeof(paths[0]), "%s/%s", unit_dir(), name);
	return p;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

/* The bytes of a file; "(none)" if it is not there. */
static const char *content(const char *path)
{
	static char buf[4096];
	FILE *f = fopen(path, "r");
	if (!f)
		return "(none)";
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
	fclose(f);
	return buf;
}

static int mode_of(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

/* The temporary files that are in the directory. */
static int leftovers(void)
{
	DIR *d = opendir(unit_dir());
	int n = 0;
	for (struct dirent *de; (de = readdir(d));)
		n += de->d_name[0] == '.' && strlen(de->d_name) > 2;
	closedir(d);
	return n;
}

/* Writes `text` to `path` from open to commit; 0 or -1. */
static int write_whole(const char *path, const char *text, struct err *e)
{
	OUTFILE o = outfile_open(path, e);
	if (!o || outfile_write(o, span_of(text), e) != 0)
		return -1;
	return outfile_commit(o, e);
}

static void test_new(void)
{
	struct err e = ERR_INIT;
	const char *path = in_dir("new");
	mode_t mask = umask(022);
	struct outfile *o = outfile_open(path, &e);
	CHECK(o != NULL, "a new file is opened");
	CHECK(outfile_write(o, SPAN_LIT("one\n"), &e) == 0 &&
	      outfile_write(o, SPAN_LIT(""), &e) == 0 &&
	      outfile_write(o, SPAN_NONE, &e) == 0 &&
	      outfile_flush(o, &e) == 0 &&
	      outfile_write(o, SPAN_LIT("t\0wo\n"), &e) == 0, "and written");
	CHECK(access(path, F_OK) != 0 && leftovers() == 1,
	      "it is not there before the commit");
	CHECK_INT(outfile_commit(o, &e), 0, "the commit");
	outfile_close(o);
	struct stat st;
	CHECK(stat(path, &st) == 0 && st.st_size == 9, "then it is whole");
	CHECK_INT(mode_of(path), 0600, "and its owner's");
	CHECK_INT(leftovers(), 0, "and nothing is left over");
	umask(0777);
	CHECK_INT(write_whole(in_dir("umask"), "x", &e), 0, "an umask that takes all");
	CHECK_INT(mode_of(in_dir("umask")), 0600, "takes nothing from it");
	umask(mask);
	CHECK_INT(write_whole(in_dir("empty"), "", &e), 0, "an empty file");
	CHECK_STR(content(in_dir("empty")), "", "is a file");
}

static void test_dropped(void)
{
	struct err e = ERR_INIT;
	const char *path = in_dir("kept");
	put(path, "before");
	struct outfile *o = outfile_open(path, &e);
	CHECK(outfile_write(o, SPAN_LIT("after"), &e) == 0 && outfile_flush(o, &e) == 0,
	      "written and not committed:");
	outfile_close(o);
	CHECK_STR(content(path), "before", "the target stays");
	CHECK_INT(leftovers(), 0, "the temporary file does not");
	outfile_close(NULL);
}

static void test_replaced(void)
{
	struct err e = ERR_INIT;
	const char *path = in_dir("old"), *other = in_dir("other-link");
	put(path, "before, and longer");
	chmod(path, 0640);
	CHECK(link(path, other) == 0 && write_whole(path, "after", &e) == 0,
	      "a file is replaced");
	CHECK_STR(content(path), "after", "by what was written");
	CHECK_INT(mode_of(path), 0640, "it keeps its permission bits");
	CHECK_STR(content(other), "before, and longer",
		  "whoever had it open still reads it");
	chmod(path, 06755);
	CHECK(write_whole(path, "x", &e) == 0 && mode_of(path) == 0755,
	      "set-user-id and set-group-id are not for new bytes");
	chmod(path, 0444);
	if (geteuid() != 0)
		CHECK(write_whole(path, "y", &e) == -1 && e.code == ERR_CANTCREAT,
		      "a file that may not be written is refused: %s", e.msg);
}

static int publish(const char *path, const char *text, unsigned mode, struct err *e)
{
	struct outfile *o CLEANUP(outfile_cleanup) = outfile_open(path, e);

	return !o || outfile_write(o, span_of(text), e) < 0 ? -1 : outfile_publish(o, mode, e);
}

static void test_published(void)
{
	struct err e = ERR_INIT;
	const char *path = in_dir("public");
	CHECK(publish(path, "one", 0644, &e) == 0, "a file is published");
	CHECK_STR(content(path), "one", "with what was written");
	CHECK_INT(mode_of(path), 0644, "and the permissions that were wanted, whatever the umask");
	chmod(path, 0640);
	CHECK(publish(path, "two", 0644, &e) == 0, "and again");
	CHECK_STR(content(path), "two", "it is replaced");
	CHECK_INT(mode_of(path), 0640, "and keeps its own");
	CHECK(publish(in_dir("no/such"), "x", 0644, &e) == -1 && e.code == ERR_CANTCREAT,
	      "where it cannot be: %s", e.msg);
	CHECK_INT(leftovers(), 0, "no temporary file is left");
}

static void test_links(void)
{
	struct err e = ERR_INIT;
	char *target CLEANUP(mem_cleanup) = mem_strdup(in_dir("target"));
	char *to CLEANUP(mem_cleanup) = mem_strdup(in_dir("link"));
	put(target, "before");
	CHECK(symlink("target", to) == 0 && write_whole(to, "after", &e) == 0 &&
	      strcmp(content(target), "after") == 0, "a link's target is replaced");
	struct stat st;
	CHECK(lstat(to, &st) == 0 && S_ISLNK(st.st_mode), "and it stays a link");
	CHECK(symlink("link", in_dir("link2")) == 0 &&
	      write_whole(in_dir("link2"), "again", &e) == 0 &&
	      strcmp(content(target), "again") == 0, "so is a link's link's");
	CHECK(symlink(in_dir("not-yet"), in_dir("dangling")) == 0 &&
	      write_whole(in_dir("dangling"), "made", &e) == 0 &&
	      strcmp(content(in_dir("not-yet")), "made") == 0,
	      "a link to nothing creates what it names");
	CHECK(symlink("loop", in_dir("loop")) == 0 &&
	      write_whole(in_dir("loop"), "x", &e) == -1 && e.code == ERR_CANTCREAT,
	      "a loop is refused: %s", e.msg);
	struct outfile *o = outfile_open(to, &e);
	CHECK(o && unlink(to) == 0 && symlink("elsewhere", to) == 0 &&
	      outfile_write(o, SPAN_LIT("first"), &e) == 0 && outfile_commit(o, &e) == 0 &&
	      strcmp(content(target), "first") == 0 && access(in_dir("elsewhere"), F_OK) != 0,
	      "a link is followed when it is opened and not again");
	outfile_close(o);
}

static void check_refused(const char *path, const char *why)
{
	struct err e = ERR_INIT;
	OUTFILE o = outfile_open(path, &e);
	CHECK(!o && e.code == ERR_CANTCREAT && strstr(e.msg, why), "refused: %s", e.msg);
}

static void test_refused(void)
{
	struct err e = ERR_INIT;
	check_refused(unit_dir(), "is a directory");
	check_refused(in_dir("new-dir/"), "Is a directory");
	check_refused(".", "is a directory");
	check_refused("", "is empty");
	check_refused(in_dir("none/file"), "No such file");
	CHECK(outfile_open(in_dir("none/file"), &e) == NULL && strstr(e.hint, "directory"),
	      "and says what to do: %s", e.hint);
	check_refused(in_dir("old/file"), "Not a directory");
	check_refused(in_dir("none\033[2J/\xff"), "none\\x1b[2J/\\xff'");
	check_refused("/dev/fd/9999", "Bad file descriptor");
	check_refused("/proc/no-such-file", "cannot create '/proc/no-such-file'");
	char name[257];
	memset(name, 'n', 256);
	name[256] = '\0';
	check_refused(in_dir(name), "File name too long");
	name[255] = '\0';
	CHECK_INT(write_whole(in_dir(name), "x", &e), 0, "a name of 255 bytes is fine");
	for (int i = 0; i < 252; i += 3)
		memcpy(name + i, "\xe6\x97\xa5", 4);
	CHECK_INT(write_whole(in_dir(name), "x", &e), 0, "so is one of 84 characters");
	if (geteuid() != 0) {
		mkdir(in_dir("closed"), 0500);
		check_refused(in_dir("closed/file"), "Permission denied");
	}
	CHECK_INT(leftovers(), 0, "nothing is left over from all that");
}

static void test_commit_fails(void)
{
	struct err e = ERR_INIT;
	struct outfile *o = outfile_open(in_dir("usurped"), &e);
	CHECK(o && mkdir(in_dir("usurped"), 0700) == 0 && outfile_commit(o, &e) == -1 &&
	      e.code == ERR_CANTCREAT, "the target became a directory: %s", e.msg);
	outfile_close(o);
	CHECK_INT(leftovers(), 0, "the temporary file is removed then");
	mkdir(in_dir("gone"), 0700);
	o = outfile_open(in_dir("gone/file"), &e);
	CHECK(o && rename(in_dir("gone"), in_dir("moved")) == 0 && outfile_commit(o, &e) == 0 &&
	      access(in_dir("moved/file"), F_OK) == 0,
	      "a directory may be renamed meanwhile");
	outfile_close(o);
}

/* What a full disk does, on any file system. */
static void test_disk_full(void)
{
	struct err e = ERR_INIT;
	const char *path = in_dir("limited");
	struct rlimit old, small;
	put(path, "before");
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){ 100000, old.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	char kb[1024];
	memset(kb, 'x', sizeof(kb));
	struct outfile *o = outfile_open(path, &e);
	int r = 0;
	for (int i = 0; i < 200 && r == 0; i++)
		r = outfile_write(o, (struct span){ kb, sizeof(kb) }, &e);
	setrlimit(RLIMIT_FSIZE, &old);
	CHECK(r == -1 && e.code == ERR_IO && strstr(e.msg, path), "no room: %s", e.msg);
	e = (struct err)ERR_INIT;
	CHECK(outfile_write(o, SPAN_LIT("x"), &e) == -1 && e.code == ERR_IO,
	      "after it every write fails");
	CHECK(outfile_flush(o, &e) == -1, "and every flush");
	CHECK(outfile_commit(o, &e) == -1 && e.code == ERR_IO,
	      "and the commit: %s", e.msg);
	outfile_close(o);
	CHECK_STR(content(path), "before", "the target stays");
	CHECK_INT(leftovers(), 0, "and nothing else does");
}

static void test_dev_full(void)
{
	struct err e = ERR_INIT;
	struct outfile *o = outfile_open("/dev/full", &e);
	CHECK(outfile_write(o, SPAN_LIT("x"), &e) == 0,
	      "/dev/full: a small write is buffered");
	CHECK(outfile_flush(o, &e) == -1 && e.code == ERR_IO &&
	      strstr(e.msg, "/dev/full"), "/dev/full: its flush fails: %s", e.msg);
	CHECK(outfile_commit(o, &e) == -1 && e.code == ERR_IO,
	      "/dev/full: so does the commit");
	outfile_close(o);
	CHECK(write_whole("/dev/full", "x", &e) == -1 && e.code == ERR_IO,
	      "/dev/full: a commit alone fails too");
	char *big CLEANUP(mem_cleanup) = mem_alloc(100000);
	o = outfile_open("/dev/full", &e);
	CHECK(outfile_write(o, (struct span){ big, 100000 }, &e) == -1 && e.code == ERR_IO,
	      "/dev/full: a big write fails at once");
	outfile_close(o);
}

static void test_devices(void)
{
	struct err e = ERR_INIT;
	struct stat st;
	CHECK(write_whole("/dev/null", "x", &e) == 0 && stat("/dev/null", &st) == 0 &&
	      S_ISCHR(st.st_mode), "/dev/null is written, not replaced");
	const char *fifo = in_dir("fifo");
	char buf[16] = "";
	mkfifo(fifo, 0600);
	int in = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct outfile *o = outfile_open(fifo, &e);
	CHECK(o && outfile_write(o, SPAN_LIT("line\n"), &e) == 0 && read(in, buf, 15) <= 0,
	      "a FIFO's bytes wait for the flush");
	CHECK(outfile_flush(o, &e) == 0 && read(in, buf, 15) == 5 &&
	      strcmp(buf, "line\n") == 0, "and come with it");
	CHECK(outfile_write(o, SPAN_LIT("dropped"), &e) == 0, "what is not flushed");
	outfile_close(o);
	CHECK_INT(read(in, buf, 15), 0, "is dropped by the close");
	signal(SIGPIPE, SIG_IGN);
	o = outfile_open(fifo, &e);
	close(in);
	CHECK(outfile_write(o, SPAN_LIT("x"), &e) == 0 && outfile_flush(o, &e) == -1 &&
	      e.code == ERR_PIPE, "a reader that went away is ERR_PIPE");
	CHECK(outfile_commit(o, &e) == -1 && e.code == ERR_PIPE, "also at the commit");
	outfile_close(o);
}

/* Runs fn with standard output in a file that is appended to. */
static void with_stdout(const char *path, void (*fn)(void))
{
	fflush(stdout);
	int keep = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	dup2(fd, STDOUT_FILENO);
	close(fd);
	fn();
	dup2(keep, STDOUT_FILENO);
	close(keep);
}

static int result;
static struct err result_err;

static void write_dash(void)
{
	result = write_whole("-", "dash\n", &result_err);
}

static void write_dev_stdout(void)
{
	result = write_whole("/dev/stdout", "stdout\n", &result_err);
}

static void write_dev_fd(void)
{
	result = write_whole("/dev/fd/1", "fd\n", &result_err);
}

static void write_closed(void)
{
	close(STDOUT_FILENO);
	result = write_whole("-", "x", &result_err);
}

static void test_stdout(void)
{
	const char *path = in_dir("out");
	put(path, "before\n");
	with_stdout(path, write_dash);
	CHECK(result == 0 && strcmp(content(path), "before\ndash\n") == 0,
	      "\"-\" writes to standard output");
	CHECK(fcntl(STDOUT_FILENO, F_GETFD) >= 0, "and leaves it open");
	with_stdout(path, write_dev_stdout);
	CHECK(result == 0 && strcmp(content(path), "before\ndash\nstdout\n") == 0,
	      "/dev/stdout is appended to, not replaced");
	with_stdout(path, write_dev_fd);
	CHECK(result == 0 && strcmp(content(path), "before\ndash\nstdout\nfd\n") == 0,
	      "so is /dev/fd/1");
	with_stdout(path, write_closed);
	CHECK(result == -1 && result_err.code == ERR_CANTCREAT &&
	      strstr(result_err.msg, "<stdout>"), "closed: %s", result_err.msg);
}

/* Every size around the buffer's, one after the other. */
static void test_sizes(void)
{
	struct err e = ERR_INIT;
	static const size_t sizes[] = { 1, 65535, 1, 65536, 1, 65537,
					65535, 2, 200000, 3, 65534 };
	struct str all CLEANUP(str_release) = STR_INIT;
	OUTFILE o = outfile_open(in_dir("sizes"), &e);
	int failed = 0;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t from = all.n;
		for (size_t j = 0; j < sizes[i]; j++)
			str_addc(&all, (char)(i * 31 + j));
		failed += outfile_write(o, (struct span){ all.p + from, sizes[i] }, &e) != 0;
	}
	failed += outfile_commit(o, &e) != 0;
	struct str got CLEANUP(str_release) = STR_INIT;
	FILE *f = fopen(in_dir("sizes"), "r");
	for (int c; (c = getc(f)) != EOF;)
		str_addc(&got, (char)c);
	fclose(f);
	CHECK(failed == 0 && span_eq(str_span(&got), str_span(&all)),
	      "writes smaller and larger than the buffer stay in order");
}

static void on_signal(int sig)
{
	(void)sig;
}

/* A slow reader at a pipe that is non-blocking or while signals come. */
static void test_slow_reader(int flags, int sig, const char *rule)
{
	struct err e = ERR_INIT;
	int ends[2], status = -1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		abort();
	struct sigaction act = { .sa_handler = on_signal }, old; /* no SA_RESTART */
	sigaction(SIGUSR1, &act, &old);
	pid_t child = fork();
	if (child == 0) {
		char buf[3000];
		unsigned n = 0, bad = 0;
		close(ends[1]);
		for (ssize_t got; (got = read(ends[0], buf, sizeof(buf))) > 0;) {
			for (ssize_t i = 0; i < got; i++)
				bad += buf[i] != (char)(n++ % 251);
			if (sig)
				kill(getppid(), sig);
		}
		_exit(bad || n != 1000000);
	}
	close(ends[0]);
	fcntl(ends[1], F_SETFL, flags);
	char *bytes CLEANUP(mem_cleanup) = mem_alloc(1000000);
	for (unsigned i = 0; i < 1000000; i++)
		bytes[i] = (char)(i % 251);
	char path[32];
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[1]);
	struct outfile *o = outfile_open(path, &e);
	int failed = 0;
	for (size_t at = 0; at < 500000; at += 1000)
		failed += outfile_write(o, (struct span){ bytes + at, 1000 }, &e) != 0;
	failed += outfile_write(o, (struct span){ bytes + 500000, 500000 }, &e) != 0;
	failed += outfile_commit(o, &e) != 0;
	outfile_close(o);
	close(ends[1]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	sigaction(SIGUSR1, &old, NULL);
	CHECK(failed == 0 && status == 0, "%s", rule);
}

static void use_after_commit(void)
{
	struct err e = ERR_INIT;
	OUTFILE o = outfile_open(in_dir("done"), &e);
	if (outfile_commit(o, &e) == 0 && outfile_write(o, SPAN_LIT("x"), &e) == 0)
		fputs("it wrote", stderr);
}

/* What must not be lost to a slip of the keyboard. */
static void test_spared(void)
{
	struct err e = ERR_INIT;
	char *in CLEANUP(mem_cleanup) = mem_strdup(in_dir("spare-in"));
	char *db CLEANUP(mem_cleanup) = mem_strdup(in_dir("spare.db"));
	put(in, "input");
	put(db, "results");
	CHECK(outfile_spares(in_dir("spare-out"), in, &e) == 0 && outfile_spares(in_dir("none"),
	      in_dir("nothing"), &e) == 0 && outfile_spares("-", "-", &e) == 0 &&
	      outfile_spares("/dev/null", "/dev/null", &e) == 0 &&
	      outfile_spares("/dev/stdout", in, &e) == 0, "spares: another file, and devices");
	CHECK(outfile_spares(in_dir("./spare-in"), in, &e) == -1 && e.code == ERR_USAGE &&
	      strstr(e.msg, "would replace the input"), "spares: not the input: %s", e.msg);
	int saved = dup(STDIN_FILENO), fd = open(in, O_RDONLY);
	dup2(fd, STDIN_FILENO);
	CHECK(outfile_spares(in, "-", &e) == -1, "spares: nor as standard input");
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(fd);
	CHECK(write_whole(db, "results", &e) == 0, "a file whose name ends in .db is any file");
	put(in_dir("spare.db-fsl"), "");
	CHECK(write_whole(db, "x", &e) == -1 && e.code == ERR_CANTCREAT &&
	      strstr(e.msg, "is a state file"), "a state file is not replaced: %s", e.msg);
	CHECK_STR(content(db), "results", "it stays");
}

static void test_same(void)
{
	char *a CLEANUP(mem_cleanup) = mem_strdup(in_dir("same-a"));
	char *b CLEANUP(mem_cleanup) = mem_strdup(in_dir("same-b"));
	put(a, "a");
	put(b, "b");
	CHECK(outfile_same(a, a), "same: a path and itself");
	CHECK(!outfile_same(a, b), "same: two files are not");
	CHECK(outfile_same(a, in_dir("./same-a")), "same: another way to write it");
	CHECK(symlink("same-a", in_dir("same-l")) == 0 && outfile_same(in_dir("same-l"), a),
	      "same: a link and its target");
	CHECK(link(a, in_dir("same-h")) == 0 && outfile_same(a, in_dir("same-h")),
	      "same: two names of one file");
	CHECK(!outfile_same(in_dir("nope"), in_dir("..")),
	      "same: nothing and a directory");
	CHECK(outfile_same(in_dir("nope"), in_dir(".//nope")),
	      "same: a file that is not there yet");
	CHECK(!outfile_same(in_dir("nope"), in_dir("nope2")),
	      "same: two that are not there yet");
	CHECK(!outfile_same(in_dir("nope"), a), "same: one of the two is there");
	CHECK(symlink("nope", in_dir("same-d")) == 0 &&
	      outfile_same(in_dir("same-d"), in_dir("nope")),
	      "same: a link to nothing, and its name");
	CHECK(!outfile_same(in_dir("no1/x"), in_dir("no2/x")),
	      "same: directories that are not there");
	CHECK(outfile_same("-", "-") && !outfile_same("-", a) && !outfile_same(a, "-"),
	      "same: \"-\" is the same as \"-\" only");
	if (chdir(unit_dir()) == 0)
		CHECK(outfile_same("same-a", a) && outfile_same("nope", in_dir("nope")),
		      "same: relative and absolute");
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
	test_new();
	test_dropped();
	test_replaced();
	test_published();
	test_links();
	test_refused();
	test_commit_fails();
	test_disk_full();
	test_dev_full();
	test_devices();
	test_stdout();
	test_sizes();
	test_slow_reader(0, 0, "a pipe's slow reader gets every byte");
	test_slow_reader(O_NONBLOCK, 0, "also from a pipe that is non-blocking");
	test_slow_reader(0, SIGUSR1, "also while signals come");
	char said[256];
	CHECK(unit_child(use_after_commit, said, sizeof(said)) != 0 && strstr(said, "bug: "),
	      "a write after the commit is a bug");
	test_same();
	test_spared();
	CHECK_INT(open_fds(), fds, "all files were closed");
	return unit_done();
}
