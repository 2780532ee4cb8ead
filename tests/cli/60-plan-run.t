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
server_start API --mode echo --log api.log
plan "$API_URL" >plan.json

# --- from publish to success in one run

fletcher-plan publish plan.json >/dev/null
cd ..
status_is 4 "without --allow-exec a plan stops where a command is needed" fsl-run papers
is "$(states papers)" "extract=success judge=waiting summarize=queued" "what needs none was done"
like "$(why papers summarize)" 'needs fsl-run --allow-exec' "why says what is missing"
like "$(cat err)" '1 success, 0 failed, 1 left' "and the summary what is left"
status_is 0 "with it one run does the rest, in another directory" fsl-run --json --allow-exec
is "$(tail -n 1 out | jq -c '[.exit, .plans]')" '[0,{"success":2,"failed":0,"queued":0,"handed_over":0}]' \
	"the summary counts data products"
is "$(states papers)" "extract=success judge=success summarize=success" "all are success"
is "$(fsl-batch results papers/judge | jq -r .custom_id | head -n 3 | tr '\n' ' ')" "p1 p2 p3 " \
	"DATASET/PRODUCT is its batch, in the order of the first input"
is "$(fsl-batch results papers/judge | jq -c 'select(.custom_id == "p7") | .response.body.text.text.n')" 7 \
	"each step had the output of the one before"
like "$(fsl-batch show papers/judge | jq -c '.fsl | [.dataset, .data_product]')" '^\["papers","judge"\]$' \
	"its object names both"
is "$(fsl-batch list --plain --columns product)" "$(printf 'papers/%s\n' judge summarize extract)" \
	"so does the list of batches"
is "$(paths plans/api.log | cut -d/ -f3 | sort | uniq -c | awk '{ print $2 $1 }' | tr '\n' ' ')" \
	"extract12 judge12 summarize12 " "each request was sent once"
like "$(passback papers judge)" '^\{"batch":"batch_[0-9a-f]{32}","counts":\{"cancelled":0,"completed":12,' \
	"passback has the batch and its counts"
like "$(fletcher-plan show --json papers | jq -r '.data_products[0].link')" '^fsl:batch_' "link names the batch"
is "$(fletcher-plan history --plain --columns product,old,new papers judge | cut -f2,3 | tr '\t\n' '> ')" \
	"->waiting waiting>queued queued>queued queued>running running>success " \
	"it was queued, claimed, running, success"
status_is 0 "once more there is nothing to do" fsl-run --allow-exec papers
status_is 0 "for nobody" fsl-run --allow-exec
is "$(stats API .requests)" 36 "and nothing is sent"

# --- a step fails

server_start BAD --mode echo --log bad.log --rule 'path=/v1/summarize/p5,limit=1 => status=400'
plan "$BAD_URL" >plans/bad.json
fletcher-plan publish --dataset spoilt plans/bad.json >/dev/null
status_is 3 "a failed product: exit 3" fsl-run --allow-exec spoilt
is "$(states spoilt)" "extract=success judge=waiting summarize=failed" "what is below it waits"
like "$(cat err)" 'spoilt/summarize failed: 1 of 12 requests did' "stderr names it"
like "$(cat err)" '1 success, 1 failed, 0 left \(spoilt/summarize\)' "so does the summary"
like "$(cat err)" 'hint: fletcher-plan why spoilt' "with a hint"
like "$(why spoilt summarize)" '1 of 12 requests failed: fsl-batch errors batch_' "why says why"
status_is 3 "a run that can do nothing about it says so again" fsl-run --allow-exec spoilt
like "$(cat err)" 'hint: fletcher-plan why spoilt says why' "and where to look"
is "$(stats BAD .requests)" 24 "and sends nothing"
fletcher-plan retry spoilt >/dev/null
status_is 0 "retry, and a second run finishes it" fsl-run --allow-exec spoilt
is "$(states spoilt)" "extract=success judge=success summarize=success" "all are success"
is "$(paths bad.log | uniq -d)" "/v1/summarize/p5" "what was completed is not sent again"
is "$(fsl-batch results spoilt/judge | wc -l)" 12 "and the next step has all lines"
is "$(states papers)" "extract=success judge=success summarize=success" "another dataset is left alone"

server_start HALF --mode echo --latency 20 --rule 'path=/v1/summarize/p5 => status=400'
jq '.data_products[1].passthrough.max_failed = "10%"' plans/bad.json |
	sed "s,$BAD_URL,$HALF_URL," >plans/half.json
fletcher-plan publish --dataset half plans/half.json >/dev/null
status_is 0 "max_failed: so many may fail" fsl-run --allow-exec half
is "$(fsl-batch results half/judge | wc -l)" 11 "the next step has the completed lines"
fletcher-plan publish --dataset excused plans/half.json >/dev/null
status_is 0 "what a product may fail does not count for --max-failed" \
	fsl-run --json -j 1 --allow-exec --max-failed 0 excused
is "$(tail -n 1 out | jq -c '[.reason, .failed]')" '["drained",1]' "all was sent"
jq 'del(.data_products[1].passthrough.max_failed)' plans/half.json >plans/strict.json
fletcher-plan publish --dataset share plans/strict.json >/dev/null
status_is 3 "--max-failed 5% is one of the 24 that there are by then" \
	fsl-run --json -j 1 --allow-exec --max-failed 5% share
is "$(tail -n 1 out | jq -c '[.reason, .failed]')" '["drained",1]' "all was sent"
fletcher-plan publish --dataset small plans/strict.json >/dev/null
status_is 4 "4% are none" fsl-run --json -j 1 --allow-exec --max-failed 4% small
is "$(tail -n 1 out | jq -c '[.reason, .failed]')" '["max_failed",1]' "it stops at the first"
status_is 3 "without it the rest is sent" fsl-run --allow-exec small
one gone batch "{\"file\": \"$PWD/plans/pages.jsonl\", \"base_url\": \"http://127.0.0.1:9\", \"key\": \"none\", \"retries\": 0}"
status_is 1 "all failed: exit 1" fsl-run --no-hold --no-guard gone

# --- what was written

one writes exec '{"argv":["printf","a\\nb"]}'
status_is 5 "output of what has not run" fletcher-plan output writes work
fsl-run --allow-exec writes
is "$(fletcher-plan output writes work | od -An -c | tr -d ' ')" 'a\nb' "output is what a command wrote, byte for byte"
status_is 5 "a batch has none" fletcher-plan output papers extract
like "$(cat err)" 'hint: fsl-batch results DATASET/PRODUCT' "but answers"
status_is 5 "a command has no batch" fsl-batch results writes/work
like "$(cat err)" 'hint: fletcher-plan output' "but an output"

# --- what was cleared, or cannot go on

server_start SLOW --mode echo --rule 'nth=1-12 => sleep=30000'
one again batch "{\"file\": \"$PWD/plans/pages.jsonl\", \"base_url\": \"$SLOW_URL\", \"key\": \"none\"}"
begin again again
wait_for 20 state_is again work=running
fletcher-plan clear again work >/dev/null
wait $pid
is "$?" 0 "requests that were cut off as somebody cleared their product are no failures"
is "$(states again)" "work=success" "the batch that was made anew counts"
unlike "$(cat again.said)" 'fsl-batch retry' "nobody is told to send them once more"
fletcher-plan publish --paused --dataset idle one.json >/dev/null
status_is 4 "a paused dataset has work left" fsl-run idle
like "$(cat err)" '^fsl-run: hint: fletcher-plan why idle says what holds back the rest$' "and who runs it is told where to look"
unset NO_SUCH_KEY
jq --arg f "$PWD/plans/pages.jsonl" --arg u "$SLOW_URL" '.dataset.name = "nokey"
	| .data_products[0].passthrough = { file: $f, base_url: $u, key: "env:NO_SUCH_KEY" }
	| .data_products += [{ name: "other", compute: "exec", version: "1", eager: true,
		passthrough: { argv: ["true"] } }]' one.json >nokey.json
fletcher-plan publish nokey.json >/dev/null
status_is 4 "a key that is not found, beside a command that ran: work remains" fsl-run --allow-exec nokey
status_is 77 "and if nothing else was done: a key" fsl-run --allow-exec nokey
fletcher-plan disable nokey work >/dev/null
FSL_USER=somebody fletcher-plan publish --dataset theirs one.json >/dev/null
status_is 4 "the plan of another user is left to them" fsl-run theirs
is "$(why theirs work)" "waits for fsl-run of the user 'somebody', who has published it" "and why says so"
is "$(FSL_USER=somebody fletcher-plan why --columns why theirs)" "no worker is running" "but to them"
fletcher-plan delete theirs >/dev/null
fletcher-plan delete idle >/dev/null

# --- a server per step: that of the second is broken until 16 of its answers are out

server_start ONE --mode echo --log one.log
server_start TWO --mode echo --log two.log --rule 'path=/v1/summarize/p3 => status=200 ; body={"n":3}' \
	--rule 'any,limit=11 => status=500' --rule 'any,limit=5 => status=500'
server_start THREE --mode echo --log three.log
plan "$ONE_URL" | jq --arg two "$TWO_URL" --arg three "$THREE_URL" \
	'.data_products[1].passthrough.base_url = $two | .data_products[2].passthrough.base_url = $three' \
	>plans/servers.json
sent_to() { echo "$(stats ONE .requests) $(stats TWO .requests) $(stats THREE .requests)"; }
fletcher-plan publish --dataset servers plans/servers.json >/dev/null
status_is 3 "the server of the second step fails: exit 3" fsl-run --allow-exec servers
is "$(states servers) $(sent_to)" "extract=success judge=waiting summarize=failed 12 12 0" \
	"nothing is sent to that of the third"
like "$(why servers summarize)" '^11 of 12 requests failed: fsl-batch errors batch_' "why says how many"
like "$(fsl-batch errors --plain servers/summarize)" '^500	-	11	' "and errors with what"
fletcher-plan retry servers >/dev/null
status_is 3 "retry, while it still fails" fsl-run --allow-exec servers
is "$(states servers) $(sent_to)" "extract=success judge=waiting summarize=failed 12 23 0" \
	"sends what failed, and only that"
like "$(why servers summarize)" '^5 of 12 requests failed' "of which some is left"
fletcher-plan retry servers >/dev/null
status_is 0 "retry, and another run: it is finished" fsl-run --allow-exec servers
is "$(states servers) $(sent_to)" "extract=success judge=success summarize=success 12 28 12" \
	"with what was left, and the third step"
is "$(cat one.log three.log | jq -r .path | sort | uniq -d)$(grep -c /v1/summarize/p3 two.log)" 1 \
	"what was completed was never sent again"

# --- two days

for day in 1 2; do
	sed "s,/v1/extract/,/v1/extract/day$day-," plans/pages.jsonl >plans/pages-$day.jsonl
done
server_start DAYS --mode echo --log days.log --rule 'path=/v1/extract/day1-p9,limit=1 => status=400'
plan "$DAYS_URL" | jq '.params.day = null | .data_products[0].passthrough.file = "pages-${day}.jsonl"' \
	>plans/days.json
for day in 1 2; do
	fletcher-plan publish --dataset "day-$day" --set "day=$day" plans/days.json >/dev/null
done
status_is 3 "the same plan for two days, of which one fails" fsl-run --allow-exec
is "$(states day-1), $(states day-2)" "extract=failed judge=waiting summarize=waiting, $(
	)extract=success judge=success summarize=success" "are two runs, and the other goes on"
is "$(stats DAYS .requests)" 48 "each sends its own"
fletcher-plan publish --dataset day-2 --set day=2 plans/days.json >again
is "$(cat again)" "" "the same call twice changes nothing"
fletcher-plan retry day-1 >/dev/null
status_is 0 "retry of the one" fsl-run --allow-exec
is "$(states day-1) $(stats DAYS .requests)" "extract=success judge=success summarize=success 73" \
	"finishes it, and sends nothing of the other"
is "$(jq -r .path days.log | sed -n 's,^/v1/extract/\(day[12]\)-p[0-9]*$,\1,p' | sort | uniq -c |
	awk '{ printf "%s:%s ", $2, $1 }')" "day1:13 day2:12 " "each day has its own input"

# --- two datasets at a time

for name in red blue; do
	fletcher-plan publish --dataset $name plans/plan.json >/dev/null
done
status_is 0 "only the one that is named runs" fsl-run --allow-exec red
is "$(states blue)" "extract=queued judge=waiting summarize=waiting" "the other waits"
status_is 0 "--no-plans" fsl-run --no-plans
is "$(states blue)" "extract=queued judge=waiting summarize=waiting" "starts none"
status_is 0 "without a name it runs" fsl-run --allow-exec
is "$(states blue)" "extract=success judge=success summarize=success" "to the end"
status_is 64 "--no-plans and a dataset" fsl-run --no-plans blue
status_is 64 "-n and a dataset" fsl-run -n blue
status_is 5 "what is neither batch nor dataset" fsl-run green

# --- commands

export SECRET_OF_OURS=1
one env exec '{"argv":["sh","-c","env | grep ^FLETCHER | sort; pwd; cat; echo heard >&2"]}'
status_is 4 "exec needs --allow-exec" fsl-run env
status_is 0 "exec" fsl-run --allow-exec env
like "$(passback env work)" '^\{"exit_status":0,"stderr":"heard\\n"\}$' "passback: exit status and stderr"
output() { sql "SELECT CAST(body AS TEXT) FROM product_outputs o JOIN product_list l ON 1
	JOIN data_products p ON p.id = o.product JOIN datasets d ON d.id = p.dataset AND d.name = '$1' LIMIT 1"; }
is "$(output env | sed -E 's/[0-9a-f]{8}-[0-9a-f-]{27}/UUID/')" "$(printf '%s\n' FLETCHER_DATASET=env \
	FLETCHER_DATA_PRODUCT=work FLETCHER_PARENTS= FLETCHER_RUN_ID=UUID "$PWD")" \
	"its output is kept; it has these variables and the plan's directory"
cat >chain.json <<'PLAN'
{ "dataset": { "name": "chain" }, "params": { "day": "7" }, "data_products": [
  { "name": "list", "compute": "exec", "version": "1", "eager": true,
    "passthrough": { "argv": ["sh", "-c", "printf 'a\\nb'"] } },
  { "name": "other", "compute": "exec", "version": "1", "eager": true,
    "passthrough": { "argv": ["echo", "c"] } },
  { "name": "sum", "compute": "exec", "version": "1", "eager": true,
    "passthrough": { "argv": ["sh", "-c", "cat; echo \"$FLETCHER_PARENTS $FLETCHER_PARAM_day\""] } },
  { "name": "deaf", "compute": "exec", "version": "1", "eager": true,
    "passthrough": { "argv": ["cat"], "stdin": "none" } } ],
  "dependencies": [ { "parent": "list", "child": "sum" }, { "parent": "other", "child": "sum" },
    { "parent": "sum", "child": "deaf" } ] }
PLAN
fletcher-plan publish chain.json >/dev/null
status_is 0 "commands that feed each other" fsl-run --allow-exec chain
is "$(sql "SELECT hex(body) FROM product_outputs o JOIN data_products p ON p.id = o.product
	WHERE p.name = 'sum'" | xxd -r -p)" "$(printf 'a\nb\nc\nlist=exec other=exec 7')" \
	"stdin has the output of the parents, in their order"
is "$(sql "SELECT length(body) FROM product_outputs o JOIN data_products p ON p.id = o.product
	WHERE p.name = 'deaf'")" 0 "\"stdin\": \"none\" is an empty one"

# 3 is the directory that is being read.
# shellcheck disable=SC2016 # that shell expands them
one given exec '{"argv":["sh","-c","umask; ulimit -n; ulimit -c; for f in /proc/$$/fd/*; do printf %s ${f##*/}; done"]}'
(umask 027; exec prlimit --nofile=300:1024 fsl-run --allow-exec given) 2>err
is "$(output given | tr '\n' ' ')" '0027 300 0 0123 ' \
	"a command has our umask and limits, no core, and no descriptor of ours"

one slow exec '{"argv":["sleep","60"],"timeout":"1s"}'
status_is 1 "a command that takes too long" fsl-run --allow-exec slow
like "$(passback slow work)" 'it took longer than 1' "is killed and has failed"
one loud exec '{"argv":["yes"],"max_output":"64k"}'
status_is 1 "one that writes too much" fsl-run --allow-exec loud
like "$(passback loud work)" 'it wrote more than 64' "is killed as well"
one bad_exit exec '{"argv":["sh","-c","echo no such page >&2; exit 5"]}'
status_is 1 "one that fails" fsl-run --allow-exec bad_exit
like "$(cat err)" 'bad_exit/work failed: sh: exit status 5: no such page' "stderr says how"
is "$(why bad_exit work)" "exit status 5: no such page" "and so does why"
one nothing exec '{"argv":["no-such-program"]}'
status_is 4 "a program that is not there" fsl-run --allow-exec nothing
like "$(why nothing)" 'there is no program no-such-program' "keeps it queued, with the reason"
one nofile batch '{"file":"nowhere.jsonl"}'
status_is 4 "a file that is not there" fsl-run nofile
like "$(why nofile)" 'cannot read .*nowhere.jsonl: No such file' "likewise"
printf '{"custom_id":"a","url":"/v1/x"}\n{"custom_id":"a","url":"/v1/x"}\n' >double.jsonl
one double batch '{"file":"double.jsonl"}'
status_is 1 "lines that are bad" fsl-run double
like "$(passback double work)" 'double.jsonl, line 2:14.*was used on line 1' "fail with the place"
like "$(why double work)" '^.*, line 2:14: .*was used on line 1' "which why tells"
one strict batch '{"file":"double.jsonl","max_faild":3}'
status_is 4 "a member that is not known" fsl-run strict
like "$(why strict)" 'passthrough.max_faild: is not known' "is named"
one other cams '{"anything":1}'
status_is 0 "cams and dbxaas are for others to poll, and do not count" fsl-run other
is "$(fletcher-plan ready --plain --columns dataset,product other | tr '\t' ' ')" "other work" "ready lists them"

# --- clear while it runs

one sleeps exec '{"argv":["sh","-c","sleep 300 & echo $! >sleeps.pid; wait"]}'
begin sleeps --allow-exec sleeps
eventually state_is sleeps work=running
eventually test -s sleeps.pid
fletcher-plan pause sleeps
fletcher-plan clear sleeps work >/dev/null
ok "clear ends a command and all that it has started" eventually not kill -0 "$(cat sleeps.pid)"
wait $pid
is $? 4 "paused with work left: exit 4"
is "$(states sleeps)" "work=waiting" "it waits"
server_start HANG --mode echo --rule 'any => hang'
one hangs batch "{\"file\":\"plans/pages.jsonl\",\"base_url\":\"$HANG_URL\",\"key\":\"none\"}"
begin hangs hangs
eventually stats_are HANG .in_flight 12
eventually state_is hangs work=running
fletcher-plan pause hangs
fletcher-plan clear hangs work >/dev/null
wait $pid
is "$? $(stats HANG .in_flight)" "4 0" "clear cancels a batch in flight"
is "$(states hangs) $(fsl-batch list --plain --columns status | head -n 1)" "work=waiting cancelled" "for good"

# --- signals

fletcher-plan unpause sleeps >/dev/null
rm -f sleeps.pid
begin sleeps --allow-exec sleeps
eventually test -s sleeps.pid
kill -TERM $pid
wait $pid
is $? 143 "a signal ends the run"
ok "and its command with it" eventually not kill -0 "$(cat sleeps.pid)"
is "$(states sleeps)" "work=queued" "the product is queued for the next"
rm -f sleeps.pid
begin sleeps --allow-exec sleeps
eventually test -s sleeps.pid
kill -KILL $pid
ok "kill -9 ends the command too" eventually not kill -0 "$(cat sleeps.pid)"
wait $pid 2>/dev/null
fletcher-plan disable sleeps work >/dev/null
fsl-run >run.said 2>&1

sound "plans"
done_testing
