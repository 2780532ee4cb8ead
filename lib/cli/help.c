#include "cli/help.h"

#include <ctype.h>
#include <string.h>
#include "base/mem.h"

enum { INDENT = 26, WIDTH = 80 };

static size_t text_width(const char *p, size_t n)
{
	size_t w = 0;
	for (size_t i = 0; i < n; i++)
		w += ((unsigned char)p[i] & 0xc0) != 0x80;
	return w;
}

/* Appends `text` word by word from column `indent` on; `at` is the column we
 * are in.  A word that is too wide for a line gets one of its own. */
static void wrap(struct str *out, size_t at, int indent, const char *text)
{
	const size_t left = (size_t)indent;
	if (at > 0 && at + 2 > left) {
		str_addc(out, '\n');
		at = 0;
	}
	str_addf(out, "%*s", (int)(left - at), "");
	at = left;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, " "), w = text_width(p, n);
		if (at > left && at + 1 + w > WIDTH) {
			str_addf(out, "\n%*s", indent, "");
			at = left;
		} else if (at > left) {
			str_addc(out, ' ');
			at++;
		}
		str_add(out, p, n);
		at += w;
		p += n;
		p += strspn(p, " ");
	}
	str_addc(out, '\n');
}

static void note(struct str *text, bool *open, const char *name, const char *value)
{
	str_addf(text, "%s%s%s", *open ? "; " : " (", name, value);
	*open = true;
}

void help_options(const struct opt *table, struct str *out)
{
	for (const struct opt *o = table; o->kind != OPT_END; o++) {
		struct str text CLEANUP(str_release) = STR_INIT;
		size_t start = out->n;
		if (o->letter)
			str_addf(out, "  -%c, --%s", o->letter, o->name);
		else
			str_addf(out, "      --%s", o->name);
		if (o->arg)
			str_addf(out, o->optional ? "[=%s]" : " %s", o->arg);
		bool open = false;
		str_addz(&text, o->help);
		if (o->env)
			note(&text, &open, o->env, "");
		if (o->kind == OPT_LIST)
			note(&text, &open, "repeatable", "");
		if (o->dflt && *o->dflt)
			note(&text, &open, "default ", o->dflt);
		if (open)
			str_addc(&text, ')');
		wrap(out, text_width(out->p + start, out->n - start), INDENT, str_z(&text));
	}
}

void help_usage(const struct tool_program *p, const struct tool_verb *v, struct str *out)
{
	if (!v && !p->verbs[0].name)
		v = p->verbs;
	if (!v) {
		str_addf(out, "Usage: %s VERB [OPTION]... [OPERAND]...\n", p->name);
		str_addf(out, "       %s help [VERB]\n", p->name);
		return;
	}
	str_addf(out, "Usage: %s%s%s [OPTION]...%s%s\n", p->name, v->name ? " " : "",
		 v->name ? v->name : "", *v->operands ? " " : "", v->operands);
}

/* "import a file" becomes "Import a file." */
static void sentence(struct str *out, const char *summary)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	str_addf(&text, "%s.", summary);
	text.p[0] = (char)toupper((unsigned char)text.p[0]);
	str_addc(out, '\n');
	wrap(out, 0, 0, str_z(&text));
}

static void paragraphs(struct str *out, const char *text)
{
	str_addf(out, "\n%s", text);
	if (out->p[out->n - 1] != '\n')
		str_addc(out, '\n');
}

/* The lines of the examples that hold "fsl-file import", or all of them. */
static void examples(struct str *out, const struct tool_program *p,
		     const struct tool_verb *v)
{
	struct str call CLEANUP(str_release) = STR_INIT;
	bool head = false;
	if (v && v->name)
		str_addf(&call, "%s %s", p->name, v->name);
	for (const char *at = p->examples; at && *at;) {
		size_t n = strcspn(at, "\n");
		const char *hit = memmem(at, n, str_z(&call), call.n);
		bool whole = hit && !(call.n && isalnum((unsigned char)hit[call.n]));
		if (whole && n > 0) {
			str_addz(out, head ? "" : "\nExamples:\n");
			head = true;
			str_addf(out, "%s%.*s\n", *at == ' ' ? "" : "  ", (int)n, at);
		}
		at += n + (at[n] == '\n');
	}
}

void help_page(const struct tool_program *p, const struct tool_verb *v,
	       const struct opt *common, struct str *out)
{
	if (!v && !p->verbs[0].name)
		v = p->verbs;
	help_usage(p, v, out);
	sentence(out, v && v->name ? v->summary : p->summary);
	if (v && v->help)
		paragraphs(out, v->help);
	if (!v) {
		str_addz(out, "\nVerbs:\n");
		for (v = p->verbs; v->run; v++) {
			size_t start = out->n;
			str_addf(out, "  %s %s", v->name, v->operands);
			wrap(out, text_width(out->p + start, out->n - start), INDENT,
			     v->summary);
		}
		v = NULL;
	}
	if (v && v->options) {
		str_addz(out, "\nOptions:\n");
		help_options(v->options, out);
	}
	str_addz(out, "\nCommon options:\n");
	help_options(common, out);
	examples(out, p, v);
	str_addf(out, "\nManual: man %s, man 7 fsl\n", p->name);
}

static void list_table(const struct opt *table, const char *verb, struct str *out)
{
	for (const struct opt *o = table; o && o->kind != OPT_END; o++) {
		const char letter[] = { '-', o->letter, '\0' };
		str_addf(out, "%s\t--%s\t%s\t%s\n", verb ? verb : "-", o->name, letter,
			 o->arg ? o->arg : "-");
	}
}

void help_list(const struct tool_program *p, const struct opt *common, struct str *out)
{
	list_table(common, NULL, out);
	for (const struct tool_verb *v = p->verbs; v->run; v++)
		list_table(v->options, v->name, out);
}
