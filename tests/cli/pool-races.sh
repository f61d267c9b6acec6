#!/bin/sh
# pool-races.sh - threads in a pool do not race, by ThreadSanitizer.
#
# TSan cannot be used with Criterion (ci/sanitize says why), so the pool's
# threads have a program of their own.  A pool whose counts are plain integers
# must be found, so that the test can fail.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

cp "$HEAPYARD_SOURCE"/allocators/pool*.[ch] "$HEAPYARD_SOURCE"/allocators/os_pages.[ch] \
    "$HEAPYARD_SOURCE"/allocators/heap_walk.h "$work"
rm "$work/pool_backend.c"

build()
{
    "${CC:-cc}" -std=c17 -O1 -g -D_POSIX_C_SOURCE=200809L -fsanitize=thread \
        -I "$work" -o "$work/threads" \
        "$HEAPYARD_SOURCE/tests/programs/pool_threads.c" "$work"/*.c -lpthread
}

# TSan needs its part of the address space free.
fixed=
! setarch -R true 2>/dev/null || fixed="setarch -R"
run()
{
    # shellcheck disable=SC2086 # two words
    TSAN_OPTIONS='halt_on_error=1 exitcode=66' $fixed "$work/threads" "$1" \
        >"$work/out" 2>&1
}

build 2>"$work/err" || skip "cannot build with -fsanitize=thread"
code=0
run 2 || code=$?
! grep -q 'unexpected memory mapping' "$work/out" ||
    skip "TSan cannot have its addresses here"
[ $code = 0 ] || fail "exit $code: $(head -n 40 "$work/out")"
cat "$work/out"
grep -qE '^[1-9][0-9]* gets, [1-9][0-9]* of the depot, [1-9][0-9]* steals' \
    "$work/out" || fail "the depot was not used"

sed -i 's/_Atomic uint64_t loaded_hits,/uint64_t loaded_hits; _Atomic uint64_t/
    s/    hy_pool_count(&cache->loaded_hits);/    cache->loaded_hits++;/' \
    "$work/pool.h"
sed -i 's/atomic_load(&cache->loaded_hits)/cache->loaded_hits/' "$work/pool.c"
build || fail "the seeded fault does not compile"
code=0
run 2 || code=$?
[ $code = 66 ] || fail "the seeded race was not found: exit $code"
