/* id: 16-byte identifiers and their texts.
 *
 * "file-<32 hex>" and "batch_<32 hex>" are printed by whoever owns the noun;
 * here are the bytes.  Random ids are UUIDs of version 4 (libuuid), named
 * ones of version 5 (RFC 9562 section 5.5: SHA-1 of a namespace and a name). */
#ifndef FSL_BASE_ID_H
#define FSL_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

enum { ID_BYTES = 16, ID_HEX = 32, ID_UUID = 36 };

struct id {
	uint8_t b[ID_BYTES];
};

struct id id_random(void);
struct id id_named(struct id space, struct span name);
bool id_eq(struct id a, struct id b);

/* 32 lower-case hex digits and a NUL into `buf` (ID_HEX + 1 bytes), returned. */
char *id_hex(struct id v, char *buf);

/* Reads 32 hex digits of either case; false if the text is anything else. */
bool id_from_hex(struct span text, struct id *out);

/* "123e4567-e89b-12d3-a456-426614174000" into `buf` (ID_UUID + 1 bytes), returned. */
char *id_uuid(struct id v, char *buf);

/* Reads that, or 32 hex digits, of either case; false if it is anything else. */
bool id_from_uuid(struct span text, struct id *out);

/* True if the text has 4 to 32 hex digits; `low` and `high` get the first and
 * the last id that begin with them. */
bool id_prefix(struct span text, struct id *low, struct id *high);
/* The same of a UUID, with or without its dashes. */
bool id_uuid_prefix(struct span text, struct id *low, struct id *high);

#endif
