# SPDX-License-Identifier: Apache-2.0
# Servers for bench/: nodes of rejoin and of Redis, each named by a word, each on ports
# and in a directory of its own, all on 127.0.0.1, all ended when the script ends. To be
# sourced after lib.sh.
# shellcheck shell=bash disable=SC2154 # work is of lib.sh

build=${BUILD:-build}
rejoin=$build/rejoin
next_port=${BENCH_PORT:-27400}
declare -A pid_of port_of peer_port_of

cleanup() {
    local pid
    exec 2>/dev/null # the shell's words about killed jobs
    for pid in "${pid_of[@]}"; do kill -9 "$pid"; done
    wait
    # A child of a killed Redis may still be writing its file.
    rm -rf "$work" || { sleep 1; rm -rf "$work"; }
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Sets `port` to one that nobody listens at.
take_port() {
    while (exec 9<>"/dev/tcp/127.0.0.1/$next_port") 2>/dev/null; do
        next_port=$((next_port + 1))
    done
    port=$next_port
    next_port=$((next_port + 1))
}

# ---- one question on a connection of its own, without a process for it
# ask NAME COMMAND: the reply, headers of RESP and all but its first character taken off
# for a bulk; an error keeps its "-". Status 1: nobody answers.
ask() {
    local line text=''
    { exec 8<>"/dev/tcp/127.0.0.1/${port_of[$1]}"; } 2>/dev/null || return 1
    printf '%s\r\n' "$2" >&8 && IFS= read -r -t 60 line <&8 || line=
    line=${line%$'\r'}
    case $line in
    '') exec 8>&-; return 1 ;;
    '$-1') ;;
    '$'*) IFS= read -r -d '' -N "${line#$}" -t 60 text <&8 ;;
    *) text=$line ;;
    esac
    exec 8>&-
    printf '%s\n' "$text"
}
# info NAME SECTION FIELD: one field of INFO.
info() {
    ask "$1" "INFO $2" | tr -d '\r' | sed -n "s/^$3://p"
}
# Waits until NAME answers COMMAND with something that is no error.
await_answer() {
    local answer deadline=$((SECONDS + 120))
    until answer=$(ask "$1" "$2") && [ "${answer#-}" = "$answer" ]; do
        kill -0 "${pid_of[$1]}" 2>/dev/null || die "$1 ended; see its log: $(tail -n 5 "$work/$1/log")"
        [ $SECONDS -lt $deadline ] || die "$1 does not answer: $answer"
        sleep 0.01
    done
}
# Waits until the command, given as words, succeeds.
await() {
    local deadline=$((SECONDS + 300))
    until "$@"; do
        [ $SECONDS -lt $deadline ] || die "waited in vain: $*"
        sleep 0.02
    done
}

# ---- Redis
redis_start() { # name option...
    local name=$1
    shift
    mkdir -p "$work/$name"
    [ -n "${port_of[$name]-}" ] || { take_port; port_of[$name]=$port; }
    redis-server --port "${port_of[$name]}" --bind 127.0.0.1 --dir "$work/$name" \
        --save '' --appendonly yes --appendfsync everysec \
        --auto-aof-rewrite-percentage 0 --repl-diskless-sync-delay 0 \
        "$@" >>"$work/$name/log" 2>&1 &
    pid_of[$name]=$!
}
redis_follows() { # replica primary
    redis-cli -p "${port_of[$1]}" replicaof 127.0.0.1 "${port_of[$2]}" >/dev/null
    await redis_linked "$1"
}
redis_linked() { [ "$(info "$1" replication master_link_status)" = up ]; }
redis_same() { # replica primary: it is up and has all
    local replica primary
    redis_linked "$1" || return 1
    primary=$(info "$2" replication master_repl_offset)
    replica=$(info "$1" replication slave_repl_offset)
    [ "$replica" -ge "$primary" ]
}

# ---- rejoin: a node serves one bucket, b
cli() { # name word...
    local name=$1
    shift
    REJOIN_HOME="$work/$name" "$rejoin" "$@"
}
rejoin_start() { # name
    local name=$1
    if [ -z "${port_of[$name]-}" ]; then
        mkdir -p "$work/$name"
        take_port; port_of[$name]=$port
        take_port; peer_port_of[$name]=$port
        cli "$name" config set port.resp "${port_of[$name]}" >/dev/null
        cli "$name" config set port.peer "$port" >/dev/null
        cli "$name" config set listen.peer 127.0.0.1 >/dev/null
        cli "$name" config set listen.address "127.0.0.1:$port" >/dev/null
        cli "$name" config set device.name "$name" >/dev/null
        cli "$name" config set bucket.durability second >/dev/null
    fi
    REJOIN_HOME="$work/$name" "$build/rejoind" >>"$work/$name/log" 2>&1 &
    pid_of[$name]=$!
}
rejoin_new() { # name: a first node with its bucket
    rejoin_start "$1"
    await_answer "$1" PING
    cli "$1" bucket add b >/dev/null || die "$1: no bucket"
    await_answer "$1" DBSIZE
}
rejoin_joins() { # name inviter
    local ticket
    rejoin_start "$1"
    await_answer "$1" PING
    ticket=$(cli "$2" --json invite b | sed -n 's/.*"ticket": *"\([^"]*\)".*/\1/p')
    cli "$1" join "$ticket" >/dev/null || die "$1 could not join"
    await_answer "$1" DBSIZE
}
# Waits until all the named nodes are connected to one another. What passes through a third
# is measured otherwise.
rejoin_meet() { # name...
    local name i
    for name in "$@"; do
        for ((i = 0; i < 200; i++)); do
            [ "$(cli "$name" --json peer list | grep -o '"connected":true' | wc -l)" -ge \
                $(($# - 1)) ] && continue 2
            sleep 0.05
        done
        echo "bench: $name is not connected to all others" >&2
    done
}
# The state of the bucket: number of writes known and digest.
rejoin_state() { info "$1" rejoin space_b | sed 's/.*,\(writes=[0-9]*\),.*,\(digest=.*\)/\1 \2/'; }
rejoin_same() { # name other
    local one
    one=$(rejoin_state "$1") && [ -n "$one" ] && [ "$one" = "$(rejoin_state "$2")" ]
}
peer_bytes() { # name: as the node counts them, both directions, without TLS
    cli "$1" --json peer list | grep -oE '"(sent|received)_bytes": *[0-9]+' |
        awk -F: '{ sum += $2 } END { printf "%d\n", sum }'
}

# Ends a server as its owner would, and waits for that. Asked again now and then: Redis
# does not end while it writes its first append-only file.
stop_server() { # name
    local pid=${pid_of[$1]} i
    for ((i = 0; i < 600; i++)); do
        ((i % 30)) || kill -TERM "$pid" 2>/dev/null
        [ -d "/proc/$pid" ] || break
        sleep 0.05
    done
    [ -d "/proc/$pid" ] && die "$1 does not end"
    wait "$pid" 2>/dev/null
    unset "pid_of[$1]"
}
# Waits until n others have received what was written at NAME so far.
received() { # name n [command...]: more of such waits
    local name=$1 others=$2 wait
    shift 2
    {
        printf 'SET settled %d\nWAIT %d 120000\n' "$RANDOM" "$others"
        for wait in "$@"; do echo "$wait"; done
    } | redis-cli -p "${port_of[$name]}" >"$work/settled"
    [[ $(sed 1d "$work/settled") =~ ^[0-9] ]] || die "$name: $(cat "$work/settled")"
    [ "$(sed -n '2p;$p' "$work/settled" | sort -g | head -n 1)" -ge "$others" ] ||
        die "$name: not in time at $others others"
}
# The same and, for rejoin, until it is durable here and at n others.
settle() { # name n
    case $1 in
    redis*) received "$1" "$2" ;;
    *) received "$1" "$2" "WAITAOF 1 $2 120000" ;;
    esac
}
