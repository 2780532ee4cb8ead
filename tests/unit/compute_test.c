/* compute: where remote products are handed over. */
#include "domain/compute.h"

#include <string.h>

#include "base/mem.h"
#include "unit.h"

static struct compute c = COMPUTE_INIT;
static struct err e;

static int urls(const char *one, const char *two)
{
	const char *v[] = { one, two };

	return compute_read(&c, v, two ? 2 : 1, NULL, 0, &e);
}

static int keys(const char *one, const char *two)
{
	const char *url = "cams=https://h/jobs", *v[] = { one, two };

	return compute_read(&c, &url, 1, v, two ? 2 : 1, &e);
}

static void refused(int rc, const char *why, const char *rule)
{
	CHECK_INT(rc, -1, "%s: refused", rule);
	CHECK(e.code == ERR_USAGE && strstr(e.msg, why), "%s: as '%s'", rule, e.msg);
}

int main(void)
{
	CHECK_INT(compute_read(&c, NULL, 0, NULL, 0, &e), 0, "nothing is given");
	CHECK(!compute_url(&c, "cams") && !compute_url(NULL, "cams"), "so there is no URL");
	CHECK_INT(urls("cams=https://h/jobs?a=b=c", "dbxaas=http://[::1]:8080"), 0, "two of them");
	CHECK_STR(compute_url(&c, "cams"), "https://h/jobs?a=b=c", "the first");
	CHECK_STR(compute_url(&c, "dbxaas"), "http://[::1]:8080", "the second");
	CHECK(!compute_url(&c, "batch") && !compute_url(&c, "exec"), "no others");
	CHECK_STR(compute_key(&c, "cams"), "none", "without a key");
	CHECK_INT(keys("cams=env:TOKEN", NULL), 0, "a key");
	CHECK_STR(compute_key(&c, "cams"), "env:TOKEN", "by its reference");
	CHECK_STR(compute_key(&c, "dbxaas"), "none", "of one of them");
	CHECK_INT(keys("cams=file:key", NULL), 0, "a file");
	CHECK(strncmp(compute_key(&c, "cams"), "file:/", 6) == 0, "is made absolute");
	CHECK_STR(compute_key(NULL, "cams"), "none", "nothing has none");

	refused(urls("cams", NULL), "--compute must be cams=URL or dbxaas=URL", "no URL");
	refused(urls("CAMS=http://h", NULL), "--compute must be", "another case");
	refused(urls("exec=http://h", NULL), "--compute must be", "what is no platform's");
	refused(urls("cams=", NULL), "the URL of cams must start with http", "an empty one");
	refused(urls("dbxaas=/jobs", NULL), "the URL of dbxaas must start with http", "a path");
	refused(urls("cams=file:///etc/passwd", NULL), "the URL of cams must", "another scheme");
	refused(urls("cams=http://u:p@h/", NULL), "a user or a password", "a password");
	refused(urls("cams=http://h/?access_token=x", NULL), "holds a secret", "a secret");
	refused(urls("cams=http://h/", "cams=http://h/"), "cams is given twice", "twice");
	refused(keys("dbxaas=env:T", NULL), "--compute-key dbxaas=REF goes with --compute dbxaas=URL", "a key alone");
	refused(keys("cams=env:A", "cams=env:B"), "cams is given twice", "two keys");
	refused(keys("cams=sk-canary", NULL), "must be env:NAME", "a key itself");
	CHECK(!strstr(e.msg, "canary"), "which is not shown");
	refused(keys("sk-canary", NULL), "must be cams=REF", "nothing else");
	CHECK(!strstr(e.msg, "canary"), "likewise");
	compute_release(&c);
	return unit_done();
}
