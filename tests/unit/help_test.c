#include "cli/help.h"

#include <string.h>
#include "base/mem.h"
#include "unit.h"

static const struct opt common[] = {
	{ .kind = OPT_TEXT, .letter = 'D', .name = "db", .arg = "FILE", .help = "state file",
	  .env = "FSL_DB", .dflt = "$XDG_STATE_HOME/fsl/fsl.db, else somewhere else" },
	{ .kind = OPT_FLAG, .name = "json", .help = "JSON" },
	{ .kind = OPT_END },
};

static const struct opt options[] = {
	{ .kind = OPT_INT, .letter = 'l', .name = "limit", .arg = "N",
	  .help = "at most so many", .dflt = "20", .env = "HELP_TEST_LIMIT" },
	{ .kind = OPT_TEXT, .name = "status", .arg = "S,...",
	  .help = "only those in one of these states, which is a text too long for a line" },
	{ .kind = OPT_LIST, .letter = 't', .name = "tag-with-a-long-name", .arg = "TAG",
	  .help = "a tag", .dflt = "" },
	{ .kind = OPT_TEXT, .name = "x", .arg = "\xc3\xa4\xe2\x80\xa6", .help = "characters" },
	{ .kind = OPT_DURATION, .name = "since", .arg = "DUR", .help = "o", .bare = "1h" },
	{ .kind = OPT_END },
};

static int run(struct tool *t, struct err *e)
{
	(void)t;
	return err_set(e, ERR_INTERNAL, "not called");
}

static const struct tool_verb verbs[] = {
	{ "list", "[BATCH...]", 0, -1, "list what there is",
	  "More about list,\n    as it stands.", options, run },
	{ "listen", "HOW", 1, 1, "hear", NULL, NULL, run },
	{ .run = NULL },
};
static const struct tool_program many = {
	.name = "fsl-test", .summary = "tests the tools", .verbs = verbs,
	.examples = "fsl-test listen well\n  fsl-test list -l 5 | wc\nfsl-test list",
};

static const struct tool_verb only[] = {
	{ NULL, "[BATCH...]", 0, 2, "", NULL, options, run }, { .run = NULL },
};
static const struct tool_program single = {
	.name = "fsl-one", .summary = "runs", .verbs = only,
};

static const char options_text[] =
	"  -l, --limit N           at most so many (HELP_TEST_LIMIT; default 20)\n"
	"      --status S,...      only those in one of these states, which is a text too\n"
	"                          long for a line\n"
	"  -t, --tag-with-a-long-name TAG\n"
	"                          a tag (repeatable)\n"
	"      --x \xc3\xa4\xe2\x80\xa6              characters\n"
	"      --since[=DUR]       o\n";

static const char common_text[] =
	"\nCommon options:\n"
	"  -D, --db FILE           state file (FSL_DB; default\n"
	"                          $XDG_STATE_HOME/fsl/fsl.db, else somewhere else)\n"
	"      --json              JSON\n";

static void check_page(const struct tool_program *p, const struct tool_verb *v,
		       const char *head, const char *own, const char *tail,
		       const char *rule)
{
	struct str got CLEANUP(str_release) = STR_INIT, want CLEANUP(str_release) = STR_INIT;
	str_addf(&want, "%s%s%s%s", head, own, common_text, tail);
	help_page(p, v, common, &got);
	CHECK_STR(str_z(&got), str_z(&want), "%s", rule);
}

static void test_pages(void)
{
	check_page(&many, NULL,
		   "Usage: fsl-test VERB [OPTION]... [OPERAND]...\n"
		   "       fsl-test help [VERB]\n\nTests the tools.\n\nVerbs:\n"
		   "  list [BATCH...]         list what there is\n"
		   "  listen HOW              hear\n", "",
		   "\nExamples:\n  fsl-test listen well\n  fsl-test list -l 5 | wc\n"
		   "  fsl-test list\n\nManual: man fsl-test, man 7 fsl\n",
		   "of a program: usage, sentence, verbs, options, examples, manual");
	check_page(&many, &verbs[0],
		   "Usage: fsl-test list [OPTION]... [BATCH...]\n\nList what there is.\n\n"
		   "More about list,\n    as it stands.\n\nOptions:\n", options_text,
		   "\nExamples:\n  fsl-test list -l 5 | wc\n  fsl-test list\n"
		   "\nManual: man fsl-test, man 7 fsl\n",
		   "of a verb: its own options too, and the examples that name it");
	check_page(&single, NULL,
		   "Usage: fsl-one [OPTION]... [BATCH...]\n\nRuns.\n\nOptions:\n", options_text,
		   "\nManual: man fsl-one, man 7 fsl\n", "of a program without verbs");
}

static void test_list(void)
{
	struct str got CLEANUP(str_release) = STR_INIT;
	help_list(&many, common, &got);
	CHECK_STR(str_z(&got),
		  "-\t--db\t-D\tFILE\n-\t--json\t-\t-\nlist\t--limit\t-l\tN\n"
		  "list\t--status\t-\tS,...\nlist\t--tag-with-a-long-name\t-t\tTAG\n"
		  "list\t--x\t-\t\xc3\xa4\xe2\x80\xa6\nlist\t--since\t-\tDUR\n", "a line per verb and option");
	str_reset(&got);
	help_list(&single, common + 2, &got);
	CHECK(strncmp(str_z(&got), "-\t--limit\t-l\tN\n", 15) == 0,
	      "options of a program without verbs have none");
}

int main(void)
{
	test_pages();
	test_list();
	return unit_done();
}
