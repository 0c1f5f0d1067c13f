#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# No network between two machines but an ssh: here a script that crosses over.
. "$(dirname "$0")/lib.sh"
host laptop
host desk
mkdir "$work/bin"
cat >"$work/bin/ssh" <<EOF
#!/bin/sh
while [ "\${1#-}" != "\$1" ]; do [ "\$1" = -o ] && shift; shift; done
host=\$1
shift
REJOIN_HOME=$work/\$host exec ip netns exec $net-\$host "\$@"
EOF
chmod +x "$work/bin/ssh"
PATH=$work/bin:$PATH
up laptop
up desk
rj laptop -q bucket add x
check "a join through ssh" rj desk join "$(rj laptop -q invite x)" --ssh laptop
check "... and writes flow" flows x laptop desk
check "... both ways" flows x desk laptop
down laptop
up laptop
timed "after a restart too" 60 both desk laptop
check "... and writes flow" flows x desk laptop
done_testing
