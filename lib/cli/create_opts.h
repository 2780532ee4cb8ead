/* create_opts: the options of a new batch, for `fsl-batch create` and for
 * `fsl-run`, as rows of an option table.
 *
 *     static struct create_options o = CREATE_OPTIONS_INIT;  // domain/create.h
 *     static struct opt_list metadata, headers, escalations;
 *     static const struct opt options[] = {
 *             CREATE_OPTS(o, metadata, headers)
 *             SEND_OPTS(o, escalations)
 *             { .kind = OPT_END },
 *     };
 *
 * CREATE_OPTS says what the batch is, SEND_OPTS how it is sent; the caller
 * copies the two lists into the struct.  The ranges are those of
 * domain/send.h and domain/create.h. */
#ifndef FSL_CLI_CREATE_OPTS_H
#define FSL_CLI_CREATE_OPTS_H

#include "cli/opt.h"

#define CREATE_OPTS(o, metadata_list, header_list) \
	{ .kind = OPT_TEXT, .name = "base-url", .dst = &(o).base_url, .arg = "URL", \
	  .help = "where the requests go, with or without /v1", \
	  .dflt = "OPENAI_BASE_URL, else https://api.openai.com", .env = "FSL_BASE_URL" }, \
	{ .kind = OPT_TEXT, .name = "endpoint", .dst = &(o).endpoint, .arg = "PATH", \
	  .help = "every line's url must be this one", .dflt = "as the lines say" }, \
	{ .kind = OPT_TEXT, .name = "name", .dst = &(o).name, .arg = "NAME", \
	  .help = "a name for the batch" }, \
	{ .kind = OPT_FLAG, .name = "if-absent", .dst = &(o).if_absent, \
	  .help = "with --name: the batch that is there, if it has the same input, " \
		  "base URL and endpoint" }, \
	{ .kind = OPT_LIST, .name = "metadata", .dst = &(metadata_list), .arg = "K=V", \
	  .help = "a pair for the batch object; up to 16" }, \
	{ .kind = OPT_TEXT, .name = "key", .dst = &(o).key, .arg = "REF", \
	  .help = "where the key is: env:NAME, file:PATH, cred:NAME or none", \
	  .dflt = "env:OPENAI_API_KEY for OpenAI's base URL, else none" }, \
	{ .kind = OPT_TEXT, .name = "key-header", .dst = &(o).key_header, .arg = "TEMPLATE", \
	  .help = "the header with the key, {} in its place", \
	  .dflt = "Authorization: Bearer {}" }, \
	{ .kind = OPT_LIST, .name = "header", .dst = &(header_list), .arg = "K:V", \
	  .help = "a header for every request" }, \
	{ .kind = OPT_INT, .name = "priority", .dst = &(o).priority, .arg = "N", \
	  .help = "batches with a higher one go first", .dflt = "0", \
	  .min = -1000, .max = 1000 }, \
	{ .kind = OPT_DURATION, .name = "reuse", .dst = &(o).reuse_ms, .arg = "DUR", \
	  .help = "take the answers that equal requests were given, within DUR or at any " \
		  "time, and do not send those", .min = 1, .bare = "36500d" }, \
	{ .kind = OPT_DURATION, .name = "completion-window", .dst = &(o).window_ms, \
	  .arg = "DUR", .help = "what is not answered after DUR expires", .dflt = "none", \
	  .max = 315360000000 }, \
	{ .kind = OPT_FLAG, .name = "allow-inline-secrets", .dst = &(o).allow_secrets, \
	  .help = "store keys that stand in lines, headers or URLs" }, \
	{ .kind = OPT_SIZE, .name = "max-line", .dst = &(o).max_line, .arg = "SIZE", \
	  .help = "the longest line of the input", .dflt = "32M", \
	  .min = 1, .max = 512 << 20 },

#define SEND_OPTS(o, escalate_list) \
	{ .kind = OPT_LIST, .name = "escalate", .dst = &(escalate_list), \
	  .arg = "MODEL=OTHER@DUR", .help = "send to another model when less than DUR is left " \
		  "of the completion window" }, \
	{ .kind = OPT_INT, .name = "retries", .dst = &(o).send.retries, .arg = "N", \
	  .help = "attempts after the first", .dflt = "5", .max = 1000 }, \
	{ .kind = OPT_DURATION, .name = "retry-delay", .dst = &(o).send.retry_delay_ms, \
	  .arg = "DUR", .help = "the longest wait before the first retry", .dflt = "1s", \
	  .max = 3600000 }, \
	{ .kind = OPT_MICRO, .name = "retry-factor", .dst = &(o).send.retry_factor_micro, \
	  .arg = "X", .help = "how it grows with each retry", .dflt = "2", \
	  .min = 1000000, .max = 100000000 }, \
	{ .kind = OPT_DURATION, .name = "retry-max-delay", \
	  .dst = &(o).send.retry_max_delay_ms, .arg = "DUR", .help = "and how far", \
	  .dflt = "60s", .max = 86400000 }, \
	{ .kind = OPT_TEXT, .name = "retry-http", .dst = &(o).retry_http, .arg = "LIST", \
	  .help = "HTTP statuses that are tried again", .dflt = "408,425,429,5xx" }, \
	{ .kind = OPT_DURATION, .name = "connect-timeout", .dst = &(o).send.connect_ms, \
	  .arg = "DUR", .help = "to connect", .dflt = "10s", .min = 1, .max = 3600000 }, \
	{ .kind = OPT_DURATION, .name = "first-byte-timeout", \
	  .dst = &(o).send.first_byte_ms, .arg = "DUR", \
	  .help = "until the answer begins", .dflt = "10m", .min = 1, .max = 3600000 }, \
	{ .kind = OPT_DURATION, .name = "stall-timeout", .dst = &(o).send.stall_ms, \
	  .arg = "DUR", .help = "between two bytes of the answer", .dflt = "90s", \
	  .min = 1, .max = 3600000 }, \
	{ .kind = OPT_DURATION, .name = "timeout", .dst = &(o).send.total_ms, \
	  .arg = "DUR", .help = "for all of an attempt", .dflt = "10m", \
	  .min = 1, .max = 604800000 }, \
	{ .kind = OPT_SIZE, .name = "max-response", .dst = &(o).send.max_response, \
	  .arg = "SIZE", .help = "the largest answer that is kept", .dflt = "16M", \
	  .min = 1, .max = 512 << 20 }, \
	{ .kind = OPT_DURATION, .name = "stop-before-deadline", \
	  .dst = &(o).send.stop_before_ms, .arg = "DUR", \
	  .help = "no retry so close to the end of the completion window", .dflt = "0", \
	  .max = 2592000000 }, \
	{ .kind = OPT_FLAG, .name = "at-most-once", .dst = &(o).at_most_once, \
	  .help = "do not send a request again that may have left and was not answered" }, \
	{ .kind = OPT_FLAG, .name = "no-idempotency-key", .dst = &(o).no_idempotency_key, \
	  .help = "do not send the header Idempotency-Key" },

#endif
