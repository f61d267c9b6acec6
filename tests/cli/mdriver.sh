#!/bin/sh
# mdriver.sh - malloc lab solutions are compiled, checked, scored and compared.
#
# A right solution is right on every trace of our own set, and any verb takes
# it as an allocator.  Each wrong one is told by its trace, operation and line,
# and costs nothing but that trace.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need cc
cd "$work" || exit

solutions=$HEAPYARD_SOURCE/tests/programs/malloclab
traces=$HEAPYARD_SOURCE/workloads/traces/malloclab
CC=cc
export CC

# ---- a right one ----

expect 0 "$HEAPYARD" mdriver --solution "$solutions/implicit.c" \
    --allocators slab,buddy --out lab
[ ! -s err ] || fail "a right solution: $(cat err)"
expect_line out '^cc -O2 .*implicit\.c'
for trace in "$traces"/*.rep; do
    name=$(basename "$trace")
    ops=$(sed -n 3p "$trace")
    expect_line out "^$name +ok +$ops "
    expect_line lab/samples.csv "^mdriver,[0-9]*,1,$name,1,.*,utilization,"
done
for formula in 3e 2004 2016; do
    expect_line out "^$formula +[0-9.]+ of 100  used [0-9.]+ %, [0-9]+ Kops/s\$"
done
expect_line out '^ns per operation +implicit\.. +slab +buddy$'
expect_line out ': the heap over time, a line [0-9.]+ KiB of it$'
csv_tsv lab/samples.csv >/dev/null
if command -v gnuplot >/dev/null; then
    [ "$(find lab -name 'map-*.svg' | wc -l)" -eq 13 ] || fail "no 13 maps"
fi

# What is used and what is lost are the whole heap, of every trace.
value() # METRIC TRACE
{
    csv_pick lab/samples.csv value "metric=$1" "workload=$2" \
        "allocator=$solutions/implicit.c:heap=100m"
}
for name in binary.rep random2.rep realloc.rep perl.rep; do
    sum=$(value live_peak $name)
    for part in fixed headers padding holes tail later; do
        sum=$((sum + $(value lost_$part $name)))
    done
    [ "$sum" -eq "$(value heap_end $name)" ] ||
        fail "$name: live and lost are $sum bytes of $(value heap_end $name)"
done
# A header of 8 bytes makes 16 of every size of binary, which has 2000 blocks
# live at its peak; the sizes of random2 do not hide what is padding.
[ "$(value lost_headers binary.rep)" -eq 32000 ] || fail "headers of binary"
[ "$(value lost_padding random2.rep)" -gt 1000 ] || fail "padding of random2"
# Two blocks of 4088 bytes and their headers become one of 8176, or not.
awk -v u="$(value utilization coalescing.rep)" 'BEGIN { exit u < 0.45 }' ||
    fail "implicit.c does not join neighbours"

# ---- as an allocator of other verbs ----

cp "$solutions/implicit.c" mm.c
expect 0 "$HEAPYARD" bench --workload churn:objects=500:ops=5000 \
    --allocators slab --allocator mm.c --meters time,memory,check,latency \
    --runs 2 --memory-runs 1 --out bench
[ "$(csv_runs bench/samples.csv allocator=mm.c status=ok)" -eq 6 ] ||
    fail "bench: not 6 good runs of mm.c"
csv_pick bench/samples.csv served_by allocator=mm.c >served
[ "$(sort -u served | grep -cE '^mm\.c [0-9a-f]{12}$')" -eq 1 ] ||
    fail "bench: served by $(sort -u served)"
# More threads than one are not for it; and it is too small for some.
expect 0 "$HEAPYARD" bench --workload churn:objects=500:ops=5000 --threads 2 \
    --allocators mm.c --meters time --runs 1 --out two
[ "$(csv_count two/samples.csv status=skip)" -eq 1 ] || fail "two threads"
expect 1 "$HEAPYARD" replay --workload churn:objects=5000:ops=9000 \
    --allocator mm.c:heap=128k
expect_line out '^!nomem'
expect 0 "$HEAPYARD" heap --workload churn:objects=500:ops=5000 \
    --allocator mm.c
expect_line out '^from the system '
# A change of the source, or of what it includes, is seen.
echo '#include "extra.h"' >>mm.c
expect 1 "$HEAPYARD" replay --workload churn:objects=10:ops=100 --allocator mm.c
expect_line out '^!error.*mm\.c:[0-9]+.*extra\.h'
echo '/* nothing */' >extra.h
expect 0 "$HEAPYARD" replay --workload churn:objects=10:ops=100 --allocator mm.c
echo '#error "no more"' >extra.h
expect 1 "$HEAPYARD" replay --workload churn:objects=10:ops=100 --allocator mm.c
expect_line out '^!error.*no more'

# ---- wrong ones ----

# wrong NAME TRACE PATTERN [OPTION...]: what is said, and the others' figures.
wrong()
{
    name=$1
    trace=$2
    pattern=$3
    shift 3
    expect 1 "$HEAPYARD" mdriver --solution "$solutions/$name.c" \
        --traces "$traces/$trace.rep" --allocators slab "$@"
    expect_line out "^$trace\\.rep: $pattern"
    expect_line out '\(not all traces are right\)$'
    expect_line out "^$trace\\.rep +[a-z]+ +[0-9.]+\$" # slab has its figure
    expect_nothing_left "$name"
}
wrong overlap short1 'corrupt at operation 5 of 12, line 9: a 3 4072'
expect_line out '^    overlap: .* for 4072 bytes, and the 48 bytes at .* of operation 4 are live$'
wrong misaligned short1 'corrupt at operation 4 of 12, line 8: a 2 48'
expect_line out '^    misaligned: .*want a multiple of 8'
wrong endless short1 'timeout at operation 6 of 12, line 10: f 2' --timeout 1
expect_line out '^    no result within 1 s$'
wrong crash short1 'crash at operation 5 of 12, line 9: a 3 4072'
# AddressSanitizer ends the process itself
expect_line out '^    (killed by signal 11|exit code 1 without a result)'
wrong loses realloc 'corrupt at operation 3 of 3604, line 7: r 0 640'
expect_line out '^    realloc from 512 to 640 bytes lost the contents: byte 8 '
wrong outside short1 'corrupt at operation 1 of 12, line 5: a 0 2040'
expect_line out '^    .* for 2040 bytes is not all in the heap'
wrong narrow short1 'crash at operation 3 of 12, line 7: f 1'
expect_line out '^short1\.rep passes if the heap lies below 4 GiB'
# Too small a heap is a NULL, and no crash.
wrong crash binary 'crash at operation 4 ' --heap 64k
expect 1 "$HEAPYARD" mdriver --solution "$solutions/implicit.c" \
    --traces "$traces/random.rep" --allocators slab --heap 1m
expect_line out '^random\.rep: nomem at operation [0-9]+ of 2776, line '
# 8-byte alignment is enough, unless 16 is asked for.
sed 's/UNIT = 16, LEAST = 32/UNIT = 8, LEAST = 24/; s/FLAGS = 15/FLAGS = 7/; s/mem_sbrk(UNIT)/mem_sbrk(16)/' \
    "$solutions/implicit.c" >eight.c
random2=$traces/random2.rep
expect 0 "$HEAPYARD" mdriver --solution eight.c -t "$random2" --allocators slab
expect_line out '^2016 +0\.0 of 100  \(blocks must be 16-byte aligned\)$'
expect 1 "$HEAPYARD" mdriver --solution eight.c -t "$random2" --align 16 \
    --allocators slab
expect_line out '^    misaligned: .*want a multiple of 16'

# ---- what does not compile, or is no solution ----

echo 'int mm_init(void) { return 0; } oops' >bad.c
expect 1 "$HEAPYARD" mdriver --solution bad.c
expect_line out 'bad\.c:1:[0-9]+: error: '
expect_line err '^heapyard mdriver: bad\.c: does not compile$'
printf '#include "mm.h"\nint mm_init(void) { return -1; }\nvoid *mm_malloc(size_t n) { return NULL; }\nvoid mm_free(void *p) {}\n' >part.c
expect 1 "$HEAPYARD" bench --workload churn:objects=10:ops=100 \
    --allocators part.c --meters time --runs 1 --out part
csv_pick part/samples.csv note status=error >note
expect_line note 'undefined reference to .mm_realloc'
expect 1 "$HEAPYARD" mdriver --solution part.c
expect_line out 'undefined reference to .mm_realloc'
expect_line err '^heapyard mdriver: part\.c: does not compile$'
echo 'void *mm_realloc(void *p, size_t n) { return NULL; }' >>part.c
expect 1 "$HEAPYARD" mdriver --solution part.c --traces "$traces/short1.rep" \
    --allocators slab
expect_line out '^short1\.rep: error in mm_init$'
expect_line out '^    .*mm_init returned an error'

# ---- wrong arguments and traces ----

refuse() # PATTERN ARGUMENT...
{
    pattern=$1
    shift
    expect 2 "$HEAPYARD" mdriver "$@"
    head -n 1 err >first
    grep -qE -- "^heapyard mdriver: $pattern" first || fail "$*: $(cat first)"
}
refuse 'want a --solution'
refuse '--solution = mm\.so \(want a FILE\.c' --solution mm.so
refuse '--align = 4 \(want 8 or 16\)' --solution mm.c --align 4
refuse '--heap = 1 \(want 64k' --solution mm.c --heap 1
refuse '--timeout = 0 \(want 1\.\.86400\)' --solution mm.c --timeout 0
refuse 'missing: No such file' --solution mm.c --traces missing
mkdir none
refuse 'none: no \.rep file' --solution mm.c --traces none
echo 'no trace' >text.rep
refuse '.*text\.rep.*is no \.rep file' --solution mm.c --traces text.rep
refuse 'missing\.c: No such file' --solution missing.c
[ ! -s out ] || fail "a missing solution: also on stdout: $(cat out)"
# A line that does not fit is named, and the rest is played.
printf '1\n2\n3\n64\na 0 32\nx 1\na 1 32\nf 0\n' >odd.rep
expect 0 "$HEAPYARD" mdriver --solution "$solutions/implicit.c" \
    --traces odd.rep --allocators slab
expect_line out '^odd\.rep: 1 lines .*first line 6: '

# ---- the set of traces ----

mkdir again
"$traces/make-shapes" again
for trace in again/*.rep; do
    cmp "$trace" "$traces/$(basename "$trace")" || fail "make-shapes: $trace"
done
for trace in "$traces"/*.rep; do
    expect 0 "$HEAPYARD" trace convert --strict "$trace" one.hyt
done
