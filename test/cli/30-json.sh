#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every command's --json is what doc/json.md says.
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || { echo "1..0 # skip jq is not installed"; exit 77; }
node a
node b

# fits SECTION: what is in $work/doc, line by line.
fits() {
    local wrong
    jq -e . "$work/doc" >/dev/null 2>&1 || { echo "no JSON"; return 1; }
    wrong=$(jq -r --rawfile md doc/json.md --arg section "$1" -f test/cli/json-check.jq \
        "$work/doc" 2>&1)
    [ -z "$wrong" ] || { echo "$wrong"; cat "$work/doc"; return 1; }
}
# json STATUS SECTION NODE ARGUMENT...
json() {
    local want=$1 section=$2 n=$3 status
    shift 3
    rj "$n" --json "$@" >"$work/doc" 2>"$work/err" </dev/null
    status=$?
    [ $status = "$want" ] || echo "# status $status: $(cat "$work/err")"
    [ $status = "$want" ] && check "$section: $1 ${2-}" fits "$section" && return
    result 1 "$section: $*"
}

json 10 error a status
json 0 nothing a down
json 0 down a down
json 2 error a bucket get b
json 0 version a version
json 0 help a help
json 0 completion a completion bash
json 0 "dry run" a -n up
json 0 "config set" a config set log.level info
json 0 "config get" a config get log.level
json 0 "config get" a config get limit.log
json 0 "config list" a config list
json 1 doctor a doctor
json 10 error a bench
free_port
rj a config set port.web "$port"
up a
up b
if rj a web >/dev/null 2>&1; then
    json 0 web a web
else
    json 4 error a web # built without HTTP
fi
is "an error is JSON wherever --json stands" "$(rj a --bogus --json 2>/dev/null | jq -r .error.code)" EINVAL
json 0 up a up
json 0 "bucket add" a bucket add data
json 5 error a bucket add data
json 0 invite a invite data
json 0 join b join "$(jq -r .ticket "$work/doc")"
json 0 nothing a bucket put data k v
printf '\200\377' | rj a bucket put data raw -
json 0 "bucket get" a bucket get data k
json 0 "bucket get" a bucket get data raw
is "what is no text is base64" "$(jq -r .value.base64 "$work/doc")" gP8=
json 4 error a bucket get data none
json 0 sync a sync
json 0 "bucket run" a bucket run data MGET k none
json 0 "bucket run" a bucket run data GET k
json 1 "bucket run" a bucket run data NOSUCH
json 0 "bucket list" a bucket list
json 0 "bucket show" a bucket show data
json 0 "bucket show" a bucket show data --token
json 0 "bucket add" a bucket set data durability=always
json 0 nothing a bucket del data k
json 0 status a status
json 0 status b status data
json 0 "peer list" a peer list
json 0 "peer show" a peer show b
json 0 nothing a peer set b address=127.0.0.1:1
json 0 bench a bench --seconds 0.01 --bucket data
is "nothing is left of a bench" "$(rj a --json bucket list | jq -c '[.buckets[].name]')" '["data"]'
is "... and no key" "$(rj a --json bucket run data KEYS 'rejoin:*')" '{"v":1,"reply":[]}'
json 0 doctor a doctor
REJOIN_HOME=$work/a rejoin --json watch >"$work/events" 2>/dev/null &
helpers+=($!)
seen() { rj a -q -y bucket remove probe; rj a -q bucket add probe && grep -q '}$' "$work/events"; }
await 60 seen
grep '}$' "$work/events" >"$work/doc"
check "watch: each line" fits watch
timeout 60 env REJOIN_HOME="$work/a" rejoin --json status --watch >"$work/frames" &
helpers+=($!)
twice() { [ "$(grep -c '}$' "$work/frames")" -ge 2 ]; }
await 60 twice
grep '}$' "$work/frames" >"$work/doc"
check "status --watch: each line" fits status
down b
await 60 sh -c "! REJOIN_HOME=$work/a rejoin -q status"
json 3 doctor a doctor
json 3 status a -q status
json 0 "peer remove" a -y peer remove b
json 0 nothing a -y bucket remove data
json 0 down a down
unset "pid[a]"

# Every command of the table was asked for.
rj a --json help | jq -r '.commands[].words' >"$work/words"
missing=$(while read -r words; do
    grep -qE "^ *(json [0-9]+ .* [ab] (-[a-z] )*$words( |\$)|.*--json $words( |\$|>))" "$0" || echo "$words"
done <"$work/words")
is "no command was left out" "$missing" ""
# The check itself: a document that is wrong in each way is refused.
echo '{"v":1,"version":1,"more":true}' >"$work/doc"
is "the check finds what is wrong" "$(fits version | head -n 2 | cut -d: -f 1-2)" \
    "version: 1 is no text
more: is not in doc/json.md"
echo '{"v":1}' >"$work/doc"
has "... and what is missing" "$(fits version)" "version: is missing"
done_testing
