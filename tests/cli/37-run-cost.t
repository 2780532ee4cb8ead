#!/bin/sh
# fsl-run --max-cost: it stops before more is spent than that, by the usage that
# the answers tell; what is in flight is reserved by estimate.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

# lines N [MODEL]: requests of a model (m); an answer may have 100 tokens, which
# cost 1,000 micro-dollars.
lines() {
	awk -v n="$1" -v model="${2:-m}" 'BEGIN { for (i = 1; i <= n; i++)
		printf "{\"custom_id\":\"r%d\",\"url\":\"/v1/r%d\",\"body\":{\"model\":\"%s\",\"max_tokens\":100}}\n",
			i, i, model }'
}
# usage TOKENS: what an answer says.
usage() { printf 'body={"usage":{"prompt_tokens":7,"completion_tokens":%d}}' "$1"; }
# within LOG COST LIMIT: at no time was there more in flight than could be paid
# after what the answers until then had cost (micro-dollars).
within() {
	is "$(jq -c --argjson cost "$2" --argjson limit "$3" \
		'select((.n - .in_flight) * $cost + .in_flight * 1000 > $limit)' "$1")" "" \
		"at no time is more in flight than could be paid"
}
spent() { # NAME
	fsl-batch usage --by batch --prices prices.json --columns cost "$1"
}
left() { fsl-batch show "$1" | jq -r '.fsl.counts | .pending + .claimed + .processing + .retrying'; }
left_is() { [ "$(left "$1")" = "$2" ]; } # for eventually

printf '{"m":{"input":0,"output":10},"free":{"input":0,"output":0}}' >prices.json
lines 60 >in.jsonl

# --- what is refused before anything is sent

server_start API --mode echo --log api.log --rule "any => sleep=5 ; $(usage 100)"
export FSL_BASE_URL="$API_URL"
fsl-batch create --name first in.jsonl >/dev/null
status_is 64 "--max-cost without --prices" fsl-run --max-cost 1 first
like "$(cat err)" '--max-cost needs --prices' "says what is missing"
for bad in 0 -1 much 1e3 '1 USD' 0.0000001; do
	status_is 64 "--max-cost $bad" fsl-run --max-cost "$bad" --prices prices.json first
done
status_is 66 "prices that are not there" fsl-run --max-cost 1 --prices nosuch.json first
printf '{"m":{"input":1}}' >half.json
status_is 78 "prices that are none" fsl-run --max-cost 1 --prices half.json first
{ lines 2; lines 1 other; } | sed '3s/"r1"/"x1"/' >mixed.jsonl
fsl-batch create --name mixed mixed.jsonl >/dev/null
status_is 78 "a model without a price" fsl-run --max-cost 1 --prices prices.json mixed
like "$(cat err)" '^fsl-run: .*other' "which is named"
status_is 78 "in all that is open, too" fsl-run --max-cost 1 --prices prices.json
status_is 78 "in one shot, too" fsl-run -i mixed.jsonl -o mixed.out --max-cost 1 --prices prices.json
fsl-batch create --name later --completion-window 1h --escalate m=other@1m in.jsonl >/dev/null
status_is 78 "a model that requests may go to" fsl-run --max-cost 1 --prices prices.json later
like "$(cat err)" '^fsl-run: .*other' "which is named"
fsl-batch create --name window --completion-window 1h in.jsonl >/dev/null
status_is 78 "by the run's --escalate, too" fsl-run --max-cost 1 --prices prices.json --escalate m=other@1m window
is "$(stats API .requests)" 0 "nothing was sent"
drop() { # all that is open but the batch NAME
	fsl-batch list --status in_progress --plain --columns batch_id,name |
		awk -v name="$1" '$2 != name { print $1 }' | fsl-batch cancel - >/dev/null
}
drop first

# --- it stops in time

status_is 4 "a run that may spend a cent" fsl-run --json -j 8 --max-cost 0.01 --prices prices.json first
is "$(stats API .requests)" 10 "sends what can be paid"
is "$(jq -r '[.reason, .exit, .completed, .remaining] | join(" ")' out)" "max_cost 4 10 50" "and says why it stops"
is "$(spent first)" 0.01 "all is spent, and not more"
within api.log 1000 10000
is "$(sql "SELECT sum(tries) FROM requests r JOIN batches b ON b.id = r.id >> 32 WHERE name = 'first'")" 10 \
	"what was not sent has no attempt"
sound "after --max-cost"
status_is 4 "the next run goes on" fsl-run -j 8 --max-cost 0.01 --prices prices.json first
like "$(cat err)" '^fsl-run: max_cost: 20 completed, 0 failed, 40 left' "where the first one stopped"
is "$(stats API .requests)" 20 "with as much money"
status_is 4 "less than one costs" fsl-run --max-cost 0.0009 --prices prices.json first
is "$(stats API .requests)" 20 "sends nothing"
status_is 0 "enough for all" fsl-run -j 8 --max-cost 0.04 --prices prices.json first
is "$(stats API .requests) $(spent first)" "60 0.06" "ends it"
sound "in the end"

# Answers that cost less than they might have: the rest can be spent.
server_start LESS --mode echo --log less.log --rule "any => sleep=5 ; $(usage 50)"
fsl-batch create --name less --base-url "$LESS_URL" in.jsonl >/dev/null
status_is 4 "answers that cost half" fsl-run -j 8 --max-cost 0.01 --prices prices.json less
is "$(stats LESS .requests) $(spent less)" "19 0.0095" "as many as can be paid, one by one in the end"
within less.log 500 10000
sound "answers that cost less"

# Failures, and what is tried again.
server_start FAILS --mode echo --log fails.log --rule 'every=3 => status=500' --rule 'path=/v1/r5 => status=400' \
	--rule "any => sleep=2 ; $(usage 100)"
fsl-batch create --name fails --base-url "$FAILS_URL" --retry-delay 1ms in.jsonl >/dev/null
status_is 4 "failures cost nothing" fsl-run -j 4 --max-cost 0.02 --prices prices.json fails
is "$(spent fails)" 0.02 "all is spent for answers"
is "$(fsl-batch show fails | jq -r '.fsl.counts | [.completed, .failed] | join(" ")')" "20 1" "in full"
sound "with failures"

# An answer costs more than was thought: nothing starts any more.
server_start MORE --mode echo --rule "path=/v1/r1 => sleep=300 ; $(usage 5000)" --rule "any => $(usage 100)"
fsl-batch create --name more --base-url "$MORE_URL" in.jsonl >/dev/null
status_is 4 "an answer costs more than was thought" fsl-run -j 1 --max-cost 0.01 --prices prices.json more
is "$(stats MORE .requests)" 1 "nothing starts any more"

# What is free is sent in any case; what is dear stops the run.
server_start FREE --mode echo --rule "any => $(usage 100)"
lines 30 free >free.jsonl
fsl-batch create --name free --base-url "$FREE_URL" free.jsonl >/dev/null
status_is 0 "what is free costs nothing" fsl-run --max-cost 0.000001 --prices prices.json free

# --- a worker dies, two workers

server_start SLOW --mode echo --log slow.log --rule "any => sleep=100 ; $(usage 100)"
fsl-batch create --name dies --base-url "$SLOW_URL" in.jsonl >/dev/null
fsl-run -j 4 --max-cost 0.02 --prices prices.json dies 2>/dev/null &
run=$!
ok "some are done" eventually sh -c "fsl-batch show dies | jq -e '.fsl.counts.completed >= 4'"
kill -9 $run
wait $run 2>/dev/null
before=$(fsl-batch show dies | jq .fsl.counts.completed)
status_is 4 "after a death" fsl-run -j 4 --max-cost 0.01 --prices prices.json dies
is "$(($(fsl-batch show dies | jq .fsl.counts.completed) - before))" 10 "the next run has its own money"
sound "after a death"
before=$(fsl-batch show dies | jq .fsl.counts.completed)
fsl-run -j 4 --max-cost 0.005 --prices prices.json dies 2>/dev/null &
run=$!
status_is 4 "two workers" fsl-run -j 4 --max-cost 0.006 --prices prices.json dies
wait $run
is $? 4 "each stops by itself"
is "$(($(fsl-batch show dies | jq .fsl.counts.completed) - before))" 11 "each with its own money"
sound "two workers"

# Two that have no money left do not keep each other awake while they wait.
server_start LAST --mode echo --rule "nth=1-2 => sleep=3000 ; $(usage 100)"
fsl-batch create --name last --base-url "$LAST_URL" in.jsonl >/dev/null
poor() { # NAME: runs, and what it has taken of the processor goes to the file NAME
	fsl-run -j 4 --max-cost 0.001 --prices prices.json last 2>/dev/null
	poor_status=$?
	times >"$1.times" # not in a pipe: that would be another shell
	awk 'NR == 2 { gsub("[0-9]+m|s", ""); print int(($1 + $2) * 1000) }' "$1.times" >"$1"
	return $poor_status
}
poor one &
one=$!
poor two &
two=$!
ok "each has one in flight, and no money for another" eventually stats_are LAST .requests 2
wait $one
is $? 4 "they wait till it has ended"
wait $two
is "$(left last)" 58 "and start nothing more"
ok "without being busy: $(cat one) and $(cat two) ms" test "$(cat one)" -lt 200 -a "$(cat two)" -lt 200

# --- a model without a price comes while it runs

fsl-batch create --name mine --base-url "$SLOW_URL" in.jsonl >/dev/null
drop mine
fsl-run -j 8 --max-cost 10 --prices prices.json 2>new.said &
run=$!
ok "a run of all that is open" eventually sh -c "fsl-batch show mine | jq -e '.fsl.counts.completed >= 4'"
lines 3 new >new.jsonl
fsl-batch create --name new --base-url "$SLOW_URL" new.jsonl >/dev/null
wait $run
is $? 0 "ends, although a batch came whose model has no price"
is "$(left new)" 3 "of which nothing was sent"
like "$(cat new.said)" 'new has no price in --prices: its requests stay pending' "as it said"
fsl-batch cancel new >/dev/null

# --- one shot

lines 30 >30.jsonl
status_is 4 "one shot" fsl-run -i 30.jsonl -o out.jsonl --max-cost 0.01 --prices prices.json
is "$(wc -l <out.jsonl.part) $(ls out.jsonl 2>/dev/null)" "10 " "what is finished is in out.jsonl.part"
status_is 0 "the same command with more money" fsl-run -i 30.jsonl -o out.jsonl --max-cost 1 --prices prices.json
is "$(wc -l <out.jsonl)" 30 "goes on to the end"

done_testing
