#!/bin/sh
# backup: a copy of the state file while it is worked on.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

server_start API --mode echo --latency 20 --log api.log
run() { fsl-run --base-url "$API_URL" "$@"; }
# of FILE COMMAND...: with that state file.
of() {
	of_db=$1
	shift
	FSL_DB=$PWD/$of_db "$@"
}

# --- nobody works on it

requests 30 >in.jsonl
run -i in.jsonl -o out.jsonl
status_is 0 "a backup" fsl-batch backup copy.db
is "$(cat out err)" "" "says nothing"
is "$(stat -c %a copy.db)" 600 "it is the user's alone"
is "$(find . -name '.fsl-backup*' -o -name 'copy.db-*')" "" "and nothing is beside it"
is "$(of copy.db fsl-batch list)" "$(fsl-batch list)" "it lists the same batches"
is "$(of copy.db fsl-batch results @last)" "$(cat out.jsonl)" "and has the results"
of copy.db sound "the copy"
status_is 0 "it can be sent from" of copy.db run -i in.jsonl -o again.jsonl
like "$(cat err)" 'had ended' "and knows what was done"
rm copy.db*

# --- what is refused

echo mine >there
status_is 73 "a file that is there" fsl-batch backup there
like "$(cat err)" "^fsl-batch: 'there' exists: a backup replaces nothing" "is not replaced"
is "$(cat there)" mine "and stays as it is"
ln -s nowhere dangling
status_is 73 "a link" fsl-batch backup dangling
status_is 73 "the state file itself" fsl-batch backup fsl.db
status_is 73 "a directory that is not there" fsl-batch backup no/copy
status_is 73 "standard output" fsl-batch backup -
: >left-wal
status_is 73 "a log that somebody left" fsl-batch backup left
like "$(cat err)" "'left-wal' exists" "which would be taken for the copy's"
status_is 64 "no name" fsl-batch backup
status_is 5 "no state file" fsl-batch backup -D "$PWD/none.db" copy.db
status_is 73 "-n checks" fsl-batch backup -n there
status_is 0 "-n" fsl-batch backup -n copy.db
like "$(cat err)" 'would copy .*fsl\.db to copy\.db$' "says what it would do"
ok "and does nothing" test ! -e copy.db

# --- while requests are sent

requests 4000 100 >many.jsonl
run -q -j 32 -i many.jsonl -o many.out &
pid=$!
eventually stats_are API '.answered >= 200' true
n=0
while [ $n -lt 8 ] && kill -0 $pid 2>/dev/null; do
	n=$((n + 1))
	fsl-batch backup "copy.$n" || break
done
wait $pid
is "$? $(ids many.out | cksum)" "0 $(ids many.jsonl | cksum)" "a run goes on beside backups"
is "$(stats API .requests)" 4030 "and sends each request once"
diag "$n backups"
ok "they are made" test -s copy.2
grown=0 wrong='' last=0
for i in 1 2 3 4 5 6 7 8; do
	[ -e copy.$i ] || continue
	FSL_DB=$PWD/copy.$i
	said=$(sound_wrong)
	[ -z "$said" ] || wrong="$wrong copy.$i: $said"
	done=$(sql 'SELECT sum(completed) FROM batches')
	[ "$done" -ge "$last" ] && [ "$done" -gt 30 ] && [ "$done" -lt 4030 ] && grown=$((grown + 1))
	last=$done
done
is "$wrong" "" "each is sound"
ok "each is of a moment" test $grown -ge 1

# What was in flight in the copy is sent once more, and nothing else.
FSL_DB=$PWD/copy.1
left=$(sql 'SELECT sum(pending + processing) FROM batches')
flights=$(sql 'SELECT count(*) FROM flights')
before=$(stats API .requests)
status_is 0 "a copy goes on where it was made" run -j 64 -i many.jsonl -o copy.out
is "$(ids copy.out | cksum)" "$(ids many.jsonl | cksum)" "to its end"
is "$(stats API .requests)" $((before + left)) "with what was left then"
is "$(sql "SELECT count(*) FROM attempts WHERE code = 'interrupted'")" "$flights" \
	"what was in flight is told as interrupted"
sound "the copy, when it has ended"

# --- stopped

FSL_DB=$PWD/fsl.db
sqlite3 fsl.db 'CREATE TABLE big (b); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
	WHERE i < 1500) INSERT INTO big SELECT randomblob(20000) FROM n'
stopped=0
for ms in 01 02 03 05 08; do
	timeout --preserve-status -s INT 0.0$ms fsl-batch backup stop.$ms 2>/dev/null
	status=$?
	[ $status -eq 0 ] && rm -f stop.$ms && continue
	[ $status -eq 130 ] && [ ! -e stop.$ms ] && stopped=$((stopped + 1))
done
ok "SIGINT stops it with 130" test $stopped -ge 1
is "$(find . -name '.fsl-backup*')" "" "and nothing is left"
sqlite3 fsl.db 'DROP TABLE big'
done_testing
