#include "engine/desk.h"

#include <sys/eventfd.h>
#include <unistd.h>

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

void desk_release(struct desk *d)
{
	struct job *j;

	while ((j = job_pop(&d->started)) || (j = job_pop(&d->ended)) ||
	       (j = job_pop(&d->unsent)))
		job_free(j);
	if (d->to_network >= 0)
		close(d->to_network);
	if (d->to_ledger >= 0)
		close(d->to_ledger);
	d->to_network = d->to_ledger = -1;
	pthread_mutex_destroy(&d->lock);
}

void desk_take(struct desk *d, struct job_list *jobs, struct ledger_state *state)
{
	hush(d->to_network);
	pthread_mutex_lock(&d->lock);
	job_append(jobs, &d->started);
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

void desk_stop(struct desk *d)
{
	pthread_mutex_lock(&d->lock);
	d->orders.stop = true;
	pthread_mutex_unlock(&d->lock);
	ring(d->to_ledger);
}

void desk_finish(struct desk *d, int64_t give_up_ms)
{
	pthread_mutex_lock(&d->lock);
	d->orders = (struct desk_orders){ .stop = true, .finish = true,
					  .give_up_ms = give_up_ms };
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
	pthread_mutex_unlock(&d->lock);
	return orders;
}

void desk_publish(struct desk *d, struct job_list *started, const struct ledger_state *state)
{
	pthread_mutex_lock(&d->lock);
	bool first = d->started.n == 0;
	job_append(&d->started, started);
	d->state = *state;
	pthread_mutex_unlock(&d->lock);
	if (first)
		ring(d->to_network);
}
