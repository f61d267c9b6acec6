#!/bin/sh
# preload.sh - our backends serve whole programs as their malloc.
#
# Each libheapyard-BACKEND.so must export the whole family, keep the rules of
# malloc (tests/programs/malloc_rules.c), refuse knobs that it has not, and
# leave the output of real programs as it is without it.  Programs that are not
# installed are left out.
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

cp "$HEAPYARD_SOURCE/tests/programs/redis-session.sh" \
    "$HEAPYARD_SOURCE/allocators/arena.c" "$work"
if command -v javac >/dev/null && command -v java >/dev/null; then
    javac -d "$work" "$HEAPYARD_SOURCE/tests/programs/Churn.java" ||
        fail "Churn.java does not compile"
fi

# programs: one a line, run by sh in $work: its name, a tab, the command.
sed 's/ :: /	/' >"$work/programs" <<'END'
bash :: bash -c 'a=(); for i in {1..20000}; do a+=("x$i"); done; echo ${#a[@]}; echo "${a[@]}" | cksum; (exit 3) || echo $?'
perl :: perl -e 'my %h; $h{"k$_"} = [$_, "v" x ($_ % 50)] for 1..100000; my $n = 0; $n += length $h{$_}[1] for keys %h; print "$n\n"'
python3 :: PYTHONMALLOC=malloc python3 -c 'import threading, subprocess; r = []; t = [threading.Thread(target=lambda: r.append(len({str(i): [i] for i in range(50000)}))) for _ in range(4)]; [x.start() for x in t]; [x.join() for x in t]; print(r, subprocess.run(["echo", "sub"], capture_output=True).stdout)'
sqlite3 :: sqlite3 :memory: 'create table t(x, y); with recursive c(i) as (select 1 union all select i + 1 from c where i < 50000) insert into t select i, hex(i) from c; create index u on t(y); select count(*), sum(x) from t; delete from t where x % 3 = 0; vacuum; select count(*) from t'
jq :: jq -s 'map(.tags[0]) | group_by(.) | map(length)' items.json
lua5.4 :: lua5.4 -e 'local t = {} for i = 1, 200000 do t[i] = {i, tostring(i)} end local n = 0 for _, v in ipairs(t) do n = n + #v[2] end print(n)'
xmllint :: xmllint --xpath 'count(//i[@n mod 7 = 0])' items.xml
cc :: cc -O2 -S -o - -I SOURCE/allocators -I SOURCE/workloads/knobs -D_POSIX_C_SOURCE=200809L arena.c | cksum
node :: node -e 'const m = new Map(); for (let i = 0; i < 300000; i++) m.set(i, {i}); console.log(m.size, Buffer.alloc(1e6).length)'
java :: java -Xmx64m -cp . Churn
redis-server :: sh redis-session.sh .
END
sed -i "s|SOURCE|$HEAPYARD_SOURCE|g" "$work/programs"

# have NAME: is that program here, and all that its line needs?
have()
{
    command -v "$1" >/dev/null || return 1
    case $1 in
    java) [ -f "$work/Churn.class" ] ;;
    redis-server) command -v redis-benchmark >/dev/null ;;
    esac
}

# Once, without any library: what the programs say is right.
while IFS=$tab read -r name command; do
    have "$name" || continue
    (cd "$work" && timeout 60 sh -c "$command" \
        >"plain-$name.out" 2>plain.err </dev/null) ||
        fail "$name: exit $? without our libraries: $(tail -n 3 "$work/plain.err")"
done <"$work/programs"

compare()
{
    library=$1 ran=
    while IFS=$tab read -r name command; do
        have "$name" || continue
        (cd "$work" && LD_PRELOAD=$library timeout 60 sh -c "$command" \
            >ours.out 2>ours.err </dev/null) ||
            fail "$library: $name: exit $?: $(tail -n 3 "$work/ours.err")"
        cmp "$work/plain-$name.out" "$work/ours.out" ||
            fail "$library: $name says something else"
        ran="$ran $name"
    done <"$work/programs"
    [ -n "$ran" ] || fail "no program was run"
}

# keeps_rules LIBRARY
keeps_rules()
{
    LD_PRELOAD=$1 timeout 120 "$work/rules" -v >"$work/verdicts" ||
        fail "$1: the rules cannot be tried (exit $?)"
    [ "$(wc -l <"$work/verdicts")" -gt 20 ] || fail "$1: rules are missing"
    while IFS=$tab read -r rule level verdict; do
        [ "$verdict" != kept ] || continue
        LD_PRELOAD=$1 "$work/rules" "$rule" || :
        fail "$1: $level rule \"$rule\": $verdict"
    done <"$work/verdicts"
}

# refuses_knobs LIBRARY BACKEND: a mistake ends the program, before it begins,
# with exit code 2 and one line that names the variable.
refuses_knobs()
{
    first=$("$HEAPYARD" list "$2" | awk 'NR > 1 && NF { print $1; exit }')
    for text in nonsense nonsense=1 =1 ${first:+"$first=?"}; do
        code=0
        LD_PRELOAD=$1 HEAPYARD_KNOBS=$text "$work/rules" use-little \
            2>"$work/err" || code=$?
        [ "$code" -eq 2 ] ||
            fail "$1: HEAPYARD_KNOBS=$text: exit $code (want 2)"
        [ "$(wc -l <"$work/err")" -eq 1 ] ||
            fail "$1: HEAPYARD_KNOBS=$text: not one line: $(cat "$work/err")"
        expect_line "$work/err" "^HEAPYARD_KNOBS: $2.*want|^HEAPYARD_KNOBS: $2.*has no knob"
    done
    LD_PRELOAD=$1 HEAPYARD_KNOBS='' "$work/rules" use-little ||
        fail "$1: an empty HEAPYARD_KNOBS is a mistake"
}

tried=0
for library in "$build"/libheapyard-*.so; do
    case $library in
    *-record.so | *-gc.so | *'*'*) continue ;;
    esac
    tried=1
    backend=$(basename "$library" .so | sed 's/^libheapyard-//')
    for symbol in $family; do
        nm -D --defined-only "$library" | grep -q " $symbol\$" ||
            fail "$library does not export $symbol"
    done
    keeps_rules "$library"
    refuses_knobs "$library" "$backend"
    compare "$library"
    echo "$backend:$ran"
    expect 0 "$HEAPYARD" replay --workload churn:objects=1000:ops=20000 \
        --allocator "$library" --meter check
done
[ $tried = 1 ] || fail "no library in $build"
