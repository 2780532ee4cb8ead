/* config: the file, and following it. */
#include "cli/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit.h"

static struct {
	bool all, json;
	int color;
	const char *name;
	struct opt_list tags;
	int64_t jobs, delay;
} v;

static const char *const colors[] = { "auto", "always", "never", NULL };

static const struct opt first[] = {
	{ .kind = OPT_FLAG, .name = "all", .dst = &v.all, .env = "CONFIG_TEST_ALL" },
	{ .kind = OPT_FLAG, .name = "json", .dst = &v.json },
	{ .kind = OPT_NOFLAG, .name = "plain", .dst = &v.json },
	{ .kind = OPT_CHOICE, .name = "color", .dst = &v.color, .arg = "WHEN",
	  .choices = colors },
	{ .kind = OPT_END },
};

static const struct opt second[] = {
	{ .kind = OPT_INT, .name = "jobs", .dst = &v.jobs, .arg = "N", .min = 1, .max = 1000 },
	{ .kind = OPT_TEXT, .name = "name", .dst = &v.name, .arg = "NAME" },
	{ .kind = OPT_DURATION, .name = "delay", .dst = &v.delay, .arg = "DUR" },
	{ .kind = OPT_LIST, .letter = 't', .name = "tag", .dst = &v.tags, .arg = "TAG",
	  .env = "CONFIG_TEST_TAG" },
	{ .kind = OPT_END },
};
enum { TAG = 3 };

static const struct opt third[] = {
	{ .kind = OPT_FLAG, .name = "of-another-verb", .dst = &v.all },
	{ .kind = OPT_END },
};

static const struct opt *const tables[] = { first, second, NULL };
static const struct opt *const others[] = { third, NULL };

static struct err e;
static char path[512];
static struct config_source source = { tables, others, "test", path, true };

static int parse(const char *line)
{
	static char words[512];
	char *argv[32] = { (char[]){ "test" } };
	int argc = 1, n = 0;
	char **operands = NULL;
	opt_list_release(&v.tags);
	memset(&v, 0, sizeof(v));
	v.jobs = 16;
	e = (struct err)ERR_INIT;
	snprintf(words, sizeof(words), "%s", line);
	for (char *save = NULL, *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	int rc = opt_parse(tables, argc, argv, &operands, &n, &e);
	free(operands);
	return rc;
}

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
	return config_read(&source, &e);
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
	CHECK_INT(config("# comment\n\n  jobs 3 \r\nname=file\n[fsl-run]\njobs 5\nnonsense 1\n"
			 "[test]\n\tdelay = 4s\nall\ntag a b\ntag\tc\nof-another-verb\n"
			 "[fsl-run]\ncolor never"), 0, "a config file");
	CHECK_INT(v.jobs, 3, "what stands before sections is for all");
	CHECK_STR(v.name, "cli", "the command line is stronger");
	CHECK_INT(v.delay, 4000, "a section of ours");
	CHECK(v.all && v.color == 0, "a flag; sections of others are not ours");
	CHECK_INT(v.tags.n, 2, "lists gather");
	CHECK(v.tags.n == 2 && strcmp(v.tags.v[0], "a b") == 0, "a value is the rest of the line");
	CHECK_STR(opt_source(&second[0]), "config:3", "the source has the line");
	CHECK_STR(opt_source(&second[1]), "--name", "or the option");
	CHECK_STR(opt_source(&first[1]), "", "or nothing");

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
	check_bad_config("[fsl-rnu]\n", "config:1: there is no program 'fsl-rnu'",
			 "did you mean [fsl-run]?");
	check_bad_config("--jobs 3\n", "config:1: an option is written without its dashes here", "");

	CHECK_INT(parse(""), 0, "no options");
	write_config("jobs 1\0x\n", 9);
	CHECK_INT(config_read(&source, &e), -1, "a NUL is refused");
	char *big = mem_alloc(100001);
	memset(big, 'x', 100000);
	CHECK_INT(config(big), -1, "so is a line of 100,000 bytes");
	CHECK_INT(e.code, ERR_CONFIG, "as a bad configuration");
	free(big);
	struct config_source other = { tables, NULL, "test", unit_dir(), false };
	CHECK_INT(config_read(&other, &e), -1, "and a directory");
	CHECK_INT(e.code, ERR_CONFIG, "as a bad configuration");
	other.path = "/nonexistent/x";
	CHECK_INT(config_read(&other, &e), 0, "a file may be missing");
	other.must_exist = true;
	CHECK_INT(config_read(&other, &e), -1, "unless it was named");
	CHECK_STR(e.msg, "config file /nonexistent/x: No such file or directory",
		  "then the message says why");
	CHECK_INT(e.code, ERR_CONFIG, "as a bad configuration");
	other = (struct config_source){ tables, NULL, "test", NULL, false };
	CHECK_INT(config_read(&other, &e), 0, "there need not be one");
}

static struct config_watch w;

static void write_text(const char *text)
{
	write_config(text, strlen(text));
}

/* The values that are followed now, with commas between. */
static const char *values(void)
{
	static char text[200];
	text[0] = '\0';
	for (int i = 0; i < w.values.n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? "," : "",
			 w.values.v[i]);
	return text;
}

/* The program has started with these words and the file as it is. */
static void start(const char *line)
{
	config_watch_release(&w);
	if (parse(line) < 0 || opt_environment(tables, &e) < 0 || config_read(&source, &e) < 0)
		abort();
	config_watch_start(&w, &source, &second[TAG]);
}

static void changes(int want, const char *now, const char *rule)
{
	e = (struct err)ERR_INIT;
	CHECK_INT(config_changed(&w, &e), want, "%s", rule);
	CHECK_STR(values(), now, "%s: the values", rule);
}

/* As an editor does it: the file is another one. */
static void replace(const char *text)
{
	char other[600];
	snprintf(other, sizeof(other), "%s.new", path);
	FILE *f = fopen(other, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0 || rename(other, path) < 0)
		abort();
}

static void test_following(void)
{
	write_text("jobs 3\ntag a\n[test]\ntag b\n[fsl-run]\ntag c\n");
	start("");
	CHECK_STR(values(), "a,b", "at first they are those of the start");
	changes(0, "a,b", "nothing has changed");
	changes(0, "a,b", "nor later");
	write_text("jobs 3\n[test]\ntag=x y\ntag b\n");
	changes(1, "x y,b", "the file has changed");
	changes(0, "x y,b", "it is told once");
	replace("tag z\n");
	changes(1, "z", "another file in its place");
	replace("jobs 4\ntag z\n");
	changes(0, "z", "other options do not matter");
	CHECK_INT(v.jobs, 3, "and are not set");
	CHECK_INT(v.tags.n, 2, "nor is the list itself");
	write_text("jobs 4\ntag y\n");
	changes(1, "y", "the same size, and within the same moment");
	write_text("jobs 4\n");
	changes(1, "", "the last value is gone");
	changes(0, "", "once");
}

static void test_broken(void)
{
	static const char *const broken[] = {
		"[test]\ntag q\njosb 7\n", "tag q\njobs 0\n", "tag\n", "[test\n", "all yes\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		write_text("tag a\n");
		start("");
		write_text(broken[i]);
		changes(-1, "a", "a file that is broken changes nothing");
		CHECK_INT(e.code, ERR_CONFIG, "it is a bad configuration: %s", e.msg);
		CHECK(strstr(e.msg, path) != NULL, "and names the file");
		changes(0, "a", "it is told once");
		replace("tag c\n");
		changes(1, "c", "when it is repaired it counts");
	}
	write_text("tag a\n[test\n");
	e = (struct err)ERR_INIT;
	CHECK_INT(config_changed(&w, &e), -1, "broken again: it is told again");
	unlink(path);
	changes(-1, "c", "a file that is gone changes nothing");
	CHECK(strstr(e.msg, "is gone; --tag stays") != NULL, "and says so: %s", e.msg);
	changes(0, "c", "once");
	write_text("tag c\n");
	changes(0, "c", "it is there again, as it was");
	unlink(path);
	mkfifo(path, 0600);
	changes(-1, "c", "a pipe in its place is not waited for");
	unlink(path);
	mkdir(path, 0700);
	changes(-1, "c", "nor is a directory one");
	rmdir(path);
	changes(-1, "c", "gone again");
}

static void test_not_following(void)
{
	write_text("tag a\n");
	start("-t line");
	write_text("tag b\n");
	changes(0, "line", "what the command line says stays");
	setenv("CONFIG_TEST_TAG", "env", 1);
	start("");
	unsetenv("CONFIG_TEST_TAG");
	write_text("tag c\n");
	changes(0, "env", "so does the environment");
	config_watch_release(&w);
	CHECK(parse("") == 0, "no options");
	config_watch_start(&w, NULL, &second[TAG]);
	changes(0, "", "without a file there is nothing to follow");
	unlink(path);
	mkfifo(path, 0600);
	config_watch_start(&w, &source, &second[TAG]);
	changes(0, "", "nor in a pipe, which cannot be read again");
	unlink(path);
	source.must_exist = false;
	start("");
	changes(0, "", "a file that need not be there");
	changes(0, "", "is not missed");
	write_text("[test]\ntag late\n");
	changes(1, "late", "and counts when it comes");
	source.must_exist = true;
}

int main(void)
{
	test_config();
	test_following();
	test_broken();
	test_not_following();
	config_watch_release(&w);
	opt_list_release(&v.tags);
	return unit_done();
}
