#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The package as others get it: installed somewhere, found with pkg-config, compiled
# against, run, and removed without a trace.
. "$(dirname "$0")/lib.sh"
plain=${PLAIN:-$BUILD} # a build without sanitizers
[ -e "$plain/librejoin-client.so.0" ] || {
    echo "1..0 # skip no shared libraries in $plain"
    exit 77
}
plain=$(realpath "$plain")
package() { built "$plain" PREFIX="$work/usr" "$@"; }
compile() { # NAME MODULE
    # shellcheck disable=SC2046
    "${CC:-gcc}" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror "examples/$1.c" \
        -o "$work/$1" $(pkg-config --cflags --libs "$2")
}
export PKG_CONFIG_PATH=$work/usr/lib/pkgconfig LD_LIBRARY_PATH=$work/usr/lib
export PATH=$work/usr/bin:$PATH

check "it installs" package install
check "it installs into DESTDIR" package DESTDIR="$work/dest" PREFIX=/usr install
check "... where it belongs" test -x "$work/dest/usr/bin/rejoind" -a \
    -f "$work/dest/usr/include/rejoin/embed.h" -a -f "$work/dest/usr/lib/librejoin-client.a"
is "pkg-config knows the prefix" \
    "$(pkg-config --variable=prefix rejoin)" "$work/usr"
check "the embedding example compiles" compile embedded rejoin
check "the client example compiles" compile client rejoin-client
# shellcheck disable=SC2046
check "the client example links statically against the C library alone" \
    "${CC:-gcc}" -std=c17 -D_GNU_SOURCE -I"$work/usr/include" examples/client.c \
    "$work/usr/lib/librejoin-client.a" -o "$work/client-static"
is "librejoin-client needs nothing else" \
    "$(pkg-config --print-requires-private rejoin-client)" ""
timeout 120 "$work/embedded" -l 127.0.0.1 -n 1 new "$work/one" >"$work/out" 2>&1
is "the embedding example runs" "$?, $(tail -n 1 "$work/out")" "0, count 1"
node a
check_here "the installed daemon runs" up a
check "a bucket" rj a bucket add data
has "the client example runs" "$(REJOIN_HOME=$work/a "$work/client" data Ada)" "visit 1"
has "... linked statically too" \
    "$(LD_LIBRARY_PATH='' REJOIN_HOME=$work/a "$work/client-static" data Ada)" "visit 2"
check "Python is installed" package install-python
python=/usr/bin/python3 # the one that python3-cffi belongs to
[ -x "$python" ] || python=python3
if "$python" -c 'import cffi' 2>/dev/null; then
    is "... and finds the library" "$(cd / && REJOIN_HOME=$work/a PYTHONDONTWRITEBYTECODE=1 \
        PYTHONPATH=$work/usr/lib/python3/dist-packages \
        "$python" -c 'import rejoin; print(rejoin.Client(bucket="data").get("visits"))' 2>&1)" \
        "b'2'"
else
    echo "ok $((count += 1)) - ... and finds the library # skip no python3-cffi"
fi
down a
check "it is removed" package uninstall
is "... and leaves no file" "$(find "$work/usr" -type f -o -type l)" ""
done_testing
