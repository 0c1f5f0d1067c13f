#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The page, metrics and health over HTTP, and who is kept out.
. "$(dirname "$0")/lib.sh"
command -v curl >/dev/null || { echo "1..0 # skip curl is not there"; exit 77; }
node a
node b
free_port; web=$port
rj a config set port.web "$web"
base=http://127.0.0.1:$web
up a
up b
share data a b
redis a set k v >/dev/null
url=$(rj a web)
[[ $url == "$base/?token="* ]]
result $? "rejoin web prints the address with its token"
token=${url#*token=}
get() { curl -sS --max-time 60 "$@"; }
code() { get -o /dev/null -w '%{http_code}' "$@"; }

is "health is open" "$(get "$base/healthz")" "ok"
is "without the token there is no page" "$(code "$base/")" 401
is "a wrong token is none" "$(code "$base/?token=0000")" 401
is "the token becomes a cookie" "$(code -L -c "$work/jar" "$url")" 200
is "... that opens the page" "$(code -b "$work/jar" "$base/")" 200
has "... which is kept from other sites" "$(get -D - -o /dev/null -b "$work/jar" "$base/")" \
    "frame-ancestors 'none'"
bearer=(-H "Authorization: Bearer $token")
has "the status is there as JSON" "$(get "${bearer[@]}" "$base/status.json")" '"name":"a"'
is "a wrong bearer is refused" "$(code -H 'Authorization: Bearer x' "$base/status.json")" 401
metrics=$(get "$base/metrics")
has "metrics count keys" "$metrics" 'rejoin_space_keys{space="data"} 1'
has "... and know the peers" "$metrics" 'rejoin_peer_connected{peer="b",'
[ -z "$(grep -vE '^(# (HELP|TYPE) rejoin_[a-z_]+ .+|rejoin_[a-z_]+(\{[^}]*\})? [0-9]+)$' \
    <<<"$metrics")" ]
result $? "... in Prometheus' format, every line"

is "a foreign Host is refused" "$(code -H 'Host: evil.example' "$base/healthz")" 421
is "... with our port, too" "$(code -H "Host: evil.example:$web" "$base/healthz")" 421
is "... and another port" "$(code -H 'Host: 127.0.0.1:1' "$base/healthz")" 421
is "localhost is our name" "$(code -H "Host: localhost:$web" "$base/healthz")" 200
is "a foreign Origin is refused" "$(code -H 'Origin: http://evil.example' "$base/healthz")" 403
is "our own is not" "$(code -H "Origin: $base" "$base/healthz")" 200
is "nothing can be changed" "$(code -X POST -d x "$base/healthz")" 405
is "what is not there is said" "$(code "$base/nothing")" 404
is "a path with dots is no file" "$(code --path-as-is "$base/../../etc/passwd")" 404
is "a head line that does not end is refused" \
    "$(code -H "X: $(head -c 40000 /dev/zero | tr '\0' x)" "$base/healthz")" 431

stream() { curl -sSN --max-time 100 "${bearer[@]}" "$base/events" >"$1"; }
stream "$work/events" &
helpers+=($!)
events() { [ "$(grep -c '^data: {.*}$' "$work/events")" -ge "$1" ]; }
check "events come" await 60 events 2
# Who opens streams and never reads is no burden to the others.
for _ in $(seq 40); do
    exec {fd}<>"/dev/tcp/127.0.0.1/$web"
    printf 'GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n' \
        "$token" >&"$fd"
done
before=$(grep -c '^data: ' "$work/events")
check "... also beside forty that never read" await 60 events $((before + 2))
is "... and the node answers" "$(redis a get k)" v
down b
down_seen() { tail -n 2 "$work/events" | grep -q '"connected":false'; }
check "an event tells who is gone" await 60 down_seen
pid_a=${pid[a]}
down a
check "a node with open streams ends" await 60 gone "$pid_a"

rj a config set port.web "${port_resp[a]}"
rj a up >"$work/up" 2>&1
is "a port that is taken, if asked for, is an error" $? 1
has "... that says what to type" "$(cat "$work/up")" "rejoin config set port.web"
done_testing
