#!/bin/sh
# Cancel, completion windows, retry and kill -9 at any moment: whatever comes
# first, every request ends once and has one line, of output or of errors.
#
# FSL_ROUNDS rounds (25, about 15 s) of the seed FSL_SEED (the time of day).
# shellcheck disable=SC2317 # functions are called by their names
rounds=${FSL_ROUNDS:-25} seed=${FSL_SEED:-$(date +%s)}
. "${0%/*}/../cli/state.sh"
. "${0%/*}/../cli/tap.sh"

diag "FSL_ROUNDS=$rounds FSL_SEED=$seed"
awk -v seed="$seed" 'BEGIN { srand(seed); for (;;) print int(rand() * 1000000) }' 2>/dev/null |
	head -n $((rounds * 60)) >chance
exec 7<chance
# below N: sets pick to a number from 0 to N - 1, by chance.
below() {
	read -r pick <&7
	pick=$((pick % $1))
}

lines=60
requests $lines >in.jsonl
ids in.jsonl | sort >all.ids
server_start API --mode echo --latency 5 --jitter 20 --rule 'every=13 => sleep=200' \
	--rule 'every=7 => status=500' --rule 'every=17 => status=400' --rule 'every=11 => drop' \
	--rule 'every=19 => status=429' --rule 'every=41 => hang'
export FSL_BASE_URL="$API_URL"
now() { date +%s%3N; }

# work: a worker, of which nothing is left after a while.
work() {
	below 800
	[ $((pick % 2)) -eq 0 ] && life=$((pick + 40)) || life=1500
	kills=$((kills + 1))
	timeout --foreground -s KILL "$(printf '%d.%03d' $((life / 1000)) $((life % 1000)))" \
		fsl-run -j 8 --grace 100ms --timeout 500ms "$id" >/dev/null 2>&1 &
	eval "worker$workers=$!"
	workers=$((workers + 1))
}
# tried N: so many attempts have ended, or nothing has for some time.
tried() {
	tries=$(sql "SELECT attempts FROM batches WHERE id = $row")
	[ "$tries" = "$last" ] || { last=$tries since=$(now); }
	[ "$tries" -ge "$1" ] || [ $(($(now) - since)) -gt 300 ]
}
# act: somebody changes the batch.
act() {
	below 10
	case $pick in
	0 | 1) set -- cancel ;;
	2) set -- cancel --now ;;
	3 | 4) below $lines; set -- cancel --custom-id "r$((pick + 1))" --custom-id r1 ;;
	5) below $lines; set -- cancel --now --custom-id "r$((pick + 1))" --custom-id r60 ;;
	6 | 7) set -- retry ;;
	8) set -- retry --http 5xx --completion-window 300ms ;;
	9) set -- delete ;; # refused, but a window that has passed is seen
	esac
	did="$did; $*"
	fsl-batch "$@" "$id" >/dev/null 2>&1
	case $? in
	0 | 6) ;;
	*) wrong="$wrong; $* failed" ;;
	esac
}

kills=0 bad=0 expired=0 cancelled=0 completed=0 waited=0
for round in $(seq "$rounds"); do
	workers=0 did="" wrong="" last="" since=$(now)
	below 700
	window=
	[ $((pick % 3)) -eq 0 ] && window="--completion-window ${pick}ms"
	[ $((round % 10)) -eq 1 ] && window="--completion-window 50ms" # some surely expire
	# shellcheck disable=SC2086 # words
	id=$(fsl-batch create --retries 2 --retry-delay 10ms $window in.jsonl)
	row=$(sql 'SELECT max(id) FROM batches')
	did=$window
	before=$(stats API .requests)
	work
	below 3
	[ "$pick" -gt 0 ] || work
	below 4
	[ $((round % 10)) -eq 1 ] && pick=0
	for _ in $(seq "$pick"); do
		below $lines
		wait_for 5 tried "$pick" || wrong="$wrong; nothing moves"
		act
	done
	while [ $workers -gt 0 ]; do
		workers=$((workers - 1))
		eval "wait \$worker$workers"
	done
	below 2
	if [ "$pick" -eq 0 ] && fsl-batch show "$id" >/dev/null 2>&1; then
		waited=$((waited + 1))
		timeout --foreground 20 fsl-run --grace 100ms --timeout 500ms "$id" >/dev/null 2>&1
		[ $? -ne 124 ] || wrong="$wrong; the last worker does not end"
	elif fsl-batch show "$id" >/dev/null 2>&1; then
		fsl-batch cancel "$id" >/dev/null || wrong="$wrong; the last cancel failed"
	else
		continue # nothing was completed yet when it was deleted
	fi
	status=$(fsl-batch show "$id" | jq -r .status)
	case $status in
	expired) expired=$((expired + 1)) ;;
	cancelled) cancelled=$((cancelled + 1)) ;;
	completed) completed=$((completed + 1)) ;;
	*) wrong="$wrong; the batch is $status" ;;
	esac
	fsl-batch results --all "$id" >all
	ids all | sort | cmp -s - all.ids || wrong="$wrong; $(wc -l <all) lines"
	sends=$(($(stats API .requests) - before))
	recorded=$(sql "SELECT count(*) FROM attempts WHERE request >> 32 = $row")
	unknown=$(sql "SELECT count(*) FROM attempts WHERE request >> 32 = $row
		AND code = 'interrupted'")
	[ "$sends" -le "$recorded" ] && [ "$recorded" -le $((sends + unknown)) ] ||
		wrong="$wrong; $sends sent, $recorded recorded, $unknown of them interrupted"
	said=$(sound_wrong)
	wrong="$wrong${said:+; $said}"
	[ -z "$wrong" ] && continue
	bad=$((bad + 1))
	diag "round $round ($did)$wrong"
done
diag "$kills workers; batches: $completed completed, $cancelled cancelled, $expired expired"
diag "ended by a worker: $waited"
is $bad 0 "after each of $rounds rounds the batch has ended, every request has its line, what was \
sent is recorded, and the state file is sound"
ok "some expired" test $expired -gt 0
is "$(sql "SELECT count(*) FROM requests r JOIN batches b ON b.id = r.id >> 32
	WHERE counted > 3")" 0 "no request has more counted attempts than it may"
is "$(sql 'SELECT (SELECT count(*) FROM flights) + (SELECT count(*) FROM recalls) +
	(SELECT count(*) FROM races)')" 0 "nothing is in flight, nothing recalled"

done_testing
