/* bare: the yardstick of the benchmarks: libcurl and nothing around it.
 *
 *     bare [-n REQUESTS] [-c CONNECTIONS] [-s BODY_BYTES] [--json] URL
 *
 * A multi handle and CONNECTIONS easy handles that are used again and again:
 * each posts a body of BODY_BYTES bytes in the shape of the product's requests
 * (Content-Type, User-Agent, an Idempotency-Key and a traceparent that differ,
 * no Expect), counts the answer and throws it away, until REQUESTS are answered.
 * Prints
 *
 *     requests seconds requests_per_second cpu_us_per_request max_rss_kb
 *
 * as numbers in this order, or as an object with these names (--json).
 * Anything but a 200 ends it with exit status 1. */
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"

enum { KEY_BUF = 80, HANDLES_MAX = 10000 };

struct run {
	const char *url;
	int64_t requests, handles, bytes;
	bool json;
	char *body;
	CURLM *multi;
	struct curl_slist *headers;
	int64_t started, done;
};

/* What one handle sends: its header list is the common one behind its key and
 * its place in a trace; they are as long as the product's. */
struct slot {
	CURL *easy;
	struct curl_slist key, trace;
	char key_text[KEY_BUF], trace_text[KEY_BUF];
};

static size_t throw_away(char *p, size_t size, size_t n, void *ctx)
{
	(void)p;
	(void)ctx;
	return size * n;
}

static int start(struct run *r, struct slot *s, struct err *e)
{
	long long n = (long long)r->started++;

	snprintf(s->key_text, sizeof s->key_text,
		 "Idempotency-Key: batch_req_0b5f3c1e7a524c8e9d5e0b5f3c1e7a52%08llx", n);
	snprintf(s->trace_text, sizeof s->trace_text,
		 "traceparent: 00-0b5f3c1e7a524c8e9d5e0b5f3c1e7a52-9d5e0b5f%08llx-01", n);
	CURLMcode rc = curl_multi_add_handle(r->multi, s->easy);
	return rc ? err_set(e, ERR_INTERNAL, "%s", curl_multi_strerror(rc)) : 0;
}

static int prepare(struct run *r, struct slot *s, struct err *e)
{
	s->easy = curl_easy_init();
	if (!s->easy)
		return err_set(e, ERR_INTERNAL, "curl_easy_init");
	s->trace = (struct curl_slist){ .data = s->trace_text, .next = r->headers };
	s->key = (struct curl_slist){ .data = s->key_text, .next = &s->trace };
	curl_easy_setopt(s->easy, CURLOPT_URL, r->url);
	curl_easy_setopt(s->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(s->easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(s->easy, CURLOPT_USERAGENT, "bare/1");
	curl_easy_setopt(s->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, r->body);
	curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->bytes);
	curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, &s->key);
	curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, throw_away);
	curl_easy_setopt(s->easy, CURLOPT_PRIVATE, s);
	return start(r, s, e);
}

static int collect(struct run *r, struct err *e)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(r->multi, &left)) != NULL) {
		struct slot *s;
		long status = 0;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &s);
		curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
		if (m->data.result)
			return err_set(e, ERR_UNAVAILABLE, "%s",
				       curl_easy_strerror(m->data.result));
		if (status != 200)
			return err_set(e, ERR_UNAVAILABLE, "status %ld", status);
		r->done++;
		curl_multi_remove_handle(r->multi, s->easy);
		if (r->started < r->requests && start(r, s, e) < 0)
			return -1;
	}
	return 0;
}

static int drive(struct run *r, struct slot *slots, struct err *e)
{
	int running;
	CURLMcode rc;

	for (int64_t i = 0; i < r->handles && i < r->requests; i++)
		if (prepare(r, &slots[i], e) < 0)
			return -1;
	while (r->done < r->requests) {
		rc = curl_multi_perform(r->multi, &running);
		if (!rc && collect(r, e) < 0)
			return -1;
		if (!rc && r->done < r->requests)
			rc = curl_multi_poll(r->multi, NULL, 0, 1000, NULL);
		if (rc)
			return err_set(e, ERR_INTERNAL, "%s", curl_multi_strerror(rc));
	}
	return 0;
}

static void report(const struct run *r, int64_t us)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
		     (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	double n = (double)r->done;
	double seconds = (double)us / 1e6;
	if (r->json)
		printf("{\"requests\":%lld,\"seconds\":%.3f,\"requests_per_second\":%.0f,"
		       "\"cpu_us_per_request\":%.2f,\"max_rss_kb\":%ld}\n",
		       (long long)r->done, seconds, n / seconds, cpu / n, u.ru_maxrss);
	else
		printf("%lld %.3f %.0f %.2f %ld\n", (long long)r->done, seconds,
		       n / seconds, cpu / n, u.ru_maxrss);
}

static int measure(struct run *r, struct err *e)
{
	struct slot *slots = mem_alloc((size_t)r->handles * sizeof(*slots));

	r->body = mem_alloc((size_t)r->bytes + 1);
	memset(r->body, 'x', (size_t)r->bytes);
	if (r->bytes >= 12) { /* a JSON object */
		memcpy(r->body, "{\"prompt\":\"", 11);
		memcpy(r->body + r->bytes - 2, "\"}", 2);
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	r->multi = curl_multi_init();
	curl_multi_setopt(r->multi, CURLMOPT_MAXCONNECTS, (long)r->handles);
	r->headers = curl_slist_append(r->headers, "Content-Type: application/json");
	r->headers = curl_slist_append(r->headers, "Expect:");

	int64_t begin = clock_mono_us();
	int bad = drive(r, slots, e);
	if (!bad)
		report(r, clock_mono_us() - begin);

	for (int64_t i = 0; i < r->handles; i++) {
		if (slots[i].easy) {
			curl_multi_remove_handle(r->multi, slots[i].easy);
			curl_easy_cleanup(slots[i].easy);
		}
	}
	curl_multi_cleanup(r->multi);
	curl_slist_free_all(r->headers);
	curl_global_cleanup();
	free(r->body);
	free(slots);
	return bad;
}

static int read_options(struct run *r, int argc, char **argv, struct err *e)
{
	static const struct option LONG[] = {
		{ "json", 0, NULL, 'j' }, { NULL, 0, NULL, 0 },
	};
	int opt;
	int bad = 0;

	while (!bad && (opt = getopt_long(argc, argv, "n:c:s:", LONG, NULL)) != -1) {
		switch (opt) {
		case 'n': bad = num_int(optarg, 1, 1000000000, &r->requests, e); break;
		case 'c': bad = num_int(optarg, 1, HANDLES_MAX, &r->handles, e); break;
		case 's': bad = num_int(optarg, 0, 1 << 30, &r->bytes, e); break;
		case 'j': r->json = true; break;
		default: bad = err_set(e, ERR_USAGE, "unknown option");
		}
	}
	if (!bad && optind + 1 != argc)
		bad = err_set(e, ERR_USAGE, "bare [-n REQUESTS] [-c CONNECTIONS]"
			      " [-s BODY_BYTES] [--json] URL");
	if (!bad)
		r->url = argv[optind];
	return bad;
}

int main(int argc, char **argv)
{
	struct run r = { .requests = 100000, .handles = 64, .bytes = 1024 };
	struct err e = ERR_INIT;

	log_init("bare", LOG_NOTE, false);
	if (read_options(&r, argc, argv, &e) == 0 && measure(&r, &e) == 0)
		return 0;
	log_error("%s", e.msg);
	return 1;
}
