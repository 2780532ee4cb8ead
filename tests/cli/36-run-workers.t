#!/bin/sh
# fsl-run and other workers: --exclusive, --workers, and the rows they leave.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

requests 12 >in.jsonl

# A worker that is held up by its server until that is told to go on.
# begin NAME ARGUMENT...: in the background; its process is $pid.
begin() {
	name=$1
	shift
	env --default-signal "$BUILD/fsl-run" "$@" >"$name.said" 2>&1 &
	pid=$!
}
lives() { [ "$(fsl-run --workers --plain | wc -l)" -eq "$1" ]; }
in_flight() { [ "$(stats API .in_flight)" = "$1" ]; }
worker() { fsl-run --workers --json | jq -r "$1"; }

# --- nobody

status_is 5 "--workers without a state file" fsl-run --workers
server_start API --mode echo --rule 'path=/v1/r1 => hang' --rule 'path=/v1/r2 => status=400'
fsl-batch create --name first --base-url "$API_URL" in.jsonl >/dev/null
status_is 0 "--workers when nobody lives" fsl-run --workers
is "$(cat out err)" "" "lists nobody"

# --- one that works

begin first -j 4 first
eventually lives 1
eventually in_flight 1
progress() { [ "$(sql 'SELECT done + failed FROM workers WHERE ended_ms IS NULL')" = 11 ]; }
eventually progress
is "$(fsl-run --workers --columns pid,user,done,failed,in_flight --plain)" \
	"$(printf '%s\t%s\t10\t1\t1' $pid "$(id -un)")" "--workers: process, user, done, failed, in flight"
is "$(worker 'keys_unsorted | join(" ")')" \
	"worker host pid user version since done failed in_flight" "as JSON it has these members"
is "$(worker .host) $(worker .version)" "$(uname -n) $(fsl-run --version | cut -d' ' -f2)" \
	"its host and version"
like "$(worker .since)" '^20[0-9-]+T[0-9:]+Z$' "and since when"
kill -STOP $pid
ok "one that is stopped is listed" lives 1

status_is 75 "--exclusive beside another worker" fsl-run --exclusive first
is "$(cat out)" "" "prints nothing"
like "$(cat err)" "another worker .* process $pid on $(uname -n), since 20[0-9-]+T[0-9:]+Z" \
	"and names it: host, process and since when"
status_is 75 "--exclusive=fail is the same" fsl-run --exclusive=fail first
status_is 0 "--exclusive=skip" fsl-run --exclusive=skip first
is "$(cat out err)" "" "says nothing"
requests 3 50 >other.jsonl
status_is 0 "--exclusive=skip -i" fsl-run --exclusive=skip -i other.jsonl -o other.out \
	--base-url "$API_URL"
is "$(cat out err) $(sql 'SELECT count(*) FROM files') $(find . -name 'other.out*')" " 1 " \
	"says nothing, imports nothing and writes nothing"
status_is 75 "--exclusive -i" fsl-run --exclusive -i other.jsonl --base-url "$API_URL"
is "$(sql 'SELECT count(*) FROM files')" 1 "imports nothing either"
is "$(sql 'SELECT count(*) FROM workers')" 1 "none of them was a worker"
status_is 64 "an unknown way" fsl-run --exclusive=perhaps first
like "$(cat err)" "'perhaps' is not one of fail, skip, wait" "is refused"
status_is 64 "--workers and a batch" fsl-run --workers first
status_is 64 "--workers and -i" fsl-run --workers -i in.jsonl

# --- waiting for it

begin second --exclusive=wait -i other.jsonl -o other.out --base-url "$API_URL"
second=$pid
waits() { grep -q '^Uid' "/proc/$1/status" && [ "$(sed -n 's/^State:.//p' "/proc/$1/status" | cut -c1)" = S ]; }
eventually waits $second
ok "--exclusive=wait waits" lives 1
is "$(sql 'SELECT count(*) FROM files')" 1 "and has not read its input"
first=$(worker .pid)
kill -KILL "$first"
wait "$first"
wait $second
is "$? $(cat second.said)" "0 " "until the other one is killed"
is "$(ids other.out)" "$(ids other.jsonl)" "then it sends"
ok "nobody lives any more" lives 0

begin third --exclusive first
third=$pid
eventually in_flight 1
begin fourth --exclusive=wait first
eventually waits $pid
kill -TERM $pid
wait $pid
is $? 143 "a signal ends the wait"
kill -INT $third
eventually grep -q 'may finish' third.said
kill -INT $third
wait $third
is $? 130 "and the one it waited for goes its own way"
sound "waited for"

# --- several at the same moment

status_is 0 "a worker takes over" fsl-run --retries 0 --first-byte-timeout 100ms --max-failed 12 first
for i in 1 2 3 4 5 6; do requests 20 $((i * 100)) >race$i.jsonl; done
server_start SLOW --mode echo --rule 'path=/v1/r100 => sleep=50' --latency 20
for i in 1 2 3 4 5 6; do fsl-batch create --name race$i --base-url "$SLOW_URL" race$i.jsonl; done >/dev/null
all=
for i in 1 2 3 4 5 6; do
	{ fsl-run -j 2 --exclusive race$i 2>race$i.said; echo $? >race$i.status; } &
	all="$all $!"
done
wait_all() { for i in $all; do wait "$i"; done; }
wait_all
cat race?.status >statuses
is "$(sort -u statuses | paste -sd' ')" "0 75" "of six that start at once some are refused"
is "$(sql "SELECT count(*) FROM batches WHERE name LIKE 'race%' AND completed = 20")" \
	"$(grep -cx 0 statuses)" "those that entered have sent their batches"
is "$(sql "SELECT count(*) FROM batches WHERE name LIKE 'race%' AND pending = 20")" \
	"$(grep -cx 75 statuses)" "and the others nothing"
is "$(sql "SELECT count(*) FROM workers a JOIN workers b ON a.id < b.id AND a.ended_ms > b.started_ms
	WHERE a.id > (SELECT max(id) FROM workers) - $(grep -cx 0 statuses)")" 0 \
	"no two of them were there at a time"
all=
for i in 1 2 3 4 5 6; do
	fsl-run -j 2 --exclusive=wait race$i 2>>waited.said &
	all="$all $!"
done
wait_all
is "$(cat waited.said) $(sql "SELECT sum(completed) FROM batches WHERE name LIKE 'race%'")" " 120" \
	"six that wait for each other all get their turn"
is "$(stats SLOW .max_in_flight)" 2 "one at a time"
is "$(stats SLOW .requests)" 120 "and send everything once"
sound "exclusive"

# --- a request that kills its worker

FSL_DB=$PWD/fatal.db
server_start FATAL --mode echo --rule 'path=/v1/r3 => hang' --log fatal.log
fsl-batch create --name fatal --retries 2 --base-url "$FATAL_URL" in.jsonl >/dev/null
for i in 1 2 3; do
	begin fatal$i -j 4 fatal
	ok "a worker sends it for the $i. time, and what else there is" \
		eventually stats_are FATAL '[.requests, .in_flight] | join(" ")' "$((11 + i)) 1"
	kill -KILL $pid
	wait $pid 2>/dev/null
	eventually stats_are FATAL .in_flight 0
done
status_is 3 "--retries 2: the fourth worker does not" fsl-run -j 4 fatal
is "$(sent fatal.log | grep -cx r3) $(stats FATAL .requests)" "3 14" "it was sent three times, the others once"
is "$(fsl-batch requests --custom-id r3 --columns state,attempts,code fatal)" \
	"$(printf 'failed\t3\tinterrupted')" "and fails as interrupted"
sound "a request that kills its worker"
FSL_DB=$PWD/fsl.db

# --- rows of long ago

week=$(($(date +%s%3N) - 7 * 86400000))
sqlite3 "$FSL_DB" "UPDATE workers SET ended_ms = $week - 60000 WHERE id <= 3"
kept=$(sql 'SELECT count(*) FROM workers WHERE id > 3')
status_is 0 "another worker enters" fsl-run first --max-failed 12
is "$(sql 'SELECT count(*) FROM workers WHERE id <= 3') $(sql 'SELECT count(*) FROM workers')" \
	"0 $((kept + 1))" "rows that ended a week ago go, and no others"
is "$(fsl-batch inspect first r1 --json | jq -c '[.attempts[].worker] | length > 0')" true \
	"attempts still have their numbers"
sound "pruned"

done_testing
