/* url: a base URL and a line's url, joined as the OpenAI SDKs mean it.
 *
 * An absolute url of a line stands for itself.  Else the base URL's path
 * comes before it; a base URL with a path (other than "/") replaces the
 * line's leading "/v1":
 *     http://h:8000                + /v1/chat/completions -> http://h:8000/v1/chat/completions
 *     http://h:8000/v1             + /v1/chat/completions -> http://h:8000/v1/chat/completions
 *     https://g/v1beta/openai/     + /v1/chat/completions -> https://g/v1beta/openai/chat/completions
 *     https://az/openai?api-version=1 + /v1/x             -> https://az/openai/x?api-version=1
 * A query of both: the base's, then '&', then the line's. */
#ifndef FSL_DOMAIN_URL_H
#define FSL_DOMAIN_URL_H

#include <stdbool.h>
#include "base/str.h"

/* Appends the joined URL. */
void url_join(struct span base, struct span url, struct str *out);

/* "https://host:port" in lower case, default ports left out, appended. */
void url_origin(struct span absolute, struct str *out);

/* Is it absolute (http:// or https://)? */
bool url_is_absolute(struct span url);

/* Is the host this machine (localhost, 127.0.0.0/8, [::1])? */
bool url_is_local(struct span absolute);

#endif
