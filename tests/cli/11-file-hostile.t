#!/bin/sh
# fsl-file import and hostile input: refused with place and reason, exit 65, and
# nothing stored.  State files that are not ours: exit 78.
. "${0%/*}/tap.sh"

good='{"custom_id":"a","url":"/v1/x","body":{"model":"m"}}'
printf '%s\n' "$good" >good.jsonl
fsl-file import good.jsonl >/dev/null

# refused RULE PLACE-AND-CODE: what is in bad.jsonl, behind a good line.
refused() {
	{ printf '%s\n' "$good"; cat bad.jsonl; } >in.jsonl
	status_is 65 "$1: refused" fsl-file import in.jsonl
	like "$(cat err)" "^fsl-file: in.jsonl:$2: " "$1: with place and reason"
}
refuse() { # refuse RULE PLACE-AND-CODE FORMAT: printf makes the line
	# shellcheck disable=SC2059 # it is a format
	printf "$3\n" >bad.jsonl
	refused "$1" "$2"
}

refuse 'no JSON' '2:1: invalid_json_line' 'custom_id: b'
refuse 'no object' '2:1: invalid_json_line' '["custom_id"]'
refuse 'a trailing comma' '2:19: invalid_json_line' '{"custom_id": "b",}'
refuse 'two texts on a line' '2:38: invalid_json_line' '{"custom_id":"b","url":"/x","body":1}{}'
refuse 'NaN' '2:36: invalid_json_line' '{"custom_id":"b","url":"/x","body":NaN}'
refuse 'a lone surrogate' '2:15: invalid_json_line' '{"custom_id":"\\ud800","url":"/x"}'
refuse 'a member given twice' '2:29: invalid_json_line' '{"custom_id":"b","url":"/x","url":"/y"}'
refuse 'NUL' '2:16: invalid_json_line' '{"custom_id":"b\000","url":"/x"}'
refuse 'invalid UTF-8' '2:15: invalid_utf8' '{"custom_id":"\377","url":"/x"}'
refuse 'overlong UTF-8' '2:15: invalid_utf8' '{"custom_id":"\300\257","url":"/x"}'
refuse 'a surrogate in UTF-8' '2:15: invalid_utf8' '{"custom_id":"\355\240\200","url":"/x"}'
refuse 'a control character' '2:15: invalid_json_line' '{"custom_id":"\033[31m","url":"/x"}'
refuse 'an escaped one in custom_id' '2:14: invalid_custom_id' '{"custom_id":"\\u001b","url":"/x"}'
refuse 'a number as custom_id' '2:14: invalid_custom_id' '{"custom_id":1,"url":"/x"}'
refuse 'an empty custom_id' '2:14: invalid_custom_id' '{"custom_id":"","url":"/x"}'
refuse 'no custom_id' '2:1: missing_required_parameter' '{"url":"/x"}'
refuse 'no url' '2:1: missing_required_parameter' '{"custom_id":"b"}'
refuse 'the same custom_id' '2:14: duplicate_custom_id' '{"custom_id":"a","url":"/x"}'
refuse 'file://' '2:24: invalid_url' '{"custom_id":"b","url":"file:///etc/passwd"}'
refuse 'gopher://' '2:24: invalid_url' '{"custom_id":"b","url":"gopher://h/x"}'
refuse 'user:password in a url' '2:24: invalid_url' '{"custom_id":"b","url":"http://u:p@h/x"}'
unlike "$(cat err)" 'u:p' 'which is not repeated'
refuse 'CR LF in a url' '2:24: invalid_url' '{"custom_id":"b","url":"/x\\r\\nHost: y"}'
refuse 'a method that is none' '2:38: invalid_method' '{"custom_id":"b","url":"/x","method":"FETCH"}'
refuse 'CR LF in a header' '2:44: invalid_header' \
	'{"custom_id":"b","url":"/x","headers":{"X":"1\\r\\nHost: evil"}}'
refuse 'CR LF in the name of a header' '2:40: invalid_header' \
	'{"custom_id":"b","url":"/x","headers":{"X\\r\\nY":"1"}}'
for name in Host Content-Length Transfer-Encoding Connection; do
	refuse "the header $name" '2:40: invalid_header' \
		'{"custom_id":"b","url":"/x","headers":{"'$name'":"1"}}'
done
awk 'BEGIN {
	printf "{\"custom_id\":\"b\",\"url\":\"/x\",\"body\":"
	for (i = 0; i < 100000; i++) printf "["
	print ""
}' >bad.jsonl
refused 'deep nesting' '2:547: invalid_json_line'
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "{\"a\":"; print "" }' >bad.jsonl
refused 'deep nesting at once' '2:[0-9]+: invalid_json_line'
{ printf '{"custom_id":"b","url":"/x","body":"'; head -c 67108864 /dev/zero | tr '\0' x; echo '"}'; } >bad.jsonl
refused 'a line of 64 MiB' '2:33554433: line_too_long'
rm bad.jsonl in.jsonl

status_is 65 'an empty file' fsl-file import /dev/null
like "$(cat err)" '^fsl-file: /dev/null:1:1: empty_file: ' 'with place and reason'
status_is 65 '/dev/zero' fsl-file import /dev/zero
like "$(cat err)" '^fsl-file: /dev/zero:1:33554433: line_too_long: ' 'with place and reason'
status_is 65 '/dev/zero is not read for ever with --skip-invalid either' \
	fsl-file import --skip-invalid skipped /dev/zero
head -c 100000 /dev/urandom >noise
status_is 65 'noise' fsl-file import noise
unlike "$(cat err)" "$(printf '[\001-\011\013-\037\177]')" 'no control character of it reaches the terminal'
name=$(printf 'x\033[31m')
echo '{}' >"$name"
status_is 65 'a name of a file with control characters' fsl-file import "$name"
like "$(cat err)" '^fsl-file: x\\x1b\[31m:1:1: ' 'is shown without them'

# --- secrets

secret() { # secret RULE PLACE LINE
	printf '%s\n' "$3" >in.jsonl
	status_is 65 "$1: refused" fsl-file import in.jsonl
	like "$(cat err)" "^fsl-file: in.jsonl:$2: secret_in_line: " "$1: with place and reason"
	like "$(cat err)" '--key' "$1: with the way out"
	unlike "$(cat err)" canary "$1: which is not repeated"
	status_is 0 "$1: accepted with --allow-inline-secrets" fsl-file import --allow-inline-secrets in.jsonl
	fsl-file delete "$(cat out)" >/dev/null
}
for name in Authorization authorization Cookie x-api-key api-key Proxy-Authorization; do
	secret "a header $name" 1:40 '{"custom_id":"b","url":"/x","headers":{"'$name'":"canary"}}'
done
secret 'a member api_key' 1:39 '{"custom_id":"b","url":"/x","api_key":"canary"}'
secret 'a key in the query' 1:24 '{"custom_id":"b","url":"/x?key=canary"}'

# --- inputs that cannot be opened

status_is 66 'a missing file' fsl-file import no-such-file
status_is 66 'a directory' fsl-file import .
status_is 66 'an empty name' fsl-file import ''

is "$(sql 'SELECT count(*), sum(loader IS NOT NULL) FROM files')" '1|0' 'of all that nothing was stored'
is "$(sql 'SELECT count(*) FROM lines') $(sql 'SELECT count(*) FROM templates')" '1 1' 'no line of it either'

# --- state files that are not ours

foreign() { # foreign STATUS RULE: fsl.db as it is
	sum=$(cksum <fsl.db)
	status_is "$1" "$2" fsl-file import good.jsonl
	status_is "$1" "$2, also for list" fsl-file list
	is "$(cksum <fsl.db)" "$sum" 'and it was not touched'
}
cp fsl.db ours.db
sqlite3 fsl.db 'PRAGMA user_version = 2' 
foreign 78 'a state file of a newer version'
like "$(cat err)" 'newer' 'the message says what to do'
sqlite3 fsl.db 'PRAGMA user_version = 1; PRAGMA application_id = 7'
foreign 78 'a database of another application'
rm -f fsl.db*
sqlite3 fsl.db 'CREATE TABLE t (x)'
foreign 78 'a database without an application id'
rm -f fsl.db*
echo 'this is some text, and long enough to be taken for a header of something' >fsl.db
foreign 78 'no database at all'
rm -f fsl.db*
cp ours.db fsl.db
ln fsl.db second.db
foreign 78 'a hard link'
rm second.db
ln -s fsl.db link.db
status_is 0 'a symbolic link is fine' fsl-file -D link.db import good.jsonl
ok 'the log belongs to the real name' test ! -e link.db-fsl -a -e fsl.db-fsl
rm -f fsl.db*
mkdir fsl.db
status_is 78 'a directory' fsl-file import good.jsonl
rmdir fsl.db
status_is 5 'no state file: there is nothing to list' fsl-file list

done_testing
