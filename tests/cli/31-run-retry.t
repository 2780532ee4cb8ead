#!/bin/sh
# fsl-run: what is sent again and what is not, how often, when, and what is
# recorded of it: the attempts in the state file are the sends that servers saw.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

# line ID [URL]: a request; its URL is the path /v1/ID unless given.
line() { printf '{"custom_id":"%s","url":"%s","body":{"q":1}}\n' "$1" "${2:-/v1/$1}"; }
# run ARGUMENT...: fsl-run with the server API, with short delays.
run() { fsl-run --base-url "$API_URL" --retry-delay 1ms "$@"; }
# send NAME ARGUMENT...: the requests in NAME.jsonl; NAME.out, NAME.err and NAME.sum.
send() {
	send_name=$1
	shift
	run --json -i "$send_name.jsonl" -o "$send_name.out" -e "$send_name.err" "$@" \
		>"$send_name.sum" 2>"$send_name.said"
}
# tries ID: how often the server API got it; attempts ID: how many are recorded.
tries() { sent api.log | grep -cx "$1"; }
attempts() {
	sql "SELECT count(*) FROM attempts WHERE request = (SELECT r.id FROM requests r
		JOIN batches b ON b.id = r.id >> 32 JOIN templates t ON
		t.id = (b.file << 32 | (r.id & 4294967295)) WHERE t.custom_id = '$1')"
}
# failure NAME ID: code and message of an error line; message ID: the stored one.
failure() { jq -r "select(.custom_id == \"$2\") | [.error.code, .error.message] | join(\": \")" "$1.err"; }
message() {
	sql "SELECT message FROM answers a JOIN batches b ON b.id = a.id >> 32 JOIN templates t
		ON t.id = (b.file << 32 | a.line) WHERE t.custom_id = '$1'"
}
# waited ID: a second or more passed between its two arrivals.
waited() {
	jq -r "select(.path == \"/v1/$1\") | .t_us" api.log |
		awk 'NR > 1 { wait = $1 - last } { last = $1 } END { exit wait < 1000000 }'
}

server_start OTHER --log other.log
server_start GONE
gone=$GONE_URL
server_stop GONE
cat >rules <<END
path=/v1/twice,key-seen<2 => status=500
path=/v1/always => status=502
path=/v1/missing => status=404
path=/v1/denied => status=401
path=/v1/conflict => status=409
path=/v1/timeout,key-seen<1 => status=408
path=/v1/early,key-seen<1 => status=425
path=/v1/found => redirect=$OTHER_URL/v1/target
path=/v1/moved => status=308 ; redirect=$OTHER_URL/v1/target
path=/v1/busy,key-seen<2 => status=429
path=/v1/wait,key-seen<1 => status=429 ; header="Retry-After: 1"
path=/v1/down,key-seen<1 => status=503 ; header="Retry-After: 1"
path=/v1/soon,key-seen<1 => status=429 ; header="retry-after-ms: 1000"
path=/v1/junk,key-seen<1 => status=429 ; header="Retry-After: tomorrow"
path=/v1/reset => reset
path=/v1/drop => drop
path=/v1/short => truncate=10
path=/v1/garbage => garbage=hello\\r\\n\\r\\n
path=/v1/long => big-header=1048576
path=/v1/hang => hang
path=/v1/stall => stall
path=/v1/trickle => trickle=50
path=/v1/endless => endless
path=/v1/recover-*,key-seen<1 => drop
END
server_start API --rules rules --log api.log --log-headers

# --- statuses

for id in twice always missing denied conflict timeout early found moved busy wait down soon junk \
	fine; do line $id; done >status.jsonl
send status --retries 2
is $? 3 "a run with answers of all kinds"
is "$(ids status.out | paste -sd' ')" "twice timeout early busy wait down soon junk fine" \
	"500, 408, 425, 429 and 503 are tried again"
is "$(tries twice) $(attempts twice)" "3 3" "500 twice, then 200: three attempts"
is "$(tries always) $(attempts always)" "3 3" "--retries 2: three sends, not one more"
is "$(message always)" "scripted 502, after 3 attempts" "the message tells after how many"
for id in missing denied conflict; do
	is "$(tries $id) $(attempts $id)" "1 1" "$id is not tried again"
done
unlike "$(message missing)" 'attempt' "and does not say that it was"
is "$(tries found)$(tries moved)" 11 "a redirect is not followed and not tried again"
is "$(stats OTHER .requests)" 0 "nothing arrives at its target"
like "$(message found)" "redirect to $OTHER_URL/v1/target" "its target is named"
is "$(jq -r 'select(.custom_id == "moved") | .response.status_code' status.err)" 308 \
	"it is a failure with its status"
ok "Retry-After of a 429 is waited for" waited wait
ok "and that of a 503" waited down
ok "and retry-after-ms" waited soon
is "$(sql "SELECT next_ms - started_ms - took_ms < 500 FROM attempts a, requests r
	WHERE r.id = a.request AND a.n = 1 AND r.id & 4294967295 = 14")" 1 "but not what is none"
is "$(jq -cS .retries status.sum)" '{"408":1,"425":1,"429":5,"500":2,"502":2,"503":1}' \
	"the summary counts why requests were sent again"
is "$(sql 'SELECT count(*) FROM attempts')" "$(stats API .requests)" \
	"attempts recorded = sends that the server saw"
is "$(jq -r '.key' api.log | sort | uniq -c | awk '{ print $1 }' | sort -n | paste -sd' ')" \
	"1 1 1 1 1 1 2 2 2 2 2 2 3 3 3" "all attempts of a request have one Idempotency-Key"
is "$(jq -r .key api.log | sort -u)" "$(jq -r .id status.out status.err | sort)" "its id"
sound "statuses"

{
	line limit1
	line limit2
} >limits.jsonl
server_start BUSY --log busy.log --rule 'path=/v1/limit1,key-seen<3 => status=429' \
	--rule 'path=/v1/limit2,key-seen<3 => status=529'
status_is 0 "429 and 529 do not count against --retries" fsl-run --retries 0 --retry-delay 1ms \
	-i limits.jsonl -o limits.out --base-url "$BUSY_URL"
is "$(stats BUSY .requests)" 8 "they are tried until they succeed"
line once >once.jsonl
server_start NEVER --rule 'any => status=500'
status_is 1 "--retries 0" fsl-run --retries 0 -i once.jsonl -o once.out --base-url "$NEVER_URL"
is "$(stats NEVER .requests)" 1 "is one attempt"
status_is 1 "--retry-http 404" fsl-run --retries 1 --retry-http 404 --retry-delay 1ms \
	--new -i once.jsonl -o once.out --base-url "$NEVER_URL"
is "$(stats NEVER .requests)" 2 "replaces the list"

# --- once more, by hand

: >api.log
status_is 3 "--retry-failed" run --retry-failed --retries 2 -i status.jsonl -e status.err
is "$(jq -r .key api.log | sed 's/.*\(-r1\)$/\1/' | sort | uniq -c | awk '{ print $1, $2 }')" \
	"8 -r1" "sends what failed with a fresh set of attempts under new keys"
: >api.log
batch=$(sql "SELECT 'batch_' || lower(hex(uuid)) FROM batches WHERE id = 1")
fsl-batch retry --custom-id always --custom-id missing "$batch" >/dev/null
status_is 3 "after fsl-batch retry of two" fsl-run "$batch"
is "$(jq -r '[.path, (.key | split("-")[1])] | join(" ")' api.log | sort | uniq -c |
	awk '{ print $1, $2, $3 }' | paste -sd,)" "3 /v1/always r2,1 /v1/missing r2" \
	"they are sent with keys of the second round"
sound "once more"

# --- no answer, or none that can be used

FSL_DB=$PWD/broken.db
: >api.log
{
	line refused "$gone/v1/x"
	line unknown http://name.invalid/
	for id in reset drop short garbage long hang stall trickle endless fine; do line $id; done
} >broken.jsonl
begun=$(stats API .requests)
send broken --retries 1 --first-byte-timeout 700ms --stall-timeout 800ms --timeout 900ms \
	--max-response 64k
is $? 3 "a run with broken answers of all kinds"
is "$(ids broken.out)" fine "what is in order succeeds"
like "$(failure broken refused)" '^connect_error: .*after 2 attempts$' "connection refused"
like "$(failure broken unknown)" '^dns_error: ' "a name that does not resolve"
like "$(failure broken reset)" '^recv_error: .*after 2 attempts$' "a reset"
like "$(failure broken drop)" '^recv_error: .*after 2 attempts$' "no answer"
like "$(failure broken short)" '^truncated: .*after 2 attempts$' "a body that is too short"
like "$(failure broken garbage)" '^recv_error: ' "no HTTP"
like "$(failure broken long)" '^recv_error: ' "a header line of 1 MiB"
like "$(failure broken hang)" '^request_timeout: no answer within 700ms, after 2 attempts$' "--first-byte-timeout"
like "$(failure broken stall)" '^stalled: no further byte of the answer within 800ms, after 2 attempts$' "--stall-timeout"
like "$(failure broken trickle)" '^request_timeout: no whole answer within 900ms, after 2 attempts$' "--timeout"
like "$(failure broken endless)" '^response_too_large: the answer is larger than 65536 bytes$' \
	"--max-response"
is "$(tries endless)" 1 "what is too large is not tried again"
for id in reset drop short garbage long hang stall trickle; do
	is "$(tries $id) $(attempts $id)" "2 2" "$id is tried again"
done
is "$(attempts refused) $(attempts unknown)" "2 2" "attempts without a connection are recorded, too"
is "$(sql "SELECT count(*) FROM attempts WHERE code IS NOT 'connect_error' AND
	code IS NOT 'dns_error'")" "$(($(stats API .requests) - begun))" \
	"attempts recorded = sends that the server saw"
is "$(sql "SELECT DISTINCT length(head) FROM attempts WHERE code = 'response_too_large'")" 4096 \
	"the head of a body that is too large is kept"
is "$(cat broken.said)" "" "no word of it on stderr, with --json"
sound "broken answers"

for id in a b c d e f g h; do line recover-$id; done >recover.jsonl
send recover
is "$? $(ids recover.out | wc -l) $(wc -l <recover.err)" "0 8 0" "a connection that breaks once"
sound "recovered"

# --- connections that die while nobody uses them

server_start DYING --mode echo --log dying.log --rule 'reused,every=3 => drop-before-read' \
	--rule 'every=5 => close-silent'
awk 'BEGIN {
	for (i = 1; i <= 400; i++)
		printf "{\"custom_id\":\"r%d\",\"url\":\"/v1/r%d\",%s}\n", i, i,
			i % 2 ? "\"body\":{}" : "\"method\":\"GET\""
}' >dying.jsonl
FSL_DB=$PWD/dying.db
status_is 0 "a server that drops connections before it reads" fsl-run -i dying.jsonl -o dying.out \
	--retry-delay 1ms --retries 100 --base-url "$DYING_URL"
dropped=$(stats DYING .dropped_before_read)
like "$dropped" '^[1-9][0-9]' "drops dozens of requests"
is "$(sql 'SELECT count(*) FROM attempts')" "$(stats DYING '.requests + .dropped_before_read')" \
	"attempts recorded = sends, for POST and GET: none is repeated behind our back"
is "$(sent dying.log | sort -V)" "$(ids dying.jsonl)" "each arrived once"
is "$(sql "SELECT code, count(*) FROM attempts WHERE code IS NOT NULL")" "recv_error|$dropped" \
	"those that did not are recorded as recv_error"
is "$(jq -r '[.method, .len] | join(" ")' dying.log | sort -u | paste -sd,)" "GET 0,POST 2" \
	"a GET has no body"
sound "dying connections"

# --- a body without end

# A sanitizer keeps what was freed; valgrind is started by a script.
if grep -qE '__[at]san_init' "$BUILD/fsl-run" || [ "$(head -c 2 "$BUILD/fsl-run")" = '#!' ]; then
	skip "the program is watched" "memory stays flat on endless bodies"
else
	FSL_DB=$PWD/endless.db
	for id in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		for more in a b c d; do line "e$id$more" /v1/endless; done
	done >endless.jsonl
	line hang >>endless.jsonl
	fsl-run -j 4 -i endless.jsonl -o endless.out -e endless.err --base-url "$API_URL" \
		--max-response 2M --no-guard --grace 100ms 2>/dev/null &
	runner=$!
	failed() { [ "$(sql 'SELECT failed FROM batches')" = "$1" ]; }
	ok "64 bodies without end fail" eventually failed 64
	peak=$(awk '/^VmHWM/ { print $2 }' /proc/$runner/status)
	diag "peak: $peak KiB"
	ok "memory stays flat: 4 at once of at most 2 MiB, and no more" test "$peak" -lt 40000
	kill -TERM $runner
	wait $runner
	is $? 143 "a signal ends it while a request hangs"
	sound "endless bodies"
fi

done_testing
