#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A disk that fails to sync: the instance ends, the store is opened again, life goes on.
# A store that is full refuses writes and serves reads.
. "$(dirname "$0")/lib.sh"
node a
node b

# Syncing fails while the file exists that SYNC_FAILS names.
cat >"$work/fail.c" <<'C'
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(void)
{
    const char *path = getenv("SYNC_FAILS");

    return path != NULL && access(path, F_OK) == 0;
}

int fdatasync(int fd);
int fsync(int fd);

int fdatasync(int fd)
{
    if (!fails())
        return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

int fsync(int fd)
{
    if (!fails())
        return (int)syscall(SYS_fsync, fd);
    errno = EIO;
    return -1;
}
C
if ${CC:-gcc} -shared -fPIC -o "$work/fail.so" "$work/fail.c" 2>/dev/null; then
    export SYNC_FAILS=$work/disk-fails
    ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0 LD_PRELOAD=$work/fail.so up a
    up b
    check_here "two nodes share a bucket" share data a b
    check "the first write" sh -c "[ \$(redis-cli -p ${port_resp[a]} set k before) = OK ]"
    is "... is durable" "$(printf 'SET d 1\nWAITAOF 1 0 100000\n' | redis a | sed -n 2p)" 1
    touch "$SYNC_FAILS"
    redis a set lost 1 >/dev/null
    ended() { grep -q engine.ended "$work/a/data/rejoind.log"; }
    check "a failed sync ends the instance" await 60 ended
    has "Redis clients are told to try again" "$(redis a get k)" "LOADING"
    status_is 1 "... the command line too" rj a bucket get data k
    check "the process lives on" kill -0 "${pid[a]}"
    rm "$SYNC_FAILS"
    check "it opens the store again" await 60 value_is a k before
    redis a set k after >/dev/null
    check "... and goes on" await 60 value_is b k after
    redis b set from b >/dev/null
    check "... both ways" await 60 value_is a from b
    check "both agree" await 60 same_digest data a b
    check "it stops in order" rj a -q down
    up a
    is "what came after the failure is durable" "$(redis a get k)" after
    down a
else
    for i in $(seq 13); do echo "ok $((count += 1)) - failing disk # skip no compiler"; done
    up b
    rj b -q bucket add data
fi

# A store that may not grow beyond 64 MiB.
node c
rj c config set limit.store 67108864
check_here "a node with a store of 64 MiB" up c
rj c -q bucket add small
redis c set first 1 >/dev/null
value=$(head -c 20000 /dev/zero | tr '\0' x)
for i in $(seq 4000); do printf 'SET fill:%d %s\r\n' "$i" "$value"; done |
    timeout 300 redis-cli -p "${port_resp[c]}" --pipe >"$work/fill" 2>&1
full() { redis c set more 1 2>&1 | grep -qi "room\|full\|OOM\|MISCONF"; }
check "a full store refuses writes" await 60 full
is "... and serves reads" "$(redis c get first)" 1
has "status says why" "$(rj c status)" "no room left"
check "it stops" rj c -q --timeout 100 down
done_testing
