#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Which bucket a Redis client gets, and what it must know for that.
. "$(dirname "$0")/lib.sh"
node a
up a
is "without a bucket there is a reason" "$(redis a get k)" "ERR no such bucket"
check "two buckets" sh -c "REJOIN_HOME=$work/a rejoin -q bucket add one &&
    REJOIN_HOME=$work/a rejoin -q bucket add two"
redis a set where one >/dev/null
auth() { local n=$1 user=$2 pass=$3; shift 3; redis "$n" --no-auth-warning --user "$user" --pass "$pass" "$@" 2>&1; }
auth a two any set where two >/dev/null
is "plain clients get the first one" "$(redis a get where)" one
is "the user's name picks another" "$(auth a two any get where)" two
is "... as a URL does" "$(timeout 120 redis-cli --no-auth-warning \
    -u "redis://two:any@127.0.0.1:${port_resp[a]}" get where)" two
is "RESET goes back to the first one" "$(printf '%s\n' 'AUTH two any' 'GET where' RESET \
    'GET where' 'SET where one' 'AUTH two any' 'GET where' | redis a | tr '\n' ' ')" \
    "OK two RESET one OK OK two "
is "a user is a bucket" "$(printf '%s\n' 'ACL WHOAMI' 'AUTH two any' 'ACL WHOAMI' |
    redis a | tr '\n' ' ')" "default OK two "
has "the empty name is no user" "$(echo 'AUTH "" any' | redis a)" "WRONGPASS"
check "the default can be changed" rj a bucket set two default=yes
is "... for new clients" "$(redis a get where)" two
check "... and back" rj a bucket set one default=yes

token=$(rj a --json bucket show --token two | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
is "a token is made when it is asked for" "${#token}" 26
is "... and stays" "$(rj a --json bucket show two --token | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')" \
    "$token"
is "with it the bucket opens" "$(auth a two "$token" get where)" two
has "without it it does not" "$(auth a two wrong get where)" "WRONGPASS"
is "the default bucket is open over loopback" "$(redis a get where)" one
has "a bucket that is none" "$(auth a three x get where)" "WRONGPASS"
check "a token is set" rj a bucket set two token=secret-1
is "... and counts at once" "$(auth a two secret-1 get where)" two
has "... the old one does not" "$(auth a two "$token" get where)" "WRONGPASS"
has "the token is not shown without asking" "$(rj a bucket show two)x" "token set       yes"
[[ $(rj a bucket show two) != *secret-1* ]]
result $? "... really not"
check "a token is removed" rj a bucket set two token=none
is "... then any will do over loopback" "$(auth a two x get where)" two
rj a bucket set two token=again
down a
up a
has "tokens outlast a restart" "$(auth a two x get where)" "WRONGPASS"
# From elsewhere nothing is open without a token.
address=$(hostname -I 2>/dev/null | tr ' ' '\n' | grep -m 1 -E '^[0-9.]+$')
if [ -n "$address" ]; then
    down a
    rj a config set listen.resp 0.0.0.0
    up a
    far() { timeout 120 redis-cli -h "$address" -p "${port_resp[a]}" --no-auth-warning "$@" 2>&1; }
    has "the default bucket is closed from elsewhere" "$(far get where)" "NOAUTH"
    has "... with any word" "$(far --user one --pass x get where)" "WRONGPASS"
    is "... but not with a token" "$(far --user two --pass again get where)" two
    rj a -q bucket set one token=first
    is "... of the default bucket" "$(far --pass first get where)" one
else
    for i in 1 2 3 4; do echo "ok $((count += 1)) - from elsewhere # skip no address"; done
fi
check "loopback can be closed too" rj a config set resp.open no
has "... the default bucket needs a token" "$(redis a get where)" "NOAUTH"
has "... a bucket without one opens to nobody" "$(auth a one any get where)" "WRONGPASS"
is "... one with a token to who has it" "$(auth a two again get where)" two
is "... as HELLO has it" "$(echo 'HELLO 2 AUTH two again' | redis a | sed -n 4p)" "7.2.0"
is "the command line needs none" "$(rj a bucket run two GET where)" two
check "a removed bucket takes its token along" rj a -y bucket remove two
[ -z "$(grep again "$work/a/rejoin.conf")" ]
result $? "... out of the file"
done_testing
