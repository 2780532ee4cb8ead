#include "cli/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "base/mem.h"
#include "base/safe.h"

enum { LINE_BYTES = 64 * 1024, SHOWN = 60 };

void words_release(struct words *w)
{
	for (int i = 0; i < w->n; i++)
		free(w->v[i]);
	free(w->v);
	*w = (struct words)WORDS_INIT;
}

static void add(struct words *w, struct span word)
{
	size_t n = (size_t)w->n;

	/* Room for a power of two and the NULL. */
	if ((n & (n - 1)) == 0)
		w->v = mem_resize(w->v, (n ? n * 2 : 1) + 1, sizeof *w->v);
	w->v[w->n++] = mem_copy(word.p, word.n);
	w->v[w->n] = NULL;
}

int words_split(struct words *w, const char *list, struct err *e)
{
	for (const char *p = list; p; p = *p ? p + 1 : NULL) {
		size_t n = strcspn(p, ",");
		if (n == 0)
			return err_set(e, ERR_USAGE, "'%s' is no list of words with commas between",
				       safe_show(span_of(list), SHOWN));
		add(w, (struct span){ p, n });
		p += n;
	}
	return 0;
}

static void close_lines(struct lines **l)
{
	lines_close(*l);
}

static int add_stdin(struct words *w, struct err *e)
{
	struct lines *l CLEANUP(close_lines) = lines_open("-", LINE_BYTES, e);
	struct span line;
	int rc = -1;

	while (l && (rc = lines_next(l, &line, e)) > 0) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n > 0)
			add(w, line);
	}
	return rc;
}

int words_given(struct words *w, const struct opt_list *given, struct err *e)
{
	if (given->n > 0 && !w->v)
		w->v = mem_alloc(2 * sizeof *w->v);
	for (int i = 0; i < given->n; i++) {
		if (strcmp(given->v[i], "-") != 0)
			add(w, span_of(given->v[i]));
		else if (add_stdin(w, e) < 0)
			return -1;
	}
	return 0;
}
