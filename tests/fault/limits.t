#!/bin/sh
# Limits, holds, stops and deaths at length, as a server sees them that counts:
# what tests/cli/38-run-limits.t and 39-run-health.t show in seconds.
#
# FSL_FULL=1 does it in full size (50,000 requests, windows of 10 s, 200 kills, a
# worker that is stopped for 30 s, a file that is locked for 60 s: about five
# minutes); without it each part takes some seconds.  FSL_ROUNDS is the number of
# kills (12, 200), FSL_SEED when they come (the time of day).
#
#     FSL_FULL=1 sh tests/fault/limits.t        with the programs in build
# shellcheck disable=SC2154,SC2317 # functions are called by their names
full=${FSL_FULL:-} seed=${FSL_SEED:-$(date +%s)}
size() { [ "$full" ] && echo "$2" || echo "$1"; }
rounds=${FSL_ROUNDS:-$(size 12 200)}
. "${0%/*}/../cli/state.sh"
. "${0%/*}/../cli/served.sh"
. "${0%/*}/../cli/tap.sh"

diag "FSL_FULL=$full FSL_ROUNDS=$rounds FSL_SEED=$seed"
# fresh NAME: from now on another state file, and the log NAME.log.
fresh() {
	FSL_DB=$PWD/$1.db
	log=$1.log
}
server() { server_start "$@" --max-seconds 3600 --log "$log"; }
batch() {
	batch_lines=$1
	shift
	fsl-batch create -q --base-url "$url" "$@" "$batch_lines" >/dev/null
}
# workers N ARGUMENT...: so many at once, to their end; $statuses.
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
completed() { sql 'SELECT sum(completed) FROM batches'; }
completed_are() { [ "$(completed)" -ge "$1" ]; }
in_range() { [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; }
says() { grep -q "$2" "$1"; }

# --- limits of 2, 5 and 16 over four workers

n=$(size 4000 50000)
fresh jobs
server JOBS --latency 5
models "$n" "m2 m2 m5 m5 m5 m5 m5 $(printf 'm16 %.0s' $(seq 16))" >lines
batch lines
workers 4 -j 64 --limit m2:jobs=2 --limit m5:jobs=5 --limit m16:jobs=16
is "$statuses $(completed)" " 0 0 0 0 $n" "four workers complete $n requests of three models"
is "$(most JOBS m2 m5 m16)" "2 5 16" "limits of 2, 5 and 16: so many are in flight at most, and are"
is "$(stats JOBS .requests) $(sent "$log" | sort -u | wc -l)" "$n $n" "each is sent once"
# Of 23 requests two are m2's, two at a time: 5 ms for 23.
took=$(took "$log") ideal=$((n * 5 / 23))
diag "in $took ms, $((n * 1000 / took)) a second; with no time between two of m2 $ideal ms"
ok "they are kept busy" [ "$took" -lt $((ideal * 8 + 3000)) ]
sound "four workers"

# --- 200 a second

# A body of 29 bytes is 7 tokens, and 93 more may come.
window=$(size 2 10) windows=$(size 2 4)
for how in "1 rate=200/s" "2 rate=200/s" "2 tokens=20k/s"; do
	workers=${how%% *} limit=${how#* }
	fresh "rate$workers${limit%%=*}"
	server_start RATE --latency 5 --max-seconds 3600 --log "$log"
	models $((200 * window * windows + 100)) m | sed 's/"model"/"max_tokens":93,"model"/' >lines
	batch lines
	workers "$workers" -j 32 --limit "m:$limit"
	arrivals "$log" m | awk -v us=$((window * 1000000)) 'NR == 1 { first = $1 }
		{ n[int(($1 - first) / us)]++ } END { for (i in n) print i, n[i] }' | sort -n |
		head -n "$windows" | cut -d' ' -f2 >counts
	diag "in each $window s: $(paste -sd' ' counts)"
	# 2 %, but 100 ms may be caught up from the window before, and a request
	# may be on its way to the server for as long.
	band=$((200 * window / 50 > 41 ? 200 * window / 50 : 41))
	is "$(awk -v want=$((200 * window)) -v band=$band '$1 < want - band || $1 > want + band' counts)" "" \
		"$limit, $workers worker(s): $((200 * window)) in each $window s, give or take $band"
	busiest=$(busiest "$log" m $((window * 1000)))
	ok "and in any $window s ($busiest)" [ "$busiest" -le $((200 * window + 41)) ]
	is "$(completed)" $((200 * window * windows + 100)) "none is failed by waiting"
	server_stop RATE
done

# --- a server that wants to be left alone, again and again

fresh again
server AGAIN --latency 10 --rule 'model=a,every=150 => status=429 ; header="Retry-After: 1" ; sleep=10'
models "$(size 600 4000)" "a b" >lines
batch lines
workers 2 -j 16 --json
is "$statuses $(completed)" " 0 0 $(size 600 4000)" "429 with Retry-After again and again: all is completed"
refused=$(cat w?.said | jq -s 'map(.retries["429"] // 0) | add')
is "$(stats AGAIN .requests)" $(($(size 600 4000) + refused)) "each answer of 429 costs one send more ($refused)"
ok "there were some" [ "$refused" -gt 0 ]
# From one that was refused to the next of its model: never less than the second,
# but for what was in flight.
jq -r 'select(.model == "a") | [.n, .t_us] | @tsv' "$log" | awk '
	$1 % 150 == 0 { until = $2 + 10000 + 1000000; told = $2 + 10000 + 100000; next }
	$2 > told && $2 < until { early++ } END { print early + 0 }' >early
is "$(cat early)" 0 "never is one of the model sent before its time"
sound "429 again and again"

# --- all that is in flight of two workers is refused at once

fresh storm
server STORM --latency 10 --rule 'nth=1-32 => status=429 ; header="Retry-After: 2" ; sleep=1000'
models 400 a >lines
batch lines
fsl-run -j 16 2>storm1.said &
one=$!
fsl-run -j 16 2>storm2.said &
two=$!
throttled_are() { [ "$(sql 'SELECT sum(throttled) FROM requests')" -eq "$1" ]; }
ok "32 requests of two workers are refused" eventually throttled_are 32
is "$(sql 'SELECT cap FROM buckets')" 16 "429 to all of them: the limit of the model is halved, once"
wait $one
status=$?
wait $two
is "$status $? $(completed) $(stats STORM .requests)" "0 0 400 432" "all are sent again, and completed"
last=$(jq 'select(.n == 32) | .t_us' "$log")
next=$(arrivals "$log" a | awk -v from="$last" '$1 > from { print; exit }')
ok "not before their time" [ $((next - last)) -gt 2900000 ]
# Later than that the first successes raise it again.
ok "and half as many at a time" [ "$(at_once "$log" a $((next - 1)) $((next + 9000)))" -le 16 ]
sound "a storm of 429"

# --- a server that is down for long

fresh down
tries=$(size 2 4)
server DOWN --latency 5 --rule 'any => status=503'
models 200 "a b" >lines
batch lines
fsl-run -j 8 2>down.said &
pid=$!
eventually says down.said 'it is held'
eventually stats_are DOWN .in_flight 0
before=$(stats DOWN .requests)
wait_for $((tries * tries * 2 + 10)) stats_are DOWN .requests $((before + tries))
server_stop DOWN
cp "$log" down.first
server_start DOWN --port "$DOWN_PORT" --log "$log"
wait_for 60 completed_are 200
wait $pid
is "$? $(completed)" "0 200" "503 for long: in the end all is completed"
tail -n "$tries" down.first | jq .t_us | awk 'NR > 1 { print int(($1 - last) / 1000) } { last = $1 }' >gaps
diag "between its tries: $(paste -sd' ' gaps) ms"
is "$(wc -l <gaps) $(awk 'BEGIN { want = 2000 } $1 < want - 50 || $1 > want + 1000 { print } { want *= 2 }' gaps)" \
	"$((tries - 1)) " "after each try it waits twice as long"
sound "503 for long"

# --- a state file that others lock for long

fresh locked
server LOCKED --latency 30 --rule 'path=/v1/r9 => sleep=300'
requests 400 >lines
batch lines
mkfifo nobody
for how in flock sqlite; do
	before=$(stats LOCKED .answered)
	fsl-run -j 4 -v --max-requests 150 2>said &
	pid=$!
	eventually stats_are LOCKED ".answered > $((before + 20))" true
	if [ $how = flock ]; then
		flock locked.db-fsl timeout "$(size 2 60)" cat nobody &
		locker=$!
	else # one that knows nothing of us
		{
			echo '.timeout 9000'
			echo 'BEGIN IMMEDIATE;'
			timeout "$(size 2 60)" cat nobody
		} | sqlite3 locked.db &
		locker=$!
	fi
	ok "$how: locked for $(size 2 60) s: a warning" eventually says said 'results\{0,1\} waits\{0,1\} in memory'
	ok "$how: what flies ends, then nothing is sent" eventually stats_are LOCKED .in_flight 0
	sends=$(stats LOCKED .requests)
	wait $locker
	ok "$how: nothing at all" [ $((sends - before)) -lt 150 ]
	wait $pid
	is "$? $(grep -c 'can be written again' said)" "4 1" "$how: then it goes on"
	is "$(stats LOCKED .requests)" $((before + 150)) "$how: and sends what it was to send"
	sound "locked by $how"
done
is "$(sent "$log" | sort | uniq -d)" "" "nothing was sent twice"

# --- what is in flight while the file is locked

fresh cut
server CUT --rule 'path=/v1/r1 => hang' --rule 'path=/v1/r2 => hang'
requests 1 >lines
batch lines --timeout 1s --retries 0 --name slow
requests 1 2 >lines
batch lines --name cancelled
fsl-run -j 4 2>cut.said &
pid=$!
eventually stats_are CUT .in_flight 2
kill -STOP $pid # it shall not have acted on the cancel when the file is locked
fsl-batch cancel --now cancelled >/dev/null
flock cut.db-fsl cat nobody >/dev/null &
exec 8>nobody
eventually not flock -n cut.db-fsl true
kill -CONT $pid
ok "a locked file delays neither a timeout nor a cancel" wait_for 5 stats_are CUT .in_flight 0
is "$(sql 'SELECT sum(processing) FROM batches')" 2 "although nothing of it can be stored"
exec 8>&-
wait $pid
is "$? $(sql 'SELECT status, cancelled, failed FROM batches' | paste -sd' ')" "1 2|0|1 6|1|0" \
	"which it is when the file is free"
is "$(sql "SELECT group_concat(code) FROM attempts")" "request_timeout,interrupted" "with the reasons"
sound "cut off while locked"

# --- a stopped worker, and clocks that are set

fresh stopped
seconds=$(size 2 30)
server STOPPED --latency 40 --rule 'nth=1-4 => sleep=500' --rule 'path=/v1/r50,key-seen<1 => status=500' \
	--rule 'path=/v1/r60,key-seen<1 => status=429 ; header="Retry-After: 1"'
requests 200 >lines
batch lines
fsl-run -j 4 2>stopped.said &
pid=$!
eventually stats_are STOPPED .in_flight 4
kill -STOP $pid # while it waits for answers: in a commit it would hold up everybody
stop_end=$(($(date +%s) + seconds))
others=
for move in +0 +172800000 -172800000; do
	FSL_TEST_NOW=$move fsl-run -j 4 2>"other$move.said" &
	others="$others $!"
done
done_but() { [ "$(sql 'SELECT pending, processing FROM batches')" = "0|$1" ]; }
ok "three others, two of them days away, send what a stopped worker does not hold" eventually done_but 4
time_is() { [ "$(date +%s)" -ge "$1" ]; }
wait_for $((seconds + 5)) time_is $stop_end
is "$(stats STOPPED .requests) $(sql 'SELECT processing FROM batches')" "202 4" \
	"it is not robbed, however long it is stopped ($seconds s)"
kill -CONT $pid
wait $pid
status=$?
for i in $others; do
	wait "$i"
	status="$status $?"
done
is "$status $(completed)" "0 0 0 0 200" "it goes on and all end"
is "$(stats STOPPED .requests)" 202 "only what was to be sent again was sent twice"
sound "stopped for $seconds s"

# --- a worker that others believe to be dead

fresh fenced
server FENCED --latency 10 --mode echo --rule 'nth=1-4 => sleep=300'
requests 60 >lines
batch lines
fsl-run -j 4 -v 2>fenced.said &
pid=$!
eventually stats_are FENCED .in_flight 4
kill -STOP $pid
eventually stats_are FENCED .answered 4 # into the sockets of a process that does not read
sqlite3 -cmd '.timeout 10000' "$FSL_DB" 'UPDATE workers SET slot = 1023' # which nobody holds
fsl-run -j 4 2>fenced2.said
is "$? $(completed) $(stats FENCED .requests)" "0 60 64" "another worker sends what it had in flight again"
answers() { sql 'SELECT id, line, ended_ms, status, hex(body) FROM answers' | cksum; }
before=$(answers)
kill -CONT $pid
wait $pid
is "$? $(grep -c 'came too late and was dropped (lost_ownership)' fenced.said)" "0 4" \
	"it goes on: its four answers come too late, and it says so"
is "$(completed) $(answers)" "60 $before" "what was stored stays as it was"
is "$(sql "SELECT count(*) FROM attempts WHERE code = 'interrupted'") $(sql 'SELECT count(*) FROM attempts')" \
	"4 64" "and each attempt is recorded once"
sound "lost ownership"

# --- kill -9, again and again, of one of three workers

fresh killed
awk -v seed="$seed" 'BEGIN { srand(seed); for (;;) print int(rand() * 1000000) }' 2>/dev/null |
	head -n $((rounds * 2)) >chance
exec 7<chance
n=0
: >lines
server KILLED --latency 25
more() { # there is always something to do
	models 2000 "a b" $((n + 1)) >some
	cat some >>lines
	n=$((n + 2000))
	batch some --retries 1000
}
more
begin() {
	fsl-run -j 8 --limit a:jobs=10 2>>killed.said &
	eval "worker$1=$!"
}
for i in 1 2 3; do begin $i; done
kills=0 wrong=0
while [ $kills -lt "$rounds" ] && read -r chance <&7; do
	[ "$(sql 'SELECT sum(pending) FROM batches')" -ge 500 ] || more
	moment=$(($(date +%s%3N) + 20 + chance % 100))
	while [ "$(date +%s%3N)" -lt $moment ]; do :; done
	i=$((kills % 3 + 1))
	eval "pid=\$worker$i"
	kill -KILL "$pid" 2>/dev/null && kills=$((kills + 1))
	wait "$pid" 2>/dev/null
	said=$(sound_wrong)
	[ -z "$said" ] || { wrong=$((wrong + 1)); diag "kill $kills: $said"; }
	begin $i
done
status=
for i in 1 2 3; do
	eval "pid=\$worker$i"
	wait "$pid"
	status="$status $?"
done
is "$status $(completed) $(sql 'SELECT count(*) FROM batches WHERE status <> 2')" " 0 0 0 $n 0" \
	"one of three workers is killed $kills times: every request ends, once"
ok "all $rounds kills took place" [ $kills -eq "$rounds" ]
is $wrong 0 "the counters are the rows' after each"
lost=$(sql "SELECT count(*) FROM attempts WHERE code = 'interrupted'")
sends=$(stats KILLED .requests)
diag "$lost in flight at the kills, $((sends - n)) sent again"
ok "what is sent again was in flight at a kill" [ $((sends - n)) -le "$lost" ]
recorded=$(sql 'SELECT count(*) FROM attempts')
is "$recorded" $((n + lost)) "each attempt is recorded"
ok "and each send" [ "$sends" -le "$recorded" ]
is "$(sql "SELECT count(*) FROM attempts a JOIN attempts b ON b.request = a.request AND b.n > a.n
	WHERE a.next_ms IS NULL")" 0 "nothing that had ended was sent again"
# shellcheck disable=SC2046 # words
is "$(fsl-batch results --all $(fsl-batch list --columns batch_id) | ids | sort | cksum)" "$(ids lines | sort | cksum)" \
	"each custom_id has one line of output"
is "$(jq -r .key "$log" | sort -u | wc -l)" $n "a request has the same Idempotency-Key each time"
# What a dead worker had sent is at the server until that sees it gone.
ok "the limit of a model holds ($(most KILLED a) of 10)" in_range "$(most KILLED a)" 9 18
sound "$kills kills"

# --- idle

fresh idle
server IDLE --notify "$PWD/notify"
requests 3 >lines
batch lines
env NOTIFY_SOCKET="$PWD/notify" WATCHDOG_USEC=4000000 "$BUILD/fsl-run" --forever 2>idle.said &
pid=$!
pinged() { [ "$(jq -r 'select(.message) | .message' "$log" | grep -c WATCHDOG=1)" -ge "$1" ]; }
eventually pinged 2
cpu() { cat /proc/$pid/task/*/schedstat | awk '{ n += $1 } END { print int(n / 1000) }'; }
ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
from=$(clock IDLE) cpu=$(cpu) ticks=$(ticks)
wait_for 90 pinged $((2 + $(size 4 30)))
took=$(($(clock IDLE) - from)) used=$(($(cpu) - cpu))
diag "idle for $((took / 1000)) ms: $used us of CPU, $(($(ticks) - ticks)) ticks of utime and stime"
ok "an idle worker uses less than 0.2 % of a core" [ $((used * 500)) -lt $took ]
kill -TERM $pid
wait $pid
is $? 143 "SIGTERM ends it"

done_testing
