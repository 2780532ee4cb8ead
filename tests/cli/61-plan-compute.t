#!/bin/sh
# fsl-run --compute: data products that a platform computes are handed over to
# it by a request, and from then on the platform's word counts.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/plan.sh"
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

# put DATASET "a b" ["a>b" [OPTION...]]: published, without a word.
put() {
	dataset=$1 products=$2 edges=${3-}
	shift $(($# < 3 ? $# : 3))
	publish "$dataset" "$products" "$edges" "$@" >/dev/null
}
show() { fletcher-plan show --json "$1" | jq -r ".data_products[] | select(.name == \"$2\") | .$3"; }
state_is() { [ "$(states "$1")" = "$2" ]; }
why() { fletcher-plan why --plain --columns why "$@"; }
ready() { fletcher-plan ready --plain --columns dataset,product "$@" | tr '\t\n' ' ;'; }
keys() { jq -r .key "$1" | sort; }
status_of() { fsl-batch show "$1" | jq -r .status; }
begin() {
	name=$1
	shift
	env --default-signal "$BUILD/fsl-run" "$@" >"$name.said" 2>&1 &
	pid=$!
}
end() {
	wait "$pid"
	is $? "$1" "$2"
}

export OPENAI_API_KEY=sk-canary
server_start CAMS --mode echo --log cams.log --log-headers --log-bodies \
	--rule 'path=/refuse => status=400 ; body=no-such-table'
to="cams=$CAMS_URL/jobs?tenant=7"

# --- what is sent

cat >one.json <<'PLAN'
{ "dataset": { "name": "one" }, "data_products": [
  { "name": "extract \"raw\"", "compute": "cams", "version": "1.0.0", "eager": true,
    "passthrough": { "z": 1e2, "a": 12345678901234567890123, "z": [ "\u00e9", null ] } },
  { "name": "load", "compute": "dbxaas", "version": "2", "eager": true } ],
  "dependencies": [ { "parent": "extract \"raw\"", "child": "load" } ] }
PLAN
fletcher-plan publish one.json >/dev/null
like "$(why one 'extract "raw"')" 'waits for a worker with --compute cams=URL, or for whoever reports it' \
	"why says what a queued one waits for"
status_is 0 "without --compute nothing is handed over" fsl-run
status_is 0 "nor by --compute for another one" fsl-run --compute "dbxaas=$CAMS_URL/x"
status_is 0 "nor with --no-plans" fsl-run --no-plans --compute "$to"
is "$(ready one) $(stats CAMS .requests)" 'one extract "raw"; 0' "it stays for who polls"
status_is 0 "-n shows what would be sent" fsl-run -n --compute "$to"
like "$(cat out)" "^# 1 request to $CAMS_URL/jobs\?tenant=7, model 127.0.0.1:[0-9]+, no key" "where"
like "$(cat out)" '"run_id":"00000000-0000-0000-0000-000000000000","name":"extract \\"raw\\""' \
	"and the request, whose run is not known yet"
status_is 0 "-n --no-plans" fsl-run -n --no-plans --compute "$to"
is "$(cat out)" "# nothing would be sent" "has none"
is "$(states one) $(stats CAMS .requests)" 'extract "raw"=queued load=waiting 0' "nothing was sent"

status_is 0 "with --compute it is handed over, and the run ends" fsl-run --json --compute "$to"
is "$(jq -c '[.completed, .plans]' out)" '[1,{"success":0,"failed":0,"queued":0,"handed_over":1}]' \
	"the summary counts it"
is "$(states one)" 'extract "raw"=running load=waiting' "2xx: it is running"
is "$(jq -r .body cams.log)" "$(printf '{"dataset":"%s","product":"%s","run_id":"%s","name":"%s","version":"1.0.0","passthrough":%s}' \
	"$(fletcher-plan show --json one | jq -r .dataset.id)" \
	"$(fletcher-plan show --json one | jq -r '.data_products[] | select(.compute == "cams") | .id')" \
	"$(fletcher-plan show --json one | jq -r '.data_products[] | select(.compute == "cams") | .run_id')" \
	'extract \"raw\"' '{"z":1e2,"a":12345678901234567890123,"z":["\u00e9",null]}')" \
	"ids, run, name, version, and the passthrough byte for byte"
is "$(jq -r '[.method, .path, .headers["Content-Type"], .auth] | @csv' cams.log)" \
	'"POST","/jobs?tenant=7","application/json",' "a POST of JSON, without any key"
like "$(keys cams.log)" '^batch_req_[0-9a-f]{40}$' "with an Idempotency-Key"
like "$(why one 'extract "raw"')" "was handed over to $CAMS_URL/jobs\?tenant=7 at 20.*Z and waits for fletcher-plan update" \
	"why says where it is"
is "$(ready one)" "" "it waits for nobody who polls"
like "$(show one 'extract \"raw\"' link) $(show one 'extract \"raw\"' passback.status)" \
	'^fsl:batch_[0-9a-f]{32} 200$' "link and passback name the request"
like "$(fsl-batch inspect 'one/extract "raw"' 'extract "raw"')" 'attempt 1: .*HTTP 200' \
	"DATASET/PRODUCT is its batch"
like "$(fsl-batch list --plain --columns status,total,completed | tr '\t' ' ')" '^completed 1 1$' \
	"which list shows like any other"
status_is 0 "once more there is nothing to hand over" fsl-run --compute "$to" --compute "dbxaas=$CAMS_URL/x"
is "$(stats CAMS .requests)" 1 "and nothing is sent"
status_is 0 "nor by name: what runs elsewhere does not count" fsl-run --compute "$to" one

run=$(show one 'extract \"raw\"' run_id)
status_is 0 "the platform reports with the run's id" fletcher-plan update --run-id "$run" one 'extract "raw"=success'
status_is 0 "what follows is handed over to its own URL" fsl-run --compute "$to" --compute "dbxaas=$CAMS_URL/dbx"
is "$(states one) $(jq -r .path cams.log | tail -n 1)" 'extract "raw"=success load=running /dbx' "of its compute"
is "$(jq -r .body cams.log | tail -n 1 | jq -c .passthrough)" null "without a passthrough it is null"
status_is 0 "clear of what was handed over needs no --force" fletcher-plan clear one load
status_is 0 "and hands it over again" fsl-run --compute "dbxaas=$CAMS_URL/dbx"
is "$(jq -r 'select(.path == "/dbx") | .body | fromjson | .run_id' cams.log | sort -u | wc -l)" 2 "as another run"

# --- it fails

put refused "a b" "a>b"
status_is 1 "a final failure: exit 1 if nothing succeeded" fsl-run --compute "cams=$CAMS_URL/refuse"
is "$(states refused)" "a=failed b=waiting" "the product has failed, what follows waits"
like "$(cat err)" "refused/a failed: the POST to $CAMS_URL/refuse failed: HTTP 400: no-such-table" "stderr says why"
is "$(fletcher-plan show --json refused | jq -c '.data_products[0].passback | del(.batch)')" \
	'{"code":null,"error":"the POST to '"$CAMS_URL"'/refuse failed: HTTP 400: no-such-table","message":"no-such-table","status":400}' \
	"so does its passback"
like "$(show refused a passback.batch)" '^batch_[0-9a-f]{32}$' "with the batch"
like "$(why refused a)" "could not be handed over to $CAMS_URL/refuse: fsl-batch errors batch_" "and why"
first=$(show refused a run_id)
fletcher-plan retry refused >/dev/null
status_is 0 "retry hands it over anew" fsl-run --compute "cams=$CAMS_URL/again"
is "$(states refused)" "a=running b=waiting" "this time it works"
is "$(jq -r 'select(.path == "/refuse" or .path == "/again") | .key' cams.log | sort -u | wc -l)" 2 \
	"another Idempotency-Key"
is "$(jq -r 'select(.path == "/refuse" or .path == "/again") | .body | fromjson | .run_id' cams.log | tr '\n' ' ')" \
	"$first $(show refused a run_id) " "and another run"
status_is 6 "whose forerunner may not report" fletcher-plan update --run-id "$first" refused a=running
server_start MIXED --mode echo --rule 'body~"name":"bad" => status=404'
put mixed "good bad"
status_is 3 "one of two fails: exit 3" fsl-run --compute "cams=$MIXED_URL"
is "$(states mixed)" "bad=failed good=running" "the other is running"
like "$(cat err)" '0 success, 1 failed, 0 left, 1 handed over \(mixed/bad\)' "as the summary says"

# --- it is sent as any request: again, under the same key

server_start BUSY --mode echo --log busy.log --log-bodies \
	--rule 'nth=1 => status=503' --rule 'nth=2 => status=429 ; header="Retry-After: 1"'
put busy "a"
status_is 0 "503 and 429 are tried again" fsl-run --retry-delay 10ms --compute "cams=$BUSY_URL/"
is "$(states busy)" "a=running" "until it works"
is "$(keys busy.log | uniq -c | awk '{ print $1 }') $(jq -r .body busy.log | sort -u | wc -l)" "3 1" \
	"with one key and one body"
is "$(fsl-batch requests --attempts --plain --columns http busy/a | tr '\n' ' ')" "503 429 200 " "each is recorded"
is "$(jq -s '.[2].t_us - .[1].t_us >= 1000000' busy.log)" true "Retry-After is waited for"

put down "$(seq -s ' ' -f 'd%.0f' 30)" # 20 attempts without an answer hold a server
status_is 4 "a server that is down: exit 4" fsl-run -j 30 --give-up-after 1s \
	--compute cams=http://127.0.0.1:9/x
is "$(states down | tr ' ' '\n' | cut -d= -f2 | sort -u) $(ready down)" "queued " \
	"they stay queued, and not for who polls"
like "$(why down d1)" 'is being handed over to http://127.0.0.1:9/x \([0-9]+ attempts? so far\); no worker is running' "why says so"
status_is 4 "wait sees that nobody goes on" fletcher-plan wait --timeout 60s down
like "$(cat err)" 'no worker is running' "and says so"
status_is 4 "a run without --compute does" fsl-run -j 30 --give-up-after 1s down
like "$(fsl-batch queue)" '127.0.0.1:9' "queue shows it"
fletcher-plan pause down >/dev/null
fletcher-plan clear --all down >/dev/null
is "$(states down | tr ' ' '\n' | cut -d= -f2 | sort -u) $(status_of down/d1)" "waiting cancelled" "clear cancels them"

# --- the platform is faster than its answer

server_start SLOW --mode echo --log slow.log --log-bodies --rule 'path=/slow => sleep=1500' \
	--rule 'path=/later => status=503 ; header="Retry-After: 3000"'
put early "a b" "a>b"
begin early --compute "cams=$SLOW_URL/slow"
eventually stats_are SLOW .in_flight 1
run=$(jq -r '.body | fromjson | .run_id' slow.log)
is "$(show early a run_id)" "$run" "the run that was sent is the product's"
status_is 0 "running, before our request is answered" fletcher-plan update --run-id "$run" early a=running
is "$(states early)" "a=running b=waiting" "its word counts"
status_is 0 "success, before it is answered" fletcher-plan update --run-id "$run" --link http://job/1 early a=success
end 0 "the late 2xx is fine"
is "$(states early)" "a=success b=running" "and moves nothing back: what follows is handed over in the same run"
is "$(show early a link)" http://job/1 "nor what it has told"
is "$(fsl-batch requests --plain --columns state early/a) $(fsl-batch requests --plain --columns state early/a | wc -l)" \
	"completed 1" "the answer is kept"

put spoken "a"
begin spoken --compute "cams=$SLOW_URL/later"
eventually stats_are SLOW .requests 3
run=$(show spoken a run_id)
status_is 0 "running, while our request waits for its next attempt" fletcher-plan update --run-id "$run" spoken a=running
end 0 "it is not sent again: the platform has it"
is "$(states spoken) $(status_of spoken/a) $(stats SLOW .requests)" "a=running cancelled 3" "once was enough"

server_start HANG --mode echo --rule 'any => hang'
for how in clear disable; do
	put "late-$how" "a"
	begin "late-$how" --compute "cams=$HANG_URL/"
	eventually stats_are HANG .in_flight 1
	run=$(show "late-$how" a run_id)
	fletcher-plan pause "late-$how" >/dev/null
	status_is 0 "$how in flight" fletcher-plan $how "late-$how" a
	wait $pid
	is "$(stats HANG .in_flight) $(status_of "late-$how/a")" "0 cancelled" "$how cuts the request off"
	status_is 6 "and a report of that run is refused" fletcher-plan update --run-id "$run" "late-$how" a=running
done
is "$(states late-clear) $(states late-disable)" "a=waiting a=disabled" "they stay so"

# --- who sends it dies

server_start DIES --mode echo --log dies.log --log-bodies --rule 'limit=1 => hang'
put dies "a"
begin dies --compute "cams=$DIES_URL/"
eventually stats_are DIES .in_flight 1
run=$(show dies a run_id)
kill -KILL $pid
wait $pid 2>/dev/null
is "$(states dies) $(ready dies)" "a=queued " "kill -9 in flight: it stays what it was"
status_is 0 "another worker goes on, also without --compute" fsl-run
is "$(states dies) $(show dies a run_id)" "a=running $run" "with the same run"
is "$(keys dies.log | uniq -c | awk '{ print $1 }') $(jq -r .body dies.log | sort -u | wc -l)" "2 1" \
	"one key, one body, sent twice at most"

put unsent "a b"
begin unsent --limit '*:rate=1/1h' --compute "cams=$DIES_URL/"
made() { [ "$(sql "SELECT count(*) FROM data_products p JOIN datasets d ON d.id = p.dataset
	WHERE d.name = 'unsent' AND batch > 0")" -eq 2 ]; }
eventually made
kill -KILL $pid
wait $pid 2>/dev/null
runs=$(fletcher-plan show --json unsent | jq -r '.data_products[].run_id' | sort)
status_is 0 "kill -9 before it is sent" fsl-run unsent
is "$(states unsent) $(fletcher-plan show --json unsent | jq -r '.data_products[].run_id' | sort)" \
	"a=running b=running $runs" "the next one sends the same runs"
is "$(jq -r '.body | fromjson | .run_id' dies.log | sort -u)" "$(printf '%s\n' "$run" "$runs" | sort)" "and no others"

server_start TWO --mode echo --log two.log --latency 20
put two "$(seq -s ' ' -f 'p%.0f' 40)"
begin two-a --compute "cams=$TWO_URL/"
other=$pid
begin two-b --compute "cams=$TWO_URL/"
end 0 "two workers at a time"
wait $other
is "$(keys two.log | uniq | wc -l) $(wc -l <two.log)" "40 40" "hand each product over once"
is "$(states two | tr ' ' '\n' | sort | cut -d= -f2 | uniq -c | awk '{ print $1, $2 }')" "40 running" "all of them"

# --- whose, and when

put held "a" "" --paused
status_is 4 "a paused dataset: exit 4" fsl-run --compute "$to" held
is "$(states held)" "a=waiting" "hands nothing over"
fletcher-plan unpause held >/dev/null
status_is 0 "unpaused it does" fsl-run --compute "$to"
is "$(states held)" "a=running" "as soon as it is queued"
put theirs "a"
sqlite3 -cmd 'PRAGMA wal_autocheckpoint = 0' fsl.db "UPDATE datasets SET user = 'somebody' WHERE name = 'theirs'" >/dev/null
status_is 0 "a plan of somebody else" fsl-run --compute "$to"
is "$(states theirs)" "a=queued" "is left to them"
status_is 0 "but with --all-users" fsl-run --all-users --compute "$to"
is "$(states theirs)" "a=running" "it is handed over"

put changes "a"
status_is 1 "a product that could not be handed over" fsl-run --compute "cams=$CAMS_URL/refuse" changes
jq '.data_products[0] += {compute: "batch", passthrough: {file: "none.jsonl"}}' published.json >changed.json
fletcher-plan publish changed.json >/dev/null
fletcher-plan retry changes >/dev/null
status_is 4 "and is a batch now" fsl-run changes
like "$(why changes a)" 'cannot read .*none.jsonl' "begins from zero"
fletcher-plan disable changes a >/dev/null

put waits "a b" "a>b"
begin forever --forever --compute "cams=$CAMS_URL/forever"
eventually state_is waits "a=running b=waiting"
fletcher-plan update waits a=success >/dev/null
ok "--forever hands over what comes" eventually state_is waits "a=success b=running"
kill -TERM $pid
end 143 "until a signal"

# --- the options

put keyed "a"
export CAMS_TOKEN=tok-canary
status_is 0 "--compute-key" fsl-run --compute "cams=$CAMS_URL/keyed" --compute-key cams=env:CAMS_TOKEN
is "$(jq -r 'select(.path == "/keyed") | .auth' cams.log)" "Bearer tok-canary" "sends a key"
is "$(cat fsl.db* | grep -c -a -e tok-canary -e sk-canary) $(grep -c sk-canary cams.log)" "0 0" \
	"that is not stored; OPENAI_API_KEY is never sent"
put configured "a"
mkdir -p home/.config/fsl
printf '[fsl-run]\ncompute=cams=%s/configured\n' "$CAMS_URL" >home/.config/fsl/config
status_is 0 "the config file says it too" fsl-run
is "$(states configured)" "a=running" "for each run"
rm home/.config/fsl/config

wrong() {
	rule=$1 want=$2
	shift 2
	status_is 64 "$rule: exit 64" fsl-run "$@"
	like "$(cat err)" "$want" "$rule: the message"
}
wrong "no URL" 'must be cams=URL or dbxaas=URL' --compute cams
wrong "an unknown compute" 'must be cams=URL or dbxaas=URL' --compute spark=http://h/
wrong "one of our own" 'must be cams=URL or dbxaas=URL' --compute batch=http://h/
wrong "an empty URL" 'the URL of cams must start with http' --compute cams=
wrong "a path" 'the URL of cams must start with http' --compute cams=/jobs
wrong "another scheme" 'the URL of cams must start with http' --compute cams=ftp://h/
wrong "a password in the URL" 'must not hold a user or a password' --compute cams=http://u:p@h/
wrong "a secret in the URL" 'holds a secret' --compute "cams=http://h/?api_key=x"
wrong "a compute twice" 'cams is given twice' --compute cams=http://h/ --compute cams=http://g/
wrong "a key without its URL" 'goes with --compute cams=URL' --compute-key cams=env:X
wrong "a key in place of its reference" 'must be env:NAME' --compute cams=http://h/ --compute-key cams=sk-1234
unlike "$(cat err)" 'sk-1234' "which is not shown"

sound "requests"
. "$TOP/tests/cli/plan.sh"
sound "plans"
done_testing
