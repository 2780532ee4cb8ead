#!/bin/sh
# kill -9 at any moment while data products are handed over (fsl-run --compute),
# then fsl-run again: each platform was told of one run of a product, under one
# Idempotency-Key, and that run is the product's.
#
# FSL_KILLS kills (8; 50 is the full size) of the seed FSL_SEED (the time of day).
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/../cli/state.sh"
kills=${FSL_KILLS:-8} seed=${FSL_SEED:-$(date +%s)}
. "${0%/*}/../cli/tap.sh"

diag "FSL_KILLS=$kills FSL_SEED=$seed"
# Moments within the time that it takes, as seconds.
awk -v seed="$seed" -v n="$kills" 'BEGIN { srand(seed); for (; n > 0; n--)
	printf "%.3f\n", 0.005 + 0.25 * rand() }' >moments
server_start API --mode echo --latency 10 --log api.log --log-bodies
: >api.log
jq -nc '{dataset: {name: "jobs"}, data_products: [range(100) | {name: "p\(.)", compute: "dbxaas",
	version: "1", eager: true, passthrough: {n: .}}]}' >plan.json
fletcher-plan publish plan.json >/dev/null

died=0 wrong=0
: >flights
while read -r moment; do
	timeout --foreground -s KILL "$moment" fsl-run -j 2 --compute "dbxaas=$API_URL/" >/dev/null 2>>said
	[ $? -eq 137 ] || break
	died=$((died + 1))
	sql 'SELECT request, n, worker FROM flights' >>flights
	orphans=$(sql 'SELECT count(*) FROM batches WHERE status <> 0 AND id NOT IN
		(SELECT batch FROM data_products WHERE batch IS NOT NULL)')
	found=$(sound_wrong)
	[ -z "$found" ] && [ "$orphans" -eq 0 ] && continue
	wrong=$((wrong + 1))
	diag "kill $died: $found, batches that nobody knows: $orphans"
done <moments
diag "kills: $died, sent by then: $(wc -l <api.log)"
is $wrong 0 "the state file is sound after each kill, and no batch is nobody's"
is "$(fletcher-plan ready --plain jobs | wc -l)" \
	"$(sql 'SELECT count(*) FROM data_products WHERE state = 1 AND worker IS NULL')" "ready lists what nobody has"
status_is 0 "without --compute what was begun is finished" fsl-run
is "$(sql 'SELECT count(*) FROM data_products WHERE state = 1 AND (worker IS NOT NULL OR batch IS NOT NULL)')" 0 \
	"and nothing else"
status_is 0 "with it the rest" fsl-run --compute "dbxaas=$API_URL/"
is "$(fletcher-plan show --json jobs | jq -r '[.data_products[].state] | unique | join(" ")')" running \
	"all are handed over"
fletcher-plan show --json jobs | jq -r '.data_products[] | "\(.name) \(.run_id)"' | sort >runs
is "$(jq -r '.body | fromjson | "\(.name) \(.run_id)"' api.log | sort -u | cmp - runs)" "" \
	"the platform was told of one run of each, which is the product's"
is "$(jq -r .key api.log | sort -u | wc -l)" 100 "under one key"
is "$(sql 'SELECT count(*) FROM batches')" 100 "with one batch"
sort -u flights >flights.once
ok "at most what was in flight was sent once more" \
	test "$(wc -l <api.log)" -le $((100 + $(wc -l <flights.once)))
sound "products that were handed over"
done_testing
