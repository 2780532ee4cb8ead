#!/bin/sh
# shellcheck disable=SC2317 # functions are called by their names
# fsl-batch usage: what was used, by what, and what it has cost.
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

usage='{"prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":40},"completion_tokens_details":{"reasoning_tokens":5}}'
server_start API --rule 'body~"bad" => status=400 ; body={"error":{"message":"no"}}' \
	--rule 'body~"late",key-seen<2 => status=503' \
	--rule "any => status=200 ; header=\"Content-Type: application/json\" ; body={\"usage\":$usage}"
export FSL_BASE_URL="$API_URL"

# lines MODEL TEXT...: a line of input per text.
lines() {
	lines_model=$1
	shift
	for text; do
		printf '{"custom_id":"%s","url":"/v1/x","body":{"model":"%s","text":"%s"}}\n' \
			"$text" "$lines_model" "$text"
	done
}
lines gpt-4o a b bad late >one.jsonl
{ lines gpt-4o-mini c d; lines local e; } >two.jsonl
printf '{"gpt-4o-mini":{"input":0.15,"cached_input":0.075,"output":0.6},"gpt-4o":{"input":2.5,"output":10}}' \
	>prices.json

status_is 0 "nothing was used yet" fsl-batch create --name one --retry-delay 1ms one.jsonl
status_is 0 "a model of which nothing was used" fsl-batch usage one
is "$(cat out)" "gpt-4o	0	0	0	0	0	0	-" "is there, for a batch that is named"
fsl-run one >/dev/null 2>&1
fsl-batch create --name two two.jsonl >/dev/null
fsl-run two >/dev/null 2>&1

# --- by what

status_is 0 "usage" fsl-batch usage
is "$(cat out)" "gpt-4o	4	6	300	120	60	15	-
gpt-4o-mini	2	2	200	80	40	10	-
local	1	1	100	40	20	5	-" "MODEL REQUESTS ATTEMPTS INPUT CACHED OUTPUT REASONING COST, most tokens first"
b=$(fsl-batch show one | jq -r .id)
c=$(fsl-batch show two | jq -r .id)
status_is 0 "--by batch" fsl-batch usage --by batch
is "$(cat out)" "$c	3	3	300	120	60	15	-
$b	4	6	300	120	60	15	-" "the newest first"
status_is 0 "--by status" fsl-batch usage --by status
is "$(cat out)" "completed	7	9	600	240	120	30	-" "of the batches"
status_is 0 "--by day" fsl-batch usage --by day
like "$(cat out)" "^20[0-9]{2}-[0-9]{2}-[0-9]{2}	7	9	600	240	120	30	-\$" "of UTC"
status_is 64 "--by anything else" fsl-batch usage --by hour
is "$(fsl-batch usage --json two | jq -c .)" '{"model":"gpt-4o-mini","requests":2,"attempts":2,"input_tokens":200,"cached_tokens":80,"output_tokens":40,"reasoning_tokens":10,"cost":null}
{"model":"local","requests":1,"attempts":1,"input_tokens":100,"cached_tokens":40,"output_tokens":20,"reasoning_tokens":5,"cost":null}' \
	"of one batch, as JSON"
is "$(fsl-batch usage --by day --json | jq -r 'keys_unsorted[0]')$(fsl-batch usage --by batch --json |
	jq -r 'keys_unsorted[0]' | uniq)$(fsl-batch usage --by status --json | jq -r 'keys_unsorted[0]')" \
	daybatch_idstatus "JSON names what it is by"
status_is 5 "a batch that is not there" fsl-batch usage nosuch one
is "$(cut -f1 out)" gpt-4o "does not hide one that is"

# totals FILTER: of all lines, by each kind, in one line.
totals() {
	for by in model batch day status; do
		fsl-batch usage --json --by $by | jq -s -c "[(map($1) | add)]"
	done | sort -u | paste -sd' '
}
is "$(totals .requests) $(totals .attempts)" "$(fsl-batch show one two | jq -s -c '
	[(map(.request_counts.completed + .request_counts.failed) | add)],
	[(map(.fsl.attempts) | add)]' | paste -sd' ')" "whatever it is by, the totals are those of the batches"
is "$(totals .input_tokens) $(totals .output_tokens)" "$(fsl-batch show one two | jq -s -c '
	[(map(.usage.input_tokens) | add)], [(map(.usage.output_tokens) | add)]' |
	paste -sd' ')" "of tokens too"

# --- what it has cost

status_is 0 "--prices" fsl-batch usage --prices prices.json --columns model,cost
is "$(cat out)" "gpt-4o	0.00135
gpt-4o-mini	0.000048
local	-" "300 at 2.5 and 60 at 10; 120 at 0.15, 80 at 0.075 and 40 at 0.6; nobody knows"
is "$(cat err)" "fsl-batch: warning: prices.json has no price for local" "a model without a price is told"
status_is 0 "quietly" fsl-batch usage -q --prices prices.json --by batch --columns cost
is "$(cat out err)" "-
0.00135" "it makes the cost of its batch unknown"
is "$(fsl-batch usage --json --prices prices.json one | jq -c .cost)" 0.00135 "a number in JSON"
printf '{"":{"input":0,"output":0}}' >free.json
is "$(fsl-batch usage --prices free.json --columns cost --by status)" 0.00 "a price for any model"
is "$(fsl-batch usage --prices - --columns cost one <prices.json)" 0.00135 "from standard input"
is "$(totals .cost)" "[null]" "without prices nothing is known"
status_is 66 "prices that are not there" fsl-batch usage --prices none.json
printf '{"m":{"input":"1"}}' >bad.json
status_is 78 "bad prices" fsl-batch usage --prices bad.json
is "$(cat err)" "fsl-batch: bad.json: m.input: is no number" "are told with file, member and why"

# --- since when

status_is 0 "--since" fsl-batch usage --since 1h --columns model,requests
is "$(cat out)" "gpt-4o	4
gpt-4o-mini	2
local	1" "what ended within"
status_is 0 "a day later" env FSL_TEST_NOW=+90000000 fsl-batch usage --since 1d
is "$(cat out)" "" "nothing has"
status_is 0 "of a batch that is named" env FSL_TEST_NOW=+90000000 fsl-batch usage --since 1d --by batch one
is "$(cat out)" "$b	0	0	0	0	0	0	-" "it is told"

# --- sent once more

fsl-batch retry one >/dev/null
is "$(fsl-batch usage --columns requests,attempts one)" "3	6" \
	"what is to be sent again has not ended; its attempt has been made"
env FSL_TEST_NOW=+90000000 fsl-run one >/dev/null 2>&1
is "$(fsl-batch usage --columns requests,attempts one)" "4	7" "and then it ends again"
is "$(fsl-batch usage --by day --columns requests,attempts one)" "3	6
1	1" "on another day"
sound "after usage on two days"
fsl-batch delete --force two >/dev/null
is "$(fsl-batch usage --columns model,requests)" "gpt-4o	4" "what is deleted is not counted any more"
done_testing
