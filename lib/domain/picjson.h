/* picjson: a graph as one JSON object on one line, for other programs.
 *
 *     {"dataset":{"id","name","stored","paused"},
 *      "nodes":[{"id","name","version","compute","eager","state","level",
 *                "done","total","failed","run_id","link","since"}],
 *      "edges":[{"parent_id","child_id"}],
 *      "levels":[["id"]]}
 *
 * Every member is there; what is unknown is null.  levels: the products that
 * have no parents, those that need nothing but these, and so on. */
#ifndef FSL_DOMAIN_PICJSON_H
#define FSL_DOMAIN_PICJSON_H

#include "domain/graph.h"

void picjson_write(const struct graph *g, struct str *out);

#endif
