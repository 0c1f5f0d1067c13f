#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# doctor finds what is wrong, and what it says to type mends it.
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || { echo "1..0 # skip jq is not installed"; exit 77; }
node a
node b
home=$work/a

# Results of a check, and the first fix; the disk of this machine may be as it is.
doctor() { rj "$1" --json doctor 2>/dev/null | jq -r "$2"; }
found() { doctor "$1" "[.checks[] | select(.check == \"$2\") | .result] | unique | join(\" \")"; }
why() { doctor "$1" ".checks[] | select(.check == \"$2\" and .result != \"ok\") | .why"; }
fix() { doctor "$1" "[.checks[] | select(.check == \"$2\" and .result != \"ok\")][0].fix"; }
mend() { # NODE CHECK: types what doctor says
    local line
    line=$(fix "$1" "$2")
    [ -n "$line" ] && REJOIN_HOME=$work/$1 sh -c "$line" >/dev/null 2>&1
}
wrong() { doctor "$1" '[.checks[] | select(.result != "ok" and .check != "disk") | .check] | join(" ")'; }

is "a new node: the daemon is missing" "$(wrong a)" "home daemon"
status_is 1 "... which is a failure" rj a doctor
check "... and mended by what it says" mend a daemon
up a
is "then all is well" "$(wrong a)" ""
has "... and it says so" "$(rj a doctor)" "ok    daemon "
is "-q prints only what is wrong" "$(rj a -q doctor | grep -v disk)" ""
[ -z "$(rj a doctor | awk 'length > 80')" ]
result $? "no line is wider than 80 columns"

for file in data/device.key data run/control rejoin.conf; do
    case $file in data/device.key) name=key ;; rejoin.conf) name=config ;; *) name=home ;; esac
    chmod go+rx "$home/$file"
    is "others may read $file" "$(wrong a)" "$name"
    check "... mended by what it says" mend a $name
    is "... really" "$(wrong a)" ""
done

cp "$home/rejoin.conf" "$work/good.conf"
echo nonsense >>"$home/rejoin.conf"
has "a configuration that cannot be read" "$(why a config)" "rejoin.conf:"
cp "$work/good.conf" "$home/rejoin.conf"
rj a -q config set port.resp "${port_resp[b]}"
has "a port that was changed is not yet in use" "$(why a config)" "is still in use"
rj a -q config set port.resp "${port_resp[a]}"
rj a -q config set port.peer "${port_peer[a]}"

down a
mv "$home/data/device.key" "$work/key"
has "a store without its key" "$(why a key)" "device.key is gone"
mv "$work/key" "$home/data/device.key"
rj b -q config set port.peer "${port_peer[a]}"
up a
has "another program has the port" "$(why b port.peer)" "another program has port"
rj b -q config set port.peer "${port_peer[b]}"
up b
rj a -q bucket add data
ticket=$(rj a -q invite data)
rj b -q join "$ticket"
has "the clock is compared" "$(rj a doctor)" "the clock of 1 peer"
is "two nodes, all is well" "$(wrong a)$(wrong b)" ""

rj b -q peer set a address=no-such-host.invalid
has "a name that is not known" "$(why b names)" "no-such-host.invalid (of peer a)"
rj a -q config set listen.resp 0.0.0.0
down a
up a
has "a bucket that is closed to other machines" "$(why a port.resp)" "bucket data has no token"
check "... gets a token by what it says" mend a port.resp
is "... really" "$(found a port.resp)" ok

down b
away() { [ "$(found a peers)" = warn ]; }
check "a peer that is away" await 60 away
status_is 3 "... is a warning" rj a doctor
has "... with the command" "$(fix a peers)" "rejoin peer set b address="

# The home of a, copied, runs beside it: b has each of them in turn.
up b
down a
cp -a "$home" "$work/c"
free_port; port_peer[c]=$port
free_port; port_resp[c]=$port
rj c config set port.peer "${port_peer[c]}"
rj c config set port.resp "${port_resp[c]}"
rj a config set port.peer "${port_peer[a]}"
up a
up c
twice() { [[ $(why b device) = *"in turn"* ]]; }
check "a copied home is noticed" await 100 twice
down c

kill9 a
mv "$home/run" "$work/run"
is "a daemon that is gone" "$(found a daemon)" fail
mv "$work/run" "$home/run"
down b
done_testing
