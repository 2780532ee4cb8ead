# shellcheck shell=sh
# tap: what a test of the programs is written with.  Output is TAP.
#
#     #!/bin/sh
#     . "${0%/*}/tap.sh"
#
#     server_start API --mode openai
#     status_is 0 "sending works" fsl-run --base-url "$API_URL"
#     is "$(sql 'SELECT count(*) FROM request')" 3 "each request is stored"
#     done_testing
#
# A test names the rule it checks.  It runs in a directory of its own, removed
# at the end (not with TAP_KEEP=1).  There are
#
#     BUILD      where the programs are (build in the top directory), first in PATH
#     TOP        the top directory: $TOP/tests/data/...
#     FSL_DB     $PWD/fsl.db; every other FSL_*, OPENAI_* and *_proxy is unset
#     HOME, XDG_STATE_HOME, XDG_CONFIG_HOME, TMPDIR   in $PWD/home
#
# Descriptor 9 belongs to this file, and so does every name with tap_ or TAP_.
# A command given to a function below may be a function of the test.

set -u

# tap_result STATUS RULE: the line of a test; 0 if it passed.
tap_result() {
	tap_count=$((tap_count + 1))
	if [ "$1" -eq 0 ]; then
		printf 'ok %d - %s\n' "$tap_count" "$2"
		return 0
	fi
	tap_failed=$((tap_failed + 1))
	printf 'not ok %d - %s\n' "$tap_count" "$2"
	return 1
}

# diag TEXT...: a line for people, also of several lines.
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

# tap_show TITLE FILE: what a command printed, if it did.
tap_show() {
	[ -s "$2" ] || return 0
	diag "$1:"
	# shellcheck disable=SC1003 # $a\ of sed ends the last line
	sed -e 's/^/#   /' -e '$a\' "$2"
}

# ok RULE COMMAND...: it succeeds.  What it prints is shown if it does not.
ok() {
	tap_rule=$1
	shift
	"$@" >"$TAP_DIR/ok.out" 2>"$TAP_DIR/ok.err" 9>&-
	tap_status=$?
	tap_result $tap_status "$tap_rule" && return
	diag "status $tap_status: $*"
	tap_show stdout "$TAP_DIR/ok.out"
	tap_show stderr "$TAP_DIR/ok.err"
	return 1
}

# not COMMAND...: for ok and wait_for.
not() { ! "$@"; }

# ok_if STATUS RULE: ok_if $? "it works"
ok_if() {
	tap_result "$1" "$2" && return
	diag "status $1"
	return 1
}

# is GOT WANT RULE
is() {
	[ "$1" = "$2" ]
	tap_result $? "$3" && return
	diag "got:  $1"
	diag "want: $2"
	return 1
}

# like TEXT PATTERN RULE: a line of the text matches (grep -E); unlike: none does.
tap_matches() { printf '%s\n' "$1" | grep -Eq -e "$2"; }

like() {
	tap_matches "$1" "$2"
	tap_result $? "$3" && return
	diag "nothing like: $2"
	diag "in: $1"
	return 1
}

unlike() {
	not tap_matches "$1" "$2"
	tap_result $? "$3" && return
	diag "something like: $2"
	diag "in: $1"
	return 1
}

# status_is STATUS RULE COMMAND...: it ends with that status.  What it prints is
# in the files out and err afterwards; while it runs they are the ones before.
status_is() {
	tap_want=$1 tap_rule=$2
	shift 2
	"$@" >"$TAP_DIR/out" 2>"$TAP_DIR/err" 9>&-
	tap_status=$?
	mv "$TAP_DIR/out" out
	mv "$TAP_DIR/err" err
	[ $tap_status -eq "$tap_want" ]
	tap_result $? "$tap_rule" && return
	diag "status $tap_status, not $tap_want: $*"
	tap_show stdout out
	tap_show stderr err
	return 1
}

# skip WHY RULE: in place of one test.
skip() {
	tap_count=$((tap_count + 1))
	printf 'ok %d - %s # SKIP %s\n' "$tap_count" "$2" "$1"
}

# sql STATEMENT: what $FSL_DB answers, read-only.
sql() { sqlite3 -readonly -cmd '.timeout 10000' "$FSL_DB" "$1"; }

# wait_for SECONDS COMMAND...: until it succeeds; fails when the time is over,
# with what the command printed last.
wait_for() {
	tap_limit=$1
	shift
	tap_end=$(($(date +%s%3N) + tap_limit * 1000))
	until "$@" >"$TAP_DIR/wait" 2>&1; do
		if [ "$(date +%s%3N)" -ge "$tap_end" ]; then
			{
				diag "not within $tap_limit s: $*"
				tap_show output "$TAP_DIR/wait"
			} >&2
			return 1
		fi
		sleep 0.005
	done
}

# server_start NAME [httpd option...]: a server that listens when this returns
# (tests/http/httpd.c).  NAME is in capitals; sets NAME_PORT and NAME_URL
# (http://127.0.0.1:PORT), and url to the latter.  Not for a subshell.
server_start() {
	tap_name=$1
	shift
	rm -f "$TAP_DIR/port"
	mkfifo "$TAP_DIR/port" || tap_bail "no FIFO for server $tap_name"
	"$BUILD/tests/httpd" --stdin "$@" <"$TAP_DIR/hold" >"$TAP_DIR/port" \
		2>"$TAP_DIR/$tap_name.server" 9>&- &
	tap_pid=$!
	tap_servers="$tap_servers $tap_name"
	tap_port=
	read -r tap_port <"$TAP_DIR/port" || :
	eval "TAP_PID_$tap_name=$tap_pid ${tap_name}_PORT=\$tap_port" \
		"${tap_name}_URL=http://127.0.0.1:\$tap_port"
	# shellcheck disable=SC2034 # for the test
	url=http://127.0.0.1:$tap_port
	[ -n "$tap_port" ] || tap_bail "server $tap_name did not start"
}

# server_stop NAME: ends it, if it still runs, and shows what it complained of.
# Fails if it did not end well.
server_stop() {
	eval "tap_pid=\$TAP_PID_$1"
	tap_left=
	for tap_name in $tap_servers; do
		[ "$tap_name" = "$1" ] || tap_left="$tap_left $tap_name"
	done
	tap_servers=$tap_left
	kill "$tap_pid" 2>/dev/null
	wait "$tap_pid"
	tap_status=$?
	tap_show "server $1" "$TAP_DIR/$1.server"
	[ $tap_status -eq 0 ] && return
	diag "server $1 ended with status $tap_status"
	return 1
}

# stats NAME FILTER: the counters of a server through jq -r, such as .requests
stats() {
	eval "tap_url=\$${1}_URL"
	# shellcheck disable=SC2154 # from eval
	curl -sS "$tap_url/__stats" | jq -r "$2"
}

tap_bail() {
	printf 'Bail out! %s\n' "$1"
	exit 1
}

# done_testing: the last line of a test; without it the plan is missing.
done_testing() {
	printf '1..%d\n' "$tap_count"
	[ "$tap_failed" -eq 0 ]
	exit
}

tap_cleanup() {
	for tap_name in $tap_servers; do
		server_stop "$tap_name"
	done
	jobs -p >"$TAP_DIR/jobs" # what the test left running
	while read -r tap_pid; do
		kill "$tap_pid" 2>/dev/null && wait "$tap_pid"
	done <"$TAP_DIR/jobs"
	exec 9>&-
	cd / || return
	if [ -n "${TAP_KEEP-}" ]; then
		diag "kept: $TAP_DIR/work"
	else
		rm -rf "$TAP_DIR"
	fi
}

TOP=$(cd "${0%/*}/../.." && pwd) || exit
tap_count=0 tap_failed=0 tap_servers=
BUILD=${BUILD:-${FSL_BUILD:-$TOP/build}}
tap_build=$BUILD
BUILD=$(cd "$tap_build" 2>/dev/null && pwd) || tap_bail "no build directory $tap_build"

for tap_name in $(env | sed -n \
	-e 's/^\(FSL_[A-Z0-9_]*\)=.*/\1/p' \
	-e 's/^\(OPENAI_[A-Z0-9_]*\)=.*/\1/p' \
	-e 's/^\([A-Za-z]*_proxy\)=.*/\1/p' -e 's/^\([A-Z]*_PROXY\)=.*/\1/p'); do
	unset "$tap_name"
done
unset COLUMNS NO_COLOR CLICOLOR_FORCE LANGUAGE
umask 022

TAP_DIR=$(mktemp -d "${TMPDIR:-/tmp}/fsl-test.XXXXXX") || exit
trap tap_cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$TAP_DIR/work" && cd "$TAP_DIR/work" || exit
mkdir -p home/tmp home/.config home/.local/state
# The servers read the end of this FIFO when the test is gone, even if it was killed.
mkfifo "$TAP_DIR/hold" && exec 9<>"$TAP_DIR/hold" || exit

HOME=$PWD/home
TMPDIR=$HOME/tmp
XDG_CONFIG_HOME=$HOME/.config
XDG_STATE_HOME=$HOME/.local/state
FSL_DB=$PWD/fsl.db
PATH=$BUILD:$PATH
LC_ALL=C.UTF-8
TZ=UTC
export BUILD TOP HOME TMPDIR XDG_CONFIG_HOME XDG_STATE_HOME FSL_DB PATH LC_ALL TZ
