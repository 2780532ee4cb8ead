#!/bin/sh
# fsl-run: what stands in a line is what the server gets, and what the server
# answers is what stands in the output, byte for byte.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

# answers: the text of the answers' bodies, of output lines without metadata.
answers() {
	LC_ALL=C sed -e 's/},"error":null}$//' -e 's/^{"id":"[^"]*","custom_id":"[^"]*",//' \
		-e 's/^"response":{"status_code":[0-9]*,"request_id":null,"body"://'
}
answer() { grep -F "\"custom_id\":\"$1\"," out.jsonl | answers; }
# stored ID: writes the answer as it is in the state file to the file stored.
stored() {
	rm -f stored
	sql "SELECT writefile('stored', a.body) FROM answers a JOIN batches b ON b.id = a.id >> 32
		JOIN templates t ON t.id = (b.file << 32 | a.line) WHERE t.custom_id = '$1'" >/dev/null
}
# decoded ID: the answer, from the form that bytes have.
decoded() { answer "$1" | jq -r '.["$base64"]' | base64 -d; }

# --- what is sent

# Values that change when a program reads them and writes them again.
cat >values <<'END'
12345678901234567890123
-0
0.1e-7
1E+400
1e2
1.0
-0.0e-00
100000000000000000000000000000000000000.000000000000000000000000001
"\u0000\u001f\ud83d\ude00\/\b\f\n\r\t\"\\"
"\u00e4 is not a\u0308"
"سلام ‮ evil   "
"👩‍👩‍👧"
"</script>\u003c/script>"
" 1e2 , } ] "
{"a":1,"a":2,"":3,"\u0061b":4,"ab":5}
[[[[[[[[[[]]]]]]]]]]
{"z":1,"y":{"x":[1,2,{"w":null}]},"a":0}
[ 1 ,	2	, { "k" :	[ true , false , null ] } ]
{"model":"inner","custom_id":"inner","url":"/inner","body":{"body":{}}}
END
# shellcheck disable=SC1003 # these are not meant to end anything
printf '%s\n' a B ' ' '	' ä '€' '😀' '\\' '\"' '\/' '\u00e9' '\n' '\ud83d\ude00' '{' '},' '"error":null}' \
	"'" '<' '&' '%' '$' '{}' é '‮' >pieces
sed -i -e '/^	$/d' -e 's/^"error":null}$/\\"error\\":null}/' pieces
printf '\177\n' >>pieces
# random SEED N: bodies, one a line.
random() {
	awk -v seed="$1" -v n="$2" '
	function below(n) { return int(rand() * n) }
	function space() { return substr("  \t  \t ", 1, below(14) - 7) }
	function digits(n,  s) { for (s = ""; n-- > 0;) s = s below(10); return s }
	function number(  s) {
		s = (below(3) ? "" : "-") (below(9) ? 1 + below(9) digits(below(40)) : "0")
		if (below(2)) s = s "." digits(1 + below(20))
		if (!below(3)) s = s substr("eE", 1 + below(2), 1) substr("+-", 1 + below(3), 1) digits(1 + below(3))
		return s
	}
	function string(  s, n) {
		for (n = below(8); n > 0; n--) s = s piece[1 + below(pieces)]
		return "\"" s "\""
	}
	function list(depth, members,  s, n) {
		for (n = below(5); n > 0; n--)
			s = s space() (members ? string() space() ":" space() : "") value(depth + 1) \
				space() (n > 1 ? "," : "")
		return s == "" ? space() : s
	}
	function value(depth,  k) {
		k = depth < 6 ? below(10) : below(7)
		if (k < 2) return number()
		if (k < 4) return string()
		if (k < 6) return fixed[1 + below(fixeds)]
		if (k < 7) return word[1 + below(3)]
		return k < 8 ? "[" list(depth, 0) "]" : "{" list(depth, 1) "}"
	}
	BEGIN { srand(seed); split("true false null", word) }
	NR == FNR { fixed[++fixeds] = $0; next }
	{ piece[++pieces] = $0 }
	END { while (n-- > 0) print "{" list(0, 1) "}" }' values pieces
}
seed=$(date +%s)
diag "seed: $seed"
{
	awk '{ print "{\"v\":" $0 "}" } END { s = "1"; for (i = 0; i < 500; i++) s = "[" s "]"; print s }' values
	random "$seed" 2000
} >bodies
awk '{ printf "{\"custom_id\":\"r%d\", \"url\" :\"/v1/echo\",\t\"body\":  %s }\n", NR, $0 }' bodies >in.jsonl
n=$(wc -l <bodies)
server_start ECHO --mode echo --bodies got
status_is 0 "$n random bodies are sent" fsl-run -j 1 -i in.jsonl -o out.jsonl --base-url "$ECHO_URL"
seq "$n" | sed 's,^,got/,' | xargs awk 1 >arrived
ok "what the server got is what stands in the lines, byte for byte" cmp bodies arrived
answers <out.jsonl >returned
ok "what it sent back is what stands in the output" cmp bodies returned
seq -f r%.0f "$n" >numbers
sed 's/^{"id":"[^"]*","custom_id":"\([^"]*\)".*/\1/' out.jsonl >order
ok "each at its place" cmp numbers order
file=$(fsl-file import in.jsonl)
status_is 0 "fsl-file export" fsl-file export "$file"
ok "gives the bytes that were imported" cmp in.jsonl out
sound "random bodies"

# --- methods, headers, bodies that are no JSON

FSL_DB=$PWD/kinds.db
cat >kinds.jsonl <<'END'
{"custom_id":"get","method":"GET","url":"/v1/models?limit=2&after=a%20b"}
{"custom_id":"text","url":"/t","body":"line 1\nline 2 \u00e4 \"q\" \\ \ud83d\ude00 \u0000 end"}
{"custom_id":"empty","url":"/t","body":""}
{"custom_id":"null","url":"/t","body":null}
{"custom_id":"put","method":"PUT","url":"/t","headers":{"Content-Type":"application/xml","X-Empty":"","X-Two":"a, b"},"body":"<a/>"}
{"custom_id":"lower","method":"patch","url":"/t","body":[1,2]}
{"custom_id":"delete","method":"DELETE","url":"/t"}
{"custom_id":"head","method":"HEAD","url":"/t"}
{"custom_id":"own-key","url":"/t","headers":{"idempotency-key":"mine","user-agent":"me"},"body":{}}
{"custom_id":"q\u00e4\"\\\/","url":"/t","body":{},"metadata":{"row":12345678901234567890, "x":[ 1.0 ]}}
END
server_start KINDS --mode echo --log kinds.log --log-headers --log-bodies
status_is 0 "all methods and kinds of bodies" fsl-run --key none --header 'X-All: 1' -i kinds.jsonl \
	-o out.jsonl --base-url "$KINDS_URL"
# got LINE FILTER: of the server's log, what the request of that line was.
got() { jq -r "select(.key // \"\" | endswith(\"$(printf %08x "$1")\")) | $2" kinds.log; }
got_kind() { got "$1" '[.method, .len, .headers["Content-Type"]] | join(" ")'; }
is "$(got 1 '[.method, .path, .len, .headers["Content-Type"]] | join(" ")')" \
	"GET /v1/models?limit=2&after=a%20b 0 " "a GET has its query, no body and no Content-Type"
is "$(got 2 .body | od -An -c)" "$(printf 'line 1\nline 2 ä "q" \\ 😀 \000 end\n' | od -An -c)" \
	"a string is sent as its characters"
is "$(got_kind 2)" "POST 33 text/plain; charset=utf-8" "as text"
is "$(got_kind 3)" "POST 0 text/plain; charset=utf-8" "an empty string is an empty body"
is "$(got_kind 4)" "POST 0 " "null is no body at all"
is "$(got 5 '[.method, .body, .headers["Content-Type"], .headers["X-Empty"], .headers["X-Two"]] | join("|")')" \
	'PUT|<a/>|application/xml||a, b' "a line's headers are sent, empty ones too"
is "$(got 5 '.headers | has("X-Empty")')" true "and are there"
is "$(got_kind 6)" "PATCH 5 application/json" "a method is sent in upper case"
is "$(got_kind 7),$(got_kind 8)" "DELETE 0 ,HEAD 0 " "no body, no Content-Type"
is "$(jq -r 'select(.key == "mine") | .headers["User-Agent"] // .headers["user-agent"]' kinds.log)" me \
	"a line's own headers replace ours"
is "$(jq -r '.headers["X-All"]' kinds.log | sort -u)" 1 "--header is sent with all"
like "$(got 10 '.headers["User-Agent"]')" '^fsl-run/' "our name and version are sent"
is "$(ids out.jsonl | tail -n 1)" 'qä"\/' "a custom_id keeps its characters"
like "$(tail -n 1 out.jsonl)" ',"error":null,"metadata":{"row":12345678901234567890,.*1.0.*}}$' \
	"metadata comes back as the last member, unchanged"
sound "kinds of requests"

# --- what is answered

FSL_DB=$PWD/answers.db
printf 'a\000b' >nul
printf 'caf\351' >latin
: >empty
printf 'two\nlines "q" \\ \t ä 😀 \033[0m \302\205\n' >text
printf '{\n  "n": 12345678901234567890123,\r\n\t"e": 1e2,\n  "s": "a b\\n c\\u00e4"\n}\n' >pretty
printf ' {"n": 1.0,  "e" : [ 1e2 ]} ' >spaced
printf '{"a":1}{"b":2}' >double
printf '{"a":1' >half
printf '\357\273\277{"a":1}' >bom
head -c 8000000 /dev/urandom >bytes
{
	printf '{"s":"'
	head -c 6000000 bytes | base64 -w 0
	printf '"}'
} >json
base64 bytes | head -c 8000000 >lines
head -c 50000000 /dev/zero | gzip -9 >bomb # 50 KB that want to be 50 MB
for id in nul latin empty text pretty spaced double half bom bytes json lines; do
	echo "path=/v1/$id => body-file=$id"
done >rules
cat >>rules <<'END'
path=/v1/none => status=204 ; body=
path=/v1/chunked => chunked ; body-file=latin
path=/v1/denied => status=403 ; header="Content-Type: text/html" ; body=<h1>No</h1>
path=/v1/bad => status=400 ; body-file=latin
path=/v1/bomb => header="Content-Encoding: gzip" ; body-file=bomb
END
for id in nul latin empty text pretty spaced double half bom bytes json lines none chunked bomb denied bad; do
	printf '{"custom_id":"%s","url":"/v1/%s","body":{}}\n' $id $id
done >answers.jsonl
server_start ANSWERS --rules rules
status_is 3 "answers of all kinds" fsl-run -i answers.jsonl -o out.jsonl -e err.jsonl --base-url "$ANSWERS_URL"
for id in nul latin text pretty spaced double half bom bytes json lines bomb; do
	stored $id
	ok "$id is stored as it came" cmp $id stored
done
for id in latin bytes; do
	decoded $id >back
	ok "$id is no text: base64" cmp $id back
done
# shellcheck disable=SC2016 # a member's name
is "$(answer latin)" '{"$base64":"Y2Fm6Q=="}' "and nothing else"
is "$(decoded chunked)" "$(cat latin)" "in chunks, too"
for id in text nul double half bom lines; do
	answer $id | jq -j . >back
	ok "$id is text: a JSON string" cmp $id back
done
is "$(answer pretty)" '{"n":12345678901234567890123,"e":1e2,"s":"a b\n c\u00e4"}' \
	"JSON over several lines loses the white space between its tokens, and nothing else"
answer json | tr -d '\n' >back
ok "8 MB of JSON are the same bytes" cmp json back
is "$(answer spaced)" "$(cat spaced)" "JSON in one line stays as it is"
is "$(answer empty) $(answer none)" "null null" "no byte is null"
is "$(wc -l <out.jsonl)" 15 "each result is one line"
# shellcheck disable=SC2016 # a member's name
is "$(jq -c '[.custom_id, .response.status_code, .response.body]' err.jsonl | paste -sd' ')" \
	'["denied",403,"<h1>No</h1>"] ["bad",400,{"$base64":"Y2Fm6Q=="}]' \
	"error lines have the same forms"
ok "every line is JSON" jq -e . out.jsonl err.jsonl
unlike "$(LC_ALL=C grep -c '[[:cntrl:]]' out.jsonl)" '^[1-9]' "without control characters"
status_is 3 "the same once more, streamed" fsl-run -q -i answers.jsonl -o - -e err.jsonl \
	--base-url "$ANSWERS_URL"
sort out >streamed
sort out.jsonl >written
ok "are the same lines" cmp streamed written
sound "answers"

done_testing
