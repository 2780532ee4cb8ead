#include "cli/opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "unit.h"

static struct {
	bool all, guard, json;
	int verbose, color, lock;
	const char *db, *name, *as;
	struct opt_list tags;
	int64_t jobs, cost, delay, room;
} v;

static const char *const colors[] = { "auto", "always", "never", NULL };
static const char *const locks[] = { "fail", "skip", "wait", NULL };

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
	{ .kind = OPT_CHOICE, .letter = 'L', .name = "lock", .dst = &v.lock, .arg = "HOW",
	  .choices = locks, .bare = "fail" },
	{ .kind = OPT_TEXT, .name = "as", .dst = &v.as, .arg = "NAME", .min = 1, .max = 4 },
	{ .kind = OPT_END },
};

static const struct opt *const tables[] = { first, second, NULL };

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
	v.lock = -1;
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
	check_refused("--as=", "--as: must not be empty", "");
	check_refused("--as abcde", "--as: is longer than 4 bytes", "");
	CHECK_INT(parse("--as abcd"), 0, "a text of the length that it may have");
	CHECK_INT(parse("--delay 36501d"), -1, "a kind without a range has its own");
	CHECK_INT(parse("--room 2000000G"), -1, "also for sizes");
	CHECK_INT(parse("--max-cost=-1"), -1, "which starts at 0");
	const void *const some[] = { &v.delay, &v.room, &v.json };
	CHECK_INT(parse("--json -j1 --room 4k"), 0, "options");
	CHECK(opt_given(second, some, 3) == &second[5] && !opt_given(second, some, 1),
	      "the first of some of a table that was given");
	CHECK_INT(parse("--json --plain"), 0, "rows that share dst are one option");
	CHECK(!v.json, "the last spelling wins");
	CHECK_STR(opt_source(&first[5]), "--plain", "and has the source");
	CHECK_STR(opt_source(&first[4]), "", "which the other has not");
}

static void test_bare(void)
{
	CHECK_INT(parse("--lock wait"), 0, "an option with a value of its own");
	CHECK_INT(v.lock, 0, "has that");
	CHECK_STR(ops, "wait", "and the next word is none of it");
	CHECK_INT(parse("--lock=skip x"), 0, "it takes another one behind =");
	CHECK_INT(v.lock, 1, "which counts");
	CHECK_INT(parse("--lock=skip --lock"), 0, "given twice");
	CHECK_INT(v.lock, 0, "the last one wins, also without a value");
	CHECK_INT(parse("-aL skip -Lwait"), 0, "a short one has it in its word");
	CHECK_INT(v.lock, 2, "or its own");
	CHECK_STR(ops, "skip", "never in the next");
	check_refused("--lock=", "--lock: '' is not one of fail, skip, wait", "");
	check_refused("--lock=no", "--lock: 'no' is not one of fail, skip, wait", "");
	char *argv[] = { (char[]){ "t" }, (char[]){ "--lock" }, (char[]){ "list" } };
	CHECK_INT(opt_first_operand(tables, 3, argv, &e), 2, "what stands behind it is an operand");
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

static void test_file(void)
{
	CHECK_INT(parse("-j8"), 0, "a command line");
	CHECK_INT(opt_set_file(&second[0], SPAN_LIT("9"), 3, &e), 0, "the config file");
	CHECK_INT(v.jobs, 8, "is weaker");
	CHECK_INT(opt_set_file(&second[0], SPAN_LIT("bad"), 3, &e), 0, "and not even looked at");
	CHECK_INT(parse(""), 0, "nothing on the command line");
	CHECK_INT(opt_set_file(&second[0], SPAN_LIT("9"), 3, &e), 0, "a value of the file");
	CHECK_INT(v.jobs, 9, "counts");
	CHECK_STR(opt_source(&second[0]), "config:3", "with its line as the source");
	CHECK_INT(opt_set_file(&second[6], SPAN_NONE, 4, &e), 0, "one with a value of its own");
	CHECK_INT(v.lock, 0, "needs none there");
	CHECK_INT(opt_set_file(&second[6], SPAN_LIT("wait"), 4, &e), 0, "and takes one");
	CHECK_INT(v.lock, 2, "which counts");
	CHECK_INT(opt_set_file(&first[1], SPAN_LIT("yes"), 5, &e), -1, "a flag takes none");
	CHECK_STR(e.msg, "all takes no value", "and says so");

	CHECK_INT(parse(""), 0, "checking only");
	for (const struct opt *o = second; o->kind != OPT_END; o++) {
		struct span good = o->kind == OPT_CHOICE ? SPAN_LIT("skip") :
				   o->kind == OPT_DURATION ? SPAN_LIT("5s") : SPAN_LIT("5");
		CHECK_INT(opt_check_file(o, good, &e), 0, "--%s: a good value", o->name);
	}
	CHECK(v.jobs == 16 && v.lock == -1 && v.tags.n == 0 && !v.name && v.delay == 0,
	      "sets nothing");
	CHECK_INT(opt_check_file(&first[3], SPAN_NONE, &e), 0, "a count");
	CHECK_INT(opt_check_file(&first[2], SPAN_NONE, &e), 0, "a flag that says no");
	CHECK(v.verbose == 0 && v.guard, "neither");
	CHECK_INT(opt_check_file(&second[0], SPAN_LIT("0"), &e), -1, "a bad one is refused");
	CHECK_STR(e.msg, "jobs: '0' is not a number from 1 to 1000", "as when it is set");
	CHECK_INT(opt_check_file(&second[2], SPAN_NONE, &e), -1, "so is none");
	CHECK_STR(opt_nearest_option(tables, "nmae"), "name", "the nearest option");
	CHECK(!opt_nearest_option(NULL, "name"), "of none there is none");
	CHECK(opt_named(tables, SPAN_LIT("jobs")) == &second[0] &&
	      !opt_named(tables, SPAN_LIT("job")), "and the one of that name");
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
	CHECK_INT(opt_set_file(&second[0], SPAN_LIT("9"), 3, &e), 0, "a config file");
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

/* A complaint about a value says where the value came from. */
static void test_blame(void)
{
	const struct { enum err_code code; const char *msg, *want; } cases[] = {
		{ ERR_USAGE, "--jobs is odd", "OPT_TEST_JOBS: --jobs is odd" },
		{ ERR_USAGE, "--db is odd", "--db is odd" },
		{ ERR_USAGE, "--nosuch is odd", "--nosuch is odd" },
		{ ERR_USAGE, "an odd number", "an odd number" },
		{ ERR_IO, "--jobs is odd", "--jobs is odd" },
	};
	CHECK_INT(parse("--db x"), 0, "a command line");
	CHECK_INT(environment("OPT_TEST_JOBS", "7"), 0, "a variable");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err why = ERR_INIT;
		(void)err_set(&why, cases[i].code, "%s", cases[i].msg);
		opt_blame(tables, "/etc/x", &why);
		CHECK_STR(why.msg, cases[i].want, "the source is named");
		CHECK_INT(why.code, cases[i].code, "of the environment it is still usage");
	}
	CHECK_INT(parse(""), 0, "nothing on the command line");
	CHECK_INT(opt_set_file(&second[0], SPAN_LIT("9"), 3, &e), 0, "a config file");
	struct err why = ERR_INIT;
	(void)err_set(&why, ERR_USAGE, "--jobs: odd");
	opt_blame(tables, "/etc/x", &why);
	CHECK_STR(why.msg, "/etc/x: --jobs: odd", "the file is named");
	CHECK_INT(why.code, ERR_CONFIG, "and it is the configuration that is wrong");
}

int main(void)
{
	test_words();
	test_values();
	test_bare();
	test_unknown();
	test_nearest();
	test_first();
	test_file();
	test_environment();
	test_blame();
	opt_list_release(&v.tags);
	return unit_done();
}
