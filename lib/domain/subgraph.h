/* subgraph: the part of a graph that somebody asks for, in dbt's words.
 *
 *     NAME      that product          +NAME    and all that it needs
 *     NAME+     and all that needs it 2+NAME+1 at most so many steps away
 *
 * NAME is a product's name, NAME:VERSION, UUID or a prefix of the UUID (4 hex
 * digits or more); all products that have the name are meant. */
#ifndef FSL_DOMAIN_SUBGRAPH_H
#define FSL_DOMAIN_SUBGRAPH_H

#include "base/err.h"
#include "domain/graph.h"

/* Narrows to what one of the n words selects.  A product whose name is the whole
 * word, plus signs and all, is meant first.  ERR_NOTFOUND: no product has the
 * name. */
int subgraph_select(struct graph *g, const char *const *words, int n, struct err *e) MUST_CHECK;

/* Narrows to what is not disabled. */
void subgraph_live(struct graph *g);

#endif
