#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Names: one that leads to another device first and to the right one second, and a resolver
# that never answers.
. "$(dirname "$0")/lib.sh"
lan home
for h in laptop desk nas; do
    host $h
    rj $h config set port.beacon 0
done
rj nas config set listen.address 10.1.0.250:7340 # where it never is
plug laptop home 10.1.0.2/24
plug desk home 10.1.0.3/24
plug nas home 10.1.0.4/24
rj laptop config set port.peer 0
etc laptop hosts <<EOF
127.0.0.1 localhost
10.1.0.3 both
10.1.0.77 both
EOF
etc laptop resolv.conf <<EOF
nameserver 10.1.0.253
options timeout:10 attempts:1
EOF
up laptop
up desk
up nas
rj nas -q bucket add x
ticket=$(rj nas -q invite x)
check "a join" rj laptop join "${ticket%@*}@10.1.0.4"
check "they are connected" await 60 both laptop nas
address nas 10.1.0.77/24
apart_there() { ! connected laptop nas; }
check "its address goes" await 60 apart_there
check "a name" rj laptop peer set nas address=both
timed "... that leads to another device first, and to the right one second" 60 both laptop nas
check "... and writes flow" flows x laptop nas

address nas 10.1.0.88/24
check "its address goes" await 60 apart_there
rj laptop peer set nas address=10.1.0.88
for n in 1 2 3 4 5 6; do rj laptop peer set nas "address=nobody$n.example"; done
timed "names that nobody resolves keep nothing up" 60 both laptop nas
check "... and writes flow, to the disk too" flows x nas laptop
check "... that can be waited for" rj laptop sync x
done_testing
