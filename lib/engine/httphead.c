#include "engine/httphead.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/safe.h"
#include "engine/wire.h"

struct httphead {
	struct curl_slist *list;
	bool agent;          /* there is a User-Agent among them */
};

static bool is_agent(const char *line)
{
	static const char name[] = "User-Agent";
	size_t n = sizeof name - 1;

	/* "Name;" has no value (wire_header()). */
	return strncasecmp(line, name, n) == 0 && (line[n] == ':' || line[n] == ';');
}

struct httphead *httphead_new(void)
{
	return mem_alloc(sizeof(struct httphead));
}

void httphead_free(struct httphead *h)
{
	if (!h)
		return;
	for (struct curl_slist *l = h->list; l; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(h->list);
	free(h);
}

int httphead_add(struct httphead *h, struct span name, struct span value, struct err *e)
{
	struct str line CLEANUP(str_release) = STR_INIT;

	if (wire_header(&line, name, value) < 0)
		return err_set(e, ERR_INPUT, "header '%s' has a name or a value that HTTP forbids",
			       safe_show(name, 80));
	struct curl_slist *list = curl_slist_append(h->list, str_z(&line));
	h->agent |= is_agent(line.p);
	explicit_bzero(line.p, line.n);
	if (!list)
		BUG("out of memory");
	h->list = list;
	return 0;
}

void httphead_release(struct httphead_nodes *n)
{
	free(n->v);
	n->v = NULL;
}

static struct curl_slist *put(struct httphead_nodes *n, int *used, char *line,
			      struct curl_slist *next)
{
	if (*used == HTTPHEAD_OWN)
		BUG("too many header lines");
	n->v[*used] = (struct curl_slist){ line, next };
	return &n->v[(*used)++];
}

struct curl_slist *httphead_list(struct httphead_nodes *n, const struct str *own, char *agent,
				 const struct httphead *shared)
{
	static char no_expect[] = "Expect:", no_type[] = "Content-Type:";
	bool has_agent = shared && shared->agent;
	int used = 0;

	if (!n->v)
		n->v = mem_alloc(HTTPHEAD_OWN * sizeof *n->v);
	struct curl_slist *l = put(n, &used, no_expect, shared ? shared->list : NULL);
	l = put(n, &used, no_type, l);
	for (size_t at = 0; at < own->n;) {
		has_agent |= is_agent(own->p + at);
		l = put(n, &used, own->p + at, l);
		at += strlen(own->p + at) + 1;
	}
	return has_agent ? l : put(n, &used, agent, l);
}
