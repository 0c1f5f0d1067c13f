#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two nodes that accept nobody meet through a third, which carries what they say and
# understands nothing of it.
. "$(dirname "$0")/lib.sh"
node a
node b
node c
rj a config set port.peer 0
rj b config set port.peer 0
up a
up b
up c
share data c a b
connected() { rj "$1" --json peer show "$2" | grep -q '"connected":true'; }
check "both reach the one that listens" await 60 connected a c
check "... each" await 60 connected b c
check "they meet through it" await 30 connected a b
check "... both see it" await 60 connected b a
redis a set k v >/dev/null
is "two peers confirm a write" "$(redis a wait 2 30000)" 2
check "it arrives" await 60 value_is b k v
has "the address is that of the one between" "$(rj a peer show b)" "127.0.0.1:${port_peer[c]}"
kill9 c
away() { ! connected "$1" "$2"; }
check "without it they are apart" await 60 away a b
redis a set k w >/dev/null
up c
check "when it is back they meet again" await 90 connected a b
check "... and have all" await 60 value_is b k w
done_testing
