#include "engine/httpcode.h"

#include "base/mem.h"
#include "unit.h"

/* The numbers are libcurl's, which never change (libcurl-errors(3)). */
int main(void)
{
	static const struct {
		int rc;
		enum http_code fresh, sent;
		const char *what;
	} all[] = {
		{ 0, HTTP_ANSWERED, HTTP_ANSWERED, "success" },
		{ 1, HTTP_UNUSABLE, HTTP_RECV, "a protocol of the URL, or of the answer" },
		{ 3, HTTP_UNUSABLE, HTTP_RECV, "a bad URL" },
		{ 5, HTTP_DNS, HTTP_DNS, "the name of a proxy" },
		{ 6, HTTP_DNS, HTTP_DNS, "a name" },
		{ 7, HTTP_CONNECT, HTTP_CONNECT, "no connection" },
		{ 28, HTTP_CONNECT, HTTP_CONNECT, "no connection within the limit" },
		{ 35, HTTP_TLS, HTTP_TLS, "a handshake" },
		{ 58, HTTP_CERTIFICATE, HTTP_CERTIFICATE, "our certificate" },
		{ 60, HTTP_CERTIFICATE, HTTP_CERTIFICATE, "that of the server" },
		{ 77, HTTP_CERTIFICATE, HTTP_CERTIFICATE, "the file of certificates" },
		{ 83, HTTP_CERTIFICATE, HTTP_CERTIFICATE, "its issuer" },
		{ 91, HTTP_CERTIFICATE, HTTP_CERTIFICATE, "its status" },
		{ 55, HTTP_SEND, HTTP_SEND, "sending" },
		{ 65, HTTP_SEND, HTTP_SEND, "sending once more" },
		{ 18, HTTP_TRUNCATED, HTTP_TRUNCATED, "a short body" },
		{ 52, HTTP_RECV, HTTP_RECV, "nothing" },
		{ 56, HTTP_RECV, HTTP_RECV, "receiving" },
		{ 16, HTTP_RECV, HTTP_RECV, "the framing of HTTP/2" },
		{ 92, HTTP_RECV, HTTP_RECV, "a stream of HTTP/2" },
		{ 27, HTTP_RECV, HTTP_RECV, "memory, that is a header line without end" },
		{ 42, HTTP_RECV, HTTP_RECV, "a second send that was refused" },
		{ 4711, HTTP_RECV, HTTP_RECV, "what a later library says" },
		{ -1, HTTP_RECV, HTTP_RECV, "nonsense" },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		CHECK_INT(httpcode_of(all[i].rc, false), all[i].fresh, "%s, before anything left",
			  all[i].what);
		CHECK_INT(httpcode_of(all[i].rc, true), all[i].sent, "%s, when it was sent", all[i].what);
	}
	char with[] = "HTTP/2 stream 101 was not closed cleanly: INTERNAL_ERROR (err 2)";
	CHECK_STR(httpcode_words(with), "HTTP/2 stream was not closed cleanly: INTERNAL_ERROR (err 2)",
		  "streams have numbers, errors have none");
	char cut[] = "HTTP/2 stream 101", other[] = "Failed to connect to port 101", none[] = "";
	CHECK_STR(httpcode_words(cut), "HTTP/2 stream 101", "a number at the end stays");
	CHECK_STR(httpcode_words(other), "Failed to connect to port 101", "other words stay as they are");
	CHECK_STR(httpcode_words(none), "", "also none");
	char memory[] = "Out of memory", large[] = "Too large response headers: 307265 > 307200";
	CHECK_STR(httpcode_words(memory), "A header line of the answer is too long",
		  "a long line is not about our memory");
	CHECK_STR(httpcode_words(large), "Too large response headers", "a size is no other error");
	char died[] = "Connection died, tried 5 times before giving up";
	CHECK(!httpcode_words(died), "a handle's count of dead connections is no news");
	CHECK(!httpcode_has_died(NULL, 55, 0), "what was never connected has not died");
	return unit_done();
}
