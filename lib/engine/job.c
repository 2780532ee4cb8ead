#include "engine/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/safe.h"
#include "domain/fold.h"
#include "domain/sse.h"
#include "domain/escalate.h"
#include "domain/url.h"
#include "engine/wire.h"

struct job *job_new(void)
{
	return mem_alloc(sizeof(struct job));
}

void job_free(struct job *j)
{
	if (!j)
		return;
	str_release(&j->raw);
	str_release(&j->url);
	str_release(&j->body);
	str_release(&j->message);
	str_release(&j->call.own);
	str_release(&j->call.answer);
	str_release(&j->call.telling);
	line_release(&j->line);
	free(j);
}

enum { KEPT_BYTES = 64 << 10 };

/* Empty, its memory kept; but a stray large one must not stay for ever. */
static void reset(struct str *s)
{
	if (s->cap > KEPT_BYTES)
		str_release(s);
	else
		str_reset(s);
}

void job_reset(struct job *j)
{
	*j = (struct job){
		.raw = j->raw, .url = j->url, .body = j->body, .line = j->line,
		.message = j->message, .call.own = j->call.own, .call.answer = j->call.answer,
		.call.telling = j->call.telling,
	};
	reset(&j->raw);
	reset(&j->url);
	reset(&j->body);
	reset(&j->message);
	reset(&j->call.own);
	reset(&j->call.answer);
	reset(&j->call.telling);
}

int64_t job_kept(const struct job *j)
{
	return (int64_t)(sizeof *j + j->raw.cap + j->url.cap + j->body.cap + j->message.cap +
			 j->call.own.cap + j->call.answer.cap + j->call.telling.cap);
}

/* Appends "Name: value" and the NUL that ends it in the list of own lines. */
static int own_line(struct job *j, struct span name, struct span value)
{
	if (wire_header(&j->call.own, name, value) < 0)
		return -1;
	str_addc(&j->call.own, '\0');
	return 0;
}

/* "Name: " and a value of our own, which needs no look. */
static void known_line(struct job *j, struct span name, struct span value)
{
	str_addspan(&j->call.own, name);
	str_addspan(&j->call.own, value);
	str_addc(&j->call.own, '\0');
}

static bool line_has(const struct line *l, const char *name)
{
	struct str scratch CLEANUP(str_release) = STR_INIT;
	struct span n, v;
	size_t pos = 0;

	while (line_header(l, &pos, &scratch, &n, &v))
		if (span_is_nocase(n, name))
			return true;
	return false;
}

/* A line's header replaces the batch's of the same name: then the shared list
 * cannot be used, and all lines are the job's own. */
static int own_headers(struct job *j, bool key)
{
	struct str scratch CLEANUP(str_release) = STR_INIT;
	const struct target *t = j->target;
	struct span name, value;
	size_t pos = 0;

	j->call.headers = NULL;
	for (int i = 0; i < t->n_headers; i++)
		if (!line_has(&j->line, t->names[i]) &&
		    own_line(j, span_of(t->names[i]), span_of(t->values[i])) < 0)
			return -1;
	if (key && t->key_name && !line_has(&j->line, t->key_name) &&
	    own_line(j, span_of(t->key_name), span_of(t->key_value)) < 0)
		return -1;
	while (line_header(&j->line, &pos, &scratch, &name, &value))
		if (own_line(j, name, value) < 0)
			return -1;
	return 0;
}

static bool is_given(const struct job *j, const char *name)
{
	return target_has(j->target, name) || line_has(&j->line, name);
}

/* What names the request and its attempt. */
static void add_names(struct job *j)
{
	const struct target *t = j->target;
	char id[REQUEST_ID_BUF + 28], trace[TRACE_BUF];

	batch_request_text(t->uuid, request_line(j->req.row), id);
	if (t->trace && !line_has(&j->line, "traceparent"))
		known_line(j, SPAN_LIT("traceparent: "),
			   span_of(trace_text(t->trace, j->req.row, j->req.n, trace)));
	if (t->labels && !is_given(j, LABEL_REQUEST))
		known_line(j, SPAN_LIT(LABEL_REQUEST ": "), span_of(id));
	if (t->labels && !is_given(j, LABEL_CUSTOM)) /* left out if HTTP forbids it */
		(void)own_line(j, SPAN_LIT(LABEL_CUSTOM), j->line.custom_id);
	if (t->send.no_idempotency_key == 1 || is_given(j, "Idempotency-Key"))
		return;
	/* Servers replay a stored failure under the old key; another body needs another. */
	size_t end = strlen(id);
	if (j->req.round > 0)
		end += (size_t)snprintf(id + end, sizeof id - end, "-r%lld", (long long)j->req.round);
	if (j->model)
		snprintf(id + end, sizeof id - end, "-e");
	known_line(j, SPAN_LIT("Idempotency-Key: "), span_of(id));
}

static int headers(struct job *j)
{
	const struct target *t = j->target;
	struct str origin CLEANUP(str_release) = STR_INIT;
	bool with_key = true;

	if (url_is_absolute(j->line.url)) {
		url_origin(j->line.url, &origin);
		with_key = span_eq(str_span(&origin), str_span(&t->origin));
	}
	j->keyed = with_key && t->secret;
	j->call.headers = with_key ? t->with_key : t->without_key;
	if (j->line.headers.p && own_headers(j, with_key) < 0)
		return -1;
	if (j->call.body.p && !is_given(j, "Content-Type"))
		known_line(j, SPAN_LIT("Content-Type: "), j->line.body.p[0] == '"'
			   ? SPAN_LIT("text/plain; charset=utf-8") : SPAN_LIT("application/json"));
	add_names(j);
	return 0;
}

static int unusable(struct job *j, const char *why)
{
	j->call.code = HTTP_UNUSABLE;
	j->call.status = 0;
	str_reset(&j->message);
	str_addz(&j->message, why);
	return -1;
}

enum { BYTES_PER_TOKEN = 4 };

int job_prepare(struct job *j)
{
	struct http_call *call = &j->call;
	struct line_problem why;

	if (line_read(&j->line, str_span(&j->raw), NULL, &why) < 0)
		return unusable(j, why.text);
	url_join(span_of(j->target->base_url), j->line.url, &j->url);
	call->url = str_z(&j->url);
	call->method = j->line.method.p;
	call->body = span_is(j->line.method, "HEAD") ? SPAN_NONE
						     : line_body_bytes(&j->line, &j->body);
	if (j->model && j->line.body_model.p && call->body.p) {
		escalate_body(j->line.body, j->line.body_model, j->model, &j->body);
		call->body = str_span(&j->body);
	} else if (j->model && j->race) {
		return unusable(j, "the body has no \"model\" that could be another one");
	} else {
		j->model = NULL;
	}
	call->limits = &j->target->limits;
	call->user = j;
	if (headers(j) < 0)
		return unusable(j, "a header cannot be sent");
	j->tokens = (int64_t)call->body.n / BYTES_PER_TOKEN + j->line.max_tokens;
	return 0;
}

int64_t job_bytes(const struct job *j)
{
	return (int64_t)(j->raw.n + j->url.n + j->body.n + j->call.own.n + j->call.answer.n +
			 j->call.telling.n);
}

/* `said`: where an answer says what is wrong. */
static void write_message(struct job *j, struct span said, enum answer_kind kind)
{
	const struct http_call *call = &j->call;
	struct str *m = &j->message;

	if (m->n > 0) /* job_prepare() knew why */
		return;
	if (call->message[0])
		str_addz(m, call->message);
	else
		answer_message(said, kind, m);
	if (j->target->secret) /* some servers repeat it */
		safe_redact(m, span_of(j->target->secret));
	if (j->decision.no_time)
		str_addf(m, "%sno time for another attempt before the deadline",
			 m->n > 0 ? ", " : "");
	if (j->decision.interrupted)
		str_addf(m, "%snot sent again (--at-most-once)", m->n > 0 ? "; " : "");
	if (!j->decision.exhausted)
		return;
	int64_t n = (j->decision.throttled ? j->req.throttled : j->req.counted) + 1;
	str_addf(m, "%safter %lld attempt%s", m->n > 0 ? ", " : "", (long long)n,
		 n == 1 ? "" : "s");
}

/* No byte is no body. */
static struct span answer(const struct job *j)
{
	return j->call.answer.n > 0 ? str_span(&j->call.answer) : SPAN_NONE;
}

enum http_code job_code(const struct job *j)
{
	return j->call.code == HTTP_STREAM_ERROR ? HTTP_ANSWERED : j->call.code;
}

int job_status(const struct job *j)
{
	return j->call.code == HTTP_STREAM_ERROR ? j->error_status : j->call.status;
}

static bool is_stream(const struct job *j)
{
	const struct http_call *call = &j->call;

	return j->line.stream && call->code == HTTP_ANSWERED && call->status / 100 == 2 &&
	       j->kind != ANSWER_JSON &&
	       (call->event_stream || sse_begins(str_span(&call->answer)));
}

/* Puts what the stream folds to in the place of what it is. */
static void judge_stream(struct job *j, struct str *fold)
{
	struct http_call *call = &j->call;
	enum fold_kind kind = fold_stream(str_span(&call->answer), fold);

	if (kind == FOLD_NONE)
		return;
	if (call->answer.n > 0)
		j->kind = ANSWER_STREAM;
	if (kind == FOLD_WHOLE) {
		answer_read(str_span(fold), &j->usage);
	} else if (kind == FOLD_ERROR) {
		call->code = HTTP_STREAM_ERROR;
		j->error_status = answer_status(str_span(fold));
	} else {
		call->code = HTTP_TRUNCATED;
		snprintf(call->message, sizeof call->message, "the stream ended before its last event");
	}
}

/* When the request's next attempt goes to another model; INT64_MAX: never, or
 * it is there already. */
static int64_t way_out_ms(const struct job *j)
{
	struct str model CLEANUP(str_release) = STR_INIT;
	const char *rules = j->target->send.escalate;
	struct escalate rule;

	if (!rules || j->model || !j->line.body_model.p || j->req.expires_ms == 0)
		return INT64_MAX;
	str_addspan(&model, j->line.model);
	return escalate_find(rules, str_z(&model), &rule) ? j->req.expires_ms - rule.before_ms
							   : INT64_MAX;
}

void job_judge(struct job *j, struct rng *rng, int64_t now_wall_ms)
{
	struct str fold CLEANUP(str_release) = STR_INIT;
	struct http_call *call = &j->call;
	struct span said = answer(j);

	j->kind = answer_read(said, &j->usage);
	enum answer_kind kind = j->kind;
	int64_t way_out = way_out_ms(j);
	if (is_stream(j))
		judge_stream(j, &fold);
	if (call->code == HTTP_STREAM_ERROR) {
		said = str_span(&fold);
		kind = ANSWER_JSON;
	}
	struct retry_facts f = {
		.code = job_code(j), .status = job_status(j), .sent = call->sent,
		.counted = j->req.counted, .throttled = j->req.throttled,
		/* What this model asks for is nothing to the other one. */
		.retry_after_ms = way_out <= now_wall_ms ? -1 : call->retry_after_ms,
		.quota = job_status(j) == 429 && answer_is_quota(said, kind),
	};
	j->quota = f.quota;
	j->decision = retry_decide(&j->target->send, &f, rng);
	if (way_out > now_wall_ms && way_out - now_wall_ms < j->decision.delay_ms)
		j->decision.delay_ms = way_out - now_wall_ms;
	retry_deadline(&j->decision, j->req.expires_ms, j->target->send.stop_before_ms, now_wall_ms);
	if (j->decision.verdict == VERDICT_COMPLETED)
		return;
	/* Due 0 means at once, and is for those that were never refused. */
	j->next_ms = call->code == HTTP_ABORTED ? 0 : now_wall_ms + j->decision.delay_ms;
	write_message(j, said, kind);
}

struct request_end job_end(const struct job *j, int64_t worker)
{
	const struct http_call *call = &j->call;
	bool ok = j->decision.verdict == VERDICT_COMPLETED;

	return (struct request_end){
		.row = j->req.row, .queue = j->req.queue, .bucket = j->req.bucket, .worker = worker, .n = j->req.n,
		.verdict = j->decision.verdict, .counts = j->decision.counts,
		.throttled = j->decision.throttled, .started_ms = j->started_ms,
		.took_ms = call->took_ms, .next_ms = j->next_ms, .status = call->status,
		.code = http_code_text(j->decision.interrupted ? HTTP_ABORTED : call->code),
		.message = ok ? NULL : str_z(&j->message),
		.request_id = call->request_id[0] ? span_of(call->request_id) : SPAN_NONE,
		.kind = (int)j->kind,
		.body = answer(j),
		.bytes = call->bytes,
		.headers = call->telling.n > 0 ? str_span(&call->telling) : SPAN_NONE,
		.input_tokens = j->usage.input, .cached_tokens = j->usage.cached,
		.output_tokens = j->usage.output, .reasoning_tokens = j->usage.reasoning,
	};
}

void job_list_init(struct job_list *l)
{
	*l = (struct job_list){ .last = &l->first };
}

void job_push(struct job_list *l, struct job *j)
{
	j->next = NULL;
	*l->last = j;
	l->last = &j->next;
	l->n++;
}

struct job *job_pop(struct job_list *l)
{
	struct job *j = l->first;

	if (!j)
		return NULL;
	l->first = j->next;
	if (!l->first)
		l->last = &l->first;
	l->n--;
	j->next = NULL;
	return j;
}

void job_append(struct job_list *to, struct job_list *from)
{
	if (!from->first)
		return;
	*to->last = from->first;
	to->last = from->last;
	to->n += from->n;
	job_list_init(from);
}
