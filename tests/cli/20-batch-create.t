#!/bin/sh
# fsl-batch create: what a batch is made of, and what is refused.
. "${0%/*}/tap.sh"

lines() {
	for n in $(seq "$1"); do
		printf '{"custom_id":"r%d","url":"/v1/chat/completions","body":{"model":"m"}}\n' "$n"
	done
}
create() { fsl-batch create --base-url http://127.0.0.1:1/v1 "$@"; }
field() { fsl-batch show "$1" | jq -r "$2"; }

lines 3 >in.jsonl

# --- inputs

status_is 0 "a path is imported first" create in.jsonl
like "$(cat out)" '^batch_[0-9a-f]{32}$' "and the id is printed"
is "$(cat err)" "" "and nothing else"
b=$(cat out)
is "$(field "$b" .status)" in_progress "it is in progress"
is "$(field "$b" '.request_counts | [.total, .completed, .failed] | join(" ")')" "3 0 0" \
	"with all requests of the file"
is "$(field "$b" '.fsl.counts.pending')" 3 "all pending"
is "$(field "$b" '[.endpoint, .model] | join(" ")')" "/v1/chat/completions m" \
	"its endpoint and model are those of all lines"
is "$(field "$b" '[.completion_window, .expires_at] | tostring')" '[null,null]' \
	"no window unless asked for"
file=$(field "$b" .input_file_id)
status_is 0 "a file by its id" create "$file"
is "$(field @last .input_file_id)" "$file" "is not copied"
status_is 0 "standard input" create - <in.jsonl
is "$(field @last .input_file_id)" "$file" "the same content is the same file"
is "$(sql 'SELECT count(*) FROM files')" 1 "stored once"
mkdir -p "$PWD/dir" && lines 2 >"$PWD/dir/$file"
status_is 0 "an existing path wins" sh -c "cd dir && fsl-batch create --key none $file"
is "$(field @last .request_counts.total)" 2 "over a file id"
status_is 5 "a file that is not there" create file-00000000
status_is 5 "a name that is not there" create nosuch
like "$(cat err)" "'nosuch'" "is named"
status_is 64 "no operand" create
status_is 64 "two operands" create in.jsonl in.jsonl
: >empty.jsonl
status_is 65 "an empty file" create empty.jsonl
(lines 1; echo '{"custom_id":"r1","url":"/"}'; echo '{') >bad.jsonl
status_is 65 "bad lines" create bad.jsonl
like "$(cat err)" '^fsl-batch: .*bad\.jsonl:2:[0-9]+: duplicate_custom_id: ' \
	"are told with file, line and column"
like "$(cat err)" 'bad\.jsonl:3:[0-9]+: invalid_json_line: ' "all of them"
is "$(fsl-batch list | wc -l)" 4 "and nothing was made"

# --- the base URL and the key

is "$(fsl-batch create in.jsonl 2>err | wc -l)" 1 "no base URL"
is "$(field @last '.fsl | .base_url + " " + .key')" "https://api.openai.com env:OPENAI_API_KEY" \
	"is OpenAI's, with its key"
like "$(cat err)" 'warning: .*OPENAI_API_KEY' "a key that is not there now is a warning"
OPENAI_API_KEY=sk-canary-1234 fsl-batch create -q in.jsonl >/dev/null 2>err
is "$(cat err)" "" "one that is there is none"
OPENAI_BASE_URL=http://h:8000/v1 fsl-batch create -q in.jsonl >/dev/null
is "$(field @last '.fsl | .base_url + " " + .key')" "http://h:8000/v1 env:OPENAI_API_KEY" \
	"OPENAI_BASE_URL takes OpenAI's key"
FSL_BASE_URL=http://g:8000 OPENAI_BASE_URL=http://h:8000/v1 fsl-batch create in.jsonl >/dev/null
is "$(field @last '.fsl | .base_url + " " + .key')" "http://g:8000 none" \
	"FSL_BASE_URL is stronger and takes none"
status_is 64 "a base URL without a host" create --base-url http:///v1 in.jsonl
status_is 64 "a key itself" create --key sk-canary-1234 in.jsonl
unlike "$(cat err)" canary "is refused and not repeated"
status_is 0 "--key file" create --key file:key in.jsonl
is "$(field @last .fsl.key)" "file:$PWD/key" "is kept as an absolute path"
like "$(cat err)" 'warning: key file:' "a missing file is a warning"
status_is 0 "--key-header" create -q --key env:K --key-header 'api-key: {}' in.jsonl
like "$(fsl-batch inspect --curl @last r1)" "-H 'api-key: '\"\\\$K\"" "is where the key goes"
status_is 64 "a key header without {}" create --key env:K --key-header 'api-key: x' in.jsonl

# --- headers, metadata and the rest

status_is 0 "headers and metadata" create --header 'X-Team: blue' --header 'X-B: 2' \
	--metadata a=1 --metadata 'b=x=y' --priority 7 --retries 2 --timeout 90s in.jsonl
is "$(field @last '.metadata | tojson')" '{"a":"1","b":"x=y"}' "metadata is an object of texts"
like "$(fsl-batch inspect @last r1)" '^X-Team: blue$' "headers are sent"
is "$(sql "SELECT priority, options FROM batches ORDER BY id DESC LIMIT 1")" \
	'7|{"retries":2,"total_ms":90000}' "what was asked for is kept with the batch"
status_is 64 "a secret in a header" create --header 'Authorization: Bearer canary' in.jsonl
unlike "$(cat err)" canary "is refused and not repeated"
like "$(cat err)" 'hint: .*--key' "with the way to do it"
status_is 0 "unless it is allowed" \
	create --allow-inline-secrets --header 'Authorization: Bearer canary' in.jsonl
unlike "$(fsl-batch inspect @last r1)" canary "and then not shown"
status_is 64 "control bytes in a header" create --header "$(printf 'X: a\rb')" in.jsonl
status_is 64 "metadata without a key" create --metadata =x in.jsonl
status_is 64 "a priority out of range" create --priority 1001 in.jsonl
status_is 64 "a bad list of statuses" create --retry-http 42 in.jsonl
status_is 64 "an unknown option" create --retrys 2 in.jsonl
like "$(cat err)" '--retries' "suggests the nearest"

# --- the endpoint

status_is 0 "--endpoint that all lines have" create --endpoint /v1/chat/completions in.jsonl
status_is 65 "--endpoint that a line has not" create --endpoint /v1/embeddings in.jsonl
status_is 65 "of a stored file too" create --endpoint /v1/embeddings "$file"
like "$(cat err)" 'url_mismatch' "with the reason"
(lines 2; echo '{"custom_id":"x","url":"/v1/y","body":{"model":"n"}}') >mixed.jsonl
create mixed.jsonl >/dev/null
is "$(field @last '[.endpoint, .model] | tostring')" '[null,null]' \
	"two endpoints or models are none"
is "$(sql 'SELECT count(*) FROM queues WHERE batch = (SELECT max(id) FROM batches)')" 2 \
	"and each model has its queue"

# --- names

status_is 0 "--name" create --name night in.jsonl
b=$(cat out)
is "$(field night .id)" "$b" "finds it"
status_is 6 "a name that is taken" create --name night in.jsonl
like "$(cat err)" "$b" "by whom is said"
status_is 0 "--if-absent" create --name night --if-absent in.jsonl
is "$(cat out)" "$b" "prints the id of the one that is there"
status_is 6 "but not with another input" create --name night --if-absent mixed.jsonl
status_is 6 "nor with another base URL" \
	create --name night --if-absent --base-url http://other in.jsonl
status_is 64 "a name that looks like an id" create --name deadbeef in.jsonl
status_is 64 "--if-absent without --name" create --if-absent in.jsonl

# --- dry run, output

n=$(fsl-batch list | wc -l)
status_is 0 "-n" create -n --name other in.jsonl
is "$(cat out)" "" "prints no id"
like "$(cat err)" '3 requests to http://127.0.0.1:1/v1, key none' "says what it would do"
status_is 6 "-n sees a name that is taken" create -n --name night in.jsonl
status_is 65 "-n sees bad lines" create -n bad.jsonl
is "$(fsl-batch list | wc -l)" "$n" "and changes nothing"
status_is 0 "-n needs no state file" create -n -D "$PWD/none.db" in.jsonl
ok "and makes none" test ! -e none.db
status_is 0 "--json" create --json in.jsonl
is "$(jq -r .object out)" batch "prints the object"
is "$(sql 'PRAGMA integrity_check')" ok "the state file is sound"
is "$(sql 'PRAGMA foreign_key_check')" "" "in every reference"
is "$(sql "SELECT count(*) FROM batches b WHERE total <> (SELECT count(*) FROM requests r
	WHERE r.id >> 32 = b.id) OR pending <> (SELECT sum(pending) FROM queues q
	WHERE q.batch = b.id)")" 0 "and all counters equal the rows"
ok "no key is in the state file" not grep -aq sk-canary fsl.db fsl.db*
done_testing
