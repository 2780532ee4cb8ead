#!/bin/sh
# shellcheck disable=SC2317 # functions are called by their names
# fsl-file check, export, list, show, stats, delete.
. "${0%/*}/tap.sh"

for i in 1 2 3; do
	printf '{"custom_id":"r%d","url":"/v1/x","body":{"model":"m","max_tokens":%d}}\n' $i $((i * 10))
done >m.jsonl
printf '{"custom_id":"r%d","url":"/v1/x","body":{"model":"n"}}\n' 1 2 >n.jsonl
echo '{}' >bad.jsonl

exports() { fsl-file export "$1" | cmp - "$2"; }
export_to() { fsl-file export "$1" >"$2"; }

# --- check

cp n.jsonl in.jsonl
status_is 0 'check of good files' fsl-file check m.jsonl n.jsonl - <in.jsonl
is "$(cat out err)" '' 'is silent'
ok 'and touches no state file' test ! -e fsl.db
status_is 65 'a bad one among good ones' fsl-file check m.jsonl bad.jsonl n.jsonl
like "$(cat err)" '^fsl-file: bad.jsonl:1:1: missing_required_parameter: ' 'is told'
status_is 66 'a missing one too' fsl-file check m.jsonl no-such-file
cat m.jsonl n.jsonl >two.jsonl
status_is 65 '--strict is known' fsl-file check --strict two.jsonl
like "$(cat err)" '^fsl-file: two.jsonl:4:[0-9]+: model_mismatch: ' 'here too'
status_is 64 'an operand is needed' fsl-file check

# --- list

status_is 5 'no state file yet' fsl-file list
a=$(FSL_TEST_NOW=1700000000000 fsl-file import m.jsonl)
b=$(FSL_TEST_NOW=1700086400000 fsl-file import --name "$(printf 'b b\\\342\200\256')x" n.jsonl 2>/dev/null) || :
is "$b" '' 'a bidirectional override is no part of a name'
b=$(FSL_TEST_NOW=1700086400000 fsl-file import --name 'b \b' n.jsonl)
status_is 0 'list' fsl-file list
is "$(cat out)" "$(printf '%s\t2023-11-15T22:13:20Z\t%d\t2\tb \\\\b\n%s\t2023-11-14T22:13:20Z\t%d\t3\t-' \
	"$b" "$(wc -c <n.jsonl)" "$a" "$(wc -c <m.jsonl)")" \
	'FILE_ID CREATED BYTES REQUESTS NAME, newest first, TAB between'
is "$(fsl-file list --json | jq -c '[.file_id, .created, .bytes, .requests, .name]' | tail -n 1)" \
	"[\"$a\",\"2023-11-14T22:13:20Z\",$(wc -c <m.jsonl),3,null]" '--json: an object a line, null for no name'
is "$(fsl-file list --columns requests,NAME | head -n 1)" "$(printf '2\tb \\\\b')" '--columns picks'
status_is 64 'an unknown column is refused' fsl-file list --columns x
status_is 64 'list has no operands' fsl-file list x
like "$(script -qec 'fsl-file list --color never' /dev/null </dev/null | head -n 1)" \
	'^FILE_ID +CREATED +BYTES +REQUESTS +NAME' 'a terminal gets a header'

# --- show

is "$(fsl-file show "$a" 'b \b' | jq -r '.id, .created_at' | xargs)" "$a 1700000000 $b 1700086400" \
	'show: an object a line'
is "$(fsl-file show "$a" | jq -c 'keys_unsorted, (.fsl | .xxh128 |= test("^[0-9a-f]{32}$"))')" \
	'["id","object","bytes","created_at","filename","purpose","status","fsl"]
{"requests":3,"models":{"m":3},"xxh128":true,"name":null}' 'its members'
is "$(printf '%s\n\n%s\n' "$a" @last | fsl-file show - | jq -r .id | xargs)" "$a $b" '- reads the operands'
is "$(fsl-file show "$(printf %s "$a" | cut -c 6-20)" | jq -r .id)" "$a" 'a prefix is enough'
status_is 5 'what is not there' fsl-file show "$a" no-such-file
is "$(jq -r .id out)" "$a" 'the others are shown'
like "$(cat err)" "no file 'no-such-file'" 'it is named'

# --- export

ok 'export: the lines' exports "$a" m.jsonl
status_is 0 'export -o' fsl-file export -o o.jsonl "$a"
ok 'the same in a file' cmp o.jsonl m.jsonl
is "$(stat -c %a o.jsonl)" 600 'for the owner only'
status_is 5 'what is not there' fsl-file export -o o.jsonl no-such-file
ok 'leaves the file alone' cmp o.jsonl m.jsonl
status_is 74 'a full device is an error' export_to "$a" /dev/full
status_is 73 'so is a directory that is not there' fsl-file export -o no/such/o "$a"
awk 'BEGIN { for (i = 0; i < 50000; i++) printf "{\"custom_id\":\"r%d\",\"url\":\"/v1/x\"}\n", i }' >large.jsonl
c=$(fsl-file import large.jsonl)
is "$(fsl-file export "$c" 2>err | head -n 1; cat err)" "$(head -n 1 large.jsonl)" \
	'a reader that goes away is no error'
ok '50,000 lines are the same' exports "$c" large.jsonl

# --- stats

want=$(printf 'm\t3\t%d\t%d\t60\n' 87 21)
is "$(fsl-file stats "$a")" "$want" 'stats of a file: MODEL REQUESTS BODY_BYTES EST_INPUT_TOKENS MAX_OUTPUT_TOKENS'
is "$(fsl-file stats m.jsonl)" "$want" 'of an input'
is "$(fsl-file stats - <m.jsonl)" "$want" 'of standard input'
is "$(fsl-file stats m.jsonl "$b")" "$(printf '%s\nn\t2\t26\t6\t-' "$want")" 'of several together, per model'
is "$(fsl-file stats --json n.jsonl)" \
	'{"model":"n","requests":2,"body_bytes":26,"est_input_tokens":6,"max_output_tokens":null}' '--json'
cp m.jsonl same && fsl-file import --name same n.jsonl >/dev/null
is "$(fsl-file stats same | cut -f 1)" m 'a path that exists wins over a name'
rm same
is "$(fsl-file stats same | cut -f 1)" n 'else it is the name'
status_is 65 'a bad file is told' fsl-file stats bad.jsonl
status_is 5 'what is neither' fsl-file stats no-such-file
ok 'no state file is needed for an input' fsl-file -D none.db stats m.jsonl
ok 'nor made' test ! -e none.db

# --- delete

status_is 0 'delete -n' fsl-file delete -n "$c"
is "$(cat out)" "$c" 'says what it would delete'
is "$(fsl-file list | grep -c "$c")" 1 'and does not'
sqlite3 fsl.db "INSERT INTO batches (uuid, file, identity, status, user, base_url, key_ref, created_ms)
	SELECT x'00112233445566778899aabbccddeeff', id, x'00', 1, 'me', 'http://h', 'none', 1
	FROM files WHERE name = 'same'"
status_is 6 'a file that a batch needs is not deleted' fsl-file delete same
like "$(cat err)" 'needed by batch_00112233445566778899aabbccddeeff' 'the batch is named'
is "$(fsl-file export same)" "$(cat n.jsonl)" 'it is whole'
status_is 6 'nor with --force' fsl-file delete --force same
status_is 6 'nor would it be' fsl-file delete -n same
sqlite3 fsl.db 'UPDATE batches SET status = 2'
status_is 0 'when the batch has ended it is' fsl-file delete same
status_is 5 'then nobody sees it' fsl-file show same
is "$(sql 'SELECT count(*) FROM files WHERE deleted')" 1 'but it stays for the batch that shows it'
sqlite3 fsl.db 'DELETE FROM batches'
status_is 5 'some deleted, some not there' fsl-file delete "$c" no-such-file
is "$(cat out)" "$c" 'delete prints the ids'
is "$(sql 'SELECT count(*) FROM lines')" 5 'their lines are gone, and what no batch shows any more'
ok 'the space is given back' test "$(stat -c %s fsl.db)" -lt 1000000

status_is 64 'delete needs operands or --older-than' fsl-file delete
status_is 0 'nothing is older' env FSL_TEST_NOW=1700090000000 fsl-file delete --older-than 7d
is "$(cat out)" '' 'so nothing is deleted'
status_is 0 '-n' env FSL_TEST_NOW=1700090000000 fsl-file delete -n --older-than 12h
is "$(cat out) $(fsl-file list | wc -l)" "$a 2" 'says which one would be'
status_is 0 '--older-than' env FSL_TEST_NOW=1700090000000 fsl-file delete --older-than 12h
is "$(cat out) $(fsl-file list | cut -f 1)" "$a $b" 'deletes the older ones'
status_is 0 'with operands' env FSL_TEST_NOW=1700090000000 fsl-file delete --older-than 12h "$b"
is "$(cat out) $(fsl-file list | cut -f 1)" " $b" 'it deletes those of them that are older'
is "$(fsl-file delete --json "$b")" "{\"id\":\"$b\",\"object\":\"file\",\"deleted\":true}" '--json'
is "$(fsl-file list)" '' 'an empty list is no error'

# --- the program

status_is 64 'an unknown verb' fsl-file exprot x
like "$(cat err)" 'export' 'the nearest one is suggested'
status_is 64 'an unknown option' fsl-file import --stict m.jsonl
like "$(cat err)" '--strict' 'the nearest one is suggested'
help=$(fsl-file --help)
for verb in import check export list show stats delete; do
	like "$help" "^  $verb" "--help names $verb"
	status_is 0 "$verb --help" fsl-file $verb --help
done
like "$(fsl-file help import)" '--skip-invalid FILE' 'the help of import names its options'
like "$(fsl-file --version)" '^fsl-file [0-9.]+ \(SQLite [0-9.]+\)$' '--version names SQLite'

done_testing
