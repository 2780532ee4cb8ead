#!/bin/sh
# make demo shows on one screen what the programs do (scripts/demo).
. "${0%/*}/tap.sh"

status_is 0 "-h explains it" "$TOP/scripts/demo" -h
like "$(head -n 1 out)" '^usage: demo$' "with its usage"
status_is 64 "an unknown option is refused" "$TOP/scripts/demo" -x

status_is 0 "it comes out as it should" "$TOP/scripts/demo"
ok "and says nothing on stderr" [ ! -s err ]
lines=$(wc -l <out)
ok "it fits on one screen ($lines lines)" [ "$lines" -le 45 ]
is "$(awk 'length > 100' out)" "" "of 100 columns"
is "$(sed -n 's/^\$ \(fsl-[a-z]*\( [a-z][a-z]*\)\{0,1\}\).*/\1/p' out | paste -sd,)" \
	"fsl-file import,fsl-batch create,fsl-run,fsl-batch errors,fsl-batch retry,fsl-run,fsl-batch results" \
	"each command is shown"
like "$(cat out)" '33 completed, 3 failed' "three questions fail"
like "$(cat out)" '36 completed, 0 failed, 0 left; 3 attempts' "only they are sent once more"
like "$(cat out)" '^All 36 results' "and there are 36 results"
is "$(ls -A "$TMPDIR")" "" "nothing is left behind"
is "$(awk 'END { print NR }' "$TOP/tests/data/questions.jsonl")" 36 "there are 36 questions"
status_is 0 "in the format of the service" \
	fsl-file check --strict "$TOP/tests/data/questions.jsonl"

done_testing
