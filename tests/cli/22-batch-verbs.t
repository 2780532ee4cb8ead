#!/bin/sh
# shellcheck disable=SC2317 # functions are called by their names
# fsl-batch list, show, requests, inspect, errors, retry, cancel, delete.
. "${0%/*}/tap.sh"

lines() {
	for n in $(seq "$1"); do
		printf '{"custom_id":"r%d","url":"/v1/r%d","body":{"model":"m","n":%d}}\n' "$n" "$n" "$n"
	done
}
tabs() { printf '%s\n' "$1" | tr ' ' '\t'; }
field() { fsl-batch show "$1" | jq -r "$2"; }
counts() { field "$1" '.fsl.counts | [.pending, .retrying, .completed, .failed, .cancelled] | join(" ")'; }
sound() {
	is "$(sql "SELECT b.id FROM batches b WHERE
		(SELECT printf('%d %d %d %d %d', sum(state = 0), sum(state = 2), sum(state = 3),
			sum(state = 4), count(*)) FROM requests r
			WHERE r.id > b.id << 32 AND r.id < (b.id + 1) << 32)
		<> printf('%d %d %d %d %d', pending, completed, failed, cancelled, total)
		OR pending <> (SELECT sum(pending) FROM queues q WHERE q.batch = b.id)")" "" \
		"$1: the counters are those of the rows"
}

server_start API --mode openai --rule 'path=/v1/r2 => status=400' \
	--rule 'path=/v1/r3 => status=429 ; header="retry-after: 0" ; sleep=1' \
	--rule 'path=/v1/r4 => drop' --rule 'path=/v1/r5 => status=400 ; body={"error":{"message":"other"}}'
lines 6 >in.jsonl
export FSL_BASE_URL="$url"
b=$(fsl-batch create --retries 1 --retry-delay 1ms --retry-http 5xx --name one in.jsonl)
fsl-run one >/dev/null 2>&1

# --- list and show

status_is 0 "list" fsl-batch list
like "$(cat out)" "^$b	[0-9T:Z-]+	completed	6	2	4	one	-\$" \
	"BATCH_ID CREATED STATUS TOTAL COMPLETED FAILED NAME PRODUCT, TAB between"
is "$(fsl-batch list --json | jq -c '[.batch_id, .status, .total, .name]')" \
	"[\"$b\",\"completed\",6,\"one\"]" "--json"
is "$(fsl-batch list --columns name,total)" "one	6" "--columns"
like "$(script -qec 'fsl-batch list --color never' /dev/null </dev/null | head -n 1)" \
	'^BATCH_ID +CREATED +STATUS +TOTAL +COMPLETED +FAILED +NAME +PRODUCT' "a terminal gets a header"
c=$(fsl-batch create in.jsonl)
is "$(fsl-batch list --columns batch_id | paste -sd' ')" "$c $b" "newest first"
is "$(fsl-batch list --columns batch_id --limit 1)" "$c" "--limit"
is "$(fsl-batch list --columns batch_id --after "$c")" "$b" "--after"
is "$(fsl-batch list --columns batch_id --status completed,failed)" "$b" "--status"
is "$(fsl-batch list --since 1h | wc -l)" 2 "--since"
status_is 64 "an unknown status" fsl-batch list --status finished
status_is 5 "--after an unknown batch" fsl-batch list --after nosuch
status_is 0 "show" fsl-batch show one "$c"
is "$(jq -r .id out | paste -sd' ')" "$b $c" "an object per line"
is "$(field one '.fsl | .outcome + " " + (.attempts | tostring)')" "some_failed 7" "with our members"
printf '%s\n' one "$c" >ids
is "$(fsl-batch show - <ids | wc -l)" 2 "- reads operands from standard input"
status_is 5 "show what is not there" fsl-batch show nosuch one
is "$(jq -r .id out)" "$b" "and what is there"
status_is 5 "no state file" fsl-batch -D none.db list

# --- requests

status_is 0 "requests" fsl-batch requests one
is "$(cut -f 1-5,8,10 out)" "$(
	tabs '1 r1 completed 1 200 m -'; tabs '2 r2 failed 1 400 m -'; tabs '3 r3 failed 1 429 m -'
	tabs '4 r4 failed 2 - m recv_error'; tabs '5 r5 failed 1 400 m -'
	tabs '6 r6 completed 1 200 m -')" "LINE CUSTOM_ID STATE ATTEMPTS HTTP .. MODEL .. CODE"
is "$(head -n 1 out | awk -F'\t' '{ print NF, ($6 >= 0), ($7 > 0) }')" "11 1 1" \
	"MS and TOKENS, eleven columns"
ids_with() { fsl-batch requests --columns custom_id "$@" one | paste -sd' '; }
is "$(ids_with --state completed)" "r1 r6" "--state"
is "$(ids_with --http 400)" "r2 r5" "--http"
is "$(ids_with --http 4xx,500)" "r2 r3 r5" "--http with a class"
is "$(ids_with --code recv_error)" "r4" "--code"
is "$(ids_with --custom-id r6 --custom-id r2)" "r2 r6" "--custom-id"
is "$(printf 'r5\nr1\n' | ids_with --custom-id -)" "r1 r5" "--custom-id -"
is "$(ids_with --custom-id - </dev/null)" "" "no id is not every id"
is "$(ids_with --state failed --http 4xx --custom-id r2 --custom-id r1)" "r2" "all at once"
is "$(fsl-batch requests --attempts --columns custom_id,attempts,code one --code recv_error)" \
	"$(tabs 'r4 1 recv_error'; tabs 'r4 2 recv_error')" "--attempts: a line for each"
is "$(fsl-batch requests --json --custom-id r4 one | jq -c '[.line, .http, .code, .next]')" \
	'[4,null,"recv_error",null]' "--json"
status_is 64 "an unknown state" fsl-batch requests --state finished one
status_is 64 "a bad status" fsl-batch requests --http 42 one

# --- errors and inspect

status_is 0 "errors" fsl-batch errors one
is "$(cut -f 1-4 out | sort)" "$(
	tabs '- recv_error 1 r4'; tabs '400 - 1 r2'; tabs '400 - 1 r5'; tabs '429 - 1 r3')" \
	"STATUS CODE COUNT EXAMPLE, by status, code and message"
like "$(cat out)" '	r5	other$' "and the message of the server"
status_is 0 "inspect" fsl-batch inspect one r3
like "$(cat out)" "^POST $url/v1/r3\$" "the request"
like "$(cat out)" '^Content-Type: application/json$' "its headers"
like "$(cat out)" '^\{"model":"m","n":3\}$' "its body as it stands"
like "$(cat out)" '^attempt 1: .*Z, HTTP 429 after ' "each attempt"
like "$(cat out)" '^  retry-after: 0$' "the telling headers"
like "$(cat out)" '^  x-request-id: req_' "all of them"
like "$(cat out)" '^  \{"error":' "the head of the failed body"
is "$(fsl-batch inspect one r4 | grep -c '^attempt')" 2 "every attempt"
is "$(fsl-batch inspect --attempt 2 one r4 | grep '^attempt' | cut -d: -f1)" "attempt 2" "--attempt"
status_is 5 "an attempt that was not made" fsl-batch inspect --attempt 3 one r4
status_is 5 "a custom id that is not there" fsl-batch inspect one r7
is "$(fsl-batch inspect --json one r4 | jq -c '[.request.method, [.attempts[].code]]')" \
	'["POST",["recv_error","recv_error"]]' "--json"
is "$(fsl-batch inspect --curl one r1 | sh | jq -r .model)" m "--curl prints a command that works"
d=$(fsl-batch create --key env:MY_KEY in.jsonl 2>/dev/null)
MY_KEY=canary fsl-batch inspect --curl "$d" r1 >curl.sh
unlike "$(cat curl.sh)" canary "without the key"
like "$(cat curl.sh)" '"[$]MY_KEY"' "which is a variable"

# --- retry

status_is 0 "retry -n" fsl-batch retry -n one
is "$(cat out)" "$(tabs "$b 4")" "says how many it would send again"
is "$(counts one)" "0 0 2 4 0" "and sends none"
status_is 0 "retry with a filter" fsl-batch retry --http 429 one
is "$(cat out)" "$(tabs "$b 1")" "BATCH_ID REQUESTS"
is "$(counts one) $(field one .status)" "1 0 2 3 0 in_progress" "reopens the batch"
is "$(field one '[.completed_at, .finalizing_at] | tostring')" '[null,null]' "clears its end"
fsl-run one >/dev/null 2>&1
like "$(fsl-batch inspect one r3)" '^Idempotency-Key: batch_req_.*-r1$' "under another idempotency key"
is "$(fsl-batch inspect one r3 | grep -c '^attempt')" 2 "its attempts go on counting"
server_stop API
server_start FINE --mode openai --port "$API_PORT"
status_is 0 "retry" fsl-batch retry one
is "$(counts one)" "4 0 2 0 0" "what failed is pending again"
fsl-run one >/dev/null 2>&1
is "$(counts one) $(field one .fsl.outcome)" "0 0 6 0 0 all_completed" "and completes"
is "$(stats FINE .requests)" 4 "what was completed is not sent again"
status_is 0 "results are whole then" fsl-batch results one
is "$(wc -l <out)" 6 "one line per request"
status_is 5 "retry of one that is not there" fsl-batch retry --custom-id r3 --custom-id r99 one
like "$(cat err)" "has no request 'r99'" "names it"
status_is 5 "also with -n and --new" fsl-batch retry -n --new --custom-id r99 one
status_is 0 "one that is there, and has completed" fsl-batch retry --custom-id r3 --custom-id r3 one
is "$(cat out)" "$(tabs "$b 0")" "is not sent again"
status_is 64 "completed ones are never sent again" fsl-batch retry --state completed one
sound "after retries"

# --- cancel

status_is 0 "cancel -n" fsl-batch cancel -n "$c"
is "$(cat out)" "$(tabs "$c 6")" "says how many"
status_is 0 "cancel of one request" fsl-batch cancel --custom-id r2 "$c"
is "$(cat out) $(counts "$c")" "$(tabs "$c 1") 5 0 0 0 1" "leaves the others"
status_is 5 "cancel of one that is not there" fsl-batch cancel --custom-id r3 --custom-id r9 "$c"
is "$(counts "$c")" "5 0 0 0 1" "cancels nothing"
is "$(fsl-batch cancel --custom-id - "$c" </dev/null)" "$(tabs "$c 0")" "no id is not every id"
status_is 0 "cancel" fsl-batch cancel "$c" "$d"
is "$(cat out)" "$(tabs "$c 5"; tabs "$d 6")" "one line per batch"
is "$(counts "$c") $(field "$c" .status)" "0 0 0 0 6 cancelled" "all of it"
ok "its time is written" test "$(field "$c" .cancelled_at)" -gt 0
status_is 0 "twice is fine" fsl-batch cancel "$c"
is "$(fsl-batch results --all "$c" | jq -r .error.code | sort | uniq -c | tr -s ' ')" \
	" 6 batch_cancelled" "every line is an error line"
status_is 5 "cancel of what is not there" fsl-batch cancel nosuch
sound "after cancels"
fsl-batch retry "$c" >/dev/null
is "$(counts "$c") $(field "$c" '[.cancelled_at, .cancelling_at] | tostring')" \
	"6 0 0 0 0 [null,null]" "retry brings it back"

# --- a worker that was killed: cancel does not wait for it

server_stop FINE
server_start HANG --port "$API_PORT" --rule 'any => hang'
fsl-run -j 2 "$c" >/dev/null 2>&1 &
run=$!
flying() { [ "$(field "$c" .fsl.counts.processing)" = 2 ]; }
wait_for 20 flying
fsl-batch cancel "$c" >/dev/null
is "$(field "$c" .status)" cancelling "what is in flight is its worker's"
kill -9 $run
wait $run 2>/dev/null
status_is 0 "cancel when the worker is dead" fsl-batch cancel "$c"
is "$(field "$c" .status) $(counts "$c")" "cancelled 0 0 0 0 6" "takes it back and ends the batch"
sound "after a death"

# --- delete

e=$(fsl-batch create in.jsonl)
status_is 6 "delete of a running batch" fsl-batch delete "$e"
status_is 6 "delete of completed results" fsl-batch delete one
like "$(cat err)" '6' "says how many"
like "$(cat err)" 'hint: --force' "and how"
status_is 0 "delete -n --force" fsl-batch delete -n --force one
is "$(cat out)" "$(tabs "$b 6")" "BATCH_ID REQUESTS"
status_is 0 "is still there" fsl-batch show one
status_is 0 "delete --force" fsl-batch delete --force one
status_is 5 "is gone" fsl-batch show "$b"
is "$(sql 'SELECT count(*) FROM requests WHERE id >> 32 = 1')" 0 "with all its rows"
status_is 64 "delete of nothing" fsl-batch delete
status_is 0 "--older-than" fsl-batch delete --older-than 1h
is "$(cat out)" "" "leaves what is younger"
status_is 0 "--older-than of all" env FSL_TEST_NOW=+7200000 fsl-batch delete --older-than 1h
is "$(cut -f1 out | sort)" "$(printf '%s\n' "$c" "$d" | sort)" "takes what has ended"
is "$(fsl-batch list --columns batch_id)" "$e" "and nothing else"
is "$(sql 'SELECT count(*) FROM files')" 1 "a file that is needed stays"
fsl-batch cancel "$e" >/dev/null
status_is 0 "the last batch of a file" fsl-batch delete "$e"
is "$(sql 'SELECT count(*) FROM files')$(sql 'SELECT count(*) FROM lines')" 00 \
	"takes it along, if create imported it"
is "$(sql 'PRAGMA integrity_check')$(sql 'PRAGMA foreign_key_check')" ok "the state file is sound"
done_testing
