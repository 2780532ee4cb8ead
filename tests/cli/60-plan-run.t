#!/bin/sh
# fsl-run and plans: products are started, prepared, sent, reported; what comes
# next begins in the same run.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

# step FROM: the requests of a step, of the output lines of the one before.
step() {
	printf '["jq","-c","{custom_id, url: (\\"/v1/%s/\\" + .custom_id), body: {text: .response.body}}"]' "$1"
}
# plan URL: three steps that feed each other.
plan() {
	cat <<PLAN
{ "dataset": { "name": "papers" }, "params": { "day": "1" },
  "data_products": [
    { "name": "extract", "compute": "batch", "version": "1", "eager": true,
      "passthrough": { "file": "pages.jsonl", "base_url": "$1", "key": "none", "retries": 0 } },
    { "name": "summarize", "compute": "batch", "version": "1", "eager": true,
      "passthrough": { "prepare": $(step summarize), "base_url": "$1", "key": "none", "retries": 0 } },
    { "name": "judge", "compute": "batch", "version": "1", "eager": true,
      "passthrough": { "prepare": $(step judge), "base_url": "$1", "key": "none", "retries": 0 } } ],
  "dependencies": [
    { "parent": "extract", "child": "summarize" }, { "parent": "summarize", "child": "judge" } ] }
PLAN
}
# one NAME COMPUTE PASSTHROUGH: a plan of one product, "work".
one() {
	jq -n --arg name "$1" --arg compute "$2" --argjson pass "$3" '{ dataset: { name: $name },
		data_products: [{ name: "work", compute: $compute, version: "1", eager: true,
		passthrough: $pass }], dependencies: [] }' >one.json
	fletcher-plan publish one.json >/dev/null
}
states() { fletcher-plan show --json "$1" | jq -r '[.data_products[] | "\(.name)=\(.state)"] | sort | join(" ")'; }
state_is() { [ "$(states "$1")" = "$2" ]; }
why() { fletcher-plan why --plain --columns why "$@"; }
passback() { fletcher-plan show --json "$1" | jq -c ".data_products[] | select(.name == \"$2\") | .passback"; }
paths() { jq -r .path "$1" | sort; }
begin() {
	name=$1
	shift
	env --default-signal "$BUILD/fsl-run" "$@" >"$name.said" 2>&1 &
	pid=$!
}

mkdir plans
cd plans || exit
awk 'BEGIN { for (i = 1; i <= 12; i++)
	printf "{\"custom_id\":\"p%d\",\"url\":\"/v1/extract/p%d\",\"body\":{\"n\":%d}}\n", i, i, i }' \
	>pages.jsonl
server_start API --mode echo --log api.log --rules /dev/null
plan "$API_URL" >plan.json

# --- from publish to success in one run

fletcher-plan publish plan.json >/dev/null
cd ..
status_is 4 "without --allow-exec a plan stops where a command is needed" fsl-run papers
is "$(states papers)" "extract=success judge=waiting summarize=queued" "what needs none was done"
like "$(why papers summarize)" 'needs fsl-run --allow-exec' "why says what is missing"
like "$(cat err)" '1 success, 0 failed, 1 left' "and the summary what is left"
cd plans && mv ../err . && cd ..
status_is 0 "with it one run does the rest, in another directory" fsl-run --json --allow-exec
is "$(tail -n 1 out | jq -c '[.exit, .plans]')" '[0,{"success":2,"failed":0,"queued":0}]' \
	"the summary counts data products"
is "$(states papers)" "extract=success judge=success summarize=success" "all are success"
is "$(fsl-batch results papers/judge | jq -r .custom_id | head -n 3 | tr '\n' ' ')" "p1 p2 p3 " \
	"DATASET/PRODUCT is its batch, in the order of the first input"
is "$(fsl-batch results papers/judge | jq -c 'select(.custom_id == "p7") | .response.body.text.text.n')" 7 \
	"each step had the output of the one before"
is "$(paths plans/api.log | cut -d/ -f3 | sort | uniq -c | awk '{ print $2 $1 }' | tr '\n' ' ')" \
	"extract12 judge12 summarize12 " "each request was sent once"
like "$(passback papers judge)" '^\{"batch":"batch_[0-9a-f]{32}","counts":\{"total":12,"completed":12' \
	"passback has the batch and its counts"
like "$(fletcher-plan show --json papers | jq -r '.data_products[0].link')" '^fsl:batch_' "link names the batch"
is "$(fletcher-plan history --plain --columns product,old,new papers judge | cut -f2,3 | tr '\t\n' '> ')" \
	"->waiting waiting>queued queued>queued queued>running running>success " \
	"it was queued, claimed, running, success"
status_is 0 "once more there is nothing to do" fsl-run --allow-exec papers
status_is 0 "for nobody" fsl-run --allow-exec
is "$(stats API .requests)" 36 "and nothing is sent"

# --- a step fails

server_start BAD --mode echo --log bad.log --rule 'path=/v1/summarize/p5 => limit=1' 2>/dev/null || :
sound "a plan in one run"
done_testing
