#!/bin/sh
# fsl-run: one command from a file of requests to its results, and the same
# command again; then batches by name, and what stands in the way of a run.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

server_start API --mode echo --log api.log --log-headers \
	--rule 'path=/v1/bad* => status=400'
# run ARGUMENT...: fsl-run with that server.
run() { fsl-run --base-url "$API_URL" "$@"; }
# run_in FILE ARGUMENT...: with a pipe as standard input.
run_in() {
	run_in_file=$1
	shift
	# shellcheck disable=SC2002 # a pipe is what is tested
	cat "$run_in_file" | run "$@"
}
# calls: how many requests the server has got since count_calls.
calls_before=0
count_calls() { calls_before=$(stats API .requests); }
calls() { echo $(($(stats API .requests) - calls_before)); }
batches() { sql 'SELECT count(*) FROM batches'; }

# --- all is well

requests 40 >in.jsonl
ids in.jsonl >in.ids
status_is 0 "all requests succeed: exit 0" run -i in.jsonl -o out.jsonl
is "$(cat out err)" "" "and nothing is said off a terminal"
is "$(ids out.jsonl)" "$(cat in.ids)" "each custom_id once, in the order of the input"
is "$(calls)" 40 "each request is sent once"
is "$(jq -c .response.body out.jsonl)" "$(jq -c .body in.jsonl)" "each answer is with its request"
is "$(stat -c %a fsl.db fsl.db-fsl | paste -sd' ')" "600 600" "the state file is the user's alone"
sound "one shot"

# --- no output takes the place of the input, or of the state file

cp in.jsonl precious.jsonl
status_is 64 "the output is the input" run -i precious.jsonl -o precious.jsonl
like "$(cat err)" "output 'precious.jsonl' would replace the input" "says so"
status_is 64 "so are the errors" run -i precious.jsonl -o other.jsonl -e ./precious.jsonl
status_is 64 "and with -n" run -n -i precious.jsonl -o precious.jsonl
status_is 64 "and as standard input" sh -c 'fsl-run -i - -o precious.jsonl <precious.jsonl'
cp in.jsonl other.jsonl.part
status_is 64 "the .part of an output is the input" run -i other.jsonl.part -o other.jsonl
ok "the input stays" cmp in.jsonl other.jsonl.part
status_is 64 "bad lines to the input" fsl-file import --skip-invalid precious.jsonl precious.jsonl
ok "it stays too" cmp in.jsonl precious.jsonl
status_is 73 "the output is the state file" run -i in.jsonl -o fsl.db
like "$(cat err)" "'fsl.db' is a state file: no output may take its place" "says so"
status_is 73 "so are results" fsl-batch results -o fsl.db @last
status_is 73 "and an export" fsl-file export -o fsl.db @last
status_is 0 "counters do not take its place" run --metrics-file fsl.db -i in.jsonl -o other.jsonl
like "$(cat err)" "'fsl.db' is a state file" "and are warned of"
sound "a state file named as output"
rm -f precious.* other.*

# --- the same command again

cp out.jsonl first.jsonl
count_calls
status_is 0 "the same command again is no error" run -i in.jsonl -o out.jsonl
is "$(calls)" 0 "nothing is sent"
like "$(cat err)" 'had ended: nothing is sent, only written out' "a note says so, off a terminal too"
ok "the output is written again" cmp first.jsonl out.jsonl
rm out.jsonl
status_is 0 "once more, quietly" run -q -i in.jsonl -o out.jsonl
is "$(cat out err)" "" "--quiet leaves the note out"
ok "and writes the output" cmp first.jsonl out.jsonl
status_is 0 "another output, from standard input" run_in in.jsonl -q -i - -o out2.jsonl
ok "is the same batch" cmp first.jsonl out2.jsonl
is "$(calls)" 0 "nothing is sent"

tac in.jsonl >tac.jsonl
status_is 0 "the input in another order" run -i tac.jsonl -o tac.out.jsonl
is "$(calls) $(batches)" "40 2" "is another batch and sent"
is "$(ids tac.out.jsonl)" "$(ids tac.jsonl)" "its output has the order of its input"
count_calls
status_is 0 "--new" run --new -i in.jsonl -o new.jsonl
is "$(calls) $(batches)" "40 3" "sends everything anew"
unlike "$(jq -r .id new.jsonl first.jsonl | sort | uniq -d)" . "as new requests"
status_is 0 "without --new" run -i in.jsonl -o out.jsonl
ok "the newest of them is meant" cmp new.jsonl out.jsonl
status_is 0 "another header" run --header 'X-Tenant: a' -i in.jsonl -o tenant.jsonl
is "$(calls) $(batches)" "80 4" "is another batch"
sound "the same and similar commands"

# --- some fail

count_calls
requests 40 101 | sed 's,/v1/r\([0-9]*0\)",/v1/bad\1",' >some.jsonl
status_is 3 "some requests fail: exit 3" run -i some.jsonl -o some.out -e some.err
is "$(wc -l <some.out) $(wc -l <some.err)" "36 4" "output and errors have each line"
is "$(ids some.out some.err | sort)" "$(ids some.jsonl | sort)" "each custom_id once"
is "$(ids some.err | paste -sd' ')" "r110 r120 r130 r140" "errors are in input order, too"
is "$(calls)" 40 "a 400 is sent once"
is "$(jq -c '[.response.status_code, .error]' some.err | sort -u)" '[400,null]' \
	"an error line has the answer"
like "$(cat err)" '36 completed, 4 failed, 0 left' "the summary counts them"
count_calls
status_is 3 "without -e" run --new -i some.jsonl -o some2.out
like "$(cat err)" '36 completed, 4 failed, 0 left' "failures are counted in the summary"
is "$(ids some2.out | wc -l)" 36 "the output has the others"
count_calls
status_is 3 "and the error lines can be had later" run -i some.jsonl -e some2.err
is "$(ids some2.err | paste -sd' ') $(calls)" "r110 r120 r130 r140 0" "without sending"
like "$(cat err)" '--retry-failed' "the note names --retry-failed"
status_is 3 "the streamed output has no failures" run -i some.jsonl -o - -e some3.err
is "$(ids out | wc -l)" 36 "only results"
is "$(ids some3.err | wc -l) $(calls)" "4 0" "the error lines go to -e"

requests 5 201 | sed 's,/v1/r,/v1/bad,' >all.jsonl
status_is 1 "all fail: exit 1" run -i all.jsonl -o all.out -e all.err
is "$(wc -l <all.out) $(wc -l <all.err)" "0 5" "the output is empty, and is there"
sound "failures"

# --- --retry-failed

server_start FIX --mode echo --log fix.log --rule 'path=/v1/bad*,limit=4 => status=400'
status_is 3 "four fail" fsl-run -i some.jsonl -o fix.out -e fix.err --base-url "$FIX_URL"
status_is 0 "--retry-failed" fsl-run --retry-failed -i some.jsonl -o fix.out -e fix.err \
	--base-url "$FIX_URL"
is "$(stats FIX .requests)" 44 "sends only what failed"
like "$(cat err)" '4 requests that had failed are sent once more' "and says so"
is "$(ids fix.out) $(wc -l <fix.err)" "$(ids some.jsonl) 0" "the output is complete then"
is "$(jq -r 'select(.path == "/v1/bad110") | .key' fix.log | sed 's/^batch_req_[0-9a-f]*//' |
	paste -sd,)" ",-r1" "under a new Idempotency-Key: the old one may replay the failure"
status_is 0 "--retry-failed without failures" fsl-run --retry-failed -i some.jsonl -o fix.out \
	--base-url "$FIX_URL"
is "$(stats FIX .requests)" 44 "sends nothing"
sound "--retry-failed"

# --- -o -: whole lines as they complete

server_start SLOW --mode echo --rule 'path=/v1/r9 => sleep=1500' --log slow.log
requests 9 >nine.jsonl
fsl-run -i nine.jsonl -o - --base-url "$SLOW_URL" >streamed 2>err &
streamer=$!
ok "-o -: the first lines are there" eventually lines_are streamed 8
is "$(stats SLOW .in_flight)" 1 "before the last request is answered"
is "$(tail -c 1 streamed | od -An -c | tr -d ' ')" '\n' "all of them whole"
wait $streamer
is "$? $(ids streamed | sort | paste -sd' ')" "0 r1 r2 r3 r4 r5 r6 r7 r8 r9" "then the rest"
is "$(tail -n 1 streamed | jq -r .custom_id)" r9 "in the order of completion"
is "$(cat err)" "" "and nothing is said"
sound "-o -"

server_start LATE --mode echo --latency 20 --log late.log
requests 60 >sixty.jsonl
run_late() { fsl-run --base-url "$LATE_URL" -j 2 "$@"; }
gone() { { run_late -i sixty.jsonl -o - --json; echo $? >status; } | head -n 1; }
status_is 0 "the reader goes away after one line" gone
is "$(wc -l <out) $(cat status)" "1 4" "that is no error: exit 4, as work remains"
is "$(grep -c . err)" 1 "only the summary is on stderr"
is "$(jq -r '[.reason, .remaining > 0] | join(" ")' err)" "reader_gone true" \
	"it says why the run stopped"
like "$(stats LATE .requests)" '^[1-5]?[0-9]$' "sending stopped"
sound "the reader went away"
status_is 0 "the same with -o FILE goes on" run_late -i sixty.jsonl -o sixty.out
is "$(ids sixty.out)" "$(ids sixty.jsonl)" "nothing is lost"
is "$(sent late.log | sort -V)" "$(ids sixty.jsonl)" "and nothing was sent twice"
status_is 0 "the reader of a finished batch goes away" gone
is "$(wc -l <out) $(cat status)" "1 0" "that is no error either: exit 0"

server_start BIG --body-size 150000 --jitter 10
requests 60 1000 >big1.jsonl
requests 60 2000 >big2.jsonl
fsl-run -D big1.db -i big1.jsonl -o - --base-url "$BIG_URL" >>both 2>err &
runner=$!
fsl-run -D big2.db -i big2.jsonl -o - --base-url "$BIG_URL" >>both 2>err
status=$?
wait $runner
is "$status $? $(ids both | sort)" "0 0 $(ids big1.jsonl big2.jsonl)" \
	"two runs append large lines to one file: none is torn"

# --- outputs of all kinds

for errors in same ./same "$PWD/same"; do
	status_is 64 "-o same and -e $errors are refused" run -i in.jsonl -o same -e "$errors"
done
ln -s same link
status_is 64 "a link to it too" run -i in.jsonl -o same -e link
status_is 64 "both to standard output too" run -i in.jsonl -o - -e -
count_calls
status_is 73 "an output in a missing directory: 73" run --new -i in.jsonl -o no/out.jsonl
is "$(calls)" 0 "before anything is sent"
like "$(cat err)" "cannot create 'no/out.jsonl': No such file" "naming the path"
status_is 73 "errors in a missing directory: 73" run --new -i in.jsonl -o out -e no/err
is "$(calls)" 0 "before anything is sent"
status_is 74 "/dev/full: 74" run -i in.jsonl -o /dev/full
like "$(cat err)" '/dev/full.*No space left' "and why"
full() { run -i in.jsonl -o - >/dev/full; }
status_is 74 "-o - to a full disk: 74" full
status_is 0 "the next run has the results" run -i in.jsonl -o out.jsonl
ok "all of them" cmp new.jsonl out.jsonl
status_is 0 "/dev/stdout" run -i in.jsonl -o /dev/stdout
ok "gets the results" cmp new.jsonl out
echo kept >>appended
append() { run -i in.jsonl -o /dev/stdout >>appended; }
status_is 0 "/dev/stdout that is appended to" append
is "$(head -n 1 appended) $(wc -l <appended)" "kept 41" "keeps what is there"
mkfifo fifo
cat fifo >from.fifo &
reader=$!
status_is 0 "a FIFO" run -i in.jsonl -o fifo
wait $reader
ok "gets the results" cmp new.jsonl from.fifo
ok "and stays a FIFO" test -p fifo
echo old >target
ln -s target to.target
status_is 0 "a symbolic link" run -i in.jsonl -o to.target
ok "its target is replaced" cmp new.jsonl target
ok "the link stays" test -L to.target
is "$(find . -name '.*.??????' -type f)" "" "no temporary file is left"

# --- the summary for programs

summary='{"event","reason","exit","batches","completed","failed","remaining","attempts","retries","seconds","rate","usage","plans","message"}'
status_is 3 "--json" run --json --new -i some.jsonl -o some.out -e some.err
is "$(jq -c 'keys_unsorted' out)" "$(echo "$summary" | tr '{}' '[]')" \
	"the members of the summary are those that are promised, in their order"
is "$(jq -c '[.event, .reason, .exit, .batches, .completed, .failed, .remaining, .attempts,
	.retries, (.seconds | type), (.rate > 0)]' out)" \
	'["summary","drained",3,1,36,4,0,40,{},"number",true]' "and what they say is true"
is "$(wc -l <out) $(cat err)" "1 " "one line on stdout, nothing beside it"
status_is 3 "--json of a batch that had ended" run --json -i some.jsonl -o some.out
is "$(jq -c '[.exit, .completed, .failed, .attempts]' out)" '[3,36,4,0]' \
	"counts the batch, and the attempts of this run"
status_is 0 "--json with -o -" run --json -i in.jsonl -o -
is "$(tail -n 1 err | jq -r .event) $(wc -l <out)" "summary 40" \
	"the summary is the last line of stderr"
usage='path=/v1/r1 => body={"usage":{"prompt_tokens":10,"completion_tokens":5,
"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}'
server_start USAGE --rule "$(echo "$usage" | paste -sd' ')" --rule 'path=/v1/r2,limit=1 => status=500'
requests 2 >two.jsonl
status_is 0 "tokens and retries" fsl-run --json -i two.jsonl -o two.out --retry-delay 1ms \
	--base-url "$USAGE_URL"
is "$(jq -c '[.usage, .retries, .attempts]' out)" \
	'[{"input_tokens":10,"cached_tokens":4,"output_tokens":5,"reasoning_tokens":2},{"500":1},3]' \
	"are counted"
status_is 0 "--progress json" fsl-run --new --progress json:0.1 -i two.jsonl -o two.out \
	--base-url "$USAGE_URL"
ok "is JSON on stderr" jq -e . err

# --- batches by name, and several

fsl-batch create --base-url "$LATE_URL" --name first in.jsonl >first.id
fsl-batch create --base-url "$LATE_URL" --name second sixty.jsonl >second.id
: >late.log
status_is 0 "a batch by its name" fsl-run -j 2 first
is "$(grep -c r1 late.log) $(jq -s length late.log)" "11 40" "is sent, and no other"
is "$(cat out err)" "" "and nothing is said"
status_is 0 "a batch that has ended" fsl-run first
is "$(jq -s length late.log)" 40 "is not sent again"
fsl-batch create --base-url "$LATE_URL" in.jsonl >third.id
: >late.log
status_is 0 "no operand: whatever is left" fsl-run -j 2
is "$(jq -s length late.log)" 100 "is sent"
is "$(head -n 20 late.log | jq -r .key | cut -c1-42 | sort | uniq -c | awk '{ print ($1 >= 5) }' |
	paste -sd' ')" "1 1" "batches of the same rank take turns"
is "$(sql "SELECT group_concat(status) FROM batches WHERE name IS NOT NULL OR id = (
	SELECT max(id) FROM batches)")" "2,2,2" "all have ended"
status_is 0 "nothing left" fsl-run
is "$(cat out err)" "" "is no error, and silent"
fsl-batch create --base-url "$API_URL" --name good tac.jsonl >good.id
fsl-batch create --base-url "$API_URL" --name worse all.jsonl >worse.id
status_is 1 "the exit status is that of the batches named" fsl-run worse
status_is 0 "not of those that ended before" fsl-run good
sound "several batches"

# --- how many at once, and in which order

server_start MANY --mode echo --latency 30
status_is 0 "-j 4" fsl-run -j 4 -i sixty.jsonl -o sixty.out --base-url "$MANY_URL"
is "$(stats MANY .max_in_flight)" 4 "4 are in flight at once, and never more"
server_start ONE --mode echo --log one.log
requests 300 >many.jsonl
status_is 0 "-j 1" fsl-run -j 1 -i many.jsonl -o many.out --base-url "$ONE_URL"
is "$(sent one.log)" "$(ids many.jsonl)" "sends in the order of the lines"
is "$(stats ONE .max_in_flight)" 1 "one after the other"
for i in 1 5 3; do
	requests 100 $i$((i * 100)) >rank$i.jsonl
	fsl-batch create -q --name rank$i --priority $i --base-url "$ONE_URL" rank$i.jsonl >/dev/null
done
: >one.log
status_is 0 "three batches" fsl-run -j 1 rank1 rank3 rank5
is "$(sent one.log)" "$(ids rank5.jsonl rank3.jsonl rank1.jsonl)" \
	"by priority, and in each of them in the order of the lines"

# --- what does not exist

status_is 5 "an unknown batch" fsl-run nobody
like "$(cat err)" 'nobody' "is named"
status_is 5 "an unknown id" fsl-run batch_00000000000000000000000000000000
status_is 5 "a missing state file" fsl-run -D none.db nobody
like "$(cat err)" 'none.db: there is no state file' "is named"
ok "and not made" not test -e none.db

# --- somebody else holds the state file

requests 100 >hundred.jsonl
run_late -i hundred.jsonl -o hundred.out 2>err &
runner=$!
eventually stats_are LATE '.requests > 210' true
mkfifo shell
exec 8<>shell
timeout 3 sqlite3 -cmd '.timeout 5000' "$FSL_DB" <shell >shell.out &
locker=$!
echo "BEGIN IMMEDIATE; SELECT 'locked';" >&8
ok "a foreign shell locks the state file for 3 s" eventually lines_are shell.out 1
answered=$(sql 'SELECT count(*) FROM answers')
says() { grep -q "$2" "$1"; }
ok "the run says what it waits for" eventually says err 'another program holds the state file'
is "$(sql 'SELECT count(*) FROM answers')" "$answered" "nothing is recorded meanwhile"
wait $locker
exec 8>&-
wait $runner
is "$? $(ids hundred.out)" "0 $(ids hundred.jsonl)" "and everything completes"
is "$(tail -n 100 late.log | jq -r .path | sort -u | wc -l)" 100 "nothing is sent twice"
sound "a lock from outside"

# --- the state file moves away under it

run_late --new -i hundred.jsonl -o moved.out 2>err &
runner=$!
eventually stats_are LATE '.requests > 310' true
mv fsl.db away.db
wait $runner
is $? 78 "the state file is moved: exit 78"
like "$(cat err)" 'fsl.db: the state file was moved, removed or replaced' "and says so"
ok "no output is written" not test -e moved.out
ok "no new state file is made" not test -e fsl.db

# --- two at once

FSL_DB=$PWD/twice.db
: >late.log
run_late --name twins -i sixty.jsonl -o one.out 2>one.err &
one=$!
run_late --name twins -i sixty.jsonl -o two.out 2>two.err &
two=$!
wait $one
one=$?
wait $two
is "$one $?" "0 0" "the same command twice at once succeeds"
ok "both have all results" cmp one.out two.out
is "$(ids one.out) $(jq -s length late.log)" "$(ids sixty.jsonl) 60" "each request is sent once"
sound "two at once"

# --- keys

FSL_DB=$PWD/key.db
server_start OTHER --mode echo --log other.log
{
	requests 3
	requests 3 4 | sed "s,\"/v1,\"$OTHER_URL/v1,"
} >keyed.jsonl
key=canary-5f1d9b7e2c44
SECRET=$key
export SECRET
: >api.log
count_calls
unset SECRET
status_is 77 "the variable of the key is not set: 77" run --key env:SECRET -i keyed.jsonl -o keyed.out
like "$(cat err)" 'env:SECRET: the variable is not set' "it is named"
is "$(calls)" 0 "nothing is sent"
like "$(sql 'SELECT pending FROM batches')" '^6$' "the requests stay"
SECRET=
export SECRET
status_is 77 "it is empty: 77" run --key env:SECRET -i keyed.jsonl -o keyed.out
SECRET=$key
status_is 0 "with the key they are sent" run -vv --key env:SECRET -i keyed.jsonl -o keyed.out
is "$(jq -r .auth api.log | sort -u)" "Bearer $key" "the base URL's origin gets it"
is "$(jq -r .auth other.log | sort -u) $(jq -s length other.log)" "null 3" \
	"another origin does not"
unlike "$(cat err out keyed.out)" "$key" "it is not in what -vv says"
run_key() { run --new --key env:SECRET --key-header 'api-key: {}' -i keyed.jsonl -o keyed.out; }
: >api.log
status_is 0 "--key-header" run_key
is "$(jq -r '[.headers["api-key"], .auth] | join(" ")' api.log | sort -u)" "$key " \
	"the key goes there instead"
(umask 077 && echo "$key" >key.file)
: >api.log
status_is 0 "a key in a file" run --new --key file:key.file -i keyed.jsonl -o keyed.out
is "$(jq -r .auth api.log | sort -u)" "Bearer $key" "is sent"
chmod 644 key.file
status_is 77 "a file that others can read: 77" run --new --key file:key.file -i keyed.jsonl -o keyed.out
rm key.file
status_is 64 "the key itself on the command line is refused" run --key "$key" -i keyed.jsonl -o x
unlike "$(cat err)" "$key" "and not repeated"

# While one answer is awaited the log beside the state file is there to be read.
server_start HOLD --mode echo --rule 'path=/v1/r3 => hang'
requests 3 >three.jsonl
fsl-run -vv --key env:SECRET -i three.jsonl -o held.out --base-url "$HOLD_URL" 2>err &
holder=$!
completed() { [ "$(sql 'SELECT completed FROM batches ORDER BY id DESC LIMIT 1')" = "$1" ]; }
ok "while a request is in flight" eventually completed 2
ok "the log is not empty" test -s key.db-wal
is "$(grep -alr "$key" key.db* home)" "" "the key is in no file"
is "$(grep -c "$key" "/proc/$holder/cmdline")" 0 "and not in the arguments"
like "$(grep -c . err)" '^[1-9]' "-vv says something"
unlike "$(cat err)" "$key" "but not the key"
kill -KILL $holder
wait $holder 2>/dev/null
sound_after_kill "keys"

FSL_DB=$PWD/body.db
echo '{"custom_id":"b1","url":"/v1/b1","body":{"prompt":"canary-body"}}' >body.jsonl
server_start BODY --mode echo --rule 'any,limit=1 => status=500'
: >err
for format in text json; do
	status_is 0 "a body, with -vv --log-format $format" fsl-run --new -vv --log-format $format \
		--retry-delay 1ms -i body.jsonl -o body.out --base-url "$BODY_URL"
	like "$(grep -c . err)" '^[1-9]' "something is said"
	unlike "$(cat err out)" canary-body "but neither what was sent nor what came back"
	like "$(cat body.out)" canary-body "which is in the output"
done

FSL_DB=$PWD/echo.db
body="{\"error\":{\"message\":\"Incorrect API key provided: $key\"}}"
server_start REFUSE --rule "any => status=400 ; body=$body"
status_is 1 "a server that repeats the key" fsl-run -vv --key env:SECRET -i three.jsonl \
	-e refused.err --base-url "$REFUSE_URL"
unlike "$(cat out err)" "$key" "messages do not show it"
is "$(sql 'SELECT DISTINCT message FROM answers')" "Incorrect API key provided: ***" \
	"but *** in its place"
is "$(jq -c .response.body refused.err | sort -u)" "$body" "the answer is stored as it came"

done_testing
