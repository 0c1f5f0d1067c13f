#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A cable that is pulled: nothing says so to either end.
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
unplug desk
timed "a dead link is noticed at both ends" 120 apart laptop desk
check "a write meanwhile" rj laptop bucket put x while apart
plug_again desk home
timed "they are connected again" 60 both laptop desk
check "... and what was written arrives" await 60 has_value desk x while apart
check "... and writes flow" flows x desk laptop
# A short cut is none.
ups=$(grep -c peer.up "$work/laptop/data/rejoind.log")
unplug desk
check "a write meanwhile" rj laptop bucket put x short cut
plug_again desk home
check "after a short cut it arrives" await 60 has_value desk x short cut
is "... on the same session" "$(grep -c peer.up "$work/laptop/data/rejoind.log")" "$ups"
done_testing
