#include "store/schema.h"

#include "schema_sql.h" /* made from schema.sql by scripts/embed-schema */

const char *schema_text(void)
{
	return schema_sql;
}
