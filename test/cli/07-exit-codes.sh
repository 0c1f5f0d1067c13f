#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Exit codes, suggestions, flags: what scripts rely on.
. "$(dirname "$0")/lib.sh"
node a

status_is 2 "no command is a usage error" rj a
status_is 2 "an unknown command too" rj a frobnicate
has "a slip gets a suggestion" "$(rj a statsu 2>&1)" "did you mean rejoin status?"
has "... for a verb of a noun" "$(rj a bucket lst 2>&1)" "did you mean rejoin bucket list?"
has "... for a flag" "$(rj a --jsn status 2>&1)" "did you mean --json?"
has "... for a setting" "$(rj a config get port.per 2>&1)" "did you mean port.peer?"
status_is 2 "a noun alone is a usage error" rj a bucket
status_is 2 "too few arguments" rj a bucket get b
status_is 2 "too many arguments" rj a down now
status_is 2 "an option of another command" rj a status --role x
status_is 0 "help" rj a help
status_is 0 "help for one command" rj a help bucket add
status_is 0 "-h for one command" rj a bucket add -h
status_is 4 "help for none" rj a help nothing
status_is 0 "version" rj a --version
[ -z "$(rj a help | awk 'length > 80')" ]
result $? "help fits 80 columns"
status_is 10 "without a daemon" rj a bucket list
status_is 2 "a ticket that is none" rj a join rj1-x
status_is 4 "a setting that does not exist" rj a config get no.such
status_is 2 "a value that does not fit" rj a config set port.peer many
is "a setting is printed and nothing else" "$(rj a config get port.peer)" "${port_peer[a]}"
check "a setting is unset" rj a config set device.name --unset
is "... back to the default" "$(rj a config get device.name)" ""
has "settings are listed" "$(rj a config list 2>/dev/null)" "port.resp"
has "... as JSON" "$(rj a --json config list)" '"key":"port.peer"'
printf '[port]\npeer = 1\nnonsense\n' >"$work/a/bad.conf"
REJOIN_CONFIG=$work/a/bad.conf status_is 2 "a bad configuration" rj a up
has "... with its line" "$(REJOIN_CONFIG=$work/a/bad.conf rj a up 2>&1)" "bad.conf:3:"

check_here "bucket add starts the daemon" rj a bucket add b
up a
has "-v says on stderr what is done" "$(rj a -v status 2>&1 >/dev/null)" \
    "talking to the daemon at $work/a/run/control"
is "... and nothing without it" "$(rj a status 2>&1 >/dev/null)" ""
status_is 5 "a bucket that exists" rj a bucket add b
status_is 2 "a name that is none" rj a bucket add 'a b'
status_is 4 "a bucket that does not exist" rj a bucket get nothing k
status_is 4 "a key that does not exist" rj a bucket get b k
check "a value is put" rj a bucket put b k 'v 1'
is "a value is printed and nothing else" "$(rj a bucket get b k | od -c | head -n 1)" \
    "$(printf 'v 1' | od -c | head -n 1)"
head -c 100000 /dev/urandom >"$work/value"
check "any bytes are a value" sh -c "REJOIN_HOME=$work/a rejoin bucket put b bin - <$work/value"
rj a bucket get b bin >"$work/back"
check "... and come back as they were" cmp "$work/value" "$work/back"
status_is 1 "a set is no string" sh -c "REJOIN_HOME=$work/a rejoin bucket run b SADD s x &&
    REJOIN_HOME=$work/a rejoin bucket get b s"
check "a key is deleted" rj a bucket del b k
status_is 4 "... only once" rj a bucket del b k
is "run prints as redis-cli does" "$(rj a bucket run b INCRBY n 5)" 5
is "... negative numbers too" "$(rj a bucket run b INCRBY n -7)" -2
is "... as JSON" "$(rj a --json bucket run b SMEMBERS s)" '{"v":1,"reply":["x"]}'
status_is 1 "an error reply" rj a bucket run b NOSUCHCOMMAND
is "-n changes nothing" "$(rj a -n bucket put b k v)$(rj a bucket run b EXISTS k)" \
    "would set key k of bucket b0"
status_is 2 "removal asks" rj a bucket remove b
has "errors are JSON under --json" "$(rj a --json bucket get b none 2>/dev/null)" \
    '"code":"ENOENT"'
status_is 4 "a peer that does not exist" rj a peer show nobody
node z
up z
rj z -q bucket add far
ticket=$(rj z -q invite)
status_is 7 "an inviter that does not answer" rj a --timeout 3 join "${ticket%@*}@127.0.0.1:1"
status_is 2 "a ticket for oneself" rj z join "$ticket"
down z
status_is 7 "an inviter that is down" rj a --timeout 3 join "$ticket"
check "removal with --yes" rj a -y bucket remove b
status_is 4 "... it is gone" rj a bucket show b
done_testing
