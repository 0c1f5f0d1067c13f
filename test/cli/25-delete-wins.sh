#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# In a bucket of policy delete-wins a logout beats a late page hit; in any other one it
# does not.
. "$(dirname "$0")/lib.sh"
node a
node b
check_here "a is up" up a
check_here "b is up" up b

is "a bucket with the policy" "$(rj a bucket add logins --policy delete-wins)" \
    "logins  bucket  durability second  policy delete-wins  (default of Redis clients)"
check "one without" rj a -q bucket add notes --policy merge
status_is 2 "there is no other policy" rj a bucket add more --policy newest
has "... which is said" "$(rj a bucket add more --policy newest 2>&1)" "merge|delete-wins"
has "help tells of it" "$(rj a help bucket add)" "delete-wins"
check "b joins" rj b -q join "$(rj a -q invite)"
is "b has the policy" "$(rj b --json bucket show logins | jq -r .policy)" delete-wins
is "... of each" "$(rj b --json bucket show notes | jq -r .policy)" merge
has "... and shows it" "$(rj b bucket show logins)" "policy          delete-wins"

both() { rj a "bucket" "$1" logins "${@:2}" && rj a bucket "$1" notes "${@:2}"; }
check "a session" both put s1 open
check "... is there" rj a sync
is "... at b" "$(rj b bucket get logins s1)$(rj b bucket get notes s1)" openopen
check_here "b goes away" down b
check "a logout" both del s1
status_is 4 "... and of a session that a has never seen" rj a bucket del logins s2
check_here "a goes away" down a
check_here "b is alone" up b
check "a late page hit" rj b bucket put logins s1 hit
check "... counts there" test "$(rj b bucket get logins s1)" = hit
check "... another one" rj b bucket put logins s2 hit
check "... and in the other bucket" rj b bucket put notes s1 hit
check_here "both are up" up a
check "... and in sync" rj b --timeout 60 sync
check "... which they show" await 60 same_digest logins a b
status_is 4 "logged out at a" rj a bucket get logins s1
status_is 4 "... and at b" rj b bucket get logins s1
status_is 4 "... the other session, too" rj b bucket get logins s2
is "no key is left" "$(redis a dbsize) $(redis b dbsize)" "0 0"
is "... none to be found" "$(redis b keys '*')" ""
is "... nor of any type" "$(redis a type s1)" none
is "without the policy the write stays" "$(rj a bucket get notes s1)" hit
check "who logs in again" rj b bucket put logins s1 new
check "... after that" rj b sync logins
is "... is in" "$(rj a bucket get logins s1)" new
done_testing
