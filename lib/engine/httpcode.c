#include "engine/httpcode.h"

#include <curl/curl.h>
#include <string.h>

#include "base/mem.h"

/* What is not named here, and is no success, is HTTP_RECV: CURLE_RECV_ERROR,
 * CURLE_GOT_NOTHING, CURLE_HTTP2, CURLE_HTTP2_STREAM and others. */
static const enum http_code codes[] = {
	[CURLE_COULDNT_RESOLVE_HOST] = HTTP_DNS, [CURLE_COULDNT_RESOLVE_PROXY] = HTTP_DNS,
	[CURLE_COULDNT_CONNECT] = HTTP_CONNECT,
	[CURLE_OPERATION_TIMEDOUT] = HTTP_CONNECT, /* only the connect limit is libcurl's */
	[CURLE_SSL_CONNECT_ERROR] = HTTP_TLS,
	[CURLE_PEER_FAILED_VERIFICATION] = HTTP_CERTIFICATE,
	[CURLE_SSL_CACERT_BADFILE] = HTTP_CERTIFICATE,
	[CURLE_SSL_CERTPROBLEM] = HTTP_CERTIFICATE,
	[CURLE_SSL_ISSUER_ERROR] = HTTP_CERTIFICATE,
	[CURLE_SSL_INVALIDCERTSTATUS] = HTTP_CERTIFICATE,
	[CURLE_SEND_ERROR] = HTTP_SEND, [CURLE_SEND_FAIL_REWIND] = HTTP_SEND,
	[CURLE_PARTIAL_FILE] = HTTP_TRUNCATED,
	[CURLE_URL_MALFORMAT] = HTTP_UNUSABLE, [CURLE_UNSUPPORTED_PROTOCOL] = HTTP_UNUSABLE,
};

enum http_code httpcode_of(int rc, bool sent)
{
	if (rc == CURLE_OK)
		return HTTP_ANSWERED;
	enum http_code code = rc > 0 && (size_t)rc < ARRAY_LEN(codes) ? codes[rc] : HTTP_ANSWERED;
	if (code == HTTP_UNUSABLE && sent) /* then it is the answer that is no HTTP */
		return HTTP_RECV;
	return code == HTTP_ANSWERED ? HTTP_RECV : code;
}

bool httpcode_has_died(void *easy, int rc, size_t body)
{
	curl_off_t sent = 0;
	long head = 0;

	curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &head);
	return rc == CURLE_SEND_ERROR && head > 0 && sent >= (curl_off_t)body;
}

char *httpcode_words(char *text)
{
	static const char stream[] = "HTTP/2 stream ", died[] = "Connection died";
	static const char memory[] = "Out of memory", large[] = "Too large response headers";
	static char line[] = "A header line of the answer is too long";
	char *number = text + sizeof stream - 1;

	if (strncmp(text, memory, sizeof memory - 1) == 0)
		return line;
	if (strncmp(text, large, sizeof large - 1) == 0)
		text[sizeof large - 1] = '\0';

	if (strncmp(text, died, sizeof died - 1) == 0)
		return NULL;
	if (strncmp(text, stream, sizeof stream - 1) != 0)
		return text;
	size_t n = strspn(number, "0123456789");
	if (n > 0 && number[n] == ' ')
		memmove(number, number + n + 1, strlen(number + n + 1) + 1);
	return text;
}
