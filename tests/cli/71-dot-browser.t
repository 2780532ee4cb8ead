#!/bin/sh
# The page of a plan in a browser: it asks the network for nothing, complains of
# nothing, fits on the screen, can be read in light and dark, and takes names for
# names.  Without Chromium (scripts/setup browser) all of it is skipped.
. "${0%/*}/tap.sh"

browser=
for name in chromium chromium-browser google-chrome; do
	browser=$(command -v $name) && break
done

# show light|dark FILE [option...]: shows a file, which prints its document
# into dom, what the browser said into said, and what it did on the network into
# net.json.  What it wants for itself goes to a port where nobody listens.
# Without a sandbox for root only, who cannot have one; the file is ours.
show() {
	light=$([ "$1" = dark ]; echo $?) shown=$2
	shift 2
	[ "$(id -u)" != 0 ] || set -- --no-sandbox "$@"
	timeout -k 5 60 "$browser" --headless --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
		--no-first-run --disable-extensions --disable-background-networking \
		--disable-component-update --disable-sync --disable-breakpad \
		--proxy-server=http://127.0.0.1:1 '--proxy-bypass-list=<-loopback>' \
		--user-data-dir="$PWD/profile" --log-net-log="$PWD/net.json" \
		--enable-logging=stderr --v=0 --blink-settings=preferredColorScheme="$light" \
		--window-size=1600,900 --dump-dom "$@" "file://$PWD/$shown" >dom 2>said
}
console() { grep -o 'CONSOLE.*' said; }
# What the page itself asked for; the browser's own requests have no origin.
requests() {
	jq -r '.events[].params | select(.url? and (.initiator // "not an origin") != "not an origin").url' \
		net.json | sort -u
}

if [ "$browser" ]; then
	echo '<!DOCTYPE html><title>x</title><p id="probe">works' >probe.html
	show light probe.html
	grep -q 'id="probe"' dom || browser=
	why="$name shows nothing here"
else
	why="no Chromium here: scripts/setup browser"
fi
if [ -z "$browser" ]; then
	[ ! -s said ] || diag "$(tail -n 3 said)"
	skip "$why" "the page of a plan in a browser"
	done_testing
fi

# --- a plan of 200 products, with all that may be in one

cat >names.json <<'END'
["</script><script>alert(1)</script>", "</title></style></svg></pre>", "<img src=http://stranger.invalid/i onerror=alert(1)>",
 "<svg onload=alert(1)>", "' onmouseover='alert(1)", "\"><b>bold</b>", "&amp; &foo; &#0; &lt;b&gt;", "]]>", "-->", "<!--",
 "\\N \\G", "{{7*7}}", "javascript:alert(1)", "@import url(http://stranger.invalid/c)",
 "a-name-that-is-much-longer-than-any-box-and-has-no-place-where-a-line-could-end-0123456789", "über ☃ 😀"]
END
awk 'BEGIN { for (i = 1; i <= 40; i++)
	printf "{\"custom_id\":\"p%d\",\"url\":\"/v1/x/p%d\",\"body\":{\"n\":%d}}\n", i, i, i }' >pages.jsonl
server_start API --mode echo --rule 'path=/v1/x/p5 => status=400'
jq -c --arg url "$API_URL" '. as $names | {dataset: {name: "corpus"},
	data_products: [range(200) | {name: ($names[.] // "product \(.)"), version: "1.\(. % 7)",
		compute: (if . == 50 then "batch" else "cams" end), eager: (. % 9 != 8),
		passthrough: (if . == 50 then {file: "pages.jsonl", base_url: $url, key: "none", retries: 0}
			else null end)}]} |
	.dependencies = [range(1; 200) as $i | {parent: .data_products[$i / 3 | floor].name,
		child: .data_products[$i].name}]' names.json >corpus.json
fletcher-plan publish -q corpus.json >out
fletcher-plan show --json corpus | jq -r '.data_products[].id' >ids
for i in 1 2 3 4 5 6 7 8 10 11 12 13 14 15 16 17; do
	fletcher-plan update -q corpus "$(sed -n ${i}p ids)=success" >out
done
for i in 21 22 23; do fletcher-plan update -q corpus "$(sed -n ${i}p ids)=failed" >out; done
fletcher-plan update -q corpus "$(sed -n 24p ids)=running" >out
fletcher-plan disable -q corpus "$(sed -n 200p ids)" >out
fletcher-plan update -q --link 'https://stranger.invalid/a?b=1&c=</script>' corpus "$(sed -n 2p ids)=success" >out
fletcher-plan update -q --link 'https://stranger.invalid/builds/17?a=1&b=2' corpus "$(sed -n 3p ids)=success" >out
fletcher-plan update -q --link 'javascript:alert(1)' corpus "$(sed -n 4p ids)=success" >out
status_is 4 "a batch stops half way" fsl-run --max-requests 17 corpus
ok "the page" fletcher-dot --all --progress -o page.html corpus
fletcher-plan show --json corpus | jq -c '[.data_products[].state] | group_by(.) | map("\(.[0]) \(length)")' >states
diag "$(cat states)"

# --- as it is

for scheme in light dark; do
	ok "$scheme: it is shown" show $scheme page.html --screenshot="$PWD/$scheme.png"
	is "$(console)" "" "$scheme: the console is empty"
	is "$(requests)" "" "$scheme: the page asks for nothing"
	is "$(grep -c stranger.invalid net.json)" 0 "$scheme: nor for what names and links name"
	is "$(head -c 4 $scheme.png | tail -c 3)" PNG "$scheme: there is a picture of it"
done
ok "the dark page looks different" not cmp -s light.png dark.png
is "$(grep -c '<tr id="r-' dom)" 200 "its table has a row for each product, without a script"
unlike "$(sed '/<figure/,$d' page.html)" '<script|<link|<img|<iframe| on[a-z]+=|@import|url\(' \
	"there is nothing in its head to load or run"

# These checks can fail: the same page with a stranger's element.
sed 's|</h1>|</h1><img src="http://stranger.invalid/a.png"><script>console.log("ran")</script>|' page.html >bad.html
show light bad.html
is "$(console | grep -c 'violates the following Content Security Policy\|Refused to')" 2 \
	"the policy forbids what somebody might bring in, and the console says so"
is "$(requests)" "" "so nothing is asked for"
grep -v 'Content-Security-Policy' bad.html >worse.html
show light worse.html
is "$(requests)" "http://stranger.invalid/a.png" "without the policy it would have been"
like "$(console)" '"ran"' "and the script had run"

# --- measured: a copy in which one script may run, in a frame as wide as the
# screen (a window of Chromium is never narrower than 500)

cat >measure.js <<'END'
const light = c => { c = c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
	return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; };
const rgb = text => text.match(/[\d.]+/g).map(Number);
const behind = e => {
	if (e.ownerSVGElement) {
		const box = e.parentElement.querySelector('.box');
		return rgb(getComputedStyle(box).fill);
	}
	for (; e; e = e.parentElement) {
		const c = rgb(getComputedStyle(e).backgroundColor);
		if (c.length < 4 || c[3] == 1)
			return c;
	}
	return [255, 255, 255];
};
const all = (what, root = document) => [...root.querySelectorAll(what)];
const wide = () => all('body *').filter(e => !e.closest('figure svg, thead') &&
	e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 80));
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let worst = [99, ''], texts = 0;
while (walk.nextNode()) {
	const e = walk.currentNode.parentElement;
	if (!walk.currentNode.data.trim() || !e.getClientRects().length || e.closest('script, style, svg > title'))
		continue;
	const a = light(rgb(getComputedStyle(e)[e.ownerSVGElement ? 'fill' : 'color'])), b = light(behind(e));
	const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
	texts++;
	if (ratio < worst[0])
		worst = [ratio, walk.currentNode.data.slice(0, 40)];
}
const seen = { inner: innerWidth, scroll: document.documentElement.scrollWidth, wide: wide(), worst, texts,
	dark: light(behind(document.body)) < 0.1, table: getComputedStyle(document.querySelector('tbody tr')).display,
	rows: all('tbody tr').length, names: all('tbody th').map(e => e.textContent), title: document.title,
	boxes: all('figure g[id^="p-"] text:first-of-type').map(e => e.textContent),
	text_out: all('figure g[id^="p-"]').filter(g => all('text', g).some(t =>
		t.getBBox().width > g.querySelector('.box').getBBox().width)).length,
	schemes: [...new Set(all('a').map(e => (e.href.baseVal ?? e.href).split(/(?<=[:#])/)[0]))].sort(),
	lost: all('a[href^="#"]').filter(e => !document.getElementById(e.getAttribute('href').slice(1))).length,
	links: all('td.link').map(e => e.lastChild.nodeName + ' ' + e.textContent),
	elements: ['b', 'img', 'svg svg', 'link', 'iframe', '[onload], [onerror], [onmouseover]'].map(e => all(e).length) };
document.getElementById('full').click();
seen.full = [document.documentElement.scrollWidth, wide().length, all('figure svg')[0].clientWidth >= all('figure svg')[0].viewBox.baseVal.width - 1];
console.log('measured ' + JSON.stringify(seen));
END
awk '{ sub(/default-src .none.;/, "default-src '\''none'\''; script-src '\''unsafe-inline'\'';") }
	/<\/body>/ { print "<script>"; while ((getline line <"measure.js") > 0) print line; print "</script>" }
	{ print }' page.html >measured.html
# measured FILTER: of what the script has seen.
measured() { console | sed -n 's/^[^"]*"measured \(.*\)", source: .*/\1/p' | jq -r "$1"; }

for screen in 360,light 360,dark 800,light 1440,light 1440,dark; do
	echo "<!DOCTYPE html><iframe src=measured.html style='width:${screen%,*}px;height:800px;border:0'></iframe>" >frame.html
	show "${screen#*,}" frame.html
	is "$(console | cut -c1-30 | grep -vc '"measured')" 0 "$screen: the console has only what was measured"
	is "$(measured '"\(.inner) \(.dark)"')" "${screen%,*} $([ "${screen#*,}" = dark ] && echo true || echo false)" \
		"$screen: the screen is that one"
	is "$(measured '.scroll <= .inner')" true "$screen: the page does not scroll sideways"
	is "$(measured '.wide[]')" "" "$screen: nothing stands out"
	is "$(measured '.full | "\(.[0]) \(.[1]) \(.[2])"')" "${screen%,*} 0 true" "$screen: nor with the picture in full size"
	ok "$screen: all text has a contrast of 4.5 (WCAG AA): $(measured '"\(.texts), \(.worst[0] * 10 | floor / 10)"')" \
		[ "$(measured '.worst[0] >= 4.5 and .texts > 1000')" = true ]
	[ "$(measured '.worst[0] >= 4.5')" = true ] || diag "$(measured '.worst[1]')"
	is "$(measured .text_out)" 0 "$screen: labels stay in their boxes"
	case $screen in
	1440*) is "$(measured .table)" table-row "$screen: the table is a table" ;;
	*) is "$(measured .table)" flex "$screen: the table is a list" ;;
	esac
done
is "$(measured .rows)" 200 "a row for each product"
measured '.names[]' >shown
jq -r '.data_products[].name' corpus.json | sort >given
ok "all names arrive as they were given" sh -c 'sort shown | diff - given'
is "$(measured '[.boxes[] | select(startswith("</script><script>alert(1)</script>:1."))] | length')" 1 "in the picture too"
is "$(measured '.elements | map(tostring) | join(" ")')" "0 0 0 0 0 0" "none became an element"
is "$(measured .title)" corpus "the title is that of the dataset"
is "$(measured '.schemes | join(" ")')" "# file: https:" "links lead into the page, and to https"
is "$(measured .lost)" 0 "each of those in the page leads to something"
like "$(measured '.links[]')" '^A https://stranger.invalid/builds/17\?a=1&b=2$' "a link is one"
like "$(measured '.links[]')" '^#text javascript:alert\(1\)$' "what is none is text"
like "$(measured '.links[]')" '^#text https://stranger.invalid/a\?b=1&c=</script>$' "what has brackets too"
done_testing
