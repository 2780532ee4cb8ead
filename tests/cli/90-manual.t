#!/bin/sh
# The manuals and the README: their examples run as they are printed and print
# what is shown, and what they say of exit statuses and of each other is so.
#
# An example of a manual is a line "$ COMMAND" in a .Bd -literal block of its
# section EXAMPLES; lines "> ..." continue it.  It ends with 0, or with N after
# a line ".\" status N".  The lines below it are what it prints: "..." stands
# for any text.  They are all of its standard output, unless one of them is
# "..." alone, and some of its messages.
#
# An example of the README is a line of a ```sh block; lines that begin with
# white space continue it.  It ends with 0, or with N if it has "# exit N".
. "${0%/*}/tap.sh"

# manual_examples PAGE DIR: the files N.command, N.status and N.shown there.
manual_examples() {
	awk -v dir="$2/" '
	function put(what, text) { print text >(dir n "." what) }
	function end() { if (n) { close(dir n ".command"); close(dir n ".shown") } }
	/^[.]Sh / { on = $2 == "EXAMPLES"; next }
	!on { next }
	/^[.]Bd -literal/ { literal = 1; in_command = shows = 0; next }
	/^[.]Ed/ { literal = 0; next }
	/^[.]\\" status [0-9]+$/ { status = $3; next }
	!literal || /^[.]/ { next }
	{ gsub(/\\&/, ""); gsub(/\\e/, "\\") }
	/^[$] / {
		end()
		n++
		put("command", substr($0, 3))
		put("status", status + 0)
		status = 0
		in_command = shows = 1
		next
	}
	in_command && /^> / { put("command", substr($0, 3)); next }
	shows { in_command = 0; put("shown", $0) }' "$1"
}

# What needs a network, a password or a key is not run.
readme_examples() {
	awk -v dir="$2/" '
	function put(what, text) { print text >(dir n "." what) }
	/^```/ { on = $0 == "```sh"; next }
	!on || /^$/ || /^#/ { next }
	/^(git clone|make|sudo make install|export OPENAI_API_KEY=)/ { next }
	/^[ \t]/ { put("command", $0); next }
	{
		if (n)
			close(dir n ".command")
		n++
		put("command", $0)
		put("status", match($0, /# exit [0-9]+/) ? substr($0, RSTART + 7, RLENGTH - 7) : 0)
	}' "$1"
}

# shown SHOWN: the files out and err have what it says.
# shellcheck disable=SC2317 # ok calls it
shown() {
	awk '
	function pattern(text) {
		gsub(/[][\\.^$*+?(){}|]/, "\\\\&", text)
		gsub(/\\[.]\\[.]\\[.]/, ".*", text)
		return "^" text "$"
	}
	FNR == 1 { file++ }
	FILENAME == ARGV[1] { if ($0 == "...") more = 1; else want[++wants] = $0; next }
	{
		for (i = 1; i <= wants; i++)
			if (!(i in found) && $0 ~ pattern(want[i])) {
				found[i] = 1
				next
			}
		if (FILENAME == "out" && !more) {
			print "is not shown: " $0
			bad = 1
		}
	}
	END {
		for (i = 1; i <= wants; i++)
			if (!(i in found)) {
				print "is not printed: " want[i]
				bad = 1
			}
		exit bad
	}' "$1" out err
}

# shellcheck disable=SC2317 # status_is calls it
example() { eval "$command"; }

# run_examples: those of $page, in a directory of their own, in their order.
run_examples() {
	at=$TAP_DIR/examples/$page
	mkdir -p "$page" "$at"
	cd "$page" || tap_bail "no directory $page"
	inputs
	case $page in
	README.md) readme_examples "$TOP/README.md" "$at" ;;
	*) manual_examples "$TOP/man/$page" "$at" ;;
	esac
	export FSL_DB="$PWD/fsl.db"
	n=1
	while [ -e "$at/$n.command" ]; do
		command=$(cat "$at/$n.command")
		rule="$page: $(head -n 1 "$at/$n.command" | sed 's/ *#.*//')"
		status_is "$(cat "$at/$n.status")" "$rule" example
		[ ! -e "$at/$n.shown" ] || ok "$rule: prints what is shown" shown "$at/$n.shown"
		n=$((n + 1))
	done
	ok "$page: has examples" [ $n -gt 1 ]
	cd .. || tap_bail "cannot go back"
}

# The files that the examples speak of.
inputs() {
	seq -f 'question %g' 20 >prompts.txt
	jq -Rnc 'foreach inputs as $t (0; . + 1; {custom_id: "r\(.)", method: "POST",
		url: "/v1/chat/completions", body: {model: "gpt-4o-mini",
		messages: [{role: "user", content: $t}]}})' prompts.txt >in.jsonl
	mkdir -p tests/data
	cp "$TOP/tests/data/letters.json" "$TOP/tests/data/letters.jsonl" "$TOP/tests/data/ask.jq" tests/data
	# README.md makes in.jsonl of all of them; fsl-jsonl(5) shows two answers.
	[ "$page" = README.md ] || { head -n 2 prompts.txt >two && mv two prompts.txt; }
	{
		head -n 1 in.jsonl
		sed -n '1s/question 1/again/p; 3s/"url":"[^"]*",//p' in.jsonl
		tail -n 2 in.jsonl
	} >rows.jsonl
}

# The request r17 fails, until `retry` gives it another Idempotency-Key.
message='{"error":{"message":"Invalid schema for response_format","type":"invalid_request_error","param":null,"code":null}}'
server_start API --mode openai --rule 'header~"Idempotency-Key: -r" => status=200' \
	--rule "body~\"question 17\" => status=400 ; body=$message"
export FSL_BASE_URL="$API_URL"

for page in fsl.7 fsl-file.1 fsl-batch.1 fsl-run.1 fsl-jsonl.5 fletcher-plan.1 fletcher-plan.5 \
	fletcher-dot.1 README.md; do
	run_examples
done
is "$(FSL_DB=README.md/fsl.db fletcher-plan show --plain --columns state @last | uniq)" success \
	"README.md: every step of the plan is done"
is "$(wc -l <README.md/out.jsonl)" 20 "README.md: every request has succeeded in the end"

# --- exit statuses

# statuses PAGE: the codes of its section EXIT STATUS.
statuses() {
	awk '/^[.]Sh / { on = /EXIT STATUS/ }
	on && /^[.]It/ { for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]+$/) print $i }' \
		"$TOP/man/$1" | sort -n
}
in_code() {
	sed -n '/^int err_status/,/^}/s/.*return \([0-9][0-9]*\);.*/\1/p' "$TOP/lib/base/err.c"
	sed -n 's/^\tEXIT_[A-Z]* = \([0-9]*\),.*/\1/p' "$TOP/lib/base/err.h"
	sed -n 's/.*caught\[\] = { \(.*\) };/\1/p' "$TOP/lib/engine/run.c" | tr -d , | tr ' ' '\n' |
		sed -n 's/SIGHUP/129/p; s/SIGINT/130/p; s/SIGTERM/143/p'
}
is "$(statuses fsl.7)" "$(in_code | sort -nu)" "fsl(7): the table of exit statuses is that of the code"
for page in fsl-file.1 fsl-batch.1 fsl-run.1 fletcher-plan.1 fletcher-dot.1; do
	statuses fsl.7 >table
	is "$(statuses $page | grep -vxFf table)" "" "$page: every exit status is in the table"
	ok "$page: lists exit statuses" [ "$(statuses $page | wc -l)" -gt 5 ]
done

# --- references

for page in "$TOP"/man/*.[157]; do
	sed -n 's/^[.]Xr \(fsl[a-z-]*\|fletcher-[a-z]*\) \([0-9]\).*/\1.\2/p' "$page" | sort -u >references
	missing=
	while read -r to; do
		[ -e "$TOP/man/$to" ] || missing="$missing $to"
	done <references
	is "$missing" "" "${page##*/}: the pages of ours that it refers to are there"
done
is "$(grep -o 'man/[a-z-]*\.[157]' "$TOP/README.md" | sort -u)" \
	"$(cd "$TOP" && printf '%s\n' man/*.[157] | sort)" "README.md: names every manual"

done_testing
