/* url: base URL and a line's url. */
#include "domain/url.h"

#include "base/mem.h"
#include "unit.h"

static void joins(const char *base, const char *url, const char *want)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	url_join(span_of(base), span_of(url), &out);
	CHECK_STR(str_z(&out), want, "%s + %s", base, url);
}

static void origin(const char *url, const char *want)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	url_origin(span_of(url), &out);
	CHECK_STR(str_z(&out), want, "the origin of %s", url);
}

int main(void)
{
	joins("http://h:8000", "/v1/chat/completions", "http://h:8000/v1/chat/completions");
	joins("http://h:8000/", "/v1/chat/completions", "http://h:8000/v1/chat/completions");
	joins("http://h:8000/v1", "/v1/chat/completions", "http://h:8000/v1/chat/completions");
	joins("http://h:8000/v1/", "/v1/chat/completions", "http://h:8000/v1/chat/completions");
	joins("https://g/v1beta/openai/", "/v1/chat/completions", "https://g/v1beta/openai/chat/completions");
	joins("https://az/openai?api-version=1", "/v1/x", "https://az/openai/x?api-version=1");
	joins("https://az/openai?a=1", "/v1/x?b=2", "https://az/openai/x?a=1&b=2");
	joins("https://az?a=1", "/x?b=2", "https://az/x?a=1&b=2");
	joins("http://h/api", "/embed", "http://h/api/embed");
	joins("http://h/api", "/v10/x", "http://h/api/v10/x");
	joins("http://h/api", "/v1", "http://h/api");
	joins("http://h", "/v1", "http://h/v1");
	joins("http://h", "/", "http://h/");
	joins("http://h/v1", "https://other/x?y", "https://other/x?y");
	joins("http://[::1]:80/v1", "/v1/x", "http://[::1]:80/v1/x");

	origin("HTTPS://API.Example.com/v1/x?y#z", "https://api.example.com");
	origin("https://h:443/x", "https://h");
	origin("http://h:80", "http://h");
	origin("http://h:443/", "http://h:443");
	origin("https://h:80?x", "https://h:80");
	origin("http://[::1]:8000/x", "http://[::1]:8000");
	origin("http://[::1]/x:9", "http://[::1]");
	origin("http://me:secret@h:8000/x", "http://h:8000");

	CHECK(url_is_absolute(SPAN_LIT("http://h")), "http:// is absolute");
	CHECK(url_is_absolute(SPAN_LIT("HTTPS://h")), "in any case");
	CHECK(!url_is_absolute(SPAN_LIT("/v1/x")) && !url_is_absolute(SPAN_LIT("ftp://h")) &&
	      !url_is_absolute(SPAN_LIT("http:/h")) && !url_is_absolute(SPAN_NONE), "nothing else is");

	static const char *const local[] = {
		"http://localhost:8000/v1", "http://LOCALHOST", "http://127.0.0.1:80", "http://127.9.9.9/",
		"https://[::1]:443/x", "http://localhost.:1",
	};
	for (size_t i = 0; i < ARRAY_LEN(local); i++)
		CHECK(url_is_local(span_of(local[i])), "this machine: %s", local[i]);
	static const char *const remote[] = {
		"http://localhost.example.com", "http://127.0.0.1.example.com", "http://127.example.com.x",
		"http://10.0.0.1", "http://h/localhost", "http://[::2]", "http://localhost@h/",
	};
	for (size_t i = 0; i < ARRAY_LEN(remote); i++)
		CHECK(!url_is_local(span_of(remote[i])), "another one: %s", remote[i]);
	return unit_done();
}
