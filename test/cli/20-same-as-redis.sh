#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A node answers as Redis does, but for what it does otherwise on purpose: random
# commands, compared answer by answer. Skipped where redis-server or node is missing.
if ! command -v redis-server >/dev/null || ! command -v node >/dev/null; then
    echo '1..0 # skip redis-server or node is not installed'
    exit 77
fi
nodejs=$(command -v node)
. "$(dirname "$0")/lib.sh"
node a
up a
check_here "Redis is there" redis_server
check "a bucket is made" rj a bucket add data
for seed in 1 2 3; do
    check "5000 random commands, seed $seed" \
        "$nodejs" test/cli/redis-compare "$redis_port" "${port_resp[a]}" "$seed" 5000
done
done_testing
