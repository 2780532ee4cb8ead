/* send: how requests are sent, unset members, and the way through JSON. */
#include "domain/send.h"

#include <string.h>

#include "base/mem.h"
#include "unit.h"

static void defaults(void)
{
	struct send d CLEANUP(send_release) = send_defaults(), s CLEANUP(send_release) = SEND_INIT;
	CHECK_INT(d.retries, 5, "5 retries");
	CHECK(d.retry_delay_ms == 1000 && d.retry_factor_micro == 2000000 &&
	      d.retry_max_delay_ms == 60000, "1 s, doubled, up to 60 s");
	CHECK(d.connect_ms == 10000 && d.first_byte_ms == 600000 && d.stall_ms == 90000 &&
	      d.total_ms == 600000, "10 s, 10 min, 90 s, 10 min");
	CHECK_INT(d.max_response, 16 << 20, "16 MiB");
	CHECK_STR(d.retry_http, "408,425,429,5xx", "408,425,429,5xx");
	CHECK_INT(d.no_idempotency_key, 0, "with an Idempotency-Key");
	CHECK_INT(d.stop_before_ms, 0, "and retries up to the deadline");
	CHECK_INT(d.at_most_once, 0, "as often as it takes");
	s.retries = 0;
	s.retry_http = mem_strdup("503");
	send_fill(&s, &d);
	CHECK_INT(s.retries, 0, "what is set stays, also 0");
	CHECK_STR(s.retry_http, "503", "and the list");
	CHECK_INT(s.stall_ms, 90000, "what is unset is filled");
}

static void json(void)
{
	struct send s CLEANUP(send_release) = SEND_INIT, t CLEANUP(send_release) = SEND_INIT;
	struct str out CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;
	send_write(&s, &out);
	CHECK_STR(str_z(&out), "{}", "nothing set, nothing written");
	s.retries = 3;
	s.total_ms = 5000;
	s.at_most_once = 1;
	s.retry_http = mem_strdup("429,5xx");
	str_reset(&out);
	send_write(&s, &out);
	CHECK_STR(str_z(&out), "{\"retries\":3,\"total_ms\":5000,\"at_most_once\":1,\"retry_http\":\"429,5xx\"}",
		  "only the set members are written");
	CHECK_INT(send_read(&t, str_span(&out), &e), 0, "and can be read back");
	CHECK(t.retries == 3 && t.total_ms == 5000 && t.at_most_once == 1 && t.connect_ms == SEND_UNSET, "as they were");
	CHECK_STR(t.retry_http, "429,5xx", "with the list");
	CHECK_INT(send_read(&t, SPAN_LIT(" {\"new\":[1], \"retries\" : 4 }"), &e), 0,
		  "unknown members are passed over");
	CHECK_INT(t.retries, 4, "known ones are not");

	CHECK(send_read(&t, SPAN_LIT("{\"stop_before_ms\":2592000000}"), &e) == 0 &&
	      t.stop_before_ms == 2592000000, "30 days are more than 32 bits of milliseconds");

	static const char *const bad[] = {
		"{\"retries\":1001}", "{\"retries\":-1}", "{\"retries\":\"3\"}",
		"{\"retries\":1.5}", "{\"connect_ms\":0}", "{\"stop_before_ms\":2592000001}",
		"{\"retry_http\":\"6xx\"}", "{\"retry_http\":[429]}", "{\"at_most_once\":2}",
		"{\"at_most_once\":true}", "{\"retry_http\":\"4\\u000029\"}", "[]", "{", "", "3",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(send_read(&t, span_of(bad[i]), &e) < 0 && e.code == ERR_INPUT,
		      "refused: %s", bad[i]);
}

static void statuses(void)
{
	struct err e = ERR_INIT;
	static const char *const good[] = { "429", "5xx", "408,425,429,5xx", "", "300,599" };
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK(send_check_http(good[i], &e) == 0, "a list: '%s'", good[i]);
	static const char *const bad[] = {
		"42", "4299", "0xx", "6xx", "600", "5x", "5xx,", ",5xx", "5xx,,429", "5XX", "5xx 429", "200", "1xx",
		"x", "099", "429, 5xx", "-429",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(send_check_http(bad[i], &e) < 0 && e.code == ERR_USAGE, "no list: '%s'", bad[i]);
	const char *list = "408,425,429,5xx";
	CHECK(send_http_matches(list, 429), "429 is in it");
	CHECK(send_http_matches(list, 500) && send_http_matches(list, 599), "so are 500 and 599");
	CHECK(!send_http_matches(list, 499) && !send_http_matches(list, 600) &&
	      !send_http_matches(list, 404) && !send_http_matches(list, 0), "others are not");
	CHECK(!send_http_matches("", 500), "nothing is in an empty list");
}

int main(void)
{
	defaults();
	json();
	statuses();
	return unit_done();
}
