#!/bin/sh
# fletcher-plan and what strangers put into plans: odd names, deep and large
# graphs, and a small stack.
. "${0%/*}/plan.sh"
. "${0%/*}/tap.sh"

# --- names

jq -nc '{dataset: {name: "odd"}, data_products: [
	"\"", "</script><b>", "\\N\\l", "a=b", "a/b", "-n", "@last", "\u001b[31mred", "\u202egnp", "tab\tnl\n",
	"%s%n", "'"'"'; DROP TABLE events; --", "abcd", "日本"] |
	map({name: ., compute: "cams", version: ., eager: true})}' >odd.json
status_is 0 "any name will do" fletcher-plan publish odd.json
is "$(wc -l <out)" 14 "a line each, whatever is in it"
unlike "$(cat -v out)" '\^\[|M-bM-\^@M-\.' "with nothing that fools a terminal"
is "$(fletcher-plan show --json odd | jq -r '.data_products[].name' | cksum)" \
	"$(jq -r '.data_products[].name' odd.json | cksum)" "and back as they were"
fletcher-plan show --plan odd >back.json
status_is 0 "show --plan" fletcher-plan publish back.json
is "$(cat out)" "" "changes nothing"
status_is 0 "a name with =" fletcher-plan update odd a=b=success
status_is 0 "a name with /" fletcher-plan update odd a/b=success
status_is 0 "a name that begins with -" fletcher-plan update odd -- -n=success
status_is 0 "a name that looks like an id" fletcher-plan update odd abcd=success
status_is 0 "a name of SQL" fletcher-plan update odd "'; DROP TABLE events; --=success"
is "$(sql 'SELECT success FROM datasets')" 5 "are names like any other"
is "$(fletcher-plan list --columns name "drop table")" odd "also in a search"
is "$(fletcher-plan list --columns name "' OR 1=1")" "" "which is literal"
is "$(fletcher-plan list --columns name '日本')" odd "in any script"
jq -nc '{dataset: {name: "x"}, data_products: [{name: "a\u0000b", compute: "cams", version: "1", eager: true}]}' |
	fletcher-plan check - >out 2>err
is "$? $(cat err)" "65 fletcher-plan: -: data_products[0].name: has a NUL character" "but for a NUL"
printf '{"dataset":{"name":"x"},"data_products":[{"name":"a\377"}]}' | fletcher-plan check - >out 2>err
is "$? $(cat err)" "65 fletcher-plan: -:1:52: invalid UTF-8" "and what is no UTF-8"

# --- deep

deep() { awk -v n="$1" 'BEGIN {
	printf "{\"dataset\":{\"name\":\"deep\"},\"data_products\":[{\"name\":\"x\",\"compute\":\"cams\",\"version\":\"1\",\"eager\":true,\"extra\":"
	for (i = 0; i < n; i++) printf "[{\"a\":"
	printf "1"
	for (i = 0; i < n; i++) printf "}]"
	print "}]}"
}'; }
deep 200 >deep.json
status_is 0 "400 levels with a stack of 256 KiB" sh -c 'ulimit -s 256; fletcher-plan publish deep.json'
status_is 0 "and out again" sh -c 'ulimit -s 256; fletcher-plan show --json deep >deep.out'
is "$(jq -c '.data_products[0].extra' deep.out | cksum)" "$(jq -c '.data_products[0].extra' deep.json | cksum)" \
	"as they were"
deep 400 >deeper.json
status_is 65 "more than 512 are refused" fletcher-plan publish deeper.json

# --- large: a chain of 10,000, in a small stack

jq -nc '{dataset: {name: "chain"}, data_products: [range(10000) | {name: "p\(.)", compute: "cams",
	version: "1", eager: true}], dependencies: [range(1; 10000) | {parent: "p\(. - 1)", child: "p\(.)"}]}' >chain.json
status_is 0 "a chain of 10,000 with a stack of 256 KiB" sh -c 'ulimit -s 256; fletcher-plan publish chain.json'
is "$(wc -l <out)" 10000 "is published"
jq -c '.data_products[] | {id: .name, state: "success"}' chain.json >all.jsonl
fletcher-plan update chain p9999=success >/dev/null
status_is 0 "a report at its head" sh -c 'ulimit -s 256; fletcher-plan update chain p0=success'
is "$(cat out)" "$(tabs 'p0 queued success
p9999 success waiting
p1 waiting queued')" "is seen at its end"
status_is 0 "show" sh -c 'ulimit -s 256; fletcher-plan show --columns product chain'
is "$(sed -n '1p; 5000p; 10000p' out | paste -sd' ')" "p0 p4999 p9999" "in its order"
jq -c '.dependencies += [{parent: "p9999", child: "p0"}]' chain.json >cycle.json
status_is 65 "a cycle of 10,000" sh -c 'ulimit -s 256; fletcher-plan publish cycle.json'
is "$(cat err)" "fletcher-plan: cycle.json: Graph is cyclical: p0 -> p1 -> p2 -> p3 -> p4 -> p5 -> p6 -> p7 -> … (9990 more) -> p9998 -> p9999 -> p0" \
	"is shown in part"
sound "after odd plans"

# --- wait

publish rest "a b" "a>b" >/dev/null
status_is 4 "wait --timeout" fletcher-plan wait --timeout 10ms rest
is "$(cat err)" "fletcher-plan: the time is over and work remains; fletcher-plan why tells what it waits for" "says why"
fletcher-plan wait --timeout 20s rest >waited 2>&1 9>&- &
waiter=$!
fletcher-plan update rest a=success >/dev/null
fletcher-plan update rest b=failed >/dev/null
wait $waiter
is "$? $(cat waited)" "3 " "wait ends with the last report: 3, some failed"
fletcher-plan retry rest >/dev/null
fletcher-plan update rest b=success >/dev/null
status_is 0 "all succeeded" fletcher-plan wait rest
publish rest "c!" "" >/dev/null 2>&1
status_is 4 "what waits for a person remains" fletcher-plan wait rest
is "$(cat err)" "fletcher-plan: rest: waiting, 2 of 3 done, 1 waiting; fletcher-plan why tells what it waits for" \
	"and is told"
jq -n '{dataset: {name: "work"}, data_products: [{name: "x", compute: "exec", version: "1", eager: true,
	passthrough: {argv: ["true"]}}]}' | fletcher-plan publish - >/dev/null
status_is 4 "what is queued for a worker" fletcher-plan wait work
is "$(cat err)" "fletcher-plan: no worker is running, so nothing will end: fsl-run starts one" \
	"is not waited for without one"
status_is 5 "no dataset" fletcher-plan wait nosuch

# --- a full disk, a reader that goes away

status_is 74 "standard output that cannot be written" sh -c 'fletcher-plan show --json chain >/dev/full'
status_is 0 "a reader that goes away is no error" sh -c 'fletcher-plan show chain | head -n 1'
done_testing
