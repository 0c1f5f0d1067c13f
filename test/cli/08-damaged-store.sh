#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A damaged store is reported and never served.
. "$(dirname "$0")/lib.sh"
node a
up a
check "a bucket" rj a bucket add data
check "a value that can be found in the file" rj a bucket put data key canary-in-the-mine
check_here "the daemon stops" down a
store=$(find "$work/a/data/store" -name data.mdb)
[ -f "$store" ] && grep -q canary-in-the-mine "$store"
result $? "the value is in the store"
cp "$store" "$work/good"

refuses() { # NAME
    local out status
    out=$(rj a up 2>&1)
    status=$?
    is "$1: exit status 11" "$status" 11
    has "$1: it says what is damaged" "$out" "$work/a/data/store"
    has "$1: and what to do" "$out" "rejoin join"
    status_is 10 "$1: nothing is served" rj a status
    (exec 3<>"/dev/tcp/127.0.0.1/${port_resp[a]}") 2>/dev/null
    is "$1: the Redis port is closed" "$?" 1
}

sed -i 's/canary-in-the-mine/canary-in-the-mire/g' "$store"
cp "$store" "$work/bad"
refuses "one changed letter"
check "the damaged file was left as it was" cmp "$store" "$work/bad"
head -c "$(stat -c %s "$store")" /dev/zero >"$store"
refuses "nothing but zeros"
head -c 100 "$work/good" >"$store"
refuses "a file cut short"
mv "$work/a/data/device.key" "$work/key"
cp "$work/good" "$store"
status_is 11 "a store without its device key" rj a up
[ ! -e "$work/a/data/device.key" ]
result $? "... no new key was made up"
mv "$work/key" "$work/a/data/device.key"
check_here "with the good file it starts" up a
is "... and has the value" "$(rj a bucket get data key)" canary-in-the-mine
done_testing
