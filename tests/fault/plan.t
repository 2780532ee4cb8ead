#!/bin/sh
# kill -9 of publish and update at any moment leaves all of it or nothing.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/../cli/plan.sh"
. "${0%/*}/../cli/tap.sh"

seed=$(date +%s)
diag "seed: $seed"
awk -v seed="$seed" 'BEGIN { srand(seed); for (;;) print int(rand() * 1000) }' 2>/dev/null |
	head -n 200 >chance
exec 7<chance
# killed HIGH COMMAND...: within HIGH milliseconds, by chance, or it ends before.
killed() {
	read -r chance <&7
	moment=$(awk -v high="$1" -v chance="$chance" \
		'BEGIN { printf "%.4f", 0.001 + high * chance / 1000000 }')
	shift
	timeout --foreground -s KILL "$moment" "$@" >/dev/null 2>&1
}
# took COMMAND...: sets ms to what it takes when it is left alone.
took() {
	ms=$(date +%s%3N)
	"$@" >/dev/null 2>&1
	ms=$(($(date +%s%3N) - ms + 5))
}

# A layered plan of 2,000 products, all of one version.
big() {
	jq -nc --arg version "$1" '{dataset: {name: "big"}, data_products: [range(2000) |
		{name: "p\(.)", compute: "cams", version: $version, eager: true, passthrough: {n: .}}],
		dependencies: [range(100; 2000) | {parent: "p\(. - 100)", child: "p\(.)"}]}'
}
big 0 >big.0
took fletcher-plan -D other.db publish big.0
diag "publish takes $ms ms"
kills=0 new=0
while [ $kills -lt 12 ]; do
	kills=$((kills + 1))
	rm -f fsl.db*
	killed "$ms" fletcher-plan publish big.0
	# A state file may have been left without a table, or not at all.
	n=$(sql 'SELECT count(*) FROM data_products' 2>/dev/null)
	[ "${n:-0}" -eq 0 ] || [ "$n" -eq 2000 ] || diag "kill $kills: $n products"
	[ "${n:-0}" -eq 0 ] || new=$((new + 1))
	[ "${n:-0}" -eq 0 ] || [ "$n" -eq 2000 ] || break
done
is "$kills $(((${n:-0}) % 2000))" "12 0" "a new plan is there whole or not at all, after each of $kills kills"
diag "whole: $new"

fletcher-plan publish big.0 >/dev/null
big 1 >big.1
wrong=0 changed=0
kills=0
while [ $kills -lt 12 ]; do
	kills=$((kills + 1))
	killed "$ms" fletcher-plan publish "big.$((kills % 2))"
	said=$(sql 'SELECT count(DISTINCT version) FROM data_products')
	[ "$said" = 1 ] || wrong=$((wrong + 1))
	[ "$(sql 'SELECT max(version) FROM data_products')" != $((kills % 2)) ] || changed=$((changed + 1))
done
is $wrong 0 "a plan is changed in all of its products or in none, after each of $kills kills"
diag "changed: $changed"
sound "after kills of publish"

# Half of the products succeed, then all of them wait again.
jq -c '.data_products[] | {id: .name, state: "success"}' big.0 | head -n 1000 >list
took fletcher-plan update -n big - <list
diag "update takes $ms ms"
kills=0 wrong=0 done=0
while [ $kills -lt 12 ]; do
	kills=$((kills + 1))
	killed $((ms * 3 / 2)) fletcher-plan update big - <list
	n=$(sql 'SELECT success FROM datasets')
	case $n in
	0 | 100) ;;
	*) wrong=$((wrong + 1)) ;;
	esac
	[ "$n" = 0 ] || {
		done=$((done + 1))
		fletcher-plan clear big --all >/dev/null
	}
done
is $wrong 0 "a list of reports is stored whole or not at all, after each of $kills kills"
diag "stored: $done"
sound "after kills of update"
status_is 0 "left alone it is stored" fletcher-plan update big - <list
done_testing
