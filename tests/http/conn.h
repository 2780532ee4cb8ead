/* conn: the connections of the server, from accept to close.
 *
 * A connection has at most one request at work; what a client pipelines
 * behind it waits in the buffer.  epoll is used edge-triggered: each
 * descriptor is added once and never touched again. */
#ifndef TESTS_HTTP_CONN_H
#define TESTS_HTTP_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include "answer.h"
#include "due.h"
#include "record.h"
#include "rule.h"

struct conn;

struct server {
	int epoll;
	int listener;
	int datagrams; /* --notify */
	struct answerer answerer;
	struct rules rules;
	struct record record;
	struct table seen; /* for key-seen */
	struct due_heap waiting;
	struct request request; /* the one just read */
	struct conn *all, *dead;
	int64_t requests;  /* sequence numbers given out */
	int64_t conns;
	bool stop;
};

/* In epoll, the data of a connection is its struct conn. */
void conn_accept(struct server *s);
void conn_event(struct server *s, struct conn *c, uint32_t events);
/* Does what is due, frees what was closed, and returns the milliseconds until
 * the next thing is due, or -1. */
int conn_due(struct server *s);
void conn_close_all(struct server *s);

#endif
