#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Plants known bugs, one at a time, into a copy of the tree and expects the simulator (or
# the test of that part) to find each (`make planted`). usage: test/sim/plant.sh [NAME...]; PLANT_DIR: where to build,
# SEEDS: how many random histories at most.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
dir=${PLANT_DIR:-}
if [ -z "$dir" ]; then
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
    trap 'exit 130' INT TERM
fi
seeds=${SEEDS:-400}
number=0 passed=0 failed=0

# edit FILE EXPRESSION: a sed that must change the file.
edit() {
    sed -E "$2" "$dir/tree/$1" >"$dir/edited"
    if cmp -s "$dir/edited" "$dir/tree/$1"; then
        echo "# the edit of $1 changes nothing: $2"
        return 1
    fi
    cp "$dir/edited" "$dir/tree/$1"
}

plant() {
    program=test/sim which=
    case $1 in
    no-deps) # R3: a batch does not wait for its deps
        edit src/node/deliver.c 's/err = check_deps\(s, &b->header, o, from\);/err = RJ_OK;/' ;;
    one-vector) # R5: one context for all ranges
        edit src/node/transfer.c 's/rj_contexts_join\(s->contexts, p->range, &p->S\)/rj_contexts_join(s->contexts, (struct rj_range){0, UINT64_MAX}, \&p->S)/' ;;
    early-durable) # a commit counts as done when it is handed out
        edit src/node/node.c 's/a\.commit = \+\+n->issued;/a.commit = n->committed = ++n->issued;/' ;;
    no-fsync) # a commit that must be durable is not synced
        edit src/node/node.c 's/n->commit_durable = a\.durable;/n->commit_durable = a.durable; a.durable = false;/' ;;
    same-incarnation) # R1: every open continues under one incarnation
        edit src/node/node.c 's/n->incarnation = rj_be_load64\(random\);/n->incarnation = 1;/' ;;
    no-relay) # others'"'"' batches are never passed on
        edit src/node/stream.c 's/if \(rj_vv_has\(&l->sent, e->origin, rj_log_entry_last\(e\)\)\)/if (e->origin != s->self || rj_vv_has(\&l->sent, e->origin, rj_log_entry_last(e)))/' ;;
    no-horizon) # values: who has missed removals that are forgotten is not refused
        program=test/test_crdt_forget
        edit src/crdt/forget.c 's/err = RJ_ECLOSED;/err = RJ_OK;/' ;;
    early-forget) # deletions that win are forgotten whoever has not seen them
        which=deletes
        edit src/bucket/gone.c 's/d->sort == RJ_DOTTED_GONE && rj_vv_has\(settled, d->origin, d->seq\)/d->sort == RJ_DOTTED_GONE \&\& settled != NULL/' ;;
    not-owed) # ... and what shows that it was too soon is not told
        which=deletes
        edit src/bucket/late.c 's/if \(is_told\(rj_gone_of\(d\), seen\)\) \{/if (is_told(rj_gone_of(d), seen) || seen != NULL) {/' ;;
    *)
        echo "# unknown bug $1"
        return 1 ;;
    esac
}

found() {
    if [ $program != test/sim ]; then
        if timeout 900 "$dir/build/$program" >"$dir/out" 2>&1; then
            return 1
        fi
        return 0
    fi
    for run in named "$which random $seeds"; do
        # shellcheck disable=SC2086
        timeout 900 "$dir/build/test/sim" $run >"$dir/out" 2>&1 || return 0
    done
    return 1
}

report() {
    number=$((number + 1))
    if [ "$1" = ok ]; then
        passed=$((passed + 1))
        echo "ok $number - $2"
    else
        failed=$((failed + 1))
        echo "not ok $number - $2"
    fi
}

for bug in ${*:-no-deps one-vector early-durable no-fsync same-incarnation no-relay no-horizon early-forget not-owed}; do
    rm -rf "$dir/tree"
    mkdir -p "$dir/tree"
    cp -r "$root/Makefile" "$root/include" "$root/src" "$root/test" "$root/tools" "$dir/tree/"
    if ! plant "$bug"; then
        report no "$bug: could not be planted"
    elif ! make -C "$dir/tree" BUILD="$dir/build" WERROR=0 "$dir/build/$program" \
        >"$dir/log" 2>&1; then
        tail -5 "$dir/log" | sed 's/^/# /'
        report no "$bug: does not build"
    elif found; then
        grep -m1 '^not ok' "$dir/out" | sed 's/^/# /' || true
        report ok "$bug is found"
    else
        report no "$bug is not found"
    fi
done
echo "1..$number"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
