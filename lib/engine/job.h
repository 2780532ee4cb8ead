/* job: one attempt of one request on its way from the ledger through the
 * network and back.  Whoever holds it owns it. */
#ifndef FSL_ENGINE_JOB_H
#define FSL_ENGINE_JOB_H

#include "domain/answer.h"
#include "domain/line.h"
#include "domain/request.h"
#include "engine/http.h"
#include "engine/retry.h"
#include "engine/target.h"

struct job {
	struct job *next;
	struct request_started req;
	const struct target *target;
	int64_t started_ms;          /* wall clock */
	int64_t tokens;              /* that it may take, by estimate */
	bool race;                   /* the second attempt of a request in flight: it may use a
				      * slot beyond those of --jobs */
	const char *model;           /* it goes to this one (--escalate); NULL: as the line says,
				      * also if its body names none */
	int64_t asked, bytes;        /* that are counted for it (--max-buffer): when it was
				      * started, and now */
	int64_t cost;                /* that is reserved for it (engine/budget.h) */
	bool keyed;                  /* the batch's key goes with it */
	bool quota;                  /* 429, and the body says insufficient_quota */
	bool reviewed;               /* the ledger has had its word on the decision */
	bool counted;                /* among the failures of its batch (known_failed()) */
	struct http_call call;
	/* What the call points into. */
	struct str raw, url, body;
	struct line line;
	/* How it ended. */
	struct retry_decision decision;
	int64_t next_ms;             /* VERDICT_RETRY: due (wall clock) */
	int error_status;            /* HTTP_STREAM_ERROR: what the error amounts to */
	enum answer_kind kind;
	struct answer_usage usage;
	struct str message;
};

struct job *job_new(void);
void job_free(struct job *j); /* NULL is fine */
void job_reset(struct job *j);/* empty again; keeps up to 64 KiB of each of its texts */
int64_t job_kept(const struct job *j); /* bytes of memory that it has */

/* job->raw, req and target are set: fills the call.  -1: the stored line
 * cannot be sent; the job has ended as HTTP_UNUSABLE then. */
int job_prepare(struct job *j);

/* Bytes in memory of the request and its answer. */
int64_t job_bytes(const struct job *j);

/* The call has ended: reads the answer and decides (engine/retry.h).  No retry
 * is put off beyond the time from which it goes to another model (--escalate).
 *
 * If the body of the request has "stream":true and the answer is a 2xx and an
 * event stream (by its Content-Type, or because it begins as one; but no JSON),
 * it is judged on what it folds to (domain/fold.h): the usage is that of the
 * whole answer; an error in it ends the call as HTTP_STREAM_ERROR, and what
 * follows is decided on the status that the error amounts to (answer_status());
 * without its end it ends as HTTP_TRUNCATED.  A stream of an unknown kind is an
 * answer like any other. */
void job_judge(struct job *j, struct rng *rng, int64_t now_wall_ms);

/* How the call ended for whoever asks what that means for a server or a model:
 * as in job->call, but an error in a stream is an answer with its status. */
enum http_code job_code(const struct job *j);
int job_status(const struct job *j);

/* What is to be written about it; points into the job. */
struct request_end job_end(const struct job *j, int64_t worker);

/* A list with its end. */
struct job_list {
	struct job *first, **last;
	int n;
};
void job_list_init(struct job_list *l);
void job_push(struct job_list *l, struct job *j);
struct job *job_pop(struct job_list *l);
void job_append(struct job_list *to, struct job_list *from); /* from is empty then */

#endif
