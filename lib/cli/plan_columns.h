/* plan_columns: the columns of fletcher-plan's lists; domain/planrows.h has
 * the values. */
#ifndef FSL_CLI_PLAN_COLUMNS_H
#define FSL_CLI_PLAN_COLUMNS_H

#include "cli/out.h"

static const struct out_column moved_columns[] = {
	{ "NAME", "name", OUT_TEXT }, { "OLD", "old", OUT_TEXT }, { "NEW", "new", OUT_TEXT },
	{ .title = NULL },
};
static const struct out_column moved_json[] = {
	{ "NAME", "name", OUT_TEXT }, { "OLD", "old", OUT_TEXT }, { "NEW", "new", OUT_TEXT },
	{ "ID", "id", OUT_TEXT }, { .title = NULL },
};

/* A table says how old it is, other lists when it was. */
static const struct out_column list_table[] = {
	{ "NAME", "name", OUT_TEXT }, { "STATE", "state", OUT_TEXT },
	{ "DONE/TOTAL", "progress", OUT_TEXT }, { "AGE", "age", OUT_TEXT },
	{ "PAUSED", "paused", OUT_TEXT }, { "ID", "id", OUT_TEXT }, { .title = NULL },
};
static const struct out_column list_plain[] = {
	{ "NAME", "name", OUT_TEXT }, { "STATE", "state", OUT_TEXT },
	{ "DONE/TOTAL", "progress", OUT_TEXT }, { "MODIFIED", "modified", OUT_TIME },
	{ "PAUSED", "paused", OUT_TEXT }, { "ID", "id", OUT_TEXT }, { .title = NULL },
};
static const struct out_column list_json[] = {
	{ "NAME", "name", OUT_TEXT }, { "STATE", "state", OUT_TEXT }, { "DONE", "done", OUT_INT },
	{ "TOTAL", "total", OUT_INT }, { "FAILED", "failed", OUT_INT },
	{ "MODIFIED", "modified", OUT_TIME }, { "PAUSED", "paused", OUT_RAW },
	{ "ID", "id", OUT_TEXT }, { "EXTRA", "extra", OUT_RAW }, { .title = NULL },
};

static const struct out_column show_columns[] = {
	{ "PRODUCT", "product", OUT_TEXT }, { "STATE", "state", OUT_TEXT },
	{ "DONE/TOTAL", "progress", OUT_TEXT }, { "FAILED", "failed", OUT_INT },
	{ "SINCE", "since", OUT_TIME }, { "WHY", "why", OUT_TEXT }, { .title = NULL },
};

static const struct out_column show_plain[] = {
	{ "PRODUCT", "product", OUT_TEXT }, { "STATE", "state", OUT_TEXT },
	{ "DONE/TOTAL", "progress", OUT_TEXT }, { "FAILED", "failed", OUT_INT },
	{ "SINCE", "since", OUT_TIME }, { "WHY", "why", OUT_TEXT },
	{ "DATASET", "dataset", OUT_TEXT }, { .title = NULL },
};

static const struct out_column why_columns[] = {
	{ "PRODUCT", "product", OUT_TEXT }, { "STATE", "state", OUT_TEXT },
	{ "WHY", "why", OUT_TEXT }, { .title = NULL },
};

static const struct out_column ready_columns[] = {
	{ "DATASET", "dataset", OUT_TEXT }, { "PRODUCT", "product", OUT_TEXT },
	{ "STATE", "state", OUT_TEXT }, { "COMPUTE", "compute", OUT_TEXT },
	{ "VERSION", "version", OUT_TEXT }, { "PRODUCT_ID", "product_id", OUT_TEXT },
	{ "DATASET_ID", "dataset_id", OUT_TEXT }, { .title = NULL },
};
static const struct out_column ready_json[] = {
	{ "DATASET", "dataset", OUT_TEXT }, { "PRODUCT", "product", OUT_TEXT },
	{ "STATE", "state", OUT_TEXT }, { "COMPUTE", "compute", OUT_TEXT },
	{ "VERSION", "version", OUT_TEXT }, { "PRODUCT_ID", "product_id", OUT_TEXT },
	{ "DATASET_ID", "dataset_id", OUT_TEXT }, { "PASSTHROUGH", "passthrough", OUT_RAW },
	{ .title = NULL },
};

static const struct out_column history_columns[] = {
	{ "TIME", "time", OUT_TIME }, { "USER", "user", OUT_TEXT },
	{ "COMMAND", "command", OUT_TEXT }, { "PRODUCT", "product", OUT_TEXT },
	{ "OLD", "old", OUT_TEXT }, { "NEW", "new", OUT_TEXT },
	{ "RUN_ID", "run_id", OUT_TEXT }, { .title = NULL },
};

/* By the form in which they are printed (cli/tool.h): table, plain, JSON. */
static const struct out_column *const plan_moved[] = { moved_columns, moved_columns, moved_json };
static const struct out_column *const plan_list[] = { list_table, list_plain, list_json };
static const struct out_column *const plan_show[] = { show_columns, show_plain, show_plain };
static const struct out_column *const plan_why[] = { why_columns, why_columns, why_columns };
static const struct out_column *const plan_ready[] = { ready_columns, ready_columns, ready_json };
static const struct out_column *const plan_history[] = {
	history_columns, history_columns, history_columns,
};

#endif
