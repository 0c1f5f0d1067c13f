#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Redis protocol over TLS: with the certificate that is made, and with one that is given.
. "$(dirname "$0")/lib.sh"
redis-cli --help 2>&1 | grep -q -- --tls || { echo "1..0 # skip redis-cli has no TLS"; exit 77; }
command -v openssl >/dev/null || { echo "1..0 # skip openssl is not there"; exit 77; }
node a
free_port; tls=$port
rj a config set port.resps "$tls"
up a
rj a -q bucket add data
made=$work/a/data/resp.crt
over() { timeout 100 redis-cli --tls -p "$tls" --cacert "$@"; }
is "a client that trusts the made certificate talks" "$(over "$made" set k v)" OK
is "... about the same data" "$(redis a get k)" v
is "... also a large value" "$(head -c 300000 /dev/zero | tr '\0' x |
    over "$made" -x set big)" OK
is "... and many commands at once" "$(for i in $(seq 500); do echo "INCR n"; done |
    over "$made" | tail -n 1)" 500
is "the key is private" "$(stat -c %a "$work/a/data/resp.key")" 600
! timeout 100 redis-cli --tls -p "$tls" ping 2>&1 | grep -q PONG
result $? "one that does not trust it goes"
! timeout 20 redis-cli -p "$tls" ping 2>&1 | grep -q PONG
result $? "one without TLS gets no answer"
before=$(sha256sum <"$made")
down a
up a
is "the certificate is kept" "$(sha256sum <"$made")" "$before"

openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 1000 \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout "$work/own.key" -out "$work/own.crt" 2>/dev/null
rj a config set resp.cert "$work/own.crt"
rj a config set resp.key "$work/own.key"
rj a config set resp.ca "$work/own.crt"
down a
up a
! over "$work/own.crt" ping 2>&1 | grep -q PONG
result $? "with resp.ca nobody comes without a certificate"
is "... and with one they do" \
    "$(over "$work/own.crt" --cert "$work/own.crt" --key "$work/own.key" ping)" PONG
down a
echo no >"$work/own.crt"
rj a up >"$work/up" 2>&1
is "a file that is no certificate is an error" $? 2
has "... which names it" "$(cat "$work/up")" "own.crt"
has "... and says what to type" "$(cat "$work/up")" "rejoin config set resp.cert"
done_testing
