#!/bin/sh
# fletcher-plan beside a model of its rules (plan-model.awk): random commands
# leave both alike.  PLAN_MODEL_SEEDS='1 2 3' and PLAN_MODEL_COMMANDS=1000 for more.
. "${0%/*}/plan.sh"
model=$(cd "${0%/*}" && pwd)/plan-model.awk
seeds=${PLAN_MODEL_SEEDS:-$(date +%j)}
. "${0%/*}/tap.sh"

tab=$(printf '\t')
# run_model: the commands of the file commands; stops at the first that differs.
run_model() {
	n=0
	while IFS=$tab read -r command products edges refused want <&6; do
		n=$((n + 1))
		case $command in
		publish*)
			plan model "$products" "$edges" >model.json
			# shellcheck disable=SC2086 # words
			fletcher-plan $command model.json >out 2>err
			;;
		*)
			# shellcheck disable=SC2086 # words
			fletcher-plan $command >out 2>err
			;;
		esac
		status=$?
		got=$(states model)
		if [ $((status != 0)) != "$refused" ] || [ "$got" != "$want" ]; then
			diag "command $n: fletcher-plan $command ($products; $edges)"
			diag "status $status: $(cat err)"
			diag "got:  $got"
			diag "want: $want"
			return 1
		fi
	done 6<commands
}

for seed in $seeds; do
	rm -f fsl.db*
	awk -v seed="$seed" -v commands="${PLAN_MODEL_COMMANDS:-150}" -f "$model" >commands
	run_model
	ok_if $? "seed $seed: $n commands leave the plan as the rules say"
	sound "after the commands of seed $seed"
	like "$(cut -f 4 commands | sort | uniq -c | tr -s ' \n' ' ')" '^ [0-9]{2,} 0 [0-9]{2,} 1 $' \
		"many were done, and some refused"
done
done_testing
