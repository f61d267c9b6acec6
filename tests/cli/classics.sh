#!/bin/sh
# classics.sh - what a classic says it allocates, malloc is asked for.
#
# Programs that suites build of cache-scratch and cache-thrash never allocate
# in the loop that is timed, because the compiler has seen that nothing comes of
# it.  Here a malloc that counts its calls is preloaded under the whole program,
# and must be called as often as the workload's description says, between the
# two readings of the clock.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need_faulty

# expect_calls MIN MAX WORKLOAD THREADS
expect_calls()
{
    expect 0 env LD_PRELOAD="$HEAPYARD_FAULTY/libfaulty-count.so" "$HEAPYARD" \
        replay --workload "$3" --threads "$4" --allocator system
    calls=$(awk '$1 == "malloc_calls" { print $NF }' "$work/out")
    if [ "$calls" -lt "$1" ] || [ "$calls" -gt "$2" ]; then
        fail "$3, $4 threads: $calls calls of malloc (want $1 to $2)"
    fi
}

# A round is an allocation, in each thread.
for workload in cache-scratch cache-thrash; do
    expect_calls 700 700 $workload:rounds=700:writes=1000 1
    expect_calls 1400 1400 $workload:rounds=700:writes=1000 2
done

# 13 batches of 100 blocks, and the array of each.
expect_calls 1313 1313 xmalloc-test:batch=100:blocks=1300 2

# 2000 replacements in each lane; each of 10 threads a lane is made by malloc
# too, of the C library's.
expect_calls 2000 2040 larson:slots=50:generation=200:ops=2000 1
expect_calls 4000 4080 larson:slots=50:generation=200:ops=2000 2

# 9 repeats of 19300 blocks; 24 steps, of which 12 make 7321 blocks.
expect_calls 173700 173700 sh6bench:calls=500:repeats=9 1
expect_calls 15642 15642 sh8bench:slots=3000:steps=24:handed=1000 2
expect_calls 9000 9000 linux-scalability:pairs=3000 3
# A pass is 12 times 1600; main makes 3, each other thread one.
expect_calls 76800 76800 glibc-simple:allocations=1600 2
expect_calls 115200 115200 glibc-simple:allocations=1600 4
expect_calls 4000 4000 glibc-thread:ops=4000 2
