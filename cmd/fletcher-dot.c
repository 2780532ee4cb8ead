/* fletcher-dot: pictures of plans. */
#include <graphviz/gvc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/outfile.h"
#include "base/safe.h"
#include "cli/dot_opts.h"
#include "cli/tool.h"
#include "domain/graphload.h"
#include "domain/picdot.h"
#include "domain/picform.h"
#include "domain/pichtml.h"
#include "domain/planjson.h"
#include "domain/subgraph.h"

enum { POINTS = 72, SHOWN = 60 };

static struct dot_asked asked = DOT_ASKED_INIT;
static const struct opt options[] = { DOT_OPTS(asked) { .kind = OPT_END } };

/* Released by main(). */
static struct db *db;
static struct graph graph = GRAPH_INIT;
static struct str plan_text, text;

/* --- Graphviz */

static struct gv {
	GVC_t *context;
	graph_t *g;
	bool laid_out;
	struct str complaints; /* standard error is no place for them */
} gv;

static void gv_release(struct gv *v)
{
	if (v->laid_out)
		gvFreeLayout(v->context, v->g);
	if (v->g)
		agclose(v->g);
	if (v->context)
		gvFreeContext(v->context);
	str_release(&v->complaints);
}

static int complain(char *words)
{
	str_addz(&gv.complaints, words);
	return 0;
}

static GVC_t *context(void)
{
	if (!gv.context) {
		agseterrf(complain);
		gv.context = gvContext();
	}
	return gv.context;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Appends the names of the plug-ins of a kind, sorted, each once with `before`;
 * is `wanted` (or NULL) one of them?  Windows on a screen, and what is written
 * here, are left out. */
static bool plugins(const char *kind, const char *wanted, const char *before, struct str *out)
{
	static const char *const others[] = { "x11", "xlib", "gtk", "dot", "gv", "svg", "json" };
	int n = 0;
	char **names = gvPluginList(context(), kind, &n, NULL);
	bool found = false, device = strcmp(kind, "device") == 0;

	if (names)
		qsort(names, (size_t)n, sizeof *names, compare);
	for (int i = 0; i < n; i++) {
		bool skip = i > 0 && strcmp(names[i], names[i - 1]) == 0;
		for (size_t w = 0; device && w < ARRAY_LEN(others); w++)
			skip |= strcmp(names[i], others[w]) == 0;
		if (skip)
			continue;
		str_addf(out, "%s%s", before, names[i]);
		found |= wanted && strcmp(names[i], wanted) == 0;
	}
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return found;
}

static int lay_out(const char *type, const struct picture *p, struct err *e)
{
	struct str names CLEANUP(str_release) = STR_INIT, dot CLEANUP(str_release) = STR_INIT;
	char n[NUM_BUF], max[NUM_BUF];
	if (graph.n_nodes > asked.max_nodes) {
		err_set(e, ERR_STATE, "%s data products are too many to lay out (--max-nodes %s)",
			num_count(graph.n_nodes, n), num_count(asked.max_nodes, max));
		return err_hint(e, "-T dot writes them without a layout, --select '+NAME' draws a part of them");
	}
	if (!plugins("layout", asked.engine, " ", &names)) {
		err_set(e, ERR_UNAVAILABLE, "Graphviz has no layout '%s' here, only:%s",
			safe_show(span_of(asked.engine), SHOWN), names.n > 0 ? str_z(&names) : " none");
		return err_hint(e, "dot, mermaid, tree and json work without");
	}
	str_reset(&names);
	if (!picform_is_drawn(type) && !plugins("device", type, " ", &names))
		return err_set(e, ERR_UNAVAILABLE, "Graphviz cannot write '%s' here; what works: dot html json"
			       " mermaid svg tree%s", safe_show(span_of(type), SHOWN), str_z(&names));
	(picform_is_drawn(type) ? picdot_layout : picdot_write)(&graph, p, &dot);
	gv.g = agmemread(str_z(&dot));
	gv.laid_out = gv.g && gvLayout(context(), gv.g, asked.engine) == 0;
	if (gv.laid_out)
		return 0;
	return err_set(e, ERR_INTERNAL, "Graphviz cannot lay it out: %s",
		       safe_show(str_span(&gv.complaints), 200));
}

static int render(const char *type, const struct picture *p, struct err *e)
{
	char *bytes = NULL;
	unsigned n = 0;

	if (lay_out(type, p, e) < 0)
		return -1;
	if (gvRenderData(context(), gv.g, type, &bytes, &n) != 0 || !bytes)
		return err_set(e, ERR_UNAVAILABLE, "Graphviz cannot write '%s': %s", type,
			       safe_show(str_span(&gv.complaints), 200));
	str_add(&text, bytes, n);
	gvFreeRenderData(bytes);
	return 0;
}

static struct picsvg_point point_of(pointf v, boxf bb)
{
	return (struct picsvg_point){ v.x - bb.LL.x, bb.UR.y - v.y };
}

static void take_line(const bezier *from, boxf bb, struct picsvg_layout *l)
{
	l->lines = mem_room(l->lines, l->n_lines, sizeof *l->lines);
	struct picsvg_line *to = &l->lines[l->n_lines++];
	*to = (struct picsvg_line){ .n = (size_t)from->size, .has_tip = from->eflag != 0 };
	to->points = mem_resize(NULL, to->n + 1, sizeof *to->points);
	for (size_t i = 0; i < to->n; i++)
		to->points[i] = point_of(from->list[i], bb);
	to->tip = point_of(from->ep, bb);
}

/* The nodes of the text stand in the order of ours. */
static void take_layout(struct picsvg_layout *l)
{
	boxf bb = GD_bb(gv.g);
	uint32_t i = 0;

	l->width = bb.UR.x - bb.LL.x;
	l->height = bb.UR.y - bb.LL.y;
	l->boxes = mem_alloc(((size_t)graph.n_nodes + 1) * sizeof *l->boxes);
	for (node_t *n = agfstnode(gv.g); n && i < graph.n_nodes; n = agnxtnode(gv.g, n), i++) {
		struct picsvg_point at = point_of(ND_coord(n), bb);
		l->boxes[i] = (struct picsvg_box){ at.x, at.y, ND_width(n) * POINTS, ND_height(n) * POINTS };
		for (edge_t *edge = agfstout(gv.g, n); edge; edge = agnxtout(gv.g, edge))
			for (int k = 0; ED_spl(edge) && k < ED_spl(edge)->size; k++)
				take_line(&ED_spl(edge)->list[k], bb, l);
	}
}

static int draw(const char *type, const struct picture *p, struct err *e)
{
	struct picsvg_layout l CLEANUP(picsvg_layout_release) = PICSVG_LAYOUT_INIT;
	struct picture inside = *p;

	inside.states = strcmp(type, "html") == 0;
	if (lay_out(type, &inside, e) < 0)
		return -1;
	take_layout(&l);
	if (inside.states)
		pichtml_write(&graph, &inside, &l, str_span(&plan_text), &text);
	else
		picsvg_write(&graph, p, &l, PICSVG_FILE, &text);
	return 0;
}

/* --- the rest */

static int load_plan(const char *path, struct err *e)
{
	struct plan plan CLEANUP(plan_release) = PLAN_INIT;
	const struct plan_options o = { asked.dataset, asked.sets.v, asked.sets.n };

	if (plan_read(path, &o, &plan, e) < 0 ||
	    graphload_plan(db, &plan, clock_wall_ms(), &graph, e) < 0)
		return -1;
	str_addspan(&plan_text, str_span(&plan.text));
	return 0;
}

static int load(const struct tool *t, const char *type, struct err *e)
{
	const char *operand = t->operands[0];
	struct stat st;
	bool file = strcmp(operand, "-") == 0 || (stat(operand, &st) == 0 && !S_ISDIR(st.st_mode));

	if (!file && (asked.dataset || asked.sets.n > 0))
		return err_set(e, ERR_USAGE, "--dataset and --set want a plan file, not a stored dataset");
	if ((!file || access(t->db, F_OK) == 0) && !(db = db_open(t->db, DB_EXISTING, e)))
		return -1;
	if (file)
		return load_plan(operand, e);
	return graphload_dataset(db, operand, clock_wall_ms(), &graph, e) < 0 ? -1 : strcmp(type, "html")
	       ? 0 : planjson_read(db, operand, PLANJSON_FILE, &plan_text, e);
}

static int write_picture(const char *type, bool progress, struct err *e)
{
	const struct picture p = {
		.theme = asked.theme, .top_down = asked.rankdir == 1, .legend = asked.legend,
		.progress = progress, .title = asked.title,
	};

	if (picform_write(type, &graph, &p, &text))
		return 0;
	return picform_is_drawn(type) ? draw(type, &p, e) : render(type, &p, e);
}

static int list_formats(struct err *e)
{
	str_addz(&text, "dot\nmermaid\ntree\njson\n");
	if (plugins("layout", asked.engine, "\n", &plan_text)) {
		str_addz(&text, "svg\nhtml");
		plugins("device", NULL, "\n", &text);
		str_addc(&text, '\n');
	}
	return tool_print(str_span(&text), e);
}

static int run_dot(struct tool *t, struct err *e)
{
	bool json = t->format_given && t->format == TOOL_JSON;
	int progress = dot_progress(&asked, e);
	const char *type = picform_of(asked.type ? asked.type : json ? "json" : NULL, asked.output);

	if (asked.formats)
		return list_formats(e);
	if (t->n_operands == 0)
		return err_set(e, ERR_USAGE, "an operand is missing: DATASET|FILE|-");
	if (progress < 0 || load(t, type, e) < 0)
		return -1;
	if (!asked.all)
		subgraph_live(&graph);
	if ((asked.select.n > 0 && subgraph_select(&graph, asked.select.v, asked.select.n, e) < 0) ||
	    write_picture(type, progress > 0, e) < 0)
		return -1;
	if (gv.complaints.n > 0 && t->verbose > 0)
		log_note("Graphviz: %s", safe_show(str_span(&gv.complaints), 200));
	if (!asked.output || strcmp(asked.output, "-") == 0)
		return tool_print(str_span(&text), e);
	struct outfile *o CLEANUP(outfile_cleanup) = outfile_open(asked.output, e);
	return !o || outfile_spares(asked.output, t->operands[0], e) < 0 ||
	       outfile_write(o, str_span(&text), e) < 0 ? -1 : outfile_commit(o, e);
}

static const char *libraries(void)
{
	str_addf(&text, "SQLite %s, Graphviz %s", db_library(), gvcVersion(context()));
	return str_z(&text);
}

int main(int argc, char **argv)
{
	static const struct tool_verb verbs[] = {
		{ NULL, "DATASET|FILE|-", 0, 1, "draw the plan of a dataset, or of a file", NULL, options,
		  run_dot },
		{ .run = NULL },
	};
	static const struct tool_program program = {
		"fletcher-dot", "draw plans of data products", .verbs = verbs, .libraries = libraries,
		.examples = "fletcher-dot --progress -o papers.svg papers\n"
			    "fletcher-dot -T tree plan.json\n"
			    "fletcher-dot --select '+report' papers | dot -Tpng >papers.png\n",
	};
	int status = tool_main(&program, argc, argv);

	gv_release(&gv);
	graph_release(&graph);
	str_release(&plan_text);
	str_release(&text);
	opt_list_release(&asked.select);
	opt_list_release(&asked.sets);
	db_close(db);
	return status;
}
