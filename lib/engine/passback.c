#include "engine/passback.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"

enum { SHOWN = 60, STDERR_SHOWN = 200 };

static void tell_end(const struct child *c, const struct passthrough *pass, char *text, size_t size)
{
	char a[NUM_BUF];
	int status;

	switch (child_how(c, &status)) {
	case CHILD_EXITED:
		snprintf(text, size, "exit status %d", status);
		break;
	case CHILD_SIGNALLED:
		snprintf(text, size, "signal %d", status);
		break;
	case CHILD_TIMEOUT:
		snprintf(text, size, "it took longer than %s", num_duration_text(pass->timeout_ms, a));
		break;
	case CHILD_TOO_MUCH:
		snprintf(text, size, "it wrote more than %s", num_size_text(pass->max_output, a));
		break;
	case CHILD_FAILED:
		snprintf(text, size, "its output cannot be stored: %s", strerror(status));
		break;
	default:
		snprintf(text, size, "it was stopped");
	}
}

bool passback_command(const struct child *c, const struct passthrough *pass, const char *label,
		      struct str *out)
{
	char text[200];
	int status;
	enum child_how how = child_how(c, &status);
	bool good = how == CHILD_EXITED && status == 0;
	struct span tail = child_tail(c), line = span_last_line(tail);

	tell_end(c, pass, text, sizeof text);
	str_reset(out);
	struct jsonw w = jsonw_start(out);
	jsonw_object(&w);
	jsonw_key(&w, "exit_status");
	jsonw_int_or_null(&w, status, how != CHILD_EXITED);
	if (!good)
		jsonw_kstrz(&w, "error", text);
	jsonw_kstr(&w, "stderr", tail.p ? tail : SPAN_LIT(""));
	jsonw_end(&w);
	if (!good)
		log_warn("%s failed: %s: %s%s%s", label,
			 safe_show(span_of(pass->argv[0]), SHOWN), text, line.n ? ": " : "",
			 line.n ? safe_show(line, STDERR_SHOWN) : "");
	return good;
}

void passback_error(const char *label, const char *why, struct str *out)
{
	str_reset(out);
	struct jsonw w = jsonw_start(out);
	jsonw_object(&w);
	jsonw_kstrz(&w, "error", why);
	jsonw_end(&w);
	log_warn("%s failed: %s", label, why);
}

/* Why there is no answer, as in error lines; NULL: there is one. */
static const char *code_of(const struct batch *b, const struct produce_answer *a)
{
	if (a->code || a->status)
		return a->code;
	return b->cancelled ? "batch_cancelled" : "batch_expired";
}

/* "HTTP 503: overloaded" */
static void tell_answer(const struct batch *b, const struct produce_answer *a, struct str *out)
{
	str_addf(out, "the POST to %s failed: ", safe_show(span_of(b->base_url), STDERR_SHOWN));
	if (a->status)
		str_addf(out, "HTTP %lld", (long long)a->status);
	else
		str_addz(out, code_of(b, a));
	if (a->message)
		str_addf(out, ": %s", safe_show(span_of(a->message), STDERR_SHOWN));
}

/* The link to a batch, and the object that is passed back, still open. */
static struct jsonw begin(const struct batch *b, char *id, struct str *link, struct str *out)
{
	str_reset(link);
	str_reset(out);
	str_addf(link, "fsl:%s", batch_id_text(b->uuid, id));
	struct jsonw w = jsonw_start(out);
	jsonw_object(&w);
	return w;
}

void passback_handover(const char *label, const struct batch *b, const struct produce_answer *a,
		       struct str *link, struct str *out)
{
	struct str error CLEANUP(str_release) = STR_INIT;
	bool good = b->completed == b->total;
	char id[BATCH_ID_BUF];
	struct jsonw w = begin(b, id, link, out);

	if (!good) {
		tell_answer(b, a, &error);
		jsonw_kstrz(&w, "error", str_z(&error));
		log_warn("%s failed: %s", label, str_z(&error));
	}
	jsonw_kstrz(&w, "batch", id);
	jsonw_key(&w, "status");
	jsonw_int_or_null(&w, a->status, a->status == 0);
	jsonw_kstrz(&w, "code", good ? a->code : code_of(b, a));
	jsonw_kstrz(&w, "message", a->message);
	jsonw_end(&w);
}

void passback_batch(const struct batch *b, struct str *link, struct str *out)
{
	char id[BATCH_ID_BUF];
	struct jsonw w = begin(b, id, link, out);

	jsonw_kstrz(&w, "batch", id);
	jsonw_key(&w, "counts");
	jsonw_object(&w);
	jsonw_kint(&w, "total", b->total);
	jsonw_kint(&w, "completed", b->completed);
	jsonw_kint(&w, "failed", b->failed);
	jsonw_kint(&w, "cancelled", b->cancelled);
	jsonw_kint(&w, "expired", b->expired);
	jsonw_end(&w);
	jsonw_key(&w, "usage");
	jsonw_object(&w);
	jsonw_kint(&w, "input_tokens", b->input_tokens);
	jsonw_kint(&w, "cached_tokens", b->cached_tokens);
	jsonw_kint(&w, "output_tokens", b->output_tokens);
	jsonw_kint(&w, "reasoning_tokens", b->reasoning_tokens);
	jsonw_end(&w);
	jsonw_end(&w);
}
