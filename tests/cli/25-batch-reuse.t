#!/bin/sh
# create --reuse: what was asked before is not asked again.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

server_start API --mode openai --log api.log --rule 'path=/v1/r13 => status=400' \
	--rule 'path=/v1/r14 => body=text'
create() { fsl-batch create --base-url "$API_URL" "$@"; }
run() { fsl-run --base-url "$API_URL" "$@"; }
field() { fsl-batch show "$1" | jq -r "$2"; }
counts() { field "$1" '[.status, .request_counts.total, .request_counts.completed] | join(" ")'; }
calls_before=0
count_calls() { calls_before=$(stats API .requests); }
calls() { echo $(($(stats API .requests) - calls_before)); }
# other FILE: the same requests under other names.
other() { sed 's/"custom_id":"r/"custom_id":"x/' "$1"; }

# --- all of a batch

requests 20 >in.jsonl
status_is 3 "20 requests, of which one fails" run -i in.jsonl -o out.jsonl -e bad.jsonl
other in.jsonl | grep -v '"x13"' >again.jsonl
count_calls
status_is 0 "without --reuse" create again.jsonl
is "$(counts "$(cat out)") $(cat err)" "in_progress 19 0 " "nothing is reused, and nothing said"
status_is 0 "--reuse" create --reuse again.jsonl
is "$(cat err)" "" "says nothing off a terminal"
b=$(cat out)
is "$(counts "$b")" "completed 19 19" "the batch is completed at once"
is "$(field "$b" '[.fsl.attempts, .usage.total_tokens, .fsl.outcome] | join(" ")')" \
	"0 0 all_completed" "with no attempt and no token"
ok "and its time stamps" test "$(field "$b" '[.in_progress_at, .finalizing_at, .completed_at] |
	all(. > 0)')" = true
fsl-batch results "$b" >reused.jsonl
is "$(ids reused.jsonl)" "$(ids again.jsonl)" "its results are there"
is "$(jq -c .response reused.jsonl)" "$(grep -v '"r13"' out.jsonl | jq -c .response)" \
	"with the answers of before, byte for byte"
like "$(jq -r .id reused.jsonl | head -n 1)" "^batch_req_${b#batch_}00000001\$" "under the new request's id"
is "$(fsl-batch requests --columns state,attempts,http,tokens "$b" | sort -u)" \
	"completed	0	-	-" "requests: completed without an attempt"
source=$(jq -r 'select(.custom_id == "r5").id' out.jsonl)
like "$(fsl-batch inspect "$b" x5)" "^not sent: reused from $source\$" "inspect names the source"
is "$(fsl-batch inspect --json "$b" x5 | jq -c '[.attempts, .reused_from]')" "[[],\"$source\"]" \
	"as JSON too"
is "$(fsl-batch inspect --json "@last" x14 | jq -r '.reused_from')" \
	"$(jq -r 'select(.custom_id == "r14").id' out.jsonl)" "an answer that is no JSON as well"
is "$(calls)" 0 "nothing was sent"
sound "reused as a whole"

# --- some of it, and the rest is sent

(other in.jsonl; requests 30 21) >more.jsonl
count_calls
status_is 0 "a batch with more than was asked before" create -v --reuse --name more more.jsonl
like "$(cat err)" '^fsl-batch: 19 of 50 requests take answers that were given before$' "-v: how many"
is "$(counts more)" "in_progress 50 19" "the rest is pending"
status_is 3 "fsl-run sends it" fsl-run more
is "$(calls)" 31 "and nothing else"
is "$(fsl-batch results --all more | jq -r .custom_id | sort -V)" "$(ids more.jsonl | sort -V)" \
	"every request has one line"
sound "the rest is sent"
is "$(fsl-batch usage --columns requests,attempts more)" "50	31" "usage counts what was sent"

# --- what is another request

count_calls
for option in "--base-url $API_URL/v1/" "--header X-A:b"; do
	# shellcheck disable=SC2086 # words
	status_is 0 "with $option" create --reuse $option again.jsonl
	is "$(counts "$(cat out)")" "in_progress 19 0" "these are other requests"
done
FSL_TEST_KEY=k status_is 0 "with another key" create --reuse --key env:FSL_TEST_KEY again.jsonl
is "$(counts "$(cat out)")" "completed 19 19" "they are the same"
sed 's/"n":3}/"n":33}/; s/"url":"\/v1\/r4"/"url":"\/v1\/r4?a"/' again.jsonl >changed.jsonl
status_is 0 "another body and another url" create --reuse changed.jsonl
is "$(counts "$(cat out)")" "in_progress 19 17" "are other requests"

# --- age

status_is 0 "--reuse=1d" create --reuse=1d again.jsonl
is "$(counts "$(cat out)")" "completed 19 19" "answers of today"
sqlite3 fsl.db 'UPDATE answers SET ended_ms = ended_ms - 2 * 86400000 WHERE source IS NULL'
status_is 0 "two days later" create --reuse=1d again.jsonl
is "$(counts "$(cat out)")" "in_progress 19 0" "they are too old, those that were reused today too"
status_is 0 "--reuse=3d" create --reuse=3d again.jsonl
is "$(counts "$(cat out)")" "completed 19 19" "for three days they are not"
status_is 64 "a value that is no duration" create --reuse=soon again.jsonl
status_is 64 "no age at all" create --reuse=0 again.jsonl
status_is 5 "the next word is no value" create --reuse 3d
like "$(cat err)" "there is no file '3d'" "but the operand"

# --- dry run, hint, one shot

count=$(sql 'SELECT count(*) FROM batches')
status_is 0 "-n" create -n --reuse more.jsonl
like "$(cat err)" '^fsl-batch: 49 of them would take answers that were given before$' "counts"
status_is 0 "-n of a stored file" create -n --reuse "$(field more .input_file_id)"
like "$(cat err)" '^fsl-batch: 49 of them would take' "too"
is "$(sql 'SELECT count(*) FROM batches')" "$count" "and makes nothing"
status_is 0 "-v without --reuse" create -v more.jsonl
like "$(cat err)" "^fsl-batch: $(field more .id) has answers to 49 of 50 requests; create --reuse" \
	"says who has most of the answers"
requests 3 700 >new.jsonl
status_is 0 "-v, a new input" create -v new.jsonl
unlike "$(cat err)" 'has answers' "does not, when nobody has"

(requests 10; requests 5 900) >shot.jsonl
count_calls
status_is 0 "fsl-run -i --reuse" run -v --reuse -i shot.jsonl -o shot.out
is "$(calls) $(ids shot.out | cksum)" "5 $(ids shot.jsonl | cksum)" "sends what is new, writes all"
like "$(cat err)" '^fsl-run: 10 of 15 requests take answers that were given before$' "-v: how many"
other shot.jsonl >all.jsonl
count_calls
status_is 0 "fsl-run -i --reuse -o -" run --reuse -i all.jsonl -o -
is "$(calls) $(ids out | cksum)" "0 $(ids all.jsonl | cksum)" "nothing to send: the answers are written"
status_is 0 "again" run --reuse -i all.jsonl -o -
like "$(cat err)" 'had ended' "it is the same batch"
status_is 64 "--reuse goes with -i" fsl-run --reuse more
sound "at the end"

# --- killed

requests 20000 | sed 's/\/v1\/r[0-9]*/\/v1\/q/' >many.jsonl
fsl-file import -q --name many many.jsonl >/dev/null
create -q --name source many >/dev/null
sqlite3 fsl.db "BEGIN IMMEDIATE;
	CREATE TEMP TABLE b AS SELECT id FROM batches WHERE name = 'source';
	INSERT INTO answers (id, line, ended_ms, status, body) SELECT r.id, r.id & 4294967295, 1, 200,
		x'7b7d' FROM requests r JOIN b ON r.id >> 32 = b.id;
	UPDATE requests SET state = 2, answer = id & 4294967295 WHERE id >> 32 = (SELECT id FROM b);
	UPDATE queues SET pending = 0 WHERE batch = (SELECT id FROM b);
	UPDATE batches SET status = 2, pending = 0, completed = total, answers = total,
		finalizing_ms = 1, completed_ms = 1 WHERE id = (SELECT id FROM b);
	COMMIT"
wrong=0 whole=0 dead=0
for ms in 010 020 040 060 080 100 130 160 200 240; do
	if timeout --foreground -s KILL 0.$ms fsl-batch create --base-url "$API_URL" --reuse many \
		>made 2>/dev/null; then
		[ "$(counts "$(cat made)")" = "completed 20000 20000" ] || wrong=$((wrong + 1))
		whole=$((whole + 1))
	else
		dead=$((dead + 1))
	fi
done
diag "killed $dead times, made $whole"
is $wrong 0 "a batch that is made is whole"
status_is 0 "after the kills" create --reuse many
is "$(counts "$(cat out)")" "completed 20000 20000" "it can be made"
is "$(sql 'SELECT count(*) FROM batches WHERE status = 0')" 0 "what killed ones left is swept"
is "$(sql 'SELECT count(*) FROM answers WHERE id >> 32 NOT IN (SELECT id FROM batches)')" 0 \
	"with its answers"
is "$(sql 'PRAGMA integrity_check')" ok "the state file is sound"
done_testing
