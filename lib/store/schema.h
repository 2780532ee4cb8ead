/* schema: the tables of a new state file, from schema.sql.
 *
 * Called by db_open().  A new file (no application id, no tables) gets the
 * schema; an existing one is checked. */
#ifndef FSL_STORE_SCHEMA_H
#define FSL_STORE_SCHEMA_H

#include <stdint.h>

enum { SCHEMA_APPLICATION = 0x46534c31, SCHEMA_VERSION = 1 };

const char *schema_text(void);

#endif
