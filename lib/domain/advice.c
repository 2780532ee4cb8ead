#include "domain/advice.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "domain/fields.h"
#include "domain/passthrough.h"

static void warn(const struct plan *p, uint32_t product, const char *why)
{
	const struct fields f = { .file = p->file, .place = "data_products", .index = product };
	struct err text = ERR_INIT;

	if (fields_error(&f, why, &text, "fsl-run leaves it queued") < 0)
		log_warn("%s", text.msg);
}

int advice_plan(struct plan *p)
{
	int n = 0;

	for (uint32_t i = 0; !p->advised && i < p->n_products; i++) {
		const struct plan_product *v = &p->products[i];
		struct passthrough work CLEANUP(passthrough_release) = PASSTHROUGH_INIT;
		struct err why = ERR_INIT;
		if (strcmp(v->compute, "batch") != 0 && strcmp(v->compute, "exec") != 0)
			continue;
		if (passthrough_parse(v->compute, v->passthrough, p->dir, &work, &why) < 0 &&
		    n++ < ADVICE_WARNINGS)
			warn(p, i, why.msg);
	}
	if (n > ADVICE_WARNINGS)
		log_warn("%s: so is the passthrough of %d more data products", p->file,
			 n - ADVICE_WARNINGS);
	p->advised = true;
	return n;
}
