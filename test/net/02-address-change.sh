#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An address that changes under a session.
. "$(dirname "$0")/lib.sh"
lan home
host laptop
host desk
plug laptop home 10.1.0.2/24
plug desk home 10.1.0.3/24
rj laptop config set port.beacon 0
rj desk config set port.beacon 0
up laptop
up desk
share x laptop desk
check "they are connected" await 60 both laptop desk
told() { [[ $(rj desk --json peer show laptop) = *10.1.0.77* ]]; }
at_new() { told && both laptop desk && said laptop peer.homeless; }
address laptop 10.1.0.77/24
timed "it dials again from the new address" 60 at_new
check "... which the other is told" await 60 told
check "... and writes flow" flows x laptop desk
address desk 10.1.0.88/24
timed "the other one moves" 60 said desk peer.homeless
check "... and comes back" await 60 both laptop desk
check "... and writes flow" flows x desk laptop
done_testing
