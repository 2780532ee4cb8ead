#!/bin/sh
# shellcheck disable=SC2317 # functions are called by their names
# fsl-batch results: the lines of fsl-jsonl(5), where they go, and the exit status.
. "${0%/*}/tap.sh"

lines() {
	for n in $(seq "$1"); do
		printf '{"custom_id":"r%d","url":"/v1/r%d","body":{"model":"m","n":%d},"metadata":{"row":%d}}\n' \
			"$n" "$n" "$n" "$n"
	done
}
ids() { jq -r .custom_id "$@" | paste -sd' '; }
results() { fsl-batch results "$@"; }
new() { fsl-batch create --base-url "$url" --retries 0 "$@"; }

# r2 fails with 400, r4 has no answer; r5 answers first, r1 last.
server_start API --mode echo --rule 'path=/v1/r2 => status=400' --rule 'path=/v1/r4 => drop' \
	--rule 'path=/v1/r1 => sleep=300'
lines 5 >in.jsonl
b=$(new in.jsonl)
status_is 4 "before anything was sent" results "$b"
is "$(cat out)" "" "there is nothing"
like "$(cat err)" "5 requests have not ended" "and it says so"
fsl-run -j 5 "$b" >/dev/null 2>&1

# --- lines

status_is 3 "some have failed: exit 3" results "$b"
is "$(ids out)" "r1 r3 r5" "the successes, in the order of the input"
like "$(cat err)" "2 requests ended without success" "the others are counted"
hex=${b#batch_}
is "$(head -n 1 out | jq -c 'del(.response.request_id)')" \
	"$(printf '{"id":"batch_req_%s00000001","custom_id":"r1","response":{"status_code":200,"body":{"model":"m","n":1}},"error":null,"metadata":{"row":1}}' "$hex")" \
	"an output line"
status_is 0 "--failed: exit 0" results --failed "$b"
is "$(ids out)" "r2 r4" "the error lines instead"
is "$(jq -c '[.response.status_code, .error]' out | head -n 1)" '[400,null]' \
	"one with an answer has it as its response"
is "$(jq -c '[.response, .error.code]' out | tail -n 1)" '[null,"recv_error"]' \
	"one without has a code"
is "$(jq -c .metadata out | paste -sd' ')" '{"row":2} {"row":4}' "both give the metadata back"
status_is 0 "--all: exit 0" results --all "$b"
is "$(ids out)" "r1 r2 r3 r4 r5" "both kinds, every line once"
is "$(ids in.jsonl)" "$(ids out)" "as many as the input has"
status_is 0 "--with-input" results --with-input --all "$b"
is "$(jq -c .input out)" "$(cat in.jsonl)" "adds the line of the request"
status_is 0 "--order completion" results --all --order completion "$b"
is "$(ids out | sed 's/.* //')" r1 "the slowest comes last"
status_is 0 "-e" results -e bad.jsonl "$b"
is "$(ids out) / $(ids bad.jsonl)" "r1 r3 r5 / r2 r4" "the error lines go there"
status_is 0 "-o and -e" results -o good.jsonl -e bad.jsonl "$b"
is "$(ids good.jsonl)$(cat out)" "r1 r3 r5" "nothing on standard output"
is "$(stat -c %a good.jsonl)" 600 "a new file is ours alone"
status_is 64 "-o and -e are the same" results -o x.jsonl -e ./x.jsonl "$b"
status_is 64 "--failed and --all" results --failed --all "$b"
status_is 73 "an output that cannot be made" results -o no/such/dir.jsonl "$b"
status_is 3 "--max-failed below" results --max-failed 1 "$b"
status_is 0 "--max-failed enough" results --max-failed 40% "$b"
status_is 64 "--max-failed nonsense" results --max-failed x "$b"
status_is 5 "an unknown batch" results nosuch
status_is 5 "one of two" results "$b" nosuch
is "$(cat out)" "" "gives nothing"
after=$(results --all "$b" 2>/dev/null | sed -n 3p | jq -r .id)
is "$(results --all --after "$after" "$b" | ids)" "r4 r5" "--after a line, in input order"
status_is 64 "--after something else" results --after r3 "$b"

# --- the reader, the disk

is "$(results --all "$b" 2>err | head -n 1 | ids)$(cat err)" r1 "a reader that leaves is no error"
if [ -e /dev/full ]; then
	status_is 74 "a full disk is one" sh -c "fsl-batch results --all $b >/dev/full"
else
	skip "no /dev/full" "a full disk is one"
fi
echo old >good.jsonl
status_is 64 "what fails" results -o good.jsonl --max-failed x "$b"
is "$(cat good.jsonl)" old "leaves the old file"
is "$(find . -name '.*.jsonl*')" "" "and nothing beside it"

# --- several batches

(lines 3; echo '{"custom_id":"s1","url":"/v1/s1"}') >two.jsonl
c=$(new two.jsonl)
fsl-run "$c" >/dev/null 2>&1
status_is 0 "two batches" results --all "$b" "$c"
is "$(ids out)" "r4 r5 r1 r2 r3 s1" "one line per custom id, the later batch wins"
server_stop API
server_start AGAIN --mode echo
d=$(fsl-batch create --base-url "$url" in.jsonl)
fsl-run "$d" >/dev/null 2>&1
status_is 3 "a failure is an error line" results "$b"
status_is 0 "unless another batch has a success" results "$d" "$b"
is "$(ids out | tr ' ' '\n' | sort | paste -sd' ')" "r1 r2 r3 r4 r5" "whichever comes first"
status_is 64 "--follow takes one batch" results -f "$b" "$d"
server_stop AGAIN

# --- follow: whole lines as they are committed, until the end

server_start SLOW --mode echo --rule 'path=/v1/r2 => sleep=600'
lines 3 >slow.jsonl
b=$(fsl-batch create --base-url "$url" slow.jsonl)
results -f --all "$b" >follow.jsonl 2>follow.err &
follower=$!
ok "without a worker it says so" wait_for 10 grep -q 'no worker' follow.err
fsl-run -j 3 "$b" >/dev/null 2>&1 &
two_lines() { [ "$(wc -l <follow.jsonl)" -eq 2 ]; }
ok "results come before the batch has ended" wait_for 20 two_lines
is "$(ids follow.jsonl | tr ' ' '\n' | sort | paste -sd' ')" "r1 r3" "whole lines"
wait $follower
is "$? $(ids follow.jsonl | tr ' ' '\n' | sort | paste -sd' ')" "0 r1 r2 r3" \
	"it ends with the batch, each line once"
is "$(grep -c 'no worker' follow.err)" 1 "and has said that once"

# --- wait

status_is 0 "wait for what has ended" fsl-batch wait "$b"
b=$(fsl-batch create --base-url "$url" slow.jsonl)
status_is 4 "wait without a worker" fsl-batch wait "$b"
like "$(cat err)" 'no worker is running.*fsl-run' "says what to do"
fsl-run "$b" >/dev/null 2>&1 &
run=$!
working() { [ "$(fsl-batch show "$b" | jq .fsl.counts.processing)" -gt 0 ]; }
wait_for 20 working
status_is 4 "wait --timeout" fsl-batch wait --timeout 1ms "$b"
status_is 0 "wait" fsl-batch wait "$b"
is "$(fsl-batch show "$b" | jq -r .status)" completed "until it has ended"
wait $run
status_is 1 "exits as the worst one would" fsl-batch wait "$b" \
	"$(c=$(new slow.jsonl) && fsl-batch cancel "$c" >/dev/null && echo "$c")"
new slow.jsonl >/dev/null
status_is 0 "wait --any" fsl-batch wait --any "$b" @last
status_is 5 "wait for nothing" fsl-batch wait nosuch
done_testing
