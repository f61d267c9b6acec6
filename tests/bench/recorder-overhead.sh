#!/bin/sh
# recorder-overhead.sh - what recording costs the program that is recorded.
#
# usage: recorder-overhead.sh [RUNS [PROGRAM ...]]
#
# Runs each program RUNS times (11) plain and RUNS times with the recorder
# preloaded, by turns, and compares the CPU time (user + system) of each pair.
# Then records it once as a user would, for the number of events and the size
# of the archive.  Programs: perl sqlite3 jq lua5.4 xmllint.
#
# Needs cc, and the built program in HEAPYARD (default build/release/heapyard
# or build/heapyard of this source tree).
#
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
runs=${1:-11}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- perl sqlite3 jq lua5.4 xmllint

for candidate in "${HEAPYARD:-}" "$here/build/release/heapyard" \
    "$here/build/heapyard"; do
    [ -x "$candidate" ] && HEAPYARD=$candidate && break
done
recorder=${RECORDER:-$(dirname "$HEAPYARD")/libheapyard-record.so}
[ -r "$recorder" ] || { echo "no recorder at $recorder" >&2; exit 2; }

work=$(mktemp -d "${TMPDIR:-/tmp}/overhead.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
${CC:-cc} -O2 -o "$work/cpu_time" "$here/tests/programs/cpu_time.c"

# --- inputs, the same every time ---

awk 'BEGIN {
    print "PRAGMA journal_mode=OFF;"
    print "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL);"
    print "CREATE TABLE sale(item INT, day INT, n INT);"
    print "BEGIN;"
    for (i = 1; i <= 15000; i++) {
        printf "INSERT INTO item VALUES(%d,%s,%.2f);\n", i,
            sprintf("\047item number %d\047", i * 7919 % 15013), i % 977 / 7
        printf "INSERT INTO sale VALUES(%d,%d,%d);\n", i * 31 % 15000,
            i % 365, i % 9
    }
    print "COMMIT; CREATE INDEX by_name ON item(name);"
    print "SELECT day, sum(n * price) FROM sale JOIN item ON item = id"
    print "  GROUP BY day ORDER BY 2 DESC LIMIT 5;"
    print "DELETE FROM item WHERE id % 3 = 0; VACUUM;"
}' >"$work/shop.sql"

awk 'BEGIN {
    print "["
    for (i = 1; i <= 30000; i++)
        printf "%s{\"id\":%d,\"tags\":[\"t%d\",\"t%d\"],\"at\":{\"x\":%d}}\n",
            (i > 1 ? "," : ""), i, i % 17, i % 101, i * 37 % 1009
    print "]"
}' >"$work/items.json"

awk 'BEGIN {
    print "<?xml version=\"1.0\"?><book>"
    for (i = 1; i <= 180000; i++)
        printf "<entry id=\"e%d\" kind=\"k%d\"><name>Entry %d</name>" \
            "<value unit=\"mm\">%d</value></entry>\n", i, i % 7, i, i * 13 % 997
    print "</book>"
}' >"$work/book.xml"

cat >"$work/work.lua" <<'END'
local live, total = {}, 0
for i = 1, 300000 do
    local t = { i, tostring(i), function() return i end }
    live[i % 5000 + 1] = t
    if i % 3 == 0 then total = total + #(t[2] .. "-" .. i) + t[3]() end
end
local parts = {}
for i = 1, 60000 do parts[#parts + 1] = ("%d:%s"):format(i, live[i % 5000 + 1][2]) end
print(total, #table.concat(parts, ","))
END

cat >"$work/work.pl" <<'END'
my (%count, @lines);
for my $i (1 .. 120000) {
    my $key = "key" . ($i * 7919 % 30011);
    push @{ $count{$key} }, $i;
    push @lines, join(",", $key, $i, $i * 3) if $i % 4 == 0;
}
my @order = sort { @{ $count{$b} } <=> @{ $count{$a} } || $a cmp $b } keys %count;
my $n = 0;
for (@lines) { my @f = split /,/; $n += $f[1] }
print scalar(@order), " $n\n";
END

# --- the programs ---

start() # PROGRAM COMMAND-PREFIX...: run it on its input
{
    program=$1
    shift
    case $program in
    perl) "$@" perl "$work/work.pl" ;;
    sqlite3) "$@" sqlite3 -init /dev/null :memory: ".read $work/shop.sql" ;;
    jq) "$@" jq -c 'map({id, n: (.tags | length), x: .at.x})
        | group_by(.x) | map({x: .[0].x, ids: map(.id)})' "$work/items.json" ;;
    lua5.4) "$@" lua5.4 "$work/work.lua" ;;
    xmllint) "$@" xmllint --noout --huge "$work/book.xml" ;;
    *) echo "unknown program $program" >&2; return 2 ;;
    esac >/dev/null 2>"$work/stderr" || {
        cat "$work/stderr" >&2
        return 1
    }
}

measure() # PROGRAM
{
    rm -f "$work/plain" "$work/recorded"
    turn=0
    while [ "$turn" -le "$runs" ]; do
        start "$1" "$work/cpu_time" "$work/plain"
        rm -rf "$work/spool"
        mkdir "$work/spool"
        HEAPYARD_SPOOL=$work/spool CPU_TIME_PRELOAD=$recorder \
            start "$1" "$work/cpu_time" "$work/recorded"
        # The first turn warms the page cache up and is not counted.
        [ "$turn" -gt 0 ] || rm -f "$work/plain" "$work/recorded"
        turn=$((turn + 1))
    done
    start "$1" "$HEAPYARD" record -o "$work/out.hyt" --
    sed -n 's/^ *events *\([0-9][0-9]*\).*/\1/p' "$work/stderr" >"$work/events"
    stat -c %s "$work/out.hyt" >"$work/size"
}

report() # PROGRAM
{
    paste -d' ' "$work/plain" "$work/recorded" |
        awk -v name="$1" -v events="$(cat "$work/events")" \
            -v size="$(cat "$work/size")" '
        function median(x, n,   i, j, t) {
            for (i = 2; i <= n; i++)
                for (j = i; j > 1 && x[j] < x[j - 1]; j--) {
                    t = x[j]; x[j] = x[j - 1]; x[j - 1] = t
                }
            return n % 2 ? x[(n + 1) / 2] : (x[n / 2] + x[n / 2 + 1]) / 2
        }
        { plain[NR] = $1; with[NR] = $2; ratio[NR] = $2 / $1 }
        END {
            r = median(ratio, NR)
            printf "%-13s %9d %8.1f %8.1f   %.3f [%.3f %.3f] %8.2f\n", name,
                events, median(plain, NR) / 1000, median(with, NR) / 1000,
                r, ratio[1], ratio[NR], size / events
        }'
}

echo "CPU ms, user + system; ratio of pairs; $runs pairs"
printf '%-13s %9s %8s %8s   %-19s %9s\n' program events plain recorded \
    'median [min max]' B/event
for program in "$@"; do
    command -v "$program" >/dev/null || { echo "$program: not found"; continue; }
    measure "$program"
    report "$program"
done
