#include "engine/needs.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/safe.h"
#include "domain/file.h"
#include "engine/child.h"

enum { SHOWN = 60 };

/* The path of its file, if it is one. */
const char *needs_path(const struct needs *n, struct str *path)
{
	if (n->pass->file[0] != '/')
		str_addf(path, "%s/", n->dir);
	str_addz(path, n->pass->file);
	return str_z(path);
}

static int check_file(const struct needs *n, struct str *why, struct err *e)
{
	struct str path CLEANUP(str_release) = STR_INIT;
	struct file f CLEANUP(file_release) = FILE_INIT;

	if (!passthrough_is_id(n->pass->file)) {
		if (access(needs_path(n, &path), R_OK) == 0)
			return 1;
		str_addf(why, "cannot read %s: %s", safe_show(str_span(&path), SHOWN * 3),
			 strerror(errno));
		return 0;
	}
	if (file_find(n->db, n->pass->file, &f, e) == 0)
		return 1;
	if (e->code != ERR_NOTFOUND)
		return -1;
	str_addz(why, e->msg);
	return 0;
}

/* Is all there that it needs to begin? */
int needs_met(const struct needs *n, struct str *why, struct err *e)
{
	if (n->pass->file)
		return check_file(n, why, e);
	if (!n->allow_exec) {
		str_addz(why, "runs a command, which needs fsl-run --allow-exec");
		return 0;
	}
	if (child_check(n->pass->argv[0], n->dir, e) < 0) {
		str_addz(why, e->msg);
		return 0;
	}
	return n->may_command;
}
