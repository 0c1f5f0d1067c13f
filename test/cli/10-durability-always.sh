#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Durability always: a reply means that the write survives kill -9, right after it.
. "$(dirname "$0")/lib.sh"
node a
up a
check "a bucket of durability always" rj a bucket add data --durability always
has "it says so" "$(rj a bucket show data)" "always"
lost=0
for i in $(seq 10); do
    [ "$(redis a set "k$i" "v$i")" = OK ] || lost=$((lost + 1))
    kill9 a
    up a || break
    [ "$(redis a get "k$i")" = "v$i" ] || lost=$((lost + 1))
done
is "ten writes, each followed by kill -9: none is lost" "$lost" 0
is "... all are there" "$(redis a dbsize)" 10

# What was acknowledged in a stream that is cut by kill -9.
for i in $(seq 30000); do printf 'SET s:%d %d\r\n' "$i" "$i"; done >"$work/stream"
exec {fd}<>"/dev/tcp/127.0.0.1/${port_resp[a]}"
cat "$work/stream" >&"$fd" 2>/dev/null &
writer=$!
timeout 120 head -c 25000 <&"$fd" >"$work/replies"
kill9 a
wait $writer 2>/dev/null
exec {fd}>&-
acknowledged=$(grep -c OK "$work/replies")
[ "$acknowledged" -ge 1000 ]
result $? "$acknowledged writes were acknowledged before the kill"
up a
is "the last of them is there" "$(redis a get "s:$acknowledged")" "$acknowledged"
missing=$(for i in $(seq "$acknowledged"); do echo "EXISTS s:$i"; done | redis a | grep -c 0)
is "and every one before it" "$missing" 0

check "put waits as well" rj a bucket put data p 1
kill9 a
up a
is "... it is there" "$(rj a bucket get data p)" 1
check "the durability can be changed" rj a bucket set data durability=second
has "... and is" "$(rj a bucket show data)" "second"
down a
up a
has "... still, after a restart" "$(rj a bucket show data)" "second"
is "reads behind writes keep their order" \
    "$(printf 'SET x 1\nGET x\nSET x 2\nGET x\n' | redis a | tr '\n' ' ')" "OK 1 OK 2 "
done_testing
