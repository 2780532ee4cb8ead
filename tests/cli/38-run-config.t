#!/bin/sh
# fsl-run: --limit of the config file holds, also when the file changes while it
# runs.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

config=$XDG_CONFIG_HOME/fsl/config
mkdir -p "$XDG_CONFIG_HOME/fsl"
requests 5000 >in.jsonl
server_start API --mode echo --latency 50
in_flight() { [ "$(stats API .in_flight)" -eq "$1" ]; }
warnings() { [ "$(grep -c warning "$1")" -eq "$2" ]; }

echo 'limit *:jobs=1' >"$config"
fsl-run -j 16 -i in.jsonl -o out.jsonl --base-url "$API_URL" 2>said &
pid=$!
eventually in_flight 1
is "$(stats API .max_in_flight)" 1 "a limit of the config file holds"
at=$(date +%s%3N)
printf '[fsl-run]\nlimit = *:jobs=5\n' >"$config"
ok "another one holds when the file has changed" eventually in_flight 5
took=$(($(date +%s%3N) - at))
diag "after $took ms"
ok "within seconds" [ $took -lt 5000 ]
is "$(stats API .max_in_flight)" 5 "exactly"

printf '[fsl-run]\nlimit *:jobs=7\nnonsense\n' >"$config"
ok "a broken file: a warning" eventually warnings said 1
like "$(cat said)" "$config:3: unknown option 'nonsense'" "with file and line"
printf '[fsl-run]\nlimit *:jobs=many\n' >"$config"
ok "a bad limit: another" eventually warnings said 2
like "$(cat said)" "'many' is not a number" "which says what is wrong"
rm "$config"
ok "a file that is gone: another" eventually warnings said 3
is "$(stats API .max_in_flight)" 5 "the limit stays as it was"
echo 'limit *:jobs=2' >"$config.new"
mv "$config.new" "$config"
ok "a file in its place counts again" eventually in_flight 2
rm "$config"
kill -TERM $pid
wait $pid
is $? 143 "it ends"

curl -sS "$API_URL/__reset" >/dev/null
echo 'limit *:jobs=1' >"$config"
fsl-run --new -j 16 --limit '*:jobs=3' -i in.jsonl -o out.jsonl --base-url "$API_URL" 2>said &
pid=$!
eventually in_flight 3
at=$(stats API .requests)
echo 'limit *:jobs=9' >"$config"
more() { [ "$(stats API .requests)" -gt $((at + 90)) ]; }
eventually more
is "$(stats API .max_in_flight)" 3 "the command line is stronger, whatever the file says"
kill -TERM $pid
wait $pid

# --- a value that is wrong says where it came from

printf 'limit m:jobs=0\n' >"$config"
status_is 78 "a bad limit from the start" fsl-run -i in.jsonl -o out.jsonl --base-url "$API_URL"
like "$(cat err)" "$config: --limit: m:jobs=0: '0' is not a number" "the file is named"
rm "$config"
status_is 64 "a bad base URL in the environment" env FSL_BASE_URL=localhost:8000 fsl-run -n -i in.jsonl
like "$(cat err)" 'FSL_BASE_URL: --base-url must start with http:// or https://' "the variable is named"
status_is 64 "and on the command line" fsl-run -n -i in.jsonl --base-url localhost:8000
like "$(cat err)" '^fsl-run: --base-url must start with http://' "nothing else is"

done_testing
