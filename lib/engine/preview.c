#include "engine/preview.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "domain/exchange.h"
#include "domain/forecast.h"
#include "domain/lease.h"
#include "domain/prices.h"
#include "domain/request.h"
#include "domain/reuse.h"
#include "engine/errand.h"
#include "engine/key.h"
#include "engine/post.h"

#define RETRYABLE (1u << REQUEST_FAILED | 1u << REQUEST_CANCELLED | 1u << REQUEST_EXPIRED)

enum { STATES_NEXT = 1u << REQUEST_PENDING };

/* Costs are told to a hundredth of a cent, never too low. */
static const int64_t COST_STEP = PRICES_DOLLAR / 10000;

struct preview_state {
	const struct preview *p;
	struct db *db;            /* NULL: there is none */
	struct db *opened;        /* it is ours */
	struct prices *prices;
	struct forecast *forecast;
	struct create create;     /* of the input: what its batch would be */
	struct batch future;      /* points into it */
	struct str *out;
	/* in all */
	int groups;
	int64_t requests, input_tokens, max_output_tokens, cost;
	bool bounded;             /* the cost is known, and the most it may be */
};

static void release(struct preview_state *s)
{
	db_close(s->opened);
	prices_free(s->prices);
	forecast_free(s->forecast);
	create_release(&s->create);
}

static void comment(struct str *out, const char *text)
{
	str_addz(out, "# ");
	safe_text(out, span_of(text));
	str_addc(out, '\n');
}

static void forget_key(struct str *key)
{
	if (key->p)
		explicit_bzero(key->p, key->cap);
	str_release(key);
}

/* 1: it is there, 0: there is none to send, -1 and why it is not. */
static int resolve(struct span ref, struct err *e)
{
	struct str key CLEANUP(forget_key) = STR_INIT;
	char *text CLEANUP(mem_cleanup) = mem_copy(ref.p, ref.n);

	return key_resolve(text, &key, e);
}

static int first_as_curl(const struct preview_state *s, const struct forecast_group *g,
			 struct str *custom_id, struct str *curl, struct err *e)
{
	struct exchange x CLEANUP(exchange_release) = EXCHANGE_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	int rc;

	if (g->batch > 0) {
		rc = batch_get(s->db, g->batch, &b, e) < 0 ? -1 : exchange_load(s->db, &b, g->row, &x, e);
	} else if (s->p->shot) {
		rc = exchange_line(&s->future, g->raw, &x, e);
	} else {
		b.base_url = mem_copy(g->base_url.p, g->base_url.n);
		b.key_ref = mem_copy(g->key.p, g->key.n);
		rc = exchange_line(&b, g->raw, &x, e);
	}
	if (rc < 0)
		return -1;
	str_addspan(custom_id, x.line.custom_id);
	exchange_curl(&x, curl);
	return 0;
}

struct costs {
	const struct prices_model *model; /* NULL: it has no price */
	int64_t most;   /* of what is limited, rounded up */
	bool bounded;   /* no more than that */
};

static struct costs costs_of(const struct preview_state *s, const struct forecast_group *g)
{
	struct costs c = { .model = prices_find(s->prices, g->model) };

	if (!c.model)
		return c;
	c.most = prices_cost(c.model, g->input_tokens, 0, g->max_output_tokens);
	c.most = (c.most + COST_STEP - 1) / COST_STEP * COST_STEP;
	c.bounded = g->unlimited == 0 || c.model->output == 0;
	return c;
}

static void write_json(const struct preview_state *s, const struct forecast_group *g, int key,
		       const struct costs *c, struct span custom_id, struct span curl)
{
	struct jsonw w = jsonw_start(s->out);
	char cost[PRICES_BUF];

	jsonw_object(&w);
	jsonw_kstr(&w, "base_url", g->base_url);
	jsonw_kstr(&w, "key", g->key);
	jsonw_key(&w, "key_resolves");
	if (key == 0)
		jsonw_null(&w);
	else
		jsonw_bool(&w, key > 0);
	jsonw_kstr(&w, "model", g->model);
	jsonw_kint(&w, "requests", g->requests);
	jsonw_kint(&w, "input_tokens", g->input_tokens);
	jsonw_key(&w, "max_output_tokens");
	jsonw_int_or_null(&w, g->max_output_tokens, g->unlimited == g->requests);
	jsonw_kint(&w, "unlimited", g->unlimited);
	if (c->bounded)
		jsonw_kraw(&w, "max_cost", span_of(prices_text(c->most, cost)));
	else
		jsonw_knull(&w, "max_cost");
	jsonw_kstr(&w, "custom_id", custom_id);
	jsonw_kstr(&w, "curl", curl);
	jsonw_end(&w);
	str_addc(s->out, '\n');
}

/* "about 1,234 input tokens, at most 500 output tokens; …" */
static void write_tokens(const struct preview_state *s, const struct forecast_group *g,
			 const struct costs *c)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	char a[NUM_BUF], cost[PRICES_BUF];

	str_addf(&text, "about %s", num_of(g->input_tokens, "input token", a));
	if (g->unlimited < g->requests)
		str_addf(&text, ", at most %s", num_of(g->max_output_tokens, "output token", a));
	if (g->requests == 1 && g->unlimited > 0)
		str_addz(&text, "; it sets no limit to its output");
	else if (g->unlimited > 0)
		str_addf(&text, "; %s of them set%s no limit to their output",
			 g->unlimited == g->requests ? "all" : num_count(g->unlimited, a),
			 g->unlimited == 1 ? "s" : "");
	if (s->prices && !c->model)
		str_addz(&text, "; the model has no price");
	else if (s->prices)
		str_addf(&text, c->bounded ? "; at most about %s USD"
					   : "; about %s USD and what that output costs",
			 prices_text(c->most, cost));
	comment(s->out, str_z(&text));
}

static void write_text(const struct preview_state *s, const struct forecast_group *g, int key,
		       const char *problem, const struct costs *c, struct span curl)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	char a[NUM_BUF];

	if (s->groups > 0)
		str_addc(s->out, '\n');
	str_addf(&text, "%s to ", num_of(g->requests, "request", a));
	str_addspan(&text, g->base_url);
	str_addz(&text, ", model ");
	str_addspan(&text, g->model);
	str_addz(&text, key == 0 ? ", no key" : ", key ");
	if (key != 0)
		str_addspan(&text, g->key);
	comment(s->out, str_z(&text));
	if (key != 0)
		comment(s->out, key > 0 ? "the key is there" : problem);
	write_tokens(s, g, c);
	comment(s->out, g->requests == 1 ? "it is:" : "the first of them:");
	str_addspan(s->out, curl);
}

static int on_group(void *ctx, const struct forecast_group *g, struct err *e)
{
	struct preview_state *s = ctx;
	struct str id CLEANUP(str_release) = STR_INIT, curl CLEANUP(str_release) = STR_INIT;
	struct err problem = ERR_INIT;

	if (first_as_curl(s, g, &id, &curl, e) < 0)
		return -1;
	int key = resolve(g->key, &problem);
	struct costs c = costs_of(s, g);
	if (s->p->json)
		write_json(s, g, key, &c, str_span(&id), str_span(&curl));
	else
		write_text(s, g, key, problem.msg, &c, str_span(&curl));
	s->groups++;
	s->requests += g->requests;
	s->input_tokens += g->input_tokens;
	s->max_output_tokens += g->max_output_tokens;
	s->cost = prices_sum(s->cost, c.most);
	s->bounded &= c.bounded;
	return 0;
}

static void write_end(const struct preview_state *s)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	char a[NUM_BUF], b[NUM_BUF], cost[PRICES_BUF];

	if (s->groups == 0) {
		comment(s->out, "nothing would be sent");
		return;
	}
	str_addc(s->out, '\n');
	if (s->groups > 1) {
		str_addf(&text, "in all %s, about %s",
			 num_of(s->requests, "request", a), num_of(s->input_tokens, "input token", b));
		if (s->bounded)
			str_addf(&text, "; at most about %s USD", prices_text(s->cost, cost));
		comment(s->out, str_z(&text));
	}
	if (s->prices)
		comment(s->out, "Costs are for four bytes a token of input, none of it cached, and "
			"all the output that is allowed; what is sent again is not in them.");
	comment(s->out, "Nothing was sent.");
}

static void clear(const struct preview_state *s)
{
	if (s->p->shot->clear)
		s->p->shot->clear(s->p->shot->ctx);
}

static void on_problem(void *ctx, const char *file, int64_t line,
		       const struct line_problem *why)
{
	clear(ctx);
	import_complain(file, line, why);
}

static void on_progress(void *ctx, int64_t lines, int64_t bytes)
{
	const struct oneshot *o = ((const struct preview_state *)ctx)->p->shot;

	if (o->progress)
		o->progress(o->ctx, lines, bytes);
}

static void on_line(void *ctx, const struct line *l)
{
	struct preview_state *s = ctx;

	forecast_line(s->forecast, &s->future, l);
	if (s->create.batch.reuse)
		reuse_add(s->create.batch.reuse, line_hash(l));
}

/* What a new batch would not send: which lines these are is not known. */
static int find_reuse(struct preview_state *s, struct err *e)
{
	const struct batch_new *new = &s->create.batch;
	char text[200], a[NUM_BUF];
	int64_t n = new->reuse ? reuse_find(new->reuse, s->db, new, clock_wall_ms(), e) : 0;

	snprintf(text, sizeof text, "of what follows %s would take the answer of an earlier"
		 " request (--reuse)", num_count(n, a));
	if (n > 0 && !s->p->json)
		comment(s->out, text);
	return n < 0 ? -1 : 0;
}

/* The batch that the same command has made before, instead of the file. */
static int look_for_batch(struct preview_state *s, struct id hash, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	char id[BATCH_ID_BUF], text[200], done[NUM_BUF], total[NUM_BUF];

	if (access(s->p->db_path, F_OK) < 0)
		return 0;
	s->db = s->opened = db_open(s->p->db_path, DB_EXISTING, e);
	if (!s->db)
		return -1;
	int rc = s->p->shot->fresh ? 0 :
		 batch_by_identity(s->db, batch_identity(hash, &s->create.batch), &b, e);
	if (rc <= 0)
		return rc < 0 ? -1 : find_reuse(s, e);
	bool ended = batch_terminal(b.status), again = ended && s->p->shot->retry_failed;
	int64_t left = b.pending + b.processing + (again ? b.total - b.completed : 0);
	snprintf(text, sizeof text, "%s %s: %s of %s done%s",
		 ended && !again ? "it was" : "goes on with", batch_id_text(b.uuid, id),
		 num_count(b.total - left, done), num_count(b.total, total),
		 ended && !again ? " (--retry-failed sends what failed, --new everything)" : "");
	if (!s->p->json)
		comment(s->out, text);
	forecast_free(s->forecast);
	s->forecast = forecast_new();
	return forecast_batch(s->forecast, s->db, &b, again ? RETRYABLE : STATES_NEXT, e);
}

static int add_input(struct preview_state *s, struct err *e)
{
	struct import im = IMPORT_INIT;

	if (create_make(s->p->create, &s->create, e) < 0 ||
	    oneshot_check(s->p->shot->input, s->p->shot->output, s->p->shot->errors, e) < 0)
		return -1;
	s->future = (struct batch)BATCH_INIT;
	s->future.base_url = s->create.base_url;
	s->future.key_ref = s->create.key_ref;
	s->future.key_header = (char *)(uintptr_t)s->create.batch.key_header;
	s->future.headers = (char *)(uintptr_t)s->create.batch.headers;
	create_import(s->p->create, s->p->shot->input, &im);
	im.problem = on_problem;
	im.progress = on_progress;
	im.line = on_line;
	im.ctx = im.line_ctx = s;
	int rc = import_check(&im, e);
	clear(s);
	return rc < 0 ? -1 : look_for_batch(s, im.hash, e);
}

static int add_batch(void *ctx, const struct batch *b, struct err *e)
{
	struct preview_state *s = ctx;

	/* One that is being cancelled, or has expired, sends nothing more. */
	if (b->status != BATCH_IN_PROGRESS || b->pending == 0 ||
	    (b->expires_ms > 0 && b->expires_ms <= clock_wall_ms()))
		return 0;
	return forecast_batch(s->forecast, s->db, b, STATES_NEXT, e);
}

static int add_post(struct preview_state *s, const struct product *p, struct err *e)
{
	static const struct id unknown;
	struct errand work CLEANUP(errand_release) = ERRAND_INIT;
	struct str raw CLEANUP(str_release) = STR_INIT;
	struct line l CLEANUP(line_release) = LINE_INIT;
	const struct batch b = {
		.base_url = (char *)(uintptr_t)compute_url(s->p->compute, p->compute),
		.key_ref = (char *)(uintptr_t)compute_key(s->p->compute, p->compute),
	};
	struct line_problem why;
	int rc = errand_load(s->db, p, &work, e);

	if (rc <= 0)
		return rc;
	post_line(b.base_url, work.dataset_uuid, p, unknown, span_of(work.passthrough), &raw);
	if (line_read(&l, str_span(&raw), NULL, &why) < 0)
		return err_set(e, ERR_INTERNAL, "%s: %s", work.label, why.text);
	forecast_line(s->forecast, &b, &l);
	return 0;
}

/* The products that would be handed over at once. */
static int add_posts(struct preview_state *s, struct err *e)
{
	struct product p CLEANUP(product_release) = PRODUCT_INIT;

	for (int i = 0; i < COMPUTE_REMOTE; i++) {
		const char *name = compute_remote[i];
		int rc = 1;
		for (int64_t after = 0; compute_url(s->p->compute, name) && rc > 0; after = p.id) {
			rc = lease_next(s->db, s->p->user, name, 0, after, &p, e);
			if (rc < 0 || (rc > 0 && add_post(s, &p, e) < 0))
				return -1;
		}
	}
	return 0;
}

static int add_batches(struct preview_state *s, struct err *e)
{
	s->db = s->p->db;
	if (!s->p->batches)
		return batch_open(s->db, s->p->user, add_batch, s, e) < 0 ? -1 : add_posts(s, e);
	for (int i = 0; i < s->p->n_batches; i++) {
		struct batch b CLEANUP(batch_release) = BATCH_INIT;
		if (batch_get(s->db, s->p->batches[i], &b, e) < 0 || add_batch(s, &b, e) < 0)
			return -1;
	}
	return 0;
}

int preview_run(const struct preview *p, struct str *out, struct err *e)
{
	struct preview_state s CLEANUP(release) = {
		.p = p, .out = out, .create = CREATE_INIT, .forecast = forecast_new(),
		.bounded = p->prices != NULL,
	};

	if (p->prices && !(s.prices = prices_load(p->prices, e)))
		return -1;
	if ((p->shot ? add_input(&s, e) : add_batches(&s, e)) < 0 ||
	    forecast_each(s.forecast, on_group, &s, e) < 0)
		return -1;
	if (!p->json)
		write_end(&s);
	return 0;
}
