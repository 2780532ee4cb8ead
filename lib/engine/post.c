#include "engine/post.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/jsonw.h"
#include "base/mem.h"
#include "base/safe.h"
#include "domain/batch.h"
#include "domain/produce.h"
#include "engine/child.h"
#include "engine/passback.h"

enum { CUSTOM_ID = 512 };

/* As an input line wants it: domain/line.h. */
static bool may_be_id(const char *name)
{
	struct str safe CLEANUP(str_release) = STR_INIT;

	safe_text(&safe, span_of(name));
	return *name && safe.n <= CUSTOM_ID && strcmp(str_z(&safe), name) == 0;
}

void post_line(const char *url, struct id dataset, const struct product *p, struct id run_id,
	       struct span passthrough, struct str *out)
{
	struct jsonw w = jsonw_start(out);
	char id[ID_UUID + 1], text[ID_UUID + 1];

	id_uuid(p->uuid, id);
	jsonw_object(&w);
	jsonw_kstrz(&w, "custom_id", may_be_id(p->name) ? p->name : id);
	jsonw_kstrz(&w, "method", "POST");
	jsonw_kstrz(&w, "url", url);
	jsonw_key(&w, "body");
	jsonw_object(&w);
	jsonw_kstrz(&w, "dataset", id_uuid(dataset, text));
	jsonw_kstrz(&w, "product", id);
	jsonw_kstrz(&w, "run_id", id_uuid(run_id, text));
	jsonw_kstrz(&w, "name", p->name);
	jsonw_kstrz(&w, "version", p->version);
	jsonw_kraw(&w, "passthrough", passthrough.p ? passthrough : SPAN_LIT("null"));
	jsonw_end(&w);
	jsonw_end(&w);
}

int post_spool(struct db *db, struct span line, struct err *e)
{
	int fd = child_spool(db_path(db), e);

	while (fd >= 0 && line.n > 0) {
		ssize_t n = write(fd, line.p, line.n);
		if (n < 0 && errno != EINTR) {
			err_sys(e, ERR_IO, "cannot write the request of a data product");
			close(fd);
			return -1;
		}
		line.p += n > 0 ? n : 0;
		line.n -= n > 0 ? (size_t)n : 0;
	}
	return fd;
}

/* Nobody runs it any more: why? */
static int look_after(struct db *db, int64_t product, struct id run_id, int64_t batch,
		      enum post_how *how, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	int rc = produce_reported(db, product, run_id, e);

	*how = POST_OVER;
	if (rc <= 0)
		return rc;
	if (batch_get(db, batch, &b, e) < 0)
		return e->code == ERR_NOTFOUND ? 0 : -1;
	/* What is in flight may still be answered. */
	*how = batch_terminal(b.status) ? POST_REPORTED : POST_WAITS;
	return 0;
}

int post_look(struct db *db, const char *label, int64_t product, struct id run_id, int64_t batch,
	      enum post_how *how, struct str *link, struct str *passback, struct err *e)
{
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct produce_answer a CLEANUP(produce_answer_release) = { 0 };
	struct produce_look look;
	int rc = produce_look(db, product, run_id, &look, e);

	if (rc <= 0)
		return rc < 0 ? -1 : look_after(db, product, run_id, batch, how, e);
	if (look.batch == 0) {
		passback_error(label, "its batch was deleted", passback);
		*how = POST_FAILED;
		return 0;
	}
	*how = POST_WAITS;
	if (!batch_terminal(look.status))
		return 0;
	if (batch_get(db, look.batch, &b, e) < 0 || produce_answer(db, look.batch, &a, e) < 0)
		return -1;
	passback_handover(label, &b, &a, link, passback);
	*how = b.completed == b.total ? POST_HANDED : POST_FAILED;
	return 0;
}
