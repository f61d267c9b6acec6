#!/bin/sh
# trace.sh - `heapyard trace` prints what is in an archive, and refuses what is
# none with the right exit code.
#
# The archive is a seed of the fuzzer (without its first byte): ten operations,
# one of each kind and one more alloc, by two threads.
#
# SPDX-License-Identifier: Apache-2.0
set -u

here=$(mktemp -d) || exit 1
trap 'rm -rf "$here"' EXIT
cd "$here" || exit 1
seeds=$HEAPYARD_SOURCE/tests/fuzz/corpus/archive
tail -c +2 "$seeds/every-kind" >app.hyt || exit 1
tail -c +2 "$seeds/three-chunks" >long.hyt || exit 1
failures=0

fail() {
    echo "trace.sh: $*"
    failures=$((failures + 1))
}

# run CODE ARGUMENT...: runs the program; its output is in out and err
run() {
    want=$1
    shift
    "$HEAPYARD" trace "$@" >out 2>err
    code=$?
    [ "$code" -eq "$want" ] || {
        fail "trace $*: exit code $code (want $want)"
        cat err
    }
}

# has FILE TEXT: TEXT is part of a line of FILE
has() {
    grep -qF -- "$2" "$1" || {
        fail "no \"$2\" in:"
        cat "$1"
    }
}

# info
run 0 info app.hyt
has out "Operations: 9 by 2 threads, recorded over 12.35 us"
has out "left       190 B in 2 blocks at the end"
has out "100.00 % by another thread than the last user"
has out "phase"
[ -s err ] && fail "info wrote to standard error"
awk 'length > 80 { exit 1 }' out || fail "info is wider than 80 columns"

run 0 info --csv app.hyt
[ "$(head -n 1 out)" = "figure,key,unit,value" ] || fail "csv header"
has out "operations,,operations,9"
has out "peak,,bytes,5190"
has out "left,,bytes,190"
[ "$(grep -c '^mark,"phase",' out)" -eq 3 ] || fail "csv: records of the mark"

# provenance
run 0 provenance app.hyt
[ "$(cat out)" = "program: seed" ] || fail "provenance is $(cat out)"

# check
run 0 check app.hyt long.hyt
has out "app.hyt: good: 9 operations in 1 chunks"
has out "long.hyt: good: 140009 operations in 3 chunks"

# dump
run 0 dump app.hyt
cat >want <<'END'
 # operation thread kind    object               bytes
           0     0 alloc   #0                      24
           1     0 mark    phase
           2     0 spawn   thread 1
           3     1 zalloc  #1                    5000
           4     1 alloc   #2                     100 align 4096
           5     0 resize  #0                      90
           6     1 touch   #1                      70
                 - time    0.000012345 s
           7     0 free    #1
           8     0 join    thread 1
END
cmp -s want out || {
    fail "dump:"
    diff want out
}
run 0 dump --from 3 --count 2 app.hyt
[ "$(sed 1d out)" = "$(sed -n '5,6p' want)" ] || fail "dump --from 3 --count 2"
run 0 dump --from 140007 long.hyt
[ "$(sed 1d out | wc -l)" -eq 2 ] || fail "dump of the end of a long trace"
run 0 dump --from 1000000 app.hyt
[ "$(sed 1d out | wc -l)" -eq 0 ] || fail "dump from behind the end"

# damage
for verb in info check dump provenance; do
    head -c 100 app.hyt >cut.hyt
    run 2 $verb cut.hyt
    has err "cut.hyt: ends at byte 100 inside chunk 1 (want a trailer)"
    run 2 $verb nothing.hyt
    has err "nothing.hyt: cannot be opened: No such file or directory"
    run 2 $verb want
    has err "want: is no trace archive"
    run 2 $verb .
done
size=$(wc -c <long.hyt)
{
    head -c 60 long.hyt
    printf 'X'
    tail -c +62 long.hyt
} >changed.hyt
[ "$(wc -c <changed.hyt)" -eq "$size" ] || fail "the test itself is wrong"
run 2 check changed.hyt
has err "changed.hyt: chunk 1 at byte 34: CRC is"
run 2 info changed.hyt
run 2 check app.hyt cut.hyt
has out "app.hyt: good"

# arguments
run 2
has err "Usage: heapyard trace VERB"
run 2 frobnicate app.hyt
has err "no verb is called \"frobnicate\""
run 2 info
has err "FILE is missing"
run 2 info app.hyt long.hyt
run 2 dump --count many app.hyt
has err "--count = many (want a whole number)"
run 2 dump --from -1 app.hyt
run 0 --help
for verb in info provenance check dump; do
    run 0 $verb --help
    # the examples must be true: run each, without its pipe
    sed -n "s/^  heapyard trace \([^|]*\).*/\1/p" out >examples
    [ -s examples ] || fail "trace $verb --help has no example"
    while read -r example; do
        # shellcheck disable=SC2086 # an example is several arguments
        run 0 $example
    done <examples
done

# an output that cannot be written is not a success
if [ -w /dev/full ]; then
    for verb in info dump provenance check; do
        "$HEAPYARD" trace $verb app.hyt >/dev/full 2>err
        code=$?
        [ $code -eq 3 ] || fail "trace $verb >/dev/full: exit code $code"
        has err "standard output: No space left on device"
    done
fi

[ "$failures" -eq 0 ]
