#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Garbage, the wrong TLS and a crowd at the peer port; the node goes on.
. "$(dirname "$0")/lib.sh"
node a
node b
up a; up b
check_here "two nodes share a bucket" share data a b
redis a set k 0 >/dev/null
check "they are in sync" await 60 value_is b k 0
peer=127.0.0.1/${port_peer[a]}

for i in 1 2 3 4 5; do
    { head -c $((i * 3000)) /dev/urandom >"/dev/tcp/$peer"; } 2>/dev/null
done
{ printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' >"/dev/tcp/$peer"; } 2>/dev/null
check "garbage does not end it" rj a status
redis a set k 1 >/dev/null
check "... and the peers stay in sync" await 60 value_is b k 1

connect() { timeout 90 openssl s_client -ign_eof -connect "127.0.0.1:${port_peer[a]}" "$@" </dev/null; }
out=$(connect -tls1_2 2>&1)
has "TLS 1.2 is refused" "$out" "alert protocol version"
[[ $out != *"New, TLSv1.2"* ]]
result $? "... without a session"
out=$(connect -tls1_3 2>&1)
has "TLS 1.3 without a key of its own is refused" "$out" "alert"
openssl req -x509 -newkey ed25519 -nodes -keyout "$work/x.key" -out "$work/x.crt" \
    -subj /CN=x -days 1 2>/dev/null
# It gets the hello that everybody gets, and then the end, for it brings no ticket.
printf 'hello' | timeout 90 openssl s_client -connect "127.0.0.1:${port_peer[a]}" -tls1_3 \
    -alpn rejoin/1 -cert "$work/x.crt" -key "$work/x.key" -quiet >"$work/said" 2>&1
[ $? != 124 ]
result $? "a stranger with a key of its own is sent away"
check "... and the node goes on" rj a status
redis a set k 2 >/dev/null
check "... and the peers stay in sync" await 60 value_is b k 2

# A thousand connections that never say anything, while the peer has to reconnect.
ulimit -n 2048 2>/dev/null
declare -a fds=()
if [ "$(ulimit -n)" -ge 1100 ]; then
    opened=0
    for i in $(seq 1000); do
        { exec {fd}<>"/dev/tcp/$peer"; } 2>/dev/null && fds+=("$fd") && opened=$((opened + 1))
    done
    [ $opened -ge 900 ]
    result $? "a crowd of $opened half-open connections is there"
    is "Redis clients are served meanwhile" "$(redis a ping)" PONG
    redis a set k 3 >/dev/null
    check "an established peer stays in sync" await 60 value_is b k 3
    down b
    up b
    redis b set k 4 >/dev/null
    check "one that reconnects gets through the crowd" await 60 value_is a k 4
    for fd in "${fds[@]}"; do exec {fd}>&-; done
else
    echo "ok $((count += 1)) - a crowd # skip no more than $(ulimit -n) descriptors"
fi

# The control socket and the Redis port take nothing either.
head -c 5000 /dev/urandom >"$work/noise"
for i in 1 2 3; do
    timeout 5 redis-cli -p "${port_resp[a]}" --pipe-timeout 1 --pipe <"$work/noise" >/dev/null 2>&1
done
is "noise at the Redis port does not end it" "$(redis a ping)" PONG
perl -MIO::Socket::UNIX -e '
    my $noise = join "", map { chr int rand 256 } 1 .. 5000;
    for my $data ($noise, "\xff\xff\xff\xff", "\0\0\0\5hello", "\0\0\0\1\xa0") {
        my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or exit 1;
        $s->syswrite($data);
        $s->sysread(my $answer, 100); # it hangs up
    }' "$work/a/run/control" || echo "# the noise was not sent"
check "noise at the control socket does not end it" rj a status
check "the digests agree" await 60 same_digest data a b
done_testing
