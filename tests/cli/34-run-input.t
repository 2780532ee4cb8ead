#!/bin/sh
# fsl-run -i: what it reads, what it refuses before anything is stored or sent,
# and that the same bytes are the same batch however they come.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

server_start API --mode echo --log api.log
run() { fsl-run --base-url "$API_URL" "$@"; }
sent_in_all() { stats API .requests; }
rows() { sql 'SELECT (SELECT count(*) FROM batches), (SELECT count(*) FROM files), (SELECT count(*) FROM lines)'; }
piped() {
	piped_file=$1
	shift
	# shellcheck disable=SC2002 # a pipe is what is tested
	cat "$piped_file" | run "$@"
}

# --- forms of a file

requests 3 >unix
{
	printf '\357\273\277'
	sed -n '1s/$/\r/p' unix
	printf '\n  \t\r\n'
	sed -n '2s/$/ \r/p' unix
	sed -n 3p unix | tr -d '\n'
} >dos
status_is 0 "a byte order mark, CR LF, blank lines, no last newline" run -i dos -o out.jsonl
is "$(ids out.jsonl | paste -sd' ')" "r1 r2 r3" "every request is found"
is "$(jq -c .response.body out.jsonl | paste -sd' ')" '{"n":1} {"n":2} {"n":3}' "and sent as it stands"
is "$(sql 'SELECT group_concat(id & 4294967295) FROM requests')" "1,4,5" "its lines are those of the file"
status_is 0 "the same requests in another form" run -i unix -o out2.jsonl
is "$(sent_in_all)" 6 "are another batch"
sound "forms of a file"

# --- the same bytes from elsewhere

for from in - /dev/stdin; do
	status_is 0 "-i $from: a pipe" piped unix -i $from -o out2.jsonl
	is "$(ids out2.jsonl | wc -l) $(sent_in_all)" "3 6" "is the same batch: nothing is sent"
done
redirected() { run -i - -o out2.jsonl <unix; }
status_is 0 "-i -: a file" redirected
is "$(sent_in_all)" 6 "is the same batch"
cp unix copy
status_is 0 "a copy of another name" run -i copy -o out2.jsonl
is "$(sent_in_all)" 6 "is the same batch"
mkfifo fifo
requests 3 11 >three
run -i fifo -o fifo.out 2>err &
runner=$!
exec 8>fifo
head -n 2 three >&8
is "$(sent_in_all)" 6 "a FIFO: nothing is sent before its end"
tail -n 1 three >&8
exec 8>&-
wait $runner
is "$? $(ids fifo.out | paste -sd' ')" "0 r11 r12 r13" "a FIFO: then all of it"

server_start SLOW --mode echo --latency 100 --log slow.log
requests 40 >forty
grep . forty | fsl-run -j 4 -i - -o slow.out --base-url "$SLOW_URL" 2>err &
eventually stats_are SLOW '.answered >= 4' true
sql 'SELECT pid FROM workers WHERE ended_ms IS NULL' >pid
kill -TERM "$(cat pid)"
gone() { ! kill -0 "$(cat pid)"; }
ok "a run that reads a pipe is stopped" eventually gone
is "$(wc -l <slow.out.part)" "$(stats SLOW .answered)" "FILE.part has what is finished"
resumed() { grep . forty | fsl-run -j 40 -i - -o slow.out --base-url "$SLOW_URL"; }
status_is 0 "the same bytes from a pipe go on" resumed
is "$(ids slow.out)" "$(ids forty)" "and complete"
is "$(sent slow.log | sort -V)" "$(ids forty)" "nothing is sent twice"
ok "FILE.part is gone" not test -e slow.out.part
sound "pipes"

# --- what is refused

before=$(rows)
calls=$(sent_in_all)
echo old >kept
# refused STATUS PATTERN RULE ARGUMENT...: it ends so, says so, and changes nothing.
refused() {
	refused_status=$1 refused_pattern=$2 refused_rule=$3
	shift 3
	status_is "$refused_status" "$refused_rule: $refused_status" run "$@"
	like "$(cat err)" "$refused_pattern" "$refused_rule: it says what is wrong"
}
cat >bad <<'END'
{"custom_id":"a","url":"/v1/x","body":{}}
{"custom_id":"b","url":"/v1/x","body":{}

{"custom_id":"a","url":"/v1/x","body":{}}
{"custom_id":"c","url":"gopher://h/x"}
{"custom_id":"d","url":"/x","headers":{"X":"a\r\nHost: evil"}}
{"custom_id":"e","url":"/x","headers":{"Authorization":"Bearer abcdef"}}
{"url":"/x"}
{"custom_id":"f","body":{}}
END
refused 65 'bad:2:[0-9]+: invalid_json_line: ' "bad lines" -i bad -o kept -e kept.err
like "$(cat err)" 'bad:4:14: duplicate_custom_id: "a" was used on line 1' "with their numbers in the file"
is "$(sed -n 's/.*bad:\([0-9]*\):[0-9]*: \([a-z_]*\):.*/\1 \2/p' err | paste -sd,)" \
	"2 invalid_json_line,4 duplicate_custom_id,5 invalid_url,6 invalid_header,7 secret_in_line,8 missing_required_parameter,9 missing_required_parameter" \
	"all of them at once"
unlike "$(cat err)" 'abcdef' "without the secret"
refused 65 'bad' "bad lines from a pipe" -i /dev/stdin -o kept <bad
printf '{"custom_id":"\377","url":"/x"}\n' >latin
refused 65 'latin:1:[0-9]+: invalid_utf8' "invalid UTF-8" -i latin -o kept
printf '{"custom_id":"a\000","url":"/x"}\n' >nul
refused 65 'nul:1:[0-9]+: ' "a NUL byte" -i nul -o kept
printf '\n \n' >blank
refused 65 'empty_file' "no request in the file" -i blank -o kept
refused 65 'empty_file' "an empty input" -i /dev/null -o kept
awk 'BEGIN { printf "{\"custom_id\":\"a\",\"url\":\"/x\",\"body\":\""; for (i = 0; i < 3000; i++) printf "x"; print "\"}" }' >long
refused 65 'long:1:2049: line_too_long' "a line that is too long" --max-line 2k -i long -o kept
refused 66 'none' "an input that does not exist" -i none -o kept
refused 66 'home' "a directory" -i home -o kept
refused 65 'url_mismatch' "another endpoint" --endpoint /v1/other -i three -o kept
refused 64 "--retries" "an unknown option" --retires 1 -i unix -o kept
refused 64 'goes with -i' "-o without -i" -o kept
refused 64 'goes with -i' "--base-url without -i"
refused 64 'no batches beside it' "-i and a batch" -i unix -o kept batch_00
for jobs in 0 10001 x -1 1.5 ''; do
	refused 64 'jobs' "-j '$jobs'" -j "$jobs" -i unix -o kept
done
refused 64 'retry-http' "a status that is none" --retry-http 429,6xx -i unix -o kept
refused 64 'retries' "a negative number" --retries=-1 -i unix -o kept
refused 64 'timeout' "a duration that is none" --timeout 10x -i unix -o kept
refused 64 'base-url' "a URL of another scheme" --base-url ftp://127.0.0.1/ -i unix -o kept
refused 64 'base-url' "a URL with a password" --base-url http://u:p@127.0.0.1/ -i unix -o kept
refused 64 'header' "a header that is none" --header nothing -i unix -o kept
refused 64 'header' "a header with a secret" --header 'Authorization: Bearer abcdef' -i unix -o kept
unlike "$(cat err)" 'abcdef' "it is not repeated"
refused 64 'key must be' "a key in place of its name" --key abcdef -i unix -o kept
unlike "$(cat err)" 'abcdef' "it is not repeated"
refused 64 'input' "-i without a file" -o kept -i
is "$(rows) $(cat kept)" "$before old" "nothing was stored or written"
is "$(sent_in_all)" "$calls" "and nothing sent"
ok "no error file was made" not test -e kept.err
sound "what was refused"

# --- the state file

mkdir other
echo "this is no database, but long enough to be taken for one by its size" >other/text
status_is 78 "a state file that is none" run -D other/text -i unix -o kept
sqlite3 other/foreign 'CREATE TABLE t (a); PRAGMA application_id = 7'
status_is 78 "one of another program" run -D other/foreign -i unix -o kept
cp "$FSL_DB" other/newer
sqlite3 other/newer 'PRAGMA user_version = 1000'
cksum other/newer >sum
status_is 78 "one of a newer version" run -D other/newer -i unix -o kept
like "$(cat err)" 'version 1000' "is named"
is "$(cksum other/newer)" "$(cat sum)" "and not touched"
status_is 78 "a directory" run -D other -i unix -o kept
status_is 73 "one in a missing directory" run -D none/fsl.db -i unix -o kept
cp "$FSL_DB" other/linked
ln other/linked other/again
status_is 78 "one with two names" run -D other/again -i unix -o kept
is "$(cat kept) $(sent_in_all)" "old $calls" "nothing is sent then, or written"
ln -s "$FSL_DB" other/symbolic
status_is 0 "a symbolic link" run -D other/symbolic -i unix -o kept
is "$(sent_in_all) $(ls other/symbolic-*  2>/dev/null)" "$calls " "is the file it points to"
unset FSL_DB
status_is 0 "no state file is named" run -i unix -o kept
is "$(stat -c '%a' home/.local/state/fsl home/.local/state/fsl/fsl.db | paste -sd' ')" "700 600" \
	"it is made in the user's directory, for the user alone"
FSL_DB=$PWD/fsl.db
export FSL_DB
status_is 0 "a batch that is named twice" fsl-run @last @last
sound "state files"

done_testing
