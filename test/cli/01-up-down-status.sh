#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon starts, says what it is, and stops.
. "$(dirname "$0")/lib.sh"
node a

status_is 10 "status without a daemon says so" rj a status
check "down without a daemon is no failure" rj a down
status_is 0 "up -n starts nothing" rj a -n up
status_is 10 "... really nothing" rj a status
check_here "up starts the daemon" up a
first=${pid[a]}
has "up again finds it running" "$(rj a up)" "is up already"
up a
is "... the same one" "${pid[a]}" "$first"
has "status shows the device" "$(rj a status)" "a  device "
has "... and its ports" "$(rj a status)" "peers :${port_peer[a]}  Redis :${port_resp[a]}"
has "status is one JSON document" "$(rj a --json status)" '"v":1'
check "status -q says by its exit status that all is well" rj a -q status
status_is 1 "a second daemon does not get the home" env REJOIN_HOME="$work/a" rejoind
is "the home is private" "$(stat -c %a "$work/a/data")" 700
is "the key is private" "$(stat -c %a "$work/a/data/device.key")" 600
is "the socket is private" "$(stat -c %a "$work/a/run/control")" 600
is "the configuration is private" "$(stat -c %a "$work/a/rejoin.conf")" 600

device=$(rj a --json status | sed -n 's/.*"device":"\([0-9a-f]*\)","home.*/\1/p')
check_here "down stops it" down a
check "... and the process is gone" await 60 gone "$first"
check_here "it starts again" up a
is "... as the same device" \
    "$(rj a --json status | sed -n 's/.*"device":"\([0-9a-f]*\)","home.*/\1/p')" "$device"
kill -TERM "${pid[a]}"
check "SIGTERM ends it as well" await 60 gone "${pid[a]}"

# Killed, and started again while the system still takes the old process apart.
failed=0
for _ in $(seq 20); do
    up a || failed=$((failed + 1))
    kill -9 "${pid[a]}"
done
is "up right after kill -9 starts it again, twenty times" "$failed" 0
check "the last one is gone" await 60 gone "${pid[a]}"

node b
rj b config set port.peer "${port_peer[b]}"
rj b config set port.resp "${port_peer[b]}"
out=$(rj b up 2>&1)
status=$?
is "two services cannot have one port" "$status" 1
has "... and the reason is said" "$out" "another program has it"
done_testing
