#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A store of another version is refused with what to do, and left as it is.
. "$(dirname "$0")/lib.sh"
command -v perl >/dev/null || { echo "1..0 # skip no perl"; exit 77; }
node a
up a
check "a bucket" rj a bucket add data
check "a value" rj a bucket put data key value
check_here "the daemon stops" down a
store=$work/a/data/store
cp "$store/data.mdb" "$work/good"

# Format records as doc/format.md has them: checksum, "rjstore\n", number, who wrote it.
head=726a73746f72650a
newer=02b2907e71a59b48${head}00000003$(printf '%-48s' 372e382e39 | tr ' ' 0)
older=ced3f33a40df3c9e${head}00000001$(printf '%048d' 0)
put_format() {
    perl -e 'my ($hex, $file) = @ARGV;
        my $new = pack("H*", $hex);
        open(my $f, "+<:raw", $file) or die; local $/; my $all = <$f>;
        my ($n, $at) = (0, -1);
        while (($at = index($all, "rjstore\n", $at + 1)) >= 0) {
            $n++; seek($f, $at - 8, 0); print $f $new;
        }
        die "no format record" unless $n; close($f) or die' "$1" "$store/data.mdb"
}
state() { (cd "$work/a/data" && find . -type f ! -name rejoind.log ! -path ./lock ! -name lock.mdb \
    -exec sha256sum {} + && stat -c '%n %s %Y' device.key store/data.mdb) | sort; }

refuses() { # NAME WHY
    local out status before
    before=$(state)
    out=$(rj a up 2>&1)
    status=$?
    is "$1: exit status 1" "$status" 1
    has "$1: who wrote it and what to run" "$out" "$2"
    has "$1: or what else to do" "$out" "rejoin join"
    status_is 10 "$1: nothing is served" rj a status
    is "$1: nothing was changed" "$(state)" "$before"
}

check "a store of a later version" put_format "$newer"
refuses "a later version" "format 3, written by rejoin 7.8.9;"
check "a store from before the first release" put_format "$older"
refuses "an earlier version" "format 1, written by rejoin from before 0.1.0;"
cp "$work/good" "$store/data.mdb"
check_here "with its own version's store it starts" up a
is "... and has the value" "$(rj a bucket get data key)" value
done_testing
