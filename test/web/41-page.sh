#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The page in a real browser: three nodes under load, headless Chromium. Leaves the picture
# of it at PICTURE (default: page.png in the build folder).
#
#   BUILD=build test/web/41-page.sh
cd "$(dirname "$0")/../.." || exit 2
for p in chromium chromedriver python3 redis-benchmark; do
    command -v $p >/dev/null || { echo "1..0 # skip $p is not there"; exit 77; }
done
BUILD=${BUILD:-build}
picture=${PICTURE:-$BUILD/page.png}
. test/cli/lib.sh

node laptop
node desk
node nas
free_port; web=$port
rj laptop config set port.web "$web"
up laptop
up desk
up nas
share sessions laptop desk nas
rj laptop -q bucket add settings
free_port
chromedriver --port="$port" --allowed-ips=127.0.0.1 >"$work/driver" 2>&1 &
helpers+=($!)
ready() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
await 60 ready || { cat "$work/driver"; exit 1; }
redis-benchmark -p "${port_resp[laptop]}" -t set -r 2500 -n 20000 -q >/dev/null
load() { # ends with its child: redis-benchmark does not, when its server has gone
    trap 'kill "$bench" 2>/dev/null; exit' TERM
    while true; do
        redis-benchmark -p "${port_resp[nas]}" -t set,incr -r 2500 -n $((RANDOM / 20 + 200)) \
            -c 2 -q >/dev/null 2>&1 &
        bench=$!
        wait "$bench" || return
        sleep 0.3
    done
}
load &
helpers+=($!)
REJOIN_HOME=$work/desk python3 test/web/page.py "$port" "$(rj laptop web)" "$picture" \
    "rejoin -q down"
