#!/bin/sh
# kill -9 at any moment: nothing is lost, what is finished is not sent again,
# and at most what was in flight then is sent once more.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/../cli/state.sh"
. "${0%/*}/../cli/tap.sh"

seed=$(date +%s)
diag "seed: $seed"
awk -v seed="$seed" 'BEGIN { srand(seed); for (;;) print int(rand() * 1000) }' 2>/dev/null |
	head -n 200 >chance
exec 7<chance
# within LOW HIGH: sets moment to so many milliseconds, by chance, as seconds.
within() {
	read -r chance <&7
	moment=$(awk -v low="$1" -v high="$2" -v chance="$chance" \
		'BEGIN { printf "%.3f", (low + (high - low) * chance / 1000) / 1000 }')
}
# killed COMMAND...: it is killed at the moment, or ends before.  It is gone
# when this returns: in the foreground timeout does not kill itself with it.
killed() { timeout --foreground -s KILL "$moment" "$@" >/dev/null 2>&1; }
now() { date +%s%3N; }

# --- again and again, while 2,000 requests are sent

server_start API --mode echo --latency 30 --log api.log
requests 2000 >in.jsonl
command="fsl-run --retries 30 -i in.jsonl -o out.jsonl --base-url $API_URL"
: >api.log
kills=0 wrong=0
while [ $kills -lt 16 ]; do
	within 40 260
	# shellcheck disable=SC2086 # words
	killed $command
	kills=$((kills + 1))
	[ -s fsl.db ] || continue
	# A killed creator may have left a file of no byte.
	sql 'SELECT 1 FROM requests LIMIT 1' >/dev/null 2>&1 || continue
	wc -l <api.log >"at.$kills"
	sql "SELECT '/v1/r' || (id & 4294967295) FROM requests WHERE state = 2" | sort >"done.$kills"
	sql 'SELECT request, n, worker FROM flights' >>flights
	said=$(sound_wrong)
	[ -z "$said" ] || wrong=$((wrong + 1))
	[ -z "$said" ] || diag "kill $kills: $said"
done
is $wrong 0 "the state file is sound after each of $kills kills"
# Who was killed early has left those of the one before where they were.
flights=$(sort -u flights | wc -l)
diag "finished before the last kill: $(wc -l <"done.$kills")"
diag "in flight at the kills: $flights"
# shellcheck disable=SC2086 # words
status_is 0 "then it is left alone, and completes" $command
is "$(ids out.jsonl | cksum)" "$(ids in.jsonl | cksum)" "each of the 2,000 requests has its line"
again=0
for i in $(seq $kills); do
	[ -e "at.$i" ] || continue
	n=$(tail -n +$(($(cat "at.$i") + 1)) api.log | jq -r .path | sort | comm -12 - "done.$i" | wc -l)
	again=$((again + n))
done
is $again 0 "nothing that was finished before a kill is sent after it"
sends=$(stats API .requests)
recorded=$(sql 'SELECT count(*) FROM attempts')
diag "sent: $sends, recorded: $recorded"
ok "at most what was in flight at the kills is sent once more" test $((sends - 2000)) -le "$flights"
ok "what was sent is recorded" test "$sends" -le "$recorded"
ok "and at most what was in flight beside it" test "$recorded" -le $((sends + flights))
is "$(jq -r .key api.log | sort -u | wc -l)" 2000 "a request has the same Idempotency-Key each time"
is "$(sql "SELECT count(*) FROM attempts WHERE code = 'interrupted'")" "$flights" \
	"each attempt that a kill ended is recorded as interrupted"
is "$(sql 'SELECT count(*) FROM batches')" 1 "there is one batch"
sound "killed $kills times"

partly=0
for i in 1 2 3 4 5 6; do
	rm -f out.jsonl
	within 5 60
	# shellcheck disable=SC2086 # words
	killed $command
	[ ! -e out.jsonl ] || [ "$(wc -l <out.jsonl)" -eq 2000 ] || partly=$((partly + 1))
done
is $partly 0 "an output is whole or not there"
is "$(stats API .requests)" "$sends" "and nothing was sent for it"

# --- another worker takes over

server_start PAIR --mode echo --rule 'nth=1-5 => hang' --log pair.log
FSL_DB=$PWD/pair.db
requests 40 >forty
fsl-run -j 5 -i forty -o pair.out --base-url "$PAIR_URL" 2>/dev/null &
first=$!
eventually stats_are PAIR .in_flight 5
fsl-run -j 20 2>pair.said &
second=$!
ok "two workers: the second sends what the first does not hold" eventually stats_are PAIR .answered 35
kill -KILL $first
start=$(now)
ok "the first is killed: the second sends what was in flight there" wait_for 3 lines_are pair.log 45
diag "after $(($(now) - start)) ms"
wait $second
is $? 0 "and ends when all is done"
wait $first 2>/dev/null
is "$(sql 'SELECT completed FROM batches')" 40 "all are completed"
is "$(sent pair.log | sort | uniq -d | wc -l)" 5 "only those in flight were sent twice"
sound "two workers, one killed"

# --- during import and create

FSL_DB=$PWD/import.db
requests 60000 >big.jsonl
cp big.jsonl other.jsonl
start=$(now)
fsl-file import -D full.db big.jsonl >/dev/null
took=$(($(now) - start))
diag "an import takes $took ms"
half=0
for i in 1 2 3 4 5 6 7 8; do
	within 5 $took
	killed fsl-file import other.jsonl
	[ -s import.db ] || continue
	fsl-file list --columns requests >files 2>/dev/null || continue
	grep -qvx 60000 files && half=$((half + 1))
	said=$(sound_wrong)
	[ -z "$said" ] || half=$((half + 1))
	[ -z "$said" ] || diag "kill $i: $said"
done
is $half 0 "fsl-file import: there is a whole file or none"
whole=$(fsl-file list 2>/dev/null | wc -l)
diag "whole files: $whole"
status_is 0 "an import that is not killed" fsl-file import --name big big.jsonl
status_is 0 "can be read back" fsl-file export big
ok "as it was" cmp big.jsonl out
is "$(sql 'SELECT count(*) FROM files')" $((whole + 1)) "what killed ones left is swept"
is "$(sql 'SELECT count(*) FROM lines')" $((60000 * (whole + 1))) "with its lines"

start=$(now)
fsl-batch create --base-url "$API_URL" big >/dev/null
took=$(($(now) - start))
diag "a create takes $took ms"
half=0
for i in 1 2 3 4 5 6 7 8; do
	within 5 $took
	killed fsl-batch create --base-url "$API_URL" big
	said=$(sound_wrong)
	[ -z "$said" ] || half=$((half + 1))
	[ -z "$said" ] || diag "kill $i: $said"
	fsl-batch list --columns total | grep -qvx 60000 && half=$((half + 1))
done
is $half 0 "fsl-batch create: there is a whole batch or none"
fsl-batch create --base-url "$API_URL" big >/dev/null
whole=$(fsl-batch list | wc -l)
diag "whole batches: $whole"
is "$(sql 'SELECT count(*) FROM batches')" "$whole" "what killed ones left is swept"
is "$(sql 'SELECT count(*) FROM requests')" $((60000 * whole)) "with its requests"
is "$(sql 'SELECT count(*) FROM queues')" "$whole" "and queues"
sound "killed imports and creates"

done_testing
