#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two programs that embed a node share a counter with no daemon at all (examples/embedded.c);
# a daemon takes over the home of one.
. "$(dirname "$0")/lib.sh"
embedded=$(realpath "$BUILD")/examples/embedded
[ -x "$embedded" ] || { echo "1..0 # skip examples/embedded is not built"; exit 77; }
run() { timeout 120 "$embedded" -l 127.0.0.1 "$@"; }
has_ticket() { grep -q '^rj1-' "$work/one.out"; }
count_in() { tail -n 1 "$work/$1.out"; }

status_is 2 "without words it says how it is used" run
run -n 2 new "$work/one" >"$work/one.out" 2>&1 &
helpers+=($!)
check "the first one prints a ticket" await 60 has_ticket
status_is 1 "its home is taken" run go-on "$work/one"
run -n 2 join "$work/two" "$(head -n 1 "$work/one.out")" >"$work/two.out" 2>&1
is "the second one joins and ends in order" $? 0
wait "${helpers[0]}"
is "... and so does the first" $? 0
is "both have counted to two" "$(count_in one), $(count_in two)" "count 2, count 2"
status_is 2 "a ticket that is none is refused" run join "$work/three" rj1-nonsense@127.0.0.1
status_is 0 "it goes on later" run -n 3 go-on "$work/one"

mkdir "$work/a" && mv "$work/one"/* "$work/a/"
rj a config set port.peer 0 && rj a config set port.resp 0
check_here "a daemon takes the home over" up a
is "... with what is in it" "$(rj a bucket get shared count)" 3
check "it stops" down a
done_testing
