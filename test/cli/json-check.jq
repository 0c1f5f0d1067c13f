# SPDX-License-Identifier: Apache-2.0
# Holds a document to a section of doc/json.md. Prints what is wrong, one line each.
#
#   jq -r --rawfile md doc/json.md --arg section NAME -f json-check.jq DOCUMENT

# The tables: {section: [{f: field, t: type}]}.
def sections:
    reduce ($md | split("\n")[]) as $line ({cur: null, all: {}};
        if $line | test("^### `") then
            .cur = ($line | capture("^### `(?<n>[^`]+)`").n) | .all[.cur] = []
        elif .cur != null and ($line | test("^\\| `")) then
            ($line | split("|") | map(gsub("^[ `]+|[ `]+$"; ""))) as $cells
            | .all[.cur] += [{f: $cells[1], t: $cells[2]}]
        else . end)
    | .all;

# The fields of a section with all that they include: {p: path, t: type, o: optional}.
def fields($all; $name; $prefix):
    ($all[$name] // error("doc/json.md has no section \($name)"))[]
    | .t as $t | (.f | endswith("?")) as $optional
    | ($prefix + (.f | rtrimstr("?"))) as $path
    | if .f == "*" then fields($all; $t; $prefix)
      elif $all | has($t) then {p: $path, t: "object", o: $optional}, fields($all; $t; $path + ".")
      else {p: $path, t: $t, o: $optional} end;

# A path of jq as it is written in the tables.
def written: map(if type == "number" then "[]" else "." + . end) | join("") | ltrimstr(".");

def fits($t):
    if $t == "any" then true
    elif $t == "text" then type == "string"
    elif $t == "uint" then type == "number" and . >= 0 and . == floor
    elif $t == "int" then type == "number" and . == floor
    elif $t == "bool" then type == "boolean"
    elif $t == "object" then type == "object"
    elif $t == "bytes" then
        type == "string" or (type == "object" and keys == ["base64"] and (.base64 | type) == "string")
    else error("doc/json.md: unknown type \($t)") end;

# All values at a path of the tables.
def at($path):
    reduce ($path | split(".")[]) as $step ([.];
        map(if type == "object" then .[$step | rtrimstr("[]")] else null end)
        | map(select(. != null))
        | if $step | endswith("[]") then map(.[]) else . end);

. as $doc
| sections as $all
| [fields($all; $section; "")] as $known
| ($known | map({key: .p, value: .}) | from_entries) as $by_path
| ([$known[].p | split(".") | range(1; length + 1) as $n | .[:$n] | join(".")] | unique) as $inner
| (paths as $p
   | ($p | written) as $path | ($doc | getpath($p)) as $value
   | $by_path[$path] as $field
   | if $field != null then
         select($value | fits($field.t) | not) | "\($path): \($value | tojson) is no \($field.t)"
     elif ($value | type) == "array" and ($inner | index($path + "[]")) then empty
     elif $value != null and ($inner | index($path)) then empty
     elif $by_path | to_entries
          | any(.value.t as $t | .key as $k
                | ($t == "any" or $t == "bytes") and ($path | startswith($k))) then empty
     else "\($path): is not in doc/json.md" end),
  ($known[] | select(.o | not) | .p as $path
   | ($path | rtrimstr("[]") | split(".")) as $steps
   | (if $steps | length == 1 then [$doc] else $doc | at($steps[:-1] | join(".")) end)[]
   | select(type == "object" and (has($steps[-1]) | not))
   | "\($path): is missing")
