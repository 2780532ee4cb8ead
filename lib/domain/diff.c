#include "domain/diff.h"

#include "base/mem.h"
#include "base/safe.h"
#include "domain/publishrows.h"

static void put(struct str *out, char mark, struct span name, unsigned differs)
{
	static const struct { unsigned bit; const char *word; } words[] = {
		{ PUBLISHROWS_COMPUTE, "compute" }, { PUBLISHROWS_NAME, "name" },
		{ PUBLISHROWS_VERSION, "version" }, { PUBLISHROWS_EAGER, "eager" },
		{ PUBLISHROWS_PASSTHROUGH, "passthrough" }, { PUBLISHROWS_EXTRA, "extra" },
	};
	const char *comma = ": ";

	str_addf(out, "%c ", mark);
	safe_text(out, name);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (differs & words[i].bit) {
			str_addf(out, "%s%s", comma, words[i].word);
			comma = ", ";
		}
	if (differs)
		str_addz(out, " changed");
}

void diff_product(struct str *out, char mark, struct span name, unsigned differs)
{
	put(out, mark, name, differs);
	str_addc(out, '\n');
}

void diff_edge(struct str *out, char mark, struct span parent, struct span child)
{
	str_addf(out, "%c ", mark);
	safe_text(out, parent);
	str_addz(out, " -> ");
	safe_text(out, child);
	str_addz(out, mark == '~' ? ": extra changed\n" : "\n");
}

void diff_stale(struct str *out, struct span name, unsigned differs, enum state state)
{
	put(out, '~', name, differs);
	str_addf(out, ", still %s (--clear-changed runs it again)\n", state_text(state));
}
