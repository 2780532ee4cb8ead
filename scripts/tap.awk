# Reads the TAP of one test program; prints a line about it and what failed.
# Variables: name, status (of the program), limit (s), ms, tap (its path), said
# (the file of sanitizer reports), counts (a file to write the numbers to).
# Exits with 1 if anything failed.

function failure(why) {
	failed++
	detail = detail "    " why "\n"
}

{ lines[NR] = $0 }
/^1\.\.[0-9]+/ && !planned {
	planned = 1
	plan = substr($1, 4) + 0
	if (plan == 0)
		skipped++
}
/^Bail out!/ { failure($0) }
/^(not )?ok($| )/ { ran++ }
/^ok($| )/ {
	if (toupper($0) ~ /# *SKIP/)
		skipped++
	else
		passed++
}
/^not ok($| )/ { failure($0) }
# Diagnostics belong to the "not ok" before them.
/^#/ { if (after_failure) detail = detail "        " $0 "\n" }
!/^#/ { after_failure = /^not ok($| )/ }

END {
	own = failed
	if (status == 124 || status == 137)
		failure("did not end within " limit " s")
	else if (status > 128)
		failure("ended by signal " status - 128)
	else if (status && !(own && status == 1))
		failure("ended with status " status)
	if (!planned)
		failure("printed no plan (1..N)")
	else if (ran != plan)
		failure("ran " ran + 0 " of " plan " tests")
	while ((getline line < said) > 0)
		if (++n_said <= 60)
			report = report "        " line "\n"
	if (n_said > 60)
		report = report "        ... and " n_said - 60 " lines more in " said "\n"
	if (report != "")
		failure("a sanitizer or valgrind reported:\n" report)

	printf "%-28s %5d passed", name, passed
	if (failed)
		printf ", %d FAILED", failed
	if (skipped)
		printf ", %d skipped", skipped
	printf "  %d.%02d s\n", ms / 1000, ms % 1000 / 10
	if (failed) {
		printf "%s", detail
		print "    the end of " tap ":"
		for (i = NR > 15 ? NR - 14 : 1; i <= NR; i++)
			print "        " lines[i]
	}
	print passed + 0, failed + 0, skipped + 0 > counts
	exit failed > 0
}
