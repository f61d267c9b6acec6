#!/bin/sh
# convert.sh - `heapyard trace convert` takes what other programs recorded and
# writes traces for them.
#
# tests/golden/formats holds recordings of tests/programs/few_calls.c by other
# tools; where these are installed it is recorded again.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$work"
goldens=$HEAPYARD_SOURCE/tests/golden/formats
convert() { "$HEAPYARD" trace convert "$@"; }

# ---- recordings by other tools ----

# The blocks that the program itself asks for, in this order, of which calloc
# is by its product, or its parts.
own='24 4000 5000 33 77 33 500 77 33 500 55'

# expect_own ARCHIVE: these sizes are in it, and what lives at its end is sound.
expect_own()
{
    "$HEAPYARD" trace check "$1" >out || fail "$1: check"
    sizes=$("$HEAPYARD" trace dump "$1" | awk '$3 != "free" { print $5 }' |
        grep -xE '24|4000|5000|33|77|500|55' | tr '\n' ' ')
    [ "$sizes" = "$own " ] || fail "$1: sizes are $sizes(want $own)"
}

for tool in mtrace valgrind heaptrack lttng; do
    convert --strict "$goldens/$tool.txt" $tool.hyt 2>err || fail "$tool: $(cat err)"
    expect_line err "$tool.txt: $tool\$"
    expect_own $tool.hyt
done
"$HEAPYARD" trace info lttng.hyt >out
expect_line out 'by 3 threads'

if command -v cc >/dev/null; then
    cc -O1 -w -o few_calls "$HEAPYARD_SOURCE/tests/programs/few_calls.c" -lpthread
    if MALLOC_TRACE=$work/live.mtrace LD_PRELOAD=libc_malloc_debug.so.0 \
        ./few_calls 2>/dev/null && [ -s live.mtrace ]; then
        convert --strict live.mtrace live.hyt 2>err || fail "mtrace: $(cat err)"
        expect_own live.hyt
    fi
    if command -v valgrind >/dev/null && valgrind --trace-malloc=yes \
        ./few_calls >/dev/null 2>live.valgrind; then
        convert --strict live.valgrind live.hyt 2>err || fail "valgrind: $(cat err)"
        expect_own live.hyt
    fi
    if command -v heaptrack >/dev/null && heaptrack --raw -o live ./few_calls \
        >/dev/null 2>&1 && [ -s live.raw.zst ]; then
        convert live.raw.zst live.hyt 2>err || fail "heaptrack: $(cat err)"
        expect_own live.hyt
    fi
fi

# ---- what a user may give ----

cat >app.txt <<'END'
7: malloc 0x10 24
7: calloc 0x20 2 8
8: free 0x10
8: free 0x10
9: frob
8: realloc 0x30 0x20 50
END
gzip -k app.txt
printf '1\n2\n4\n600\na 0 512\na 1 128\nr 0 640\nf 1\n' >short1.rep

expect 0 convert app.txt app.hyt
expect_line err '^heapyard trace: app.txt: android$'
expect_line err '^  operations    4 by 2 threads$'
expect_line err '^  1 +second frees, left out$'
expect_line err '\(first at line 4: free of 0x10 again \(want it only once\)\)$'
expect_line err '\(first at line 5: want TID: malloc'
expect 0 "$HEAPYARD" trace info app.hyt
expect_line out '^  1 +second frees, left out \(first at line 4\)$'
awk 'length > 80 { exit 1 }' out || fail "info is wider than 80 columns"
expect 0 "$HEAPYARD" trace info --csv app.hyt
expect_line out '^import_fault,free-twice,1,1$'
expect_line out '^import_fault,bad-line,1,1$'
expect 0 "$HEAPYARD" trace provenance app.hyt
expect_line out '^source: app.txt$'
expect_line out '^import-format: android$'
[ "$(grep -c '^$' out)" -eq 0 ] || fail "provenance has empty lines"
expect 0 convert --licence CC0-1.0 --comment 'by hand' short1.rep short1.hyt
expect 0 "$HEAPYARD" trace provenance short1.hyt
expect_line out '^licence: CC0-1.0$'
expect_line out '^import-format: rep, dialect 2016, header 1 2 4 600$'

# standard input, packed, gives the same operations
"$HEAPYARD" trace dump app.hyt >want
convert - piped.hyt <app.txt.gz 2>err || fail "from standard input: $(cat err)"
"$HEAPYARD" trace dump piped.hyt | cmp - want || fail "from standard input"

# and a longer trace (a seed of the fuzzer) writes what it reads, in every
# format that is written
tail -c +2 "$HEAPYARD_SOURCE/tests/fuzz/corpus/archive/three-chunks" >first.hyt
for to in rep rep-3e rep-2004 rep-xv6 android; do
    expect 0 convert --to $to first.hyt first.$to
    expect 0 convert --strict --from $to first.$to second.hyt
    expect 0 convert --to $to second.hyt second.$to
    # times begin anew, and are kept to a tenth of a millisecond
    [ $to != android ] || sed -i 's/ [0-9]* [0-9]*$//' first.$to second.$to
    cmp first.$to second.$to || fail "$to: written again it differs"
done
expect 0 convert app.hyt app.rep
expect_line err '^  1 +zeroed allocations, now plain$'
printf '1\n2\n4\n50\na 0 24\na 1 16\nf 0\nr 1 50\n' | cmp - app.rep || fail "app.rep"
convert app.hyt - --to android 2>err | head -n 1 >out
[ "$(cat out)" = "1: malloc 0x10 24" ] || fail "to standard output: $(cat out)"

# In every format of text: a free of what is unknown, a second free, and an
# end inside a line are named in trace info, and stop if strict.
lttng='[1.0] (+0.1) vm lttng_ust_libc:'
cat >faulty <<END
android|2|1: malloc 0x10 5\n1: free 0x20\n1: free 0x10\n1: free 0x10\n1: fr
mtrace|3|= Start\n@ a + 0x10 0x5\n@ a - 0x20\n@ a - 0x10\n@ a - 0x10\n@ a + 0x
valgrind|2|--1-- malloc(5) = 0x10\n--1-- free(0x20)\n--1-- free(0x10)\n--1-- free(0x10)\n--1-- fr(
heaptrack|3|v 10400 3\n+ 5 1 10\n- 20\n- 10\n- 10\n+ 5
logalloc|2|1 1 malloc(5)=0x10\n1 1 free(0x20)\n1 1 free(0x10)\n1 1 free(0x10)\n1 1 free(
rep|6|1\n2\n9\n9\na 0 5\nf 1\nf 0\nf 0\n
lttng|2|${lttng}malloc: { size = 5, ptr = 0x10 }\n${lttng}free: { ptr = 0x20 }\n${lttng}free: { ptr = 0x10 }\n${lttng}free: { ptr = 0x10 }\n${lttng}free: { ptr
END
while IFS='|' read -r format line text; do
    printf '%b' "$text" >"faulty.$format"
    expect 0 convert --from "$format" "faulty.$format" faulty.hyt
    expect 0 "$HEAPYARD" trace info --csv faulty.hyt
    for fault in free-unknown free-twice cut-tail; do
        grep -q "^import_fault,$fault,1,1\$" out ||
            fail "$format: no $fault in trace info: $(grep fault out)"
    done
    rm faulty.hyt
    expect 2 convert --from "$format" --strict "faulty.$format" faulty.hyt
    expect_line err "faulty.$format:$line: free of .* \(want .* given out\)"
    [ ! -e faulty.hyt ] || fail "$format: strict, but there is an archive"
done <faulty

# and so are times that go back
printf '1: malloc 0x10 5 900000 1\n1: free 0x10 100000 1\n' >clock.txt
expect 0 convert clock.txt clock.hyt
expect 0 "$HEAPYARD" trace info clock.hyt
expect_line out '^  1 +times that go back, left out \(first at line 2\)$'
expect 2 convert --strict clock.txt clock.hyt
expect_line err 'clock.txt:2: time 100000 ns \(want 900000 or later\)$'

# an archive that is cut short is no archive
head -c "$(($(wc -c <app.hyt) - 3))" app.hyt >short.hyt
expect 2 "$HEAPYARD" trace info short.hyt
expect_line err 'short.hyt: '

# of several processes one
printf '5 5 malloc(9)=0x10\n6 6 malloc(7)=0x10\n6 6 free(0x10)\n' >two.log
expect 0 convert two.log two.hyt
expect_line err '^  2 +calls of other processes, left out$'
expect 2 convert --process 6 --strict two.log two.hyt
expect_line err 'two.log:1: process 5 \(want only 6; --process chooses another\)$'
expect 0 convert --process 6 two.log two.hyt
expect_line err '^  operations    2 by 1 threads$'

# Ctrl-C, which also ends who writes the input, leaves nothing
mkfifo pipe
{ awk 'BEGIN { for (i = 1; i < 30000; i++) print "7: malloc " 16 * i " 24" }'
    sleep 1; } >pipe &
"$HEAPYARD" trace convert - stopped.hyt <pipe 2>err &
pid=$!
sleep 0.5
kill -TERM $pid
code=0
wait $pid || code=$?
[ $code -eq 130 ] || fail "stopped: exit code $code (want 130)"
expect_line err 'stopped, stopped.hyt was not written$'
[ ! -e stopped.hyt ] || fail "stopped, but the archive is there"

# ---- what is refused ----

expect 2 convert --strict app.txt no.hyt
expect_line err '^heapyard trace: app.txt:4: free of 0x10 again \(want it only once\)$'
[ ! -e no.hyt ] || fail "a refused import left its archive"
echo text >text
expect 2 convert text no.hyt
expect_line err 'text: of no format that is known \(want --from and one of android'
expect 2 convert --from lttng text no.hyt
expect_line err 'text: holds no calls$'
expect 2 convert --from frob text no.hyt
expect_line err '--from = frob \(want one of android, '
expect 2 convert nothing.txt no.hyt
expect_line err 'nothing.txt: No such file or directory$'
expect 2 convert . no.hyt
expect 2 convert app.hyt app.png
expect_line err 'app.png: no format to write \(want OUT.rep'
expect 2 convert --to rep app.txt app.rep
expect_line err 'app.txt: is no archive \(convert it to .hyt first\)$'
cp short1.rep keep.rep
expect 2 convert app.txt keep.rep
expect_line err 'app.txt: is no archive \(convert it to .hyt first\)$'
cmp short1.rep keep.rep || fail "a refused convert changed its OUT"
expect 2 convert app.txt -
expect_line err 'an archive needs a file'
expect 2 convert app.txt
expect_line err 'want IN and OUT'
expect 2 convert app.txt a b
head -c 40 app.txt.gz >cut.gz
expect 2 convert --strict cut.gz no.hyt
expect_line err 'cut.gz'
expect 2 convert app.txt nowhere/no.hyt
expect_line err 'nowhere/no.hyt: No such file or directory$'
if [ -w /dev/full ]; then
    code=0
    convert --to rep app.hyt - >/dev/full 2>err || code=$?
    [ $code -eq 3 ] || fail "to a full disk: exit code $code"
    expect_line err 'No space left on device'
fi
for left in ./*.tmp; do
    [ ! -e "$left" ] || fail "left: $left"
done

# ---- help: its examples work ----

expect 0 convert --help
sed -n 's/^  heapyard trace convert \(.*\)/\1/p' out >examples
[ "$(wc -l <examples)" -ge 3 ] || fail "--help has too few examples"
cp out help
expect 2 convert text no.hyt # names all formats
for format in $(sed -n 's/.*one of \(.*\))$/\1/p' err | tr -d ','); do
    grep -qE -- "(^|[ ,])$format([ ,]|$)" help || fail "--help lacks $format"
done
while read -r example; do
    # shellcheck disable=SC2086 # an example is several arguments
    expect 0 convert $example
done <examples
