#!/bin/sh
# preload.sh - our backends serve whole programs as their malloc.
#
# Each libheapyard-BACKEND.so must export the whole family, keep the rules of
# malloc (tests/programs/malloc_rules.c), and leave the output of real
# programs as it is without it.  Programs that are not installed are left out.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

build=${HEAPYARD_BUILD:-$HEAPYARD_SOURCE/build/release}
family="malloc calloc realloc reallocarray free posix_memalign aligned_alloc
    memalign valloc pvalloc malloc_usable_size free_sized free_aligned_sized
    mallinfo2 malloc_trim"

# A sanitizer brings a malloc of its own.
! grep -q '^HEAPYARD_SANITIZE:STRING=..*' "$build/CMakeCache.txt" ||
    skip "a sanitizer's malloc and ours cannot both serve"
"${CC:-cc}" -std=c17 -O1 -fno-builtin -o "$work/rules" \
    "$HEAPYARD_SOURCE/tests/programs/malloc_rules.c" -lpthread ||
    fail "malloc_rules.c does not compile"

# The test can fail: something that is not malloc-like breaks rules.
[ ! -f "$HEAPYARD_FAULTY/libfaulty-misalign.so" ] ||
    ! LD_PRELOAD=$HEAPYARD_FAULTY/libfaulty-misalign.so "$work/rules" \
        2>/dev/null || fail "malloc_rules finds nothing wrong with a faulty one"

awk 'BEGIN { for (i = 0; i < 20000; i++)
    printf "{\"id\":%d,\"tags\":[\"a%d\",\"b%d\"]}\n", i, i % 17, i % 101 }' \
    >"$work/items.json"
{
    echo '<items>'
    sed 's|.*"id":\([0-9]*\).*|<i n="\1">x</i>|' "$work/items.json"
    echo '</items>'
} >"$work/items.xml"

# programs: one a line, run by sh in $work.
cat >"$work/programs" <<'END'
bash -c 'a=(); for i in {1..20000}; do a+=("x$i"); done; echo ${#a[@]}; echo "${a[@]}" | cksum; (exit 3) || echo $?'
perl -e 'my %h; $h{"k$_"} = [$_, "v" x ($_ % 50)] for 1..100000; my $n = 0; $n += length $h{$_}[1] for keys %h; print "$n\n"'
PYTHONMALLOC=malloc python3 -c 'import threading, subprocess; r = []; t = [threading.Thread(target=lambda: r.append(len({str(i): [i] for i in range(50000)}))) for _ in range(4)]; [x.start() for x in t]; [x.join() for x in t]; print(r, subprocess.run(["echo", "sub"], capture_output=True).stdout)'
sqlite3 :memory: 'create table t(x, y); with recursive c(i) as (select 1 union all select i + 1 from c where i < 50000) insert into t select i, hex(i) from c; create index u on t(y); select count(*), sum(x) from t; delete from t where x % 3 = 0; vacuum; select count(*) from t'
jq -s 'map(.tags[0]) | group_by(.) | map(length)' items.json
lua5.4 -e 'local t = {} for i = 1, 200000 do t[i] = {i, tostring(i)} end local n = 0 for _, v in ipairs(t) do n = n + #v[2] end print(n)'
xmllint --xpath 'count(//i[@n mod 7 = 0])' items.xml
cc -O2 -S -o - -I SOURCE/allocators -D_POSIX_C_SOURCE=200809L SOURCE/allocators/arena.c | cksum
node -e 'const m = new Map(); for (let i = 0; i < 300000; i++) m.set(i, {i}); console.log(m.size, Buffer.alloc(1e6).length)'
END

compare()
{
    library=$1
    while IFS= read -r command; do
        command=$(echo "$command" | sed "s|SOURCE|$HEAPYARD_SOURCE|g")
        name=$(echo "$command" | sed 's/^[A-Z]*=[a-z]* //; s/ .*//')
        command -v "$name" >/dev/null || continue
        (cd "$work" && sh -c "$command" >plain.out 2>plain.err) || continue
        (cd "$work" && LD_PRELOAD=$library timeout 60 sh -c "$command" \
            >ours.out 2>ours.err) ||
            fail "$library: $name: exit $?: $(tail -n 3 "$work/ours.err")"
        cmp "$work/plain.out" "$work/ours.out" ||
            fail "$library: $name says something else"
        ran="$ran $name"
    done <"$work/programs"
}

tried=0
for library in "$build"/libheapyard-*.so; do
    case $library in
    *-record.so | *'*'*) continue ;;
    esac
    tried=1
    for symbol in $family; do
        nm -D --defined-only "$library" | grep -q " $symbol\$" ||
            fail "$library does not export $symbol"
    done
    LD_PRELOAD=$library timeout 120 "$work/rules" ||
        fail "$library breaks the rules (exit $?)"
    ran=
    compare "$library"
    [ -n "$ran" ] || fail "no program was run"
    echo "$(basename "$library"):$ran"
    expect 0 "$HEAPYARD" replay --workload churn:objects=1000:ops=20000 \
        --allocator "$library" --meter check
done
[ $tried = 1 ] || fail "no library in $build"
