#include "engine/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/safe.h"

enum { KEY_MAX = 8192 };

static const char *shown(const char *text)
{
	return safe_show(span_of(text), 120);
}

static int check(struct span key, const char *ref, struct str *out, struct err *e)
{
	/* HTTP knows no spaces at the ends of a value: what a server repeats, and what is
	 * then to be hidden, has none. */
	while (key.n > 0 && key.p[0] == ' ')
		key.p++, key.n--;
	while (key.n > 0 && key.p[key.n - 1] == ' ')
		key.n--;
	if (key.n == 0)
		return err_set(e, ERR_NOPERM, "key %s: is empty", shown(ref));
	if (key.n > KEY_MAX)
		return err_set(e, ERR_NOPERM, "key %s: is longer than %d bytes", shown(ref), KEY_MAX);
	for (size_t i = 0; i < key.n; i++)
		if ((unsigned char)key.p[i] < ' ' || key.p[i] == 0x7f)
			return err_set(e, ERR_NOPERM, "key %s: has a control character", shown(ref));
	str_addspan(out, key);
	return 1;
}

static int from_file(const char *path, const char *ref, bool must_be_private,
		     struct str *out, struct err *e)
{
	char buf[KEY_MAX + 2];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_sys(e, ERR_NOPERM, "key %s: cannot open", shown(ref));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, ERR_NOPERM, "key %s: is no regular file", shown(ref));
	}
	if (must_be_private && ((st.st_mode & 077) || (st.st_uid != geteuid() && st.st_uid != 0))) {
		close(fd);
		err_set(e, ERR_NOPERM, "key %s: others can read or own the file", shown(ref));
		return err_hint(e, "chmod 600 the file");
	}
	ssize_t n;
	do
		n = read(fd, buf, sizeof buf);
	while (n < 0 && errno == EINTR);
	close(fd);
	if (n < 0)
		return err_sys(e, ERR_NOPERM, "key %s: cannot read", shown(ref));
	size_t len = 0;
	while (len < (size_t)n && buf[len] != '\n' && buf[len] != '\r')
		len++;
	int rc = check((struct span){ buf, len }, ref, out, e);
	explicit_bzero(buf, sizeof buf);
	return rc;
}

int key_resolve(const char *ref, struct str *out, struct err *e)
{
	if (strcmp(ref, "none") == 0)
		return 0;
	if (strncmp(ref, "env:", 4) == 0) {
		const char *v = getenv(ref + 4);
		if (!v) {
			err_set(e, ERR_NOPERM, "key %s: the variable is not set", shown(ref));
			return err_hint(e, "export it, or name another key with --key");
		}
		return check(span_of(v), ref, out, e);
	}
	if (strncmp(ref, "file:", 5) == 0)
		return from_file(ref + 5, ref, true, out, e);
	if (strncmp(ref, "cred:", 5) == 0) {
		const char *dir = getenv("CREDENTIALS_DIRECTORY");
		struct str path CLEANUP(str_release) = STR_INIT;
		if (!dir)
			return err_set(e, ERR_NOPERM, "key %s: CREDENTIALS_DIRECTORY is not set", shown(ref));
		if (!ref[5] || strchr(ref + 5, '/'))
			return err_set(e, ERR_NOPERM, "key %s: is no name of a credential", shown(ref));
		str_addf(&path, "%s/%s", dir, ref + 5);
		return from_file(str_z(&path), ref, false, out, e);
	}
	/* Not shown: it might be the key itself. */
	return err_set(e, ERR_NOPERM, "the key is no env:NAME, file:PATH, cred:NAME or none");
}

int key_header(const char *template_text, struct span key, struct str *name,
	       struct str *value, struct err *e)
{
	const char *t = template_text ? template_text : "Authorization: Bearer {}";
	const char *colon = strchr(t, ':'), *hole = strstr(t, "{}");

	if (!colon || !hole || hole < colon || strstr(hole + 2, "{}"))
		return err_set(e, ERR_USAGE, "'%s' is no header with one {} for the key", shown(t));
	/* In one piece: growing would leave copies of the key behind. */
	str_reserve(value, strlen(t) + key.n);
	str_add(name, t, (size_t)(colon - t));
	for (colon++; *colon == ' '; colon++)
		;
	str_add(value, colon, (size_t)(hole - colon));
	str_addspan(value, key);
	str_addz(value, hole + 2);
	return 0;
}
