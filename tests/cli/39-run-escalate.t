#!/bin/sh
# --escalate: near the end of the completion window requests go to another model.
# What is pending is sent there; what is in flight races, and the first answer
# wins.  The limits that count are those of the model that is asked.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

# lines N [MODEL [FIRST]]: requests for the model, A unless given.
lines() {
	awk -v n="$1" -v model="${2:-A}" -v first="${3:-1}" 'BEGIN { for (i = first; i < first + n; i++)
		printf "{\"custom_id\":\"r%d\",\"url\":\"/v1/r%d\",\"body\":{\"x\" : 1e2,\"model\" : \"%s\"," \
			"\"big\":12345678901234567890123}}\n", i, i, model }'
}
# soon NAME FILE [OPTION...]: a batch whose requests go from A to B in a moment.
soon() {
	name=$1 file=$2
	shift 2
	fsl-batch create --name "$name" --completion-window 30s --escalate A=B@28500ms "$@" "$file" >/dev/null
}
# counts BATCH: status; pending, processing, completed, failed, cancelled, expired.
counts() {
	fsl-batch show "$1" | jq -r '.status + ": " + (.fsl.counts | [.pending + .retrying,
		.processing, .completed, .failed, .cancelled, .expired] | map(tostring) | join(" "))'
}
# attempts BATCH: how often each end of an attempt is recorded.
attempts() {
	fsl-batch requests --attempts --json "$1" | jq -r '.code // .http // "-"' | sort | uniq -c |
		awk '{ print $1 "*" $2 }' | paste -sd' '
}
# together BATCH: how many attempts of one request were in flight at once, at most;
# for more than the 5 ms by which stamps may be wrong.
together() {
	sql "WITH a AS (SELECT request, n, started_ms AS t, started_ms + ifnull(took_ms, 0) AS e FROM attempts
		JOIN batches b ON b.id = request >> 32 WHERE name = '$1')
		SELECT max(n) FROM (SELECT count(*) AS n FROM a JOIN a o ON o.request = a.request
		AND (o.n = a.n OR (o.t <= a.t AND o.e > a.t + 5)) GROUP BY a.request, a.t)"
}
races_are() { [ "$(sql 'SELECT count(*) FROM races')" = "$1" ]; } # for eventually
answered() { [ "$(stats "$1" .answered)" -ge "$2" ]; }
racing() { [ "$(sql 'SELECT count(*) FROM races')" -gt 0 ]; }
# body N FILE: what was sent N-th.
sent_body() { jq -r "select(.n == $1) | .body" "$2"; }

# --- what is refused

lines 3 >three.jsonl
status_is 64 "--escalate without --completion-window" fsl-batch create --escalate A=B@1m three.jsonl
like "$(cat err)" '--escalate needs --completion-window' "says what is missing"
status_is 64 "in one shot, too" fsl-run -i three.jsonl -o out.jsonl --escalate A=B@1m
for rule in A A=B A@1m =B@1m A=@1m A=B@ A=B@15 A=B@-1m A=B@0s A=B@31d A=A@1m; do
	status_is 64 "--escalate $rule" fsl-batch create --completion-window 1h --escalate "$rule" three.jsonl
done
like "$(cat err)" "^fsl-batch: --escalate: 'A=A@1m' is no escalation" "the message names it"
like "$(cat err)" "hint: write MODEL=OTHER@DUR: gpt-4o=gpt-4o-mini@15m" "and says how to write one"
ok "nothing was made" test ! -e fsl.db

# --- a model that hangs

server_start API --mode echo --log api.log --log-bodies --rule 'model=A => hang' \
	--rule 'path=/v1/r1 => sleep=300' --rule 'any => sleep=30'
export FSL_BASE_URL="$API_URL"
lines 60 >many.jsonl
soon hang many.jsonl
status_is 0 "a model that hangs: the other one answers" fsl-run --json -j 4 --stall-timeout 20s hang
is "$(counts hang)" "completed: 0 0 60 0 0 0" "all requests"
is "$(stats API '.models | [.A.requests, .B.requests] | join(" ")')" "4 60" \
	"what was in flight races, what was pending goes to the other model only"
is "$(attempts hang)" "60*200 4*superseded" "the loser of each race is recorded as superseded"
is "$(sql 'SELECT count(*) FROM attempts')" "$(stats API .requests)" "attempts are what the server saw"
is "$(jq -c '[.attempts, .retries]' out)" '[64,{}]' "none of them is a retry"
is "$(together hang)" 2 "never more than two of a request are in flight"
is "$(sql "SELECT group_concat(counted || ' ' || tries, ', ') FROM (SELECT DISTINCT counted, tries FROM requests)")" \
	"1 2, 1 1" "of two attempts one counts"
is "$(stats API '.max_in_flight <= 8')" true "races go beside the slots, as many as there are"
fsl-batch results hang >hang.out
is "$(jq -r .response.body.model hang.out | sort | uniq -c | awk '{ print $1 $2 }')" 60B \
	"the results are the other model's"
a=$(jq -r 'select(.path == "/v1/r1" and (.body | contains("\"A\""))) | .n' api.log)
b=$(jq -r 'select(.path == "/v1/r1" and (.body | contains("\"B\""))) | .n' api.log)
is "$(sent_body "$b" api.log | sed 's/"B"/"A"/')" "$(sent_body "$a" api.log)" \
	"byte for byte the same body, but for the model"
is "$(jq -r "select(.n == $b) | .key" api.log)" "$(jq -r "select(.n == $a) | .key" api.log)-e" \
	"under an Idempotency-Key of its own"
fsl-batch usage --by model --columns model,requests,attempts hang | tr '\t' ' ' >used
is "$(paste -sd, used)" "A 60 4,B 0 60" "usage: requests by their model, attempts by the one that was asked"
like "$(fsl-batch inspect hang r1 2>&1)" superseded "inspect shows it"
sound "a model that hangs"

# --- the first one may win

server_start FIRST --mode echo --rule 'model=A => sleep=2500' --rule 'any => hang'
lines 3 >three.jsonl
soon first three.jsonl --base-url "$FIRST_URL"
status_is 0 "the first model answers in the end" fsl-run -j 3 first
is "$(attempts first)" "3*200 3*superseded" "and wins"
is "$(fsl-batch results first | jq -r .response.body.model | sort -u)" A "the results are its"
is "$(sql "SELECT count(*) FROM attempts a JOIN batches b ON b.id = request >> 32 WHERE name = 'first'
	AND (ifnull(code, '') = 'superseded') = (n = 2)")" 6 "the other attempt is the one that is cut off"
sound "the first one wins"

# --- the limits of the model that is asked (trap 19)

server_start LIMITS --mode echo --rule 'model=A => hang' --rule 'any => sleep=15'
lines 200 >200.jsonl
soon limits 200.jsonl --base-url "$LIMITS_URL"
fsl-run -j 16 --limit A:jobs=8 --limit B:jobs=5 limits 2>one.said &
one=$!
fsl-run -j 16 --limit A:jobs=8 --limit B:jobs=5 limits 2>two.said &
two=$!
wait $one
is $? 0 "200 requests, two workers"
wait $two
is $? 0 "both are done"
is "$(counts limits)" "completed: 0 0 200 0 0 0" "all are answered"
stats LIMITS .models >models
is "$(jq -c '[.A.requests, .B.requests]' models)" "[8,200]" "eight by the hanging model's limit, all by the other"
is "$(jq '.A.max_in_flight' models)" 8 "never more than A's limit at A"
is "$(jq '.B.max_in_flight' models)" 5 "never more than B's limit at B, and as many"
is "$(together limits)" 2 "never more than two of a request"
sound "the limits of the model that is asked"

# A rate is waited for also when all slots are full.
server_start RATE --mode echo --log rate.log --rule 'model=A => hang'
lines 4 >four.jsonl
soon rate four.jsonl --base-url "$RATE_URL"
status_is 0 "races wait for a rate" fsl-run -j 4 --limit B:rate=3/s rate
is "$(attempts rate)" "4*200 4*superseded" "and are run"
sound "a rate"

# --- a model that is held

server_start HELD --mode echo --rule 'model=A => status=429 ; header="Retry-After: 3600"'
lines 6 >six.jsonl
soon held six.jsonl --base-url "$HELD_URL"
status_is 0 "a model that wants to be left alone for an hour" fsl-run -j 1 held
is "$(stats HELD '.models | [.A.requests, .B.requests] | join(" ")')" "1 6" \
	"its requests go to the other one when it is time"
sound "a model that is held"

# --- who loses settles nothing

server_start LOSER --mode echo --rule 'model=A => sleep=3500' --rule 'path=/v1/r1,limit=2 => sleep=50 ; status=503' \
	--rule 'path=/v1/r2 => sleep=50 ; status=400' --rule 'any => sleep=50 ; status=404'
soon loser three.jsonl --base-url "$LOSER_URL" --retry-delay 1ms
status_is 0 "races that fail settle nothing" fsl-run -j 3 loser
is "$(counts loser)" "completed: 0 0 3 0 0 0" "the first model answers"
is "$(sql "SELECT group_concat(n, ' ') FROM (SELECT count(*) AS n FROM attempts a JOIN batches b ON
	b.id = request >> 32 WHERE name = 'loser' GROUP BY request)")" "4 2 2" \
	"what may be tried again is, what failed for good is not"
is "$(sql "SELECT sum(counted) FROM requests r JOIN batches b ON b.id = r.id >> 32 WHERE name = 'loser'")" \
	3 "nothing of it counts"
is "$(together loser)" 2 "one race at a time"
sound "races that fail"

server_start BOTH --mode echo --rule 'model=A => sleep=2500 ; status=500' --rule 'path=/v1/r1 => status=400' \
	--rule 'path=/v1/r2,limit=1 => sleep=2500 ; status=400' --rule 'any => sleep=2500 ; status=500'
soon both three.jsonl --base-url "$BOTH_URL" --retries 1 --retry-delay 1ms
status_is 1 "both fail" fsl-run -j 3 both
is "$(sql "SELECT group_concat(line || ' ' || counted || ' ' || tries, ', ') FROM
	(SELECT r.id & 4294967295 AS line, counted, tries FROM requests r JOIN batches b
	ON b.id = r.id >> 32 WHERE name = 'both')")" "1 2 3, 2 1 2, 3 2 3" \
	"as without a race: what ends last counts, and is tried again or not"
is "$(counts both)" "completed: 0 0 0 3 0 0" "and the requests have failed"
sound "both fail"

# --- a worker dies

server_start DIES --mode echo --rule 'model=A => hang' --rule 'model=B,limit=4 => hang' --rule 'any => sleep=20'
lines 12 >twelve.jsonl
soon dies twelve.jsonl --base-url "$DIES_URL"
fsl-run -j 4 dies 2>/dev/null &
run=$!
ok "four race" eventually stats_are DIES '.in_flight' 8
kill -9 $run
wait $run 2>/dev/null
is "$(sql 'SELECT count(*) FROM flights') $(sql 'SELECT count(*) FROM races')" "4 4" \
	"a worker dies while they race: its attempts are on disk"
sound_after_kill "a worker died in races"
status_is 0 "the next one goes on" fsl-run -j 4 dies
is "$(counts dies)" "completed: 0 0 12 0 0 0" "all are answered"
is "$(sql "SELECT count(*) FROM attempts WHERE code = 'interrupted'")" 8 "both attempts of each were interrupted"
is "$(sql "SELECT max(counted) FROM requests r JOIN batches b ON b.id = r.id >> 32 WHERE name = 'dies'")" 2 \
	"and one of them counts"
sound "after a death in races"

# At random, while races are won and lost.
server_start RANDOM --mode echo --rule 'model=A => sleep=2000' --rule 'every=7 => status=500' \
	--rule 'every=3 => sleep=30' --rule 'any => sleep=150'
lines 40 >forty.jsonl
for round in 1 2 3; do
	curl -sS "$RANDOM_URL/__reset" >/dev/null
	soon random$round forty.jsonl --base-url "$RANDOM_URL" --retry-delay 1ms
	fsl-run -j 16 random$round 2>/dev/null &
	run=$!
	ok "round $round: races are run" eventually racing
	ok "some are over" eventually answered RANDOM $((round * 8))
	kill -9 $run
	wait $run 2>/dev/null
	sound_after_kill "killed in round $round"
	status_is 0 "round $round goes on" fsl-run -j 16 random$round
	is "$(counts random$round)" "completed: 0 0 40 0 0 0" "and ends"
	is "$(fsl-batch results random$round | jq -r .custom_id | sort -u | wc -l)" 40 "with one result each"
	sound "round $round"
done

# --- stopped and cancelled

server_start HANGS --mode echo --log hangs.log --rule 'any => hang'
soon stopped four.jsonl --base-url "$HANGS_URL"
fsl-run -j 4 --grace 200ms stopped 2>/dev/null &
run=$!
ok "all race" eventually stats_are HANGS .in_flight 8
kill -TERM $run
wait $run
is $? 143 "SIGTERM"
is "$(attempts stopped)" "8*interrupted" "cuts off both attempts after the grace"
is "$(counts stopped)" "in_progress: 4 0 0 0 0 0" "and the requests are pending"
sound "stopped in races"
status_is 0 "cancel" fsl-batch cancel stopped

soon cancelled four.jsonl --base-url "$HANGS_URL"
fsl-run -j 4 cancelled 2>/dev/null &
run=$!
ok "all race again" eventually stats_are HANGS .in_flight 8
status_is 0 "cancel --now of one" fsl-batch cancel --now --custom-id r2 cancelled
ok "cuts off both its attempts" eventually stats_are HANGS .in_flight 6
is "$(counts cancelled)" "in_progress: 0 3 0 0 1 0" "and no other"
status_is 0 "cancel" fsl-batch cancel cancelled
is "$(stats HANGS .in_flight)" 6 "lets those in flight go on"
status_is 0 "cancel --now" fsl-batch cancel --now cancelled
wait $run
is $? 1 "cuts them off"
is "$(counts cancelled)" "cancelled: 0 0 0 0 4 0" "all are cancelled"
is "$(attempts cancelled)" "8*interrupted" "and all attempts recorded"
is "$(jq -r .path hangs.log | sort | uniq -c | awk '{ print $1 }' | sort -u)" 4 \
	"each request had two attempts in either batch: never a third beside them"
sound "cancelled in races"

fsl-batch create --name over --completion-window 2500ms --escalate A=B@1s --base-url "$HANGS_URL" \
	four.jsonl >/dev/null
status_is 1 "the window ends while they race" fsl-run -j 4 --grace 300ms over
is "$(counts over)" "expired: 0 0 0 0 0 4" "all expire"
is "$(attempts over)" "8*interrupted" "and all attempts are cut off"
sound "expired in races"

# --- who decides

fsl-batch create --name given --completion-window 30s --base-url "$RATE_URL" four.jsonl >/dev/null
before=$(stats RATE '.models.B.requests')
status_is 0 "fsl-run --escalate, for a batch that sets none" fsl-run --escalate A=B@30d given
is "$(($(stats RATE '.models.B.requests') - before))" 4 "all go there at once"
is "$(attempts given | grep -c superseded)" 0 "without a race"
lines 4 C >four-c.jsonl
fsl-batch create --name plain --base-url "$RATE_URL" four-c.jsonl >/dev/null
before=$(stats RATE '.models.B.requests')
status_is 0 "for one without a window" fsl-run --escalate C=B@30d plain
is "$(($(stats RATE '.models.B.requests') - before))" 0 "it means nothing"
status_is 64 "fsl-run --escalate A" fsl-run --escalate A plain
server_start ONCE --mode echo --rule 'model=A => sleep=2500'
soon once six.jsonl --base-url "$ONCE_URL" --at-most-once
status_is 0 "--at-most-once" fsl-run -j 2 once
is "$(attempts once)" "6*200" "nothing is sent twice"
is "$(stats ONCE '.models | [.A.requests, .B.requests] | join(" ")')" "2 4" \
	"what was not sent yet goes to the other model"
sound "who decides"
status_is 0 "one shot" fsl-run -i four.jsonl -o out.jsonl --completion-window 1h --escalate A=B@1h \
	--base-url "$ONCE_URL"
is "$(jq -r .response.body.model out.jsonl | sort | uniq -c | awk '{ print $1 $2 }')" 4B "takes it as well"

done_testing
