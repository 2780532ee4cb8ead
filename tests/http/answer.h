/* answer: the bytes that answer a request, and how they have to be sent. */
#ifndef TESTS_HTTP_ANSWER_H
#define TESTS_HTTP_ANSWER_H

#include <stddef.h>
#include <stdint.h>
#include "base/rng.h"
#include "base/str.h"
#include "action.h"
#include "request.h"

enum mode { MODE_ECHO, MODE_OPENAI, MODE_FIXED };

enum then {
	THEN_NEXT,    /* the connection waits for its next request */
	THEN_CLOSE,
	THEN_LEAVE,   /* closes its side, and sees what comes after all */
	THEN_RESET,   /* RST instead of FIN */
	THEN_HANG,    /* nothing until the client goes */
	THEN_ENDLESS, /* chunks until the client goes */
	THEN_EXIT,    /* the whole server */
};

struct answerer {
	enum mode mode;
	int64_t latency_us;
	int64_t jitter_us;
	struct rng rng;
	struct str fixed;   /* the whole answer of MODE_FIXED */
	size_t fixed_head;  /* of it: before the body */
	struct str scratch;
};

struct how {
	int64_t delay_us;     /* before the first byte */
	enum then then;
	size_t trickle_from;  /* place in `out`; used when trickle_us is not 0 */
	int64_t trickle_us;
	bool by_event;        /* not by byte */
};

void answer_init(struct answerer *w, enum mode mode, int64_t body_bytes);
void answer_release(struct answerer *w);

/* Appends the answer to `out`.  `act` may be NULL. */
struct how answer_build(struct answerer *w, const struct request *r,
			const struct action *act, struct str *out);

/* A plain answer without rules, latency and mode. */
void answer_plain(struct str *out, int status, bool close, struct span json);

/* A chunk of THEN_ENDLESS. */
void answer_more(struct str *out);

#endif
