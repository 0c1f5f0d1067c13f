#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# No IPv4 at all: addresses of a private network first, then nothing but link-local ones,
# which only a beacon tells.
. "$(dirname "$0")/lib.sh"
lan home
host laptop
host desk
plug laptop home fd00:1::2/64
plug desk home fd00:1::3/64
up laptop
up desk
check "they share a bucket" share x laptop desk
has "over IPv6" "$(rj laptop --json peer show desk)" '"address":"[fd00:1::3]:'
check "... and writes flow" flows x laptop desk
address laptop
address desk
link_local() {
    both laptop desk && [[ $(rj laptop --json peer show desk) = *'"address":"[fe80::'* ]]
}
timed "with link-local addresses alone they find each other" 60 link_local
check "... and writes flow" flows x desk laptop
scope=$(ip -n "$net-desk" -6 -o address show dev eth0 scope link | sed 's|.*inet6 \([^/]*\)/.*|\1|')
check "such an address can be set" rj laptop peer set desk "address=[$scope%eth0]:7340"
done_testing
