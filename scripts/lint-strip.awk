# Prints C source as FILE:LINE:CODE without its comments; strings stay.

FNR == 1 { in_comment = 0 }

{
	out = ""
	rest = $0
	while (rest != "") {
		if (in_comment) {
			if (!match(rest, /\*\//))
				break
			rest = substr(rest, RSTART + 2)
			in_comment = 0
		} else if (match(rest, /"([^"\\]|\\.)*"|'([^'\\]|\\.)*'|\/\*|\/\//)) {
			token = substr(rest, RSTART, RLENGTH)
			out = out substr(rest, 1, RSTART - 1)
			rest = substr(rest, RSTART + RLENGTH)
			if (token == "//")
				break
			if (token == "/*")
				in_comment = 1
			else
				out = out token
		} else {
			out = out rest
			break
		}
	}
	if (out ~ /[^ \t]/)
		print FILENAME ":" FNR ":" out
}
