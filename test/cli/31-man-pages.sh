#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual pages name every command, option and setting, and can be made.
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || { echo "1..0 # skip jq is not installed"; exit 77; }
mkdir "$work/a"
page=doc/man/rejoin.1.scd

missing=$(rj a --json help | jq -r '.commands[].words' | while read -r words; do
    grep -qF "*$words*" $page || echo "$words"
done)
is "rejoin(1) has every command" "$missing" ""
missing=$(rj a --json help | jq -r '.flags[]' | while read -r flag; do
    grep -qE "^(\*-.\*, )?\*--$flag\*" $page || echo "--$flag"
done)
is "... every flag" "$missing" ""
# An option stands below its command, before the next one.
missing=$(rj a --json help | jq -r '.commands[] | .words as $w | .options[] | "\($w)\t\(.name)"' |
    while IFS=$'\t' read -r words option; do
        awk -v words="*$words*" -v option="*--$option*" '
            /^\*/ { inside = index($0, words) == 1 }
            inside && index($0, option) { found = 1 }
            END { exit !found }' $page || echo "$words --$option"
    done)
is "... and every option of each" "$missing" ""
missing=$(sed -n '/^# DAILY/,/^# EXIT/p' $page | grep -oE '^\*[a-z]+( [a-z]+)?\*' | tr -d '*' | while read -r words; do
    rj a --json help | jq -e --arg w "$words" 'any(.commands[]; .words == $w)' >/dev/null ||
        echo "$words"
done)
is "... and no command that is none" "$missing" ""
missing=$(rj a --json config list | jq -r '.keys[].key' | while read -r key; do
    grep -qF "*$key*" doc/man/rejoin.conf.5.scd || echo "$key"
done)
is "rejoin.conf(5) has every setting" "$missing" ""
for option in $(rejoind --help | grep -oE -- '--[a-z-]+' | sort -u); do
    grep -qF -- "*$option*" doc/man/rejoind.8.scd
    result $? "rejoind(8) has $option"
done
if command -v scdoc >/dev/null; then
    for source in doc/man/*.scd; do
        check "$(basename "$source") can be made" sh -c "scdoc <$source >$work/page && test -s $work/page"
    done
else
    echo "ok $((count += 1)) - the pages can be made # skip scdoc is not installed"
fi
done_testing
