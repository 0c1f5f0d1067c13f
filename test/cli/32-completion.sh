#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a shell offers after Tab.
. "$(dirname "$0")/lib.sh"
node a
up a
rj a -q bucket add notes
rj a -q bucket add numbers
export REJOIN_HOME=$work/a

# What bash calls: tab WORD... (the last one is being typed).
# shellcheck disable=SC1090
. <(rejoin completion bash)
tab() {
    COMP_WORDS=(rejoin "$@") COMP_CWORD=$# COMPREPLY=()
    _rejoin rejoin "${!#}" rejoin
    echo "${COMPREPLY[*]}"
}
# A name comes from the daemon, which a shell does not wait for long: again until it came.
named() { # NAME EXPECTED COMMAND...
    local name=$1 want=$2
    shift 2
    same() { [ "$("$@")" = "$want" ]; }
    await 60 same "$@"
    is "$name" "$("$@")" "$want"
}
is "bash: commands" "$(tab st)" "status"
has "... all of them" "$(tab '')" "up down status invite join"
is "... verbs of a noun" "$(tab bucket s)" "show set"
is "... after flags" "$(tab --json --timeout 3 bucket sho)" "show"
is "... flags" "$(tab status --w)" "--watch"
is "... all that begin so" "$(tab invite --v)" "--verbose --version"
named "... names of buckets" "notes numbers" tab bucket get n
named "... one" "notes" tab sync no
has "... settings" "$(tab config set port)" "port.peer port.resp"
named "... their values" "numbers" tab config set resp.bucket nu
is "... values of an option" "$(tab invite --role '')" "reader writer admin"
is "... behind =, as bash splits it" "$(tab invite --role = ad)" "admin"
is "... policies" "$(tab bucket add new --policy d)" "delete-wins"
is "... settings of a bucket" "$(tab bucket set notes du)" "durability="
is "... and their values" "$(tab bucket set notes durability = al)" "always"
is "... nothing for a ticket" "$(tab join '')" ""
is "... topics of help" "$(tab help bucket sh)" "show"
node b
REJOIN_HOME=$work/b up b
REJOIN_HOME=$work/b rejoin -q join "$(rejoin -q invite notes)"
named "... names of peers" "b" tab peer show ""
if command -v zsh >/dev/null; then
    cat >"$work/tab.zsh" <<'Z'
compdef() { : }
compset() { : }
compadd() { while [[ $1 != -- ]] { shift }; shift; (( $# )) && print -l -- "$@" }
source <(rejoin completion zsh)
words=(rejoin "$@") CURRENT=$(( $# + 1 ))
_rejoin
Z
    ztab() { zsh -f "$work/tab.zsh" "$@" | tr '\n' ' '; }
    is "zsh: commands" "$(ztab st)" "status "
    named "... names" "notes numbers " ztab bucket get n
    is "... behind =" "$(ztab invite --role=ad)" "admin "
    is "... settings" "$(ztab bucket set notes d)" "durability= default=yes "
    is "... nothing" "$(ztab join '')" ""
else
    echo "ok $((count += 1)) - zsh # skip zsh is not installed"
fi
down b
down a
is "without a daemon it is silent" "$(tab bucket get '' 2>&1)" ""
is "... and still knows the commands" "$(tab bucket ge)" "get"
unset REJOIN_HOME
done_testing
