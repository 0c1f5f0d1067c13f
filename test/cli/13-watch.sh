#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What happens is told live; what limits a space is shown.
. "$(dirname "$0")/lib.sh"
node a
node b
up a
REJOIN_HOME=$work/a rejoin --json watch >"$work/json" 2>/dev/null &
helpers+=($!)
REJOIN_HOME=$work/a rejoin watch >"$work/text" 2>/dev/null &
helpers+=($!)
watched() { grep -q "$1" "$work/json" && grep -q "$1" "$work/text"; }
added() { rj a -q -y bucket remove probe; rj a -q bucket add probe && watched bucket.added; }
check "a watcher hears of a bucket" await 60 added
rj a -q bucket add data
up b
rj b -q join "$(rj a -q invite data)"
check "... of a peer that comes" await 60 watched peer.up
down b
check "... and goes" await 60 watched peer.down
[ "$(grep -vc '^{.*"v":1}$' "$work/json")" = 0 ]
result $? "with --json each line is an object"
has "events have a name" "$(cat "$work/json")" '"event":"peer.up"'
redis a set k v >/dev/null
has "status says what limits" "$(rj a status)" "! data: b is not reachable, "
has "... and who is away" "$(rj a status)" "away"
has "peer list too" "$(rj a peer list)" "away"
has "peer show says why" "$(rj a peer show b)" "last failure"
[ -z "$(rj a status | awk 'length > 120')" ]
result $? "lines stay readable"
# One that stops reading: what it misses is dropped, the others go on.
REJOIN_HOME=$work/a rejoin --json watch >"$work/stopped" 2>/dev/null &
stopped=$!
helpers+=("$stopped")
adds() { rj a -q -y bucket remove probe; rj a -q bucket add probe && [ -s "$work/stopped" ]; }
check "one more watches" await 60 adds
kill -STOP "$stopped"
before=$(grep -c bucket.added "$work/json")
for _ in $(seq 10); do rj a -q -y bucket remove probe; rj a -q bucket add probe; done
more() { [ "$(grep -c bucket.added "$work/json")" -ge $((before + 10)) ]; }
check "beside one that reads no more all is told" await 60 more
kill -CONT "$stopped"
caught_up() { [ "$(grep -c bucket.added "$work/stopped")" -ge 10 ]; }
check "... which goes on where it was" await 60 caught_up

timeout 100 env REJOIN_HOME="$work/a" rejoin status --watch >"$work/again" &
helpers+=($!)
twice() { [ "$(grep -c 'rejoin 0' "$work/again")" -ge 2 ]; }
check "status --watch repeats" await 60 twice
check "log lines have a time, a level and keys" \
    grep -qE '^[0-9-]{10}T[0-9:.]{12}Z info daemon.up version=' "$work/a/data/rejoind.log"
done_testing
