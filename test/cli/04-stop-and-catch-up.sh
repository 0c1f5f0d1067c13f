#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A node that was away gets everything it missed, and the others what it had.
. "$(dirname "$0")/lib.sh"
node a
node b
node c
up a; up b; up c
check_here "three nodes share a bucket" share data a b c
redis a set before 1 >/dev/null
check "all have the first value" await 60 value_is c before 1
rj a -q sync

check_here "one goes away" down c
redis a --pipe >/dev/null 2>&1 < <(
    for i in $(seq 2000); do printf 'SET a:%d x\r\n' "$i"; done
)
redis b incrby n 10 >/dev/null
redis b del before >/dev/null
away() { rj a --json status | grep -q '"connected":false.*"name":"c"'; }
check "the others notice" await 60 away
check "sync is content with who is there" rj a sync
has "... and says who is not" "$(rj a sync 2>&1)" "not reachable: c"
status_is 3 "status -q says that somebody is behind" rj a -q status
status_is 8 "sync --wait is not content" rj a --timeout 2 sync --wait

check_here "it comes back" up c
check "it has what it missed" await 60 value_is c a:2000 x
check "... the counter" await 60 value_is c n 10
check "... the deletion" await 60 value_is c before ""
check "all have one digest" await 60 same_digest data a b c
check "sync --wait is content now" rj a sync --wait

check_here "the inviter itself goes away" down a
redis b set k1 v1 >/dev/null
redis c set k2 v2 >/dev/null
check "the other two find each other" await 60 value_is b k2 v2
check "... both ways" await 60 value_is c k1 v1
check_here "everybody goes away" down b
down c
up a
redis a set alone 1 >/dev/null
down a
up b; up c; up a
check "what was written alone arrives" await 60 value_is c alone 1
check "nothing was lost" await 60 same_digest data a b c
is "the first node has what the others wrote" "$(redis a get k1)$(redis a get k2)" v1v2
done_testing
