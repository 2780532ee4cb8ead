#!/bin/sh
# fsl-run: requests with "stream":true come out as those without it, however
# their events arrive; an error among them is a failure, no end is truncated;
# what came is stored as it came.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

# line ID [MORE]: a request to /v1/ID that asks for a stream; MORE of its body.
line() {
	printf '{"custom_id":"%s","url":"/v1/%s","body":{"model":"m","stream":true%s,"messages":' \
		"$1" "$1" "${2-}"
	printf '[{"role":"user","content":"%s"}]}}\n' "$1"
}
# stored ID: the answer as it is in the state file, to the file stored.
stored() {
	rm -f stored
	sql "SELECT writefile('stored', a.body) FROM answers a JOIN batches b ON b.id = a.id >> 32
		JOIN templates t ON t.id = (b.file << 32 | a.line) WHERE t.custom_id = '$1'" >/dev/null
}
body() { jq -c "select(.custom_id == \"$1\") | .response.body" out.jsonl; }
failure() {
	jq -c "select(.custom_id == \"$1\") | [.response, .error.code, .error.message]" err.jsonl
}
tries() { sent api.log | grep -cx "$1"; }

# --- the answers of a server are the same with and without a stream

server_start OPENAI --mode openai --rule 'body~slow => events=20' --rule 'body~byte => trickle=1'
usage=',"stream_options":{"include_usage":true}'
for i in 1 2 3 4 5 6 7 8; do line q$i "$usage"; done >streamed.jsonl
line slow "$usage" >>streamed.jsonl
line byte "$usage" >>streamed.jsonl
sed 's/"stream":true,"stream_options":{[^}]*},//' streamed.jsonl >plain.jsonl
status_is 0 "a batch of streaming requests" fsl-run --json -i streamed.jsonl -o out.jsonl \
	--base-url "$OPENAI_URL"
mv out summary
status_is 0 "and the same without streams" fsl-run --json -i plain.jsonl -o plain.out --base-url "$OPENAI_URL"
form='[.custom_id, .error, (.response.body | del(.id, .service_tier))]'
jq -c "$form" out.jsonl >streamed
jq -c "$form" plain.out >plain
ok "come out as the same completion objects" cmp streamed plain
is "$(jq -r '.response.body | [.object, (keys_unsorted | join(" "))] | join(": ")' out.jsonl | sort -u)" \
	"chat.completion: id object created model choices usage system_fingerprint" \
	"with their members in the order of the API"
is "$(jq -c .usage summary)" "$(jq -c .usage out)" "tokens are counted, and are the same"
like "$(jq -r .usage.output_tokens summary)" '^70$' "which are 7 for each answer"
like "$(jq -r .response.request_id out.jsonl)" '^req_' "x-request-id is known"
is "$(sql 'SELECT kind, count(*) FROM answers GROUP BY 1' | paste -sd' ')" "0|10 4|10" \
	"the one kind is stored as JSON, the other as event streams"
is "$(sql "SELECT count(*) FROM answers WHERE kind = 4 AND CAST(body AS TEXT) LIKE 'data: {%'
	AND CAST(body AS TEXT) LIKE '%data: [DONE]' || char(10, 10)")" 10 "as they came"
sound "streams"

status_is 0 "-o - writes them as they complete" fsl-run --new -j 1 -i streamed.jsonl -o - \
	--base-url "$OPENAI_URL"
jq -c "$form" out | sort >dashed
sort streamed >sorted
ok "folded, too" cmp dashed sorted
batch=$(sql "SELECT 'batch_' || lower(hex(uuid)) FROM batches WHERE id = 1")
status_is 0 "fsl-batch results" fsl-batch results "$batch"
ok "writes the same lines" cmp out out.jsonl

# --- streams of all kinds

FSL_DB=$PWD/kinds.db
# chunk DELTA [REASON]: an event; event NAME DATA: one with a type.
chunk() {
	printf 'data: {"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":%s,' "$1"
	printf '"finish_reason":%s}]}\n\n' "${2:-null}"
}
event() { printf 'event: %s\ndata: {"type":"%s",%s}\n\n' "$1" "$1" "$2"; }
end_() { printf 'data: [DONE]\n\n'; }
{
	printf ': OPENROUTER PROCESSING\n\n'
	chunk '{"role":"assistant","reasoning_content":"6*7 "}'
	chunk '{"reasoning_content":"= \u0034\ud83d\ude00","content":null}'
	chunk '{"content":"4"}'
	chunk '{"content":"2 \"ä\"\n"}' '"stop"'
	end_
} >chat
{
	chunk '{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a",
data: "type":"function","function":{"name":"f","arguments":""}}]}'
	chunk '{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]}'
	chunk '{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}'
	chunk '{}' '"tool_calls"'
	end_
} | sed 's/$/\r/' >tools
{
	event response.created '"response":{"id":"r"}'
	event response.completed '"response":{"id":"r","object":"response","n":12345678901234567890123,
data: "usage":{"input_tokens":100,"output_tokens":50}}'
} >responses
{
	event message_start '"message":{"id":"m","type":"message","role":"assistant","content":[],
data: "usage":{"input_tokens":1000,"output_tokens":1}}'
	event content_block_start '"index":0,"content_block":{"type":"text","text":""}'
	event content_block_delta '"index":0,"delta":{"type":"text_delta","text":"Hi"}'
	event message_delta '"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":500}'
	event message_stop '"x":0'
} >messages
printf 'data: {"candidates":[1]}\n\ndata: {"candidates":[2]}\n\n' >strange
chunk '{"content":"half"}' >half1
head -c 400 chat >half2
: >empty
error() { chunk '{"content":"so far"}'; printf 'data: {"error":{"message":"%s","type":"%s"}}\n\n' "$1" "$2"; }
error "It is full" overloaded_error >full
error "Broken" server_error >broken
error "Not that" invalid_request_error >bad
event error '"error":{"type":"rate_limit_error","message":"Slow down"}' >limited
printf 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n%s' "$(cat half1)" >raw
type='header="Content-Type: text/event-stream; charset=utf-8"'
cat >rules <<END
path=/v1/full,key-seen<2 => body-file=full ; $type
path=/v1/limited,key-seen<7 => body-file=limited ; $type
path=/v1/broken,key-seen<1 => body-file=broken ; $type
path=/v1/heals,key-seen<1 => body-file=half1 ; $type
path=/v1/torn,key-seen<1 => body-file=chat ; events=5 ; truncate=300
path=/v1/broken2 => body-file=broken ; events=1
path=/v1/closes => garbage=$(sed 's/\r$/\\r/' raw | paste -sd'~' | sed 's/~/\\n/g')
path=/v1/untyped => body-file=chat
path=/v1/plain => body={"plain":"no stream"}
END
{
	for id in bad half1 half2 empty; do echo "path=/v1/$id => body-file=$id ; $type"; done
	for id in tools responses messages strange; do echo "path=/v1/$id => body-file=$id ; events=1"; done
	echo "any => body-file=chat ; $type"
} >>rules
good="chat tools responses messages strange untyped plain full limited broken heals torn"
for id in $good bad half1 half2 empty broken2 closes; do line "$id"; done >in.jsonl
printf '{"custom_id":"unasked","url":"/v1/chat","body":{"model":"m"}}\n' >>in.jsonl
server_start API --rules rules --log api.log
status_is 3 "streams that fail and streams that do not: exit 3" fsl-run --json -i in.jsonl \
	-o out.jsonl -e err.jsonl --retries 1 --retry-delay 1ms --base-url "$API_URL"
is "$(jq -c .usage out)" '{"input_tokens":1100,"cached_tokens":0,"output_tokens":550,"reasoning_tokens":0}' \
	"tokens are those of the folded answers"
is "$(ids out.jsonl | paste -sd' ')" "$good unasked" "those with an end succeed"
want='{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,'
want=$want'"message":{"role":"assistant","content":"42 \"ä\"\n","refusal":null,'
want=$want'"reasoning_content":"6*7 = 4😀"},"logprobs":null,"finish_reason":"stop"}]}'
is "$(body chat)" "$want" "a chat with reasoning, told in pieces"
is "$(body untyped)" "$want" "also if its type says nothing"
is "$(body torn)" "$want" "and the second time, after it was torn"
like "$(grep -F '"custom_id":"chat"' out.jsonl)" '= .u0034.ud83d.ude00"[}]' "escapes stay as they came"
is "$(body tools | jq -c '.choices[0] | [.finish_reason, .message.content, .message.tool_calls]')" \
	'["tool_calls",null,[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]]' \
	"the calls of tools"
like "$(grep -F '"custom_id":"responses"' out.jsonl)" \
	'"body":{"id":"r","object":"response","n":12345678901234567890123,' "a response, byte for byte"
is "$(body messages | jq -c '[.content, .stop_reason, .usage]')" \
	'[[{"type":"text","text":"Hi"}],"end_turn",{"input_tokens":1000,"output_tokens":500}]' "a message"
is "$(body strange | jq -r . | head -n 1)" 'data: {"candidates":[1]}' \
	"a stream of an unknown kind is a text, as it came"
is "$(body plain)" '{"plain":"no stream"}' "an answer that is no stream is what it is"
is "$(body unasked | jq -r . | head -n 1)" ": OPENROUTER PROCESSING" \
	"nor is one folded that nobody asked for"
for id in chat tools responses messages strange; do
	stored $id
	ok "$id is stored as it came" cmp $id stored
done
is "$(tries full) $(tries limited)" "3 8" "overload and rate limits are tried again and do not count"
is "$(tries broken) $(tries heals) $(tries torn)" "2 2 2" "what breaks once is tried again"
end="the stream ended before its last event, after 2 attempts"
for id in half1 half2 empty closes; do
	is "$(failure $id) $(tries $id)" "[null,\"truncated\",\"$end\"] 2" \
		"$id: without its end it is truncated, twice, and no result"
done
is "$(failure broken2) $(tries broken2)" '[null,"stream_error","Broken, after 2 attempts"] 2' \
	"an error of the server, twice"
is "$(failure bad) $(tries bad)" '[null,"stream_error","Not that"] 1' "an error of the request is final"
sound "streams that fail"

batch=$(sql "SELECT 'batch_' || lower(hex(uuid)) FROM batches WHERE id = 1")
status_is 0 "fsl-batch inspect" fsl-batch inspect "$batch" bad
like "$(cat out)" '^attempt 1: .*, HTTP 200, stream_error after ' "tells how it ended"
like "$(cat out)" '^  Not that$' "and what the error said"
like "$(cat out)" '^  data: {"id":"c",.*"so far"' "and shows the head of the stream as it came"
status_is 0 "fsl-batch errors" fsl-batch errors --plain "$batch"
like "$(cat out)" 'stream_error.*Not that' "counts it under its code"
like "$(cat out)" 'truncated.*the stream ended' "and the truncated ones"

# --- what an error in a stream says of the server

FSL_DB=$PWD/purse.db
error "No money" insufficient_quota >purse
server_start PURSE --rule "any => body-file=purse ; $type"
for id in p1 p2 p3; do line $id; done >purse.jsonl
status_is 4 "an empty purse stops the model, as a 429 with it does" fsl-run -j 1 -i purse.jsonl \
	--base-url "$PURSE_URL"
like "$(cat err)" 'No money' "and says why"
is "$(stats PURSE .requests) $(sql 'SELECT pending, failed FROM batches')" "1 3|0" \
	"after one request, and none has failed"

done_testing
