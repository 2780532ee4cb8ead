/* httphead: the header lines of a call, as libcurl wants them.
 *
 * Lines that the calls of a batch share stand in a list; each call puts its own
 * before it, as nodes, so that nothing is copied.  libcurl formats every byte
 * of a line one by one: few and short lines are worth something. */
#ifndef FSL_ENGINE_HTTPHEAD_H
#define FSL_ENGINE_HTTPHEAD_H

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"

struct curl_slist;

/* Lines that many calls share. */
struct httphead;
struct httphead *httphead_new(void);
/* ERR_INPUT if the name is no token or the value has control bytes. */
int httphead_add(struct httphead *h, struct span name, struct span value,
		 struct err *e) MUST_CHECK;
void httphead_free(struct httphead *h); /* wipes them: one may be a key */

/* Lines of one call: 100 of its line, 100 of its batch and 24 labels, the key,
 * what job.c adds, and three of ours. */
enum { HTTPHEAD_OWN = 240 };

/* The nodes of one call; zeroed at first, to be released. */
struct httphead_nodes {
	struct curl_slist *v;
};
void httphead_release(struct httphead_nodes *n);

/* The list for libcurl: `own` ("Name: value" each with a NUL behind it), what
 * keeps libcurl from sending lines that nobody asked for (Expect, the
 * Content-Type of a form), `agent` ("User-Agent: …") unless there is such a
 * line already, and `shared` (may be NULL).  All must stay as long as the list
 * is used, which the next call with these nodes ends. */
struct curl_slist *httphead_list(struct httphead_nodes *n, const struct str *own, char *agent,
				 const struct httphead *shared);

#endif
