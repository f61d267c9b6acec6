#!/bin/sh
# heap.sh - a look into a heap: text, CSV, charts, and what is said of errors.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$work" || exit
# What the trace has live at a mark is no leak.
ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0
export ASAN_OPTIONS
TMPDIR=$work/tmp
mkdir "$TMPDIR"
export TMPDIR

work_load=churn:objects=3000:ops=30000

expect_no_folder_left()
{
    [ -z "$(ls "$TMPDIR")" ] || fail "$1: left in TMPDIR: $(ls "$TMPDIR")"
}

# value METRIC [KEY]: from heap.csv
value()
{
    csv_pick heap.csv value "metric=$1" "key=${2-}"
}

# ---- an own backend shows all ----

expect 0 "$HEAPYARD" heap --workload $work_load --allocator slab --csv heap.csv
expect_no_folder_left "a good run"
expect_line out '^slab on churn:objects=3000:ops=30000, 1 thread, at mark:peak: '
expect_line out '^live  .* exact: [0-9]+ blocks, of the trace$'
expect_line out '^resident  .* estimate: '
expect_line out '^  records  .* exact: [0-9]+ spans$'
expect_line out '^free and cached blocks, by size$'
expect_line out '^pages, by live blocks that touch them'
[ "$(value missing)" = 0 ] || fail "the walk misses blocks"
[ "$(value strangers)" = 0 ] || fail "the walk has blocks that nobody has"
[ "$(value blocks live)" = "$(value live_blocks)" ] || fail "live blocks differ"
[ "$(value block_bytes live)" = "$(value usable_bytes)" ] ||
    fail "bytes of live blocks are not the usable bytes"
spans=$(($(value span_bytes blocks) + $(value span_bytes free) +
    $(value span_bytes metadata)))
[ "$spans" = "$(value mapped_bytes)" ] || fail "spans are not what is mapped"
live=$(csv_pick heap.csv value metric=class_live_bytes | awk '{ n += $1 } END { print n }')
[ "$live" = "$(value live_bytes)" ] || fail "classes do not add up to live_bytes"
[ "$(value resident_bytes)" -ge "$(value live_bytes)" ] ||
    fail "more is live than in memory, though every page was touched"

# What is live is what the trace says, whatever the allocator.
"$HEAPYARD" replay --workload $work_load --meter memory >replay
peak=$(awk -F '\t' '$1 == "live_peak" { print $4 }' replay)
[ "$(value live_bytes)" = "$peak" ] || fail "live_bytes is not the trace's peak"

# ---- marks ----

expect 0 "$HEAPYARD" heap --workload $work_load --at drain --csv heap.csv
expect_line out ' at mark:drain: '
drain=$(value live_bytes)
expect 0 "$HEAPYARD" heap --workload $work_load --at mark:drain --csv heap.csv \
    --allocator buddy
[ "$(value live_bytes)" = "$drain" ] || fail "allocators differ in what is live"
expect 0 "$HEAPYARD" heap --workload $work_load --at end --csv heap.csv
[ "$(value live_bytes)" = 0 ] || fail "something is live at the end of churn"
expect 2 "$HEAPYARD" heap --workload $work_load --at nosuch
expect_line err \
    '^heapyard heap: --at = nosuch \(want peak, fill, churn, drain, or end\)$'
[ ! -s out ] || fail "a refused mark has output"

# ---- threads ----

expect 0 "$HEAPYARD" heap --workload $work_load --threads 4 --allocator slab \
    --csv heap.csv --seed 3
expect_line out ', 4 threads, '
[ "$(value missing)$(value strangers)" = 00 ] || fail "4 threads: blocks differ"

# ---- others ----

is_plain=no
is_sanitized || is_plain=yes
if [ $is_plain = yes ]; then
    expect 0 "$HEAPYARD" heap --workload $work_load --csv heap.csv
    expect_line out '^system shows no spans; free blocks are by its own account'
    [ "$(value mapped_bytes)" -ge "$(value live_bytes)" ] ||
        fail "glibc has less than is live"
    for name in jemalloc mimalloc tcmalloc tbbmalloc; do
        code=0
        "$HEAPYARD" heap --workload $work_load --allocator $name --at drain \
            --threads 2 --csv heap.csv >out 2>err || code=$?
        if [ $code -eq 2 ] && grep -q "not found\|lib$name\|install" err; then
            echo "$name is not installed: not looked into"
            continue
        fi
        [ $code -eq 0 ] || fail "$name: exit code $code: $(cat err)"
        case $name in
        jemalloc)
            expect_line out '^jemalloc shows no spans; free blocks are by its '
            [ "$(csv_pick heap.csv value metric=class_spans | wc -l)" -gt 3 ] ||
                fail "jemalloc: no slabs"
            ;;
        mimalloc)
            expect_line out '^live blocks .* blocks of the walk$'
            [ "$(value missing)" = 0 ] || fail "mimalloc: blocks are missing"
            ;;
        tcmalloc)
            expect_line out '^tcmalloc shows no spans; free blocks are by its '
            [ "$(csv_pick heap.csv value metric=free_from | wc -l)" -gt 0 ] ||
                fail "tcmalloc: nothing is free"
            ;;
        tbbmalloc) expect_line out '^tbbmalloc shows neither spans nor free ' ;;
        esac
    done
fi

# ---- charts ----

if command -v gnuplot >/dev/null; then
    expect 0 "$HEAPYARD" heap --workload $work_load --allocator slab \
        --at drain --map './<echo map.svg' --histogram pages.png
    [ "$(head -c 4 pages.png | tr -dc 'PNG')" = PNG ] || fail "no PNG"
    svg='<echo map.svg'
    expect_line "$svg" 'Heap of slab on churn:objects=3000:ops=30000, 1 thread'
    expect_line "$svg" 'at mark:drain: live [0-9.]+ MiB, resident [0-9.]+ MiB'
    if command -v xmllint >/dev/null; then
        xmllint --noout "$svg" || fail "the map is not well-formed"
    fi
    # an image that was longer before
    head -c 300000 /dev/zero >old.svg
    expect 0 "$HEAPYARD" heap --workload $work_load --map old.svg
    tail -c 8 old.svg | grep -q '</svg>' || fail "rests of the old image are left"
    expect_no_folder_left "charts"
else
    echo "gnuplot is not installed: no chart was drawn"
fi
(PATH=/nonexistent "$HEAPYARD" heap --workload $work_load --map map.svg \
    >out 2>err) && fail "a chart without gnuplot: want exit 3"
expect_line err '^heapyard heap: map\.svg: gnuplot: not found .*gnuplot-nox'
expect_line out '^live '
[ ! -e map.svg ] || fail "an empty chart was left"
expect_no_folder_left "without gnuplot"

# ---- errors ----

refuse()
{
    want_code=$1
    pattern=$2
    shift 2
    expect "$want_code" "$HEAPYARD" heap "$@"
    expect_line err "^heapyard heap: $pattern"
    expect_no_folder_left "$*"
}
refuse 2 'want a --workload'
refuse 2 'no workload or recorded trace is called "nosuch"' --workload nosuch
refuse 2 '--allocator = null: it hands out overlapping memory' \
    --workload churn --allocator null
refuse 2 "no allocator 'nosuch'" --workload $work_load --allocator nosuch
refuse 2 '--map = map\.pdf \(want a FILE\.svg or FILE\.png\)' \
    --workload churn --map map.pdf
refuse 2 '--histogram = pages \(want a FILE\.svg or FILE\.png\)' \
    --workload churn --histogram pages
refuse 3 'no/such/map\.svg: No such file or directory' \
    --workload churn --map no/such/map.svg
refuse 3 'no/such/heap\.csv: No such file or directory' \
    --workload churn --csv no/such/heap.csv
refuse 2 '--threads = 0 \(want 1\.\.1024\)' --workload churn --threads 0
refuse 2 'churn: threads = 300 \(want 1\.\.256\)' --workload churn --threads 300
refuse 2 'slab has no knob|slab:nosuch' --workload churn --allocator slab:nosuch=1
if [ -w /dev/full ]; then
    code=0
    "$HEAPYARD" heap --workload $work_load >/dev/full 2>err || code=$?
    [ $code -eq 3 ] || fail "a full disk: exit code $code (want 3)"
    expect_line err 'No space left on device'
fi

# Stopped, it leaves nothing.
"$HEAPYARD" heap --workload server-sim --allocator slab >out 2>err &
pid=$!
sleep 0.3
kill -TERM $pid
code=0
wait $pid || code=$?
[ $code -eq 130 ] || fail "stopped: exit code $code (want 130): $(cat err)"
expect_no_folder_left "stopped"
expect_nothing_left "heap"

# An allocator that breaks is a message and exit 1.
if [ $is_plain = yes ] && [ -r "$HEAPYARD_FAULTY/libfaulty-null.so" ]; then
    refuse 1 'nomem: ' --workload $work_load \
        --allocator "$HEAPYARD_FAULTY/libfaulty-null.so"
fi
