#include "engine/key.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "unit.h"

#define SECRET "sk-canary-0123456789"

/* A file in unit_dir() with this content and mode; its path. */
static const char *make_file(const char *name, struct span content, mode_t mode)
{
	static struct str path = STR_INIT;
	str_reset(&path);
	str_addf(&path, "%s/%s", unit_dir(), name);
	unlink(str_z(&path));
	int fd = open(str_z(&path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, content.p, content.n) != (ssize_t)content.n ||
	    fchmod(fd, mode) < 0)
		abort();
	close(fd);
	return str_z(&path);
}

static const char *ref_to(const char *scheme, const char *what)
{
	static struct str ref = STR_INIT;
	str_reset(&ref);
	str_addf(&ref, "%s:%s", scheme, what);
	return str_z(&ref);
}

static void good(const char *ref, const char *want, const char *rule)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;
	str_addz(&out, "<");
	CHECK_INT(key_resolve(ref, &out, &e), 1, "%s: it resolves %s", rule, e.msg);
	CHECK(span_starts(str_span(&out), "<") && strcmp(str_z(&out) + 1, want) == 0,
	      "%s: the key is appended", rule);
}

static void bad(const char *ref, const char *reason, const char *rule)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;
	CHECK_INT(key_resolve(ref, &out, &e), -1, "%s: refused", rule);
	CHECK_INT(e.code, ERR_NOPERM, "%s: as a missing permission", rule);
	CHECK(strstr(e.msg, reason) != NULL, "%s: the message says '%s': %s", rule, reason, e.msg);
	CHECK_INT(out.n, 0, "%s: nothing is appended", rule);
	CHECK(!strstr(e.msg, "canary") && !strstr(e.hint, "canary"), "%s: no secret is shown", rule);
}

static char *repeated(size_t n)
{
	char *z = mem_alloc(n + 1);
	memset(z, 'k', n);
	return z;
}

static void variables(void)
{
	char *most CLEANUP(mem_cleanup) = repeated(8192), *more CLEANUP(mem_cleanup) = repeated(8193);
	setenv("FSL_UNIT_KEY", SECRET, 1);
	good("env:FSL_UNIT_KEY", SECRET, "env");
	unsetenv("FSL_UNIT_KEY");
	bad("env:FSL_UNIT_KEY", "key env:FSL_UNIT_KEY: the variable is not set", "env, not set");
	bad("env:", "the variable is not set", "env, no name");
	setenv("FSL_UNIT_KEY", "", 1);
	bad("env:FSL_UNIT_KEY", "is empty", "env, empty");
	setenv("FSL_UNIT_KEY", "  ", 1);
	bad("env:FSL_UNIT_KEY", "is empty", "env, spaces");
	setenv("FSL_UNIT_KEY", " " SECRET " x  ", 1);
	good("env:FSL_UNIT_KEY", SECRET " x", "env, with spaces at its ends");
	setenv("FSL_UNIT_KEY", SECRET "\n", 1);
	bad("env:FSL_UNIT_KEY", "has a control character", "env, with LF");
	setenv("FSL_UNIT_KEY", "canary\tx", 1);
	bad("env:FSL_UNIT_KEY", "has a control character", "env, with tab");
	setenv("FSL_UNIT_KEY", "canary\x7f", 1);
	bad("env:FSL_UNIT_KEY", "has a control character", "env, with DEL");
	setenv("FSL_UNIT_KEY", most, 1);
	good("env:FSL_UNIT_KEY", most, "env, 8,192 bytes");
	setenv("FSL_UNIT_KEY", more, 1);
	bad("env:FSL_UNIT_KEY", "is longer than 8192 bytes", "env, 8,193 bytes");
	unsetenv("FSL_UNIT_KEY");
}

static void files(void)
{
	char *most CLEANUP(mem_cleanup) = repeated(8192), *more CLEANUP(mem_cleanup) = repeated(9000);
	good(ref_to("file", make_file("k", SPAN_LIT(SECRET "\nsecond line\n"), 0600)), SECRET,
	     "file, its first line");
	good(ref_to("file", make_file("k", SPAN_LIT(SECRET "\r\n"), 0600)), SECRET,
	     "file, CR LF");
	good(ref_to("file", make_file("k", SPAN_LIT(SECRET), 0400)), SECRET,
	     "file, mode 0400, no LF at its end");
	static const mode_t open_modes[] = { 0640, 0604, 0660, 0666, 0644, 0610, 0601 };
	for (size_t i = 0; i < ARRAY_LEN(open_modes); i++) {
		char rule[40];
		snprintf(rule, sizeof(rule), "file, mode %04o", (unsigned)open_modes[i]);
		bad(ref_to("file", make_file("k", SPAN_LIT(SECRET "\n"), open_modes[i])),
		    "others can read or own the file", rule);
	}
	const char *foreign = ref_to("file", make_file("k", SPAN_LIT(SECRET "\n"), 0600));
	if (chown(foreign + 5, 12345, (gid_t)-1) == 0) /* only root can */
		bad(foreign, "others can read or own the file", "file, of somebody else");
	bad(ref_to("file", make_file("k", SPAN_LIT(""), 0600)), "is empty", "file, empty");
	bad(ref_to("file", make_file("k", SPAN_LIT("\n" SECRET "\n"), 0600)), "is empty",
	    "file, empty first line");
	bad(ref_to("file", make_file("k", SPAN_LIT("canary\0x\n"), 0600)),
	    "has a control character", "file, with NUL");
	bad(ref_to("file", make_file("k", SPAN_LIT("canary\033[2J\n"), 0600)),
	    "has a control character", "file, with ESC");
	good(ref_to("file", make_file("k", span_of(most), 0600)), most, "file, 8,192 bytes");
	bad(ref_to("file", make_file("k", span_of(more), 0600)), "is longer than 8192 bytes",
	    "file, 9,000 bytes");
	bad(ref_to("file", unit_dir()), "is no regular file", "file, a directory");
	bad("file:/dev/null", "is no regular file", "file, a device");
	bad("file:/nowhere/at/all", "No such file", "file, missing");
	bad("file:", "cannot open", "file, no path");
	const char *fifo = ref_to("file", make_file("k", SPAN_LIT(""), 0600));
	unlink(fifo + 5);
	if (mkfifo(fifo + 5, 0600) < 0)
		abort();
	bad(fifo, "is no regular file", "file, a FIFO does not block");
	unlink(fifo + 5);
}

static void credentials(void)
{
	unsetenv("CREDENTIALS_DIRECTORY");
	bad("cred:k", "CREDENTIALS_DIRECTORY is not set", "cred, no directory");
	setenv("CREDENTIALS_DIRECTORY", unit_dir(), 1);
	make_file("k", SPAN_LIT(SECRET "\n"), 0440);
	good("cred:k", SECRET, "cred, whatever mode systemd gave it");
	bad("cred:nothing", "No such file", "cred, missing");
	bad("cred:", "is no name", "cred, no name");
	bad("cred:../k", "is no name", "cred, a path");
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void others(void)
{
	struct str out CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;
	CHECK_INT(key_resolve("none", &out, &e), 0, "none is no key");
	CHECK_INT(out.n, 0, "none: nothing is appended");
	bad(SECRET, "is no env:NAME, file:PATH, cred:NAME or none",
	    "a key itself, given for a reference");
	bad("", "is no env:NAME, file:PATH, cred:NAME or none", "an empty reference");
	bad("NONE", "is no env:NAME, file:PATH, cred:NAME or none", "another case");
}

static void header(const char *text, const char *name, const char *value)
{
	struct str n CLEANUP(str_release) = STR_INIT, v CLEANUP(str_release) = STR_INIT;
	struct err e = ERR_INIT;
	int rc = key_header(text, SPAN_LIT(SECRET), &n, &v, &e);
	if (!name) {
		CHECK(rc < 0 && e.code == ERR_USAGE, "'%s' is no template: %s", text, e.msg);
		CHECK(!strstr(e.msg, "canary"), "'%s': no secret is shown", text);
		return;
	}
	CHECK(rc == 0 && strcmp(str_z(&n), name) == 0 && strcmp(str_z(&v), value) == 0,
	      "%s: the key goes where {} stands", text ? text : "no template");
}

static void templates(void)
{
	header(NULL, "Authorization", "Bearer " SECRET);
	header("api-key: {}", "api-key", SECRET);
	header("api-key:{}", "api-key", SECRET);
	header("X-Auth:   a{}b ", "X-Auth", "a" SECRET "b ");
	header("X-Auth: {a} {}", "X-Auth", "{a} " SECRET);
	header("no colon {}", NULL, NULL);
	header("X: nothing", NULL, NULL);
	header("X: {}{}", NULL, NULL);
	header("X: {} and {}", NULL, NULL);
	header("{}: x", NULL, NULL);
	header("{}: {}", NULL, NULL);
	header("", NULL, NULL);
}

int main(void)
{
	variables();
	files();
	credentials();
	others();
	templates();
	return unit_done();
}
