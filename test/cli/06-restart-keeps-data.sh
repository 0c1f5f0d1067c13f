#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at any moment: what was durable is there again, and the peers go on from there.
. "$(dirname "$0")/lib.sh"
node a
node b
up a; up b
check_here "two nodes share a bucket" share data a b
redis a --pipe >/dev/null 2>&1 < <(
    for i in $(seq 3000); do printf 'SET k:%d %d\r\n' "$i" "$i"; done
)
redis a sadd s x y z >/dev/null
redis a incrby n 41 >/dev/null
redis a hset h f 1 g 2 >/dev/null
redis a expire k:1 1000 >/dev/null
check_here "the writes are durable" rj a sync data
check_here "it is killed" kill9 a
check_here "it starts again" up a
is "strings are there" "$(redis a get k:3000)" 3000
is "... all of them" "$(redis a dbsize)" 3003
is "sets are there" "$(redis a scard s)" 3
is "hashes are there" "$(redis a hget h g)" 2
is "counters are there and go on" "$(redis a incr n)" 42
[ "$(redis a ttl k:1)" -gt 900 ]
result $? "deadlines are there"
check "the peer has it all" await 60 value_is b n 42
check "the digests agree" await 60 same_digest data a b

for i in 1 2 3; do
    redis a set "round:$i" before >/dev/null
    redis a --pipe >/dev/null 2>&1 < <(
        for k in $(seq 20000); do printf 'SET r:%d:%d x\r\n' "$i" "$k"; done
    ) &
    writer=$!
    await 60 value_is a "r:$i:100" x
    kill9 a
    wait $writer 2>/dev/null
    up a || break
    redis b incr rounds >/dev/null
done
is "killed in the midst of writing, three times: it is up" "$(redis a ping)" PONG
check "... and hears of the other's writes" await 60 value_is a rounds 3
check "... and both agree" await 60 same_digest data a b
is "writes after it count once" "$(redis a incr n)" 43
check "... there as well" await 60 value_is b n 43
done_testing
