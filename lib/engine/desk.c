#include "engine/desk.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

/* Whoever puts the first thing down rings: of the others the reader will know
 * by then, as it empties the descriptor before it looks. */
static void ring(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof one);
	(void)n;
}

static void hush(int fd)
{
	uint64_t count;
	ssize_t n = read(fd, &count, sizeof count);
	(void)n;
}

int desk_init(struct desk *d, struct err *e)
{
	*d = (struct desk){ .to_network = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
			    .to_ledger = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
	pthread_mutex_init(&d->lock, NULL);
	job_list_init(&d->started);
	job_list_init(&d->ended);
	job_list_init(&d->unsent);
	if (d->to_network >= 0 && d->to_ledger >= 0)
		return 0;
	return err_sys(e, ERR_INTERNAL, "eventfd");
}

void desk_say(struct desk_words *w, enum desk_what what, int64_t id, int64_t n)
{
	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 8;
		w->v = mem_resize(w->v, (size_t)w->cap, sizeof *w->v);
	}
	w->v[w->n++] = (struct desk_word){ what, id, n, NULL };
}

void desk_keep(struct desk_words *w, int64_t *rows, int64_t n)
{
	desk_say(w, DESK_KEEP, 0, n);
	w->v[w->n - 1].rows = rows;
}

void desk_words_clear(struct desk_words *w)
{
	for (int i = 0; i < w->n; i++)
		free(w->v[i].rows);
	w->n = 0;
}

static int by_row(const void *pa, const void *pb)
{
	int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;

	return a < b ? -1 : a > b;
}

bool desk_means(const struct desk_word *w, int64_t row)
{
	switch (w->what) {
	case DESK_RECHECK:
		return true;
	case DESK_CUT_BATCH:
	case DESK_HALT_BATCH:
		return request_batch(row) == w->id;
	case DESK_CUT_ROW:
	case DESK_HALT_ROW:
		return row == w->id;
	case DESK_KEEP:
		return !bsearch(&row, w->rows, (size_t)w->n, sizeof *w->rows, by_row);
	}
	return false;
}

void desk_release(struct desk *d)
{
	struct job *j;

	while ((j = job_pop(&d->started)) || (j = job_pop(&d->ended)) ||
	       (j = job_pop(&d->unsent)))
		job_free(j);
	desk_words_clear(&d->words);
	free(d->words.v);
	limits_release(&d->orders.limits);
	if (d->to_network >= 0)
		close(d->to_network);
	if (d->to_ledger >= 0)
		close(d->to_ledger);
	d->to_network = d->to_ledger = -1;
	pthread_mutex_destroy(&d->lock);
}

/* `from` is empty then. */
static void append_words(struct desk_words *to, struct desk_words *from)
{
	for (int i = 0; i < from->n; i++) {
		desk_say(to, from->v[i].what, from->v[i].id, from->v[i].n);
		to->v[to->n - 1].rows = from->v[i].rows;
	}
	from->n = 0;
}

void desk_take(struct desk *d, struct job_list *jobs, struct desk_words *words,
	       struct ledger_state *state)
{
	hush(d->to_network);
	pthread_mutex_lock(&d->lock);
	job_append(jobs, &d->started);
	append_words(words, &d->words);
	*state = d->state;
	pthread_mutex_unlock(&d->lock);
}

void desk_give(struct desk *d, struct job_list *ended, struct job_list *unsent)
{
	if (ended->n == 0 && unsent->n == 0)
		return;
	pthread_mutex_lock(&d->lock);
	bool first = d->ended.n == 0 && d->unsent.n == 0;
	job_append(&d->ended, ended);
	job_append(&d->unsent, unsent);
	pthread_mutex_unlock(&d->lock);
	if (first)
		ring(d->to_ledger);
}

void desk_nudge(struct desk *d)
{
	ring(d->to_ledger);
}

void desk_stop(struct desk *d)
{
	pthread_mutex_lock(&d->lock);
	d->orders.stop = true;
	pthread_mutex_unlock(&d->lock);
	ring(d->to_ledger);
}

void desk_limits(struct desk *d, const struct limits *limits)
{
	struct str text CLEANUP(str_release) = STR_INIT;

	limits_write(limits, &text);
	pthread_mutex_lock(&d->lock);
	limits_release(&d->orders.limits);
	limits_read(&d->orders.limits, str_span(&text));
	d->orders.changed = true;
	pthread_mutex_unlock(&d->lock);
	ring(d->to_ledger);
}

void desk_finish(struct desk *d, int64_t give_up_ms)
{
	pthread_mutex_lock(&d->lock);
	d->orders.stop = d->orders.finish = true;
	d->orders.give_up_ms = give_up_ms;
	pthread_mutex_unlock(&d->lock);
	ring(d->to_ledger);
}

struct desk_orders desk_collect(struct desk *d, struct job_list *ended,
				struct job_list *unsent)
{
	hush(d->to_ledger);
	pthread_mutex_lock(&d->lock);
	job_append(ended, &d->ended);
	job_append(unsent, &d->unsent);
	if (d->orders.finish)
		job_append(unsent, &d->started);
	struct desk_orders orders = d->orders;
	d->orders.changed = false;
	d->orders.limits = (struct limits)LIMITS_INIT; /* the reader's now */
	pthread_mutex_unlock(&d->lock);
	return orders;
}

void desk_publish(struct desk *d, struct job_list *started, struct desk_words *words,
		  const struct ledger_state *state)
{
	pthread_mutex_lock(&d->lock);
	bool first = d->started.n == 0;
	job_append(&d->started, started);
	append_words(&d->words, words);
	d->state = *state;
	pthread_mutex_unlock(&d->lock);
	if (first)
		ring(d->to_network);
}
