#!/bin/sh
# Limits, as a server sees them that counts: how much of a model is in flight,
# how often something starts, for how long a server is left alone, when a run
# stops; over several workers too.  tests/fault/limits.t does it at length.
# shellcheck disable=SC2034,SC2086,SC2154,SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/served.sh"
. "${0%/*}/tap.sh"

# fresh NAME: from now on another state file, and the log NAME.log.
fresh() {
	FSL_DB=$PWD/$1.db
	log=$1.log
}
# batch LINES ARGUMENT...: a batch of the lines in a file, at the server of $url.
batch() {
	batch_lines=$1
	shift
	fsl-batch create -q --base-url "$url" "$@" "$batch_lines" >/dev/null
}
# workers N ARGUMENT...: so many at once, to their end; their statuses are in
# $statuses, what they print in w1.said, w2.said ...
workers() {
	workers_n=$1
	shift
	all=
	for i in $(seq "$workers_n"); do
		fsl-run "$@" >"w$i.said" 2>&1 &
		all="$all $!"
	done
	statuses=
	for i in $all; do
		wait "$i"
		statuses="$statuses $?"
	done
}
# send NAME ARGUMENT...: one shot, of NAME.jsonl; NAME.sum is its summary.
send() {
	name=$1
	shift
	fsl-run --json -i "$name.jsonl" -o "$name.out" --base-url "$url" "$@" >"$name.sum" 2>"$name.said"
}
sum() { jq -rc "$2" "$1.sum"; }
completed() { sql 'SELECT sum(completed) FROM batches'; }
is_completed() { [ "$(completed)" = "$1" ]; }
in_range() { [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; }

# --- so many in flight, over four workers

fresh jobs
server_start JOBS --latency 6 --log jobs.log
models 1500 "m2 m2 m5 m5 m5 m5 m5 $(printf 'm16 %.0s' $(seq 16))" >jobs.jsonl
batch jobs.jsonl
workers 4 -j 64 --limit m2:jobs=2 --limit m5:jobs=5 --limit '*:jobs=16'
is "$statuses $(completed)" " 0 0 0 0 1500" "four workers complete 1,500 requests of three models"
is "$(most JOBS m2 m5 m16)" "2 5 16" "limits of 2, 5 and 16: so many are in flight at most, and are"
is "$(stats JOBS .requests)" 1500 "each is sent once"
sound "four workers"

fresh star
models 200 "x y" 2000 >star.jsonl
batch star.jsonl
curl -sS "$url/__reset" >reset
workers 2 -j 16 --limit '*:jobs=3'
is "$(most JOBS x y)" "3 3" "a limit for * is that of each other model by itself"

# --- the smallest limit of those who live

fresh least
server_start LEAST --latency 20 --log least.log
models 400 m >least.jsonl
batch least.jsonl
fsl-run -j 2 --limit m:jobs=2 --forever 2>narrow.said &
narrow=$!
eventually stats_are LEAST '.requests > 10' true
fsl-run -j 16 --limit m:jobs=9 2>wide.said &
wide=$!
eventually stats_are LEAST '.requests > 60' true
is "$(most LEAST m)" 2 "of two workers' limits the smaller one counts"
kill -TERM $narrow
wait $narrow
wait $wide
is "$? $(most LEAST m) $(completed)" "0 9 400" "when its worker has left, the other one"
sound "two limits"

# --- a slow model does not slow another

fresh slow
server_start SLOW --latency 10 --rule 'model=slow => sleep=400' --log slow.log
{
	models 36 slow
	models 80 fast 37
} >slow.jsonl
send slow -j 8
is "$? $(stats SLOW .requests)" "0 116" "a slow model's lines come first, then those of a fast one"
slow=$(between slow.log slow 0 "$(last_arrival slow.log fast)")
diag "slow ones that had come when the last of the fast ones did: $slow of 36"
ok "the fast ones do not wait for them" [ "$slow" -le 24 ]
ok "which have most of the slots" [ "$(at_once slow.log slow)" -ge 6 ]
fresh two
: >slow.log
{
	models 6 slow
	models 80 fast 7
} >two.jsonl
send two -j 8 --limit slow:jobs=2
slow=$(between slow.log slow 0 "$(last_arrival slow.log fast)")
diag "with a limit of 2: $slow of 6"
ok "nor for those of a limit that is reached" [ "$slow" -le 4 ]
is "$(at_once slow.log slow)" 2 "of which so many are in flight as may be"

# --- what cannot be sent slows nothing of its model

fresh stuck
server_start STUCK --latency 10 --log stuck.log
models 2000 m >stuck.jsonl
models 200 m 5000 >moves.jsonl
fsl-file import -q --name pages stuck.jsonl >/dev/null
fsl-batch create -q --name deleted --base-url "$url" pages >/dev/null
fsl-batch cancel deleted >/dev/null
fsl-file delete pages >/dev/null
fsl-batch create -q --name keyless --priority 9 --key env:NO_KEY --base-url "$url" stuck.jsonl >/dev/null 2>&1
batch moves.jsonl --name moves
fsl-run -j 10 2>stuck.said
is "$? $(sql "SELECT completed FROM batches WHERE name = 'moves'")" "4 200" \
	"a batch behind one whose key is not there, and one whose file was deleted, is completed"
took=$(took stuck.log)
diag "in $took ms, with 10 at a time it takes 200"
ok "at full speed" [ "$took" -lt 1500 ]
is "$(at_once stuck.log m)" 10 "in all slots"
fsl-batch retry -q deleted >/dev/null
fsl-run -j 64 deleted 2>stuck.said
is "$? $(sql "SELECT completed FROM batches WHERE name = 'deleted'")" "0 2000" \
	"the batch whose file was deleted can be sent again: it has kept its requests"
sound "what cannot be sent"

# --- so many in a time

for n in 1 2; do
	fresh rate$n
	server_start RATE$n --latency 5 --log rate$n.log
	models 220 m >rate.jsonl
	batch rate.jsonl
	workers $n -j 16 --limit m:rate=200/s
	is "$statuses $(completed)" "$(printf ' 0%.0s' $(seq $n)) 220" "rate=200/s: $n worker(s) complete 220"
	took=$(took rate$n.log m)
	busiest=$(busiest rate$n.log m 1000)
	diag "220 in $took ms, at most $busiest in a second"
	ok "they take 1.1 s, of which 100 ms may be caught up" in_range "$took" 985 1800
	ok "in no second there are more, but for that" [ "$busiest" -le 221 ]
done

# A body of 29 bytes is 7 tokens, and 93 more may come.
fresh tokens
server_start TOKENS --latency 5 --log tokens.log --rule \
	'model=more => body={"usage":{"prompt_tokens":50,"completion_tokens":150,"total_tokens":200}}'
models 21 m | sed 's/"model"/"max_tokens":93,"model"/' >tokens.jsonl
send tokens --limit '*:tokens=2000/s'
took=$(took tokens.log m)
diag "21 requests of 100 tokens: $took ms"
ok "tokens=2000/s: 20 requests of 100 tokens in a second" in_range "$took" 880 1700
sed 's/"m"/"more"/' tokens.jsonl >more.jsonl
send more --limit '*:tokens=4000/s'
took=$(took tokens.log more)
diag "21 requests that use 200: $took ms"
ok "what an answer says it used is what counts" in_range "$took" 750 1700

# --- waiting fails no request

fresh patient
server_start PATIENT --latency 20 --log patient.log
models 9 m >patient.jsonl
send patient --limit m:rate=10/s --timeout 400ms --first-byte-timeout 300ms --retries 0
is "$? $(sum patient '[.completed, .failed, .attempts] | join(" ")')" "0 9 0 9" \
	"a request that waits longer than its --timeout for its turn is not failed by that"

# --- the server wants to be left alone

wait_s=1
for n in 1 2; do
	fresh alone$n
	server_start ALONE$n --latency 15 --log alone$n.log --rule \
		"model=a,path=/v1/r100,key-seen<1 => status=429 ; header=\"Retry-After: $wait_s\""
	models 900 "a b b" >alone.jsonl
	batch alone.jsonl
	workers $n -j 16 --json
	is "$statuses $(completed)" "$(printf ' 0%.0s' $(seq $n)) 900" "429, $n worker(s): all is completed"
	told=$(first_arrival alone$n.log a /v1/r100)
	again=$(between alone$n.log a $((told + 15000 + 200000)) $((told + wait_s * 1000000 + 10000)))
	is "$again" 0 "Retry-After: $wait_s: in that time nothing is sent of the model"
	late=$(between alone$n.log a $((told + 17000)) $((told + 15000 + 200000)))
	diag "of the model, after the server had answered: $late"
	[ $n = 1 ] && most=0 || most=16
	ok "but what others had in flight ($most)" [ "$late" -le $most ]
	ok "another model goes on" [ "$(between alone$n.log b "$told" $((told + 1000000)))" -ge 100 ]
	is "$(stats ALONE$n .requests)" 901 "only the one that was refused is sent again"
	is "$(cat w?.said | jq -s 'map(.retries["429"] // 0) | add')" 1 "and so it is summed up"
	is "$(sql 'SELECT sum(counted), sum(throttled) FROM requests')" "900|1" "it is no attempt of it"
	next=$(arrivals alone$n.log a | awk -v from=$((told + 500000)) '$1 > from { print; exit }')
	diag "the next one $(((next - told - 15000) / 1000)) ms after the answer"
	sound "Retry-After, $n worker(s)"
done

fresh left
server_start LEFT --latency 15 --log left.log --rule "path=/v1/r7 => \
header=\"x-ratelimit-remaining-requests: 0\" ; header=\"x-ratelimit-reset-requests: 1s\""
models 120 "a b" >left.jsonl
send left -j 4
is "$? $(sum left '[.completed, .attempts] | join(" ")')" "0 120 120" \
	"x-ratelimit-remaining-requests: 0 with a 200: all are completed at the first attempt"
told=$(first_arrival left.log a /v1/r7)
is "$(between left.log a $((told + 17000)) $((told + 1000000)))" 0 \
	"of that model nothing is sent before the limit is reset"
ok "of another one it is" [ "$(between left.log b "$told" $((told + 1000000)))" -ge 30 ]

# --- half as much, then more again

fresh adaptive
server_start ADAPTIVE --latency 15 --log adaptive.log --rule \
	'path=/v1/r100,key-seen<1 => status=429 ; header="retry-after-ms: 300"'
models 700 m >adaptive.jsonl
send adaptive -j 16
is "$?" 0 "429: the rest of the model is completed"
told=$(first_arrival adaptive.log m /v1/r100)
next=$(arrivals adaptive.log m | awk -v from=$((told + 200000)) '$1 > from { print; exit }')
half=$(at_once adaptive.log m $((next - 1)) $((next + 12000)))
diag "16 in flight; after the 429 $half"
ok "then half as many are in flight" in_range "$half" 4 9
is "$(at_once adaptive.log m "$next" 9e18)" 16 "with success there are more again, up to all"
fresh stubborn
: >adaptive.log
models 200 m | sed 's/"r\(100\)"/"s\1"/; s/"model"/"x":1,"model"/' >stubborn.jsonl
send stubborn -j 16 --no-adaptive
next=$(arrivals adaptive.log m | awk -v from=$(($(first_arrival adaptive.log m /v1/r100) + 200000)) \
	'$1 > from { print; exit }')
is "$(at_once adaptive.log m $((next - 1)) $((next + 40000)))" 16 "--no-adaptive: as many as before"

# --- other models

fresh other
server_start OTHER --latency 8 --log other.log
models 200 big >big.jsonl
models 100 small 300 >small.jsonl
batch big.jsonl --completion-window 1m --escalate big=small@1h
batch small.jsonl
workers 2 -j 16 --limit small:jobs=3 --limit big:jobs=5
is "$statuses $(completed) $(most OTHER small big)" " 0 0 300 3 0" \
	"what goes to another model counts against that one's limit"
sound "--escalate"

# --- until then and no further

fresh stop
server_start STOP --latency 10 --rule 'body~"bad" => status=400' --rule 'path=/v1/r3,key-seen<1 => status=500'
models 60 m | sed '8~5s/"model":"m"/"model":"m","bad":1/' >stop.jsonl
send stop -j 4 --retry-delay 1ms --max-requests 17
is "$? $(sum stop '[.reason, .exit, .attempts] | join(" ")') $(stats STOP .requests)" \
	"4 max_requests 4 17 17" "--max-requests 17: exit 4, and so many were sent, a retry too"
send stop -j 4 --max-requests 17
is "$? $(stats STOP .requests)" "4 34" "the next call goes on, by as many"
sound "--max-requests"

fresh time
send stop -j 1 --max-time 200ms
is "$? $(sum stop .reason)" "4 max_time" "--max-time: exit 4"
ok "after that time" in_range "$(sum stop '.seconds * 1000 | floor')" 200 1500
is "$(sum stop .attempts) $(sum stop '.completed + .failed + .remaining')" \
	"$(sql 'SELECT count(*) FROM attempts') 60" "what was in flight has finished"
status_is 4 "-q: exit 4" fsl-run -q -j 1 --max-time 100ms
is "$(cat out err)" "" "and not a word"
status_is 4 "without" fsl-run -j 1 --max-time 100ms
like "$(cat err)" '^fsl-run: max_time: [0-9]+ completed, ' "the summary has the reason"

fresh failed
send stop -j 1 --max-failed 2
is "$? $(sum stop '[.reason, .failed] | join(" ")')" "4 max_failed 3" \
	"--max-failed 2: stops after the third, exit 4"
ok "work remains" [ "$(sum stop .remaining)" -ge 30 ]
send stop --max-failed 11
is "$? $(sum stop '[.reason, .failed] | join(" ")')" "0 drained 11" "with no more than N: exit 0"
fresh percent
send stop -j 1 --max-failed 5%
is "$? $(sum stop '[.reason, .failed] | join(" ")')" "4 max_failed 4" "--max-failed 5% of 60: stops after 4"
send stop --max-failed 19%
is "$? $(sum stop .reason)" "0 drained" "19%: 11 are 18.3%"
fresh more
send stop -j 1 --max-failed 13%
is "$?" "4" "13% are 7: the eighth of 11 is one too many"

# --- at once, and fast

fresh fast
server_start FAST --latency 20 --log fast.log
requests 1000 >fast.jsonl
begin=$(clock FAST)
send fast -j 10
is "$?" 0 "1,000 requests to a server that takes 20 ms"
first=$((($(first_arrival fast.log) - begin) / 1000))
took=$((($(last_arrival fast.log) - begin) / 1000))
diag "the first after $first ms, the last after $took ms"
ok "--jobs 10: under 4 s" [ $took -lt 4000 ]
ok "the first is there at once, its import included" [ $first -lt 500 ]
is "$(stats FAST .max_in_flight)" 10 "10 at once"
fresh first
batch fast.jsonl
: >fast.log
begin=$(clock FAST)
workers 1 --max-requests 10
first=$((($(first_arrival fast.log) - begin) / 1000))
diag "of a batch that is there: after $first ms"
ok "of a batch that is there as well" [ $first -lt 300 ]

done_testing
