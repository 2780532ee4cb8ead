# shellcheck shell=sh
# served: what a server's log tells of the pace of requests, for tests that
# measure it there.  Only functions: it stands before tap.sh in a test, which
# changes the directory.

# models N "A B C" [FIRST]: N lines, of these models in turns; that of r17 has
# the path /v1/r17.  A name that is given twice has twice as many.
models() {
	awk -v n="$1" -v names="$2" -v first="${3:-1}" 'BEGIN {
		k = split(names, m, " ")
		for (i = first; i < first + n; i++)
			printf "{\"custom_id\":\"r%d\",\"url\":\"/v1/r%d\",\"body\":{\"model\":\"%s\"}}\n",
				i, i, m[(i - 1) % k + 1]
	}'
}

# arrivals LOG [MODEL] [PATH]: when requests arrived (microseconds), in order.
arrivals() {
	jq -r --arg model "${2-}" --arg path "${3-}" 'select(.n and ($model == "" or .model == $model)
		and ($path == "" or .path == $path)) | .t_us' "$1"
}
# first_arrival LOG [MODEL] [PATH], last_arrival
first_arrival() { arrivals "$@" | head -n 1; }
last_arrival() { arrivals "$@" | tail -n 1; }
# between LOG MODEL FROM TO: how many arrived after one moment and before another.
between() { arrivals "$1" "$2" | awk -v from="$3" -v to="$4" '$1 > from && $1 < to { n++ } END { print n + 0 }'; }
# busiest LOG MODEL MS: the most that arrived within any MS milliseconds.
busiest() {
	arrivals "$1" "$2" | awk -v ms="$3" '
		{ t[NR] = $1; while (t[NR] - t[first + 1] >= ms * 1000) first++ }
		NR - first > most { most = NR - first }
		END { print most + 0 }'
}
# took LOG [MODEL]: milliseconds from the first to the last arrival.
took() { arrivals "$@" | awk 'NR == 1 { first = $1 } { last = $1 } END { print int((last - first) / 1000) }'; }
# at_once LOG MODEL [FROM TO]: the most that were in flight, when one arrived.
at_once() {
	jq -r --arg model "$2" 'select(.n and .model == $model) | [.t_us, .of_model] | @tsv' "$1" |
		awk -v from="${3:-0}" -v to="${4:-1e18}" '
			$1 > from && $1 < to && $2 > most { most = $2 } END { print most + 0 }'
}

# clock SERVER: the time of its log, in microseconds.
clock() {
	eval "served_url=\$${1}_URL"
	# shellcheck disable=SC2154 # from eval
	curl -sS "$served_url/__now"
}
# most SERVER MODEL...: how many of each were in flight at most, such as "2 5 16".
most() {
	eval "served_url=\$${1}_URL"
	shift
	curl -sS "$served_url/__stats" |
		jq -r '[$ARGS.positional[] as $m | .models[$m].max_in_flight // 0] | join(" ")' --args "$@"
}
