#include "engine/profile.h"

#include "base/jsonw.h"
#include "base/mem.h"

static void write_rows(struct jsonw *w, const char *name, const int64_t *rows, int n)
{
	jsonw_key(w, name);
	if (!rows) {
		jsonw_null(w);
		return;
	}
	jsonw_array(w);
	for (int i = 0; i < n; i++)
		jsonw_int(w, rows[i]);
	jsonw_array_end(w);
}

void profile_write(const struct run_options *o, struct str *out)
{
	struct jsonw w = jsonw_start(out);
	struct str send CLEANUP(str_release) = STR_INIT;

	jsonw_object(&w);
	jsonw_kint(&w, "jobs", o->http.jobs);
	jsonw_kint(&w, "grace_ms", o->grace_ms);
	jsonw_kstrz(&w, "user", o->user);
	write_rows(&w, "batches", o->batches, o->n_batches);
	if (o->plans && o->plans->datasets)
		write_rows(&w, "datasets", o->plans->datasets, o->plans->n_datasets);
	if (o->defaults) {
		send_write(o->defaults, &send);
		jsonw_kraw(&w, "defaults", str_span(&send));
	}
	jsonw_end(&w);
}
