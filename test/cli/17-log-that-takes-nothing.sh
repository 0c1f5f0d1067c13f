#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A log that cannot be written (a full disk, a reader that hangs, no stderr at all) costs
# log lines and nothing else.
. "$(dirname "$0")/lib.sh"
node a

# The daemon in the foreground, its stderr as the caller has it.
serve() {
    REJOIN_HOME=$work/a exec rejoind
}
works() { # NAME
    check "$1: it comes up" await 60 rj a status
    is "... and takes writes" "$(redis a set "$1" v)" OK
    check "... that become durable" rj a -q sync data
}
lost() { # lines of the log
    rj a --json status | jq .log_dropped
}
ends() { # PROCESS
    rj a -q down
    check "... and it stops" await 60 gone "$1"
}

check "it starts" up a
check "a bucket" rj a bucket add data
check "it stops" down a

(serve) 2>/dev/full &
pid[a]=$!
works full
check "... the lines that were lost are counted" [ "$(lost)" -ge 1 ]
ends "${pid[a]}"

mkfifo "$work/pipe"
exec 8<>"$work/pipe"
timeout 60 dd if=/dev/zero of="$work/pipe" bs=4096 oflag=nonblock 2>/dev/null # until it is full
(serve) 2>"$work/pipe" &
pid[a]=$!
works stuck
n=$(lost)
check "... its lost lines are counted" [ "$n" -ge 1 ]
timeout 60 dd if="$work/pipe" of=/dev/null bs=4096 iflag=nonblock 2>/dev/null # there is room again
check "... something is logged" rj a bucket add other
out=$(timeout 60 dd if="$work/pipe" bs=4096 iflag=nonblock 2>/dev/null)
has "... and before it, what was lost" "$out" " warn dropped=$n"$'\n'
has "... the line is there, too" "$out" "bucket.added name=other"
ends "${pid[a]}"
exec 8>&-

(serve) 0<&- 1>&- 2>&- &
pid[a]=$!
works closed
is "... with what was there" "$(redis a get full)$(redis a get stuck)" vv
ends "${pid[a]}"
unset "pid[a]"
check "the store is whole" up a
is "... with all that was written" "$(redis a get full)$(redis a get stuck)$(redis a get closed)" vvv
down a

rm -f "$work/a/data/rejoind.log"
mkdir "$work/a/data/rejoind.log"
out=$(rj a up 2>&1)
is "a log that cannot be opened is an error" $? 1
has "... that names it" "$out" rejoind.log
done_testing
