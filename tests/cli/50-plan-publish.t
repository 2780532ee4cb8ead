#!/bin/sh
# shellcheck disable=SC2016 # ${day} is for the plan
# fletcher-plan publish, check, show and list: plans come in and go out again.
. "${0%/*}/plan.sh"
. "${0%/*}/tap.sh"

# --- Fletcher's long form

cat >long.json <<'END'
{
  "dataset": { "id": "123e4567-e89b-12d3-a456-426614174000", "extra": {} },
  "data_products": [
    { "id": "223e4567-e89b-12d3-a456-426614174000", "compute": "cams", "name": "Extract Raw Data",
      "version": "1.0.0", "eager": true, "passthrough": {}, "extra": {} },
    { "id": "323e4567-e89b-12d3-a456-426614174000", "compute": "dbxaas", "name": "Transform Data",
      "version": "1.0.0", "eager": true, "passthrough": {"b": 1e2, "a": 1.0}, "extra": null }
  ],
  "dependencies": [
    { "parent_id": "223e4567-e89b-12d3-a456-426614174000",
      "child_id": "323e4567-e89b-12d3-a456-426614174000", "extra": {} }
  ]
}
END
long=123e4567-e89b-12d3-a456-426614174000
status_is 0 "check of a plan" fletcher-plan check long.json
is "$(cat out err)" "" "is silent when it is fine"
ok "and makes no state file" test ! -e fsl.db
status_is 65 "publish of a plan that has a cycle" fletcher-plan publish - <<'END'
{"dataset": {"name": "x"}, "data_products": [
 {"name": "a", "compute": "exec", "version": "1", "eager": true, "passthrough": {"argf": []}}],
 "dependencies": [{"parent": "a", "child": "a"}]}
END
ok "makes no state file either" test ! -e fsl.db
status_is 65 "nor does one that is none" fletcher-plan publish /dev/null
ok "before anything is read" test ! -e fsl.db
status_is 0 "publish -n" fletcher-plan publish -n long.json
is "$(cat out)" "+ Extract Raw Data
+ Transform Data
+ Extract Raw Data -> Transform Data" "shows what is new"
ok "and makes no state file either" test ! -e fsl.db
status_is 0 "publish" fletcher-plan publish long.json
is "$(cat out)" "Extract Raw Data	-	queued
Transform Data	-	waiting" "NAME OLD NEW of each product"
is "$(cat err)" "" "nothing on standard error"
fletcher-plan show --json $long >first
status_is 0 "publish of the same plan" fletcher-plan publish long.json
is "$(cat out err)" "" "changes nothing"
ok "and show --json has the same bytes" sh -c "fletcher-plan show --json $long | cmp - first"
is "$(jq -c 'keys_unsorted, (.data_products[0] | keys_unsorted), (.dataset | keys_unsorted),
	(.dependencies[0] | keys_unsorted)' first)" \
'["data_products","dataset","dependencies"]
["compute","eager","extra","id","link","modified_by","modified_date","name","passback","passthrough","run_id","state","version"]
["extra","id","modified_by","modified_date","paused"]
["child_id","extra","modified_by","modified_date","parent_id"]' \
	"every member of Fletcher's response, in alphabetical order"
like "$(jq -r .dataset.modified_date first)" \
	'^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00$' \
	"time stamps with microseconds and +00:00"
is "$(grep -o '"passthrough":{"a"[^}]*}' first)" '"passthrough":{"a":1.0,"b":1e2}' \
	"numbers keep their digits"
is "$(wc -l <first)" 1 "on one line"
fletcher-plan show --plan $long >plan.json
is "$(grep -o '"passthrough":{"b"[^}]*}' plan.json)" '"passthrough":{"b":1e2,"a":1.0}' \
	"show --plan keeps the order, too"
status_is 0 "it is a plan" fletcher-plan check plan.json
status_is 0 "that publish accepts" fletcher-plan publish plan.json
is "$(cat out)" "" "and that changes nothing"
sound "after Fletcher's form"

# --- the short form, parameters, --dataset

status_is 0 "the short form" publish papers "a b" "a>b"
is "$(states papers)" "a=queued b=waiting" "is stored"
jq -n '{params: {day: null, n: 10}, data_products: [{name: "load ${day}", compute: "exec", version: "1",
	eager: true, passthrough: {argv: ["x", "${day}", "$${HOME}", "${n}"]}}]}' >params.json
status_is 65 "a parameter without a value" fletcher-plan publish --dataset d-1 params.json
like "$(cat err)" '^fletcher-plan: params.json: params.day: has no value$' "is named"
status_is 65 "an undeclared parameter" fletcher-plan publish --dataset d-1 --set night=1 params.json
status_is 0 "--set" fletcher-plan publish --dataset d-1 --set day='Mo"1' params.json
is "$(fletcher-plan show --json d-1 | jq -c '.data_products[0] | [.name, .passthrough.argv]')" \
	'["load Mo\"1",["x","Mo\"1","${HOME}","10"]]' "replaces it"
status_is 0 "the same call twice" fletcher-plan publish --dataset d-1 --set day='Mo"1' params.json
is "$(cat out err)" "" "is a no-op"
is "$(sql "SELECT params FROM dataset_texts JOIN datasets USING (id) WHERE name = 'd-1'")" \
	'{"day":"Mo\"1","n":"10"}' "the values are kept"
jq -c 'del(.params)' params.json | fletcher-plan publish --dataset d-2 - >/dev/null
is "$(fletcher-plan show --json d-2 | jq -r '.data_products[0].name')" 'load ${day}' \
	"without params \${...} is text; - is standard input"
status_is 64 "a name that is none" fletcher-plan publish --dataset a/b --set day=1 params.json
status_is 0 "a UUID is none either, but an id" fletcher-plan publish \
	--dataset 923e4567-e89b-12d3-a456-426614174000 --set day=1 params.json
is "$(fletcher-plan show --json 923e4567 | jq -r .dataset.id)" 923e4567-e89b-12d3-a456-426614174000 "of it"

# --- errors name the place; nothing is stored then

events=$(sql 'SELECT count(*) FROM events')
refused() { # refused FILTER MESSAGE RULE: the plan good.json through the filter
	jq -c "$1" good.json >plan.json
	status_is 65 "$3" fletcher-plan publish plan.json
	is "$(sed 's/^fletcher-plan: //; 1q' err)" "$2" "$3: its place"
}
plan papers "a b c new" "a>b b>c" >good.json
refused 'del(.data_products[3].eager)' \
	"plan.json: data_products[3].eager: required boolean is missing" "a missing member"
refused '.data_products[1].version = 1' \
	"plan.json: data_products[1].version: must be a string, not a number" "a wrong type"
refused '.data_products[2].compute = "spark"' \
	"plan.json: data_products[2].compute: 'spark' is not one of batch, cams, dbxaas, exec" "a compute"
refused '.data_products += [.data_products[0]]' \
	"plan.json: data_products[4]: Duplicate data-product id in parameter: 'a'" "a duplicate product"
refused '.dependencies += [.dependencies[0]]' \
	"plan.json: dependencies[2]: Duplicate dependency in parameter: 'a' -> 'b'" "a duplicate dependency"
refused '.dependencies[1].parent = "x"' \
	"plan.json: dependencies[1].parent: Data product not found for: 'x'" "an unknown parent"
refused '.dependencies[1].child = "x"' \
	"plan.json: dependencies[1].child: Data product not found for: 'x'" "an unknown child"
refused '.dependencies += [{parent: "c", child: "a"}]' \
	"plan.json: Graph is cyclical: a -> b -> c -> a" "a cycle"
refused '.dependencies = [{parent: "a", child: "a"}]' \
	"plan.json: Graph is cyclical: a -> a" "a cycle of one"
refused '.dependencies[0].parent = 7' \
	"plan.json: dependencies[0].parent: must be a string, not a number" "a name that is none"
refused '[.]' "plan.json: must be an object, not an array" "no object"
printf '{"dataset":{"name":"x"},\n"data_products":[}' >plan.json
status_is 65 "broken JSON" fletcher-plan check plan.json
is "$(cat err)" "fletcher-plan: plan.json:2:18: expected a value" "by line and column"
status_is 66 "a missing file" fletcher-plan publish nosuch.json
status_is 66 "a directory" fletcher-plan publish .
is "$(sql 'SELECT count(*) FROM events')" "$events" "nothing of all that is stored"
jq -c '.odd = 1 | .data_products[0].owner = "x"' good.json >plan.json
status_is 0 "unknown members are accepted" fletcher-plan check plan.json
is "$(cat err)" "fletcher-plan: warning: plan.json: odd: unknown member, ignored
fletcher-plan: warning: plan.json: data_products[0].owner: unknown member, ignored" "with a warning"

cat >plan.json <<'PLAN'
{ "dataset": { "name": "typos" }, "data_products": [
  { "name": "a", "compute": "batch", "version": "1", "eager": true, "passthrough": { "fiel": "in.jsonl" } },
  { "name": "b", "compute": "exec", "version": "1", "eager": true, "passthrough": { "argv": ["true"] } },
  { "name": "c", "compute": "exec", "version": "1", "eager": true } ] }
PLAN
status_is 0 "a passthrough that fsl-run could not read is accepted" fletcher-plan check plan.json
is "$(cat err)" "fletcher-plan: warning: plan.json: data_products[0].passthrough.fiel: is not known: fsl-run leaves it queued
fletcher-plan: warning: plan.json: data_products[2].passthrough: must be an object that says what to do: fsl-run leaves it queued" \
	"with a warning each"
sound "after refused plans"

# --- what publish does not do

publish grow "a b c" "a>b b>c" >/dev/null
fletcher-plan update grow a=success b=success >/dev/null
fletcher-plan update grow b=success >/dev/null
status_is 0 "a plan with less" publish grow "c" ""
is "$(cat out)" "" "changes nothing by itself"
status_is 0 "a plan with less and something new" publish grow "c x" "x>c"
is "$(cat out)" "$(tabs 'x - queued')" "says what is new"
is "$(cat err)" \
	"fletcher-plan: 2 stored products are not in this file and stay: a, b (--prune)" "and what stays"
is "$(states grow)" "a=success b=success c=queued x=queued" "states stay as they are"
jq -c '.data_products[0].version = "2"' published.json | fletcher-plan publish - >out 2>err
is "$(cat err)" "fletcher-plan: ~ c: version changed, still queued (--clear-changed runs it again)
fletcher-plan: 2 stored products are not in this file and stay: a, b (--prune)" \
	"what changed does not run again by itself"
jq -c '.data_products[0].version = "3"' published.json | fletcher-plan publish --clear-changed - >out 2>err
is "$(cat out)" "$(tabs 'c queued waiting')" "with --clear-changed it is cleared"
status_is 0 "publish -n --prune" publish grow "c x" "" -n --prune
is "$(cat out)" "~ c: version changed
- a
- b
- a -> b
- b -> c
- x -> c
$(tabs 'a success disabled
b success disabled
c waiting queued')" "shows what would go"
is "$(states grow)" "a=success b=success c=waiting x=queued" "and changes nothing"
status_is 0 "publish --prune" publish grow "c x" "" --prune
is "$(states grow)" "a=disabled b=disabled c=queued x=queued" "disables products, removes dependencies"
is "$(fletcher-plan show --json grow | jq -c .dependencies)" "[]" "all of them"
status_is 0 "--paused" publish still "a" "" --paused
is "$(states still)" "a=waiting" "a new dataset begins paused"
status_is 0 "--paused again" publish still "a" "" --paused
is "$(cat out err)" "" "is silent while it is paused"
status_is 0 "publish --paused of one that is not" publish grow "c x" "" --paused
is "$(cat err)" "fletcher-plan: warning: grow is stored and not paused, and --paused is for new ones: fletcher-plan pause pauses it" "does not pause it, and says so"
is "$(fletcher-plan list --columns paused grow)" "-" "it goes on"
status_is 64 "--as without a name" publish still "a" "" --as ''
like "$(cat err)" '^fletcher-plan: --as: must not be empty$' "is refused: a history names somebody"
sound "after changed plans"

# --- show and list

status_is 5 "show of no dataset" fletcher-plan show nosuch
status_is 0 "show of several" fletcher-plan show papers grow
is "$(cut -f 1,7 out | paste -sd' ')" "$(printf 'a\tpapers b\tpapers c\tgrow x\tgrow a\tgrow b\tgrow')" \
	"parents first, the disabled at the end, and where they belong"
is "$(fletcher-plan show papers --columns product,state,why)" \
	"$(printf 'a\tqueued\twaits for a worker with --compute cams=URL, or for whoever reports it with fletcher-plan update\nb\twaiting\twaits for a (queued)')" \
	"and why"
is "$(fletcher-plan show --json | wc -l)" "$(sql 'SELECT count(*) FROM datasets')" \
	"without operands: all of them"
like "$(script -qec 'fletcher-plan show --color never papers' /dev/null </dev/null | tr -d '\r')" \
	'^papers: queued, 0 of 2 done, 1 queued, 1 waiting$' "on a terminal: how it stands"
like "$(script -qec 'fletcher-plan show --color never papers' /dev/null </dev/null | tr -d '\r')" \
	'^PRODUCT +STATE +DONE/TOTAL +FAILED +SINCE +WHY' "and a table"
is "$(fletcher-plan list --columns name,state,done/total,paused GROW)" "$(tabs 'grow queued 0/2 -')" \
	"list TEXT, whatever its case"
is "$(fletcher-plan list --columns name | head -n 2 | paste -sd' ')" "still grow" "newest activity first"
is "$(fletcher-plan list --json STILL | jq -c '[.name, .state, .done, .total, .failed, .paused, .extra]')" \
	'["still","waiting",0,1,0,true,null]' "--json"
is "$(fletcher-plan list --columns name Transform)" "-" "by a product's name"
is "$(fletcher-plan list 123e4567-e89b --columns id)" $long "by id"
is "$(fletcher-plan list %)" "" "no wildcards"
is "$(fletcher-plan list --page 2)" "" "no second page"
status_is 64 "page 0" fletcher-plan list --page 0
status_is 5 "no state file" fletcher-plan -D none.db list

# --- --json is one object a line

is "$(publish lines "a b" "a>b" --json | jq -c '[.name, .old, .new, (.id | length)]' | paste -sd' ')" \
	'["a",null,"queued",36] ["b",null,"waiting",36]' "publish --json"
status_is 64 "an unknown column" fletcher-plan list --columns nosuch
done_testing
