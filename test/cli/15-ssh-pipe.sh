#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Devices that meet through `ssh HOST rejoin pipe`. The ssh of this test runs the command
# here, with the home that the host stands for.
. "$(dirname "$0")/lib.sh"

mkdir "$work/bin"
cat >"$work/bin/ssh" <<EOF
#!/bin/sh
while :; do
    case \$1 in
    -o) shift 2 ;;
    -*) shift ;;
    *) break ;;
    esac
done
host=\${1#*@}
shift
echo \$\$ >>"$work/ssh.pids"
case \$host in
lost) echo "ssh: could not resolve hostname lost" >&2; exit 255 ;;
mute) exec sleep 1000 ;;
esac
REJOIN_HOME=$work/\$host exec "\$@"
EOF
chmod +x "$work/bin/ssh"
PATH=$work/bin:$PATH

connected() { [[ $(rj "$1" --json peer show "$2") = *'"connected":true'* ]]; }
why_has() { [[ $(rj "$1" --json peer show "$2") = *'"why":"'*"$3"* ]]; }
no_child_left() {
    local p
    while read -r p; do gone "$p" || return 1; done <"$work/ssh.pids"
}

node a
node b
up a
up b
check "a bucket" rj a -q bucket add x
check "... with something in it" rj a bucket put x k v
ticket=$(rj a -q invite x)
ticket=${ticket%@*}@127.0.0.1:1 # where nobody is
status_is 2 "a host that would be an option of ssh is refused" \
    rj b join "$ticket" --ssh=-oProxyCommand=x
check "a join through ssh" rj b join "$ticket" --ssh me@a
is "... brings what was there" "$(rj b bucket get x k)" v
has "the address is shown" "$(rj b peer show a)" ssh:me@a
has "... as that of the connection" "$(rj b --json peer show a)" '"address":"ssh:me@a"'
check "writes flow" rj b bucket put x k2 v2
check "... the other way too" await 60 value_is a k2 v2
check "the other end is told nothing of it" sh -c \
    "! REJOIN_HOME=$work/a rejoin --json peer list | grep -q ssh:"

down b
check "the child ends with the daemon" await 60 no_child_left
rj a -q config set port.peer 0
down a
up a
up b
check "the book outlives a restart" await 60 connected b a
down a
check "what ssh says is told when it fails" await 60 why_has b a "daemon is not running"
check "another host" rj b peer set a --ssh lost
check "... and why that fails" await 60 why_has b a "could not resolve hostname lost"
check "back to the first" rj b peer set a address=ssh:a
up a
check "... which answers" await 60 connected b a
down a
check "one that never answers" rj b peer set a --ssh mute
check "... is tried" await 60 sh -c "pgrep -P ${pid[b]} sleep"
down b
check "... and no child is left" await 60 no_child_left
done_testing
