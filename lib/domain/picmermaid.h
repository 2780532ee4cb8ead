/* picmermaid: a graph as a flowchart for Mermaid, which Markdown pages show.
 *
 * Characters that Mermaid, Markdown or HTML might take for their own are entity
 * codes ("#34;"). */
#ifndef FSL_DOMAIN_PICMERMAID_H
#define FSL_DOMAIN_PICMERMAID_H

#include "domain/picture.h"

void picmermaid_write(const struct graph *g, const struct picture *p, struct str *out);

#endif
