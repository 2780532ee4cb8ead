#!/bin/sh
# What a run leaves alone, and what it survives, as a server sees it that counts:
# servers that are down, wrong keys, empty purses, batches that only fail, a
# locked state file, stopped and killed workers, clocks that are set; and a run
# that waits for work.  tests/fault/limits.t does it at length.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/served.sh"
. "${0%/*}/tap.sh"

# fresh NAME: from now on another state file, and the log NAME.log.
fresh() {
	FSL_DB=$PWD/$1.db
	log=$1.log
}
# server NAME ARGUMENT...: with the log of this state file.
server() { server_start "$@" --log "$log"; }
# batch LINES ARGUMENT...: a batch of the lines in a file, at the server of $url.
batch() {
	batch_lines=$1
	shift
	fsl-batch create -q --base-url "$url" "$@" "$batch_lines" >/dev/null
}
# send NAME ARGUMENT...: one shot, of NAME.jsonl; NAME.sum is its summary.
send() {
	name=$1
	shift
	fsl-run --json -i "$name.jsonl" -o "$name.out" --base-url "$url" "$@" >"$name.sum" 2>"$name.said"
}
sum() { jq -rc "$2" "$1.sum"; }
# ended NAME: reason, exit status, completed, failed, remaining.
ended() { sum "$1" '[.reason, .exit, .completed, .failed, .remaining] | join(" ")'; }
count() { sql "SELECT count(*) FROM requests WHERE $1"; }
in_range() { [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; }
lives() { [ "$(fsl-run --workers --plain | wc -l)" -eq "$1" ]; }
says() { grep -q "$2" "$1"; }

# --- a server that is down, without any care

fresh storm
server STORM --latency 5 --rule 'any => status=503'
requests 60 >storm.jsonl
send storm -j 16 --no-hold --no-guard --retries 2 --retry-delay 200ms --retry-factor 1
is "$? $(ended storm)" "1 drained 1 0 60 0" "--no-hold --no-guard, only 503: all fail, exit 1"
is "$(stats STORM .requests) $(sent storm.log | sort | uniq -c | awk '{ print $1 }' | sort -u)" \
	"180 3" "--retries 2: three sends of each, not one more"
arrivals storm.log >times
early=$(awk 'NR == 1 { first = $1 } $1 < first + 80000 { n++ } END { print n }' times)
spread=$(sql 'SELECT count(DISTINCT (next_ms - started_ms - took_ms) / 20) FROM attempts WHERE next_ms > 0')
diag "in the first 80 ms: $early of 180; delays of $spread different fifths of 100 ms"
ok "what is tried again is spread by chance, from 0 to --retry-delay" [ "$spread" -ge 8 ]
ok "and does not come in one burst" [ "$early" -le 150 ]
sound "only 503"

# --- with it

fresh down
server DOWN --latency 5 --rule 'any => status=503'
models 90 "a b" >down.jsonl
send down -j 8 --give-up-after 3s
is "$? $(ended down)" "4 host_down 4 0 0 90" "only 503: nothing fails, exit 4, host_down"
sends=$(stats DOWN .requests)
held=$(first_arrival down.log) # and 50 answers and the rest take some milliseconds
probes=$(between down.log "" $((held + 700000)) 9e18)
diag "$sends sends, $probes of them to try whether it is back; $(sum down .seconds) s"
ok "50 answers in a row, and what was in flight" in_range $((sends - probes)) 50 58
ok "then one tries it after a second, and after two more" in_range "$probes" 1 2
ok "until --give-up-after is over" in_range "$(sum down '.seconds * 1000 | floor')" 3000 5000
like "$(cat down.said)" "warning: $url does not answer well \(scripted 503\): it is held" "which is said at once"
is "$(count 'counted > 1') $(sql 'SELECT max(counted) FROM requests')" "0 1" "what fails meanwhile loses no attempt"
sound "host_down"

fresh back
server BACK --latency 5 --rule 'any,limit=58 => status=503'
models 90 "a b" >back.jsonl
send back -j 8
is "$? $(ended back)" "0 drained 0 90 0 0" "it comes back in time: all are completed, exit 0"
is "$(stats BACK .requests) $(sum back '.retries["503"]')" "148 58" "and only what failed was sent again"
sound "back again"

# --- nobody listens

fresh refused
server REFUSED
server_stop REFUSED
models 60 "a b" >refused.jsonl
fsl-run --json -j 8 -i refused.jsonl -o refused.out --base-url "$url" >refused.sum 2>refused.said &
pid=$!
ok "connection refused 20 times: the server is held" eventually says refused.said 'it is held'
like "$(cat refused.said)" 'Failed to connect.*(refused|connect to server)' "and why"
is "$(sql 'SELECT pending, failed FROM batches')" "60|0" "all are pending"
server_start REFUSED --port "$REFUSED_PORT" --latency 5 --log refused.log
wait $pid
is "$? $(ended refused)" "0 drained 0 60 0 0" "somebody listens again: all are completed"
tries=$(sql 'SELECT count(*) FROM attempts')
ok "20 attempts and what was in flight were made without" in_range "$tries" 81 90
is "$(stats REFUSED .requests)" 60 "each was sent once"
sound "connection refused"

# --- a name that does not resolve

fresh names
server NAMES --latency 5
{
	models 40 a | sed 's|"/v1|"http://name.invalid/v1|'
	models 60 b 41
} >names.jsonl
send names -j 8 --give-up-after 1s
is "$? $(ended names)" "4 host_down 4 60 0 40" "a name that does not resolve: those that go elsewhere are completed"
like "$(cat names.said)" 'warning: http://name.invalid does not answer well \(.*resolve' "only its server is held"
is "$(sql "SELECT count(*) FROM attempts WHERE code <> 'dns_error'")" 0 "by its code"
sound "name.invalid"

# --- a key that is not taken

# keys NAME ANSWER: one batch with a wrong key, of which the server takes none,
# and one with another key.
keys() {
	fresh "$1"
	server KEYS --latency 30 --rule "header~\"Authorization: Bearer bad\" => $2"
	models 60 m >keys.jsonl
	models 60 m 100 >others.jsonl
	batch keys.jsonl --name bad --key file:bad
	batch others.jsonl --name good --key file:good
	fsl-run --json -j 8 >keys.sum 2>keys.said
	keys_status=$?
}
(umask 077; echo bad-key >bad; echo good-key >good)
keys unauthorized 'status=401'
is "$keys_status $(ended keys)" "4 unauthorized 4 60 0 60" "401 with a key: exit 4, unauthorized"
is "$(sql 'SELECT name, pending, completed, failed FROM batches ORDER BY id' | paste -sd' ')" \
	"bad|60|0|0 good|0|60|0" "nothing of the batch fails, another key goes on"
flying=$(jq -r 'select(.auth == "Bearer bad-key") | .n' unauthorized.log | wc -l)
ok "only what was in flight was sent ($flying)" in_range "$flying" 1 8
is "$(count 'counted > 0 AND state = 0')" 0 "and is no attempt"
like "$(cat keys.said)" 'warning: m at http://127.* is left alone \(unauthorized\): scripted 401' "it is said at once"
like "$(cat keys.said)" 'hint: .*key' "with what to do next"
unlike "$(cat keys.said keys.sum; sql 'SELECT * FROM blocks')" 'bad-key' "and not the key"
sound "401"
fsl-run --json -j 8 >keys.sum 2>keys.said
is "$? $(ended keys)" "4 unauthorized 4 0 0 60" "the next run tries it again"
is "$(($(jq -r 'select(.auth == "Bearer bad-key") | .n' unauthorized.log | wc -l) > flying))" 1 "at the server"
echo good-key >bad
fsl-run --json -j 8 >keys.sum 2>keys.said
is "$? $(ended keys)" "0 drained 0 60 0 0" "with another key in its place all are completed"

keys quota 'status=429 ; body={"error":{"message":"You exceeded your current quota",'\
'"type":"insufficient_quota","param":null,"code":"insufficient_quota"}}'
echo bad-key >bad
rm -f fsl.db
keys purse 'status=429 ; body={"error":{"message":"You exceeded your current quota",'\
'"type":"insufficient_quota","param":null,"code":"insufficient_quota"}}'
is "$keys_status $(ended keys)" "4 quota 4 60 0 60" "insufficient_quota: exit 4, quota"
flying=$(jq -r 'select(.auth == "Bearer bad-key") | .n' purse.log | wc -l)
ok "only what was in flight was sent ($flying)" in_range "$flying" 1 8
is "$(count 'counted + throttled > 0 AND state = 0')" 0 "and is no attempt"
like "$(cat keys.said)" 'is left alone \(quota\): You exceeded your current quota' "with the server's words"
like "$(cat keys.said)" 'hint: ' "and what to do next"
sound "insufficient_quota"

fresh forbidden
server FORBIDDEN --latency 20 --rule 'model=a => status=403'
models 80 "a b" >forbidden.jsonl
send forbidden -j 4 --key file:good
is "$? $(ended forbidden)" "4 refused 4 40 10 30" "403: ten in a row fail, the rest stays, another model goes on"
ok "only what was in flight was sent as well" in_range "$(stats FORBIDDEN .models.a.requests)" 10 14
sound "403"

# --- a batch that only fails

fresh guard
server GUARD --latency 10 --rule 'model=gpt-5o => status=404 ;
	body={"error":{"message":"The model gpt-5o does not exist"}}'
