#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon under a service manager: its directories, sockets that are opened for it and
# wake it up, and what it tells.
. "$(dirname "$0")/lib.sh"
manager=$PWD/test/cli/manager
perl -MPOSIX -MSocket -MIO::Handle -e 1 2>/dev/null || { echo "1..0 # skip no perl"; exit 77; }
free_port; peer=$port
free_port; resp=$port
free_port; other=$port
free_port; other_resp=$port
m=$work/m
mkdir "$m" "$work/run" "$work/conf" "$work/state"
chmod 700 "$work"/{run,conf,state}
printf '[port]\npeer = %s\nresp = %s\nweb = 0\n[device]\nname = served\n' "$other" "$other_resp" \
    >"$work/conf/rejoin.conf"
export RUNTIME_DIRECTORY=$work/run CONFIGURATION_DIRECTORY=$work/conf \
    STATE_DIRECTORY=$work/state WATCHDOG_USEC=200000
control=$work/run/control

serve() { # NAME=SOCKET...
    rm -f "$m"/{ready,pid,said}
    "$manager" "$m" "$@" -- rejoind >>"$work/state/log" 2>&1 &
    helper=$!
    helpers+=("$helper")
}
said() { grep -qe "$1" "$m/said"; }
ended() { wait "$helper"; is "$1" "$?" "$2"; unset "helpers[-1]"; }

serve control="$control" peer="$peer" resp="$resp"
check "the sockets are there before the daemon" await 60 test -e "$m/ready"
[ ! -e "$m/pid" ]
result $? "... which does not run yet"
out=$(timeout 120 rejoin --json status 2>&1)
is "who knocks at the control socket wakes it up" "$?" 0
has "... and it says its name" "$out" '"name":"served"'
has "... the port of the socket for peers" "$out" "\"port_peer\":$peer"
has "... the port of the socket for Redis" "$out" "\"port_resp\":$resp"
check "it said that it is ready" await 60 said '^READY=1 STATUS=served: peers on port'
check "it gives signs of life" await 60 said '^WATCHDOG=1$'
check "its data is in the state directory" test -e "$work/state/store/data.mdb"
check "a bucket" rejoin bucket add data
is "Redis is served at its socket" "$(redis-cli -p "$resp" set k v 2>&1)" OK
(exec 3<>"/dev/tcp/127.0.0.1/$peer") 2>/dev/null
result $? "peers are accepted at theirs"
(exec 3<>"/dev/tcp/127.0.0.1/$other") 2>/dev/null
is "the configured port is not opened" "$?" 1
[ "$(tr '\0' '\n' <"/proc/$(cat "$m/pid")/environ" | grep -c '^LISTEN_FDS=3')" = 1 ]
result $? "(it was given three sockets)"
check "up says that it runs" rejoin up
kill "$(cat "$m/pid")"
ended "told to stop it ends well" 0
check "... and said that it was about to" said '^STOPPING=1 STATUS='
check "the control socket stays where its opener put it" test -S "$control"
rm "$control"

serve
check "without sockets it opens its own" await 60 said '^READY=1'
has "... those of its configuration" "$(rejoin --json status)" "\"port_peer\":$other"
is "... and the data is the same" "$(rejoin bucket get data k)" v
check "down ends it" rejoin -q down
ended "... well" 0

echo nonsense >>"$work/conf/rejoin.conf"
serve
ended "a start that fails ends with its status" 2
check "... and says why" said "^STATUS=.*rejoin.conf:7"
sed -i '$d' "$work/conf/rejoin.conf"

serve mail="$peer"
await 60 test -e "$m/ready"
(exec 3<>"/dev/tcp/127.0.0.1/$peer") 2>/dev/null
ended "a socket for something else is refused" 2
check "... by its name" said '^STATUS=the inherited socket "mail"'
done_testing
