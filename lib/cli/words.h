/* words: lists of words that users give: "a,b,c", or options that are given
 * several times, of which "-" stands for the lines of standard input. */
#ifndef FSL_CLI_WORDS_H
#define FSL_CLI_WORDS_H

#include "base/err.h"
#include "cli/opt.h"

struct words {
	char **v; /* NULL-terminated; NULL: none was given */
	int n;
};

#define WORDS_INIT { NULL, 0 }
void words_release(struct words *w);

/* Appends the words between commas; an empty one is ERR_USAGE.  NULL: none. */
int words_split(struct words *w, const char *list, struct err *e) MUST_CHECK;

/* Appends the values of an option; the lines behind "-" (blank ones skipped,
 * a CR at the end too, 64 KiB at most).  Given but without a word, the list is
 * empty, not NULL: no id must not mean every id. */
int words_given(struct words *w, const struct opt_list *given, struct err *e) MUST_CHECK;

#endif
