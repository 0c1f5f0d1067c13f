#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A network with a key of its own.
. "$(dirname "$0")/lib.sh"
lan home
for h in laptop desk nas; do host $h; done
plug laptop home 10.1.0.2/24
plug desk home 10.1.0.3/24
plug nas home 10.1.0.4/24
key=correct-horse-battery
(umask 077; echo "$key" >"$work/key")
rj laptop config set network.key "$key"
rj desk config set network.key "$work/key"
status_is 2 "a short key is refused" rj nas config set network.key short
up laptop
up desk
up nas
check "with the key, as text and in a file, they meet" share x laptop desk
check "... and writes flow" flows x laptop desk
for show in "config list" "config get network.key" "--json config list"; do
    # shellcheck disable=SC2086
    [[ $(rj laptop $show 2>&1) != *"$key"* ]]
    result $? "$show does not show it"
done
ticket=$(rj laptop -q invite x)
out=$(rj nas --timeout 5 join "$ticket" 2>&1)
is "without it a ticket is of no use" $? 7
has "... and the reason is told" "$out" "network with a key"
check "... at the other end's log as well" said laptop "it has no network key"
down nas
rj nas config set network.key wrong-horse-battery
up nas
out=$(rj nas --timeout 5 join "$ticket" 2>&1)
is "with a wrong one neither" $? 7
has "... and the reason is told" "$out" "another key"
check "... at the other end's log as well" said laptop "it has another network key"
down nas
rj nas config set network.key "$key"
up nas
check "with the right one it is" rj nas join "$ticket"

# One that loses it.
down nas
rj nas config set network.key --unset
up nas
check "a member without it is out" await 60 why_has nas laptop "a key"
check "... and the others know why" await 60 why_has laptop nas "no network key"
check "... while they go on" flows x desk laptop
done_testing
