#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The library of convergent values alone, as others get it: installed, found with
# pkg-config, small, and without anything of the system but memory and strings.
. "$(dirname "$0")/lib.sh"
plain=${PLAIN:-$BUILD} # a build without sanitizers
[ -e "$plain/librejoin-crdt.so.0" ] || {
    echo "1..0 # skip no shared libraries in $plain"
    exit 77
}
plain=$(realpath "$plain")
built "$plain" PREFIX="$work/usr" install >"$work/log" 2>&1
is "it installs" $? 0
export PKG_CONFIG_PATH=$work/usr/lib/pkgconfig LD_LIBRARY_PATH=$work/usr/lib
lib=$work/usr/lib/librejoin-crdt
check "... shared, static, and for pkg-config" \
    test -e "$lib.so" -a -f "$lib.so.0" -a -f "$lib.a" -a -f "$work/usr/lib/pkgconfig/rejoin-crdt.pc"

compile() { # OUTPUT FLAG...
    "${CC:-gcc}" -std=c17 -pedantic -Wall -Wextra -Werror examples/two-replicas.c -o "$work/$1" "${@:2}"
}
# shellcheck disable=SC2046
check "the example compiles with what pkg-config says" \
    compile shared $(pkg-config --cflags --libs rejoin-crdt)
is "... runs" "$("$work/shared")" '["jam","tea"]'
check "it has at most 30 lines" test "$(wc -l <examples/two-replicas.c)" -le 30
check "it links statically" compile static "-I$work/usr/include" "$lib.a"
is "... and runs" "$(LD_LIBRARY_PATH='' "$work/static")" '["jam","tea"]'
is "it needs no other package" \
    "$(pkg-config --print-requires --print-requires-private rejoin-crdt)" ""
is "... and the C library alone" \
    "$(readelf -d "$lib.so.0" | grep NEEDED | grep -vE '\[(libc|ld-linux[^]]*)\.so')" ""
strip -o "$work/stripped" "$lib.so.0"
check "stripped, it has at most 300 KB" test "$(stat -c %s "$work/stripped")" -le 307200
is "it has no threads, clocks, files, sockets or randomness" "$(nm -D -u "$lib.so.0" | awk '
    BEGIN {
        while ((getline line <"tools/floors.allow") > 0)
            if (line !~ /^#/) { n = split(line, f, " "); for (i = 1; i <= n; i++) ok[f[i]] = 1 }
    }
    { name = $NF; sub(/@.*/, "", name) }
    $1 == "w" || name ~ /^(_ITM_|__cxa_finalize|__gmon_start__)/ || name in ok { next }
    { print name }')" ""
done_testing
