#!/bin/sh
# fsl-run: batches that end before all is done.  Nothing is sent when the window
# has passed or the batch is cancelled, what flies has its time, no retry is
# waited for that would come too late, and every request has its line.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

# line ID [URL]: a request, of a model of its own; its URL is the path /v1/ID unless given.
line() { printf '{"custom_id":"%s","model":"%s","url":"%s","body":{"q":1}}\n' "$1" "$1" "${2:-/v1/$1}"; }
# counts BATCH: status; pending, processing, completed, failed, cancelled, expired.
counts() {
	fsl-batch show "$1" | jq -r '.status + ": " + (.fsl.counts | [.pending + .retrying,
		.processing, .completed, .failed, .cancelled, .expired] | map(tostring) | join(" "))'
}
stands() { [ "$(counts "$1")" = "$2" ]; } # for eventually
# said BATCH ID: what the last attempt of the request ended with.
said() { fsl-batch requests --custom-id "$2" --columns http,code,message "$1" | tr '\t' ' '; }
# all NAME BATCH: each of its requests has one line of output or errors.
all() {
	fsl-batch results --all "$2" >"$2.all"
	is "$(ids "$2.all" | sort)" "$(ids "$1" | sort)" "$2: every request has its line"
	sound "$2"
}

server_start API --mode echo --log api.log --rule 'path=/v1/no => status=400' \
	--rule 'path=/v1/broken => status=500' --rule 'path=/v1/hang* => hang' \
	--rule 'path=/v1/down => status=503 ; header="Retry-After: 3600"' \
	--rule 'path=/v1/busy => status=429 ; header="Retry-After: 3600"' \
	--rule 'path=/v1/slow* => sleep=1500' --rule 'path=/v1/late* => sleep=1500 ; status=500' \
	--rule 'path=/v1/w* => sleep=100'
server_start GONE
gone=$GONE_URL
server_stop GONE
export FSL_BASE_URL="$API_URL"

# --- a retry that would come too late is not waited for

for id in ok no down broken; do line $id; done >late.jsonl
line refused "$gone/x" >>late.jsonl
fsl-batch create --name late --completion-window 1h --retries 1 --retry-delay 1ms \
	--stop-before-deadline 1s late.jsonl >/dev/null
status_is 3 "a run with failures of all kinds" fsl-run late
is "$(counts late)" "completed: 0 0 1 4 0 0" "does not wait for what would come too late"
late="no time for another attempt before the deadline"
like "$(said late down)" "^503 - .*, $late\$" "Retry-After beyond the window: it fails, and says why"
is "$(said late broken | sed 's/.*, //')" "after 2 attempts" "which is not: it has had its attempts"
unlike "$(said late no)" "after|time" "nor: it is not tried again"
is "$(fsl-batch results --failed late | jq -r 'select(.custom_id == "down") | .response.status_code')" \
	503 "the error line has the answer"
like "$(said late refused)" '^- connect_error .*, after 2 attempts$' "without an answer"
grep -v '"down"' late.jsonl >hurry.jsonl # that model is held for an hour now
fsl-batch create --name hurry --completion-window 1h --stop-before-deadline 2h hurry.jsonl >/dev/null
status_is 3 "within --stop-before-deadline nothing is tried again" fsl-run hurry
is "$(sql "SELECT max(tries) FROM requests r JOIN batches b ON b.id = r.id >> 32 WHERE name = 'hurry'")" \
	1 "each has one attempt"
like "$(fsl-batch results --failed hurry | jq -r 'select(.custom_id == "refused") |
	[.error.code, .error.message] | join(": ")')" "^connect_error: .*, $late\$" \
	"and the error line says why"
all late.jsonl late

# --- what is in flight when the window passes

for id in slow1 late1; do line $id; done >fly.jsonl
fsl-batch create --name fly --completion-window 1s fly.jsonl >/dev/null
status_is 3 "what is in flight when the window passes has its time" fsl-run -j 2 fly
is "$(counts fly)" "expired: 0 0 1 0 0 1" "its result is kept; what would be tried again has expired"
is "$(fsl-batch results --failed fly | jq -r .error.code)" \
	batch_expired "and says so"
all fly.jsonl fly

# --- a single request is cancelled in flight

for id in slow2 late2 late3; do line $id; done >single.jsonl
fsl-batch create --name single --retry-delay 1ms --retries 1 single.jsonl >/dev/null
fsl-run -j 3 single 2>/dev/null &
run=$!
ok "three are in flight" eventually stands single "in_progress: 0 3 0 0 0 0"
status_is 0 "cancel of two of them" fsl-batch cancel --custom-id slow2 --custom-id late2 single
wait $run
is "$(counts single)" "completed: 0 0 1 1 1 0" \
	"a result is kept, what would be tried again is cancelled, others are tried again"
like "$(said single late3)" 'after 2 attempts$' "as often as they may"
all single.jsonl single

# --- a running worker ends batches

# The window passes while much is pending, one hangs, and one waits for a retry.
{ line hang1; line busy; for i in $(seq 200); do line "w$i"; done; } >window.jsonl
fsl-batch create --name window --completion-window 1s window.jsonl >/dev/null
start=$(date +%s%3N)
status_is 3 "the window passes while requests are sent" fsl-run -j 4 --grace 500ms window
took=$(($(date +%s%3N) - start))
ok "the run ends then ($took ms)" test $took -ge 1000 -a $took -lt 4000
done=$(fsl-batch show window | jq -r .fsl.counts.completed)
ok "some were completed ($done)" test "$done" -gt 5 -a "$done" -lt 60
is "$(counts window)" "expired: 0 0 $done 0 0 $((202 - done))" "the others have expired"
is "$(fsl-batch requests --custom-id hang1 --columns state,code window)" "expired	interrupted" \
	"what is in flight is cut off after the grace"
is "$(fsl-batch requests --custom-id busy --columns state,http window)" "expired	429" \
	"what was told to wait expires with the batch"
all window.jsonl window
expires=$(sql "SELECT expires_ms FROM batches WHERE name = 'window'")
is "$(sql "SELECT count(*) FROM attempts a JOIN batches b ON b.id = a.request >> 32
	WHERE name = 'window' AND started_ms >= $expires")" 0 "nothing was started past the window"

# A batch whose window passed while no worker lived.
fsl-batch create --name old --completion-window 1ms fly.jsonl >/dev/null
before=$(stats API .requests)
status_is 1 "a batch whose window has passed" fsl-run old
is "$(counts old) $(($(stats API .requests) - before))" "expired: 0 0 0 0 0 2 0" \
	"expires, and nothing is sent"

# Cancel while much is pending and claimed: nothing more is sent.
{ line hang2; for i in $(seq 300); do line "w$i"; done; } >stop.jsonl
fsl-batch create --name stop stop.jsonl >/dev/null
fsl-run -j 4 stop 2>/dev/null &
run=$!
ok "some are done" eventually sh -c "fsl-batch show stop | jq -e '.fsl.counts.completed > 8'"
status_is 0 "cancel" fsl-batch cancel stop
ok "what hangs is waited for" eventually sh -c "fsl-batch show stop |
	jq -e '.status == \"cancelling\" and .fsl.counts.processing == 1'"
is "$(stats API .in_flight)" 1 "nothing else is in flight"
sent=$(stats API .requests)
status_is 0 "cancel --now" fsl-batch cancel --now stop
start=$(date +%s%3N)
wait $run
is $? 3 "cuts that off, and the run ends"
ok "at once" test $(($(date +%s%3N) - start)) -lt 2000
is "$(stats API .requests)" "$sent" "nothing was sent meanwhile"
like "$(counts stop)" '^cancelled: 0 0 [0-9]+ 0 [0-9]+ 0$' "the batch is cancelled"
all stop.jsonl stop

# A single one is cut off, the others go on.
for id in hang3 slow4; do line $id; done >cut.jsonl
fsl-batch create --name cut cut.jsonl >/dev/null
fsl-run -j 2 cut 2>/dev/null &
run=$!
ok "two are in flight" eventually stands cut "in_progress: 0 2 0 0 0 0"
status_is 0 "cancel --now --custom-id" fsl-batch cancel --now --custom-id hang3 cut
wait $run
is "$(counts cut)" "completed: 0 0 1 0 1 0" "one is cut off, the other completes"
all cut.jsonl cut

# Another worker is stopped: nobody waits for it.
for id in hang5 w6; do line $id; done >other.jsonl
fsl-batch create --name other --completion-window 5s other.jsonl >/dev/null
fsl-run -j 1 other 2>other.said &
run=$!
ok "a worker has one in flight" eventually stands other "in_progress: 1 1 0 0 0 0"
kill -STOP $run
status_is 1 "another one, long after the window" env FSL_TEST_NOW=+60000 fsl-run other
is "$(counts other)" "expired: 0 0 0 0 0 2" "ends what the first one holds"
kill -CONT $run
wait $run
is $? 1 "the first one finds that all has ended"
is "$(counts other)" "expired: 0 0 0 0 0 2" "and changes nothing"
all other.jsonl other

done_testing
