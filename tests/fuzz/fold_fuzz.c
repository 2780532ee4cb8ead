/* A stream, folded: what comes of it is JSON or nothing, the same however its
 * lines end and whatever comments stand before it, and can be written. */
#include "domain/fold.h"

#include <string.h>
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "domain/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MUST(cond) do { if (!(cond)) BUG("%s", #cond); } while (0)

static enum fold_kind fold(struct span text, struct str *out)
{
	struct json_error je;
	enum fold_kind kind = fold_stream(text, out);

	if (kind == FOLD_WHOLE || kind == FOLD_ERROR)
		MUST(json_scan(str_span(out), NULL, NULL, &je) == 0);
	else
		MUST(out->n == 0);
	return kind;
}

static void check_same(struct span other, enum fold_kind kind, struct span want)
{
	struct str out CLEANUP(str_release) = STR_INIT;

	MUST(fold(other, &out) == kind);
	MUST(span_eq(str_span(&out), want) || (out.n == 0 && want.n == 0));
}

static void check_ends(struct span text, const char *end, enum fold_kind kind, struct span want)
{
	struct str other CLEANUP(str_release) = STR_INIT;

	for (size_t i = 0; i < text.n; i++)
		text.p[i] == '\n' ? str_addz(&other, end) : str_addc(&other, text.p[i]);
	check_same(str_span(&other), kind, want);
}

static void check_written(struct span text, enum fold_kind kind, struct span fold_text)
{
	struct str out CLEANUP(str_release) = STR_INIT, message CLEANUP(str_release) = STR_INIT;
	struct json_error je;

	answer_write(text, ANSWER_STREAM, &out);
	MUST(json_scan(str_span(&out), NULL, NULL, &je) == 0);
	MUST(!memchr(out.p, '\n', out.n) && !memchr(out.p, '\r', out.n));
	answer_message(text, ANSWER_STREAM, &message);
	MUST(message.n <= 300);
	if (kind != FOLD_ERROR)
		return;
	int status = answer_status(fold_text);
	MUST(status >= 400 && status <= 599);
	str_reset(&message);
	answer_message(fold_text, ANSWER_JSON, &message);
	MUST(message.n <= 300);
	answer_is_quota(fold_text, ANSWER_JSON);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span text = { (const char *)data, n };
	struct str out CLEANUP(str_release) = STR_INIT, more CLEANUP(str_release) = STR_INIT;
	enum fold_kind kind = fold(text, &out);
	struct span got = str_span(&out);

	check_written(text, kind, got);
	if (n == 0 || !memchr(text.p, '\r', n)) {
		check_ends(text, "\r\n", kind, got);
		check_ends(text, "\r", kind, got);
	}
	str_addz(&more, "\xef\xbb\xbf: a comment\n\nretry: 5\n");
	str_addspan(&more, text);
	if (!span_starts(text, "\xef\xbb\xbf"))
		check_same(str_span(&more), kind, got);
	return 0;
}
