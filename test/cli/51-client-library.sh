#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs that talk to the daemon with librejoin-client: the example, and Python.
. "$(dirname "$0")/lib.sh"
client=$(realpath "$BUILD")/examples/client
library=$(realpath "${PLAIN:-$BUILD}")/librejoin-client.so.0 # without sanitizers
[ -x "$client" ] || { echo "1..0 # skip examples/client is not built"; exit 77; }
python=/usr/bin/python3 # the one that python3-cffi belongs to
[ -x "$python" ] || python=python3
node a
node b
guest() { REJOIN_HOME=$work/a timeout 120 "$client" data "$@"; }

status_is 1 "without a daemon it says so" guest Ada
has "... and what to type" "$(guest Ada 2>&1)" "the daemon is not running"
up a
status_is 4 "without a bucket too" guest Ada
has "... as the command line does" "$(guest Ada 2>&1)" "there is no bucket data"
up b
check_here "two nodes share a bucket" share data a b
has "the first visit" "$(guest Ada)" "visit 1, Ada is new here"
has "the second one" "$(guest Ada)" "visit 2, Ada is back"
is "others see it" "$(guest Bob >/dev/null; rj a -q sync data; rj b bucket get data last)" Bob

if [ ! -e "$library" ]; then
    echo "ok $((count += 1)) - Python # skip no shared library in this build"
elif ! "$python" -c 'import cffi' 2>/dev/null; then
    echo "ok $((count += 1)) - Python # skip no python3-cffi"
else
    check "Python" env REJOIN_HOME="$work/a" REJOIN_CLIENT_LIBRARY="$library" \
        PYTHONPATH=python PYTHONDONTWRITEBYTECODE=1 timeout 300 "$python" test/python/test_rejoin.py
fi
down b
down a
done_testing
