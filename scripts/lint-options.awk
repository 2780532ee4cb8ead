# Compares lists of options (VERB<TAB>--name<TAB>-x<TAB>ARG, files named as the
# programs; "-" for what is not there and for the verb of common options) with
# manuals in mdoc: man/PROGRAM.1 has each option of PROGRAM as Fl and each verb
# as Cm, or man/fsl.7 has it if it is common; and an Fl in a manual is an option
# of the program it speaks of: the one of the page, or the one whose name stands
# before it on the line.  Pages that are of no program speak of all of them.

FNR == 1 {
	manual = FILENAME ~ /[.][157]$/
	page = FILENAME
	sub(/.*\//, "", page)
	program = page
	sub(/[.][157]$/, "", program)
	if (!manual)
		listed[program] = 1
	have_page[page] = 1
}

!manual {
	if (split($0, column, "\t") != 4) {
		print program " --list-options: line " FNR " has not four columns: " $0
		next
	}
	if (column[1] != "-" && !((program, column[1]) in verb_of))
		verb_of[program, column[1]] = 1
	for (i = 2; i <= 3; i++)
		if (column[i] != "-") {
			option_of[program, column[i]] = 1
			known[column[i]] = 1
			if (column[1] == "-")
				common[program, column[i]] = 1
		}
}

manual && /^[.]/ && !/^[.]\\"/ {
	gsub(/\\-/, "-")
	gsub(/\\&/, "")
	gsub(/"/, "")
	about = program
	macro = substr($1, 2)
	for (i = 1; i <= NF; i++) {
		word = i == 1 ? macro : $i
		if (word ~ /^[A-Z][a-z][a-z]?$/)
			macro = word
		else if (word ~ /^[][.,:;()?!|]$/)
			macro = ""
		else if (macro == "Fl") {
			flag[page, "-" word] = 1
			if (about in listed && !((about, "-" word) in option_of) ||
			    !(about in listed) && !(("-" word) in known))
				print FILENAME ":" FNR ": " \
					(about in listed ? about : "no program") " has no -" word
		} else if (macro == "Cm")
			command[page, word] = 1
		else if ((macro == "Nm" || macro == "Xr") && word in listed)
			about = word
	}
}

END {
	for (program in listed)
		if (!((program ".1") in have_page))
			print "man/" program ".1: is missing"
	for (key in option_of) {
		split(key, k, SUBSEP)
		if (!((k[1] ".1") in have_page) || (k[1] ".1", k[2]) in flag ||
		    (k[1], k[2]) in common && ("fsl.7", k[2]) in flag)
			continue
		print "man/" k[1] ".1: does not explain " k[2]
	}
	for (key in verb_of) {
		split(key, k, SUBSEP)
		if ((k[1] ".1") in have_page && !((k[1] ".1", k[2]) in command))
			print "man/" k[1] ".1: does not explain the verb " k[2]
	}
}
