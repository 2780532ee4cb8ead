#!/bin/sh
# shellcheck disable=SC2317 # functions are called by their names
# Completion windows, cancel --now and retry --new: what fsl-batch does, with
# no worker or with one that is stopped.  For running ones see 35-run-ending.t.
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

field() { fsl-batch show "$1" | jq -r "$2"; }
# counts BATCH: pending, retrying, processing, completed, failed, cancelled, expired.
counts() {
	field "$1" '.fsl.counts | [.pending, .retrying, .processing, .completed, .failed,
		.cancelled, .expired] | join(" ")'
}
stands() { [ "$(counts "$1")" = "$2" ]; } # for eventually
# later SECONDS COMMAND...: when so much time has passed.
later() {
	ahead=$1
	shift
	env FSL_TEST_NOW=+$((ahead * 1000)) "$@"
}
# codes FILE: how often each status or code is in lines of output or errors.
codes() { jq -r '.error.code // .response.status_code' "$1" | sort | uniq -c | awk '{ print $1 "*" $2 }' | paste -sd' '; }

server_start API --mode echo --rule 'path=/v1/r2 => status=400' --rule 'path=/v1/r5 => hang' \
	--rule 'path=/v1/r6 => hang'
requests 6 >in.jsonl
requests 4 >four.jsonl
export FSL_BASE_URL="$API_URL"

# --- the window of a new batch

fsl-batch create --name day --completion-window 24h in.jsonl >/dev/null
is "$(field day '[.completion_window, .expires_at - .in_progress_at] | tostring')" '["24h",86400]' \
	"--completion-window: the batch object says how long, and until when"
is "$(field day '[.status, .expired_at] | tostring')" '["in_progress",null]' "it is in progress"
for w in 90m:90m 1d:24h 1500ms:1500ms 1.5h:90m; do
	is "$(field "$(fsl-batch create --completion-window ${w%:*} in.jsonl)" .completion_window)" \
		"${w#*:}" "a window of ${w%:*}"
done
is "$(field "$(fsl-batch create in.jsonl)" '[.completion_window, .expires_at] | tostring')" \
	'[null,null]' "no window unless it is asked for"
is "$(field "$(fsl-batch create --completion-window 0 in.jsonl)" .expires_at)" null "0 is none"
status_is 64 "a window without a unit" fsl-batch create --completion-window 24 in.jsonl
status_is 64 "one of a century" fsl-batch create --completion-window 36500d in.jsonl
status_is 64 "fsl-run: --completion-window goes with -i" fsl-run --completion-window 1h day
fsl-batch create --name near --stop-before-deadline 90s in.jsonl >/dev/null
is "$(sql "SELECT options FROM batches WHERE name = 'near'")" '{"stop_before_ms":90000}' \
	"--stop-before-deadline belongs to how it is sent"
status_is 3 "fsl-run -i" fsl-run -i four.jsonl -o one.out -e one.err --completion-window 12h
is "$(field @last '[.completion_window, .status] | join(" ")')" "12h completed" "takes one as well"
sound "new batches"

# --- the window passes without a worker

later 86390 fsl-batch cancel -n day >said
is "$(cut -f2 said)" 6 "before its end a batch can be cancelled"
later 86401 fsl-batch show day | jq -r .status >said
is "$(cat said)" in_progress "past its end: who only reads ends nothing"
status_is 4 "results: work remains" later 86401 fsl-batch results day
is "$(later 86401 fsl-batch cancel -n day | cut -f2)" 0 "-n: there is nothing to cancel any more"
is "$(later 86401 fsl-batch retry -n day | cut -f2)" 6 "-n: but all could be sent again"
is "$(counts day)" "6 0 0 0 0 0 0" "nothing was changed"
status_is 0 "cancel" later 86401 fsl-batch cancel day
is "$(cut -f2 out)" 0 "cancels nothing"
is "$(counts day) $(field day .status)" "0 0 0 0 0 0 6 expired" "the batch has expired"
is "$(field day '[.expired_at - .in_progress_at >= 86400, .finalizing_at == .expired_at,
	.completed_at, .cancelled_at] | tostring')" '[true,true,null,null]' "with its stamps"
is "$(field day .fsl.outcome)" expired "its outcome"
status_is 0 "results --all" fsl-batch results --all day
is "$(codes out)" "6*batch_expired" "every line is an error line"
status_is 1 "wait: exit 1, nothing was completed" fsl-batch wait day
is "$(fsl-batch requests --columns state day | sort -u)" expired "requests"
is "$(fsl-batch list --status expired --columns name)" day "list --status"
sound "expired without a worker"

# --- what was finished stays; what a dead worker had in flight expires

fsl-batch create --name half --completion-window 1h --metadata k=v in.jsonl >/dev/null
fsl-run -j 2 half >/dev/null 2>&1 &
run=$!
ok "four are done and two hang" eventually stands half "0 0 2 3 1 0 0"
kill -9 $run
wait $run 2>/dev/null
status_is 6 "delete of what has completed results" later 3601 fsl-batch delete half
is "$(counts half) $(field half .status)" "0 0 0 3 1 0 2 expired" \
	"ends what was in flight with a dead worker"
is "$(sql "SELECT count(*) FROM attempts WHERE code = 'interrupted'")" 2 "whose attempts are recorded"
status_is 3 "wait: exit 3, some were completed" fsl-batch wait half
fsl-batch results -e half.err -o half.out half
is "$(codes half.out), $(codes half.err)" "3*200, 1*400 2*batch_expired" \
	"output lines and error lines are all"
sound "after a death"

# --- retry

status_is 0 "retry" later 7200 fsl-batch retry half
is "$(cut -f2 out)" 3 "what failed or expired is sent again"
is "$(field half '[.status, .completion_window, .expired_at, .finalizing_at] | tostring')" \
	'["in_progress","1h",null,null]' "the batch is open, its stamps are gone"
is "$(field half '.expires_at - .in_progress_at | . >= 10800 and . < 10860')" true \
	"it has one new window of the same length"
status_is 0 "retry again" later 7200 fsl-batch retry half
is "$(cut -f2 out) $(field half '.expires_at - .in_progress_at | . < 10860')" "0 true" \
	"changes nothing"
status_is 0 "expired once more" later 14400 fsl-batch cancel half
status_is 0 "retry --completion-window" later 14400 fsl-batch retry --completion-window 2d half
is "$(field half '[.completion_window, ((.expires_at - .in_progress_at) / 3600 | floor)] | tostring')" \
	'["48h",52]' "has another one"
status_is 0 "cancel" fsl-batch cancel half
status_is 0 "retry of what was cancelled before its end" fsl-batch retry half
is "$(field half '(.expires_at - .in_progress_at) / 3600 | floor')" 52 "keeps its window"
status_is 64 "a window of nothing" fsl-batch retry --completion-window 0 half
status_is 0 "retry of a batch without a window" fsl-batch retry near
is "$(field near .expires_at)" null "has none afterwards"
sound "after retries"

# --- retry --new

old=$(field half .id)
fsl-batch cancel half >/dev/null
status_is 0 "retry -n --new" fsl-batch retry -n --new half
is "$(cat out)" "$old	3" "says how many"
status_is 0 "retry --new" fsl-batch retry --new half
new=$(cut -f1 out)
is "$(cut -f2 out) $(counts "$new")" "3 3 0 0 0 0 0 0" "makes a batch of what is not completed"
ok "it is another one" test "$new" != "$old"
is "$(fsl-batch requests --columns custom_id "$new" | paste -sd' ')" "r2 r5 r6" "of these requests"
is "$(field "$new" '[.completion_window, .metadata.k, .fsl.base_url] | join(" ")')" \
	"48h v $API_URL" "it is sent as the old one is"
is "$(counts half)" "0 0 0 3 0 3 0" "which stays as it is"
status_is 0 "retry --new --custom-id" fsl-batch retry --new --custom-id r1 --custom-id r2 \
	--completion-window 5m half
is "$(fsl-batch requests --columns custom_id @last | paste -sd' ') $(field @last .completion_window)" \
	"r1 r2 5m" "sends completed ones that are named, in another window"
status_is 64 "not without a name" fsl-batch retry --new --state completed half
status_is 0 "retry --new of nothing" fsl-batch retry --new --http 599 half
is "$(cat out)" "" "makes nothing"
fsl-batch delete --force half >/dev/null
is "$(fsl-batch cancel "$new" | cut -f2)" 3 "the new batch does not need the old one"
sound "after retry --new"

# --- cancel --now: a worker that is stopped

fsl-batch create --name stop in.jsonl >/dev/null
fsl-run --grace 2s -j 2 stop >/dev/null 2>stop.said &
run=$!
ok "four are done and two hang" eventually stands stop "0 0 2 3 1 0 0"
kill -STOP $run
status_is 0 "cancel --now --custom-id" fsl-batch cancel --now --custom-id r5 stop
is "$(cut -f2 out) $(counts stop)" "0 0 0 2 3 1 0 0" "cannot reach a worker that is stopped"
status_is 0 "again, when its time is over" later 40 fsl-batch cancel --now --custom-id r5 stop
is "$(counts stop)" "0 0 1 3 1 1 0" "nobody waits for it"
status_is 0 "cancel --now" fsl-batch cancel --now stop
is "$(field stop .status)" cancelling "of all of it"
status_is 0 "again at once" later 1 fsl-batch cancel --now stop
is "$(field stop .status)" cancelling "the worker has some time"
status_is 0 "again, when its time is over" later 40 fsl-batch cancel --now stop
is "$(counts stop) $(field stop .status)" "0 0 0 3 1 2 0 cancelled" "the batch is cancelled"
is "$(fsl-batch requests --code interrupted --columns custom_id,state,message stop)" \
	"r5	cancelled	its worker did not end the request in time
r6	cancelled	its worker did not end the request in time" "the attempts say why"
is "$(sql 'SELECT sum(in_flight) FROM shares')" 0 "nothing counts as in flight"
kill -KILL $run
wait $run 2>/dev/null
status_is 0 "cancel of a terminal batch" fsl-batch cancel --now stop
sound_after_kill "a worker that was stopped"
fsl-batch results --all stop >all
is "$(wc -l <all)" 6 "output lines and error lines are all"

done_testing
