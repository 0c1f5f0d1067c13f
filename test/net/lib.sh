# SPDX-License-Identifier: Apache-2.0
# What the tests of this folder share, on top of test/cli/lib.sh: machines are network
# namespaces, plugged into switches (bridges in a namespace of their own). Everything has
# this process's number in its name and goes with it. Sourced, not run.
#
#   lan L                       a switch
#   host H                      a machine with a home for a node
#   plug H L [ADDRESS/LEN...]   a cable from its eth0, and addresses
#   address H ADDRESS/LEN...    these instead of what it had
#   unplug H; plug_again H      the cable
#   at H command...             runs there
#   connected A B               whether A has a session with B
. "$(dirname "${BASH_SOURCE[0]}")/../cli/lib.sh"

net=rj$$
declare -A port_of lan_of
ports=0

at() { local h=$1; shift; ip netns exec "$net-$h" "$@"; }

net_cleanup() {
    local ns
    cleanup
    for ns in $(ip netns list | sed -n "s/^\($net-[a-z0-9]*\).*/\1/p"); do
        ip netns del "$ns"
        rm -rf "/etc/netns/${ns:?}"
    done
    rmdir /etc/netns 2>/dev/null
}
trap net_cleanup EXIT

if [ "$(id -u)" != 0 ]; then
    echo "1..0 # skip needs root"
    exit 77
elif ! command -v ip >/dev/null || ! command -v nft >/dev/null; then
    echo "1..0 # skip needs ip and nft"
    exit 77
elif ! ip netns add "$net-sw" 2>/dev/null; then
    echo "1..0 # skip network namespaces cannot be made here"
    exit 77
elif ! ip -n "$net-sw" link add probe type bridge 2>/dev/null; then
    echo "1..0 # skip bridges cannot be made here"
    exit 77
fi

lan() {
    ip -n "$net-sw" link add "$1" type bridge mcast_snooping 0 2>/dev/null ||
        ip -n "$net-sw" link add "$1" type bridge
    ip -n "$net-sw" link set "$1" up
}
# A machine without a node.
box() {
    ip netns add "$net-$1" && ip -n "$net-$1" link set lo up
    at "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
}
# What that machine alone has as a file of /etc; from standard input.
etc() { # H NAME
    mkdir -p "/etc/netns/$net-$1" && cat >"/etc/netns/$net-$1/$2"
}
host() {
    box "$1"
    mkdir "$work/$1"
    rj "$1" config set device.name "$1"
    rj "$1" config set port.resp 0
    rj "$1" config set port.web 0
}
plug() { # H LAN ADDRESS...
    local h=$1 l=$2 nic=eth0
    shift 2
    ip -n "$net-$h" link show eth0 >/dev/null 2>&1 && nic=eth1
    ports=$((ports + 1))
    port_of[$h.$nic]=p$ports
    ip -n "$net-sw" link add "p$ports" type veth peer name "$nic" netns "$net-$h"
    ip -n "$net-sw" link set "p$ports" master "$l" up
    for a in "$@"; do ip -n "$net-$h" address add "$a" dev "$nic"; done
    ip -n "$net-$h" link set "$nic" up
}
address() { # H ADDRESS...
    local h=$1
    shift
    ip -n "$net-$h" address flush dev eth0 scope global
    for a in "$@"; do ip -n "$net-$h" address add "$a" dev eth0; done
}
unplug() { ip -n "$net-sw" link set "${port_of[$1.eth0]}" nomaster; }
plug_again() { ip -n "$net-sw" link set "${port_of[$1.eth0]}" master "$2"; }
# Loses so many of a hundred packets that come in.
lossy() { # H PERCENT
    at "$1" nft -f - <<EOF
table inet lossy {
    chain in {
        type filter hook input priority 0;
        iifname "eth0" numgen random mod 100 < $2 drop
    }
}
EOF
}

up() {
    local out
    out=$(REJOIN_HOME=$work/$1 at "$1" timeout 120 rejoin --json up) || return
    pid[$1]=$(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' <<<"$out")
    [ -n "${pid[$1]}" ]
}
connected() { [[ $(rj "$1" --json peer show "$2") = *'"connected":true'* ]]; }
both() { connected "$1" "$2" && connected "$2" "$1"; }
apart() { ! connected "$1" "$2" && ! connected "$2" "$1"; }
why() { rj "$1" --json peer show "$2" | sed -n 's/.*"why":"\(\([^"\\]\|\\.\)*\)".*/\1/p'; }
why_has() { [[ $(why "$1" "$2") = *"$3"* ]]; }
said() { grep -q -- "$2" "$work/$1/data/rejoind.log"; }
get() { rj "$1" bucket get "$2" "$3"; }
has_value() { [ "$(get "$1" "$2" "$3")" = "$4" ]; }
# A write at one end arrives at the other one.
flows() { # BUCKET FROM TO
    local v=$RANDOM$RANDOM
    rj "$2" bucket put "$1" "from-$2" "$v" && await 60 has_value "$3" "$1" "from-$2" "$v"
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }
# How long a condition took to come true, as a remark: no test fails for it.
timed() { # NAME SECONDS CONDITION...
    local name=$1 begun
    shift
    begun=$(now_ms)
    check "$name" await "$@"
    echo "# after $(($(now_ms) - begun)) ms"
}
