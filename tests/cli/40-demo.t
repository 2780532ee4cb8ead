#!/bin/sh
# make demo shows on one screen what the programs do (scripts/demo).
. "${0%/*}/tap.sh"

status_is 0 "-h explains it" "$TOP/scripts/demo" -h
like "$(head -n 1 out)" '^usage: demo$' "with its usage"
status_is 64 "an unknown option is refused" "$TOP/scripts/demo" -x

rm -f "$BUILD/letters.svg"
status_is 0 "it comes out as it should" "$TOP/scripts/demo"
ok "and says nothing on stderr" [ ! -s err ]
lines=$(wc -l <out)
ok "it fits on one screen ($lines lines)" [ "$lines" -le 45 ]
is "$(awk 'length > 100' out)" "" "of 100 columns"
batch="fsl-batch create,fsl-run,fsl-batch errors,fsl-batch retry,fsl-run,fsl-batch results"
plan="fletcher-plan publish,fsl-run,fletcher-plan show,fsl-batch results,fletcher-dot"
is "$(sed -n 's/^\$ \(f[a-z]*-[a-z]*\( [a-z][a-z]*\)\{0,1\}\).*/\1/p' out | paste -sd,)" \
	"$batch,$plan" "each command is shown"
like "$(cat out)" '33 completed, 3 failed' "three questions fail"
like "$(cat out)" '36 completed, 0 failed, 0 left; 3 attempts' "only they are sent once more"
like "$(cat out)" '^All 36 results' "and there are 36 results"
is "$(sed -n '/^\$ fletcher-plan show/,/^\$ fsl/s/^\([a-z]*\)	success	6\/6$/\1/p' out | paste -sd,)" \
	"extract,summarize,judge" "then three steps of a plan are done, each with 6 requests"
like "$(cat out)" '^l2 Now: gas' "the last of them was asked of what the second was answered"
like "$(cat out)" "^The picture is .*/letters.svg; " "and it is said where the picture is"
is "$(grep -c '<g id="p-[0-9a-f-]*" class="success">' "$BUILD/letters.svg")" 3 "which has all three"
is "$(ls -A "$TMPDIR")" "" "nothing is left behind"
is "$(awk 'END { print NR }' "$TOP/tests/data/questions.jsonl")" 36 "there are 36 questions"
status_is 0 "in the format of the service" \
	fsl-file check --strict "$TOP/tests/data/questions.jsonl"

script -qec "stty cols 100; $TOP/scripts/demo" /dev/null </dev/null >terminal
lines=$(wc -l <terminal)
ok "with what a terminal gets more it fits on one as well ($lines lines)" [ "$lines" -le 52 ]

done_testing
