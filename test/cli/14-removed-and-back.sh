#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A device is removed, is told so, and comes back with a new ticket and all it wrote.
. "$(dirname "$0")/lib.sh"
node a
node b
node c

check_here "a is up" up a
check_here "b is up" up b
check_here "c is up" up c
check "three share a bucket" share fruit a b c
check "a value of c" rj c bucket put fruit apple red
check "... is everywhere" rj c sync fruit
check_here "c goes out of reach" down c
check "the others remove it" rj a --yes peer remove c
check "... and delete its value" rj a bucket del fruit apple
has "status says so" "$(rj a status)" removed

check "b hears of it" rj a sync fruit
check_here "a goes away" down a
check_here "... b too" down b
check_here "c is alone" up c
check "c writes, for it has not heard" rj c bucket put fruit pear green
check_here "a is back" up a
check_here "... b too" up b
told() { rj c --timeout 5 sync fruit; [ $? = 9 ]; }
check "it is told" await 60 told
status_is 9 "its writes are refused" rj c bucket put fruit fig purple
has "... with what to type" "$(rj c bucket put fruit fig purple 2>&1)" "rejoin join TICKET"
status_is 9 "so is sync" rj c --timeout 20 sync fruit
has "... with what to type" "$(rj c --timeout 20 sync fruit 2>&1)" "rejoin invite"
status_is 4 "nobody has what it wrote" rj b bucket get fruit pear
status_is 9 "a role does not bring it back" rj a peer set c role=writer

ticket=$(rj a -q invite fruit)
has "a new ticket does" "$(rj c --timeout 60 join "$ticket")" "fruit  1 keys  in sync"
check "it writes again" rj c bucket put fruit fig purple
check "... for all" rj c sync fruit
is "what it wrote meanwhile is there" "$(rj b bucket get fruit pear)" green
is "... and what it writes now" "$(rj b bucket get fruit fig)" purple
status_is 4 "what was deleted stays so" rj c bucket get fruit apple
check "the digests agree" await 60 same_digest fruit a b c
done_testing
