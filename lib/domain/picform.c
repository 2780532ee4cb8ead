#include "domain/picform.h"

#include <string.h>

#include "base/mem.h"
#include "domain/picdot.h"
#include "domain/picjson.h"
#include "domain/picmermaid.h"
#include "domain/pictree.h"

/* "svg" of "a.b/c.svg"; NULL: it has none, or is a hidden file. */
static const char *suffix_of(const char *file)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
	const char *dot = strrchr(name, '.');

	return dot && dot != name && dot[1] ? dot + 1 : NULL;
}

const char *picform_of(const char *type, const char *file)
{
	static const char *const same[][2] = {
		{ "gv", "dot" }, { "htm", "html" }, { "mmd", "mermaid" }, { "txt", "tree" },
	};

	if (!type && file)
		type = suffix_of(file);
	for (size_t i = 0; type && i < ARRAY_LEN(same); i++)
		if (strcmp(type, same[i][0]) == 0)
			type = same[i][1];
	return type ? type : "dot";
}

bool picform_is_drawn(const char *form)
{
	return strcmp(form, "svg") == 0 || strcmp(form, "html") == 0;
}

bool picform_write(const char *form, const struct graph *g, const struct picture *p,
		   struct str *out)
{
	if (strcmp(form, "dot") == 0)
		picdot_write(g, p, out);
	else if (strcmp(form, "mermaid") == 0)
		picmermaid_write(g, p, out);
	else if (strcmp(form, "tree") == 0)
		pictree_write(g, p, out);
	else if (strcmp(form, "json") == 0)
		picjson_write(g, out);
	else
		return false;
	return true;
}
