#!/bin/sh
# A full disk: what is finished waits in memory until there is room again, and
# what cannot be stored whole is not stored.
# shellcheck disable=SC2317 # functions are called by their names

# A small file system, in a name space of its own: nobody else sees it, and it
# goes with the processes.
if [ -z "${DISK_TEST-}" ]; then
	export DISK_TEST=none
	for how in -m -rm; do
		unshare $how mount -t tmpfs -o size=48m none "${0%/*}" 2>/dev/null &&
			DISK_TEST=ours exec unshare $how sh "$0"
	done
fi
. "${0%/*}/../cli/state.sh"
. "${0%/*}/../cli/tap.sh"

small=$PWD/small
mkdir small
trap 'umount "$small"; tap_cleanup' EXIT
if [ "$DISK_TEST" = none ] || ! mount -t tmpfs -o size=48m none "$small"; then
	trap tap_cleanup EXIT
	skip "no small file system can be mounted here" "a full disk"
	done_testing
fi

# fill [MIB]: nothing more fits on the disk, or so much less; room: it does again.
fill() { dd if=/dev/zero of="$small/ballast" bs=1k count="$((${1:-100} * 1024))" 2>/dev/null; }
room() { rm -f "$small/ballast"; }
says() { grep -q "$2" "$1"; }

# --- while requests are sent

FSL_DB=$small/fsl.db
requests 100 >in.jsonl
server_start API --body-size 20000 --latency 50 --log api.log
fsl-run -j 4 -i in.jsonl -o out.jsonl --base-url "$API_URL" 2>said &
pid=$!
eventually stats_are API '.answered >= 10' true
fill
ok "the disk is full: the run says so" eventually says said 'the disk is full; [0-9]* results* waits* in memory'
ok "what it has started is sent, then nothing" eventually stats_are API .in_flight 0
answered=$(stats API .answered)
stored=$(sql 'SELECT count(*) FROM answers')
diag "answered: $answered, stored: $stored"
ok "it has more than it could store" test "$answered" -gt "$stored"
ok "and not all" test "$answered" -lt 100
ok "it lives" kill -0 $pid
sound_after_kill "the disk is full"
room
wait $pid
is "$? $(ids out.jsonl | cksum)" "0 $(ids in.jsonl | cksum)" "there is room again: it completes"
like "$(cat said)" 'the state file can be written again' "and says so"
is "$(sent api.log | sort -V | cksum)" "$(ids in.jsonl | cksum)" "nothing was sent twice"
sound "room again"
rm -r "${small:?}"/*

# --- killed while it is full

: >api.log
fsl-run -j 4 -i in.jsonl -o out.jsonl --base-url "$API_URL" 2>said &
pid=$!
eventually stats_are API '.answered >= 110' true
fill
eventually says said 'the disk is full'
kill -KILL $pid
wait $pid 2>/dev/null
sound_after_kill "killed while the disk was full"
flights=$(sql 'SELECT count(*) FROM flights')
fill # what reading the file gave back
status_is 74 "a full disk from the start: 74" fsl-run -j 4 -i in.jsonl -o out.jsonl --base-url "$API_URL"
like "$(cat err)" 'the disk is full' "and why"
room
status_is 0 "there is room again: the same command completes" fsl-run -j 4 -i in.jsonl -o out.jsonl \
	--base-url "$API_URL"
is "$(ids out.jsonl | cksum)" "$(ids in.jsonl | cksum)" "with every request"
sends=$(wc -l <api.log)
ok "what waited in memory is sent once more, and nothing else" test $((sends - 100)) -le "$flights"
sound "after a kill"
rm -r "${small:?}"/*

# --- stopped while it is full

: >api.log
fsl-run -j 4 -i in.jsonl -o out.jsonl --base-url "$API_URL" 2>said &
pid=$!
eventually stats_are API '.answered >= '$(($(stats API .answered) + 10)) true
fill
eventually says said 'the disk is full'
kill -TERM $pid
ok "a signal while the disk is full is heard" eventually says said 'stopping: what cannot be stored'
ok "the run waits for room" kill -0 $pid
began=$(date +%s)
kill -TERM $pid
wait $pid
is $? 74 "the second one ends it: 74"
ok "at once" test $(($(date +%s) - began)) -lt 10
sound_after_kill "stopped while the disk was full"
room
status_is 0 "there is room again: the same command completes" fsl-run -j 4 -i in.jsonl -o out.jsonl \
	--base-url "$API_URL"
is "$(ids out.jsonl | cksum)" "$(ids in.jsonl | cksum)" "with every request"
rm -r "${small:?}"/*

# --- what cannot be stored whole

requests 200000 >big.jsonl
fill 44
status_is 74 "fsl-file import of more than there is room for: 74" fsl-file import big.jsonl
like "$(cat err)" 'the disk is full' "and why"
is "$(fsl-file list)" "" "nothing is stored"
sound_after_kill "an import without room"
room
file=$(fsl-file import in.jsonl)
like "$file" '^file-' "what fits can be stored when there is room again"
fill
status_is 74 "fsl-file import on a full disk: 74" fsl-file import --name more big.jsonl
status_is 74 "fsl-batch create on a full disk: 74" fsl-batch create --base-url "$API_URL" "$file"
status_is 74 "fsl-run -i on a full disk: 74" fsl-run -i in.jsonl -o out2.jsonl --base-url "$API_URL"
ok "no output is made" not test -e out2.jsonl
room
status_is 0 "there is room again: what was stored before is still there" fsl-file export "$file"
ok "as it was" cmp in.jsonl out
status_is 0 "the batch is made" fsl-batch create --base-url "$API_URL" "$file"
is "$(sql 'SELECT count(*) FROM files') $(sql 'SELECT count(*) FROM batches')" "1 1" \
	"nothing else was left behind"
is "$(sql 'SELECT count(*) FROM lines')" 100 "no line either"
sound "imports"

# --- no room for the output

FSL_DB=$PWD/fsl.db
rm -r "${small:?}"/*
echo before >"$small/out.jsonl"
fill
status_is 74 "no room for the output: 74" fsl-run -i in.jsonl -o "$small/out.jsonl" --base-url "$API_URL"
like "$(cat err)" "$small/out.jsonl.*No space left" "and why"
is "$(cat "$small/out.jsonl")" before "the older one stays"
is "$(ls -A "$small")" "$(printf 'ballast\nout.jsonl')" "nothing half is left"
room
calls=$(stats API .requests)
status_is 0 "there is room again: the same command writes it" fsl-run -i in.jsonl -o "$small/out.jsonl" \
	--base-url "$API_URL"
is "$(ids "$small/out.jsonl" | cksum)" "$(ids in.jsonl | cksum)" "whole"
is "$(stats API .requests)" "$calls" "and sends nothing"
sound "outputs"

done_testing
