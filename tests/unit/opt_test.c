#include "cli/opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "unit.h"

static struct {
	bool all, guard, json;
	int verbose, color;
	const char *db, *name;
	struct opt_list tags;
	int64_t jobs, cost, delay, room, since;
} v;

static const char *const colors[] = { "auto", "always", "never", NULL };

static const struct opt first[] = {
	{ .kind = OPT_TEXT, .letter = 'D', .name = "db", .dst = &v.db, .arg = "FILE",
	  .env = "OPT_TEST_DB" },
	{ .kind = OPT_FLAG, .letter = 'a', .name = "all", .dst = &v.all,
	  .env = "OPT_TEST_ALL" },
	{ .kind = OPT_NOFLAG, .name = "no-guard", .dst = &v.guard },
	{ .kind = OPT_COUNT, .letter = 'v', .name = "verbose", .dst = &v.verbose,
	  .env = "OPT_TEST_VERBOSE" },
	{ .kind = OPT_FLAG, .name = "json", .dst = &v.json },
	{ .kind = OPT_NOFLAG, .name = "plain", .dst = &v.json },
	{ .kind = OPT_CHOICE, .name = "color", .dst = &v.color, .arg = "WHEN",
	  .choices = colors },
	{ .kind = OPT_END },
};

static const struct opt second[] = {
	{ .kind = OPT_INT, .letter = 'j', .name = "jobs", .dst = &v.jobs, .arg = "N",
	  .min = 1, .max = 1000, .env = "OPT_TEST_JOBS" },
	{ .kind = OPT_LIST, .letter = 't', .name = "tag", .dst = &v.tags, .arg = "TAG" },
	{ .kind = OPT_TEXT, .letter = 'n', .name = "name", .dst = &v.name, .arg = "NAME" },
	{ .kind = OPT_MICRO, .name = "max-cost", .dst = &v.cost, .arg = "N" },
	{ .kind = OPT_DURATION, .name = "delay", .dst = &v.delay, .arg = "DUR" },
	{ .kind = OPT_SIZE, .name = "room", .dst = &v.room, .arg = "SIZE" },
	{ .kind = OPT_DURATION, .name = "since", .dst = &v.since, .arg = "DUR", .min = 1,
	  .optional = "1h" },
	{ .kind = OPT_END },
};

static const struct opt third[] = {
	{ .kind = OPT_FLAG, .name = "of-another-verb", .dst = &v.all },
	{ .kind = OPT_END },
};

static const struct opt *const tables[] = { first, second, NULL };
static const struct opt *const others[] = { third, NULL };

static struct err e;
static char ops[256]; /* the operands of the last parse, joined by '|' */

static int parse(const char *line)
{
	static char words[512];
	char *argv[32] = { (char[]){ "test" } };
	int argc = 1, n = 0;
	char **operands = NULL;
	opt_list_release(&v.tags);
	memset(&v, 0, sizeof(v));
	v.guard = true;
	v.jobs = 16;
	e = (struct err)ERR_INIT;
	snprintf(words, sizeof(words), "%s", line);
	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[argc++] = strcmp(w, "''") == 0 ? w + 2 : w;
	int rc = opt_parse(tables, argc, argv, &operands, &n, &e);
	ops[0] = '\0';
	for (int i = 0; rc == 0 && i < n; i++)
		snprintf(ops + strlen(ops), sizeof(ops) - strlen(ops), "%s%s",
			 i ? "|" : "", operands[i]);
	free(operands);
	return rc;
}

static void check_refused(const char *line, const char *msg, const char *hint)
{
	CHECK_INT(parse(line), -1, "refused: %s", line);
	CHECK_INT(e.code, ERR_USAGE, "that is a usage error");
	CHECK_STR(e.msg, msg, "with this message");
	CHECK_STR(e.hint, hint, "and this hint");
}

static void test_words(void)
{
	CHECK_INT(parse("one --all two -j 4 three"), 0, "options stand anywhere");
	CHECK_STR(ops, "one|two|three", "and operands keep their order");
	CHECK(v.all && v.jobs == 4, "and both options count");
	CHECK_INT(parse("-a -- -j --all -- x"), 0, "-- ends the options");
	CHECK_STR(ops, "-j|--all|--|x", "and everything behind it is an operand");
	CHECK_INT(parse("- -a -"), 0, "- is an operand");
	CHECK_STR(ops, "-|-", "wherever it stands");
	CHECK_INT(parse("--db=x=y --name --all"), 0, "--name=value and --name value");
	CHECK_STR(v.db, "x=y", "the value may hold =");
	CHECK_STR(v.name, "--all", "and the next word is the value whatever it is");
	CHECK(!v.all, "and no option then");
	CHECK_INT(parse("--db= x"), 0, "an empty value is a value");
	CHECK_STR(v.db, "", "which is empty");
	CHECK_INT(parse("-avj8 -vnName -D f -t a -tb --tag=c"), 0, "short flags group");
	CHECK(v.all && v.verbose == 2 && v.jobs == 8, "with a value at the end");
	CHECK_STR(v.name, "Name", "the value is the rest of the word");
	CHECK_STR(v.db, "f", "or the next one");
	CHECK_INT(v.tags.n, 3, "lists gather");
	CHECK(v.tags.n == 3 && strcmp(v.tags.v[2], "c") == 0, "in order");
	CHECK_INT(parse("-j1 --jobs 2 -j3"), 0, "the last of a repeated option wins");
	CHECK_INT(v.jobs, 3, "here 3");
	CHECK_INT(parse("''"), 0, "an empty word is an operand");
}

static void test_values(void)
{
	CHECK_INT(parse("--no-guard --max-cost 1.5 --delay 2s --room 4k --color never"), 0,
		  "all kinds of value");
	CHECK(!v.guard && v.cost == 1500000 && v.delay == 2000 && v.room == 4096 &&
	      v.color == 2, "are read in their units");
	check_refused("-j 0", "--jobs: '0' is not a number from 1 to 1000", "");
	check_refused("--color=no", "--color: 'no' is not one of auto, always, never", "");
	check_refused("--all=yes", "--all takes no value", "");
	check_refused("--db", "--db needs a value: FILE", "");
	check_refused("-aj", "-j, --jobs needs a value: N", "");
	CHECK_INT(parse("--delay 36501d"), -1, "a kind without a range has its own");
	CHECK_INT(parse("--room 2000000G"), -1, "also for sizes");
	CHECK_INT(parse("--max-cost=-1"), -1, "which starts at 0");
	CHECK_INT(parse("--json --plain"), 0, "rows that share dst are one option");
	CHECK(!v.json, "the last spelling wins");
	CHECK_STR(opt_source(&first[5]), "--plain", "and has the source");
	CHECK_STR(opt_source(&first[4]), "", "which the other has not");
}

static void test_unknown(void)
{
	check_refused("--job=3", "unknown option '--job'", "did you mean --jobs?");
	check_refused("--vebrose", "unknown option '--vebrose'", "did you mean --verbose?");
	check_refused("--frobnicate", "unknown option '--frobnicate'", "");
	check_refused("-x", "unknown option '-x'", "");
	check_refused("-all", "unknown option '-l' in '-all'", "did you mean --all?");
	check_refused("-avX", "unknown option '-X' in '-avX'", "");
	check_refused("-verbose", "unknown option '-e' in '-verbose'", "did you mean --verbose?");
	check_refused("--a\033[2J", "unknown option '--a\\x1b[2J'", "");
	check_refused("-\xc3\xa4", "unknown option '-\xc3\xa4' in '-\xc3\xa4'", "");
	check_refused("-\xff", "unknown option '-\\xff'", "");
	CHECK_INT(parse("-- --job"), 0, "behind -- nothing is unknown");
	CHECK_INT(parse("--verb"), -1, "long options are not abbreviated");
}

static void test_nearest(void)
{
	static const char *const names[] = { "import", "export", "list", "show", "db", NULL };
	CHECK_STR(opt_nearest("lsit", names), "list", "a swap counts as one");
	CHECK_STR(opt_nearest("mport", names), "import", "a missing letter");
	CHECK_STR(opt_nearest("expport", names), "export", "one too many");
	CHECK_STR(opt_nearest("shaw", names), "show", "a wrong one");
	CHECK_STR(opt_nearest("ex", names), NULL, "more than a third off is not near");
	CHECK_STR(opt_nearest("", names), NULL, "nothing is near to nothing");
	char longest[200];
	memset(longest, 'a', sizeof(longest));
	longest[199] = '\0';
	CHECK_STR(opt_nearest(longest, names), NULL, "a name of any length is fine");
}

static void test_first(void)
{
	char *argv[] = { (char[]){ "t" }, (char[]){ "--db" }, (char[]){ "list" },
			 (char[]){ "-vj" }, (char[]){ "x" }, (char[]){ "list" },
			 (char[]){ "--nope" } };
	CHECK_INT(parse(""), 0, "nothing was given");
	CHECK_INT(opt_first_operand(tables, 7, argv, &e), 5, "values are no operands");
	CHECK(!v.db && v.verbose == 0, "and nothing is set");
	CHECK_INT(opt_first_operand(tables, 5, argv, &e), 5, "none: argc");
	argv[3] = (char[]){ "--" };
	CHECK_INT(opt_first_operand(tables, 7, argv, &e), 4, "it may stand behind --");
	argv[1] = argv[6];
	CHECK_INT(opt_first_operand(tables, 7, argv, &e), -1, "an unknown option is refused");
}

static char path[512];

static void write_config(const void *text, size_t n)
{
	snprintf(path, sizeof(path), "%s/config", unit_dir());
	FILE *f = fopen(path, "w");
	if (!f || fwrite(text, 1, n, f) != n || fclose(f) != 0)
		abort();
}

static int config(const char *text)
{
	write_config(text, strlen(text));
	e = (struct err)ERR_INIT;
	return opt_config(tables, others, "test", path, true, &e);
}

/* An option whose value may be left out. */
static void test_optional(void)
{
	CHECK(parse("--since 5m") == 0 && v.since == 3600000, "no value: what the table says");
	CHECK_STR(ops, "5m", "the next word is none");
	CHECK(parse("--since=5m x") == 0 && v.since == 300000, "--name=value gives one");
	check_refused("--since=", "--since: '' is not a duration from 1ms to 36500d",
		      "write it with a unit: 250ms, 30s, 10m, 6h or 7d");
	CHECK(parse("") == 0 && v.since == 0, "not given");
	CHECK(config("since\n") == 0 && v.since == 3600000, "no value in the config file");
	parse("");
	CHECK(config("since = 2s\n") == 0 && v.since == 2000, "one there");
}

static void check_bad_config(const char *text, const char *where_and_what,
			     const char *hint)
{
	char want[1024];
	CHECK_INT(parse(""), 0, "nothing on the command line");
	CHECK_INT(config(text), -1, "a bad config file");
	snprintf(want, sizeof(want), "%s/%s", unit_dir(), where_and_what);
	CHECK_STR(e.msg, want, "is refused with file and line");
	CHECK_INT(e.code, ERR_CONFIG, "as a bad configuration");
	CHECK_STR(e.hint, hint, "with this hint");
}

static void test_config(void)
{
	CHECK_INT(parse("--name cli"), 0, "a command line");
	CHECK_INT(config("# comment\n\n  jobs 3 \r\nname=file\n[other]\njobs 5\nnonsense 1\n"
			 "[test]\n\tdelay = 4s\nall\ntag a b\ntag\tc\nof-another-verb\n"
			 "[other]\ncolor never"), 0, "a config file");
	CHECK_INT(v.jobs, 3, "what stands before sections is for all");
	CHECK_STR(v.name, "cli", "the command line is stronger");
	CHECK_INT(v.delay, 4000, "a section of ours");
	CHECK(v.all && v.color == 0, "a flag; sections of others are not ours");
	CHECK_INT(v.tags.n, 2, "lists gather");
	CHECK(v.tags.n == 2 && strcmp(v.tags.v[0], "a b") == 0, "a value is the rest of the line");
	CHECK_STR(opt_source(&second[0]), "config:3", "the source has the line");
	CHECK_STR(opt_source(&second[2]), "--name", "or the option");
	CHECK_STR(opt_source(&first[0]), "", "or nothing");

	CHECK_INT(parse(""), 0, "no options");
	CHECK_INT(config("jobs 3\njobs 4\nnot-mine 7\n"), 0,
		  "an option of somebody else before any section is no error");
	CHECK_INT(v.jobs, 4, "the last one wins");
	CHECK_INT(parse("--plain"), 0, "one spelling on the command line");
	CHECK_INT(config("json\n"), 0, "the other in the file");
	CHECK(!v.json, "the command line is stronger");

	check_bad_config("\n\njobs 0\n", "config:3: jobs: '0' is not a number from 1 to 1000", "");
	check_bad_config("[test]\njosb 3\n", "config:2: unknown option 'josb'",
			 "did you mean jobs?");
	check_bad_config("[test]\n\nof-anohter-verb\n",
			 "config:3: unknown option 'of-anohter-verb'",
			 "did you mean of-another-verb?");
	check_bad_config("all yes", "config:1: all takes no value", "");
	check_bad_config("jobs\n", "config:1: jobs needs a value: N", "");
	check_bad_config("jobs =\n", "config:1: jobs needs a value: N", "");
	check_bad_config("[test\n", "config:1: ']' is missing", "");
	check_bad_config("[", "config:1: ']' is missing", "");

	CHECK_INT(parse(""), 0, "no options");
	write_config("jobs 1\0x\n", 9);
	CHECK_INT(opt_config(tables, NULL, "test", path, true, &e), -1, "a NUL is refused");
	char *big = mem_alloc(100001);
	memset(big, 'x', 100000);
	CHECK_INT(config(big), -1, "so is a line of 100,000 bytes");
	CHECK_INT(e.code, ERR_CONFIG, "as a bad configuration");
	free(big);
	CHECK_INT(opt_config(tables, NULL, "test", unit_dir(), false, &e), -1,
		  "and a directory");
	CHECK_INT(e.code, ERR_CONFIG, "as a bad configuration");
	CHECK_INT(opt_config(tables, NULL, "test", "/nonexistent/x", false, &e), 0,
		  "a file may be missing");
	CHECK_INT(opt_config(tables, NULL, "test", "/nonexistent/x", true, &e), -1,
		  "unless it must exist");
	CHECK_STR(e.msg, "config file /nonexistent/x: No such file or directory",
		  "then the message says why");
	CHECK_INT(e.code, ERR_CONFIG, "as a bad configuration");
}

static int environment(const char *name, const char *value)
{
	setenv(name, value, 1);
	e = (struct err)ERR_INIT;
	int rc = opt_environment(tables, &e);
	unsetenv(name);
	return rc;
}

static void test_environment(void)
{
	CHECK_INT(parse(""), 0, "nothing on the command line");
	CHECK_INT(environment("OPT_TEST_JOBS", "7"), 0, "a variable counts");
	CHECK_INT(v.jobs, 7, "as the option would");
	CHECK_STR(opt_source(&second[0]), "OPT_TEST_JOBS", "and is the source");
	CHECK_INT(config("jobs 9\n"), 0, "the config file");
	CHECK_INT(v.jobs, 7, "is weaker");
	CHECK_INT(parse("-j8"), 0, "the command line");
	CHECK_INT(environment("OPT_TEST_JOBS", "bad"), 0, "is stronger");
	CHECK_INT(v.jobs, 8, "and the variable is not looked at");
	CHECK_INT(parse(""), 0, "nothing on the command line");
	CHECK_INT(environment("OPT_TEST_JOBS", ""), 0, "an empty variable");
	CHECK_INT(v.jobs, 16, "is as good as none");
	CHECK_INT(environment("OPT_TEST_JOBS", "70000"), -1, "the same checks");
	CHECK_STR(e.msg, "OPT_TEST_JOBS: '70000' is not a number from 1 to 1000",
		  "name the variable");
	CHECK_INT(environment("OPT_TEST_ALL", "0"), 0, "0 for a flag");
	CHECK(!v.all && !*opt_source(&first[1]), "is as if not set");
	CHECK_INT(environment("OPT_TEST_ALL", "Yes"), 0, "yes for a flag");
	CHECK(v.all, "sets it");
	CHECK_INT(environment("OPT_TEST_ALL", "maybe"), -1, "maybe is refused");
	CHECK_INT(environment("OPT_TEST_VERBOSE", "2"), 0, "a number for a count");
	CHECK_INT(v.verbose, 2, "is that count");
	CHECK_INT(parse("--db x"), 0, "a text");
	CHECK_INT(environment("OPT_TEST_DB", "y"), 0, "given twice");
	CHECK_STR(v.db, "x", "the command line wins");
}

int main(void)
{
	test_words();
	test_values();
	test_unknown();
	test_nearest();
	test_first();
	test_config();
	test_optional();
	test_environment();
	opt_list_release(&v.tags);
	return unit_done();
}
