/* dot_opts: the options of fletcher-dot, as rows of an option table.
 *
 *     static struct dot_asked asked = DOT_ASKED_INIT;
 *     static const struct opt options[] = { DOT_OPTS(asked) { .kind = OPT_END } };
 *
 * What the values may be is said in cli/opt.h and fletcher-dot(1).  --progress
 * stands in place of the common option of that name: "--progress" alone is
 * "--progress=words"; what the common one may be is accepted and means none. */
#ifndef FSL_CLI_DOT_OPTS_H
#define FSL_CLI_DOT_OPTS_H

#include "base/safe.h"
#include "cli/opt.h"

enum { DOT_MAX_NODES = 5000 };

struct dot_asked {
	const char *type, *output, *engine, *title, *progress, *dataset;
	struct opt_list select, sets;
	int theme, rankdir;
	int64_t max_nodes;
	bool all, legend, formats;
};
#define DOT_ASKED_INIT { .engine = "dot", .max_nodes = DOT_MAX_NODES }

static const char *const dot_themes[] = { "fletcher", "colorblind", NULL };
static const char *const dot_rankdirs[] = { "LR", "TB", NULL };

#define DOT_OPTS(a) \
	{ .kind = OPT_TEXT, .letter = 'T', .name = "type", .dst = &(a).type, .arg = "TYPE", \
	  .help = "dot, svg, html, mermaid, tree, json, or what --formats lists", \
	  .dflt = "the suffix of FILE, else dot" }, \
	{ .kind = OPT_TEXT, .letter = 'o', .name = "output", .dst = &(a).output, .arg = "FILE|-", \
	  .help = "where the picture goes; a file is whole or not there", .dflt = "-" }, \
	{ .kind = OPT_TEXT, .letter = 'K', .name = "layout", .dst = &(a).engine, .arg = "NAME", \
	  .help = "layout of Graphviz: dot, sfdp, neato, ...", .dflt = "dot" }, \
	{ .kind = OPT_CHOICE, .name = "rankdir", .dst = &(a).rankdir, .arg = "LR|TB", \
	  .choices = dot_rankdirs, .help = "from left to right, or from top to bottom", .dflt = "LR" }, \
	{ .kind = OPT_LIST, .name = "select", .dst = &(a).select, .arg = "[N+]NAME[+N]", \
	  .help = "only NAME, +NAME: what it needs too, NAME+: what needs it, N steps away; " \
		  "may be repeated" }, \
	{ .kind = OPT_FLAG, .name = "all", .dst = &(a).all, .help = "disabled products too" }, \
	{ .kind = OPT_TEXT, .name = "progress", .dst = &(a).progress, .arg = "words|none", \
	  .bare = "words", .dflt = "none", \
	  .help = "states, what is done of batches, and when they will be, in words" }, \
	{ .kind = OPT_CHOICE, .name = "theme", .dst = &(a).theme, .arg = "fletcher|colorblind", \
	  .choices = dot_themes, .help = "colours of states", .dflt = "fletcher" }, \
	{ .kind = OPT_TEXT, .name = "title", .dst = &(a).title, .arg = "TEXT", \
	  .help = "stands above the picture" }, \
	{ .kind = OPT_FLAG, .name = "legend", .dst = &(a).legend, \
	  .help = "say which colour is which state" }, \
	{ .kind = OPT_INT, .name = "max-nodes", .dst = &(a).max_nodes, .arg = "N", \
	  .help = "lay out no more products than that", .dflt = "5000", .min = 1, .max = 1000000 }, \
	{ .kind = OPT_TEXT, .name = "dataset", .dst = &(a).dataset, .arg = "NAME", \
	  .help = "the dataset of a plan file, by name or UUID", .dflt = "the one in the file" }, \
	{ .kind = OPT_LIST, .name = "set", .dst = &(a).sets, .arg = "NAME=VALUE", \
	  .help = "a value for a parameter of a plan file" }, \
	{ .kind = OPT_FLAG, .name = "formats", .dst = &(a).formats, \
	  .help = "list the types that can be written here" },

static inline void dot_release(struct dot_asked *a)
{
	opt_list_release(&a->select);
	opt_list_release(&a->sets);
}

/* --progress: 1 words, 0 none; ERR_USAGE. */
static inline int dot_progress(const struct dot_asked *a, struct err *e)
{
	static const char *const none[] = { "none", "auto", "bar", "json" };
	struct span v = span_of(a->progress ? a->progress : "none");

	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		if (span_is(v, none[i]) || span_starts(v, "json:"))
			return 0;
	return span_is(v, "words") ? 1 : err_set(e, ERR_USAGE, "--progress: '%s' is not one of words, none",
						 safe_show(v, 60));
}

#endif
