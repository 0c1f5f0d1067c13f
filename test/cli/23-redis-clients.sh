#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Clients of Redis that Debian has, as they come: python3-redis, redis-benchmark.
. "$(dirname "$0")/lib.sh"
node a
up a
check "a bucket is made" rj a bucket add data
rj a -q bucket add other
rj a -q bucket set other token=secret-word
export TOKEN=secret-word RESTART="REJOIN_HOME=$work/a rejoin -q down && REJOIN_HOME=$work/a rejoin -q up"
if /usr/bin/python3 -c 'import redis' 2>/dev/null; then
    play python3-redis /usr/bin/python3 test/clients/python.py "${port_resp[a]}" other
    # The daemon is another one now.
    pid[a]=$(redis a info server | sed -n 's/^process_id:\([0-9]*\).*/\1/p')
else
    echo "ok $((count += 1)) - python3-redis # skip it is not installed"
fi
if command -v redis-benchmark >/dev/null; then
    out=$(timeout 300 redis-benchmark -p "${port_resp[a]}" -n 2000 -P 16 -q --csv \
        -t ping,set,get,incr,sadd,hset,mset 2>&1)
    result $? "redis-benchmark plays to the end"
    for name in PING_MBULK SET GET INCR SADD HSET; do
        has "... $name" "$out" "\"$name\",\""
    done
    is "... and has counted" "$(redis a get counter:__rand_int__)" 2000
else
    echo "ok $((count += 1)) - redis-benchmark # skip it is not installed"
fi
done_testing
