#!/bin/sh
# fsl-run --max-buffer: what requests and answers take of memory has one cap.
# While it is exceeded nothing is started, and answers are read on one by one;
# every request still ends.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

# lines N BYTES: lines with bodies of so many bytes and some, and one that hangs.
lines() {
	awk -v n="$1" -v bytes="$2" 'BEGIN {
		for (fill = "x"; length(fill) < bytes; fill = fill fill)
			;
		fill = substr(fill, 1, bytes)
		for (i = 1; i <= n; i++)
			printf "{\"custom_id\":\"r%d\",\"url\":\"/v1/r%d\",\"body\":{\"q\":\"%s\"}}\n", i, i, fill
		print "{\"custom_id\":\"hang\",\"url\":\"/v1/hang\",\"body\":{}}"
	}'
}
done_are() { [ "$(sql "SELECT completed FROM batches WHERE name = '$1'")" = "$2" ]; }
# completes NAME N ARGUMENT...: the batch with N lines that do not hang is sent
# with these; sets peak (KiB).
completes() {
	name=$1 n=$2
	shift 2
	fsl-batch create --name "$name" "$name.jsonl" >/dev/null
	fsl-run --grace 0 "$@" "$name" 2>/dev/null &
	runner=$!
	ok "$name: all complete" eventually done_are "$name" "$n"
	peak=$(awk '/^VmHWM/ { print $2 }' /proc/$runner/status)
	kill -TERM $runner
	wait $runner
	diag "peak: $peak KiB"
	sound "$name"
}
# A sanitizer keeps what was freed; valgrind is started by a script.
watched() {
	grep -qE '__[at]san_init' "$BUILD/fsl-run" || [ "$(head -c 2 "$BUILD/fsl-run")" = '#!' ]
}
# below KIB RULE: the last run took less.
below() {
	if watched; then
		skip "the program is watched" "$2"
	else
		ok "$2" test "$peak" -lt "$1"
	fi
}

# --- answers: 48 at once, 4 MB each

server_start LARGE --body-size 4000000 --rule 'path=/v1/hang => hang'
lines 48 1 >answers.jsonl
FSL_BASE_URL=$LARGE_URL
export FSL_BASE_URL
completes answers 48 -j 49 --max-buffer 8M
below 80000 "answers that would come to 192 MB take what --max-buffer says and some"
is "$(sql "SELECT max(tries) FROM requests WHERE state = 2")" 1 "none of them is sent twice for it"
cp answers.jsonl one.jsonl
completes one 48 -j 49 --max-buffer 64k
below 72000 "an answer that is larger than the cap comes alone"
is "$(sql "SELECT max(tries) FROM requests WHERE state = 2")" 1 "none of them is sent twice"

# --- requests: 16 of 2 MB

server_start SLOW --latency 50 --rule 'path=/v1/hang => hang'
FSL_BASE_URL=$SLOW_URL
lines 16 2000000 >requests.jsonl
completes requests 16 -j 17 --max-buffer 8M
most=$(stats SLOW .max_in_flight)
ok "requests take up to half of it, and no more are sent at once: $most" \
	test "$most" -ge 2 -a "$most" -le 4
below 60000 "memory stays below"
cp requests.jsonl huge.jsonl
completes huge 16 -j 17 --max-buffer 64k
cp requests.jsonl many.jsonl
completes many 16 -j 17
ok "by default there is room for these: $(stats SLOW .max_in_flight)" \
	test "$(stats SLOW .max_in_flight)" -ge 8

status_is 64 "a cap below 64k is refused" fsl-run --max-buffer 1k

done_testing
