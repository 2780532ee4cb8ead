#!/bin/sh
# shellcheck disable=SC2317 # functions are called by their names
# fsl-batch queue: what waits, and why it stands still.
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

# lines MODEL N: lines of input.
lines() {
	for n in $(seq "$2"); do
		printf '{"custom_id":"%s%d","url":"/v1/x","body":{"model":"%s"}}\n' "$1" "$n" "$1"
	done
}
# says WANT RULE: the columns MODEL PENDING RETRYING IN_FLIGHT WHY.
columns=model,pending,retrying,in_flight,why
says() { is "$(fsl-batch queue --columns "$columns")" "$1" "$2"; }
queue_is() { [ "$(fsl-batch queue --columns "$columns")" = "$1" ]; }
queue_says() { fsl-batch queue --columns "$columns" | grep -F "$1"; }
# run ARGUMENT...: fsl-run in the background; end waits for it.
run() { fsl-run --grace 0 "$@" >/dev/null 2>&1 & worker=$!; }
end() {
	kill "$worker"
	wait "$worker" 2>/dev/null
}

server_start API --rule 'model=slow => hang' --rule 'model=busy => status=503 ; header="retry-after: 600"' \
	--rule 'model=broken => status=500' --rule 'model=poor => status=401'
export FSL_BASE_URL="$API_URL"

status_is 5 "no state file" fsl-batch queue
{ lines slow 4; lines fine 2; } >in.jsonl
fsl-batch create --name one in.jsonl >/dev/null

# --- nobody

status_is 0 "queue" fsl-batch queue
is "$(cat out)" "fine	$API_URL	2	0	0	-	no worker is running	-	none
slow	$API_URL	4	0	0	-	no worker is running	-	none" \
	"MODEL ORIGIN PENDING RETRYING IN_FLIGHT LIMIT WHY NEXT KEY, by model"
is "$(fsl-batch queue --json | head -n 1)" "{\"model\":\"fine\",\"origin\":\"$API_URL\",\"pending\":2,\"retrying\":0,\"in_flight\":0,\"limit\":null,\"why\":\"no worker is running\",\"next\":null,\"key\":\"none\"}" \
	"--json"
status_is 64 "it takes no operands" fsl-batch queue one

# --- in flight

run -j 1 one
ok "what a worker sends is in flight" eventually queue_is "fine	2	0	0	the workers are busy with other requests
slow	3	0	1	-" || fsl-batch queue
fsl-batch create --name two --key env:MY_KEY --base-url "$API_URL/v1" in.jsonl >/dev/null 2>&1
is "$(fsl-batch queue --columns model,key,why | grep env:)" \
	"fine	env:MY_KEY	every worker was started for other batches
slow	env:MY_KEY	every worker was started for other batches" \
	"another key is another row, and no worker was started for it"
fsl-batch cancel two >/dev/null
FSL_USER=somebody fsl-batch create --name three in.jsonl >/dev/null
says "fine	4	0	0	1 of 2 batches: the workers are busy with other requests; 1 of 2 batches: every worker was started for other batches
slow	7	0	1	1 of 2 batches: every worker was started for other batches" "each batch has its reason"
kill -9 "$worker"
wait "$worker" 2>/dev/null
says "fine	4	0	0	no worker is running
slow	7	0	1	no worker is running" "a worker that was killed is none"

# --- whose

run -j 50
ok "a worker without operands" eventually queue_is "fine	2	0	0	no worker takes batches of somebody
slow	4	0	4	no worker takes batches of somebody" || fsl-batch queue
end
run -j 50 --all-users
ok "one for all users" eventually queue_is "slow	0	0	8	-" || fsl-batch queue
end
fsl-batch cancel one three >/dev/null
status_is 0 "when all has ended" fsl-batch queue
is "$(cat out)" "" "nothing waits"

# --- again, held, left alone

lines broken 2 >broken.jsonl
fsl-batch create --name four --retry-delay 1h --retry-max-delay 1d broken.jsonl >/dev/null
export FSL_TEST_SEED=7 # the delays are random
run four
ok "a retry that is not due" eventually queue_is "broken	0	2	0	waits to be tried again" || fsl-batch queue
next=$(date -d "$(fsl-batch queue --columns next)" +%s)
ok "waits for its time" [ "$next" -gt "$(date +%s)" ]
end
is "$(fsl-batch queue --columns why)" "no worker is running" "without a worker it waits for that"
fsl-batch cancel four >/dev/null

lines busy 1 >busy.jsonl
fsl-batch create --name five busy.jsonl >/dev/null
run five
ok "a model that the server holds back" eventually queue_is "busy	0	1	0	held by the server: 503" || fsl-batch queue
next=$(date -d "$(fsl-batch queue --columns next)" +%s)
ok "for as long as it said" [ "$next" -gt $(($(date +%s) + 500)) ]
end
fsl-batch cancel five >/dev/null

lines poor 3 >poor.jsonl
lines slow 1 >slow.jsonl
fsl-batch create --name six --key env:MY_KEY poor.jsonl >/dev/null 2>&1
fsl-batch create --name seven slow.jsonl >/dev/null
MY_KEY=wrong run -j 1 --limit 'slow:jobs=1' six seven
ok "a key that is not taken" eventually queue_says "poor	3	0	0	unauthorized: "
is "$(fsl-batch queue --columns model,in_flight,limit | tail -n 1)" "slow	1	1" "--limit of a worker"
end
fsl-batch cancel six seven >/dev/null

# --- plans

lines slow 3 >slow.jsonl
jq -n --arg url "$API_URL" '{data_products: [{name: "all", compute: "batch", version: "1",
	eager: true, passthrough: {file: "slow.jsonl", base_url: $url, key: "none"}}],
	dependencies: []}' >plan.json
fletcher-plan publish --dataset papers plan.json >/dev/null
run -j 1 papers
ok "a worker for a dataset takes the batches of its products" \
	eventually queue_is "slow	2	0	1	-" || fsl-batch queue
lines fine 1 >fine.jsonl
fsl-batch create --name eight fine.jsonl >/dev/null
says "fine	1	0	0	every worker was started for other batches
slow	2	0	1	-" "and no others"
end
fsl-batch cancel eight >/dev/null
sound "after all that"
done_testing
