#!/bin/sh
# Pictures of plans: every format is what it says it is, whatever names people
# give; what is asked for is drawn and nothing else reaches standard output.
. "${0%/*}/tap.sh"

# A diamond with something behind it, of which `old` is disabled in the end.
cat >plan.json <<'END'
{"dataset":{"name":"papers"},"data_products":[
{"name":"fetch","version":"1","compute":"cams","eager":true},
{"name":"left","version":"1","compute":"cams","eager":true},
{"name":"right","version":"1","compute":"cams","eager":true},
{"name":"join","version":"1","compute":"cams","eager":true},
{"name":"old","version":"1","compute":"cams","eager":true},
{"name":"report","version":"1","compute":"cams","eager":true}],
"dependencies":[{"parent":"fetch","child":"left"},{"parent":"fetch","child":"right"},
{"parent":"left","child":"join"},{"parent":"right","child":"join"},
{"parent":"join","child":"report"},{"parent":"old","child":"report"}]}
END

# chain N: the plan of N products in a row.
chain() {
	awk -v n="$1" 'BEGIN {
		printf "{\"dataset\":{\"name\":\"chain\"},\"data_products\":["
		for (i = 1; i <= n; i++)
			printf "%s{\"name\":\"p%d\",\"version\":\"1\",\"compute\":\"cams\",\"eager\":true}", (i > 1 ? "," : ""), i
		printf "],\"dependencies\":["
		for (i = 2; i <= n; i++)
			printf "%s{\"parent\":\"p%d\",\"child\":\"p%d\"}", (i > 2 ? "," : ""), i - 1, i
		print "]}"
	}'
}

# names [OPTION]... OPERAND: which products are drawn.
names() { fletcher-dot -T json "$@" | jq -r '[.nodes[].name] | join(" ")'; }

status_is 0 "a plan that is not stored is drawn" fletcher-dot plan.json
is "$(sed -n 1p out)" 'digraph "papers" {' "as DOT if nothing else was said"
ok "its state file is not made" [ ! -e fsl.db ]
status_is 0 "also from standard input" sh -c 'fletcher-dot -T tree - <plan.json'
is "$(cat out)" "papers
fetch:1
├── left:1
│   └── join:1
│       └── report:1
└── right:1
    └── join:1 (above)
old:1
└── report:1 (above)

6 data products, 6 dependencies" "as a tree"
status_is 5 "a dataset without a state file is not found" fletcher-dot papers
status_is 64 "an operand is needed" fletcher-dot
printf '{"dataset":{"name":"x"},"data_products":[]' >half.json
status_is 65 "a file that is no plan" fletcher-dot half.json
jq '.dependencies += [{parent: "report", child: "fetch"}]' plan.json >cycle.json
status_is 65 "a cycle" fletcher-dot cycle.json
like "$(cat err)" 'Graph is cyclical: fetch -> left -> join -> report -> fetch' "is named"

fletcher-plan publish -q plan.json >out
fletcher-plan update --link 'https://example.org/?a=1&b=2' papers fetch=success >out
fletcher-plan update papers left=failed >out
fletcher-plan disable papers old >out 2>err
is "$(names papers)" "fetch left right join report" "disabled products are not drawn"
is "$(names --all papers)" "fetch left right join old report" "with --all they are"
like "$(fletcher-dot --all papers)" 'label="old:1".*fillcolor="#c0c0c0"' "and filled"
like "$(fletcher-dot papers)" 'label="left:1".*color="#ff0000"' "failed is red"
like "$(fletcher-dot --theme colorblind papers)" 'label="left:1".*"#d55e00"' "or another red"
like "$(fletcher-dot --rankdir TB papers)" 'rankdir=TB' "from top to bottom"
like "$(fletcher-dot --progress -T tree papers)" '^papers: failed, 1 of 5 done, 1 failed, 1 queued' \
	"--progress says how all stands"
like "$(fletcher-dot --progress -T tree papers)" 'left:1  ✗ failed' "and each product"
like "$(fletcher-dot --progress -T tree plan.json)" 'left:1  ✗ failed' \
	"a file whose dataset is stored has its states"
uuid=$(fletcher-dot --json papers | jq -r .dataset.id)
is "$(names "$uuid")" "fetch left right join report" "a dataset by its UUID"
is "$(names "$(echo "$uuid" | cut -c1-8)")" "fetch left right join report" "and by its prefix"
cp half.json papers
status_is 65 "a file that exists wins over a dataset" fletcher-dot papers
rm papers

is "$(names --select left papers)" "left" "--select NAME"
is "$(names --select +left papers)" "fetch left" "--select +NAME"
is "$(names --select left+ papers)" "left join report" "--select NAME+"
is "$(names --select 1+join+1 papers)" "left right join report" "--select N+NAME+N"
is "$(names --select fetch --select report papers)" "fetch report" "--select twice"
status_is 5 "--select of what nobody has" fletcher-dot --select nobody papers
like "$(cat err)" "no data product is 'nobody'" "says so"

# Each type: from -T and from the suffix.
for type in dot svg png pdf html mermaid tree json; do
	status_is 0 "-T $type" fletcher-dot -T "$type" --progress --legend --title 'A "title"' papers
	mv out "one.$type"
	is "$(cat err)" "" "-T $type: nothing else is said"
	[ "$type" = pdf ] || ok "-T $type: the same again" \
		sh -c "fletcher-dot -T $type --progress --legend --title 'A \"title\"' papers | cmp - one.$type"
	status_is 0 "-o two.$type" fletcher-dot --progress --legend --title 'A "title"' -o "two.$type" papers
	is "$(wc -c <out)" 0 "-o two.$type: nothing on standard output"
	case $type in
	pdf | tree | mermaid) ;;
	*) ok "-o two.$type: its suffix is its type" cmp "one.$type" "two.$type" ;;
	esac
done
like "$(head -c 8 one.png | od -An -c)" 'P +N +G' "a PNG"
like "$(head -c 5 one.pdf)" '%PDF' "a PDF"
is "$(fletcher-dot -o - papers | sed 1q)" 'digraph "papers" {' "-o - is standard output"
status_is 0 "the suffix mmd" fletcher-dot -o x.mmd papers
like "$(cat x.mmd)" '^flowchart LR' "is mermaid"
ok "a reader that goes away is no error" sh -c '{ fletcher-dot plan.json; echo $? >status; } | head -n 1'
is "$(cat status)" 0 "nor a status"
status_is 73 "a file that cannot be made" fletcher-dot -o none/x.svg papers

# The gallery.
is "$(fletcher-dot --json "$TOP/gallery/load.json" | jq -c '[(.nodes, .edges) | length] + [.levels[] | length]')" \
	'[11,16,6,2,3]' "the load plan of Fletcher"
for plan in "$TOP"/gallery/*.json; do
	status_is 0 "${plan##*/} is drawn" fletcher-dot -T svg "$plan"
	ok "${plan##*/}: its picture is well-formed" xmllint --noout "${plan%.json}.svg"
done

mkdir drawn
if fletcher-dot --version | grep -q 'Graphviz 2\.43\.0'; then
	ok "the gallery is drawn again" "$TOP/scripts/gallery" drawn
	for picture in drawn/*; do
		ok "${picture##*/} is the same, byte for byte, whatever fonts are here" \
			cmp "$picture" "$TOP/gallery/${picture##*/}"
	done
	printf '<?xml version="1.0"?>\n<fontconfig></fontconfig>\n' >nofonts.conf
	# shellcheck disable=SC2016 # the inner shell expands it
	ok "also where there are none" sh -c 'FONTCONFIG_FILE=$PWD/nofonts.conf \
		fletcher-dot -T svg "$TOP/gallery/load.json" | cmp - "$TOP/gallery/load.svg"'
else
	skip "another version of Graphviz: $(fletcher-dot --version)" "the gallery is drawn again, byte for byte"
fi

# Graphviz has no such thing.
status_is 69 "a type that nobody can write" fletcher-dot -T nonsense papers
like "$(cat err)" "cannot write 'nonsense' here; what works: dot html json mermaid svg tree .* png" "lists those that work"
status_is 69 "a suffix that is none" fletcher-dot -o x.nonsense papers
ok "leaves no file" [ ! -e x.nonsense ]
status_is 64 "--set without a plan file" fletcher-dot --set day=1 papers
like "$(cat err)" 'want a plan file, not a stored dataset' "is not passed over"
status_is 69 "a layout that is not there" fletcher-dot -K nonsense -T svg papers
mkdir plugins
export GVBINDIR="$PWD/plugins"
status_is 69 "no plug-ins at all" fletcher-dot -T svg papers
like "$(cat err)" 'dot, mermaid, tree and json work without' "say what works"
is "$(fletcher-dot --formats | tr '\n' ' ')" "dot mermaid tree json " "--formats says so too"
for type in dot mermaid tree json; do
	ok "-T $type works without" fletcher-dot -T $type papers
done
unset GVBINDIR
like "$(fletcher-dot --formats)" '^png$' "--formats lists what Graphviz can write"
is "$(fletcher-dot --formats | sort | uniq -d)" "" "each once"
status_is 0 "another layout" fletcher-dot -K neato -T svg papers
ok "is a picture" xmllint --noout out

# What is too large.
chain 5001 >large.json
status_is 6 "5,001 products are not laid out" fletcher-dot -T svg large.json
like "$(cat err)" '5,001 data products are too many .*--max-nodes 5,000' "says how many"
like "$(cat err)" 'hint: -T dot .*--select' "and the way out"
is "$(fletcher-dot large.json | grep -c 'label=')" 5001 "DOT of them is fine"
status_is 0 "a part of them is laid out" fletcher-dot -T svg --select 5+p9 large.json
status_is 6 "--max-nodes" fletcher-dot -T svg --max-nodes 4 plan.json
status_is 0 "as many as that are fine" fletcher-dot -T svg --max-nodes 5 plan.json

# Names of strangers.  JSON has the escapes; bytes that are no UTF-8 are no plan.
jq -nc --arg long "$(head -c 1024 /dev/zero | tr '\0' 'x')" '
	["\"", "\\", "\\N \\G \\l", "a\nb\r\tc", "</script><script>alert(1)</script>", "</title></style></svg>",
	 "\u001b[31mred\u0007", "\u202eevil\u2066", "&amp; &foo; &#0; &#x1f; &; & &lt;b&gt;", "<b>bold</b>",
	 "]]>", "-->", "<!--", "%%{init: {}}%%", "`md`", "end", "#quot;", "\u007f\u0085", "\ufffe\uffff",
	 "\"]; x [label=\"y", "a\"] --> z[\"", " ", "--", $long, "über ☃ 😀", "\u0001"] as $names |
	{dataset: {name: "hostile", extra: "</pre></script>&"},
	 data_products: [$names | to_entries[] | {name: .value, version: (if .key % 2 == 0 then .value else "" end),
		compute: "cams", eager: true}],
	 dependencies: [range(1; $names | length) | {parent: $names[. - 1], child: $names[.]}]}' >hostile.json
fletcher-plan publish -q hostile.json >out
n=0
fletcher-dot --json hostile | jq -r '.nodes[].id' >ids
for link in 'javascript:alert(1)' 'https://h/?a=1&b=&foo;' 'http://h/"><script>alert(1)</script>' 'data:text/html,x'; do
	n=$((n + 1))
	fletcher-plan update --link "$link" hostile "$(sed -n ${n}p ids)=success" >out
done
# harmless FILE: no control character but newline and tab, no override, only UTF-8.
# shellcheck disable=SC2317 # ok calls it
harmless() {
	iconv -f UTF-8 -t UTF-8 "$1" >copy &&
		! LC_ALL=C grep -aqP '[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]' "$1"
}
for operand in hostile hostile.json; do
	for type in dot mermaid tree json svg html; do
		ok "$operand: -T $type" fletcher-dot -T $type --progress --legend --title "\\N\"<&foo;" -o h.$type $operand
		ok "$operand: -T $type: nothing moves a terminal" harmless h.$type
	done
	unlike "$(cat h.svg h.html)" '<script|<b>|href="(javascript|data):|xlink' "$operand: no script, no such link"
	ok "$operand: dot accepts what we write" sh -c 'dot -Tsvg h.dot >dot.svg'
	ok "$operand: and writes well-formed SVG of it" xmllint --noout dot.svg
	is "$(grep -c '^<g id="p&#45;.*class="node"' dot.svg)" 26 "$operand: with a node for each product"
	ok "$operand: our SVG is well-formed" xmllint --noout h.svg
	is "$(grep -c '<g id="p-' h.svg)" 26 "$operand: and has a node for each product"
	sed -n '/<svg /,/<\/svg>/p' h.html >inside.svg
	ok "$operand: so is that in HTML" xmllint --noout inside.svg
	ok "$operand: the table is well-formed" sh -c "sed -n '/<table>/,/<.table>/p' h.html | xmllint --noout -"
	ok "$operand: JSON keeps every name" sh -c "jq -c '[.nodes[].name]' h.json >a &&
		jq -c '[.data_products[].name]' hostile.json | cmp - a"
	is "$(grep -c '^  n[0-9]*\["[^"<>\\]*\(<br/>[^"<>\\]*\)*"\]:::[a-z]*$' h.mermaid)" 26 \
		"$operand: Mermaid has a node for each, in its quotes"
	ok "$operand: png" fletcher-dot -T png $operand
	ok "$operand: pdf" fletcher-dot -T pdf $operand
done
like "$(cat h.html)" "default-src 'none'" "HTML forbids the network and scripts"
fletcher-dot -T svg hostile >h.svg
is "$(grep -c '<a href="https://h/?a=1&amp;b=&amp;foo;"' h.svg)" 1 "a link is escaped"
is "$(grep -c '<a href' h.svg)" 1 "and the only one"

# The option of its own in place of the common one.
status_is 0 "--progress of the config file is the common one" env FSL_CONFIG=config sh -c '
	echo "progress none" >config; fletcher-dot -T tree papers'
unlike "$(cat out)" 'failed' "and means none"
status_is 64 "--progress=nonsense" fletcher-dot --progress=nonsense papers
is "$(fletcher-dot --help | grep -c -- --progress)" 2 "--help lists it once"
done_testing
