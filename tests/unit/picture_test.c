#include "domain/picture.h"

#include <math.h>

#include "drawn.h"

static const char *cut(struct span v, size_t max)
{
	static struct str out;

	str_reset(&out);
	picture_cut(&out, v, max);
	return str_z(&out);
}

static const char *xml(struct span v)
{
	static struct str out;

	str_reset(&out);
	picture_xml(&out, v);
	return str_z(&out);
}

static const char *words(const struct graph_node *v, bool label)
{
	static struct str out;
	const struct picture p = { .progress = true };

	str_reset(&out);
	if (label)
		picture_label(&out, &p, v);
	else
		picture_words(&out, v);
	return str_z(&out);
}

static void names(void)
{
	CHECK_STR(cut(SPAN_LIT("abc"), 3), "abc", "what fits stays");
	CHECK_STR(cut(SPAN_LIT("abcd"), 3), "abc…", "what does not is cut");
	CHECK_STR(cut(SPAN_LIT("äöüß"), 3), "äöü…", "between characters");
	CHECK_STR(cut(SPAN_LIT("a\x1b\n\xff"), 9), "a\\x1b\\x0a\\xff", "controls and bad bytes are named");
	CHECK_STR(xml(SPAN_LIT("<a href=\"x\">'&amp;")), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;",
		  "what XML takes for its own is escaped");
	CHECK_STR(xml(SPAN_LIT("a\nb\x01\xe2\x80\xae\xff\xef\xbf\xbe\xef\xbf\xbf")),
		  "a\nb\\x01\\xe2\\x80\\xae\\xff\\xef\\xbf\\xbe\\xef\\xbf\\xbf",
		  "what XML may not hold is named; newlines stay");
	static char large[10000];
	memset(large, 'x', sizeof large);
	CHECK_INT(strlen(cut((struct span){ large, sizeof large }, PICTURE_LABEL)), PICTURE_LABEL + 3,
		  "10 KB become a label");
	CHECK_STR(xml((struct span){ "a\0b", 3 }), "a\\x00b", "also NUL");
}

static void states(void)
{
	struct graph g CLEANUP(graph_release) = GRAPH_INIT;
	const struct picture fletcher = PICTURE_INIT, other = { .theme = PICTURE_COLORBLIND };

	drawn_graph(&g, "a=running b", "");
	struct graph_node *v = &g.nodes[0];
	CHECK_STR(words(v, false), "running", "a state");
	v->has_batch = true;
	v->done = 1999;
	v->total = 2000;
	v->failed = 1;
	v->left_ms = 250000;
	CHECK_STR(words(v, false), "running, 1,999 of 2,000 done (99 %), 1 failed, about 4m10s left",
		  "counts, percent and time; 100 only when all are done");
	CHECK_STR(words(v, true), "a:1\n▶ running\n1,999 of 2,000 done (99 %), 1 failed\nabout 4m10s left",
		  "the lines of a label");
	v->total = v->done = v->failed = 0;
	v->left_ms = -1;
	CHECK_STR(words(v, false), "running, 0 of 0 done", "nothing has no percent");
	CHECK_STR(words(&g.nodes[1], true), "b:1", "what is not stored has no state");
	CHECK_STR(picture_color(&fletcher, STATE_WAITING)->line, "#d3d3d3", "waiting is light grey");
	CHECK_STR(picture_color(&fletcher, STATE_QUEUED)->line, "#808080", "queued is grey");
	CHECK_STR(picture_color(&fletcher, STATE_RUNNING)->line, "#90ee90", "running is light green");
	CHECK_STR(picture_color(&fletcher, STATE_SUCCESS)->line, "#008000", "success is green");
	CHECK_STR(picture_color(&fletcher, STATE_FAILED)->line, "#ff0000", "failed is red");
	CHECK_STR(picture_color(&fletcher, STATE_DISABLED)->fill, "#c0c0c0", "disabled is filled");
	v = &g.nodes[0];
	v->has_batch = true;
	const struct picture only = { .states = true };
	struct str label CLEANUP(str_release) = STR_INIT;
	picture_label(&label, &only, v);
	CHECK_STR(str_z(&label), "a:1\n▶ running", "states without progress");
	v->total = 3;
	CHECK(picture_has_bar(&(struct picture){ .progress = true }, v) && !picture_has_bar(&only, v),
	      "a bar is progress");
	for (int a = 0; a < STATES; a++)
		for (int b = 0; b < a; b++)
			CHECK(strcmp(picture_color(&other, (enum state)a)->fill,
				     picture_color(&other, (enum state)b)->fill) != 0 &&
			      strcmp(picture_sign((enum state)a), picture_sign((enum state)b)) != 0,
			      "%s and %s differ in colour and in sign", state_text((enum state)a),
			      state_text((enum state)b));
}

/* WCAG 2.1: relative luminance, contrast ratio. */
static double luminance(const char *color)
{
	double sum = 0;
	static const double part[] = { 0.2126, 0.7152, 0.0722 };

	for (int i = 0; i < 3; i++) {
		const char hex[] = { color[1 + 2 * i], color[2 + 2 * i], 0 };
		double v = (double)strtol(hex, NULL, 16) / 255;
		sum += part[i] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
	}
	return sum;
}

static double contrast(const char *a, const char *b)
{
	double x = luminance(a), y = luminance(b);

	return x > y ? (x + 0.05) / (y + 0.05) : (y + 0.05) / (x + 0.05);
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

/* Level AA: 4.5 for text, 3 for what one must see to understand a picture. */
static void contrasts(void)
{
	static const char light[] = "#ffffff", dark[] = "#0d1117";

	CHECK(contrast("#000000", "#ffffff") > 20.99 && contrast("#777777", "#ffffff") < 4.5, "contrast is measured");
	for (int t = PICTURE_FLETCHER; t <= PICTURE_COLORBLIND; t++)
		for (int s = 0; s <= STATES; s++) {
			const struct picture p = { .theme = t };
			const struct picture_color *c = picture_color(&p, s < STATES ? (enum state)s : STATE_NONE);
			const char *name = s < STATES ? state_text((enum state)s) : "none";
			CHECK(contrast(c->text, c->fill) >= 4.5, "theme %d, %s: text", t, name);
			CHECK(contrast(c->dark_text, c->dark_fill) >= 4.5, "theme %d, %s: text, dark", t, name);
			CHECK(larger(contrast(c->edge ? c->edge : c->line, light), contrast(c->fill, light)) >= 3,
			      "theme %d, %s: the box", t, name);
			CHECK(larger(contrast(c->line, dark), contrast(c->dark_fill, dark)) >= 3,
			      "theme %d, %s: the box, dark", t, name);
		}
}

static void links(void)
{
	static const char *const good[] = { "http://h", "https://h/p?a=1&b=2#c", "HTTPS://H" };
	static const char *const bad[] = {
		"", "http://", "javascript:alert(1)", "JavaScript://h/%0aalert(1)", "data:text/html,x", "//h/p",
		" http://h", "http://h/ x", "http://h/\"", "http://h/'", "http://h/<", "http://h/\\",
		"http://h/\n", "http://h/ä", "file:///etc/passwd",
	};
	static char longer[2010];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK(picture_is_link(span_of(good[i])), "a link: %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!picture_is_link(span_of(bad[i])), "no link: %zu", i);
	CHECK(!picture_is_link(SPAN_NONE), "none is none");
	memset(longer, 'x', sizeof longer - 1);
	memcpy(longer, "http://", 7);
	CHECK(!picture_is_link(span_of(longer)), "one that is too long is none");
}

int main(void)
{
	names();
	states();
	contrasts();
	links();
	return unit_done();
}
