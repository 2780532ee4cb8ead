#!/bin/sh
# shellcheck disable=SC2317 # functions are called by their names
# fsl-run -n: what would be sent and what it may cost; nothing is.
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

server_start API --mode openai
export FSL_BASE_URL="$API_URL"
{
	for n in 1 2 3; do
		printf '{"custom_id":"r%d","url":"/v1/x","body":{"model":"gpt-4o","max_tokens":100}}\n' $n
	done
	printf '{"custom_id":"e1","url":"/v1/embeddings","body":{"model":"embed-1","input":"hi"}}\n'
} >in.jsonl
printf '{"gpt-4o":{"input":2.5,"output":10},"embed":{"input":0.02,"output":0}}' >prices.json

status_is 0 "-n of a file" fsl-run -n --prices prices.json --key env:MY_KEY -i in.jsonl -o out.jsonl
like "$(cat out)" "^# 3 requests to $API_URL, model gpt-4o, key env:MY_KEY\$" "per base URL, key and model"
like "$(cat out)" '^# key env:MY_KEY: the variable is not set$' "whether the key is there"
like "$(cat out)" '^# about 26 input tokens, at most 300 output tokens; at most about 0.0031 USD$' \
	"tokens and the most that it may cost"
like "$(cat out)" '^# in all 4 requests, about 34 input tokens; at most about 0.0032 USD$' "in all"
like "$(cat out)" '"[$]MY_KEY"' "the key is a variable"
is "$(ls)" "$(printf '%s\n' err home in.jsonl out prices.json)" "nothing is made"
is "$(stats API .requests)" 0 "nothing is sent"
fsl-run -n -i in.jsonl >preview.sh
is "$(sh preview.sh | jq -r .model)" "gpt-4o
embed-1" "what it prints is a script that sends the first of each"
is "$(fsl-run -n --json -i - <in.jsonl | jq -c '[.model, .requests, .max_output_tokens, .custom_id]')" \
	'["gpt-4o",3,300,"r1"]
["embed-1",1,null,"e1"]' "from standard input, as JSON"
printf '{"custom_id":"a"}\n' >bad.jsonl
status_is 65 "a bad file" fsl-run -n -i bad.jsonl
like "$(cat err)" '^fsl-run: bad.jsonl:1:1: missing_required_parameter' "is told like one that is sent"
status_is 73 "an output that cannot be made" fsl-run -n -i in.jsonl -o /nosuch/out.jsonl
status_is 78 "bad prices" fsl-run -n -i in.jsonl --prices bad.jsonl

# --- after some were sent

fsl-run -i in.jsonl -o out.jsonl --max-requests 1 2>/dev/null
status_is 0 "-n of the same command" fsl-run -n -i in.jsonl -o out.jsonl
like "$(cat out)" '^# goes on with batch_[0-9a-f]{32}: 1 of 4 done$' "goes on"
like "$(cat out)" '^# 2 requests to ' "with the rest"
status_is 0 "-n of all that is open" fsl-run -n
like "$(cat out)" '^# in all 3 requests, ' "the same"
status_is 0 "-n of a batch" fsl-run -n --json @last
is "$(jq -s 'map(.requests) | add' out)" 3 "the same"
FSL_USER=other fsl-run -n >out
is "$(cat out)" "# nothing would be sent" "batches of another user are left out"
status_is 5 "a batch that is not there" fsl-run -n nosuch
sound_after_kill "nothing has changed"
done_testing
