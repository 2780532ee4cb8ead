#!/bin/sh
# fsl-run: runs that end while something is left: exit status 4, and the words
# and the JSON say why and what to do next.  What is left alone is told to
# fsl-batch queue while the worker goes on with the rest.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

# lines N PATH: lines of input, r1 to rN.
lines() {
	for n in $(seq "$1"); do
		printf '{"custom_id":"r%d","url":"/v1/%s","body":{"model":"m"}}\n' "$n" "$2"
	done
}
# ends NAME REASON ARGUMENT...: a run with them ends with exit status 4 for that
# reason; what it says is in NAME.said, its summary in NAME.sum.
ends() {
	name=$1 reason=$2
	shift 2
	FSL_DB=$PWD/$name.db
	export FSL_DB
	fsl-run --retry-delay 1ms "$@" >/dev/null 2>"$name.said"
	is $? 4 "$reason: exit status 4"
	like "$(cat "$name.said")" "^fsl-run: $reason: " "$reason: the first word"
	fsl-run --retry-delay 1ms --json "$@" 2>/dev/null | tail -n 1 >"$name.sum"
	is "$(jq -c '[.reason, .exit]' "$name.sum")" "[\"$reason\",4]" "$reason: in JSON"
	sound "$name"
}
# says NAME PATTERN RULE
says() { like "$(cat "$1.said")" "$2" "$3"; }
message() { jq -r .message "$1.sum"; }
goes_on='the same command goes on with what is left$'

server_start API --mode openai --rule 'path=/v1/denied => status=401' \
	--rule 'path=/v1/poor => status=429 ; body={"error":{"code":"insufficient_quota","message":"pay first"}}' \
	--rule 'path=/v1/closed => status=403' --rule 'path=/v1/wrong => status=404' \
	--rule 'path=/v1/half,every=2 => status=400' --rule 'path=/v1/slow => sleep=100' \
	--rule 'path=/v1/hang => hang'
server_start GONE
gone=$GONE_URL
server_stop GONE
export FSL_BASE_URL="$API_URL" MY_KEY=wrong

# --- left alone

lines 30 x >down.jsonl
ends down host_down -i down.jsonl --base-url "$gone" --give-up-after 1s --retries 100
says down "^fsl-run: $gone does not answer well: .*connect" "which server, and what happened"
says down "^fsl-run: hint: when it answers again, $goes_on" "and that the run goes on then"
like "$(message down)" 'connect' "the message is in the summary"

lines 3 denied >denied.jsonl
ends denied unauthorized -i denied.jsonl --key env:MY_KEY
says denied "^fsl-run: m at $API_URL: the key env:MY_KEY is not accepted: scripted 401$" \
	"which key, and what the server says"
says denied "^fsl-run: hint: fsl-run -n prints a curl command .*, $goes_on" "how to check it"
is "$(message denied)" "scripted 401" "the message is in the summary"

lines 3 poor >poor.jsonl
ends poor quota -i poor.jsonl --key env:MY_KEY
says poor "^fsl-run: m at $API_URL: the quota of the key env:MY_KEY is used up: pay first$" "whose quota"
says poor "^fsl-run: hint: when there is some again, $goes_on" "and what then"

lines 50 closed >closed.jsonl
ends closed refused -j 1 -i closed.jsonl --no-guard
says closed "^fsl-run: m at $API_URL refuses requests, which had no key: scripted 403$" "what was refused"
says closed "^fsl-run: hint: fsl-batch errors [0-9a-f]{8} shows the answers; .*$goes_on" "and what then"
is "$(sql "SELECT failed < 30 AND pending > 20 FROM batches")" 1 "most of it is still there to be sent"

lines 50 wrong >wrong.jsonl
ends wrong all_failing -j 1 -i wrong.jsonl
id=$(sql "SELECT 'batch_' || lower(hex(uuid)) FROM batches")
says wrong "^fsl-run: the first 20 requests of $id all failed: scripted 404$" "which batch, and why"
says wrong "^fsl-run: hint: fsl-batch errors $id .*, fsl-batch retry $id .*--no-guard" "and the ways on"
is "$(message wrong)" "scripted 404" "the message is in the summary"
status_is 1 "--no-guard goes on" fsl-run --no-guard "$id"
lines 20 wrong >twenty.jsonl
FSL_DB=$PWD/twenty.db
status_is 1 "when nothing is left of the batch that all fails" fsl-run -i twenty.jsonl
like "$(cat err)" '^fsl-run: drained: 0 completed, 20 failed, 0 left' "nothing is left alone"

# --- stopped

lines 30 slow >slow.jsonl
ends time max_time -j 1 -i slow.jsonl --max-time 300ms
says time "^fsl-run: hint: stopped by --max-time; $goes_on" "and that the same command goes on"
is "$(message time)" null "there is no message"
ends requests max_requests -i slow.jsonl --max-requests 3
says requests "^fsl-run: hint: stopped by --max-requests; $goes_on" "what next"
lines 30 half >half.jsonl
ends failed max_failed -j 1 -i half.jsonl --max-failed 2
says failed "^fsl-run: hint: stopped by --max-failed; $goes_on" "what next"
says failed "^fsl-run: hint: fsl-batch errors [0-9a-f]{8} says why" "and where the failures are"
echo '{"m":{"input":1,"output":1000000}}' >prices.json
sed 's/"model"/"max_tokens":1,"model"/' slow.jsonl >cost.jsonl
ends cost max_cost -j 1 -i cost.jsonl --prices prices.json --max-cost 2.5
says cost "^fsl-run: hint: stopped by --max-cost; $goes_on" "what next"
FSL_DB=$PWD/new.db
status_is 4 "with --new" fsl-run --new -i slow.jsonl --max-requests 3
like "$(cat err)" 'the same command without --new goes on' "it is said that this would begin anew"
status_is 0 "and what is said is true" fsl-run -j 30 -i slow.jsonl
is "$(sql 'SELECT count(*), sum(completed) FROM batches')" "1|30" "the same batch goes on"

# --- a key that is not there

FSL_DB=$PWD/key.db
{ lines 1 hang; lines 2 slow | tail -n 1; } >hang.jsonl
fsl-batch create --name keyless --key env:NO_KEY slow.jsonl >/dev/null 2>&1
status_is 77 "nothing but a batch without its key" fsl-run keyless
says_key="^fsl-run: batch_[0-9a-f]+ is left alone( \\(key_unresolved\\))?: key env:NO_KEY: the variable is not set"
is "$(grep -cE "$says_key" err)" 2 "when it is met, and at the end"
like "$(cat err)" "^fsl-run: hint: when the key is there, $goes_on" "what next"
status_is 77 "-q" fsl-run -q keyless
like "$(cat err)" "$says_key" "says it, too"
fsl-batch create --name hangs hang.jsonl >/dev/null
fsl-run --json >key.sum 2>key.said &
run=$!
counts_are() { [ "$(sql 'SELECT sum(completed), (SELECT count(*) FROM flights) FROM batches')" = "$1" ]; }
why() { fsl-batch queue --columns key,why | grep -F "$1"; }
ok "fsl-batch queue names it while the worker goes on with another" \
	eventually why "env:NO_KEY	key_unresolved: key env:NO_KEY: the variable is not set"
ok "of which one is done, one in flight" eventually counts_are "1|1"
is "$(fsl-batch queue --json | jq -c 'select(.key == "env:NO_KEY") | [.pending, .next]')" "[30,null]" \
	"nothing is sent of it, and not tried again"
fsl-batch cancel --now hangs >/dev/null
wait $run
is $? 4 "without names, too, what was left alone is left: exit status 4"
is "$(jq -c '[.reason, .message]' key.sum)" \
	'["key_unresolved","key env:NO_KEY: the variable is not set"]' "with its reason and message"
is "$(sql 'SELECT count(*) FROM blocks')" 0 "the worker's reasons end with it"
like "$(fsl-batch queue --columns why)" '^no worker is running$' "and nothing else remains of them"
status_is 0 "with the key the same command goes on" env NO_KEY=there fsl-run -j 30
sound key

done_testing
