#include "domain/picture.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"

enum { LINK_MAX = 2000 };

/* The first is Fletcher's: coloured frames, disabled products filled.  The second
 * is of the colours of Okabe and Ito, which differ for every kind of eye, and in
 * lightness too. */
static const struct picture_color colors[][STATES + 1] = {
	[PICTURE_FLETCHER] = {
		[STATE_WAITING] = { "#d3d3d3", "#8b949e", "#ffffff", "#000000", "#1b1f24", "#f0f0f0", false },
		[STATE_QUEUED] = { "#808080", NULL, "#ffffff", "#000000", "#1b1f24", "#f0f0f0", false },
		[STATE_RUNNING] = { "#90ee90", "#2da44e", "#ffffff", "#000000", "#1b1f24", "#f0f0f0", false },
		[STATE_SUCCESS] = { "#008000", NULL, "#ffffff", "#000000", "#1b1f24", "#f0f0f0", false },
		[STATE_FAILED] = { "#ff0000", NULL, "#ffffff", "#000000", "#1b1f24", "#f0f0f0", false },
		[STATE_DISABLED] = { "#808080", NULL, "#c0c0c0", "#000000", "#4a4f55", "#f0f0f0", false },
		[STATES] = { "#6e7781", NULL, "#ffffff", "#000000", "#1b1f24", "#f0f0f0", false },
	},
	[PICTURE_COLORBLIND] = {
		[STATE_WAITING] = { "#767676", NULL, "#ffffff", "#000000", "#1b1f24", "#f0f0f0", false },
		[STATE_QUEUED] = { "#0072b2", NULL, "#d6ecfa", "#000000", "#0d3a55", "#f0f0f0", false },
		[STATE_RUNNING] = { "#8a7d00", NULL, "#f0e442", "#000000", "#f0e442", "#000000", false },
		[STATE_SUCCESS] = { "#00513a", NULL, "#009e73", "#000000", "#009e73", "#000000", false },
		[STATE_FAILED] = { "#7a2e00", NULL, "#d55e00", "#000000", "#d55e00", "#000000", false },
		[STATE_DISABLED] = { "#767676", NULL, "#d9d9d9", "#000000", "#4a4f55", "#f0f0f0", true },
		[STATES] = { "#6e7781", NULL, "#ffffff", "#000000", "#1b1f24", "#f0f0f0", false },
	},
};

const struct picture_color *picture_color(const struct picture *p, enum state s)
{
	return &colors[p->theme == PICTURE_COLORBLIND][s == STATE_NONE ? STATES : s];
}

const char *picture_solid(const struct picture_color *c, bool dark)
{
	if (strcmp(c->fill, "#ffffff") == 0)
		return c->line;
	return dark ? c->dark_fill : c->fill;
}

const char *picture_sign(enum state s)
{
	static const char *const signs[] = {
		[STATE_WAITING] = "·", [STATE_QUEUED] = "…", [STATE_RUNNING] = "▶",
		[STATE_SUCCESS] = "✓", [STATE_FAILED] = "✗", [STATE_DISABLED] = "–",
	};
	return s == STATE_NONE ? "" : signs[s];
}

/* As safe_text(), and without the two codes that are no characters of XML. */
static void add_safe(struct str *out, struct span v)
{
	size_t from = 0, at = 0;

	for (; at + 3 <= v.n; at++) {
		if (memcmp(v.p + at, "\xef\xbf\xbe", 3) != 0 && memcmp(v.p + at, "\xef\xbf\xbf", 3) != 0)
			continue;
		safe_text(out, (struct span){ v.p + from, at - from });
		str_addf(out, "\\xef\\xbf\\x%x", (unsigned char)v.p[at + 2]);
		at += 2;
		from = at + 1;
	}
	if (from < v.n)
		safe_text(out, (struct span){ v.p + from, v.n - from });
}

void picture_cut(struct str *out, struct span v, size_t max)
{
	size_t at = 0, n = 0;

	while (at < v.n && n < max) {
		size_t len = safe_utf8(v.p + at, v.n - at);
		at += len > 0 ? len : 1;
		n++;
	}
	add_safe(out, (struct span){ v.p, at });
	if (at < v.n)
		str_addz(out, "…");
}

void picture_name(struct str *out, const struct graph_node *v, size_t max)
{
	picture_cut(out, v->name, max);
	if (v->version.n == 0)
		return;
	str_addc(out, ':');
	picture_cut(out, v->version, max / 3);
}

/* " 3 of 10 done (30 %), 1 failed"; whole percents, 100 only when all are. */
static void add_counts(struct str *out, const struct graph_node *v)
{
	char done[NUM_BUF], total[NUM_BUF];

	str_addf(out, "%s of %s done", num_count(v->done, done), num_count(v->total, total));
	if (v->total > 0)
		str_addf(out, " (%d %%)", (int)((double)v->done / (double)v->total * 100));
	if (v->failed > 0)
		str_addf(out, ", %s failed", num_count(v->failed, done));
}

static void add_left(struct str *out, const struct graph_node *v)
{
	char text[NUM_BUF];

	if (v->left_ms >= 0)
		str_addf(out, "about %s left", num_duration_text(v->left_ms, text));
}

void picture_words(struct str *out, const struct graph_node *v)
{
	if (v->state == STATE_NONE)
		return;
	str_addz(out, state_text(v->state));
	if (v->has_batch) {
		str_addz(out, ", ");
		add_counts(out, v);
	}
	if (v->left_ms >= 0)
		str_addz(out, ", ");
	add_left(out, v);
}

void picture_label(struct str *out, const struct picture *p, const struct graph_node *v)
{
	picture_name(out, v, PICTURE_LABEL);
	if ((!p->progress && !p->states) || v->state == STATE_NONE)
		return;
	str_addf(out, "\n%s %s", picture_sign(v->state), state_text(v->state));
	if (!p->progress)
		return;
	if (v->has_batch) {
		str_addc(out, '\n');
		add_counts(out, v);
	}
	if (v->left_ms >= 0)
		str_addc(out, '\n');
	add_left(out, v);
}

bool picture_has_bar(const struct picture *p, const struct graph_node *v)
{
	return p->progress && v->has_batch && v->total > 0;
}

void picture_tip(struct str *out, const struct graph_node *v)
{
	char id[ID_UUID + 1];

	picture_name(out, v, PICTURE_TIP);
	if (v->state != STATE_NONE)
		str_addc(out, '\n');
	picture_words(out, v);
	str_addf(out, "\ncompute %s%s", v->compute, v->eager ? "" : ", started by a person");
	str_addf(out, "\n%s", id_uuid(v->id, id));
}

void picture_xml(struct str *out, struct span v)
{
	static const char special[] = "&<>\"'";
	static const char *const names[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };
	size_t len;

	for (size_t at = 0; at < v.n; at += len) {
		uint32_t code = 0;
		len = safe_decode(v.p + at, v.n - at, &code);
		const char *found = len == 1 && code ? strchr(special, (int)code) : NULL;
		if (found)
			str_addz(out, names[found - special]);
		else if (len == 1 && code == '\n')
			str_addc(out, '\n');
		else
			add_safe(out, (struct span){ v.p + at, len > 0 ? len : 1 });
		len += len == 0;
	}
}

bool picture_is_link(struct span v)
{
	char scheme[9] = "";

	if (!v.p || v.n > LINK_MAX || v.n < 8)
		return false;
	memcpy(scheme, v.p, 8);
	if (strncasecmp(scheme, "http://", 7) != 0 && strcasecmp(scheme, "https://") != 0)
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] > '~' || strchr("\"'<>\\`{}|^", v.p[i]))
			return false;
	return true;
}
