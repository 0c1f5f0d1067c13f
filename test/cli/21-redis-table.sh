#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The examples of doc/redis.md, played to a node and to Redis. Skipped where redis-server
# is missing.
if ! command -v redis-server >/dev/null; then
    echo '1..0 # skip redis-server is not installed'
    exit 77
fi
. "$(dirname "$0")/lib.sh"
node a
up a
check_here "Redis is there" redis_server
check "a bucket is made" rj a bucket add data
version=$(redis-cli -p "$redis_port" info server | sed -n 's/^redis_version:\([0-9.]*\).*/\1/p')
case $version in
7.0.*)
    check "the answers are as doc/redis.md says" \
        tools/redis-table -r "$redis_port" "${port_resp[a]}"
    ;;
*) echo "ok $((count += 1)) - the answers # skip the examples are for Redis 7.0, not $version" ;;
esac
done_testing
