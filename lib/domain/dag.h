/* dag: a directed graph over small numbers: its order, and its cycles.
 *
 * Knows nothing of data products; pure and without recursion.  Time and
 * memory are proportional to nodes and edges. */
#ifndef FSL_DOMAIN_DAG_H
#define FSL_DOMAIN_DAG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

struct dag; /* opaque */

/* Nodes are 0 to n - 1. */
struct dag *dag_new(uint32_t n);
void dag_free(struct dag *d); /* NULL is fine */
void dag_cleanup(struct dag **d);

/* An edge between two nodes; the same edge twice is harmless, one from a node
 * to itself is a cycle. */
void dag_edge(struct dag *d, uint32_t parent, uint32_t child);

/* Parents before children, otherwise the lower number first among those that
 * become free together (Kahn's algorithm, first in, first out).  Returns how
 * many nodes could be ordered: all n, unless there is a cycle.  The array
 * belongs to the graph and is valid until the next call of dag_edge(). */
uint32_t dag_order(struct dag *d, const uint32_t **order);

/* After a dag_order() that found less than n: a cycle, beginning with its
 * lowest node and without that node again at its end.  Returns its length;
 * the array belongs to the graph, as above. */
uint32_t dag_cycle(struct dag *d, const uint32_t **path);

/* The same in words: appends "a -> b -> c -> a", a long one shortened; `name`
 * appends the name of a node. */
typedef void dag_name_fn(void *ctx, uint32_t node, struct str *out);
void dag_cycle_text(struct dag *d, dag_name_fn *name, void *ctx, struct str *out);

#endif
