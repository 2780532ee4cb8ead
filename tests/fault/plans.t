#!/bin/sh
# kill -9 at any moment while a plan runs, then fsl-run again: the plan ends as if
# nothing had happened.  No product runs twice at once, no batch is made twice,
# what is finished is not sent again.
#
# FSL_KILLS kills (6; 50 is the full size) of the seed FSL_SEED (the time of day).
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/../cli/state.sh"
kills=${FSL_KILLS:-6} seed=${FSL_SEED:-$(date +%s)}
. "${0%/*}/../cli/tap.sh"

diag "FSL_KILLS=$kills FSL_SEED=$seed"
awk -v seed="$seed" 'BEGIN { srand(seed); for (;;) print int(rand() * 1000) }' 2>/dev/null |
	head -n 1000 >chance
exec 7<chance
# A moment within the time that a plan takes, as seconds.
within() {
	read -r chance <&7
	moment=$(awk -v low="$1" -v high="$2" -v chance="$chance" \
		'BEGIN { printf "%.3f", (low + (high - low) * chance / 1000) / 1000 }')
}
killed() { timeout --foreground -s KILL "$moment" "$@" >/dev/null 2>>said; }
states() { fletcher-plan show --json "$1" | jq -r '[.data_products[].state] | unique | join(" ")'; }

# A command that is there only once: the lock is held as long as it runs.  What
# still runs 2 s after its worker was killed is a fault.
cat >only <<'ONLY'
#!/bin/sh
# only NAME COMMAND...
exec 8>>"$FLETCHER_DATASET.$1.lock"
flock -w 2 8 || { echo "$1" >>twice; exit 1; }
shift
perl -e 'select undef, undef, undef, 0.03'
exec "$@"
ONLY
chmod +x only
step() {
	printf '["./only","%s","jq","-c","{custom_id, url: (\\"/%s/\\" + .custom_id), body: .custom_id}"]' "$1" "$1"
}
server_start API --mode echo --latency 15 --log api.log
: >api.log
: >flights
awk 'BEGIN { for (i = 1; i <= 60; i++)
	printf "{\"custom_id\":\"p%d\",\"url\":\"/extract/p%d\",\"body\":\"p%d\"}\n", i, i, i }' >pages.jsonl
cat >plan.json <<PLAN
{ "dataset": { "name": "papers" }, "data_products": [
    { "name": "extract", "compute": "batch", "version": "1", "eager": true,
      "passthrough": { "file": "pages.jsonl", "base_url": "$API_URL", "key": "none", "retries": 50 } },
    { "name": "summarize", "compute": "batch", "version": "1", "eager": true,
      "passthrough": { "prepare": $(step summarize), "base_url": "$API_URL", "key": "none", "retries": 50 } },
    { "name": "count", "compute": "exec", "version": "1", "eager": true,
      "passthrough": { "argv": ["./only", "count", "wc", "-l"] } },
    { "name": "judge", "compute": "batch", "version": "1", "eager": true,
      "passthrough": { "prepare": $(step judge), "base_url": "$API_URL", "key": "none", "retries": 50 } } ],
  "dependencies": [ { "parent": "extract", "child": "summarize" },
    { "parent": "summarize", "child": "count" }, { "parent": "summarize", "child": "judge" } ] }
PLAN

n=0 round=0 wrong=0 open=0 again=0
while [ $n -lt "$kills" ]; do
	round=$((round + 1))
	fletcher-plan publish --dataset "papers-$round" plan.json >/dev/null || break
	status=137
	while [ $status -eq 137 ] && [ $n -lt "$kills" ]; do
		within 5 700
		killed fsl-run --allow-exec -j 8
		status=$?
		[ $status -eq 137 ] || break
		n=$((n + 1))
		wc -l <api.log >"at.$n"
		sql "SELECT '/' || p.name || '/' || t.custom_id FROM requests r
			JOIN batches b ON b.id = r.id >> 32 JOIN data_products p ON p.batch = b.id
			JOIN datasets d ON d.id = p.dataset AND d.name = 'papers-$round'
			JOIN templates t ON t.id = (b.file << 32) | (r.id & 4294967295)
			WHERE r.state = 2" | sort >"done.$n"
		sql 'SELECT request, n, worker FROM flights' >>flights
		orphans=$(sql 'SELECT count(*) FROM batches WHERE status <> 0 AND id NOT IN
			(SELECT batch FROM data_products WHERE batch IS NOT NULL)')
		said=$(sound_wrong)
		if [ -n "$said" ] || [ "$orphans" != 0 ]; then wrong=$((wrong + 1)); fi
		if [ -n "$said" ] || [ "$orphans" != 0 ]; then diag "kill $n: $said, batches that nobody knows: $orphans"; fi
	done
	timeout -s KILL 60 fsl-run --allow-exec -j 8 >/dev/null 2>>said || diag "round $round: status $?"
	[ "$(states "papers-$round")" = success ] || open=$((open + 1))
	# Of this round only: the next one sends the same names.
	for i in $(seq "$n"); do
		[ -e "at.$i" ] || continue
		more=$(tail -n +$(($(cat "at.$i") + 1)) api.log | jq -r .path | sort | comm -12 - "done.$i" | wc -l)
		again=$((again + more))
		rm "at.$i"
	done
done
diag "plans: $round, kills: $n"
sort -u flights >flights.once
is $wrong 0 "the state file is sound after each kill, and no batch is nobody's"
is $open 0 "each plan ends as if nothing had happened"
is $again 0 "nothing that was finished before a kill is sent after it"
is "$(cat twice 2>/dev/null)" "" "no command of a product runs twice at once"
is "$(sql 'SELECT count(*) FROM batches')" $((3 * round)) "a batch per product, however often it was killed"
extra=$(($(wc -l <api.log) - 180 * round))
ok "at most what was in flight is sent once more" test $extra -le "$(wc -l <flights.once)"
is "$(sql "SELECT count(*) FROM product_outputs WHERE CAST(body AS TEXT) <> '60' || char(10)")" 0 \
	"a command has all the lines of the step above"
is "$(sql 'SELECT sum(total = 60 AND completed = 60) FROM batches')" $((3 * round)) "so has each batch"
left=0
for lock in *.lock; do
	flock -n "$lock" true || left=$((left + 1))
done
is $left 0 "no command is left"
sound "plans that were killed"
done_testing
