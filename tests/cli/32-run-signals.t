#!/bin/sh
# fsl-run and signals: the first lets what flies finish and starts nothing, the
# second aborts; nothing is lost, and the same command goes on.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

requests 30 >in.jsonl

# begin SERVER ARGUMENT...: fsl-run in the background, with a state file and
# outputs of its own; what it prints is in SERVER.said.  A shell starts what is
# in the background with SIGINT ignored, hence env.
begin() {
	name=$1
	FSL_DB=$PWD/$name.db
	shift
	eval "server=\$${name}_URL"
	# shellcheck disable=SC2154 # from eval
	env --default-signal "$BUILD/fsl-run" -j 5 -i in.jsonl -o "$name.out" -e "$name.err" \
		--base-url "$server" "$@" 2>"$name.said" &
	pid=$!
}
# goes_on SERVER TOTAL: the same command completes; the server got TOTAL in all.
goes_on() {
	status_is 0 "$1: the same command goes on" fsl-run -j 5 -i in.jsonl -o "$1.out" -e "$1.err" \
		--base-url "$server" --grace 200ms
	is "$(ids "$1.out")" "$(ids in.jsonl)" "$1: every request has its line"
	is "$(stats "$1" .requests)" "$2" "$1: the server got $2 requests in all"
	is "$(find . -name "$1.*.part")" "" "$1: what was written meanwhile is removed"
	sound "$1"
}
counts() { sql 'SELECT completed, failed, pending, processing FROM batches'; }
says() { grep -q "$2" "$1"; }

# --- one signal: five are in flight and finish

for signal in TERM INT HUP; do
	case $signal in
	TERM) status=143 ;;
	INT) status=130 ;;
	HUP) status=129 ;;
	esac
	server_start $signal --mode echo --rule 'nth=1-5 => sleep=500'
	begin $signal
	eventually stats_are $signal .in_flight 5
	kill -$signal $pid
	ok "SIG$signal: it says at once what it waits for" eventually says $signal.said \
		'5 in flight may finish'
	is "$(stats $signal .in_flight)" 5 "SIG$signal: while they are in flight"
	wait $pid
	is $? "$status" "SIG$signal: exit $status"
	is "$(stats $signal '[.requests, .answered, .given_up] | join(" ")')" "5 5 0" \
		"SIG$signal: what was in flight finished, nothing more was sent"
	is "$(counts)" "5|0|25|0" "SIG$signal: the rest is pending"
	like "$(cat $signal.said)" '5 completed, 0 failed, 25 left' "SIG$signal: the summary tells"
	is "$(sql 'SELECT count(*) FROM attempts')" 5 "SIG$signal: what was not sent is no attempt"
	ok "SIG$signal: the output is not there" not test -e $signal.out
	is "$(ids $signal.out.part | sort -V | paste -sd' ')" "r1 r2 r3 r4 r5" \
		"SIG$signal: FILE.part has what is finished"
	ok "SIG$signal: so has that of the errors, which has none" \
		test -e $signal.err.part -a ! -s $signal.err.part
	sound "SIG$signal"
	goes_on $signal 30
done

# --- an output that is there stays while work remains

server_start STAY --mode echo --rule 'nth=1-5 => sleep=300'
begin STAY
echo before >STAY.out
eventually stats_are STAY .in_flight 5
kill -TERM $pid
wait $pid
is "$? $(cat STAY.out)" "143 before" "an older output is untouched while work remains"
goes_on STAY 30

# --- a second signal, and --grace: those in flight are aborted

server_start TWICE --mode echo --rule 'any,limit=5 => hang'
begin TWICE
eventually stats_are TWICE .in_flight 5
kill -INT $pid
ok "SIGINT twice: it waits after the first" eventually says TWICE.said '5 in flight may finish'
kill -INT $pid
before=$(date +%s%3N)
wait $pid
is $? 130 "SIGINT twice: exit 130"
took=$(($(date +%s%3N) - before))
diag "after $took ms"
ok "SIGINT twice: at once" test $took -lt 3000
is "$(counts)" "0|0|30|0" "SIGINT twice: all is pending"
is "$(sql 'SELECT code, count(*) FROM attempts GROUP BY 1')" "interrupted|5" \
	"SIGINT twice: the attempts are recorded as interrupted"
is "$(sql 'SELECT sum(counted) FROM requests')" 0 "SIGINT twice: they count against no limit"
sound "SIGINT twice"
goes_on TWICE 35

server_start GRACE --mode echo --rule 'nth=2-5 => hang'
begin GRACE --grace 200ms
eventually stats_are GRACE .in_flight 4
completed() { [ "$(sql 'SELECT completed FROM batches')" -ge "$1" ]; }
eventually completed 1
kill -TERM $pid
wait $pid
is $? 143 "--grace: exit 143 when it is over"
is "$(sql "SELECT count(*) FROM attempts WHERE code = 'interrupted'")" 4 \
	"--grace: what is still in flight then is aborted"
sound "--grace"
goes_on GRACE 34

# --- while it waits for a retry nothing is in flight

server_start WAIT --mode echo --rule 'any,limit=30 => status=429 ; header="Retry-After: 3000"'
begin WAIT
retrying() { [ "$(sql 'SELECT retrying FROM batches')" = "$1" ]; }
eventually retrying 30
kill -TERM $pid
before=$(date +%s%3N)
wait $pid
is $? 143 "waiting for a retry in 50 minutes: exit 143"
ok "waiting for a retry: at once" test $(($(date +%s%3N) - before)) -lt 3000
is "$(counts)" "0|0|30|0" "waiting for a retry: all is pending"
sound "waiting for a retry"

# --- a signal that was ignored at the start stays ignored (nohup)

server_start NOHUP --mode echo --latency 100
FSL_DB=$PWD/NOHUP.db
(
	trap '' HUP INT
	exec fsl-run -j 5 -i in.jsonl -o NOHUP.out --base-url "$NOHUP_URL" 2>NOHUP.said
) &
pid=$!
eventually stats_are NOHUP .in_flight 5
kill -HUP $pid
kill -INT $pid
wait $pid
is "$? $(ids NOHUP.out | wc -l) $(cat NOHUP.said)" "0 30 " "signals ignored at the start do nothing"
sound "ignored signals"

# --- stopped and continued

server_start STOP --mode echo --rule 'nth=1-5 => sleep=1000'
begin STOP
eventually stats_are STOP .in_flight 5
kill -STOP $pid # while it waits: in the midst of a commit it would hold up everybody
fsl-run -j 5 -i in.jsonl -o STOP2.out --base-url "$STOP_URL" &
other=$!
done_but() { [ "$(sql 'SELECT pending, processing FROM batches')" = "0|$1" ]; }
ok "a second worker sends the rest and leaves to a stopped one what that has in flight" \
	eventually done_but 5
kill -CONT $pid
wait $pid
is $? 0 "the stopped one goes on where it was"
wait $other
is $? 0 "and the second waits for it"
is "$(stats STOP .requests)" 30 "nothing is sent twice"
ok "both have all results" cmp STOP.out STOP2.out
sound "stopped and continued"

done_testing
