# SPDX-License-Identifier: Apache-2.0
# What the scripts of bench/ share: figures and their medians, tables, what processes
# used. To be sourced; bash.
#
# BENCH_QUICK=1: one short round, to try the scripts themselves.
# BENCH_ROUNDS: rounds of each comparison (default 5).
# shellcheck shell=bash

export LC_ALL=C
quick=${BENCH_QUICK:-0}
if [ "$quick" = 1 ]; then rounds=${BENCH_ROUNDS:-1}; else rounds=${BENCH_ROUNDS:-5}; fi
work=$(mktemp -d "${TMPDIR:-/tmp}/rejoin-redis-XXXXXX")
mkdir "$work/figures"

die() {
    echo "bench: $*" >&2
    exit 1
}

# scaled N: N, or a twentieth of it in a quick run.
scaled() { if [ "$quick" = 1 ]; then echo $(($1 / 20)); else echo "$1"; fi; }
now_us() { echo "${EPOCHREALTIME/./}"; }

# ---- figures: `figure NAME VALUE` adds one; the others read all that have this name
figure() { echo "$2" >>"$work/figures/$1"; }
median_of() { # on stdin
    sort -g | awk '{ v[NR] = $1 }
        END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}
median() {
    [ -s "$work/figures/$1" ] || die "no figure $1"
    median_of <"$work/figures/$1"
}
# ratio A B: median, least and greatest of a/b of each round.
ratio() {
    paste -d' ' "$work/figures/$1" "$work/figures/$2" |
        awk '{ print ($2 > 0 ? $1 / $2 : 0) }' | sort -g >"$work/ratio"
    printf '%.2f (%.2f–%.2f)\n' "$(median_of <"$work/ratio")" \
        "$(head -n 1 "$work/ratio")" "$(tail -n 1 "$work/ratio")"
}
# calc FORMAT EXPRESSION: as awk reckons it.
calc() { awk "BEGIN { printf \"$1\\n\", $2 }"; }
# A row of a table in Markdown.
row() {
    printf '| %s ' "$@"
    echo '|'
}

# ---- what processes use
clock_ticks=$(getconf CLK_TCK)
cpu_us() { # pid...: CPU of all their threads so far, in µs; steps of 10 ms
    local pid sum=0 fields
    for pid in "$@"; do
        read -r -a fields <"/proc/$pid/stat" || die "process $pid has ended"
        sum=$((sum + fields[13] + fields[14]))
    done
    echo $((sum * 1000000 / clock_ticks))
}
memory_kb() { # pid VmRSS|RssAnon|RssFile
    awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status"
}
# Bytes in both directions of all open TCP connections of a process to or at the given
# ports, as the kernel counts them: payload of the segments, so TLS is in it.
tcp_bytes() { # pid port...
    local pid=$1 port filter=''
    shift
    for port in "$@"; do
        filter+="${filter:+ or }sport = :$port or dport = :$port"
    done
    ss -tinpHO state established "( $filter )" | awk -v owner="pid=$pid," '
        index($0, owner) {
            for (i = 1; i <= NF; i++)
                if (sub(/^bytes_(sent|received):/, "", $i)) sum += $i
        }
        END { printf "%d\n", sum }'
}
# The CPU of the whole machine that was used, and what its host took away, in µs.
machine_us() {
    awk -v hz="$clock_ticks" '/^cpu / {
        printf "%.0f %.0f\n", ($2 + $3 + $4 + $7 + $8) * 1e6 / hz, $9 * 1e6 / hz }' /proc/stat
}
# Sets own to the CPU that this script used, with all its processes that have ended.
own_cpu() {
    times >"$work/times"
    own=$(awk '{ for (i = 1; i <= 2; i++) { split($i, t, /[ms]/)
                 sum += t[1] * 60 + t[2] } } END { printf "%.0f", sum * 1e6 }' "$work/times")
}
machine() {
    local model
    model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
    echo "$(nproc) cores, ${model:-unknown CPU}, Linux $(uname -r | cut -d- -f1), $(date -u +%F)"
}
