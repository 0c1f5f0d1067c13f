#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What people see: colours, widths, frames, Ctrl-C.
. "$(dirname "$0")/lib.sh"
command -v script >/dev/null || { echo "1..0 # skip script is not installed"; exit 77; }
node a
node b
export TERM=xterm
unset NO_COLOR
# On a terminal of 80 columns.
tty() { REJOIN_HOME=$work/$1 timeout 120 script -qec "stty cols 80 rows 24; ${*:2}" /dev/null </dev/null; }
esc=$'\033'

rj a config set device.name "$(printf 'n%.0s' $(seq 64))"
up a
rj a -q bucket add "$(printf 'b%.0s' $(seq 64))"
rj a -q bucket add other
up b
rj b -q join "$(rj a -q invite)"
for n in a b; do
    for what in status "bucket list" "peer list" "config list" "config list --origin" doctor \
        "bucket show other"; do
        # shellcheck disable=SC2086
        [ -z "$(rj $n $what 2>&1 | awk 'length > 80')" ]
        result $? "$what of $n fits 80 columns"
    done
done

plain=$(rj a status)
[[ $plain != *"$esc"* ]]
result $? "no colours in a pipe"
has "--color=always wants them" "$(rj a --color=always status)" "$esc[1m"
has "a terminal has them" "$(tty a rejoin doctor)" "$esc[32mok"
[[ $(tty a NO_COLOR=1 rejoin doctor) != *"$esc"* ]]
result $? "NO_COLOR is heeded"
has "... but --color=always wins" "$(tty a NO_COLOR=1 rejoin --color=always doctor)" "$esc[32mok"
[[ $(tty a rejoin --color=never doctor) != *"$esc"* ]]
result $? "--color=never is heeded"
[[ $(tty a TERM=dumb rejoin doctor) != *"$esc"* ]]
result $? "a dumb terminal gets none"

# status --watch draws over what was there, and ends with 130.
cat >"$work/watch.sh" <<'S'
set -m
rejoin status --watch &
p=$!
until [ "$(grep -ac "SPACE" "$1")" -ge 2 ]; do sleep 0.05; done
kill -INT $p
wait $p
echo "ended with $?"
S
# In a terminal's background the job may write but not read, which it does not want to.
REJOIN_HOME=$work/a timeout 120 script -qfec "stty cols 80 rows 24 -tostop; bash $work/watch.sh $work/frames" \
    "$work/frames" </dev/null >/dev/null 2>&1
frames=$(cat "$work/frames")
has "status --watch begins at the top" "$frames" "$esc[H"
has "... and clears behind each line" "$frames" "$esc[K"
has "... hides the cursor" "$frames" "$esc[?25l"
has "... and shows it again" "$frames" "$esc[?25h"
has "... Ctrl-C ends it with 130" "$frames" "ended with 130"

set -m
REJOIN_HOME=$work/a rejoin watch >"$work/events" &
p=$!
helpers+=($p)
heard() { rj a -q -y bucket remove probe; rj a -q bucket add probe && [ -s "$work/events" ]; }
await 60 heard
kill -INT $p
wait $p
is "Ctrl-C at watch: 130" "$?" 130
REJOIN_HOME=$work/a rejoin bench --seconds 60 >/dev/null 2>&1 &
p=$!
helpers+=($p)
there() { rj a bucket list | grep -q bench-; }
check "a bench makes a bucket" await 60 there
kill -INT $p
wait $p
is "Ctrl-C at bench: 130" "$?" 130
is "... and its bucket is gone" "$(rj a bucket list | grep bench-)" ""
set +m
status_is 3 "status -q: somebody is away" sh -c "REJOIN_HOME=$work/b rejoin -q down;
    while REJOIN_HOME=$work/a rejoin -q status; do sleep 0.1; done;
    REJOIN_HOME=$work/a rejoin -q status"
unset "pid[b]"
is "... and prints nothing" "$(rj a -q status 2>&1)" ""
down a
is "... also without a daemon" "$(rj a -q status 2>&1)" ""
status_is 10 "... but says so" rj a -q status
done_testing
