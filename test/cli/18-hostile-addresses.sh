#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A ticket whose addresses are lies, all but the last: names and ports of others, addresses
# of nobody and everybody, listeners that hang or talk without end.
. "$(dirname "$0")/lib.sh"
perl -MIO::Socket::INET -e 1 2>/dev/null || { echo "1..0 # skip no perl"; exit 77; }
node a
node b
node c
free_port; silent=$port
free_port; noisy=$port
free_port; nobody=$port

# Takes connections and says nothing, or sends the same bytes until the other end hangs up.
listen() { # PORT BYTES
    perl -MIO::Socket::INET -e '
        $SIG{PIPE} = "IGNORE";
        $SIG{CHLD} = "IGNORE";
        my ($port, $bytes) = @ARGV;
        my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $port,
            Listen => 50, ReuseAddr => 1) or die $!;
        my @kept;
        while (my $c = $s->accept) {
            push @kept, $c;
            next if $bytes eq "" or fork;
            1 while $c->syswrite($bytes x 1000);
            exit;
        }' "$1" "$2" &
    helpers+=($!)
}
listen "$silent" ""
listen "$noisy" $'\x16\x03\x03\x3f\xff'
talks() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
check "one listens and never speaks" await 60 talks "$silent"
check "one never stops" await 60 talks "$noisy"

up a; up b; up c
check "a bucket" rj a bucket add x
check "... with something in it" rj a bucket put x k v
rj c -q bucket add theirs
ticket=$(rj a -q invite x)
code=${ticket%@*}
lies=localhost:${port_peer[c]},127.0.0.1:${port_resp[c]},127.0.0.1:$silent,127.0.0.1:$noisy
lies+=,127.0.0.1:$nobody,0.0.0.0:$nobody,255.255.255.255:$nobody,224.0.0.1:$nobody
lies+=,[::]:$nobody,[ff02::1]:$nobody,240.0.0.1:$nobody,127.0.0.1:${port_peer[b]}
lies+=,0.0.0.0:${port_peer[c]}
for bad in 'a b' '$(id)' '-oProxyCommand=id' 'x;y' 'ssh:host' 'host:99999' '../x' 'a%n'; do
    status_is 2 "what no address can be is refused: $bad" rj b join "$code@$bad"
done
status_is 7 "lies alone lead nowhere" rj b --timeout 3 join "$code@$lies"
check "with the truth among them the join succeeds" \
    rj b --timeout 100 join "$code@$lies,127.0.0.1:${port_peer[a]}"
is "... and brings what was there" "$(rj b bucket get x k)" v
rj a bucket put x k2 v2
check "... and writes flow" rj b --timeout 100 sync x
is "... both ways" "$(rj b bucket get x k2)" v2
is "the device that was dialled for another learned nothing" \
    "$(rj c --json status | grep -c '"name":"x"')" 0
is "... and lets nobody in" "$(rj c --json peer list | grep -c '"connected":true')" 0
done_testing
