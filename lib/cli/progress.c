#include "cli/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"

enum { REDRAW_MS = 100, SCREEN = 80 };

/* Nobody is told when stderr is broken. */
static void put(struct span v)
{
	while (v.n > 0) {
		ssize_t n = write(STDERR_FILENO, v.p, v.n);
		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			v.p += n;
			v.n -= (size_t)n;
		}
	}
}

static int screen_width(void)
{
	struct winsize w;
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : SCREEN;
}

void progress_start(struct progress *p, const struct tool *t)
{
	const char *term = getenv("TERM");
	*p = (struct progress){ .mode = t->progress, .width = screen_width() };
	if (p->mode == PROGRESS_AUTO) {
		bool draw = isatty(STDERR_FILENO) && !t->quiet && term &&
			    strcmp(term, "dumb") != 0;
		p->mode = draw ? PROGRESS_BAR : PROGRESS_NONE;
	}
	p->every_ms = p->mode == PROGRESS_JSON ? t->progress_ms : REDRAW_MS;
}

bool progress_due(const struct progress *p, int64_t now_ms)
{
	return p->mode != PROGRESS_NONE && now_ms >= p->next_ms;
}

static void add_count(struct str *line, int64_t n, const char *what)
{
	char buf[NUM_BUF];
	if (n >= 0)
		str_addf(line, ", %s %s", num_count(n, buf), what);
}

/* Slow rates by the minute, small numbers with a tenth. */
static void add_rate(struct str *line, int64_t milli)
{
	char buf[NUM_BUF];
	const char *unit = "s";
	if (milli < 0)
		return;
	if (milli > 0 && milli < 1000) {
		milli *= 60;
		unit = "m";
	}
	if (milli >= 10000 || milli == 0)
		str_addf(line, ", %s/%s", num_count(milli / 1000, buf), unit);
	else
		str_addf(line, ", %lld.%lld/%s", (long long)(milli / 1000),
			 (long long)(milli % 1000 / 100), unit);
}

static void add_eta(struct str *line, int64_t ms)
{
	char buf[NUM_BUF];
	if (ms < 0)
		return;
	if (ms < 60000)
		str_addf(line, ", %llds left", (long long)((ms + 999) / 1000));
	else
		str_addf(line, ", %s left", num_duration_text(ms, buf));
}

/* The first `width` characters; `line` is valid UTF-8. */
static void cut(struct str *line, int width)
{
	size_t n = 0;
	for (int w = 0; w < width && n < line->n; w++)
		n += safe_utf8(line->p + n, line->n - n);
	str_cut(line, n);
}

static void draw(struct progress *p, const struct progress_state *s)
{
	char done[NUM_BUF], total[NUM_BUF];
	struct str text CLEANUP(str_release) = STR_INIT;
	struct str line CLEANUP(str_release) = STR_INIT;
	safe_text(&text, span_of(s->what));
	if (s->done >= 0 && s->total >= 0)
		str_addf(&text, " %s/%s done", num_count(s->done, done),
			 num_count(s->total, total));
	else if (s->done >= 0)
		str_addf(&text, " %s done", num_count(s->done, done));
	add_count(&text, s->failed, "failed");
	add_count(&text, s->retrying, "retrying");
	add_count(&text, s->in_flight, "in flight");
	add_rate(&text, s->rate_milli);
	add_eta(&text, s->eta_ms);
	/* A full line would wrap. */
	p->width = screen_width();
	cut(&text, p->width - 1);
	str_addc(&line, '\r');
	str_addspan(&line, str_span(&text));
	str_addz(&line, "\033[K");
	put(str_span(&line));
	p->drawn = true;
}

static void key_int(struct jsonw *w, const char *name, int64_t n)
{
	jsonw_key(w, name);
	jsonw_int_or_null(w, n, n < 0);
}

static void key_thousandths(struct jsonw *w, const char *name, int64_t n)
{
	jsonw_key(w, name);
	if (n < 0)
		jsonw_null(w);
	else
		jsonw_micro(w, n < INT64_MAX / 1000 ? n * 1000 : INT64_MAX);
}

static void print_json(const struct progress_state *s)
{
	struct str line CLEANUP(str_release) = STR_INIT;
	struct jsonw w = jsonw_start(&line);
	jsonw_object(&w);
	jsonw_kstrz(&w, "event", "progress");
	jsonw_kstrz(&w, "what", s->what);
	key_int(&w, "done", s->done);
	key_int(&w, "total", s->total);
	key_int(&w, "failed", s->failed);
	key_int(&w, "retrying", s->retrying);
	key_int(&w, "in_flight", s->in_flight);
	key_thousandths(&w, "rate", s->rate_milli);
	key_thousandths(&w, "seconds_left", s->eta_ms);
	jsonw_end(&w);
	str_addc(&line, '\n');
	put(str_span(&line));
}

void progress_show(struct progress *p, const struct progress_state *s, int64_t now_ms)
{
	if (!progress_due(p, now_ms))
		return;
	p->next_ms = now_ms + p->every_ms;
	if (p->mode == PROGRESS_BAR)
		draw(p, s);
	else
		print_json(s);
}

void progress_clear(struct progress *p)
{
	if (!p->drawn)
		return;
	put(SPAN_LIT("\r\033[K"));
	p->drawn = false;
}
