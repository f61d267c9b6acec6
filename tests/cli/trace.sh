#!/bin/sh
# trace.sh - `heapyard trace` prints what is in an archive, makes others of it,
# and refuses what is none with the right exit code.
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

# cut: the heap is as it was, by operations, marks and times
run 0 cut --from 4 app.hyt part.hyt
has err "8 operations, 2 of them allocate what lived before, 0 left out"
run 0 dump part.hyt
cat >want2 <<'END'
           0     0 alloc   #0                      24
           1     1 zalloc  #1                    5000
           2     0 mark    cut
           3     1 alloc   #2                     100 align 4096
END
sed -n 2,5p out | cmp -s - want2 || fail "cut --from 4: $(cat out)"
run 0 provenance part.hyt
has out "program: seed"
has out "derived: trace cut from 4 to the end"
run 0 cut --from mark:phase --to 10us --empty app.hyt part.hyt
has err "5 operations, 0 of them allocate what lived before, 1 left out"
run 2 cut --from mark:phase#2 app.hyt part2.hyt
has err "--from mark:phase#2: not reached in 9 operations and 0.000012 s of app.hyt"
run 2 cut --from 2 --to 90 app.hyt part2.hyt
has err "--to 90: not reached in 9 operations"
[ -e part2.hyt ] && fail "a cut that failed left its archive"
run 2 cut app.hyt part2.hyt
has err "want --from, --to, or both"
run 2 cut --from soon app.hyt part2.hyt
has err "--from = soon (want an operation, such as 1000; mark:NAME;"

# fit: what it says of the fitted trace is so, and the same seed gives the same
run 0 fit --csv long.hyt fitted.hyt
cp out fit.csv
has out "distance,sizes_ks,1,"
run 0 check fitted.hyt
run 0 info --csv fitted.hyt
for figure in peak:peak_bytes left:left_bytes; do
    grep -q "^${figure#*:},fitted,bytes,$(sed -n \
        "s/^${figure%:*},,bytes,//p" out)\$" fit.csv ||
        fail "fit: ${figure#*:} is not that of the fitted trace: $(cat fit.csv)"
done
run 0 fit long.hyt again.hyt
has out "Distance"
run 0 diff fitted.hyt again.hyt
run 0 fit --seed 2 long.hyt again.hyt
run 1 diff fitted.hyt again.hyt
run 0 provenance again.hyt
has out "derived: trace fit, composed with seed 2"
run 0 cut --from 6 --empty app.hyt births-none.hyt
run 2 fit births-none.hyt none.hyt
has err "births-none.hyt: allocates nothing (want a trace with allocations)"
echo text >text
run 2 fit text none.hyt
has err "text: "
run 2 fit nothing.hyt none.hyt
run 2 fit --seed x app.hyt none.hyt
has err "--seed = x (want 0..18446744073709551615)"
run 2 fit app.hyt
has err "want IN and OUT"
[ -e none.hyt ] && fail "a fit that failed left its archive"

# scale, merge
run 0 scale --threads 2 --times 3 app.hyt more.hyt
run 0 info --csv more.hyt
has out "peak,,bytes,10380"
has out "left,,bytes,380"
run 2 scale --threads 600 app.hyt part2.hyt
has err "--threads 600: app.hyt has 2 threads, together 1200 (want at most 1024)"
run 2 scale app.hyt part2.hyt
run 0 merge app.hyt app.hyt long.hyt merged.hyt
run 0 check merged.hyt
has out "good: 140027 operations"
run 0 merge --by-time app.hyt app.hyt merged.hyt
run 0 info --csv merged.hyt
has out "left,,bytes,380"
run 0 cut --to 3 app.hyt timeless.hyt
run 2 merge --by-time app.hyt timeless.hyt part2.hyt
has err "timeless.hyt: has no times (leave out --by-time)"
run 2 merge app.hyt merged.hyt
has err "want two INs or more, and OUT"

# diff: 0 the same, 1 different, and where
run 0 diff app.hyt app.hyt
has out "All operations are the same."
run 1 diff app.hyt timeless.hyt
has out "The first operation that differs is 3."
run 1 diff timeless.hyt app.hyt
has out "The first operation that differs is 3."
run 2 diff app.hyt nothing.hyt

# anonymize: neither provenance nor names, but the licence
"$HEAPYARD" trace convert app.hyt app.txt 2>err
"$HEAPYARD" trace convert --licence CC0-1.0 --comment secret app.txt named.hyt 2>err
run 0 anonymize named.hyt veiled.hyt
has err "left out are all other provenance and 0 names of marks"
run 0 provenance veiled.hyt
[ "$(cat out)" = "licence: CC0-1.0" ] || fail "anonymize kept: $(cat out)"
run 0 anonymize --no-times app.hyt veiled.hyt
grep -qa 'seed' veiled.hyt && fail "anonymize kept the program"
run 0 dump veiled.hyt
has out "mark-1"
grep -q time out && fail "anonymize --no-times kept times"

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
for verb in info provenance check dump cut merge scale fit diff anonymize; do
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
    for verb in info dump provenance check "diff app.hyt"; do
        # shellcheck disable=SC2086 # a verb and an operand
        "$HEAPYARD" trace $verb app.hyt >/dev/full 2>err
        code=$?
        [ $code -eq 3 ] || fail "trace $verb >/dev/full: exit code $code"
        has err "standard output: No space left on device"
    done
fi

[ "$failures" -eq 0 ]
