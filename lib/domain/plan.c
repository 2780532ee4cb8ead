#include "domain/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/safe.h"
#include "base/wholefile.h"
#include "domain/ref.h"
#include "domain/state.h"

enum { SHOWN = 100 };

void plan_release(struct plan *p)
{
	arena_release(&p->texts);
	free(p->file);
	free(p->dir);
	str_release(&p->text);
	free(p->products);
	free(p->edges);
	free(p->outsiders);
	idmap_free(p->by_id);
	params_release(&p->params);
	*p = (struct plan)PLAN_INIT;
}

/* --- reading */

/* A JSON string with its parameters replaced, decoded. */
static int take_string(struct plan *p, const struct fields *f, const char *member,
		       struct span json, struct span *out, struct err *e)
{
	struct str replaced CLEANUP(str_release) = STR_INIT, text CLEANUP(str_release) = STR_INIT;

	*out = SPAN_NONE;
	if (!json.p)
		return 0;
	int rc = params_apply(&p->params, f, member, json, &replaced, e);
	if (rc < 0)
		return -1;
	*out = (struct span){ json.p + 1, json.n - 2 };
	if (rc > 0 || !json_plain(*out)) {
		json_string(rc > 0 ? str_span(&replaced) : json, &text);
		*out = arena_keep(&p->texts, (struct span){ str_z(&text), text.n });
	}
	if (memchr(out->p, '\0', out->n))
		return fields_error(f, member, e, "has a NUL character");
	if (out->n > PLAN_NAME_MAX)
		return fields_error(f, member, e, "has more than %d bytes", PLAN_NAME_MAX);
	return 0;
}

/* Any JSON value with its parameters replaced, compact; null is none. */
static int take_json(struct plan *p, const struct fields *f, const char *member,
		     struct span json, struct span *out, struct err *e)
{
	struct str replaced CLEANUP(str_release) = STR_INIT, compact CLEANUP(str_release) = STR_INIT;

	*out = SPAN_NONE;
	if (!json.p)
		return 0;
	int rc = params_apply(&p->params, f, member, json, &replaced, e);
	if (rc < 0)
		return -1;
	json_compact(rc > 0 ? str_span(&replaced) : json, &compact);
	*out = rc > 0 || compact.n != json.n ? arena_keep(&p->texts, str_span(&compact)) : json;
	return 0;
}

static int read_dataset(struct plan *p, struct span value, struct err *e)
{
	struct span name = SPAN_NONE, extra = SPAN_NONE;
	struct fields f = { .file = p->file, .place = "dataset", .index = -1, .warned = p->warned };
	const struct field table[] = {
		{ "id", FIELD_UUID, false, &p->id, &p->has_id },
		{ "name", FIELD_STRING, false, &name, NULL },
		{ "extra", FIELD_ANY, false, &extra, NULL },
		/* Of Fletcher's own responses. */
		{ "paused", FIELD_IGNORED, false, NULL, NULL },
		{ "modified_by", FIELD_IGNORED, false, NULL, NULL },
		{ "modified_date", FIELD_IGNORED, false, NULL, NULL }, { .name = NULL },
	};

	if (fields_read(&f, value, table, e) < 0 ||
	    take_string(p, &f, "name", name, &p->name, e) < 0 ||
	    take_json(p, &f, "extra", extra, &p->extra, e) < 0)
		return -1;
	p->warned = f.warned;
	return 0;
}

static int read_product(struct plan *p, struct fields *f, struct span value,
			struct plan_product *out, struct err *e)
{
	struct span name = SPAN_NONE, version = SPAN_NONE, compute = SPAN_NONE,
		    passthrough = SPAN_NONE, extra = SPAN_NONE;
	bool has_id = false;
	const struct field table[] = {
		{ "id", FIELD_UUID, false, &out->id, &has_id },
		{ "compute", FIELD_STRING, true, &compute, NULL },
		{ "name", FIELD_STRING, true, &name, NULL },
		{ "version", FIELD_STRING, true, &version, NULL },
		{ "eager", FIELD_BOOL, true, &out->eager, NULL },
		{ "passthrough", FIELD_ANY, false, &passthrough, NULL },
		{ "extra", FIELD_ANY, false, &extra, NULL },
		{ "state", FIELD_IGNORED, false, NULL, NULL },
		{ "run_id", FIELD_IGNORED, false, NULL, NULL },
		{ "link", FIELD_IGNORED, false, NULL, NULL },
		{ "passback", FIELD_IGNORED, false, NULL, NULL },
		{ "modified_by", FIELD_IGNORED, false, NULL, NULL },
		{ "modified_date", FIELD_IGNORED, false, NULL, NULL }, { .name = NULL },
	};

	if (fields_read(f, value, table, e) < 0 ||
	    take_string(p, f, "name", name, &out->name, e) < 0 ||
	    take_string(p, f, "version", version, &out->version, e) < 0 ||
	    take_json(p, f, "passthrough", passthrough, &out->passthrough, e) < 0 ||
	    take_json(p, f, "extra", extra, &out->extra, e) < 0)
		return -1;
	compute = (struct span){ compute.p + 1, compute.n - 2 };
	out->compute = state_compute(compute);
	if (!out->compute)
		return fields_error(f, "compute", e, "'%s' is not one of batch, cams, dbxaas, exec",
				    safe_show(compute, SHOWN));
	out->by_name = !has_id;
	if (out->by_name && out->name.n == 0)
		return fields_error(f, "name", e, "must not be empty where there is no id");
	return 0;
}

static int read_end(struct plan *p, const struct fields *f, const char *id_member,
		    const char *member, bool has_id, struct span name, struct plan_end *out,
		    struct err *e)
{
	if (has_id && name.p)
		return fields_error(f, member, e, "stands beside %s; one of them is enough", id_member);
	if (!has_id && !name.p) {
		fields_error(f, id_member, e, "required UUID is missing");
		return err_hint(e, "or \"%s\", its name", member);
	}
	out->by_name = !has_id;
	return take_string(p, f, member, name, &out->name, e);
}

static int read_edge(struct plan *p, struct fields *f, struct span value, struct plan_edge *out,
		     struct err *e)
{
	struct span parent = SPAN_NONE, child = SPAN_NONE, extra = SPAN_NONE;
	bool has_parent = false, has_child = false;
	const struct field table[] = {
		{ "parent_id", FIELD_UUID, false, &out->parent.id, &has_parent },
		{ "child_id", FIELD_UUID, false, &out->child.id, &has_child },
		{ "parent", FIELD_STRING, false, &parent, NULL },
		{ "child", FIELD_STRING, false, &child, NULL },
		{ "extra", FIELD_ANY, false, &extra, NULL },
		{ "modified_by", FIELD_IGNORED, false, NULL, NULL },
		{ "modified_date", FIELD_IGNORED, false, NULL, NULL }, { .name = NULL },
	};

	return fields_read(f, value, table, e) < 0 ||
	       read_end(p, f, "parent_id", "parent", has_parent, parent, &out->parent, e) < 0 ||
	       read_end(p, f, "child_id", "child", has_child, child, &out->child, e) < 0 ||
	       take_json(p, f, "extra", extra, &out->extra, e) < 0 ? -1 : 0;
}

static int read_products(struct plan *p, struct span array, struct err *e)
{
	struct fields f = { .file = p->file, .place = "data_products", .warned = p->warned };
	struct span ignored, item;

	for (size_t pos = 0; json_each(array, &pos, &ignored, &item); f.index++) {
		if (p->n_products == PLAN_MAX_NODES)
			return fields_error(&f, NULL, e, "more than %d data products", PLAN_MAX_NODES);
		p->products = mem_room(p->products, p->n_products, sizeof *p->products);
		p->products[p->n_products] = (struct plan_product){ .by_name = false };
		if (read_product(p, &f, item, &p->products[p->n_products++], e) < 0)
			return -1;
	}
	p->warned = f.warned;
	return 0;
}

static int read_edges(struct plan *p, struct span array, struct err *e)
{
	struct fields f = { .file = p->file, .place = "dependencies", .warned = p->warned };
	struct span ignored, item;

	for (size_t pos = 0; json_each(array, &pos, &ignored, &item); f.index++) {
		if (p->n_edges == PLAN_MAX_NODES)
			return fields_error(&f, NULL, e, "more than %d dependencies", PLAN_MAX_NODES);
		p->edges = mem_room(p->edges, p->n_edges, sizeof *p->edges);
		p->edges[p->n_edges] = (struct plan_edge){ .extra = SPAN_NONE };
		if (read_edge(p, &f, item, &p->edges[p->n_edges++], e) < 0)
			return -1;
	}
	p->warned = f.warned;
	return 0;
}

static int read_params(struct plan *p, const struct fields *f, struct span object,
		       const struct plan_options *o, struct err *e)
{
	if (object.p && params_declare(&p->params, f, object, e) < 0)
		return -1;
	for (int i = 0; i < o->n_sets; i++)
		if (params_set(&p->params, o->sets[i], e) < 0)
			return -1;
	return params_complete(&p->params, f, e);
}

/* --dataset, or what the file says. */
static int name_dataset(struct plan *p, const struct plan_options *o, struct err *e)
{
	const struct fields f = { .file = p->file, .place = "dataset", .index = -1 };

	if (o->dataset) {
		p->has_id = id_from_uuid(span_of(o->dataset), &p->id);
		p->name = p->has_id ? SPAN_NONE : arena_keep(&p->texts, span_of(o->dataset));
		return p->has_id ? 0 : ref_check_name(o->dataset, e) < 0 ? err_wrap(e, "--dataset") : 0;
	}
	if (!p->has_id && !p->name.p) {
		fields_error(&f, "id", e, "required UUID is missing");
		return err_hint(e, "or give the dataset a name, here or with --dataset");
	}
	if (!p->name.p)
		return 0;
	char *name CLEANUP(mem_cleanup) = mem_copy(p->name.p, p->name.n);
	struct err why = ERR_INIT;
	return ref_check_name(name, &why) < 0 ? fields_error(&f, "name", e, "%s", why.msg) : 0;
}

static int read_plan(struct plan *p, struct span text, const struct plan_options *o,
		     struct err *e)
{
	struct span dataset = SPAN_NONE, products = SPAN_NONE, edges = SPAN_NONE, params = SPAN_NONE;
	struct fields f = { .file = p->file, .index = -1 };
	const struct field table[] = {
		{ "dataset", FIELD_OBJECT, false, &dataset, NULL },
		{ "data_products", FIELD_ARRAY, true, &products, NULL },
		{ "dependencies", FIELD_ARRAY, false, &edges, NULL },
		{ "params", FIELD_OBJECT, false, &params, NULL }, { .name = NULL },
	};

	if (fields_read(&f, text, table, e) < 0 || read_params(p, &f, params, o, e) < 0)
		return -1;
	p->warned = f.warned;
	if ((dataset.p && read_dataset(p, dataset, e) < 0) || name_dataset(p, o, e) < 0 ||
	    read_products(p, products, e) < 0 || (edges.p && read_edges(p, edges, e) < 0))
		return -1;
	f.warned = p->warned;
	fields_finish(&f);
	return 0;
}

static int parse(struct plan *p, const struct plan_options *o, struct err *e)
{
	struct span v = str_span(&p->text);

	if (span_starts(v, "\xef\xbb\xbf")) { /* a byte order mark */
		v.p += 3;
		v.n -= 3;
	}
	if (fields_check(p->file, v, e) < 0)
		return -1;
	while (strchr(" \t\r\n", *v.p)) {
		v.p++;
		v.n--;
	}
	return read_plan(p, v, o, e);
}

int plan_parse(const char *file, struct span text, const char *dir, const struct plan_options *o,
	       struct plan *out, struct err *e)
{
	plan_release(out);
	out->file = mem_strdup(file);
	out->dir = mem_strdup(dir);
	out->has_dir = true;
	str_add(&out->text, text.p, text.n);
	return parse(out, o, e);
}

int plan_read(const char *path, const struct plan_options *o, struct plan *out, struct err *e)
{
	plan_release(out);
	out->file = mem_strdup(safe_show(span_of(path), 200));
	out->dir = wholefile_directory(path);
	out->has_dir = strcmp(path, "-") != 0;
	return wholefile_read(path, PLAN_MAX_BYTES, &out->text, e) < 0 ? -1 : parse(out, o, e);
}

/* --- resolving */

struct id plan_dataset_id(const struct plan *p)
{
	struct id space;

	id_from_uuid(SPAN_LIT(PLAN_NAMESPACE), &space);
	return p->has_id ? p->id : id_named(space, p->name);
}

static struct id name_key(struct span name)
{
	return hash_of(name.p, name.n);
}

static void name_of_end(const struct plan_end *end, char *buf, const char **out)
{
	*out = end->by_name ? safe_show(end->name, SHOWN) : id_uuid(end->id, buf);
}

struct resolving {
	struct plan *p;
	struct id dataset;
	plan_stored_fn *stored;
	void *ctx;
	struct idmap *by_name; /* name_key() -> product */
	struct idmap *twice;   /* name_key() of names that several have */
};

static void resolving_release(struct resolving *r)
{
	idmap_free(r->by_name);
	idmap_free(r->twice);
}

static int add_products(struct resolving *r, struct err *e)
{
	struct plan *p = r->p;
	struct fields f = { .file = p->file, .place = "data_products" };
	char id[ID_UUID + 1];

	for (uint32_t i = 0; i < p->n_products; i++) {
		struct plan_product *v = &p->products[i];
		uint32_t node = i, first = i;
		if (v->by_name)
			v->id = id_named(r->dataset, v->name);
		f.index = i;
		if (!idmap_put(p->by_id, v->id, &node)) {
			fields_error(&f, NULL, e, "Duplicate data-product id in parameter: '%s'",
				     v->by_name ? safe_show(v->name, SHOWN) : id_uuid(v->id, id));
			return err_hint(e, "it is that of data_products[%u] as well", node);
		}
		if (!idmap_put(r->by_name, name_key(v->name), &first))
			idmap_put(r->twice, name_key(v->name), &first);
	}
	return 0;
}

/* An id for what has a name; one that nobody has if nobody has the name. */
static int identify(struct resolving *r, const struct fields *f, const char *member,
		    struct plan_end *end, struct err *e)
{
	uint32_t i;

	if (!end->by_name)
		return 0;
	if (idmap_get(r->twice, name_key(end->name), &i)) {
		fields_error(f, member, e, "several data products have the name '%s'",
			     safe_show(end->name, SHOWN));
		return err_hint(e, "%s_id tells them apart", member);
	}
	if (idmap_get(r->by_name, name_key(end->name), &i)) {
		end->id = r->p->products[i].id;
		return 0;
	}
	end->id = id_named(r->dataset, end->name);
	if (r->stored && r->stored(r->ctx, end->name, &end->id, e) < 0)
		return e->code == ERR_NOTFOUND ? fields_error(f, member, e, "%s", e->msg) : -1;
	return 0;
}

static int add_edges(struct resolving *r, struct err *e)
{
	struct idmap *pairs CLEANUP(idmap_cleanup) = idmap_new();
	struct fields f = { .file = r->p->file, .place = "dependencies" };
	char parent_id[ID_UUID + 1], child_id[ID_UUID + 1];
	const char *parent, *child;

	for (uint32_t i = 0; i < r->p->n_edges; i++) {
		struct plan_edge *v = &r->p->edges[i];
		struct id both[2];
		uint32_t first = i;
		f.index = i;
		if (identify(r, &f, "parent", &v->parent, e) < 0 ||
		    identify(r, &f, "child", &v->child, e) < 0)
			return -1;
		both[0] = v->parent.id;
		both[1] = v->child.id;
		if (idmap_put(pairs, hash_of(both, sizeof both), &first))
			continue;
		name_of_end(&v->parent, parent_id, &parent);
		name_of_end(&v->child, child_id, &child);
		fields_error(&f, NULL, e, "Duplicate dependency in parameter: '%s' -> '%s'", parent, child);
		return err_hint(e, "it is that of dependencies[%u] as well", first);
	}
	return 0;
}

static int find_node(struct resolving *r, const struct fields *f, bool parent,
		     struct plan_end *end, struct err *e)
{
	struct plan *p = r->p;
	const char *shown;
	char id[ID_UUID + 1];

	if (idmap_get(p->by_id, end->id, &end->node))
		return 0;
	int rc = r->stored ? r->stored(r->ctx, SPAN_NONE, &end->id, e) : 0;
	if (rc < 0)
		return -1;
	if (rc == 0) {
		name_of_end(end, id, &shown);
		fields_error(f, parent ? end->by_name ? "parent" : "parent_id"
				       : end->by_name ? "child" : "child_id",
			     e, "Data product not found for: '%s'", shown);
		return r->stored ? err_hint(e, "it must be in the plan, or stored and not disabled") : -1;
	}
	end->node = p->n_products + p->n_outsiders;
	idmap_put(p->by_id, end->id, &end->node);
	p->outsiders = mem_room(p->outsiders, p->n_outsiders, sizeof *p->outsiders);
	p->outsiders[p->n_outsiders++] = end->id;
	return 0;
}

int plan_resolve(struct plan *p, struct id dataset, plan_stored_fn *stored, void *ctx,
		 struct err *e)
{
	struct resolving r CLEANUP(resolving_release) = {
		.p = p, .dataset = dataset, .stored = stored, .ctx = ctx,
		.by_name = idmap_new(), .twice = idmap_new(),
	};
	struct fields f = { .file = p->file, .place = "dependencies" };

	idmap_free(p->by_id);
	p->by_id = idmap_new();
	p->n_outsiders = 0;
	if (add_products(&r, e) < 0 || add_edges(&r, e) < 0)
		return -1;
	/* All parents before the first child: that is Fletcher's order. */
	for (f.index = 0; f.index < p->n_edges; f.index++)
		if (find_node(&r, &f, true, &p->edges[f.index].parent, e) < 0)
			return -1;
	for (f.index = 0; f.index < p->n_edges; f.index++)
		if (find_node(&r, &f, false, &p->edges[f.index].child, e) < 0)
			return -1;
	return 0;
}
