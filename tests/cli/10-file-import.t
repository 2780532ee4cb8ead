#!/bin/sh
# shellcheck disable=SC2317 # functions are called by their names
# fsl-file import: what it accepts, what it prints, all or nothing.
. "${0%/*}/tap.sh"

# requests FROM TO: so many good lines.
requests() {
	awk -v from="$1" -v to="$2" 'BEGIN {
		for (i = from; i <= to; i++)
			printf "{\"custom_id\":\"r%d\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"m%d\",\"messages\":[{\"role\":\"user\",\"content\":\"n° %d\"}]}}\n", i, i % 2, i
	}'
}
stored() { sql 'SELECT count(*) FROM files'; }
exports() { fsl-file export "$1" | cmp - "$2"; }

# --- the plain case

requests 1 100 >in.jsonl
status_is 0 'a file is imported' fsl-file import in.jsonl
like "$(cat out)" '^file-[0-9a-f]{32}$' 'import prints the id'
is "$(wc -l <out)" 1 'and nothing else'
is "$(cat err)" '' 'it says nothing when all is well'
is "$(stat -c %a fsl.db) $(stat -c %a fsl.db-fsl)" '600 600' 'the state file is readable by its owner only'
id=$(cat out)
ok 'export gives the same bytes' exports "$id" in.jsonl
is "$(sql 'PRAGMA integrity_check')" ok 'the state file is sound'

status_is 0 'standard input is imported' fsl-file import - <in.jsonl
ok 'with the same bytes' exports @last in.jsonl
is "$(fsl-file show @last | jq -r .filename)" stdin 'its name is stdin'
is "$(requests 1 3 | fsl-file import --json - | jq -c '[.object, .fsl.requests, .fsl.models]')" \
	'["file",3,{"m1":2,"m0":1}]' '--json prints the file object'

# The default path: made with its directories, for the owner only.
status_is 0 'without -D and FSL_DB it is the default state file' env -u FSL_DB fsl-file import in.jsonl
is "$(stat -c %a home/.local/state/fsl home/.local/state/fsl/fsl.db | xargs)" '700 600' \
	'its directory is made 0700, the file 0600'
status_is 73 'a directory that was named is not made' fsl-file -D no/such/fsl.db import in.jsonl

# --- what is accepted, and what --strict refuses

same() { # same RULE: form.jsonl is imported, want.jsonl exported
	status_is 0 "$1: accepted" fsl-file import form.jsonl
	ok "$1: the lines keep their bytes" exports @last want.jsonl
}
strictly() { # strictly RULE PATTERN
	status_is 65 "$1: refused by --strict" fsl-file import --strict form.jsonl
	like "$(cat err)" "$2" "$1: with place and reason"
}
requests 1 3 >want.jsonl
{ printf '\357\273\277'; cat want.jsonl; } >form.jsonl
same 'byte order mark'
strictly 'byte order mark' 'form.jsonl:1:1: not_strict: '
sed 's/$/\r/' want.jsonl >form.jsonl
cp form.jsonl crlf.jsonl
mv want.jsonl lf.jsonl && mv crlf.jsonl want.jsonl
same 'CR LF'
strictly 'CR LF' 'form.jsonl:1:[0-9]+: not_strict: .*CR LF'
mv lf.jsonl want.jsonl
sed 's/$/\n \t/' want.jsonl >form.jsonl
same 'blank lines'
strictly 'blank lines' 'form.jsonl:2:1: not_strict: '
printf %s "$(cat want.jsonl)" >form.jsonl
same 'no newline at the end'
strictly 'no newline at the end' 'form.jsonl:3:[0-9]+: not_strict: '
requests 1 3 >form.jsonl
strictly 'two models' 'form.jsonl:2:[0-9]+: model_mismatch: '
sed 's/"m[01]"/"m"/' want.jsonl >form.jsonl
status_is 0 '--strict accepts what the service does' fsl-file check --strict form.jsonl

# --- problems

n=$(stored)
{
	requests 1 2
	echo
	echo '{"custom_id":"r1","url":"/v1/x"}'
	echo '{"custom_id":"b","url":"ftp://h/x"}'
	echo '{"custom_id":"c"'
} >bad.jsonl
status_is 65 'a file with bad lines is refused' fsl-file import bad.jsonl
is "$(sed 's/^\(fsl-file: [^ ]* [a-z_]*\).*/\1/' err | head -n 3)" \
'fsl-file: bad.jsonl:4:14: duplicate_custom_id
fsl-file: bad.jsonl:5:24: invalid_url
fsl-file: bad.jsonl:6:17: invalid_json_line' 'each problem has file, physical line, column and code'
like "$(cat err)" 'bad.jsonl:4:14: duplicate_custom_id: "r1" was used on line 1$' 'a duplicate names both lines'
like "$(cat err)" 'bad.jsonl: 3 problems; nothing was stored$' 'the end says that nothing was stored'
like "$(cat err)" '^fsl-file: hint: --skip-invalid ' 'and what to do'
is "$(cat out)$(stored)" "$n" 'nothing is stored'
is "$(fsl-file import -q bad.jsonl 2>&1 | grep -c ': [a-z_]*: ')" 3 '-q shows problems, too'
is "$(fsl-file import --log-format json bad.jsonl 2>&1 | jq -r .level | sort -u)" "$(printf 'error\nnote')" \
	'--log-format json tells them in JSON'

awk 'BEGIN { for (i = 0; i < 30; i++) print "{}" }' >many.jsonl
status_is 65 'a file of bad lines' fsl-file import many.jsonl
is "$(grep -c missing_required_parameter err)" 20 '20 problems are told'
like "$(cat err)" 'many.jsonl: gave up after 20 problems' 'then it gives up'
is "$(fsl-file import --max-errors 25 many.jsonl 2>&1 | grep -c missing_required)" 25 '--max-errors tells more'
status_is 64 '--max-errors 0 is refused' fsl-file import --max-errors 0 many.jsonl

status_is 3 '--skip-invalid imports the good lines: exit 3' fsl-file import --skip-invalid left.jsonl bad.jsonl
like "$(cat out)" '^file-[0-9a-f]{32}$' 'with an id'
is "$(cat left.jsonl)" "$(sed -n 4,6p bad.jsonl)" 'the bad lines are in the file, as they were'
is "$(fsl-file export @last)" "$(sed -n 1,2p bad.jsonl)" 'the good ones are in'
like "$(cat err)" '3 bad lines are in left.jsonl' 'it says so'
status_is 0 '--skip-invalid with nothing to skip is no failure' fsl-file import --skip-invalid left.jsonl in.jsonl
is "$(cat left.jsonl)" '' 'and leaves an empty file'
status_is 65 'no good line is a refusal' fsl-file import --skip-invalid left.jsonl many.jsonl
status_is 73 'a file for bad lines that cannot be made' fsl-file import --skip-invalid no/such/dir bad.jsonl

# --- --url, --model

printf '%s\n' '{"custom_id":"a","body":{"input":"x"}}' '{"custom_id":"b","url":"/v1/y","model":"k"} ' >open.jsonl
status_is 65 'a line without url is refused' fsl-file import open.jsonl
status_is 0 '--url and --model are for lines without' fsl-file import --url /v1/embeddings --model e open.jsonl
is "$(fsl-file export @last)" '{"custom_id":"a","body":{"input":"x"},"url":"/v1/embeddings","model":"e"}
{"custom_id":"b","url":"/v1/y","model":"k"} ' 'they become their last members; other lines stay'
status_is 64 'a --url that is none' fsl-file import --url 'x y' open.jsonl

# --- --name, --if-absent, --dry-run

status_is 0 'a name is given' fsl-file import --name rows in.jsonl
id=$(cat out)
is "$(fsl-file show rows | jq -r '.id, .fsl.name' | xargs)" "$id rows" 'and can be used'
status_is 6 'a name that is taken is refused' fsl-file import --name rows in.jsonl
status_is 0 '--if-absent: the same content and name' fsl-file import --name rows --if-absent in.jsonl
is "$(cat out)" "$id" 'is the file that is there'
status_is 6 '--if-absent: other content does not get the name' fsl-file import --name rows --if-absent form.jsonl
n=$(stored)
requests 500 510 >new.jsonl
a=$(fsl-file import --if-absent new.jsonl) b=$(fsl-file import --if-absent - <new.jsonl)
is "$b $(stored)" "$a $((n + 1))" '--if-absent: content that came from somewhere else, too'
for name in cafe 2026 @x a/b file-12ab batch_12 ''; do
	status_is 64 "no name: '$name'" fsl-file import --name "$name" in.jsonl
done
status_is 64 'no name: one with a control character' fsl-file import --name "$(printf 'a\tb')" in.jsonl
status_is 64 'no name: -x' fsl-file import --name=-x in.jsonl

n=$(stored)
status_is 0 '-n checks' fsl-file import -n --name new in.jsonl
is "$(cat out) $(stored)" " $n" 'and stores nothing'
like "$(cat err)" 'would import 100 requests' 'but says what it would do'
status_is 65 '-n refuses what import would refuse' fsl-file import -n bad.jsonl
unlike "$(cat err)" 'would import' 'all of it'
status_is 6 'a taken name too' fsl-file import -n --name rows in.jsonl
status_is 0 '-n needs no state file' fsl-file -D other.db import -n --name rows in.jsonl
ok 'and makes none' test ! -e other.db
status_is 3 '-n writes no bad lines' fsl-file import -n --skip-invalid none.jsonl bad.jsonl
like "$(cat err)" '3 bad lines would go to none.jsonl$' 'and says where they would go'
ok 'to their file' test ! -e none.jsonl

# --- all or nothing: killed at any moment

whole() { sql 'SELECT count(*) FROM files WHERE loader IS NULL'; }
lines() { sql 'SELECT count(*) FROM lines'; }
at_least() { [ "$(lines)" -ge "$1" ]; }
rm -f fsl.db fsl.db-*
requests 1 60000 >large.jsonl
mkfifo fifo
fsl-file import in.jsonl >/dev/null
for from in 10000 20000 30000 40000 50000; do
	fsl-file import fifo >killed.out 2>&1 &
	pid=$!
	exec 5>fifo
	head -n $((from + 1000)) large.jsonl >&5
	ok "an import has stored some $from lines" wait_for 20 at_least "$from"
	is "$(whole) $(fsl-file list | wc -l)" '1 1' 'but nobody sees the file'
	kill -9 $pid
	exec 5>&-
	wait $pid 2>/dev/null
	is "$(cat killed.out)" '' 'kill -9: it has said nothing'
	is "$(fsl-file list | wc -l)" 1 'and still there is no file'
	fsl-file delete "$(fsl-file import new.jsonl)" >/dev/null
	is "$(lines) $(sql 'SELECT count(*) FROM templates')" '100 100' 'the next writer sweeps what it left'
done

# At a moment of its own: when so many bytes are in the log, or at once.
whole_or_none() {
	n=$(fsl-file list | wc -l)
	fsl-file import new.jsonl >/dev/null
	[ "$(lines)" = $((100 + 11 + (n - 1) * 60000)) ]
}
grown() { [ "$(stat -c %s fsl.db-wal 2>/dev/null || echo 0)" -ge "$1" ]; }
for bytes in 0 1 30000 400000 2500000 5000000 8000000 11000000; do
	rm -f fsl.db fsl.db-*
	fsl-file import in.jsonl >/dev/null
	fsl-file import large.jsonl >killed.out 2>&1 &
	pid=$!
	wait_for 5 grown $bytes >/dev/null 2>&1
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	ok "killed when the log had $bytes bytes: a whole file or none" whole_or_none
done
is "$(sql 'PRAGMA integrity_check; PRAGMA foreign_key_check')" ok 'the state file is sound'

# Two at once, and a reader: nobody is in the way of the other.
rm -f fsl.db fsl.db-*
fsl-file import --name one large.jsonl >one.out 2>&1 &
pid=$!
status_is 0 'two imports at once' fsl-file import --name two large.jsonl
wait $pid
is "$?" 0 'both succeed'
is "$(fsl-file list --json | jq -r .requests | xargs)" '60000 60000' 'both are whole'

done_testing
