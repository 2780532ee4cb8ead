#!/bin/sh
# fsl-run --metrics-file: what a run has done, for node_exporter: written beside
# and renamed about once a second, and at the end; it never stops a run.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

# value NAME [LABELS]: of a sample in run.prom.
value() { awk -v key="$1{run=\"run\"${2:+,$2}}" '$1 == key { print $2 }' run.prom; }
value_is() { [ "$(value "$1")" = "$2" ]; } # for eventually
# format FILE: what is not in the text format of Prometheus.
format() {
	awk '
		/^# HELP [a-z_]+ ./ { if (seen[$3]++) print; help = $3; next }
		/^# TYPE [a-z_]+ (counter|gauge)$/ {
			if ($3 != help || ($4 == "counter") != ($3 ~ /_total$/)) print
			name = $3
			next
		}
		{
			split($1, part, "{")
			if (part[1] != name || $0 !~ /^[a-z_]+\{run="[^"]*"(,[a-z]+="[^"]*")*\} [0-9.]+$/) print
		}' "$1"
}

server_start API --mode openai --rule 'path=/v1/busy,key-seen<1 => status=429' \
	--rule 'path=/v1/bad => status=400' --rule 'path=/v1/hang => hang'
export FSL_BASE_URL="$API_URL"
# line ID: a request; its URL is /v1/ID.
line() { printf '{"custom_id":"%s","url":"/v1/%s","body":{"model":"m","messages":[]}}\n' "$1" "$1"; }

# --- at the end

for id in a b c busy bad; do line $id; done >in.jsonl
before=$(date +%s)
status_is 3 "a run" fsl-run -i in.jsonl --retry-delay 1ms --metrics-file run.prom
is "$(format run.prom)" "" "the file is in the text format: each name has help and type, once"
is "$(value fsl_up) $(value fsl_exit_status)" "0 3" "it tells that the run has ended, and how"
is "$(value fsl_requests_completed_total) $(value fsl_requests_failed_total)" "4 1" "what became of requests"
is "$(value fsl_attempts_total) $(value fsl_retries_total 'reason="429"')" "6 1" "attempts, and why again"
is "$(value fsl_tokens_total 'kind="input"')" "$(fsl-batch usage --columns input_tokens | head -n 1)" \
	"tokens, as fsl-batch usage has them"
is "$(value fsl_in_flight) $(value fsl_pending)" "0 0" "nothing is left"
ok "when it began" [ "$(value fsl_start_timestamp_seconds | cut -d. -f1)" -ge "$before" ]
ok "and when something ended last" [ "$(value fsl_last_change_timestamp_seconds | tr -d .)" -ge \
	"$(value fsl_start_timestamp_seconds | tr -d .)" ]
is "$(stat -c %a run.prom)" 644 "the collector may read it"

# --- while it runs

for id in a hang b; do line $id; done >wait.jsonl
fsl-run -j 1 -i wait.jsonl --grace 0 --metrics-file run.prom 2>wait.said &
run=$!
ok "a second later it is written" eventually value_is fsl_in_flight 1
is "$(value fsl_up) $(value fsl_exit_status)" "1 " "the run goes on"
ok "with what has been done" eventually value_is fsl_requests_completed_total 1
ok "and what is to be done" eventually value_is fsl_pending 1
rm run.prom
ok "again and again" eventually test -s run.prom
is "$(format run.prom)" "" "in the same format"
chmod 600 run.prom
kill -TERM $run
wait $run
is "$? $(value fsl_up) $(value fsl_exit_status)" "143 0 143" "a signal is its exit status"
is "$(value fsl_pending)" 2 "and what remains is pending"
is "$(stat -c %a run.prom)" 600 "permissions that somebody has set stay"
is "$(find . -maxdepth 1 -name '.run*')" "" "no temporary file is left"
sound "metrics"

# --- it never stops a run

FSL_DB=$PWD/other.db
status_is 0 "a directory that is not there" fsl-run -i wait.jsonl --first-byte-timeout 100ms --retries 0 \
	--max-failed 1 -v --metrics-file no/such/x.prom
is "$(grep -c 'warning: .*no/such/x.prom' err)" 1 "is one warning, and no failure"
status_is 64 "standard output is refused" fsl-run -i in.jsonl --metrics-file -
mkfifo fifo
status_is 64 "so is a FIFO" fsl-run -i in.jsonl --metrics-file fifo
like "$(cat err)" "'fifo' is no regular file" "with the reason"
is "$(stats API '.requests > 0')" true "(the server was there)"

done_testing
