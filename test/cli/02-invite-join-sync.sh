#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A ticket lets another device in, once.
. "$(dirname "$0")/lib.sh"
node a
node b
node c

check_here "the inviter is up" up a
check "a bucket is made" rj a bucket add fruit
check "a value is put" rj a bucket put fruit apple red
ticket=$(rj a --json invite fruit | sed -n 's/.*"ticket":"\([^"]*\)".*/\1/p')
has "the ticket names this device's address" "$ticket" "@127.0.0.1:${port_peer[a]}"
has "the line to type has it" "$(rj a invite fruit 2>/dev/null)" "  rejoin join rj1-"

has "join -n takes it apart" "$(rj b -n join "$ticket")" \
    "would join device "
status_is 10 "... and starts nothing" rj b status
has "join starts the daemon and waits" "$(rj b join "$ticket")" "fruit  1 keys  in sync"
up b
is "the value is there" "$(rj b bucket get fruit apple)" red
check "a value put there" rj b bucket put fruit pear green
check "sync waits until the other has it" rj b sync fruit
is "... and it has" "$(rj a bucket get fruit pear)" green

check "another bucket" rj a bucket add nuts
check "... is joined on the connection that is there" \
    rj b --timeout 90 join "$(rj a -q invite nuts)"
has "joining again is nothing new" "$(rj b --timeout 90 join "$(rj a -q invite nuts)")" \
    "Nothing new"

status_is 9 "a ticket works once" rj c --timeout 90 join "$ticket"
up c
rj a -q invite fruit --expires 1s >"$work/short"
expired() { [ "$(date +%s%N)" -gt $(($1 + 1200000000)) ]; }
await 60 expired "$(date +%s%N)"
status_is 9 "an expired one does not" rj c --timeout 90 join "$(cat "$work/short")"
other=7
[[ $ticket == rj1-7* ]] && other=6
status_is 2 "a changed one is refused at once" rj c join "${ticket/rj1-?/rj1-$other}"
check "two uses let two devices in" \
    sh -c "REJOIN_HOME=$work/a rejoin -q invite --uses 2 --role reader >$work/two"
check "join - reads the ticket from stdin" \
    sh -c "REJOIN_HOME=$work/c rejoin join - <$work/two"
is "the reader sees the values" "$(rj c bucket get fruit pear)" green
status_is 9 "... and may not write" rj c bucket put fruit fig purple
status_is 9 "... nor invite" rj c invite fruit
has "status lists all members" "$(rj a --json status)" '"members":3'
check "sync reaches both others" rj a sync
check "the role can be raised" rj a peer set c role=writer
may_write() { rj c bucket put fruit fig purple; }
check "... and then it may write" await 60 may_write
check "the digests agree in the end" await 60 same_digest fruit a b c

check_here "the inviter goes away" down a
status_is 7 "its tickets reach nobody" rj b --timeout 3 join "$(cat "$work/short")"
check_here "another goes away" down c
status_is 7 "sync says that nobody is reachable" rj b --timeout 60 sync
done_testing
