#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ten thousand forged beacons.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo "1..0 # skip needs python3"; exit 77; }
lan home
for h in laptop desk; do host $h; done
box stranger
plug laptop home 10.1.0.2/24
plug desk home 10.1.0.3/24
plug stranger home 10.1.0.66/24
up laptop
up desk
share x laptop desk
check "they are connected" await 60 both laptop desk

# The stranger hears the real ones, and then sends them again, altered and as they are.
ip netns exec "$net-stranger" python3 test/net/flood.py hear "$work/heard" 1 >/dev/null 2>&1 &
helpers+=($!)
await 60 test -e "$work/heard.ready"
down desk
up desk
check "beacons can be heard" await 60 test -s "$work/heard"
down desk
timed "the flood" 120 at stranger python3 test/net/flood.py send "$work/heard" 10000
has "the node answers" "$(rj laptop --json status)" '"version"'
check "... and works" rj laptop bucket put x k v
told() { said laptop beacon.dropped; }
check "what was dropped is told" await 60 told
lines=$(grep -c beacon "$work/laptop/data/rejoind.log")
[ "$lines" -le 3 ]
result $? "... in few lines ($lines)"
up desk
timed "who is wanted is found" 60 both laptop desk
check "... and writes flow" flows x laptop desk
done_testing
