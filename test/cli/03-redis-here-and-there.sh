#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What redis-cli writes at one node is read at the others; concurrent writes merge.
. "$(dirname "$0")/lib.sh"
node a
node b
node c
up a; up b; up c
check_here "three nodes share a bucket" share data a b c

is "redis-cli is answered" "$(redis a ping)" PONG
is "a string is set" "$(redis a set greeting hello)" OK
check "... and read there" await 60 value_is b greeting hello
check "... and there" await 60 value_is c greeting hello
redis b incr visits >/dev/null
redis c incrby visits 5 >/dev/null
redis a incr visits >/dev/null
check "increments at three nodes add up" await 60 value_is a visits 7
check "... everywhere" await 60 value_is c visits 7
redis a sadd colours red green >/dev/null
redis b sadd colours blue >/dev/null
colours() { [ "$(redis "$1" smembers colours | sort | tr '\n' ' ')" = "blue green red " ]; }
check "sets unite" await 60 colours c
check "... here as well" await 60 colours a
redis a hset book title Ulysses year 1922 >/dev/null
redis c hset book author Joyce >/dev/null
fields() { [ "$(redis "$1" hlen book)" = 3 ]; }
check "fields of a hash unite" await 60 fields b
redis b del greeting >/dev/null
check "a deletion travels" await 60 value_is a greeting ""
redis a set brief x ex 3600 >/dev/null
check "an expiring value travels" await 60 value_is b brief x
ttl=$(redis b ttl brief)
check "... with its time to live" test "$ttl" -gt 0 -a "$ttl" -le 3600
redis a pexpire brief 100 >/dev/null
check "... and expires there" await 60 value_is b brief ""
redis a --pipe >"$work/pipe" 2>&1 < <(
    for i in $(seq 5000); do printf 'SET k:%d v:%d\r\n' "$i" "$i"; done
)
has "a mass of writes is taken" "$(cat "$work/pipe")" "errors: 0, replies: 5000"
check "... and arrives" await 60 value_is c k:5000 v:5000
check "sync confirms it" rj a sync data
check "all three have one digest" await 60 same_digest data a b c
is "they count alike" "$(redis a dbsize) $(redis b dbsize)" \
    "$(redis c dbsize) $(redis c dbsize)"
has "INFO speaks of it" "$(redis a info rejoin)" "peers_connected:2"
has "SELECT is refused with a reason" "$(redis a select 3)" "ERR"
has "WATCH is refused with a reason" "$(redis a watch k)" "ERR"
done_testing
