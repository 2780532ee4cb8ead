#include "engine/httpcode.h"

#include <curl/curl.h>

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
