#!/bin/sh
# bench-pairs.sh - tests/bench/pairs.sh measures what it says it measures.
#
# The loops' calls are counted, since a compiler may remove malloc and free in
# pairs; every row has its figures; a library that is missing, does not serve
# malloc or crashes is a failure that is told, never another row's figure.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need_faulty
need shuf
bench=$HEAPYARD_SOURCE/tests/bench

"${CC:-cc}" -std=c17 -D_POSIX_C_SOURCE=200809L -O2 -Wall -Wextra -Werror \
    -I "$HEAPYARD_SOURCE/allocators" -o "$work/pairs" "$bench/pairs.c" \
    "$HEAPYARD_SOURCE"/allocators/pool.c \
    "$HEAPYARD_SOURCE"/allocators/pool_[!b]*.c \
    "$HEAPYARD_SOURCE/allocators/os_pages.c" -lpthread -ldl ||
    fail "pairs.c does not compile"

# --- no call is optimised away ---

cat >"$work/tell.c" <<'END'
#include <stdint.h>
#include <stdio.h>
uint64_t heapyard_test_malloc_calls(void);
__attribute__((destructor)) static void tell(void)
{
    fprintf(stderr, "%lu\n", (unsigned long)heapyard_test_malloc_calls());
}
END
count=$HEAPYARD_FAULTY/libfaulty-count.so
"${CC:-cc}" -shared -fPIC -o "$work/tell.so" "$work/tell.c" "$count" ||
    fail "tell.c does not compile"

# expect_calls WHO HOW CALLS: of malloc, give or take the C library's own.
expect_calls()
{
    LD_PRELOAD="$count $work/tell.so" "$work/pairs" "$1" "$2" 16000 \
        >"$work/out" 2>"$work/err" || fail "$1 $2: $(cat "$work/err")"
    expect_line "$work/out" '^[0-9]+\.[0-9]+$'
    calls=$(tail -n 1 "$work/err")
    [ $((calls / 100)) -eq $(($3 / 100)) ] ||
        fail "$1 $2: $calls calls of malloc (want $3)"
}

expect_calls malloc one 17000
expect_calls malloc two 34000
expect_calls malloc ring 17000
for how in one two ring; do
    expect_calls pool $how 0
    expect_calls floor $how 0
done

for bad in "malloc three 16000" "mallocs one 16000" "malloc one 15" \
    "malloc one 16k" "malloc one"; do
    # shellcheck disable=SC2086 # words
    expect 2 "$work/pairs" $bad
    expect_line "$work/err" '^usage: pairs malloc\|pool\|floor one\|two\|ring'
done

# --- the table ---

export RUNS=6 PAIRS=16000
figure='[0-9]+\.[0-9]+ \[[0-9]+\.[0-9]+, [0-9]+\.[0-9]+\]'
expect 0 "$bench/pairs.sh" "$count"
for row in floor 'pool, inlined' glibc heapyard-slab heapyard-buddy \
    heapyard-pool faulty-count; do
    expect_line "$work/out" "^$row( +$figure){4}\$"
done

expect 2 "$bench/pairs.sh" "$work/none.so"
expect_line "$work/err" "^pairs: $work/none.so: no such library\$"
expect 1 "$bench/pairs.sh" "$HEAPYARD_FAULTY/libfaulty-crash.so" \
    "$HEAPYARD_FAULTY/libfaulty-no-malloc.so"
expect_line "$work/err" '^pairs: faulty-crash, one: exit code 139$'
expect_line "$work/err" \
    '^pairs: malloc does not come from .*/libfaulty-no-malloc.so$'
expect_line "$work/out" '^faulty-crash( +failed){4}$'
expect_line "$work/out" '^faulty-no-malloc( +failed){4}$'
expect_line "$work/out" "^glibc( +$figure){4}\$"
