# SPDX-License-Identifier: Apache-2.0
# What the tests of this folder share: nodes in homes of their own on loopback, TAP lines,
# waiting by looking, and an end that leaves nothing behind. Sourced, not run.
#
#   node A            a home with free ports; then
#   rj A status       rejoin for that home
#   redis A get k     redis-cli to that node
#   up A; down A; kill9 A
#   check "it works" rj A status        one TAP line: did the command succeed
#   is "name" "$got" "$expected"        one TAP line: are they equal
#   status_is 4 "name" rj A bucket get b nothing
#   await 60 test -e file               polls until it succeeds; fails after so many seconds
#   play NAME COMMAND... another script that prints TAP: its cases become cases of this one
#   done_testing      the plan; the exit status
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
BUILD=${BUILD:-build}
PATH=$(realpath "$BUILD"):$PATH
export PATH ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1}
unset REJOIN_HOME REJOIN_CONFIG REJOIN_SOCKET
command -v rejoin >/dev/null && command -v rejoind >/dev/null || {
    echo "1..0 # skip rejoin and rejoind are not built in $BUILD"
    exit 77
}

work=$(mktemp -d "${TMPDIR:-/tmp}/rejoin-test.XXXXXX") || exit 2
declare -A pid port_peer port_resp
declare -a helpers=() ports_used=()
count=0 failures=0

cleanup() {
    local p
    for p in "${pid[@]}" "${helpers[@]}"; do
        kill "$p" 2>/dev/null
    done
    for p in "${pid[@]}" "${helpers[@]}"; do
        for _ in $(seq 100); do
            gone "$p" && continue 2
            sleep 0.05
        done
        kill -9 "$p" 2>/dev/null
    done
    rm -rf "$work"
}
trap cleanup EXIT
trap '' PIPE
trap 'exit 130' INT TERM

# A port on loopback that nobody listens at, below the ones that the system hands out, from
# the hundred of this script's number: another script may be running.
free_port() {
    local p number
    number=${port_block:-$(basename "$0")}
    for _ in $(seq 200); do
        p=$((20000 + 100 * 10#${number%%-*} + RANDOM % 100))
        [[ " ${ports_used[*]-} " = *" $p "* ]] && continue
        (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null && continue
        ports_used+=("$p")
        port=$p
        return
    done
    echo "Bail out! no free port"
    exit 1
}

rj() { local n=$1; shift; REJOIN_HOME=$work/$n timeout 120 rejoin "$@"; }
redis() { local n=$1; shift; timeout 120 redis-cli -p "${port_resp[$n]}" "$@"; }

node() {
    mkdir "$work/$1"
    free_port; port_peer[$1]=$port
    free_port; port_resp[$1]=$port
    rj "$1" config set port.peer "${port_peer[$1]}" &&
        rj "$1" config set port.resp "${port_resp[$1]}" &&
        rj "$1" config set port.web 0 &&
        rj "$1" config set listen.peer 127.0.0.1 &&
        rj "$1" config set device.name "$1"
}

up() {
    local out
    out=$(rj "$1" --json up) || return
    pid[$1]=$(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' <<<"$out")
    [ -n "${pid[$1]}" ]
}
down() { rj "$1" -q down && unset "pid[$1]"; }
# Ended, whether or not somebody has asked for its status yet.
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:[[:space:]]Z' "/proc/$1/status"; }
kill9() {
    local p=${pid[$1]}
    kill -9 "$p" && await 60 gone "$p" && unset "pid[$1]"
}
# make for a build that is there; one at a time, for PREFIX goes into files of the build.
built() { # BUILD ARGUMENT...
    flock "$1/lock" make -s --no-print-directory BUILD="$1" SAN= "${@:2}"
}
# A bucket at the first node, joined by the others; all must be up.
share() {
    local bucket=$1 first=$2 n
    shift 2
    rj "$first" -q bucket add "$bucket" || return
    for n in "$@"; do
        rj "$n" -q join "$(rj "$first" -q invite "$bucket")" || return
    done
}
digest() { rj "$1" --json bucket show "$2" | sed -n 's/.*"digest":"\([0-9a-f]*\)".*/\1/p'; }
same_digest() { # BUCKET NODE NODE...
    local bucket=$1 first
    shift
    first=$(digest "$1" "$bucket")
    [ -n "$first" ] || return
    for n in "$@"; do
        [ "$(digest "$n" "$bucket")" = "$first" ] || return
    done
}
# A Redis of its own at $redis_port; true once it answers.
redis_server() {
    free_port; redis_port=$port
    redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work" \
        --daemonize no >"$work/redis.log" 2>&1 &
    helpers+=($!)
    await 60 redis-cli -p "$redis_port" ping
}
value_is() { [ "$(redis "$1" get "$2")" = "$3" ]; }

await() {
    local until=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.05
    done
}

result() { # STATUS NAME
    count=$((count + 1))
    if [ "$1" = 0 ]; then
        echo "ok $count - $2"
    else
        echo "not ok $count - $2"
        failures=$((failures + 1))
    fi
}
check() {
    local name=$1 out status
    shift
    out=$("$@" 2>&1)
    status=$?
    result $status "$name"
    [ $status = 0 ] || sed 's/^/# /' <<<"status $status from: $*
$out"
}
# As check, in this shell: for functions that change its variables.
check_here() {
    local name=$1 status
    shift
    "$@" >"$work/out" 2>&1
    status=$?
    result $status "$name"
    [ $status = 0 ] || { echo "# status $status from: $*"; sed 's/^/# /' "$work/out"; }
}
is() {
    [ "$2" = "$3" ]
    result $? "$1"
    [ "$2" = "$3" ] || printf '# got:      %s\n# expected: %s\n' "$2" "$3"
}
has() { # NAME TEXT PART
    [[ $2 = *"$3"* ]]
    result $? "$1"
    [[ $2 = *"$3"* ]] || printf '# %s\n# is not in: %s\n' "$3" "$2"
}
status_is() {
    local want=$1 name=$2 out status
    shift 2
    out=$("$@" 2>&1)
    status=$?
    is "$name" "$status" "$want"
    [ $status = "$want" ] || sed 's/^/# /' <<<"$out"
}

# One script that prints TAP; its cases become cases of this one.
play() { # NAME COMMAND...
    local name=$1 line status out=$work/played
    shift
    timeout 300 "$@" >"$out" 2>&1
    status=$?
    while IFS= read -r line; do
        case $line in
        'ok '*) result 0 "$name: ${line#* - }" ;;
        'not ok '*) result 1 "$name: ${line#* - }" ;;
        1..*) ;;
        *) echo "# $line" ;;
        esac
    done <"$out"
    grep -q '^1\.\.' "$out"
    result $? "$name: played to the end (status $status)"
}

done_testing() {
    local bad
    bad=$(grep -lE 'ERROR: (Address|Leak)Sanitizer|runtime error:|Assertion' \
        "$work"/*/data/rejoind.log* 2>/dev/null)
    [ -z "$bad" ]
    result $? "no daemon was caught by a sanitizer"
    if [ $failures != 0 ]; then
        for log in "$work"/*/data/rejoind.log; do
            echo "# ---- $log"
            tail -n 40 "$log" | sed 's/^/# /'
        done
    fi
    echo "1..$count"
    [ $failures = 0 ]
    exit
}
