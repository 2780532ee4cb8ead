#!/bin/sh
# fletcher-plan in many processes at once: what each must see of the others.
# PLAN_RACE_ROUNDS=200 for more.
. "${0%/*}/plan.sh"
. "${0%/*}/tap.sh"

rounds=${PLAN_RACE_ROUNDS:-16}

# --- 8 parents of one child succeed at the same moment

parents="p1 p2 p3 p4 p5 p6 p7 p8"
edges=$(for p in $parents; do printf '%s>child ' "$p"; done)
: >wrong
n=0
while [ $n -lt "$rounds" ]; do
	n=$((n + 1))
	publish "round-$n" "$parents child" "$edges" >/dev/null
	pids=
	for p in $parents; do
		fletcher-plan update "round-$n" "$p=success" >/dev/null 2>>wrong 9>&- &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || echo "round $n: status $?" >>wrong
	done
done
is "$(cat wrong)" "" "each of 8 processes reports its success, $rounds times"
is "$(sql "SELECT count(*) || ' ' || sum(success = 8) || ' ' || sum(queued = 1) FROM datasets")" \
	"$rounds $rounds $rounds" "in each round all 8 are success and the child is queued"
is "$(sql "SELECT count(*) FROM events e JOIN data_products p ON p.id = e.product
	WHERE p.name = 'child' AND e.new = 1")" "$rounds" "which happened once in each"
sound "after $rounds rounds"

# --- two plans that together are a cycle

plan cycle "a b" "a>b" >ab.json
plan cycle "a b" "b>a" >ba.json
n=0 both=0
while [ $n -lt "$rounds" ]; do
	n=$((n + 1))
	fletcher-plan publish --dataset "cycle-$n" ab.json >/dev/null 2>&1 9>&- &
	first=$!
	fletcher-plan publish --dataset "cycle-$n" ba.json >/dev/null 2>&1 9>&- &
	second=$!
	wait $first
	one=$?
	wait $second
	two=$?
	[ $((one + two)) -eq 65 ] || both=$((both + 1))
done
is $both 0 "of two processes that publish a>b and b>a exactly one is refused, $rounds times"
is "$(sql "SELECT count(*) FROM dependencies d JOIN datasets s ON s.id = d.parent >> 32
	WHERE s.name LIKE 'cycle-%'")" "$rounds" "and the dependency of the other is stored"
sound "after cycles"

# --- one trigger, one run

publish once "a b!" "a>b" >/dev/null
fletcher-plan update once a=success >/dev/null
for i in 1 2 3 4 5 6 7 8; do
	fletcher-plan trigger once b >"triggered.$i" 9>&- &
	eval "pid_$i=$!"
done
for i in 1 2 3 4 5 6 7 8; do
	eval "wait \$pid_$i"
done
is "$(cat triggered.*)" "$(tabs 'b waiting queued')" "of 8 processes that trigger a product one queues it"
for i in 1 2 3 4 5 6 7 8; do
	fletcher-plan update once b=running --run-id "$i$i$i$i$i$i$i$i-0000-0000-0000-000000000000" \
		>/dev/null 2>&1 9>&- &
	eval "pid_$i=$!"
done
won=0
for i in 1 2 3 4 5 6 7 8; do
	eval "wait \$pid_$i" && won=$((won + 1))
done
is $won 1 "of 8 runs of it that are reported one is accepted"
sound "after triggers"

done_testing
