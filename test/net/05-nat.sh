#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A laptop that only dials, behind a router that translates addresses and then gets another
# one itself.
. "$(dirname "$0")/lib.sh"
lan home
lan world
box router
plug router home 192.168.1.1/24
plug router world 203.0.113.1/24
at router sysctl -qw net.ipv4.ip_forward=1
at router nft -f - <<'EOF'
table ip nat {
    chain out {
        type nat hook postrouting priority 100;
        oifname "eth1" masquerade
    }
    chain keep {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname "eth0" accept
    }
}
EOF
host laptop
host nas
rj laptop config set port.peer 0
plug laptop home 192.168.1.2/24
ip -n "$net-laptop" route add default via 192.168.1.1
plug nas world 203.0.113.9/24
up laptop
up nas
check "they share a bucket" share x nas laptop
has "the router's address is what is seen" "$(rj nas --json peer show laptop)" \
    '"address":"203.0.113.1:'
check "writes flow out" flows x laptop nas
check "... and in" flows x nas laptop

# The router gets another address: all its mappings are dead, and nobody is told.
ip -n "$net-router" address flush dev eth1
ip -n "$net-router" address add 203.0.113.77/24 dev eth1
rj laptop bucket put x moved yes
moved() { [[ $(rj nas --json peer show laptop) = *'"address":"203.0.113.77:'* ]]; }
timed "a dead mapping is noticed and the laptop dials again" 120 moved
check "... and writes flow" flows x nas laptop
done_testing
