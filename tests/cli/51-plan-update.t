#!/bin/sh
# fletcher-plan update, retry, clear, disable, enable, trigger, pause: each rule.
. "${0%/*}/plan.sh"
. "${0%/*}/tap.sh"

R1=11111111-1111-1111-1111-111111111111
R2=22222222-2222-2222-2222-222222222222
update() { fletcher-plan update "$@"; }

# --- update

publish one "a b c k!" "a>b b>c c>k" >/dev/null
status_is 0 "a report" update one a=running
is "$(cat out)" "$(tabs 'a queued running')" "NAME OLD NEW"
is "$(cat err)" "" "and nothing else"
status_is 0 "a success" update one a=success
is "$(cat out)" "$(tabs 'a running success
b waiting queued')" "queues what is next"
status_is 0 "a list" update one b=success c=success
is "$(cat out)" "$(tabs 'b queued success
c waiting queued')" "what is downstream of one in it waits, then is queued"
status_is 64 "a state that cannot be reported" update one c=queued
is "$(head -n 1 err)" "fletcher-plan: The requested state for 'c' is invalid: 'queued'" "in Fletcher's words"
status_is 5 "an unknown product" update one c=success nosuch=failed
is "$(cat err)" "fletcher-plan: Data product not found for: 'nosuch'
fletcher-plan: hint: fletcher-plan show lists those of the dataset" "in Fletcher's words"
is "$(states one)" "a=success b=success c=queued k=waiting" "all or nothing"
status_is 5 "an unknown dataset" update nosuch a=success
update one c=success >/dev/null
is "$(states one)" "a=success b=success c=success k=waiting" "what is not eager is not queued"
is "$(fletcher-plan ready one | cut -f 1-4)" "$(tabs 'one k waiting cams')" "it is ready"
is "$(update one b=failed)" "$(tabs 'b success failed
c success waiting')" "downstream of a change all waits again"
is "$(update one c=success)" "$(tabs 'c waiting success')" "anything may be reported at any time"
is "$(update one a=running)" "$(tabs 'a success running
b failed waiting
c success waiting')" "and is found behind what waits"
sound "after reports"

# --- runs

publish run "a b" "a>b" >/dev/null
update run a=running --run-id $R1 >/dev/null
status_is 6 "another run" update run a=success --run-id $R2
like "$(cat err)" "'a': the current run is $R1, not $R2" "is refused"
status_is 0 "the current one" update run a=success --run-id $R1 --link http://x --passback '{"n": 1}'
update run b=success >/dev/null
fletcher-plan show --json run >before
status_is 0 "the same once more" update run a=success --run-id $R1 --passback '{"n":1}'
is "$(cat out)" "" "moves nothing"
ok "and changes nothing" sh -c 'fletcher-plan show --json run | cmp - before'
is "$(jq -c '.data_products[0] | [.run_id, .link, .passback]' before)" "[\"$R1\",\"http://x\",{\"n\":1}]" \
	"run_id, link and passback are stored"
status_is 0 "--force" update run a=success --run-id $R1 --force
is "$(cat out)" "$(tabs 'a success success
b success queued')" "does it all the same"
is "$(fletcher-plan show --json run | jq -c '.data_products[0] | [.run_id, .link, .passback]')" \
	"[\"$R1\",\"http://x\",{\"n\":1}]" "what is omitted is kept"
fletcher-plan clear run a >/dev/null
status_is 6 "the run of a cleared product" update run a=success --run-id $R1
like "$(cat err)" "'a': the run $R1 is over" "is refused"
status_is 0 "another run of it" update run a=running --run-id $R2
status_is 6 "the old one" update run a=failed --run-id $R1
status_is 64 "no UUID" update run a=failed --run-id 7
status_is 64 "no JSON" update run a=failed --passback '{'

# --- update -

printf '%s\n' '[{"id":"a","state":"success","run_id":null,"link":null,"passback":{"x":[1.0]}},' \
	'{"id":"b","state":"running"}]' >list.json
status_is 0 "a JSON array, as Fletcher takes it" update run - <list.json
is "$(states run)" "a=success b=queued" "b is downstream of a: it begins again"
jq -c '.[]' list.json >list.jsonl
status_is 0 "an object a line" update run - --force <list.jsonl
printf '%s\n' '{"id":"a","state":"success"}' '{"id":"b","state":"done"}' >bad.jsonl
status_is 65 "a bad line" update run - <bad.jsonl
like "$(cat err)" "^fletcher-plan: -:2: state: 'done' is no state of 'b'$" "is named"
printf '%s\n' '{"id":"a","state":"success"}' '{"id":"z","state":"failed"}' >bad.jsonl
status_is 5 "a product that is not there" update run - <bad.jsonl
like "$(cat err)" "^fletcher-plan: -:2: Data product not found for: 'z'$" "has its line"
jq -sc . bad.jsonl >bad.json
status_is 5 "in an array" update run - <bad.json
like "$(cat err)" "^fletcher-plan: -: \[1\]: Data product not found for: 'z'$" "its place"
status_is 64 "nothing beside -" update run - a=success
sound "after runs"

# --- clear

publish two "a b c" "a>b b>c" >/dev/null
for p in a b c; do update two $p=success >/dev/null; done
status_is 0 "clear" fletcher-plan clear two b
is "$(cat out)" "$(tabs 'b success queued
c success waiting')" "with what is downstream; parents stay"
status_is 64 "clear of nothing" fletcher-plan clear two
status_is 64 "clear of two things" fletcher-plan clear two a --all
update two b=failed >/dev/null
is "$(fletcher-plan clear two --failed)" "$(tabs 'b failed queued')" "--failed"
is "$(fletcher-plan clear two --all)" "$(tabs 'a success queued
b queued waiting')" "--all"
is "$(printf 'a\nb\n' | fletcher-plan clear two -)" "$(tabs 'a queued queued')" "- reads operands"

# --- retry

update two a=failed >/dev/null
status_is 6 "retry of what has not ended" fletcher-plan retry two b
is "$(fletcher-plan retry two)" "$(tabs 'a failed queued')" "retry: all that have failed"
like "$(fletcher-plan show --json two | jq -r '.data_products[0].run_id')" '^[0-9a-f-]{36}$' "with a new run"
status_is 0 "retry when nothing has failed" fletcher-plan retry two
is "$(cat out)" "" "has nothing to do"

# --- disable and enable

publish three "a b c" "a>b b>c" >/dev/null
status_is 0 "disable" fletcher-plan disable three a
is "$(cat out)" "$(tabs 'a queued disabled
b waiting queued')" "children go on"
is "$(cat err)" "fletcher-plan: warning: what is disabled holds these back no longer: b" "and are named"
for verb in "update three a=success" "clear three a" "disable three a" "retry three a" "trigger three a"; do
	# shellcheck disable=SC2086 # words
	status_is 6 "${verb%% *} of it" fletcher-plan $verb
	is "$(head -n 1 err)" "fletcher-plan: Data product is locked: 'a'" "in Fletcher's words"
done
is "$(fletcher-plan enable three a)" "$(tabs 'a disabled queued')" "enable"
status_is 0 "enable of an enabled one" fletcher-plan enable three a
is "$(cat out)" "" "changes nothing"
fletcher-plan disable three b >/dev/null 2>&1
publish three "b" "c>b" >/dev/null 2>&1 # hidden behind the disabled b: b > c > b
status_is 6 "enable that would close a cycle" fletcher-plan enable three b
is "$(cat err)" "fletcher-plan: Graph is cyclical: b -> c -> b" "is refused"
is "$(states three)" "a=queued b=disabled c=queued" "and changes nothing"

# --- trigger, pause, unpause

publish four "a b! c" "a>b" >/dev/null
status_is 6 "trigger before its parents" fletcher-plan trigger four b
fletcher-plan pause four >out
is "$(cat out)" "" "pause"
status_is 0 "pause of a paused dataset is no error" fletcher-plan pause four
update four a=success c=success >/dev/null
is "$(fletcher-plan trigger four b)" "$(tabs 'b waiting queued')" "a person may trigger in a paused dataset"
is "$(fletcher-plan clear four a)" "$(tabs 'a success waiting
b queued waiting')" "what a clear would queue waits"
is "$(fletcher-plan show --json four | jq .dataset.paused)" true "it is paused"
status_is 0 "unpause" fletcher-plan unpause four three
is "$(cat out)" "$(tabs 'a waiting queued')" "queues what could start"
status_is 5 "one that is not there" fletcher-plan pause nosuch four
is "$(fletcher-plan show --json four | jq .dataset.paused)" true "does not keep it from the others"
sound "after all verbs"

# --- who, why, history, -n

publish five "a b!" "a>b" --as ann >/dev/null
FSL_USER=bob fletcher-plan update five a=success >/dev/null
is "$(fletcher-plan history five --columns user,command,product,old,new)" "$(tabs 'ann publish - - active
ann publish a - waiting
ann publish b - waiting
ann publish a waiting queued
bob update a queued success')" "history: who did what"
is "$(fletcher-plan history five a --columns command,new | paste -sd' ')" \
	"$(printf 'publish\twaiting publish\tqueued update\tsuccess')" "of one product"
is "$(fletcher-plan show --json five | jq -r '[.dataset.modified_by, .data_products[].modified_by] | join(" ")')" \
	"ann bob ann" "and on every row"
is "$(fletcher-plan why five)" \
	"$(printf 'b\twaiting\tis not eager: fletcher-plan trigger starts it')" "why"
is "$(fletcher-plan why five a b | cut -f 1-2 | paste -sd' ')" "$(printf 'a\tsuccess b\twaiting')" \
	"of what is named"
fletcher-plan show --json five >before
for verb in "update five a=failed" "clear five a" "retry five a" "disable five a" "trigger five b" "pause five"; do
	# shellcheck disable=SC2086 # words
	status_is 0 "${verb%% *} -n" fletcher-plan $verb -n
done
ok "changes nothing" sh -c 'fletcher-plan show --json five | cmp - before'

# --- delete

update five b=running >/dev/null
status_is 6 "delete of what runs" fletcher-plan delete --force five
update five b=failed >/dev/null
status_is 6 "delete of what has succeeded" fletcher-plan delete five
status_is 0 "-n" fletcher-plan delete -n --force five
id=$(cat out)
status_is 0 "--force" fletcher-plan delete --force five
is "$(cat out)" "$id" "prints its id"
status_is 5 "it is gone" fletcher-plan show five
status_is 64 "delete of nothing" fletcher-plan delete
status_is 0 "delete --older-than, of all" fletcher-plan delete --older-than 1h
is "$(cat out)" "" "none is as old"
n=$(sql 'SELECT count(*) FROM datasets WHERE success + running = 0')
FSL_TEST_NOW=+7200000 fletcher-plan delete --older-than 1h >out
is "$(wc -l <out)" "$n" "later, those that nobody would miss"
sound "after deletes"
done_testing
