#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Channels at a node, and keyspace events: of local writes, of writes that arrive from
# another node, of the command line.
. "$(dirname "$0")/lib.sh"
node a
node b
up a
up b
check_here "a bucket of two nodes" share data a b

# listen NAME NODE COMMAND...: what a client hears, into $work/NAME
listen() {
    local name=$1 node=$2
    shift 2
    # redis-cli leaves at the end of its input: it gets one that stays open.
    mkfifo "$work/$name.in"
    redis-cli -p "${port_resp[$node]}" --csv "$@" <"$work/$name.in" >"$work/$name" 2>&1 &
    helpers+=($!)
    exec {hold}>"$work/$name.in"
    await 60 grep -q subscribe "$work/$name"
}
heard() { grep -qF "$2" "$work/$1"; }

listen one a SUBSCRIBE news
listen two a PSUBSCRIBE 'n*'
is "a message reaches those who listen" "$(redis a publish news hello)" 2
check "... by name" await 60 heard one '"message","news","hello"'
check "... by pattern" await 60 heard two '"pmessage","n*","news","hello"'
is "who listens is told" "$(redis a pubsub numsub news | tr '\n' ' ')" "news 1 "

redis b publish news 'from b' >/dev/null
check "a message from another node reaches them" await 60 heard one '"message","news","from b"'
check "... by pattern, too" await 60 heard two '"pmessage","n*","news","from b"'

check "events are switched on" redis b config set notify-keyspace-events KEA
is "... and shown" "$(redis b config get notify-keyspace-events | tail -n 1)" AKE
listen events b PSUBSCRIBE '__key*__:*'
redis b set here v >/dev/null
check "a local write is told" await 60 heard events '"__keyspace@0__:here","set"'
check "... by what happened too" await 60 heard events '"__keyevent@0__:set","here"'
redis a set there v EX 1000 >/dev/null
check "a write from elsewhere is told" await 60 heard events '"__keyspace@0__:there","set"'
check "... with its deadline" await 60 heard events '"__keyspace@0__:there","expire"'
redis a sadd s x >/dev/null
redis a srem s x >/dev/null
check "an element from elsewhere" await 60 heard events '"__keyspace@0__:s","sadd"'
check "... and its removal" await 60 heard events '"__keyspace@0__:s","srem"'
check "... and what that leaves" await 60 heard events '"__keyspace@0__:s","del"'
redis a del there >/dev/null
check "a key deleted elsewhere" await 60 heard events '"__keyspace@0__:there","del"'
rj b -q bucket put data by-hand v
check "the command line is told" await 60 heard events '"__keyspace@0__:by-hand","set"'
is "where events are off nothing is told" "$(redis a config get notify-keyspace-events |
    tail -n 1)" ""

rj a -q bucket add other
redis a --no-auth-warning --user other --pass x publish news apart >/dev/null
redis a publish news together >/dev/null
check "buckets do not hear each other" await 60 heard one '"message","news","together"'
! heard one apart
result $? "... really not"

rj a -q bucket set other durability=always
redis a config set notify-keyspace-events KEA >/dev/null
listen four a --no-auth-warning --user other --pass x SUBSCRIBE __keyevent@0__:set
redis a --no-auth-warning --user other --pass x set careful v >/dev/null
check "an event of a write that is durable first" await 60 heard four \
    '"message","__keyevent@0__:set","careful"'

# One that never reads: a subscriber may owe 32 MiB, and what the system takes meanwhile.
exec 9<>"/dev/tcp/127.0.0.1/${port_resp[a]}"
printf 'SUBSCRIBE flood\r\n' >&9
listens() { [ "$(redis a publish flood first)" = 1 ]; }
check "one more listens" await 60 listens
head -c 4194304 /dev/zero | tr '\0' x >"$work/text"
flood() {
    for _ in $(seq 40); do
        [ "$(redis a -x publish flood <"$work/text")" = 0 ] && return
    done
    return 1
}
check "who does not read is cut" flood
exec 9<&-
is "the others are still there" "$(redis a publish news still)" 2
check "... and hear" await 60 heard one '"message","news","still"'
done_testing
