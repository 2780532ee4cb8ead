#include "engine/report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "domain/batch.h"
#include "engine/blocks.h"

int report_add(struct report *r, struct db *db, int64_t batch, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	char id[BATCH_ID_BUF];

	if (batch_get(db, batch, &b, e) < 0)
		return -1;
	r->completed += b.completed;
	r->failed += b.failed + b.cancelled + b.expired;
	r->remaining += b.pending + b.processing;
	r->batches++;
	if (b.failed + b.cancelled + b.expired == 0)
		return 0;
	const char *digits = strchr(batch_id_text(b.uuid, id), '_') + 1;
	snprintf(r->failing, sizeof r->failing, "%.*s", REPORT_PREFIX,
		 r->failing[0] ? "BATCH" : digits);
	return 0;
}

/* Was something that was to be sent left alone? */
static bool left_alone(const struct run_summary *s)
{
	return s->ledger.block && strcmp(s->reason, s->ledger.block) == 0;
}

int report_status(const struct report *r, const struct run_summary *s, const char *max_failed)
{
	int64_t total = r->completed + r->failed + r->remaining, max = 0;
	struct err e = ERR_INIT;

	if (s->signal)
		return 128 + s->signal;
	const struct plansum *p = &s->plans;
	if (s->ledger.key_missing && s->ledger.completed + s->ledger.failures + p->ended == 0)
		return err_status(s->ledger.error.code);
	if (r->remaining > 0 || p->queued > 0 || left_alone(s))
		return EXIT_REMAINS;
	if (max_failed && num_portion(max_failed, total, &max, &e) < 0)
		BUG("--max-failed: %s", e.msg);
	/* What a product may fail is the plan's to say. */
	if (r->failed - p->spared <= max && p->failed == 0)
		return EXIT_OK;
	return r->completed + p->success == 0 ? EXIT_NOTHING : EXIT_SOME;
}

void report_json(const struct report *r, const struct run_summary *s, int status,
		 struct str *out)
{
	struct jsonw w = jsonw_start(out);
	const struct ledger_state *l = &s->ledger;

	jsonw_object(&w);
	jsonw_kstrz(&w, "event", "summary");
	jsonw_kstrz(&w, "reason", s->reason);
	jsonw_kint(&w, "exit", status);
	jsonw_kint(&w, "batches", r->batches);
	jsonw_kint(&w, "completed", r->completed);
	jsonw_kint(&w, "failed", r->failed);
	jsonw_kint(&w, "remaining", r->remaining);
	jsonw_kint(&w, "attempts", s->attempts);
	jsonw_key(&w, "retries");
	jsonw_object(&w);
	for (int i = 0; i < s->n_retries; i++)
		jsonw_kint(&w, s->retries[i].name, s->retries[i].n);
	jsonw_end(&w);
	jsonw_key(&w, "seconds");
	jsonw_micro(&w, s->took_ms * 1000);
	jsonw_key(&w, "rate");
	jsonw_micro(&w, s->took_ms > 0 ? (l->completed + l->failures) * 1000000 / s->took_ms * 1000 : 0);
	jsonw_key(&w, "usage");
	jsonw_object(&w);
	jsonw_kint(&w, "input_tokens", l->input_tokens);
	jsonw_kint(&w, "cached_tokens", l->cached_tokens);
	jsonw_kint(&w, "output_tokens", l->output_tokens);
	jsonw_kint(&w, "reasoning_tokens", l->reasoning_tokens);
	jsonw_end(&w);
	jsonw_key(&w, "plans");
	jsonw_object(&w);
	jsonw_kint(&w, "success", s->plans.success);
	jsonw_kint(&w, "failed", s->plans.failed);
	jsonw_kint(&w, "queued", s->plans.queued);
	jsonw_kint(&w, "handed_over", s->plans.handed);
	jsonw_end(&w);
	jsonw_kstrz(&w, "message", left_alone(s) ? l->block_message : NULL);
	jsonw_end(&w);
}

void report_text(const struct report *r, const struct run_summary *s, struct str *out)
{
	char a[NUM_BUF], b[NUM_BUF], c[NUM_BUF], d[NUM_BUF];

	str_addf(out, "%s: %s completed, %s failed, %s left; %s", s->reason,
		 num_count(r->completed, a), num_count(r->failed, b), num_count(r->remaining, c),
		 num_of(s->attempts, "attempt", d));
	for (int i = 0; i < s->n_retries; i++)
		str_addf(out, "%s%s %s", i ? ", " : " (again after ", s->retries[i].name,
			 num_count(s->retries[i].n, a));
	str_addf(out, "%s in %s", s->n_retries ? ")" : "", num_duration_text(s->took_ms, a));
	const struct plansum *p = &s->plans;
	if (p->success + p->failed + p->queued + p->handed > 0)
		str_addf(out, "; data products: %s success, %s failed, %s left",
			 num_count(p->success, b), num_count(p->failed, c), num_count(p->queued, d));
	if (p->handed > 0)
		str_addf(out, ", %s handed over", num_count(p->handed, a));
	if (p->names.n > 0)
		str_addf(out, " (%s)", str_z(&p->names));
}

static bool is(const struct run_summary *s, const char *reason)
{
	return strcmp(s->reason, reason) == 0;
}

void report_why(const struct run_summary *s, struct str *out)
{
	const struct ledger_state *l = &s->ledger;
	const char *key = l->block_key;

	if (!left_alone(s))
		return;
	if (is(s, "host_down"))
		str_addf(out, "%s does not answer well: ", l->block_what);
	else if (is(s, "unauthorized"))
		str_addf(out, "%s: the key %s is not accepted: ", l->block_what, key);
	else if (is(s, "quota"))
		str_addf(out, "%s: the quota of the key %s is used up: ", l->block_what, key);
	else if (is(s, "refused") && strcmp(key, "none") == 0)
		str_addf(out, "%s refuses requests, which had no key: ", l->block_what);
	else if (is(s, "refused"))
		str_addf(out, "%s refuses requests with the key %s: ", l->block_what, key);
	else if (is(s, "all_failing"))
		str_addf(out, "the first %d requests of %s all failed: ", HEALTH_GUARD, l->block_what);
	else /* the message says all */
		str_addf(out, "%s is left alone: ", l->block_what);
	str_addz(out, l->block_message[0] ? l->block_message : "it does not say why");
}

/* When the same command goes on. */
static const char *condition(const struct run_summary *s)
{
	static const char *const all[][2] = {
		{ "host_down", "when it answers again, " },
		{ "unauthorized", "fsl-run -n prints a curl command to try the key with; when it is right, " },
		{ "quota", "when there is some again, " },
		{ "refused", "when it lets them in, " },
		{ BLOCKS_NO_KEY, "when the key is there, " },
		{ "max_time", "stopped by --max-time; " }, { "max_cost", "stopped by --max-cost; " },
		{ "max_requests", "stopped by --max-requests; " },
		{ "max_failed", "stopped by --max-failed; " },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (is(s, all[i][0]))
			return all[i][1];
	return "";
}

void report_next(const struct report *r, const struct run_summary *s, struct str *out)
{
	const char *batch = s->ledger.block_what;

	if (is(s, "all_failing") && left_alone(s)) {
		str_addf(out, "fsl-batch errors %s shows them, fsl-batch retry %s sends them once more; "
			 "with --no-guard the others are sent, too", batch, batch);
	} else if (r->remaining > 0 || left_alone(s)) {
		if (is(s, "refused") && r->failing[0])
			str_addf(out, "fsl-batch errors %s shows the answers; ", r->failing);
		str_addf(out, "%sthe same command%s goes on with what is left", condition(s),
			 r->anew ? " without --new" : "");
	}
}

void report_tell(const struct report *r, const struct run_summary *s, int status)
{
	struct str text CLEANUP(str_release) = STR_INIT, why CLEANUP(str_release) = STR_INIT,
		   next CLEANUP(str_release) = STR_INIT;

	if (status == EXIT_OK && !isatty(STDERR_FILENO) && !log_shows(LOG_INFO))
		return;
	report_text(r, s, &text);
	report_why(s, &why);
	report_next(r, s, &next);
	log_note("%s", str_z(&text));
	if (why.n > 0)
		log_note("%s", str_z(&why));
	if (s->plans.dataset)
		log_note("hint: fletcher-plan why %s says why, fletcher-plan retry %s queues them "
			 "once more", s->plans.dataset, s->plans.dataset);
	else if (r->failed > s->plans.spared && !is(s, "all_failing"))
		log_note("hint: fsl-batch errors %s says why, fsl-batch retry %s sends those once "
			 "more", r->failing, r->failing);
	if (s->plans.waits && !s->plans.dataset)
		log_note("hint: fletcher-plan why %s says what holds back the rest", s->plans.waits);
	if (next.n > 0)
		log_note("hint: %s", str_z(&next));
}
