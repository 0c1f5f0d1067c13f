#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A fifth of all packets is lost, in both directions.
. "$(dirname "$0")/lib.sh"
lan home
host laptop
host desk
plug laptop home 10.1.0.2/24
plug desk home 10.1.0.3/24
lossy laptop 20
lossy desk 20
up laptop
up desk
check "they share a bucket" share x laptop desk
for i in $(seq 20); do rj laptop bucket put x "key$i" "$i" >/dev/null; done
timed "all that was written arrives" 120 has_value desk x key20 20
check "... to the last key" await 60 same_digest x laptop desk
check "writes flow the other way" flows x desk laptop
done_testing
