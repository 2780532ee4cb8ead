#!/bin/sh
# What a run leaves alone, and what it survives, as a server sees it that counts:
# servers that are down, wrong keys, empty purses, batches that only fail, a
# locked state file, stopped and killed workers, clocks that are set; and a run
# that waits for work.  tests/fault/limits.t does it at length.
# shellcheck disable=SC2034,SC2086,SC2154,SC2238,SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/served.sh"
. "${0%/*}/tap.sh"

# fresh NAME: from now on another state file, and the log NAME.log.
fresh() {
	FSL_DB=$PWD/$1.db
	log=$1.log
}
# server NAME ARGUMENT...: with the log of this state file.
server() { server_start "$@" --log "$log"; }
# batch LINES ARGUMENT...: a batch of the lines in a file, at the server of $url.
batch() {
	batch_lines=$1
	shift
	fsl-batch create -q --base-url "$url" "$@" "$batch_lines" >/dev/null
}
# send NAME ARGUMENT...: one shot, of NAME.jsonl; NAME.sum is its summary.
send() {
	name=$1
	shift
	fsl-run --json -i "$name.jsonl" -o "$name.out" --base-url "$url" "$@" >"$name.sum" 2>"$name.said"
}
sum() { jq -rc "$2" "$1.sum"; }
# ended NAME: reason, exit status, completed, failed, remaining.
ended() { sum "$1" '[.reason, .exit, .completed, .failed, .remaining] | join(" ")'; }
count() { sql "SELECT count(*) FROM requests WHERE $1"; }
in_range() { [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; }
lives() { [ "$(fsl-run --workers --plain | wc -l)" -eq "$1" ]; }
says() { grep -q "$2" "$1"; }

# --- a server that is down, without any care

fresh storm
server STORM --latency 5 --rule 'any => status=503'
requests 60 >storm.jsonl
send storm -j 16 --no-hold --no-guard --retries 2 --retry-delay 200ms --retry-factor 1
is "$? $(ended storm)" "1 drained 1 0 60 0" "--no-hold --no-guard, only 503: all fail, exit 1"
is "$(stats STORM .requests) $(sent storm.log | sort | uniq -c | awk '{ print $1 }' | sort -u)" \
	"180 3" "--retries 2: three sends of each, not one more"
arrivals storm.log >times
early=$(awk 'NR == 1 { first = $1 } $1 < first + 80000 { n++ } END { print n }' times)
spread=$(sql 'SELECT count(DISTINCT (next_ms - started_ms - took_ms) / 20) FROM attempts WHERE next_ms > 0')
diag "in the first 80 ms: $early of 180; delays of $spread different fifths of 100 ms"
ok "what is tried again is spread by chance, from 0 to --retry-delay" [ "$spread" -ge 8 ]
ok "and does not come in one burst" [ "$early" -le 150 ]
sound "only 503"

# --- with it

fresh down
server DOWN --latency 5 --rule 'any => status=503'
models 90 "a b" >down.jsonl
send down -j 8 --give-up-after 3s
is "$? $(ended down)" "4 host_down 4 0 0 90" "only 503: nothing fails, exit 4, host_down"
sends=$(stats DOWN .requests)
held=$(first_arrival down.log) # and 50 answers and the rest take some milliseconds
probes=$(between down.log "" $((held + 700000)) 9e18)
diag "$sends sends, $probes of them to try whether it is back; $(sum down .seconds) s"
ok "50 answers in a row, and what was in flight or about to be" in_range $((sends - probes)) 50 74
ok "then one tries it after a second, and after two more" in_range "$probes" 1 2
ok "until --give-up-after is over" in_range "$(sum down '.seconds * 1000 | floor')" 3000 5000
like "$(cat down.said)" "warning: $url does not answer well \(scripted 503\): it is held" "which is said at once"
is "$(sql 'SELECT sum(counted) FROM requests')" 49 "only those before that are counted as attempts"
sound "host_down"

fresh back
server BACK --latency 5 --rule 'any,limit=58 => status=503'
models 90 "a b" >back.jsonl
send back -j 8
is "$? $(ended back)" "0 drained 0 90 0 0" "it comes back in time: all are completed, exit 0"
is "$(stats BACK .requests) $(sum back '.retries["503"]')" "148 58" "and only what failed was sent again"
sound "back again"

# --- nobody listens

fresh refused
server REFUSED
server_stop REFUSED
models 60 "a b" >refused.jsonl
fsl-run --json -j 8 -i refused.jsonl -o refused.out --base-url "$url" >refused.sum 2>refused.said &
pid=$!
ok "connection refused 20 times: the server is held" eventually says refused.said 'it is held'
like "$(cat refused.said)" 'Failed to connect.*(refused|connect to server)' "and why"
is "$(sql 'SELECT pending, failed FROM batches')" "60|0" "all are pending"
server_start REFUSED --port "$REFUSED_PORT" --latency 5 --log refused.log
wait $pid
is "$? $(ended refused)" "0 drained 0 60 0 0" "somebody listens again: all are completed"
tries=$(sql 'SELECT count(*) FROM attempts')
ok "20 attempts, and what was in flight or about to be, were made without" in_range "$tries" 81 110
is "$(stats REFUSED .requests)" 60 "each was sent once"
sound "connection refused"

# --- it goes away when less than 20 requests are left

fresh tail
server TAIL --latency 5 --rule 'nth=3 => exit'
models 4 a >tail.jsonl
# Not so fast that the third attempt is reset by the server as it goes.
fsl-run --json -j 1 --retries 3 --retry-delay 200ms -i tail.jsonl -o tail.out --base-url "$url" \
	>tail.sum 2>tail.said &
pid=$!
ok "the last requests of a batch have no answer any more: the server is held" \
	eventually says tail.said 'it is held'
is "$(sql 'SELECT pending + processing, failed FROM batches')" "2|0" "none of them has failed"
server_start TAIL --port "$TAIL_PORT" --latency 5 --log tail.log
wait $pid
is "$? $(ended tail)" "0 drained 0 4 0 0" "it is back: all are completed"
sound "the last few"

fresh wrong
server_start WRONG
server_stop WRONG
models 2 a >wrong.jsonl
send wrong --retries 2 --retry-delay 1ms
is "$? $(ended wrong)" "1 drained 1 0 2 0" "a few requests to a server that never answered: they fail"

# --- a connection that is taken and broken at once

fresh broken
server BROKEN --latency 5 --rule 'any,limit=22 => drop'
models 90 a >broken.jsonl
send broken -j 4 --retries 1 --retry-delay 2s
is "$? $(ended broken)" "0 drained 0 90 0 0" "a proxy whose server is down for a while: nothing fails"
like "$(cat broken.said)" "$url does not answer well .*: it is held" "it is held"
sound "broken connections"

# --- a name that does not resolve

fresh names
server NAMES --latency 5
{
	models 40 a | sed 's|"/v1|"http://name.invalid/v1|'
	models 60 b 41
} >names.jsonl
RES_OPTIONS='timeout:1 attempts:1' send names -j 8 --give-up-after 1s
is "$? $(ended names)" "4 host_down 4 60 0 40" "a name that does not resolve: those that go elsewhere are completed"
like "$(cat names.said)" 'warning: http://name.invalid does not answer well \(.*resolve' "only its server is held"
is "$(sql "SELECT count(*) FROM attempts WHERE code <> 'dns_error'")" 0 "by its code"
sound "name.invalid"

# --- a key that is not taken

(umask 077; echo good-key >good)
# keys NAME ANSWER: a batch with a wrong key, which the server answers so, and one
# with another key.
keys() {
	fresh "$1"
	(umask 077; echo bad-key >bad)
	server KEYS --latency 30 --rule "header~\"Authorization: Bearer bad\" => $2"
	models 60 m >keys.jsonl
	models 60 m 100 >others.jsonl
	batch keys.jsonl --name wrong --key file:bad
	batch others.jsonl --name right --key file:good
	fsl-run -j 8 >keys.out 2>keys.said
	keys_status=$?
}
refused() { jq -r 'select(.auth == "Bearer bad-key") | .n' "$log" | wc -l; }

keys unauthorized 'status=401'
like "$keys_status $(cat keys.said)" '^fsl-run: unauthorized: 60 completed, 0 failed, 60 left' \
	"401 with a key: the run ends with unauthorized"
is "$keys_status" 4 "and exit 4"
is "$(sql 'SELECT name, pending, completed, failed FROM batches ORDER BY id' | paste -sd' ')" \
	"wrong|60|0|0 right|0|60|0" "nothing of the batch fails, another key goes on"
flying=$(refused)
ok "only what was in flight was sent ($flying)" in_range "$flying" 1 8
is "$(count 'counted > 0 AND state = 0')" 0 "and is no attempt"
like "$(cat keys.said)" 'warning: m at http://127.* is left alone \(unauthorized\): scripted 401' \
	"it is said at once"
like "$(cat keys.said)" 'hint: .*the same command' "with what to do next"
unlike "$(cat keys.said keys.out; sql 'SELECT * FROM blocks; SELECT * FROM workers')" 'bad-key' \
	"and without the key"
sound "401"
fsl-run -j 8 >keys.out 2>keys.said
is "$? $(count 'state = 0')" "4 60" "the next run tries it again"
ok "at the server" [ "$(refused)" -gt "$flying" ]
echo good-key >bad
fsl-run -j 8 2>keys.said
is "$? $(count 'state = 2')" "0 120" "with another key in its place all are completed"

keys quota 'status=429 ; body={"error":{"message":"You exceeded your current quota",'\
'"type":"insufficient_quota","param":null,"code":"insufficient_quota"}}'
like "$(cat keys.said)" '^fsl-run: quota: 60 completed, 0 failed, 60 left' \
	"insufficient_quota: the run ends with quota"
is "$keys_status" 4 "and exit 4"
flying=$(refused)
ok "only what was in flight was sent ($flying), once" in_range "$flying" 1 8
is "$(count 'counted + throttled > 0 AND state = 0')" 0 "and is no attempt"
like "$(cat keys.said)" 'is left alone \(quota\): You exceeded your current quota' "with the server's words"
sound "insufficient_quota"

fresh forbidden
server FORBIDDEN --latency 20 --rule 'model=a => status=403'
models 80 "a b" >forbidden.jsonl
send forbidden -j 4 --key file:good
is "$? $(ended forbidden)" "4 refused 4 40 10 30" \
	"403: ten in a row fail, the rest stays, another model goes on"
ok "beside what was in flight" in_range "$(stats FORBIDDEN .models.a.requests)" 10 14
sound "403"

# --- a batch that only fails

fresh guard
server GUARD --latency 10 --rule 'model=gpt-5o => status=404' --rule 'body~"late" => status=404'
models 70 gpt-5o >guard.jsonl
models 60 m 100 >others.jsonl
batch guard.jsonl --name wrong
batch others.jsonl --name right
fsl-run --json -j 6 >guard.sum 2>guard.said
is "$? $(ended guard)" "4 all_failing 4 60 20 50" "20 failures with the same status: exit 4, all_failing"
sends=$(stats GUARD '.models["gpt-5o"].requests')
ok "beside them what was in flight, or about to be, was sent ($sends)" in_range "$sends" 20 32
like "$(cat guard.said)" 'warning: .* is left alone \(all_failing\): scripted 404' "it is said at once"
is "$(sql 'SELECT name, pending, failed FROM batches ORDER BY id' | paste -sd' ')" \
	"wrong|50|20 right|0|0" "the rest of the batch is pending, another batch goes on"
sound "all_failing"
fsl-run --json -j 6 >guard.sum 2>guard.said
is "$? $(ended guard)" "4 all_failing 4 0 40 30" "a second run tries it again"
fsl-run --json -j 6 --no-guard >guard.sum 2>guard.said
is "$? $(ended guard)" "1 drained 1 0 70 0" "--no-guard goes on to the end: exit 1"
is "$(stats GUARD .requests)" "$(sql 'SELECT count(*) FROM attempts')" "what was sent is recorded"
is "$(sql "SELECT count(*) FROM attempts a JOIN attempts b ON b.request = a.request AND b.n > a.n
	WHERE a.next_ms IS NULL")" 0 "and nothing is sent again that had ended"
sound "--no-guard"
fresh trust
models 5 m >trust.jsonl
models 60 late 6 >>trust.jsonl
send trust -j 6
is "$? $(ended trust)" "3 drained 3 5 60 0" "a batch with a success is not guarded"

# --- a locked state file

fresh locked
server LOCKED --latency 20
requests 200 >locked.jsonl
batch locked.jsonl
fsl-run -j 4 --max-requests 150 2>locked.said &
pid=$!
eventually stats_are LOCKED '.answered > 20' true
mkfifo gate
flock locked.db-fsl cat gate >/dev/null &
exec 8>gate
ok "another process holds the writers' lock: a warning" eventually says locked.said \
	'the state file is busy.*results\{0,1\} waits\{0,1\} in memory'
ok "what was started is sent, then nothing" eventually stats_are LOCKED .in_flight 0
before=$(stats LOCKED .requests)
kill -USR1 $pid
ok "SIGUSR1 says meanwhile how far it is" eventually says locked.said \
	'^fsl-run: [0-9]* of 200 done, 0 of them failed; 0 in flight, 0 wait to be tried again'
ok "it lives" kill -0 $pid
is "$(stats LOCKED .requests)" "$before" "and sends nothing that it could not record"
exec 8>&-
wait $pid
is "$? $(stats LOCKED .requests)" "4 150" "it is free again: it goes on to --max-requests, exactly"
is "$(sent locked.log | sort | uniq -d)" "" "and nothing was sent twice"
ok "which it says" says locked.said 'the state file can be written again'
sound "locked"

# --- a killed worker of three

fresh killed
server KILLED --latency 400
requests 200 >killed.jsonl
batch killed.jsonl
for i in 1 2 3; do
	fsl-run -j 8 2>killed.said$i &
	eval "worker$i=$!"
done
eventually stats_are KILLED .in_flight 24
at=$(clock KILLED)
kill -KILL $worker2
wait $worker2 2>/dev/null
wait $worker1
status=$?
wait $worker3
is "$status $? $(sql 'SELECT completed FROM batches')" "0 0 200" "one of three workers is killed: the others complete all"
sent killed.log | sort | uniq -d >twice
lost=$(sql "SELECT count(*) FROM attempts WHERE code = 'interrupted'")
is "$(wc -l <twice)" "$lost" "what it had in flight ($lost) is sent again, and nothing else"
ok "8 at most" in_range "$lost" 1 8
last=$(jq -r --argjson at "$at" 'select(.t_us > $at) | [.path[4:], .t_us] | @tsv' killed.log |
	grep -wFf twice | cut -f2 | tail -n 1)
diag "all again in flight after $(((last - at) / 1000)) ms"
ok "within a second" [ $((last - at)) -lt 1000000 ]
is "$(jq -r .key killed.log | sort -u | wc -l)" 200 "under the same key each time"
sound "one of three killed"

# --- stopped workers, other clocks

for move in +172800000 -172800000; do
	fresh "clock$move"
	server CLOCK --latency 30 --rule 'nth=1-4 => sleep=700' --rule 'path=/v1/r30,key-seen<1 => status=500'
	requests 40 >clock.jsonl
	batch clock.jsonl
	begin=$(clock CLOCK)
	fsl-run -j 4 2>clock.said &
	pid=$!
	eventually stats_are CLOCK .in_flight 4
	kill -STOP $pid # while it waits for answers: in a commit it would hold up everybody
	FSL_TEST_NOW=$move fsl-run --json -j 4 --max-time 20s >clock.sum 2>clock2.said &
	other=$!
	done_but() { [ "$(sql 'SELECT pending, processing FROM batches')" = "0|$1" ]; }
	ok "a worker whose clock is set by $((move / 86400000)) d sends what a stopped one has not" \
		eventually done_but 4
	kill -CONT $pid
	wait $pid
	status=$?
	wait $other
	is "$status $? $(sum clock .reason)" "0 0 drained" "nothing waits for days"
	is "$(stats CLOCK .requests) $(sent "$log" | sort -u | wc -l)" "41 40" \
		"only what has failed is sent twice"
	sound "clock $move"
done
# What a clock that was set wrong has left behind.
fresh wrong
: >"$log"
batch clock.jsonl
FSL_TEST_NOW=+172800000 fsl-run -j 4 --limit '*:rate=100/s' --max-requests 10 2>wrong.said
is $? 4 "a worker with a wrong clock has sent ten"
fsl-run --json -j 4 --limit '*:rate=100/s' --max-time 20s >wrong.sum 2>wrong.said
is "$? $(ended wrong)" "0 drained 0 40 0 0" "the next one does not wait until that time"

# --- a run that waits for work

fresh forever
server FOREVER --latency 100 --notify "$PWD/notify"
requests 12 >work.jsonl
file=$(fsl-file import work.jsonl)
env NOTIFY_SOCKET="$PWD/notify" WATCHDOG_USEC=1000000 "$BUILD/fsl-run" --forever 2>forever.said &
pid=$!
told() { [ "$(jq -r 'select(.message) | .message' forever.log | grep -c "$1")" -ge "$2" ]; }
ok "--forever: READY=1 is told to the service manager" eventually told '^READY=1' 1
ok "without work it waits" lives 1
ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
cpu() { cat /proc/$pid/task/*/schedstat | awk '{ n += $1 } END { print int(n / 1000) }'; }
pings=$(jq -r 'select(.message) | .message' forever.log | grep -c WATCHDOG=1)
from=$(clock FOREVER) cpu=$(cpu) ticks=$(ticks)
ok "WATCHDOG=1 is told twice in WATCHDOG_USEC" eventually told WATCHDOG=1 $((pings + 6))
took=$(($(clock FOREVER) - from)) used=$(($(cpu) - cpu))
diag "idle for $((took / 1000)) ms: $used us of CPU, that is $((used * 100000 / took)) thousandths" \
	"of a percent; $(($(ticks) - ticks)) ticks in /proc/PID/stat"
ok "6 pings take 3 s" in_range $((took / 1000)) 2400 6000
ok "idle it uses less than 1 % of a core" [ $((used * 100)) -lt $took ]
for i in 1 2 3; do
	n=$(stats FOREVER .requests)
	from=$(clock FOREVER)
	fsl-batch create -q --base-url "$url" "$file" >/dev/null
	eventually stats_are FOREVER ".requests > $n" true
	first=$(jq -r --argjson from "$from" 'select(.n and .t_us > $from) | .t_us' forever.log | head -n 1)
	diag "first request of a new batch: $(((first - from) / 1000)) ms after create began"
	ok "a new batch is begun at once" [ $((first - from)) -lt 500000 ]
done
eventually stats_are FOREVER .answered 36
ok "STATUS= tells how far it is" eventually told '^STATUS=36 of 36 done, 0 in flight' 1
fsl-batch create -q --base-url "$url" "$file" >/dev/null
eventually stats_are FOREVER .in_flight 12
kill -TERM $pid
wait $pid
is "$? $(sql 'SELECT sum(completed) FROM batches')" "143 48" "SIGTERM: what is in flight finishes, exit 143"
ok "STOPPING=1 was told" told '^STOPPING=1' 1
sound "--forever"
for word in READY=1 STOPPING=1; do
	is "$(jq -r 'select(.message) | .message' forever.log | grep -c "^$word")" 1 "$word once"
done

# --- the state file goes away under an idle worker

mkdir gone
echo '{"custom_id":"a","url":"/v1/x"}' | fsl-file -D gone/fsl.db import - >/dev/null
fsl-run -D gone/fsl.db --forever 2>gone.said &
pid=$!
eventually sh -c 'fsl-run -D gone/fsl.db --workers | grep -q .'
rm gone/fsl.db*
ok "an idle worker notices within seconds" eventually grep -q 'moved, removed or replaced' gone.said
wait $pid
is $? 78 "and ends: 78"

done_testing
