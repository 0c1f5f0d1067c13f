#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The example favorites: two devices, a server, a database that keeps siblings; off line,
# with equal stamps and clocks that are wrong, over a link on which bytes are counted.
. "$(dirname "$0")/lib.sh"
programs=$(realpath "$BUILD")/examples/favorites
[ -x "$programs/device" ] || { echo "1..0 # skip examples/favorites is not built"; exit 77; }
device() { "$programs/device" "$@"; }
server() { "$programs/server" "$@"; }
cd "$work" || exit 2

# exchange DEVICE [all]: a request and its answer; sets up and down to their bytes.
exchange() {
    device "$1" request ${2:+"$2"} >up && server db serve <up >down && device "$1" accept <down
    up=$(stat -c %s up) down=$(stat -c %s down)
}
shows() { is "$1" "$(device "$2" show)" "$3"; }
siblings() { server db fetch | wc -w; }

# ---- off line, then together
check "a phone has a favorite" device -l 100 phone put home Amsterdam
check "a car has another one" device -l 90 car put work Eindhoven
check "the phone meets the server" exchange phone all
check "so does the car" exchange car all
shows "... and has both" car '{"home":"Amsterdam","work":"Eindhoven"}'
exchange phone all
shows "so has the phone, the next time" phone '{"home":"Amsterdam","work":"Eindhoven"}'
is "the database holds one sibling" "$(siblings)" 1

# ---- clocks
check "the phone's clock has gone back" device -l 50 phone put home Utrecht
shows "what was put later wins all the same" phone '{"home":"Utrecht","work":"Eindhoven"}'
check "a car whose clock is far ahead goes by a satellite" device -g 95 -l 99999 car put work Delft
check "... and by the server before that" device -s 120 -g 77777 -l 99999 car put lunch Leiden
exchange car all
check "the phone, later, changes its mind" device -s 130 phone put lunch Gouda
exchange phone all
exchange car all
shows "the later one won" car '{"home":"Utrecht","lunch":"Gouda","work":"Delft"}'
is "both show the same" "$(device phone show)" "$(device car show)"

# ---- equal stamps
device -s 200 phone put gym Arnhem
device -s 200 car put gym Breda
device -s 201 phone remove lunch
device -s 201 car put lunch Hoorn
exchange phone all
exchange car all
exchange phone all
same='{"gym":"Breda","home":"Utrecht","lunch":"Hoorn","work":"Delft"}'
shows "at equal times the greater text wins, and a place over its removal" phone "$same"
shows "... on both" car "$same"

# ---- two servers at once
device -s 300 phone put bar Almere
device -s 301 car put zoo Artis
read_before=$(server db fetch)
exchange phone
device car request >up && server db serve "$read_before" <up >down && device car accept <down
is "two servers that overlapped left two siblings" "$(siblings)" 2
exchange phone all
is "the next one made one of them" "$(siblings)" 1
exchange car all
is "... and lost nothing" "$(device car show)" "$(device phone show)"
has "both are there" "$(device car show)" '"bar":"Almere"'
has "... the other too" "$(device car show)" '"zoo":"Artis"'

# ---- an answer that is lost
device -s 310 phone put spa Zwolle
device phone request >up && server db serve <up >/dev/null
exchange phone
check "a lost answer costs a repetition" test "$up" -lt 200
exchange car all
has "... and nothing else" "$(device car show)" '"spa":"Zwolle"'

# ---- a thin link
for i in $(seq 500); do echo "f$i Place number $i"; done |
    while read -r id place; do device -s $((400 + ${id#f})) phone put "$id" "$place"; done
exchange phone
full=$up
exchange car all
check "five hundred favorites take some bytes, once" test "$full" -gt 8000 -a "$down" -gt 8000
device -s 1000 car put f7 Texel
device -s 1001 phone put f7 Terschelling
exchange car
check "one changed row is a small request" test "$up" -lt 160
exchange phone
check "... from the other device too" test "$up" -lt 160
check "the answer to what won is nothing but a frame" test "$down" -lt 100
device -s 900 car put f7 Ameland
exchange car
check "the answer to what lost is the one row that won" test "$down" -lt 200
has "... and it is taken" "$(device car show)" '"f7":"Terschelling"'
exchange phone all
exchange car all
is "in the end all is the same everywhere" "$(device car show)" "$(device phone show)"
device guest show >/dev/null
exchange guest all
is "a new device gets all of it" "$(device guest show)" "$(device phone show)"
done_testing
