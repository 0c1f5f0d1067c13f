#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A path of 300 ms, by a relay that holds back what passes.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo "1..0 # skip needs python3"; exit 77; }
lan home
lan world
box far
host laptop
host nas
plug far home 10.1.0.1/24
plug far world 10.9.0.1/24
plug laptop home 10.1.0.2/24
plug nas world 10.9.0.3/24
rj laptop config set port.peer 0
rj nas config set listen.address 10.1.0.1:7340
ip netns exec "$net-far" python3 test/net/delay.py 10.1.0.1 7340 10.9.0.3 7340 300 >/dev/null 2>&1 &
helpers+=($!)
await 60 at far bash -c 'exec 3<>/dev/tcp/10.1.0.1/7340' || true
up laptop
up nas
timed "they share a bucket" 60 share x nas laptop
for i in $(seq 20); do rj nas bucket put x "key$i" "$i" >/dev/null; done
timed "all that was written arrives" 60 has_value laptop x key20 20
check "... and flows back" flows x laptop nas
done_testing
