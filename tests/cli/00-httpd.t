#!/bin/sh
# The scripted server of the tests does what it says (tests/http/httpd.c).
. "${0%/*}/tap.sh"

# get PATH [curl option...]: the answer's body; -d makes it a POST.
get() {
	get_path=$1
	shift
	curl -sS --max-time 10 "$url$get_path" "$@"
}
# code PATH [curl option...]: the status and curl's own, such as "200 0"
code() {
	get_path=$1
	shift
	curl -s --max-time 10 -o /dev/null -w '%{http_code}' "$url$get_path" "$@"
	printf ' %d\n' $?
}
log() { jq -r "$1" log.jsonl; }
codes() { for n in "$@"; do code "$n"; done | cut -d' ' -f1 | paste -sd' '; }
key_codes() {
	for n in 1 2 3 4; do code /key "$@"; done | cut -d' ' -f1 | paste -sd' '
}
# shellcheck disable=SC2317 # wait_for calls it
stats_are() { [ "$(stats "$1" "$2")" = "$3" ]; }

# --- modes

server_start FIXED --body-size 300
is "$(get /x -d hello | wc -c)" 300 "fixed: the body has the size that was asked for"
is "$(get /x | jq 'keys')" "$(echo '["pad"]' | jq .)" "fixed: the body is JSON"
like "$(get /x -I)" '^Content-Length: 300' "HEAD: the length"
is "$(code /x -I)" "200 0" "HEAD: no body"
is "$(stats FIXED .requests)" 4 "the counters do not count who asks for them"
get /__reset >reset
is "$(stats FIXED '[.requests, .begun, .connections, .bytes_in] | join(" ")')" "0 0 0 0" \
	"__reset zeroes the counters"
ok "a server that was told to stop ends well" server_stop FIXED
is "$(code /x)" "000 7" "and refuses connections from then on"

server_start OPENAI --mode openai
body='{"model":"gpt-x","messages":[{"role":"user","content":"2+2?"}]}'
get /v1/chat/completions -D head -d "$body" >one
is "$(jq -r '[.object, .model, .choices[0].message.role, .usage.total_tokens
	- .usage.prompt_tokens - .usage.completion_tokens] | join(" ")' one)" \
	"chat.completion gpt-x assistant 0" "openai: a chat.completion of the model"
like "$(cat head)" '^x-request-id: req_1' "openai: x-request-id has the number"
like "$(jq -r '.choices[0].message.content' one)" '^The answer is #### [0-9]+$' \
	"openai: an answer"
is "$(get / -d "$body" | jq .choices)" "$(jq .choices one)" \
	"openai: the same prompt, the same answer"
get / -d '{"model":"gpt-y"}' >/dev/null
is "$(stats OPENAI '.models | map_values(.requests) | tostring')" \
	'{"gpt-x":2,"gpt-y":1}' "requests are counted by model"
nested='{"metadata":{"model":"no"},"q":"\"model\":\"no\"","model":"gpt-z"}'
is "$(get / -d "$nested" | jq -r .model)" gpt-z \
	"the model is the member of the outermost object"

body='{"model":"gpt-x","stream":true,"messages":[{"role":"user","content":"2+2?"}]}'
get / -N -D head -d "$body" >stream
like "$(cat head)" '^Content-Type: text/event-stream' "openai: with \"stream\":true an event stream"
is "$(sed -n 's/^data: \({.*\)/\1/p' stream | jq -j '.choices[].delta.content // ""')" \
	"$(jq -r '.choices[0].message.content' one)" "of the same answer"
is "$(tail -n 2 stream) $(grep -c usage stream)" "data: [DONE] 0" "with its end, and without usage"
body='{"stream":true,"stream_options":{"include_usage":true},"messages":[]}'
is "$(get / -N -d "$body" | sed -n 's/^data: \({.*\)/\1/p' | jq -c 'select(.usage) | [.choices, .usage.completion_tokens]')" \
	"[[],7]" "unless it is asked for"

# --- requests

server_start ECHO --mode echo --log log.jsonl --log-headers --log-bodies \
	--bodies bodies --stats stats.json --max-seconds 100
head -c 300000 /dev/urandom >random
get /a -H 'Content-Type: application/x-test' --data-binary @random -D head >back
ok "echo: the body comes back" cmp random back
like "$(cat head)" '^Content-Type: application/x-test' "echo: and its type"
ok "--bodies: the body is stored under its number" cmp random bodies/1
get /b -H 'Transfer-Encoding: chunked' --data-binary @random >back
ok "a chunked body is read" cmp random back
get /b -H 'Expect: 100-continue' --data-binary @random -v >back 2>err
like "$(cat err)" '^< HTTP/1.1 100 Continue' "Expect is answered by 100 Continue"
ok "and the body is read" cmp random back
get '/c?d=e' -d '{"q":"ä\n"}' -H 'X-Custom-Id: c-1' -H 'Idempotency-Key: k-1' \
	-H 'Authorization: Bearer t' -H 'X-Two: 1' -H 'X-Two: 2' >/dev/null
is "$(log 'select(.n == 4) | [.conn, .on_conn, .in_flight, .method, .path, .custom,
	.key, .auth, .len] | join(" ")')" \
	'4 1 1 POST /c?d=e c-1 k-1 Bearer t 12' "the log has a line per request"
is "$(log 'select(.n == 4) | [.body, .headers["X-Two"], .headers["User-Agent"][:5]]
	| join(" ")')" '{"q":"ä\n"} 1, 2 curl/' "with bodies and headers if asked"
rule="the hash is that of xxh128sum"
if command -v xxh128sum >which; then
	is "$(log 'select(.n == 3) | .xxh')" "$(xxh128sum random | cut -d' ' -f1)" "$rule"
else
	skip "there is no xxh128sum" "$rule"
fi
is "$(log .n | paste -sd' ')" "1 2 3 4" "in the order of their numbers"
is "$(curl -sS -d 1 "$url/1" "$url/2" >/dev/null
	tail -n 1 log.jsonl | jq .on_conn)" 2 "on_conn counts on the connection"
{
	printf 'GET /p1 HTTP/1.1\r\nHost: x\r\n\r\n'
	printf 'POST /p2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi'
	printf 'GET /p3 HTTP/1.1\r\nConnection: close\r\n\r\n'
} | curl -sS -N --max-time 10 "telnet://127.0.0.1:$ECHO_PORT" >pipelined
is "$(grep -o 'HTTP/1.1 200' pipelined | wc -l)" 3 "pipelined requests are answered"
is "$(tail -n 3 log.jsonl | jq -r .path | paste -sd' ')" "/p1 /p2 /p3" "in their order"
is "$(code / -d short -H 'Content-Length: 100' --max-time 0.5)" "000 28" \
	"a request that is not there whole gets no answer"
is "$(stats ECHO '[.begun, .requests] | join(" ")')" "10 9" \
	"an upload that broke off has begun and is no request"
printf 'NONSENSE\r\n\r\n' | curl -sS -N --max-time 10 "telnet://127.0.0.1:$ECHO_PORT" >bad
like "$(cat bad)" '^HTTP/1.1 400' "what is no request is refused"
stats ECHO . | jq -S . >stats.before
server_stop ECHO >said
like "$(cat said)" 'this is no HTTP request' "and that is said on stderr"
is "$(jq -S . stats.json)" "$(cat stats.before)" "--stats: the counters at the end"

# --- time

server_start SLOW --latency 500 --jitter 50
start=$(date +%s%3N)
curl -s --no-progress-meter -Z --parallel-immediate --parallel-max 40 -d '{"model":"m"}' \
	"$url/[1-40]" >/dev/null
took=$(($(date +%s%3N) - start))
is "$(stats SLOW '[.max_in_flight, .models.m.max_in_flight, .in_flight] | join(" ")')" \
	"40 40 0" "answers wait side by side"
ok "at least for the latency (took $took ms)" [ $took -ge 500 ]
ok "and not one after the other (took $took ms)" [ $took -lt 10000 ]

server_start LATE --latency 100000 --rule 'path=/now => sleep=0'
is "$(code /now)" "200 0" "sleep takes the place of the latency"
is "$(code / --max-time 0.5)" "000 28" "a client that gives up"
ok "is counted as given_up and no longer in flight" \
	wait_for 5 stats_are LATE '[.requests, .given_up, .in_flight] | join(" ")' "2 1 0"

# --- what a rule matches

cat >rules <<'RULES'
# a comment

path=/v/* => status=411
path=/p,method=GET => status=412
body~"x, y" => status=413
header~"X-One: Needle" => status=414
header~X-Any: => status=415
model=m1 => status=416
path=/key,key-seen<2 => status=429
path=/lim,limit=2 => status=417
path=/nth,nth=14-15 => status=418
reused,path=/re => status=419
path=/ev,every=2 => status=420
RULES
server_start RULES --rules rules --rule 'path=/key => status=201' \
	--rule 'any => status=299'
is "$(codes /v/1 /v /p '/p?q')" "411 299 412 412" "path= and method= (1-4)"
is "$(code / -d 'a x, y b')" "413 0" "body~ with a comma (5)"
is "$(code / -H 'x-one: a Needle b')" "414 0" "header~ (6)"
is "$(code / -H 'x-any: 1')" "415 0" "header~ without a text (7)"
is "$(code / -d '{ "a":[1,{}], "model" : "m1"}')" "416 0" "model= (8)"
is "$(codes /lim /lim /lim)" "417 417 299" "limit= (9-11)"
is "$(codes /nth /nth /nth /nth /nth)" "299 299 418 418 299" "nth= (12-16)"
is "$(codes /ev /ev /ev)" "299 420 299" "every= (17-19)"
is "$(key_codes -H 'Idempotency-Key: a')" "429 429 201 201" "key-seen< by key"
is "$(key_codes -H 'Idempotency-Key: b' -d x)" "429 429 201 201" "each key on its own"
is "$(key_codes -d y)" "429 429 201 201" "key-seen< by body without a key"
is "$(get /re -w '%{http_code} ' -o /dev/null "$url/re" -o /dev/null)" "299 419 " "reused"

# --- what a rule does

printf 'from a file' >file
printf 'data: 1\n\n: two\r\n\r\ndata: 3' >events
cat >rules <<'RULES'
path=/status => status=500
path=/429 => status=429 ; header="Retry-After: 7" ; header="Content-Type: a/b; c=d"
path=/body => status=203 ; body={"a":"; \n"} ; header="X-Y: z ; z"
path=/file => body-file=file
path=/b64 => body-base64=AAEC/w==
path=/204 => status=204
path=/drop => drop
path=/reset => reset
path=/close => close
path=/silent => close-silent
path=/truncate => truncate=10
path=/half-reset => truncate=10 ; reset
path=/chunked => chunked
path=/chunked-cut => chunked ; truncate=10
path=/trickle => trickle=5 ; body=abc
path=/events => events=200 ; body-file=events
path=/events-cut => events=5 ; body-file=events ; truncate=20
path=/stall => stall
path=/hang => hang
path=/endless => endless
path=/big => big-header=70000
path=/garbage => garbage=\x00\x01not http\r\n
path=/raw => garbage=HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok ; keep
path=/to => redirect=/ok
path=/307 => status=307 ; redirect=/ok
path=/exit => exit
RULES
server_start ACT --mode echo --rules rules
hi=hello-hello-hello
is "$(code /status)" "500 0" "status="
is "$(get /status | jq -r .error.type)" server_error "has an OpenAI error for a body"
get /429 -D head >/dev/null
like "$(cat head)" '^Retry-After: 7' "header="
is "$(grep -ic '^content-type' head) $(grep -c 'a/b; c=d' head)" "1 1" \
	"header= replaces the one of ours"
is "$(get /body -D head)" '{"a":"; \n"}' "body= as it stands"
like "$(cat head)" '^X-Y: z ; z' "header= in quotes may hold the separator"
is "$(get /file)" "from a file" "body-file="
is "$(get /b64 | od -An -tx1)" " 00 01 02 ff" "body-base64="
is "$(code /204)" "204 0" "a 204 has no body"
is "$(code /drop -d $hi)" "000 52" "drop: no answer"
is "$(code /reset -d $hi)" "000 56" "reset: no answer"
is "$(get /close -D - -o /dev/null -d $hi "$url/ok" -o /dev/null |
	grep -c '^Connection: close')" 1 "close: says so"
is "$(get /silent -D head -w '%{num_connects} ' -d $hi "$url/ok")" "${hi}1 ${hi}1 " \
	"close-silent: closes"
unlike "$(cat head)" '^Connection' "close-silent: does not say so"
is "$(code /truncate -d $hi) $(code /half-reset -d $hi)" "200 18 200 56" \
	"truncate: the body is not whole"
is "$(get /truncate -d $hi 2>/dev/null)" hello-hell "truncate: to that length"
is "$(get /chunked -d $hi -D head)" $hi "chunked: the whole body"
like "$(cat head)" '^Transfer-Encoding: chunked' "chunked: says so"
is "$(code /chunked-cut -d $hi)" "200 18" "chunked: may be cut"
is "$(get /trickle)" abc "trickle: the whole body"
get /events -N -D head | while read -r line || [ -n "$line" ]; do
	printf '%s %s\n' "$(date +%s%3N)" "$line"
done >timed
is "$(cut -d' ' -f2- timed | tr -d '\r')" "$(tr -d '\r' <events)" "events: the whole body"
like "$(cat head)" '^Content-Type: text/event-stream' "events: as an event stream"
first=$(head -n 1 timed | cut -d' ' -f1)
ok "events: one by one" [ $(($(tail -n 1 timed | cut -d' ' -f1) - first)) -ge 300 ]
is "$(code /events-cut)" "200 18" "events: may be cut"
is "$(code /stall -d $hi --max-time 0.5)" "200 28" "stall: begins and never ends"
is "$(get /stall -d $hi --max-time 0.5 2>/dev/null)" "hello-he" "stall: half of the body"
is "$(code /hang --max-time 0.5)" "000 28" "hang: never answers"
is "$(get /endless 2>/dev/null | head -c 1000000 | wc -c)" 1000000 "endless: goes on"
get /big -D head >/dev/null
is "$(awk '/^X-Big: b+\r$/ { print length($0) - 8 }' head)" 70000 \
	"big-header: a long line"
is "$(code /garbage)" "000 1" "garbage: no HTTP"
is "$(get /garbage --http0.9 | od -An -c | tr -d ' \n')" '\0001nothttp\r\n' \
	"garbage: with its escapes"
is "$(get /raw -w '%{num_connects} ' "$url/ok" -d $hi)" "ok1 ${hi}0 " \
	"garbage with keep: the connection stays"
is "$(code /to) $(get /to -L -d $hi -w '%{num_redirects}')" "302 0 1" "redirect="
is "$(get /307 -L -d $hi)" $hi "redirect= with a status"
ok "all of them gave back their place" wait_for 5 stats_are ACT .in_flight 0
is "$(code /exit)" "000 52" "exit: no answer"
ok "exit: the server has ended" server_stop ACT
is "$(code /)" "000 7" "exit: and refuses connections"

server_start OLD --rule 'reused,limit=1 => drop-before-read'
is "$(get /1 -d 1 -w '%{http_code} ' -o /dev/null "$url/2" -o /dev/null "$url/3" \
	-o /dev/null)" "200 200 200 " "drop-before-read: a client can send it again"
is "$(stats OLD '[.requests, .begun, .connections, .dropped_before_read] | join(" ")')" \
	"3 3 2 1" "drop-before-read: the dropped one is no request"

server_start LEFT --rule 'any => close-silent'
printf 'GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n' |
	curl -sS -N --max-time 10 "telnet://127.0.0.1:$LEFT_PORT" >left 2>&1
is "$(grep -o 'HTTP/1.1 200' left | wc -l) $(stats LEFT '[.requests, .begun, .connections,
	.dropped_before_read] | join(" ")')" "1 1 1 1 1" \
	"close-silent: what is on its way to the connection is dropped, too"

# --- the program

status_is 0 "--help explains it" "$BUILD/tests/httpd" --help
like "$(cat out)" 'drop-before-read' "with the rules"
status_is 1 "an unknown option is refused" "$BUILD/tests/httpd" --nonsense
for rule in 'any' 'some => drop' 'any => dorp' 'nth=0 => drop' 'any => status=1000' \
	'path=/ => drop-before-read' 'header~X => drop' 'any => body-base64=?' \
	'any => body-file=no-such-file'; do
	status_is 1 "a bad rule is refused: $rule" "$BUILD/tests/httpd" --rule "$rule"
	like "$(cat err)" "rule '" "and the message shows it"
done
"$BUILD/tests/httpd" --max-seconds 1 >port 2>err
is $? 1 "--max-seconds: ends in the end"
like "$(cat err)" max-seconds "and says why"
: | "$BUILD/tests/httpd" --stdin >port
is $? 0 "--stdin: ends with its input"
"$BUILD/tests/httpd" --port "$(cat port)" >port2 &
ok "--port: is used" wait_for 5 cmp port port2
kill $!
wait $!
is $? 0 "SIGTERM ends it"

done_testing
