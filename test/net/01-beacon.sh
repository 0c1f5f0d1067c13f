#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two laptops that both moved while the machine that is always on was off find each other,
# though every address in their books is stale.
. "$(dirname "$0")/lib.sh"
lan home
lan cafe
host laptop
host desk
plug laptop home 10.1.0.2/24
plug desk home 10.1.0.3/24
up laptop
up desk
share x laptop desk
check "they are connected" await 60 both laptop desk
unplug laptop
unplug desk
address laptop 10.2.0.20/24
address desk 10.2.0.30/24
check "their sessions end with their addresses" await 60 apart laptop desk
plug_again laptop cafe
plug_again desk cafe
timed "elsewhere they find each other" 60 both laptop desk
[[ $(rj laptop --json peer show desk) =~ \"address\":\"(10\.2\.0|\[fe80:) ]]
result $? "... where only a beacon could tell"
check "... and writes flow" flows x laptop desk

# The same once more, where one was not running, and with a third who only dials.
host nas
rj nas config set port.peer 0
plug nas cafe 10.2.0.40/24
up nas
rj nas -q join "$(rj laptop -q invite x)"
check "one who only dials" await 60 both nas laptop
down nas
down desk
address laptop 10.3.0.20/24
address desk 10.3.0.30/24
address nas 10.3.0.40/24
up desk
up nas
timed "after a start they find each other too" 60 both laptop desk
timed "... and the one who only dials is found by all" 60 both nas laptop
check "... by the other one as well" await 60 both nas desk
done_testing
