#!/bin/sh
# fsl-run --http2: what a server offers over TLS is used, and nothing that holds
# for HTTP/1.1 is given up: every request ends, no send is without its attempt,
# and the end of one request leaves those beside it alone.
# shellcheck disable=SC2317 # functions are called by their names
. "${0%/*}/state.sh"
. "${0%/*}/tap.sh"

PATH=$PATH:/usr/sbin:/sbin
for tool in nginx openssl; do
	command -v $tool >/dev/null || tap_bail "$tool is missing (scripts/setup test)"
done
nginx -V 2>&1 | grep -q with-http_v2_module || none="nginx has no HTTP/2"
curl -V | grep -q HTTP2 || none="libcurl has no HTTP/2"
if [ "${none-}" ]; then
	skip "$none" "HTTP/2"
	done_testing
fi

# --- a server with TLS before the scripted one

certificates() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem &&
		openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out req.pem &&
		echo subjectAltName=DNS:localhost >names &&
		openssl x509 -req -in req.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
			-extfile names -out cert.pem
}
certificates >certificates.log 2>&1 || tap_bail "openssl: $(tail -n 1 certificates.log)"

# configure PORT BACKEND [DIRECTIVE...]: nginx.conf; port + 1 is without HTTP/2.
configure() {
	[ "$(id -u)" != 0 ] || echo 'user root;'
	cat <<-END
		daemon off;
		worker_processes 1;
		pid nginx.pid;
		events { worker_connections 2000; }
		http {
			log_format lines '\$server_protocol \$connection \$status';
			access_log access.log lines;
			client_body_temp_path tmp1;
			proxy_temp_path tmp2;
			fastcgi_temp_path tmp3;
			uwsgi_temp_path tmp4;
			scgi_temp_path tmp5;
			ssl_certificate cert.pem;
			ssl_certificate_key key.pem;
			upstream backend { server 127.0.0.1:$2; keepalive 100; }
			server {
				listen 127.0.0.1:$1 ssl http2;
				listen 127.0.0.1:$(($1 + 1)) ssl;
				$3
				location / {
					proxy_pass http://backend;
					proxy_http_version 1.1;
					proxy_set_header Connection "";
					proxy_next_upstream off;
				}
			}
		}
	END
}
listens() { curl -sS --cacert ca.pem "https://localhost:$port/__now"; }
gone() { ! kill -0 "$nginx" 2>/dev/null; }
up() { listens || gone; }

# front BACKEND [DIRECTIVE...]: nginx before the server of that name; its log is
# empty.  It ends with the test, however that ends.
front() {
	eval "backend=\$${1}_PORT"
	[ -z "${nginx-}" ] || { kill "$nginx" && wait "$nginx"; }
	for try in 1 2 3 4 5 6 7 8 9 10; do
		port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 20000))
		# shellcheck disable=SC2154 # from eval
		configure $port "$backend" "${2-}" >nginx.conf
		nginx -p "$PWD/" -e error.log -c nginx.conf 2>/dev/null 9>&- &
		nginx=$!
		{ trap 'exit 0' TERM; cat <"$TAP_DIR/hold" & wait; kill $nginx; } 2>/dev/null 9>&- &
		eventually up >/dev/null 2>&1
		gone || break
	done
	gone && tap_bail "nginx: $(tail -n 1 error.log)"
	: >access.log
	curl -sS "http://127.0.0.1:$backend/__reset" >/dev/null
	[ "$try" ] # only counts
}

# sends NAME N STATUS ARGUMENT...: a batch of N lines, over TLS.
sends() {
	name=$1 n=$2 status=$3
	shift 3
	[ -f "$name.jsonl" ] || requests "$n" >"$name.jsonl"
	fsl-batch create --name "$name" --key none --base-url "https://localhost:$port" "$name.jsonl" >/dev/null
	status_is "$status" "$name: the status" fsl-run --cacert ca.pem "$@" "$name"
}
counts() { sql "SELECT completed || ' ' || failed FROM batches WHERE name = '$1'"; }
attempts() { # attempts NAME [WHERE]
	sql "SELECT count(*) FROM attempts a JOIN batches b ON b.id = a.request >> 32
		WHERE name = '$1' ${2:+AND $2}"
}
versions() { cut -d ' ' -f 1 access.log | sort -u | paste -s -d ' '; }
connections() { cut -d ' ' -f 2 access.log | sort -u | wc -l; }
# all_sends_known NAME BACKEND: as many answers as the server gave, and no send
# without an attempt.
all_sends_known() {
	hits=$(stats "$2" .requests)
	is "$(attempts "$1" "a.status IS NOT NULL")" "$hits" "$1: as many answers as the server gave"
	sound "$1"
}

# --- one connection, many requests

server_start ECHO --mode echo --latency 20 --jitter 20
front ECHO
sends many 1000 0 -j 50 --http2
is "$(counts many)" "1000 0" "all complete"
is "$(versions)" HTTP/2.0 "over HTTP/2, as the server says"
ok "on few connections: $(connections)" test "$(connections)" -le 3
is "$(attempts many)" 1000 "with an attempt each"
is "$(stats ECHO .requests)" 1000 "and sent once"
ok "many at a time: $(stats ECHO .max_in_flight)" test "$(stats ECHO .max_in_flight)" -ge 40
fsl-batch results many | jq -r '[.custom_id, "r\(.response.body.n)"] | select(.[0] != .[1]) | .[0]' >wrong
is "$(cat wrong)" "" "each has its own answer"
sound many
: >access.log
sends plain 100 0 -j 10
is "$(versions)" HTTP/1.1 "without --http2 it is HTTP/1.1"
: >access.log
port=$((port + 1))
sends refused 100 0 -j 10 --http2
is "$(versions)" HTTP/1.1 "and where the server does not offer it"
fsl-batch create --name clear --key none --base-url "$ECHO_URL" plain.jsonl >/dev/null
status_is 0 "and without TLS" fsl-run --http2 clear
echo http2 >config
: >access.log
port=$((port - 1))
FSL_CONFIG=$PWD/config
export FSL_CONFIG
sends config 10 0
is "$(versions)" HTTP/2.0 "the config file may say so"
unset FSL_CONFIG

# --- a server that closes connections

reached() { [ "$(stats "$1" .requests)" -ge "$2" ]; } # for eventually
workers() { cat "/proc/$nginx/task/$nginx/children"; }
is_other() { [ "$(workers)" != "$1" ]; }
front ECHO
requests 1500 >reload.jsonl
for at in 300 700 1100; do
	eventually reached ECHO $at || break
	old=$(workers)
	kill -HUP "$nginx"
	eventually is_other "$old" || break
done &
sends reload 1500 0 -j 50 --http2
wait $!
is "$(counts reload)" "1500 0" "nothing is lost when the server is reloaded"
is "$(versions)" HTTP/2.0 "over HTTP/2 all the while"
all_sends_known reload ECHO
diag "$(attempts reload "a.code = 'recv_error'") were refused, $(connections) connections"

front ECHO "keepalive_requests 30;"
sends often 1000 0 -j 50 --http2 --retry-delay 10ms
is "$(counts often)" "1000 0" "nor when it closes each connection after thirty"
all_sends_known often ECHO
ok "what it refuses then is an attempt, and not sent again behind our back" \
	test "$(attempts often "a.code = 'recv_error'")" -gt 0
diag "$(attempts often "a.code = 'recv_error'") were refused, $(connections) connections"

front ECHO "http2_max_concurrent_streams 4;"
sends narrow 300 0 -j 40 --http2 --retry-delay 10ms
is "$(counts narrow)" "300 0" "nor when few may share one"
all_sends_known narrow ECHO

# It is killed: what was in flight is sent again, as an attempt of its own.
server_start SLOW --mode echo --latency 300
front SLOW
requests 300 >killed.jsonl
for at in 60 120; do
	eventually reached SLOW $at || break
	old=$(workers)
	# shellcheck disable=SC2086 # one or more
	kill -9 $old
	eventually is_other "$old" || break
done &
sends killed 300 0 -j 40 --http2 --retry-delay 10ms
wait $!
is "$(counts killed)" "300 0" "nothing is lost when it is killed"
ok "and what was in flight is sent again" test "$(attempts killed "a.code = 'recv_error'")" -ge 40
ok "no send is without its attempt" test "$(stats SLOW .requests)" -le "$(attempts killed)"
sound killed
is "$(sql "SELECT count(*) FROM attempts WHERE message GLOB '*stream [0-9]*'")" 0 \
	"what is said of it is the same for all"

# --- one ends, the others go on

server_start MIXED --mode fixed --body-size 300000 --latency 50 --rule 'path=/v1/r5,limit=1 => hang' \
	--rule 'path=/v1/r6 => endless' --rule 'path=/v1/r7,limit=1 => drop' --rule 'path=/v1/r8 => status=404' \
	--rule 'path=/v1/r9,limit=1 => truncate=1000'
front MIXED
sends mixed 200 3 -j 40 --http2 --first-byte-timeout 1s --max-response 400k --retry-delay 10ms
is "$(counts mixed)" "198 2" "what is too large or not found fails"
is "$(fsl-batch requests --state failed --columns CUSTOM_ID,CODE mixed | paste -s -d ' ' | tr '\t' :)" \
	"r6:response_too_large r8:-" "these two"
is "$(sql "SELECT (a.request & 4294967295) || ' ' || code FROM attempts a JOIN batches b ON b.id = a.request >> 32
	WHERE name = 'mixed' AND code IS NOT NULL ORDER BY 1")" "5 request_timeout
6 response_too_large
9 recv_error" "one does not answer, one breaks: no other fails"
sound mixed

# Who is not read on would hold up those beside him.
server_start LARGE --mode fixed --body-size 3000000
front LARGE
sends large 40 0 -j 20 --http2 --max-buffer 1M --stall-timeout 5s
is "$(counts large)" "40 0" "answers that come to more than --max-buffer are read on"
is "$(attempts large)" 40 "none is sent twice for it"

# --- stopping

server_start WAIT --mode echo --latency 1000
front WAIT
requests 20 >stopped.jsonl
fsl-batch create --name stopped --key none --base-url "https://localhost:$port" stopped.jsonl >/dev/null
fsl-run --http2 --cacert ca.pem -j 5 stopped 2>/dev/null &
runner=$!
eventually reached WAIT 5
kill -TERM $runner
wait $runner
is $? 143 "a signal"
is "$(counts stopped)" "5 0" "what is in flight finishes, nothing else is sent"
is "$(stats WAIT .requests)" 5 "so the server says"
sound_after_kill stopped

done_testing
