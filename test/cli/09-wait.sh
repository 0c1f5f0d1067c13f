#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# WAIT: others have received it; WAITAOF: it is durable there.
. "$(dirname "$0")/lib.sh"
node a
node b
node c
up a; up b; up c
check_here "three nodes share a bucket" share data a b c

# Commands of one connection, their replies joined by blanks.
session() { local n=$1; shift; printf '%s\n' "$@" | redis "$n" | tr '\n' ' '; }

is "WAIT 2 counts both others" "$(session a 'SET k 1' 'WAIT 2 100000')" "OK 2 "
is "WAITAOF counts this node and both others" "$(session a 'SET k 2' 'WAITAOF 1 2 100000')" \
    "OK 1 2 "
is "... b has it" "$(redis b get k)" 2
is "... c has it" "$(redis c get k)" 2
start=$(date +%s%N)
is "WAIT for more than there are gives up in time" \
    "$(session a 'SET k 3' 'WAIT 2 100000' 'WAIT 5 300')" "OK 2 2 "
[ $(($(date +%s%N) - start)) -ge 300000000 ]
result $? "... and not before"
is "without a write nothing is waited for" "$(session b 'GET k' 'WAITAOF 0 0 0' |
    cut -d' ' -f1)" 3
check_here "one goes away" down c
is "WAIT counts one now" "$(session a 'SET k 4' 'WAIT 1 100000' 'WAIT 2 500')" "OK 1 1 "
is "WAITAOF too" "$(session a 'SET k 5' 'WAITAOF 1 1 100000' 'WAITAOF 1 2 500')" \
    "OK 1 1 1 1 "
(
    await 60 value_is a waiting yes
    REJOIN_HOME=$work/c rejoin up >"$work/up" 2>&1
) &
is "a WAIT that is under way sees it come back" \
    "$(session a 'SET waiting yes' 'WAIT 2 100000')" "OK 2 "
wait $!
up c
is "commands behind a WAIT are answered in order" \
    "$(session a 'SET o 1' 'WAIT 2 100000' 'GET o' 'PING')" "OK 2 1 PONG "
is "WAIT through bucket run" "$(rj a bucket run data WAIT 0 100)" 2
check "sync agrees" rj a sync --wait
done_testing
