#include "cli/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "cli/version.h"
#include "unit.h"

/* A program with verbs that tell what they were given. */
static struct {
	int64_t limit;
	bool dry;
} v = { .limit = 20 };

static const struct opt list_options[] = {
	{ .kind = OPT_INT, .letter = 'l', .name = "limit", .dst = &v.limit, .arg = "N",
	  .min = 1, .max = 1000, .help = "at most so many", .dflt = "20",
	  .env = "TOOL_TEST_LIMIT" },
	{ .kind = OPT_END },
};

static const struct opt other_options[] = {
	{ .kind = OPT_FLAG, .letter = 'n', .name = "dry-run", .dst = &v.dry,
	  .help = "change nothing" },
	{ .kind = OPT_END },
};

static int run_list(struct tool *t, struct err *e)
{
	if (tool_printf(e, "verb=%s db=%s format=%d%s columns=%s quiet=%d verbose=%d color=%d "
			"progress=%d/%lld limit=%lld operands=", t->verb, t->db,
			(int)t->format, t->format_given ? "!" : "", t->columns ? t->columns : "-",
			t->quiet, t->verbose, t->color, (int)t->progress,
			(long long)t->progress_ms, (long long)v.limit) < 0)
		return -1;
	for (int i = 0; i < t->n_operands; i++)
		if (tool_printf(e, "%s|", t->operands[i]) < 0)
			return -1;
	log_note("a note");
	log_info("an info");
	log_debug("a debug");
	return tool_print(SPAN_LIT("\n"), e);
}

/* The operand says how to end: a status, or the letter of an error. */
static int run_end(struct tool *t, struct err *e)
{
	const char *how = t->operands[0];
	if (*how >= '0' && *how <= '9')
		return atoi(how);
	err_set(e, (enum err_code)(*how - 'A' + ERR_NOTFOUND), "failed with %s", how);
	return how[1] ? err_hint(e, "try %s", how + 1) : -1;
}

static int each(struct tool *t, const char *operand, void *ctx, struct err *e)
{
	(void)t;
	++*(int *)ctx;
	if (strcmp(operand, "missing") == 0)
		return err_set(e, ERR_NOTFOUND, "no such thing: missing");
	if (strcmp(operand, "wrong") == 0)
		return err_set(e, ERR_STATE, "wrong state");
	if (strcmp(operand, "broken") == 0)
		return err_set(e, ERR_IO, "broken");
	if (tool_printf(e, "<%s>", operand) < 0)
		return -1;
	return strcmp(operand, "three") == 0 ? EXIT_SOME : EXIT_OK;
}

static int run_each(struct tool *t, struct err *e)
{
	int n = 0;
	int status = tool_each(t, each, &n, e);
	return tool_printf(e, "%d\n", n) < 0 ? -1 : status;
}

static void on_alarm(int sig) { (void)sig; }

/* 4 MB, while a timer interrupts write(2); then ends as the operand says. */
static int run_spout(struct tool *t, struct err *e)
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	char block[4096];
	int rc = 0;
	memset(block, 'x', sizeof(block));
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 1024 && rc == 0; i++)
		rc = tool_print((struct span){ block, sizeof(block) }, e);
	setitimer(ITIMER_REAL, &never, NULL);
	return rc < 0 ? -1 : t->n_operands ? atoi(t->operands[0]) : 0;
}

static int run_files(struct tool *t, struct err *e)
{
	(void)t;
	struct stat st;
	int fd = open("/dev/null", O_RDONLY);
	char c;
	ssize_t n = read(0, &c, 1);
	close(fd);
	mode_t mask = umask(0);
	struct sigaction act;
	sigaction(SIGPIPE, NULL, &act);
	return tool_printf(e, "fd=%d read=%zd out=%d err=%d umask=%o pipe=%s\n", fd, n,
			   fstat(1, &st), fstat(2, &st), (unsigned)mask,
			   act.sa_handler == SIG_IGN ? "ignored" : "?");
}

static const struct tool_verb verbs[] = {
	{ "list", "[BATCH...]", 0, -1, "list what there is", NULL, list_options, run_list },
	{ "end", "HOW", 1, 1, "end in some way", NULL, other_options, run_end },
	{ "each", "NAME|-...", 0, -1, "print names", NULL, NULL, run_each },
	{ "spout", "[STATUS]", 0, 1, "print much", NULL, NULL, run_spout },
	{ "files", "", 0, 0, "look at descriptors", NULL, NULL, run_files },
	{ .run = NULL },
};

static const char *libraries(void) { return "libfoo 1.2, libbar 3.4"; }

static const struct tool_program many = {
	.name = "fsl-test", .summary = "tests the tools", .verbs = verbs,
	.examples = "fsl-test list -l 5\n  fsl-test end 0\n", .libraries = libraries,
};

static const struct tool_verb only[] = {
	{ NULL, "[BATCH...]", 0, 2, "", NULL, list_options, run_list }, { .run = NULL },
};
static const struct tool_program single = {
	.name = "fletcher-dot", .summary = "runs", .verbs = only,
};

enum to { TO_FILE, TO_FULL, TO_GONE, TO_CLOSED, TO_PIPE, TO_TERMINAL };

static struct how {
	const struct tool_program *program;
	const char *input; /* NULL: closed */
	enum to to;
	bool no_stderr;
} how;
static struct str out = STR_INIT, err = STR_INIT; /* of the last run */

static int open_output(enum to to, int *reader)
{
	int ends[2];
	switch (to) {
	case TO_FILE: return memfd_create("output", 0);
	case TO_FULL: return open("/dev/full", O_WRONLY);
	case TO_PIPE:
	case TO_GONE:
		if (pipe(ends) < 0)
			abort();
		*reader = to == TO_PIPE ? ends[0] : (close(ends[0]), -1);
		return ends[1];
	case TO_TERMINAL:
		*reader = posix_openpt(O_RDWR | O_NOCTTY);
		if (*reader < 0 || grantpt(*reader) < 0 || unlockpt(*reader) < 0)
			abort();
		return open(ptsname(*reader), O_RDWR | O_NOCTTY);
	case TO_CLOSED: return -1;
	}
	abort();
}

static void read_back(struct str *to, int fd)
{
	char buf[65536];
	ssize_t n;
	str_reset(to);
	lseek(fd, 0, SEEK_SET); /* a pipe has no beginning */
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		str_add(to, buf, (size_t)n);
	close(fd);
}

static void be_child(char **argv, int argc, int in, int to, int words)
{
	const int fds[] = { in, to, how.no_stderr ? -1 : words };
	for (int i = 0; i < 3; i++) {
		close(i);
		if (fds[i] >= 0)
			dup2(fds[i], i);
	}
	for (int i = 3; i < 64; i++)
		close(i);
	exit(tool_main(how.program, argc, argv));
}

/* Runs the program with these words; its status, or -signal. */
static int run(const char *line)
{
	char copy[512], *argv[32] = { (char[]){ "program" } };
	int argc = 1, reader = -1, status;
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		argv[argc++] = strcmp(w, "''") == 0 ? w + 2 : w;
	int in = how.input ? memfd_create("input", 0) : -1;
	if (in >= 0 && pwrite(in, how.input, strlen(how.input), 0) < 0)
		abort();
	int words = memfd_create("stderr", 0), to = open_output(how.to, &reader);
	pid_t child = fork();
	if (child == 0)
		be_child(argv, argc, in, to, words);
	str_reset(&out);
	if (how.to != TO_FILE && to >= 0)
		close(to);
	if (reader >= 0)
		read_back(&out, reader);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		abort();
	if (how.to == TO_FILE)
		read_back(&out, to);
	read_back(&err, words);
	if (in >= 0)
		close(in);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void reset(const struct tool_program *p)
{
	how = (struct how){ .program = p, .input = "" };
}

/* NULL: anything; "": nothing; else it is in there. */
static void check_text(const struct str *got, const char *want, const char *name)
{
	if (!want || (*want && strstr(str_z(got), want)))
		CHECK(true, "and %s tells", name);
	else
		CHECK_STR(str_z(got), want, "and %s tells", name);
}

static void check(const char *line, int status, const char *in_out, const char *in_err,
		  const char *rule)
{
	CHECK_INT(run(line), status, "%s", rule);
	check_text(&out, in_out, "stdout");
	check_text(&err, in_err, "stderr");
}

static void write_file(const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", unit_dir(), name);
	FILE *f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

static void test_words(void)
{
	reset(&many);
	check("list", 0, "verb=list db=/home/of/nobody/.local/state/fsl/fsl.db format=1 "
	      "columns=- quiet=0 verbose=0 color=0 progress=0/10000 limit=20 operands=\n", "fsl-test: a note\n", "the defaults");
	check("--json -D x list a -l5 --columns=B,A b -- --plain", 0,
	      "verb=list db=x format=2! columns=B,A", NULL, "options may stand before the verb");
	CHECK(strstr(str_z(&out), "limit=5 operands=a|b|--plain|\n"),
	      "and before and behind operands");
	check("list --json --plain", 0, "format=1!", NULL, "of --json and --plain the last wins");
	check("list -vq --color=always --progress json:2.5", 0,
	      "quiet=1 verbose=1 color=1 progress=2/2500", "", "-q: no notes");
	check("list -v --progress none", 0, "progress=3/", "fsl-test: an info\n", "-v: more");
	CHECK(!strstr(str_z(&err), "a debug"), "but not all");
	check("list -vv --log-format=json", 0, NULL, "\"level\":\"debug\"", "-vv: all");
	check("-- list x", 0, "operands=x|", NULL, "-- before the verb ends the options");

	check("", 64, "", "Usage: fsl-test VERB [OPTION]... [OPERAND]...\n", "no verb");
	check("-v", 64, "", "hint: 'fsl-test --help' lists the verbs", "an option and no verb");
	check("lsit", 64, "", "fsl-test: unknown verb 'lsit'\nfsl-test: hint: did you mean list?\n",
	      "an unknown verb");
	check("frob\033", 64, "", "unknown verb 'frob\\x1b'\nfsl-test: hint: see "
	      "'fsl-test --help'\n", "one that is like no other");
	check("list --limt 3", 64, "", "unknown option '--limt'\nfsl-test: hint: did you mean "
	      "--limit?\n", "an unknown option");
	check("--limit 3 list", 64, "", "hint: options of a verb stand behind it",
	      "an option of a verb before it");
	check("list -l 0", 64, "", "--limit: '0' is not a number from 1 to 1000\n"
	      "fsl-test: hint: see 'fsl-test list --help'\n", "a bad value");
	check("list --progress=often", 64, "", "--progress: 'often' is not one of auto, bar, "
	      "json[:SECS], none", "a bad --progress");
	check("list --progress=json:0", 64, "", "--progress: '0' is not a", "a bad interval");
	check("list -D ''", 64, "", "--db: an empty file name", "an empty --db");
	check("list --log-format json --nope", 64, "", "\"message\":\"unknown option '--nope'\"",
	      "errors of the command line are JSON too");
	check("end", 64, "", "an operand is missing: HOW", "too few operands");
	check("end 0 1", 64, "", "one operand too many: '1'", "too many");

	reset(&single);
	check("-l5 a --json", 0, "verb=(null) db=/", NULL, "a program without verbs");
	CHECK(strstr(str_z(&out), "format=2! ") && strstr(str_z(&out), "operands=a|\n"),
	      "takes options and operands");
	check("help", 0, "operands=help|", NULL, "and has no verb help");
}

static void test_help(void)
{
	reset(&many);
	check("--help", 0, "Usage: fsl-test VERB [OPTION]...", "", "--help of the program");
	struct str whole CLEANUP(str_release) = STR_INIT;
	str_addspan(&whole, str_span(&out));
	check("help", 0, str_z(&whole), "", "help is --help");
	check("-h", 0, str_z(&whole), "", "so is -h");
	check("list --help", 0, "Usage: fsl-test list [OPTION]...", "", "--help of a verb");
	str_reset(&whole);
	str_addspan(&whole, str_span(&out));
	check("help list", 0, str_z(&whole), "", "help VERB is VERB --help");
	check("-h list -l 3 x", 0, str_z(&whole), "", "wherever it stands");
	check("end --help", 0, "Usage: fsl-test end [OPTION]... HOW\n", "",
	      "help needs no operands");
	check("help lst", 64, "", "did you mean list?", "help of an unknown verb");
	setenv("FSL_CONFIG", "/nonexistent", 1);
	check("--help", 0, "Usage", "", "help works with a broken configuration");
	check("--version", 0, "fsl-test " FSL_VERSION " (libfoo 1.2, libbar 3.4)\n", "",
	      "so does --version, which names the libraries");
	unsetenv("FSL_CONFIG");
	check("list -V", 0, "fsl-test " FSL_VERSION " (", "", "also behind a verb");
	check("--list-options", 0, "-\t--db\t-D\tFILE\n-\t--json\t-\t-\n", "", "all options");
	reset(&single);
	check("--help", 0, "Usage: fletcher-dot [OPTION]... [BATCH...]\n", "",
	      "help of a program without verbs");
	check("-V", 0, "fletcher-dot " FSL_VERSION "\n", "", "the version without libraries");
}

static void test_precedence(void)
{
	char path[512], words[1024];
	reset(&many);
	snprintf(path, sizeof(path), "%s/config", unit_dir());
	setenv("FSL_CONFIG", path, 1);
	write_file("config", "# for all\nlimit 7\ndb = /from/config\nnot-ours\n[fletcher-dot]\n"
		   "limit 8\n[fsl-test]\ndry-run\nverbose\n");
	check("list", 0, "db=/from/config format=1 columns=- quiet=0 verbose=1", "an info",
	      "the config file");
	CHECK(strstr(str_z(&out), "limit=7 "), "in its sections");
	setenv("TOOL_TEST_LIMIT", "9", 1);
	setenv("FSL_DB", "/from/env", 1);
	check("list", 0, "limit=9 ", NULL, "the environment is stronger");
	CHECK(strstr(str_z(&out), "db=/from/env "), "also for FSL_DB");
	check("list -l 10 --db=/from/option", 0, "limit=10 ", NULL, "the option is strongest");
	CHECK(strstr(str_z(&out), "db=/from/option "), "also for --db");
	unsetenv("TOOL_TEST_LIMIT");
	unsetenv("FSL_DB");
	write_file("other", "[fsl-test]\nlimit 11\n");
	snprintf(words, sizeof(words), "list --config %s/other", unit_dir());
	check(words, 0, "limit=11 ", NULL, "--config is stronger than FSL_CONFIG");
	write_file("config", "limit 7\n[fletcher-dot]\nlimit 8\n[fsl-run]\nlimit 9\n");
	how.program = &single;
	check("", 0, "limit=8 ", NULL, "each program has its section");
	how.program = &many;

	write_file("config", "\n[fsl-test]\nlimt 3\n");
	snprintf(words, sizeof(words), "fsl-test: %s:3: unknown option 'limt'\n"
		 "fsl-test: hint: did you mean limit?\n", path);
	check("list", 78, "", words, "a bad config file: file and line");
	write_file("config", "progress never\n");
	check("list", 78, "", "config:1: 'never' is not one of", "a bad value in it");
	setenv("FSL_CONFIG", "/nonexistent/config", 1);
	check("list", 78, "", "config file /nonexistent/config: No such file",
	      "a file that was named must exist");
	unsetenv("FSL_CONFIG");

	snprintf(path, sizeof(path), "%s/fsl", unit_dir());
	mkdir(path, 0700);
	write_file("fsl/config", "limit 12\n");
	*strrchr(path, '/') = '\0';
	setenv("XDG_CONFIG_HOME", path, 1);
	setenv("XDG_STATE_HOME", path, 1);
	check("list", 0, "limit=12 ", NULL, "$XDG_CONFIG_HOME/fsl/config is read");
	snprintf(words, sizeof(words), "db=%s/fsl/fsl.db ", path);
	CHECK(strstr(str_z(&out), words), "$XDG_STATE_HOME/fsl/fsl.db is the state file");
	setenv("XDG_STATE_HOME", "relative", 1);
	check("list", 0, "db=/home/of/nobody/.local/state/fsl/fsl.db ", NULL,
	      "a relative one is ignored");
	unsetenv("XDG_STATE_HOME");
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("HOME");
	check("list", 0, "/.local/state/fsl/fsl.db ", NULL, "without HOME the user's own");
	setenv("HOME", "/home/of/nobody", 1);
	setenv("FSL_DB", "", 1);
	check("list", 0, "db=/home/of/nobody/.local", NULL, "an empty variable is none");
	unsetenv("FSL_DB");
}

static void test_terminal(void)
{
	reset(&many);
	how.to = TO_TERMINAL;
	setenv("TERM", "xterm", 1);
	check("list", 0, "format=0 columns=- quiet=0 verbose=0 color=1", NULL,
	      "on a terminal a table, with color");
	check("list --plain --color never", 0, "format=1! columns=- quiet=0 verbose=0 color=0",
	      NULL, "unless told otherwise");
	setenv("NO_COLOR", "1", 1);
	check("list", 0, "color=0", NULL, "NO_COLOR turns it off");
	check("list --color always", 0, "color=1", NULL, "but not --color always");
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	check("list", 0, "color=0", NULL, "a dumb terminal has none");
}

static void test_status(void)
{
	static const struct { char letter; int status; } errors[] = {
		{ 'A', 5 }, { 'B', 6 }, { 'C', 64 }, { 'D', 65 }, { 'E', 66 }, { 'F', 69 },
		{ 'G', 70 }, { 'H', 73 }, { 'I', 74 }, { 'J', 75 }, { 'K', 77 }, { 'L', 78 },
	};
	reset(&many);
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		char words[] = { 'e', 'n', 'd', ' ', errors[i].letter, '\0' };
		check(words, errors[i].status, "", "fsl-test: failed with ",
		      "the status of the error");
	}
	check("end M", 0, "", "", "a reader that went away: not a word");
	check("end Bwait", 6, "", "failed with Bwait\nfsl-test: hint: try wait\n", "a hint");
	check("end -q Bwait", 6, "", "fsl-test: failed with Bwait\n", "-q still shows errors");
	check("end 4", 4, "", "", "a status of the verb");
	check("end 143", 143, "", "", "also of a signal");
}

static void test_each(void)
{
	reset(&many);
	check("each a b", 0, "<a><b>2\n", "", "each operand");
	check("each", 0, "0\n", "", "none");
	check("each a missing three", 5, "<a><three>3\n", "fsl-test: no such thing: missing\n",
	      "what is missing does not stop the others");
	check("each wrong missing", 6, "2\n", "wrong state", "the worst status counts");
	check("each three a", 3, "<three><a>2\n", "", "also of those of the verb");
	check("each a broken b", 74, "<a>2\n", "broken", "another error does");
	how.input = "one\n\n  \ntwo words\r\nmissing\nlast";
	check("each a - b", 5, "<a><one><two words><last><b>6\n", NULL,
	      "- stands for the lines of stdin");
	how.input = NULL;
	check("each -", 0, "0\n", "", "a closed stdin is empty");
}

static void test_streams(void)
{
	reset(&many);
	check("files", 0, "fd=3 read=0 out=0 err=0 umask=77 pipe=ignored\n", "",
	      "umask 077, SIGPIPE ignored");
	how.input = NULL;
	how.no_stderr = true;
	check("files", 0, "fd=3 read=0 out=0 err=0 ", "", "closed stdin and stderr are opened");
	how.to = TO_CLOSED;
	check("files", 0, "", "", "closed stdout too");
	check("list", 0, "", "", "and what is printed goes nowhere");

	static const char *const printing[] = { "list", "--help", "list --help", "--version",
						"--list-options", "spout", "each a" };
	for (size_t i = 0; i < ARRAY_LEN(printing); i++) {
		reset(&many);
		how.to = TO_FULL;
		check(printing[i], 74, "", "fsl-test: cannot write to standard output: "
		      "No space left on device\n", "a full disk is an error");
		CHECK(!strstr(strstr(str_z(&err), "cannot") + 1, "cannot"), "that is told once");
		how.to = TO_GONE;
		check(printing[i], 0, "", NULL, "a reader that went away is none");
		CHECK(!strstr(str_z(&err), "error"), "and not a word is said");
	}
	how.to = TO_GONE;
	check("each a three", 3, "", "", "the verb's status stays");
	how.to = TO_FULL;
	check("each a three", 74, "", "No space", "but for a full disk");
	check("each a missing", 74, "", "no such thing", "what was printed before is printed");
	check("end A", 5, "", "failed with A", "nothing printed, nothing lost");
	how.to = TO_PIPE;
	CHECK_INT(run("spout 3"), 3, "a signal while write(2) waits");
	CHECK_INT(out.n, 4 << 20, "loses nothing");
}

int main(void)
{
	static const char *const names[] = { "FSL_DB", "FSL_CONFIG", "XDG_STATE_HOME",
					     "XDG_CONFIG_HOME", "TOOL_TEST_LIMIT", "NO_COLOR" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	setenv("HOME", "/home/of/nobody", 1);
	unit_dir();
	test_words();
	test_help();
	test_precedence();
	test_terminal();
	test_status();
	test_each();
	test_streams();
	str_release(&out);
	str_release(&err);
	return unit_done();
}
