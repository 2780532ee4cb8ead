#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"

int record_open(struct record *c, const char *log, const char *bodies, struct err *e)
{
	*c = (struct record){ .log_fd = -1, .bodies = bodies };
	if (bodies && mkdir(bodies, 0777) < 0 && errno != EEXIST)
		return err_sys(e, ERR_CANTCREAT, "%s", bodies);
	if (!log)
		return 0;
	c->log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	return c->log_fd < 0 ? err_sys(e, ERR_CANTCREAT, "%s", log) : 0;
}

void record_close(struct record *c)
{
	if (c->log_fd >= 0)
		close(c->log_fd);
	table_release(&c->models);
	str_release(&c->line);
}

static bool same_name(struct span a, struct span b)
{
	return a.n == b.n && !strncasecmp(a.p, b.p, a.n);
}

/* Names as they came; a repeated one is joined (RFC 9110 section 5.3). */
static void log_headers(struct jsonw *w, const struct request *r)
{
	struct str all CLEANUP(str_release) = STR_INIT;
	struct str name CLEANUP(str_release) = STR_INIT;

	jsonw_key(w, "headers");
	jsonw_object(w);
	for (int i = 0; i < r->headers; i++) {
		int first = 0;
		while (!same_name(r->header[first].name, r->header[i].name))
			first++;
		if (first < i)
			continue;
		str_reset(&all);
		str_reset(&name);
		str_addspan(&all, r->header[i].value);
		for (int k = i + 1; k < r->headers; k++)
			if (same_name(r->header[k].name, r->header[i].name)) {
				str_addz(&all, ", ");
				str_addspan(&all, r->header[k].value);
			}
		str_addspan(&name, r->header[i].name);
		jsonw_kstr(w, str_z(&name), str_span(&all));
	}
	jsonw_end(w);
}

static void write_line(struct record *c)
{
	str_addc(&c->line, '\n');
	if (write(c->log_fd, c->line.p, c->line.n) != (ssize_t)c->line.n)
		log_error("the log cannot be written: %s", strerror(errno));
}

static void log_request(struct record *c, const struct request *r, const struct counter *m)
{
	char hex[ID_HEX + 1];
	struct jsonw w = jsonw_start(&c->line);

	str_reset(&c->line);
	jsonw_object(&w);
	jsonw_kint(&w, "n", r->n);
	jsonw_kint(&w, "conn", r->conn);
	jsonw_kint(&w, "on_conn", r->on_conn);
	jsonw_kint(&w, "t_us", clock_mono_us());
	jsonw_kint(&w, "in_flight", c->in_flight);
	jsonw_kstr(&w, "model", r->model);
	jsonw_kint(&w, "of_model", m ? m->in_flight : 0);
	jsonw_kstr(&w, "method", r->method);
	jsonw_kstr(&w, "path", r->target);
	jsonw_kstr(&w, "custom", r->custom);
	jsonw_kstr(&w, "key", r->key);
	jsonw_kstr(&w, "auth", r->auth);
	jsonw_kint(&w, "len", (int64_t)r->body.n);
	jsonw_kstrz(&w, "xxh", id_hex(hash_of(r->body.p, r->body.n), hex));
	if (c->log_headers)
		log_headers(&w, r);
	if (c->log_bodies)
		jsonw_kstr(&w, "body", r->body);
	jsonw_end(&w);
	write_line(c);
}

void record_message(struct record *c, struct span text)
{
	struct jsonw w = jsonw_start(&c->line);

	if (c->log_fd < 0)
		return;
	str_reset(&c->line);
	jsonw_object(&w);
	jsonw_kint(&w, "t_us", clock_mono_us());
	jsonw_kstr(&w, "message", text);
	jsonw_end(&w);
	write_line(c);
}

static void store(const struct record *c, const struct request *r)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%lld", c->bodies, (long long)r->n);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, r->body.p, r->body.n) != (ssize_t)r->body.n)
		log_error("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

struct counter *record_arrived(struct record *c, const struct request *r)
{
	struct counter *m = r->model.p ? table_get(&c->models, r->model) : NULL;

	c->requests++;
	if (++c->in_flight > c->max_in_flight)
		c->max_in_flight = c->in_flight;
	if (m) {
		m->requests++;
		if (++m->in_flight > m->max_in_flight)
			m->max_in_flight = m->in_flight;
	}
	if (c->log_fd >= 0)
		log_request(c, r, m);
	if (c->bodies)
		store(c, r);
	return m;
}

void record_done(struct record *c, struct counter *model)
{
	c->in_flight--;
	if (model)
		model->in_flight--;
}

void record_stats(const struct record *c, struct str *out)
{
	struct jsonw w = jsonw_start(out);

	jsonw_object(&w);
	jsonw_kint(&w, "begun", c->begun);
	jsonw_kint(&w, "requests", c->requests);
	jsonw_kint(&w, "answered", c->answered);
	jsonw_kint(&w, "given_up", c->given_up);
	jsonw_kint(&w, "connections", c->connections);
	jsonw_kint(&w, "in_flight", c->in_flight);
	jsonw_kint(&w, "max_in_flight", c->max_in_flight);
	jsonw_kint(&w, "dropped_before_read", c->dropped_before_read);
	jsonw_kint(&w, "bytes_in", c->bytes_in);
	jsonw_key(&w, "models");
	jsonw_object(&w);
	for (size_t i = 0; i < c->models.n; i++) {
		const struct counter *m = c->models.list[i];
		if (m->requests == 0 && m->in_flight == 0)
			continue;
		jsonw_key(&w, m->name);
		jsonw_object(&w);
		jsonw_kint(&w, "requests", m->requests);
		jsonw_kint(&w, "in_flight", m->in_flight);
		jsonw_kint(&w, "max_in_flight", m->max_in_flight);
		jsonw_end(&w);
	}
	jsonw_end(&w);
	jsonw_end(&w);
}

static void zero(struct record *c)
{
	c->begun = c->requests = c->answered = c->given_up = c->connections = 0;
	c->dropped_before_read = c->bytes_in = 0;
	c->max_in_flight = c->in_flight;
	for (size_t i = 0; i < c->models.n; i++) {
		c->models.list[i]->requests = 0;
		c->models.list[i]->max_in_flight = c->models.list[i]->in_flight;
	}
}

int record_control(struct record *c, struct span path, struct str *json)
{
	int status = 200;
	if (span_is(path, "/__stats")) {
		record_stats(c, json);
	} else if (span_is(path, "/__reset")) {
		zero(c);
		str_addz(json, "{}");
	} else if (span_is(path, "/__now")) {
		str_addf(json, "%lld", (long long)clock_mono_us());
	} else {
		status = 404;
		str_addz(json, "{\"error\":\"no such control\"}");
	}
	str_addc(json, '\n');
	return status;
}
