/* graph: the data products of one dataset and what depends on what, to be drawn.
 *
 * Filled by domain/graphload (from the state file, or from a plan), narrowed by
 * domain/subgraph, written by domain/pic*.  Pure; no recursion. */
#ifndef FSL_DOMAIN_GRAPH_H
#define FSL_DOMAIN_GRAPH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "domain/state.h"

struct graph_node {
	struct id id;
	struct span name, version; /* of graph_keep(), as all spans here */
	const char *compute;       /* static */
	bool eager;
	enum state state;          /* STATE_NONE: it is not stored */
	bool has_batch;
	int64_t done, total, failed; /* requests of its batch, if has_batch */
	int64_t left_ms;           /* until its batch is done, estimated; -1: unknown */
	bool has_run;
	struct id run;             /* if has_run */
	struct span link;          /* SPAN_NONE: none */
	int64_t since_us;          /* in this state; 0: unknown */
	uint32_t level;            /* 0: no parents; else one more than the highest of them */
};

struct graph_edge {
	uint32_t parent, child;    /* in nodes[] */
};

struct graph {
	struct id id;              /* of the dataset */
	struct span name;          /* of the dataset; SPAN_NONE: it has none */
	bool stored, paused;
	struct graph_node *nodes;
	uint32_t n_nodes;
	struct graph_edge *edges;
	uint32_t n_edges;
	/* From graph_settle() on: */
	uint32_t *first;           /* the edges of node i to its children are those from
				    * first[i] to first[i + 1], in order of the child */
	uint32_t *order;           /* all nodes, parents before children */
	uint32_t *parents;         /* how many each has */
	uint32_t n_levels;
	struct arena texts;
};

#define GRAPH_INIT { .nodes = NULL }
void graph_release(struct graph *g);

/* A new node, all of it unset but the state (STATE_NONE) and left_ms (-1);
 * valid until the next one. */
struct graph_node *graph_node(struct graph *g);
/* The same edge twice is one. */
void graph_edge(struct graph *g, uint32_t parent, uint32_t child);
/* A copy that lives as long as the graph.  SPAN_NONE stays SPAN_NONE. */
struct span graph_keep(struct graph *g, struct span v);

/* Sorts the edges and finds order and levels.  Disabled nodes may be on cycles;
 * then they count for no level.  ERR_INPUT: "Graph is cyclical: a -> b -> a". */
int graph_settle(struct graph *g, struct err *e) MUST_CHECK;

/* Leaves only the nodes with keep[i], in their order, and the edges between
 * them; settled again if it was. */
void graph_narrow(struct graph *g, const bool *keep);

/* The name of the dataset, else its UUID; in a buffer of ID_UUID + 1 bytes. */
struct span graph_title(const struct graph *g, char *buf);

/* How many nodes are in each state: STATES numbers. */
void graph_count(const struct graph *g, int64_t *count);

/* How all of it stands, which is as its worst product: "failed", "running",
 * "queued", "waiting", "success"; "disabled" if all are; "empty" without products. */
const char *graph_standing(const struct graph *g);

/* Appends "failed, 4 of 11 done, 1 failed, 6 waiting; paused", or nothing if
 * the graph is not stored.  Disabled nodes are not counted among the 11. */
void graph_verdict(const struct graph *g, struct str *out);

#endif
