/* action: the right side of a rule, read.  The language: head of httpd.c. */
#ifndef TESTS_HTTP_ACTION_H
#define TESTS_HTTP_ACTION_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct action {
	int status;         /* 0: what the mode says */
	struct str headers; /* "K: V\r\n" each */
	bool own_type, own_length, own_connection, own_id; /* ... among them */
	struct str body;
	bool has_body;
	struct str garbage;
	bool has_garbage;
	int64_t sleep_ms;   /* -1: the latency of the server */
	int64_t truncate;   /* -1: no */
	int64_t trickle_ms; /* 0: no */
	int64_t events_ms;  /* 0: no */
	int64_t big_header; /* 0: no */
	bool drop, reset, drop_unread, close, close_silent, keep;
	bool chunked, stall, hang, endless, exit;
};

/* Reads "A ; B ; C" into *a, which need not be initialised; -1: see *e. */
int action_read(struct action *a, const char *text, struct err *e) MUST_CHECK;
void action_release(struct action *a);

#endif
