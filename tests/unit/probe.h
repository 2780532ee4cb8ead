/* probe: a call through engine/http and what became of it, for unit tests. */
#ifndef FSL_PROBE_H
#define FSL_PROBE_H

#include <stdlib.h>
#include "base/clock.h"
#include "engine/http.h"

static const struct http_limits probe_limits = { 20000, 20000, 20000, 30000, 16 << 20 };
static struct err probe_err;

struct probe {
	struct http_call call; /* limits, headers and own may be set before */
	struct str url;
	int ended;             /* how often: once is right */
};

static inline void probe_done(void *ctx, struct http_call *call)
{
	struct probe *p = call->user;
	int *total = ctx;
	p->ended++;
	*total += 1;
}

/* *ended counts the calls that have ended. */
static inline struct http *probe_http(int jobs, const char *proxy, int *ended)
{
	struct http_options o = { .jobs = jobs, .user_agent = "unit/1", .proxy = proxy };
	struct http *h = http_new(&o, probe_done, ended, &probe_err);
	if (!h)
		abort();
	return h;
}

static inline void probe_forget(struct probe *p)
{
	str_release(&p->url);
	str_release(&p->call.own);
	str_release(&p->call.answer);
	str_release(&p->call.telling);
	*p = (struct probe){ .ended = 0 };
}

static inline void probe_start(struct http *h, struct probe *p, const char *method,
			       const char *base, const char *path, struct span body)
{
	str_reset(&p->url);
	str_addf(&p->url, "%s%s", base, path);
	p->call.url = str_z(&p->url);
	p->call.method = method;
	p->call.body = body;
	p->call.user = p;
	if (!p->call.limits)
		p->call.limits = &probe_limits;
	http_start(h, &p->call);
}

static inline void probe_wait(struct http *h, int64_t ms)
{
	if (http_wait(h, ms, &probe_err) < 0)
		abort();
}

/* Until none is in flight. */
static inline void probe_finish(struct http *h)
{
	int64_t end = clock_mono_ms() + 60000;
	while (http_in_flight(h) > 0 && clock_mono_ms() < end)
		probe_wait(h, 1000);
}

/* One call with these limits (NULL: generous ones), to its end. */
static inline struct probe *probe_once(struct http *h, const char *method, const char *base,
				       const char *path, const struct http_limits *l,
				       struct span body)
{
	static struct probe p;
	probe_forget(&p);
	p.call.limits = l;
	probe_start(h, &p, method, base, path, body);
	probe_finish(h);
	return &p;
}

#endif
