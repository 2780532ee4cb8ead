#include "engine/errand.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/safe.h"
#include "domain/dataset.h"

enum { SHOWN = 60 };

void errand_release(struct errand *r)
{
	free(r->name);
	free(r->dataset_name);
	free(r->dir);
	free(r->params);
	free(r->passthrough);
	*r = (struct errand)ERRAND_INIT;
}

int errand_load(struct db *db, const struct product *p, struct errand *out, struct err *e)
{
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	struct dataset_texts t CLEANUP(dataset_texts_release) = { 0 };
	struct product_texts texts CLEANUP(product_texts_release) = { 0 };
	char label[DATASET_LABEL_BUF];
	int rc = dataset_get(db, p->dataset, &d, e);

	errand_release(out);
	if (rc > 0)
		rc = dataset_texts(db, p->dataset, &t, e);
	if (rc > 0 && product_texts(db, p->id, &texts, e) < 0)
		return -1;
	if (rc <= 0)
		return rc;
	out->product = p->id;
	out->dataset = p->dataset;
	out->dataset_uuid = d.uuid;
	out->name = mem_strdup(p->name);
	out->dataset_name = mem_strdup(dataset_label(&d, label));
	out->dir = TAKE(t.dir);
	out->params = TAKE(t.params);
	out->passthrough = TAKE(texts.passthrough);
	snprintf(out->label, sizeof out->label, "%s/%s",
		 safe_show(span_of(out->dataset_name), SHOWN), safe_show(span_of(p->name), SHOWN));
	return 1;
}
