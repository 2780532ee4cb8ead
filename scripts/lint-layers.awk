# Prints the #include lines that break the rules of the rooms.

BEGIN {
	may["base"] = " base "
	may["store"] = " base store "
	may["domain"] = " base store domain "
	may["engine"] = " base store domain engine "
	may["cli"] = " base cli "
	may["cmd"] = " base store domain engine cli "

	# An outside library, and the files that may include it.
	place["sqlite3.h"] = "^lib/store/"
	place["curl/"] = "^(lib/engine/http[^/]*|tests/unit/http[^/]*|tests/bench/[^/]*)[.]c$"
	place["cjson/"] = "^lib/(domain|cli)/"
	place["uuid/"] = "^lib/base/"
	place["xxhash.h"] = "^lib/base/"
	place["graphviz/"] = "^cmd/fletcher-dot[.]c$"
	# Anything else in a directory or unknown is no part of libc.
	libc = "^(arpa|asm|bits|linux|net|netinet|sys)/|" \
		"^(assert|ctype|dirent|endian|err|errno|fcntl|fnmatch|ftw|getopt|grp|inttypes|langinfo|" \
		"libgen|limits|locale|malloc|math|netdb|poll|pthread|pwd|regex|sched|search|signal|spawn|" \
		"stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|" \
		"syslog|termios|threads|time|unistd|utime|wchar|wctype)[.]h$"
}

function wrong(why) { print FILENAME ":" FNR ": " why }

# The key of place[] that a header belongs to, or "".
function library(header,    key) {
	for (key in place)
		if (header == key || key ~ /\/$/ && index(header, key) == 1)
			return key
	return ""
}

FNR == 1 {
	n = split(FILENAME, part, "/")
	room = part[1] == "lib" ? part[2] : part[1]
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	header = $0
	sub(/^[^<]*</, "", header)
	sub(/>.*/, "", header)
	lib = library(header)
	if (lib != "") {
		if (room != "tests" && FILENAME !~ place[lib] ||
		    lib == "curl/" && FILENAME !~ place[lib])
			wrong("<" header "> does not belong here")
	} else if (header !~ libc && room != "tests")
		wrong("<" header "> is not of libc")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	header = $0
	sub(/^[^"]*"/, "", header)
	sub(/".*/, "", header)
	from = header
	sub(/\/.*/, "", from)
	if (header == "schema_sql.h") {
		if (FILENAME != "lib/store/schema.c")
			wrong("schema_sql.h is for lib/store/schema.c")
	} else if (header ~ /(^|\/)cmd\// || header ~ /[.]c$/)
		wrong("\"" header "\" is not to be included")
	else if (room == "tests") {
		if (header ~ /^[.]/)
			wrong("\"" header "\": a path begins at lib/ or beside the file")
	} else if (!(room in may))
		wrong("there is no room " room)
	else if (header !~ /^[a-z]+\/[a-z0-9_]+[.]h$/)
		wrong("\"" header "\" is not of the form \"room/noun.h\"")
	else if (!index(may[room], " " from " "))
		wrong(room " does not include " from)
	else if (header ~ /\/internal[.]h$/ && from != room)
		wrong("\"" header "\" stays in its room")
}
