#!/bin/sh
# fsl-run: the headers of its own (traceparent, --fusillade-headers), and
# --at-most-once: what may have arrived is not sent again.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

unset TRACEPARENT
requests 20 >in.jsonl
# run ARGUMENT...: fsl-run with the server API.
run() { fsl-run --base-url "$API_URL" --retry-delay 1ms "$@"; }
run_in_trace() {
	env TRACEPARENT="$1" fsl-run --base-url "$API_URL" --retry-delay 1ms --new -i in.jsonl
}
# header LOG NAME: of each request in a server's log, in the order of arrival.
header() { jq -r --arg n "$2" '.headers | to_entries[] | select(.key | ascii_downcase == $n) | .value' "$1"; }

# --- traceparent

server_start API --mode echo --log api.log --log-headers --rule 'path=/v1/r3,key-seen<2 => status=500'
status_is 0 "a run" run -i in.jsonl -o out.jsonl
header api.log traceparent >traces
is "$(wc -l <traces)" 22 "each attempt has a traceparent"
is "$(grep -cxE '00-[0-9a-f]{32}-[0-9a-f]{16}-01' traces)" 22 "as W3C Trace Context writes it"
is "$(cut -d- -f2 traces | sort -u | wc -l)" 1 "all are of one trace"
is "$(cut -d- -f3 traces | sort -u | wc -l)" 22 "each is a span of its own, retries too"
run --new -i in.jsonl
is "$(header api.log traceparent | cut -d- -f2 | sort -u | wc -l)" 2 "another run is another trace"

: >api.log
trace=4bf92f3577b34da6a3ce929d0e0e4736
run_in_trace 00-$trace-00f067aa0ba902b7-00
is "$(header api.log traceparent | cut -d- -f1,2,4 | sort | uniq -c | awk '{ print $1, $2 }')" \
	"22 00-$trace-00" "TRACEPARENT: its trace and its flags"
is "$(header api.log traceparent | grep -c 00f067aa0ba902b7)" 0 "but spans of our own"
for bad in 00-$trace-0000000000000000-01 00-00000000000000000000000000000000-00f067aa0ba902b7-01 \
	ff-$trace-00f067aa0ba902b7-01 00-$trace-00f067aa0ba902b7 nonsense; do
	: >api.log
	run_in_trace "$bad"
	is "$(header api.log traceparent | grep -cE -e "-$trace-|-0{32}-")" 0 "a bad one is none: $bad"
done

cat >own.jsonl <<'END'
{"custom_id":"mine","url":"/v1/mine","headers":{"Traceparent":"of-the-line"},"body":{}}
{"custom_id":"other","url":"/v1/other","headers":{"X":"1"},"body":{}}
END
: >api.log
run -i own.jsonl
is "$(header api.log traceparent | grep -c of-the-line) $(header api.log traceparent | wc -l)" "1 2" \
	"a header of the line is the only one of that name"
: >api.log
run -i in.jsonl --header 'traceparent: of-the-batch'
is "$(header api.log traceparent | sort | uniq -c | awk '{ print $1, $2 }')" "22 of-the-batch" \
	"so is one of --header"

# --- Fusillade's headers

: >api.log
run --new -i in.jsonl
is "$(jq -r '.headers | keys[] | ascii_downcase' api.log | grep -c fusillade)" 0 \
	"none of them unless it is asked for"
printf '{"custom_id":"%s","url":"/v1/x","headers":%s,"body":{}}\n' "caf\\u00e9 1" '{"X":"1"}' \
	"plain" '{"x-fusillade-batch-team":"line"}' >labels.jsonl
: >api.log
lines=$(printf 'lines=a\nb')
status_is 0 "--fusillade-headers" run --fusillade-headers -i labels.jsonl --endpoint /v1/x \
	--metadata team=search --metadata request_source=cron --metadata 'a b=no' --metadata "$lines"
batch=$(fsl-batch list --json | jq -r 'select(.total == 2) | .batch_id' | head -n 1)
# label plain|other NAME: of one of the two requests.
label() {
	jq -r --arg n "$2" --arg which "$1" \
		'select((.headers["X-Fusillade-Custom-Id"] == "plain") == ($which == "plain")) | .headers[$n]' api.log
}
is "$(label plain X-Fusillade-Request-Id)" "batch_req_${batch#batch_}00000002" "the id of the request"
is "$(label plain Idempotency-Key)" "$(label plain X-Fusillade-Request-Id)" "which is the Idempotency-Key"
is "$(label plain X-Fusillade-Custom-Id)" plain "its custom id"
is "$(label other X-Fusillade-Custom-Id)" "$(printf 'caf\303\251 1')" "in UTF-8"
is "$(label other X-Fusillade-Batch-Id)" "$batch" "the id of its batch"
is "$(label other x-fusillade-batch-endpoint)" /v1/x "the endpoint"
is "$(label other x-fusillade-batch-created-at)" "$(fsl-batch show "$batch" | jq -r '.created_at | todate')" \
	"when it was made"
is "$(label other x-fusillade-batch-team) $(label other x-fusillade-batch-request-source)" "search cron" \
	"its metadata, with hyphens"
is "$(label plain x-fusillade-batch-team)" line "a header of the line wins"
is "$(jq -r '.headers | keys[]' api.log | grep -ci 'fusillade-batch-\(a\|lines\)')" 0 \
	"what HTTP forbids in a name or a value is left out"
is "$(jq -r '.headers | keys[]' api.log | grep -c completion)" 0 "and what the batch does not have"
sound "headers"

# --- --at-most-once: each way in which an attempt can end

FSL_DB=$PWD/once.db
: >api.log
cat >rules <<'END'
path=/v1/drop => drop
path=/v1/reset => reset
path=/v1/hang => hang
path=/v1/stall => stall
path=/v1/short => truncate=5
path=/v1/garbage => garbage=hello\r\n\r\n
path=/v1/busy,key-seen<2 => status=503
path=/v1/throttled,key-seen<2 => status=429
path=/v1/missing => status=404
END
server_start ONCE --mode echo --rules rules --log once.log
server_start GONE
gone=$GONE_URL
server_stop GONE
for id in drop reset hang stall short garbage busy throttled missing fine; do
	printf '{"custom_id":"%s","url":"/v1/%s","body":{"q":"what is sent"}}\n' $id $id
done >once.jsonl
printf '{"custom_id":"refused","url":"%s/v1/refused","body":{}}\n' "$gone" >>once.jsonl
status_is 3 "--at-most-once" fsl-run --at-most-once -i once.jsonl -o once.out -e once.err \
	--retries 2 --retry-delay 1ms --first-byte-timeout 300ms --stall-timeout 300ms \
	--base-url "$ONCE_URL"
for id in drop reset hang stall short garbage; do
	is "$(sent once.log | grep -cx $id)" 1 "$id: the server has it once"
	is "$(jq -r "select(.custom_id == \"$id\") | .error.code" once.err)" interrupted \
		"$id: it fails as interrupted"
	like "$(jq -r "select(.custom_id == \"$id\") | .error.message" once.err)" \
		'..*; not sent again \(--at-most-once\)$' "$id: and says what happened"
done
is "$(ids once.out | sort | paste -sd' ')" "busy fine throttled" "answers that ask for it are sent again"
is "$(sent once.log | grep -c -e busy -e throttled)" 6 "as often as they ask"
is "$(jq -r 'select(.custom_id == "missing") | .response.status_code' once.err)" 404 \
	"other answers are failures of their own"
like "$(jq -r 'select(.custom_id == "refused") | .error | join(" ")' once.err)" \
	'^connect_error .*after 3 attempts$' "without a connection nothing has left: tried again"
is "$(sql 'SELECT count(*) FROM attempts')" $(($(wc -l <once.log) + 3)) \
	"attempts recorded = sends, and those without a connection"
sound "at most once"

# --- stored with the batch; a default for those that say nothing

requests 4 >four.jsonl
server_start DIES --mode echo --rule 'any => drop' --log dies.log
fsl-batch create --name stored --at-most-once --base-url "$DIES_URL" four.jsonl >/dev/null
status_is 1 "the batch says it" fsl-run --retry-delay 1ms --no-guard --no-hold stored
is "$(wc -l <dies.log)" 4 "one send each"
is "$(fsl-batch errors stored | cut -f2 | sort -u)" interrupted "interrupted"
fsl-batch create --name silent --base-url "$DIES_URL" four.jsonl >/dev/null
fsl-batch create --name often --retries 1 --base-url "$DIES_URL" four.jsonl >/dev/null
status_is 1 "the run says it" fsl-run --retry-delay 1ms --no-guard --no-hold --at-most-once silent
is "$(wc -l <dies.log)" 8 "one send each"
status_is 1 "nobody says it" fsl-run --retry-delay 1ms --no-guard --no-hold often
is "$(wc -l <dies.log)" 16 "two sends each"
: >dies.log
fsl-batch retry stored >/dev/null
status_is 1 "a person may send them once more" fsl-run --retry-delay 1ms stored
is "$(wc -l <dies.log)" 4 "once"
sound "stored"

# --- a server that dies, and holds and guards that keep requests pending

requests 30 >thirty.jsonl
server_start LAST --mode echo --rule 'nth=9 => exit' --latency 5 --log last.log
fsl-run --at-most-once -j 8 --retries 1 --retry-delay 1ms --max-time 1s -i thirty.jsonl -o last.out \
	-e last.err --base-url "$LAST_URL" 2>last.said
is "$(sent last.log | sort | uniq -d)" "" "the server dies: nothing is sent twice"
is "$(sql "SELECT count(*) FROM answers a WHERE code = 'interrupted' AND id >> 32 = (SELECT max(id) FROM batches)")" \
	"$(sql "SELECT count(*) FROM attempts WHERE code = 'interrupted' AND request >> 32 = (SELECT max(id) FROM batches)")" \
	"what was in flight has failed, and is not held back for later"
ok "and there was something" test "$(sql "SELECT count(*) FROM attempts WHERE code = 'interrupted' AND
	request >> 32 = (SELECT max(id) FROM batches)")" -gt 0
server_start GUARD --mode echo --rule 'any => drop' --log guard.log
fsl-run --at-most-once -j 1 -i thirty.jsonl --new --base-url "$GUARD_URL" --max-time 2s 2>/dev/null
fsl-run --at-most-once --no-guard -i thirty.jsonl --base-url "$GUARD_URL" 2>/dev/null
is "$(sent guard.log | sort -V | paste -sd' ')" "$(ids thirty.jsonl | paste -sd' ')" \
	"a guard that stops and one that does not: each is sent once"

# --- a connection that dies while nobody uses it

awk 'BEGIN { for (i = 1; i <= 200; i++) printf "{\"custom_id\":\"r%d\",\"url\":\"/v1/r%d\",\"body\":{}}\n", i, i }' \
	>dying.jsonl
server_start DYING --mode echo --rule 'reused,every=3 => drop-before-read' --log dying.log
fsl-run --at-most-once -j 4 --no-guard -i dying.jsonl -o dying.out -e dying.err --base-url "$DYING_URL" \
	2>/dev/null
is "$(sent dying.log | sort | uniq -d)" "" "kept-alive connections that die: nothing is sent twice"
is "$(cat dying.out dying.err | wc -l) $(jq -r .error.code dying.err | sort -u)" "200 interrupted" \
	"each has its line"
like "$(jq -r .error.message dying.err | sort -u)" 'connection died' "which says so"
sound "dying connections"

# --- the worker dies, or is told to stop

for how in KILL TWICE; do
	FSL_DB=$PWD/$how.db
	server_start "$how" --mode echo --rule 'nth=1-4 => hang' --log $how.log
	eval "url=\$${how}_URL"
	env --default-signal "$BUILD/fsl-run" --at-most-once -j 4 -i in.jsonl -o $how.out -e $how.err \
		--base-url "$url" 2>$how.said &
	pid=$!
	eventually stats_are $how .in_flight 4
	if [ $how = KILL ]; then
		kill -KILL $pid
		wait $pid 2>/dev/null
		sound_after_kill "$how"
		why='the worker died while the request was in flight'
	else
		kill -INT $pid
		eventually grep -q 'may finish' $how.said
		kill -INT $pid
		wait $pid
		is $? 130 "a second signal aborts"
		why='stopped while the request was in flight; not sent again (--at-most-once)'
	fi
	status_is 3 "$how: the same command goes on" fsl-run --at-most-once -j 4 -i in.jsonl -o $how.out \
		-e $how.err --base-url "$url"
	is "$(sent $how.log | sort -V | paste -sd' ')" "$(ids in.jsonl | paste -sd' ')" \
		"$how: each was sent exactly once"
	is "$(jq -r '[.error.code, .error.message] | join(": ")' $how.err | sort | uniq -c |
		sed 's/^ *//')" "4 interrupted: $why" "$how: what was in flight has failed and says why"
	sound "$how"
done

# --- a worker dies, and somebody who knows nothing of --at-most-once finds out

for how in batch run; do
	FSL_DB=$PWD/found-$how.db
	log=found-$how.log
	server_start "FOUND_$how" --mode echo --rule 'nth=1-4 => hang' --log $log
	eval "url=\$FOUND_${how}_URL"
	if [ $how = batch ]; then
		fsl-batch create --name once --at-most-once --base-url "$url" four.jsonl >/dev/null
		set --
	else
		fsl-batch create --name once --base-url "$url" four.jsonl >/dev/null
		set -- --at-most-once
	fi
	fsl-batch create --name other --base-url "$url" in.jsonl >/dev/null
	env --default-signal "$BUILD/fsl-run" -j 4 "$@" once 2>$how.said &
	pid=$!
	eventually stats_are "FOUND_$how" .in_flight 4
	kill -KILL $pid
	wait $pid 2>/dev/null
	if [ $how = batch ]; then
		fsl-batch cancel other >/dev/null
	fi
	status_is 1 "--at-most-once of the $how: it goes on without" fsl-run --no-guard once
	is "$(sent $log | sort -V | paste -sd' ')" "$(ids four.jsonl | paste -sd' ')" \
		"each was sent exactly once"
	is "$(fsl-batch show once --json | jq -r .request_counts.failed)" 4 "and has failed"
	sound "found by others, $how"
done

done_testing
