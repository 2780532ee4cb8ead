#include "domain/planjson.h"

#include <string.h>

#include "base/clock.h"
#include "base/jsonsort.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "domain/dataset.h"
#include "store/tx.h"

enum { Q_PRODUCTS, Q_EDGES };
static const char *const texts[] = {
	[Q_PRODUCTS] = "SELECT p.uuid, p.compute, p.name, p.version, p.eager, p.state, p.run_id,"
		       " p.modified_by, p.modified_us, t.passthrough, t.extra, t.link, t.passback"
		       " FROM data_products p LEFT JOIN product_texts t ON t.id = p.id"
		       " WHERE p.id > ?1 << 32 AND p.id < (?1 + 1) << 32"
		       " AND (?2 OR p.state <> 5) ORDER BY p.id",
	[Q_EDGES] = "SELECT p.uuid, c.uuid, d.extra, d.modified_by, d.modified_us"
		    " FROM dependencies d JOIN data_products p ON p.id = d.parent"
		    " JOIN data_products c ON c.id = d.child"
		    " WHERE d.parent > ?1 << 32 AND d.parent < (?1 + 1) << 32"
		    " AND (?2 OR (p.state <> 5 AND c.state <> 5)) ORDER BY d.parent, d.child",
};
const struct stmt_set planjson_sql = { "planjson", texts, ARRAY_LEN(texts) };

struct print {
	struct db *db;
	const struct dataset *d;
	bool file;          /* for publish */
	struct str *out;
	struct str scratch;
};

static void print_release(struct print *p)
{
	str_release(&p->scratch);
}

static void put_uuid(struct jsonw *w, const char *key, struct span bytes)
{
	char text[ID_UUID + 1];
	struct id id;

	if (bytes.n != ID_BYTES) {
		jsonw_knull(w, key);
		return;
	}
	memcpy(id.b, bytes.p, ID_BYTES);
	jsonw_kstrz(w, key, id_uuid(id, text));
}

static void put_time(struct jsonw *w, const char *key, int64_t us)
{
	char text[CLOCK_BUF];

	jsonw_kstrz(w, key, clock_text_us(us, text));
}

/* JSON of others: its members in order for the response, as it came for a file. */
static void put_json(struct print *p, struct jsonw *w, const char *key, struct span json)
{
	if (!json.p) {
		jsonw_knull(w, key);
		return;
	}
	str_reset(&p->scratch);
	if (!p->file)
		jsonsort(json, &p->scratch);
	jsonw_kraw(w, key, p->file ? json : str_span(&p->scratch));
}

static void put_product(struct print *p, struct stmt *q)
{
	struct jsonw w = jsonw_start(p->out);

	jsonw_object(&w);
	if (p->file) {
		put_uuid(&w, "id", stmt_col(q, 0));
		jsonw_kstr(&w, "compute", stmt_col(q, 1));
		jsonw_kstr(&w, "name", stmt_col(q, 2));
		jsonw_kstr(&w, "version", stmt_col(q, 3));
		jsonw_kbool(&w, "eager", stmt_col_int(q, 4) != 0);
		put_json(p, &w, "passthrough", stmt_col(q, 9));
		put_json(p, &w, "extra", stmt_col(q, 10));
	} else {
		jsonw_kstr(&w, "compute", stmt_col(q, 1));
		jsonw_kbool(&w, "eager", stmt_col_int(q, 4) != 0);
		put_json(p, &w, "extra", stmt_col(q, 10));
		put_uuid(&w, "id", stmt_col(q, 0));
		jsonw_kstr(&w, "link", stmt_col(q, 11));
		jsonw_kstr(&w, "modified_by", stmt_col(q, 7));
		put_time(&w, "modified_date", stmt_col_int(q, 8));
		jsonw_kstr(&w, "name", stmt_col(q, 2));
		put_json(p, &w, "passback", stmt_col(q, 12));
		put_json(p, &w, "passthrough", stmt_col(q, 9));
		put_uuid(&w, "run_id", stmt_col(q, 6));
		jsonw_kstrz(&w, "state", state_text((enum state)stmt_col_int(q, 5)));
		jsonw_kstr(&w, "version", stmt_col(q, 3));
	}
	jsonw_end(&w);
}

static void put_edge(struct print *p, struct stmt *q)
{
	struct jsonw w = jsonw_start(p->out);

	jsonw_object(&w);
	if (p->file) {
		put_uuid(&w, "parent_id", stmt_col(q, 0));
		put_uuid(&w, "child_id", stmt_col(q, 1));
		put_json(p, &w, "extra", stmt_col(q, 2));
	} else {
		put_uuid(&w, "child_id", stmt_col(q, 1));
		put_json(p, &w, "extra", stmt_col(q, 2));
		jsonw_kstr(&w, "modified_by", stmt_col(q, 3));
		put_time(&w, "modified_date", stmt_col_int(q, 4));
		put_uuid(&w, "parent_id", stmt_col(q, 0));
	}
	jsonw_end(&w);
}

static int put_rows(struct print *p, int query, void (*put)(struct print *, struct stmt *),
		    struct err *e)
{
	int rc;

	STMT(q, p->db, &planjson_sql, query);
	stmt_int(&q, 1, p->d->id);
	stmt_int(&q, 2, !p->file);
	for (bool more = false; (rc = stmt_step(&q, e)) > 0; more = true) {
		str_addz(p->out, p->file ? more ? ",\n  " : "\n  " : more ? "," : "");
		put(p, &q);
	}
	return rc;
}

static void put_dataset(struct print *p, const struct dataset_texts *t)
{
	struct jsonw w = jsonw_start(p->out);
	char id[ID_UUID + 1];

	jsonw_object(&w);
	if (p->file) {
		jsonw_kstrz(&w, "id", id_uuid(p->d->uuid, id));
		if (p->d->name)
			jsonw_kstrz(&w, "name", p->d->name);
		put_json(p, &w, "extra", span_of(t->extra));
	} else {
		put_json(p, &w, "extra", span_of(t->extra));
		jsonw_kstrz(&w, "id", id_uuid(p->d->uuid, id));
		jsonw_kstrz(&w, "modified_by", p->d->modified_by);
		put_time(&w, "modified_date", p->d->modified_us);
		jsonw_kbool(&w, "paused", p->d->paused);
	}
	jsonw_end(&w);
}

int planjson_read(struct db *db, const char *dataset, enum planjson_form form, struct str *out,
		  struct err *e)
{
	static const char *const between[][3] = {
		[PLANJSON_RESPONSE] = { "{\"data_products\":[", "],\"dataset\":", ",\"dependencies\":[" },
		[PLANJSON_FILE] = { "{\"dataset\":", ",\n \"data_products\":[",
				    "],\n \"dependencies\":[" },
	};
	struct dataset d CLEANUP(dataset_release) = DATASET_INIT;
	struct dataset_texts t CLEANUP(dataset_texts_release) = { 0 };
	struct print p CLEANUP(print_release) = { .db = db, .d = &d, .out = out,
						  .file = form == PLANJSON_FILE };

	TX(tx);
	if (tx_begin_read(&tx, db, e) < 0 || dataset_find(db, dataset, &d, e) < 0 ||
	    dataset_texts(db, d.id, &t, e) < 0)
		return -1;
	str_addz(out, between[form][0]);
	if (p.file)
		put_dataset(&p, &t);
	else if (put_rows(&p, Q_PRODUCTS, put_product, e) < 0)
		return -1;
	str_addz(out, between[form][1]);
	if (!p.file)
		put_dataset(&p, &t);
	else if (put_rows(&p, Q_PRODUCTS, put_product, e) < 0)
		return -1;
	str_addz(out, between[form][2]);
	if (put_rows(&p, Q_EDGES, put_edge, e) < 0)
		return -1;
	str_addz(out, "]}\n");
	return tx_commit(&tx, e);
}
