#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A machine that is frozen while the other end goes away and comes back.
. "$(dirname "$0")/lib.sh"
lan home
host laptop
host desk
plug laptop home 10.1.0.2/24
plug desk home 10.1.0.3/24
up laptop
up desk
share x laptop desk
check "they are connected" await 60 both laptop desk
kill -STOP "${pid[laptop]}"
unplug laptop
rj desk bucket put x meanwhile written
gone_there() { ! connected desk laptop; }
timed "the other end notices" 120 gone_there
plug_again laptop home
kill -CONT "${pid[laptop]}"
timed "it wakes" 60 said laptop peer.woke
timed "... and they are connected" 60 both laptop desk
check "... and what was written arrives" await 60 has_value laptop x meanwhile written
done_testing
