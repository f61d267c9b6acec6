#!/bin/sh
# apps.sh - real programs under allocators: what is measured, and what is not.
#
# The programs are small ones, made here: one that works, and one for each way
# in which a run can fail.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need perl

# app NAME LINES...: NAME.app, of which lines after the first ones are given.
app()
{
    name=$1
    shift
    {
        cat <<END
version: 3
summary: a test
source: tests/cli/apps.sh
packages: nosuchpackage
needs: perl
program: perl
END
        printf '%s\n' "$@"
    } >"$work/$name.app"
}

apps()
{
    "$HEAPYARD" apps "$@"
}

# ---- what is there ----

expect 0 apps --list
for name in cc1 cppcheck ghostscript jq lua node perl python redis sqlite \
    xmllint z3; do
    expect_line "$work/out" "^  $name +[A-Za-z]"
done
[ "$(grep -cE '^ +packages: .+ \((installed|missing: .+)\)$' "$work/out")" \
    -ge 12 ] || fail "--list does not say which packages: $(cat "$work/out")"

# ---- without hyperfine ----

mkdir "$work/empty"
code=0
PATH=$work/empty "$HEAPYARD" apps perl --out "$work/none" >"$work/out" \
    2>"$work/err" || code=$?
[ $code -eq 3 ] || fail "exit code $code without hyperfine (want 3)"
[ "$(cat "$work/err")" = "heapyard apps: hyperfine is not installed \
(on Debian: apt-get install hyperfine)" ] || fail "says $(cat "$work/err")"
need hyperfine

# ---- mistakes ----

app wrong 'command: perl x' 'output: sane' 'score: cpu'
expect 2 apps "$work/wrong.app" --out "$work/none"
expect_line "$work/err" "^heapyard apps: .*/wrong.app:8: output = sane \(want"
expect 2 apps nosuch --out "$work/none"
expect_line "$work/err" 'nosuch.app: No such file.*heapyard apps --list'
expect 2 apps perl --allocators null --out "$work/none"
expect_line "$work/err" '^heapyard apps: allocator = null \(want system, own,'
expect 2 apps perl --allocators system,system --out "$work/none"
expect 2 apps perl --runs 0 --out "$work/none"
expect 2 apps perl --allocators system --baseline slab --out "$work/none"
expect_line "$work/err" '\-\-baseline = slab \(want one of the allocators\)'

# ---- one that works ----

cat >"$work/job.pl" <<'END'
my %h;
$h{"k$_"} = ["x" x 100, $_] for 1 .. 20000;
print scalar(keys %h), "\n";
open my $score, ">", "score" or die;
print $score "42.5\n";
END
app good "setup: cp $work/job.pl ." 'command: perl job.pl' \
    'environment: MARK=1' 'output: same' 'score: file per_s'
expect 0 apps "$work/good.app" --allocators system,own,slab --runs 2 \
    --memory-runs 1 --out "$work/good"
rows=$work/good/samples.csv
[ ! -e "$work/good/work" ] || fail "its folder is left behind"
for allocator in system own slab; do
    [ "$(csv_runs "$rows" allocator=$allocator meter=time status=ok)" = 2 ] ||
        fail "not two timed runs of $allocator"
    for metric in wall cpu user system wall_per_op cpu_per_op ops score; do
        [ "$(csv_count "$rows" allocator=$allocator metric=$metric at=)" = 2 ] ||
            fail "not two rows of $metric"
    done
    for metric in rss_peak rss_mean rss_end rss_baseline rss_hwm pss_peak \
        pss_mean; do
        [ "$(csv_count "$rows" allocator=$allocator metric=$metric)" = 1 ] ||
            fail "$allocator has no row of $metric"
    done
    # 20,000 times 100 bytes and more are live at the end
    peak=$(csv_pick "$rows" value allocator=$allocator metric=rss_peak)
    awk "BEGIN { exit !($peak > 3e6 && $peak < 3e7) }" ||
        fail "peak of $allocator is $peak bytes"
done
csv_pick "$rows" value metric=score | sort -u >"$work/scores"
[ "$(cat "$work/scores")" = 42.5 ] || fail "scores: $(cat "$work/scores")"
csv_pick "$rows" value metric=output_cksum | sort -u >"$work/sums"
[ "$(cat "$work/sums")" = "$(echo 20000 | cksum | cut -d ' ' -f 1)" ] ||
    fail "output_cksum: $(cat "$work/sums")"
csv_pick "$rows" served_by allocator=slab | sort -u >"$work/served"
grep -q '^libheapyard-slab.so ' "$work/served" ||
    fail "slab is served by $(cat "$work/served")"
csv_pick "$rows" workload | sort -u >"$work/names"
[ "$(cat "$work/names")" = app:good ] || fail "names: $(cat "$work/names")"
[ "$(csv_pick "$rows" seed | sort -u)" = 3 ] || fail "the seed is no version"

# Each arm once a block in each meter; all arms of a block before the next.
csv_pick "$rows" block metric=wall | tr '\n' ' ' >"$work/order"
[ "$(cat "$work/order")" = '1 1 1 2 2 2 ' ] || fail "$(cat "$work/order")"

# The other verbs take it from there.
expect 0 "$HEAPYARD" stat "$rows"
expect 0 "$HEAPYARD" report "$work/good"
expect_line "$work/out" '^app:good, 1 thread'
expect_line "$work/out" '^slab +[0-9.]+ \['
expect_line "$work/out" 'score,' # the program's own, where it is a rate
expect 2 apps "$work/good.app" --out "$work/good"
expect_line "$work/err" 'samples\.csv exists: use another --out'

# ---- folders and names ----

# What is there is not taken for the folder of a program, which is removed.
mkdir "$work/there"
(cd "$work/there" && mkdir -p work/good && echo mine >work/good/mine)
expect 2 apps "$work/good.app" --allocators system --out "$work/there"
expect_line "$work/err" 'work/good exists: use another --out'
(cd "$work/there" && [ -e work/good/mine ]) || fail "removes what is not its own"
mkdir "$work/other"
cp "$work/good.app" "$work/other/"
expect 2 apps "$work/good.app" "$work/other/good.app" --out "$work/none"
expect_line "$work/err" 'other/good.app: another program is called "good", too'
cp "$work/good.app" "$work/...app"
expect 2 apps "$work/...app" --allocators system --out "$work/none"
expect_line "$work/err" '\.\.\.app: its name \(want at most 39 bytes, the first'

# ---- ways to fail ----

# Only what is measured has HEAPYARD_WITNESS.
failing()
{
    cat >"$work/job-$1.sh" <<END
if [ "\$HEAPYARD_WITNESS" ]; then $3; fi
perl -e 'print 1'
END
    app "$1" "setup: cp $work/job-$1.sh job.sh" 'command: sh job.sh' "$4" \
        'output: same' 'score: cpu' 'timeout: 2'
    expect "$2" apps "$work/$1.app" --allocators system --runs 1 \
        --memory-runs 1 --out "$work/$1"
}

# expect_status NAME STATUS PATTERN: both runs have it, and say so.
expect_status()
{
    [ "$(csv_runs "$work/$1/samples.csv" status="$2")" = 2 ] ||
        fail "$1: not two runs of $2: $(cat "$work/$1/samples.csv")"
    csv_pick "$work/$1/samples.csv" note status="$2" >"$work/notes"
    [ "$(grep -cE -- "$3" "$work/notes")" = 2 ] ||
        fail "$1: notes: $(cat "$work/notes") (want $3)"
}

failing exits 1 'echo broken >&2; exit 3' 'preload: command'
expect_status exits crash '^exit code 3: broken$'
failing killed 1 'kill -SEGV $$' 'preload: command'
expect_status killed crash '^killed by signal 11 \('
failing hangs 1 'sleep 30' 'preload: command'
expect_status hangs timeout '^not done within 2 s$'
failing lies 1 'echo 2' 'preload: command'
expect_status lies corrupt '^wrong output: cksum [0-9]+ of 3 bytes \(want'
failing asleep 1 'unset LD_PRELOAD' 'preload: command'
expect_status asleep error '^the preload is not live: no word from .*perl'
failing other 1 'unset HEAPYARD_PRELOAD' 'preload: script'
expect_status other error '^the preload is not live: no word from .*perl'

app absent 'command: perl x' 'output: same' 'score: cpu'
sed -i 's/^needs: perl/needs: perl nosuchprogram/' "$work/absent.app"
expect 0 apps "$work/absent.app" --allocators system --runs 1 \
    --out "$work/absent"
expect_status absent skip \
    '^nosuchprogram: not installed \(on Debian: apt-get install nosuchpackage'

app broken 'command: perl -e die' 'output: same' 'score: cpu'
expect 1 apps "$work/broken.app" --allocators system --runs 1 \
    --out "$work/broken"
expect_status broken error '^without preload it fails: exit code'

app summed 'command: perl -e print+1' 'output: cksum 1 1' 'score: cpu'
expect 1 apps "$work/summed.app" --allocators system --runs 1 \
    --out "$work/summed"
expect_status summed error '^output has cksum [0-9]+ of 1 bytes without'

app quick 'command: perl -e print+1' 'output: same' 'score: wall'
expect 0 apps "$work/quick.app" --allocators system,./nosuch.so --runs 1 \
    --out "$work/quick"
[ "$(csv_runs "$work/quick/samples.csv" allocator=./nosuch.so status=skip)" \
    = 2 ] || fail "a missing library is no skip"

# ---- libraries that are not what they seem ----

if [ -r "$HEAPYARD_FAULTY/libfaulty-count.so" ]; then
    cp "$HEAPYARD_FAULTY/libfaulty-count.so" "$work/libcount.so"
    expect 0 apps "$work/quick.app" --allocators "$work/libcount.so" --runs 1 \
        --out "$work/counted"
    expect_line "$work/counted/samples.csv" ',libcount.so [^,]*,time,'

    app patient "setup: cp $work/job.pl ." 'command: perl job.pl' 'output: same' 'score: cpu' \
        'timeout: 2'
    for fault in exit-0:corrupt crash:crash null:crash hang:timeout \
        no-malloc:skip; do
        library=$HEAPYARD_FAULTY/libfaulty-${fault%:*}.so
        code=0
        apps "$work/patient.app" --allocators "$library" --runs 1 \
            --out "$work/bad-${fault%:*}" >"$work/out" 2>&1 || code=$?
        expect_status "bad-${fault%:*}" "${fault#*:}" .
    done
fi

# A program linked to fixed addresses that takes that of malloc is served by
# the library all the same.
if command -v "${CC:-cc}" >/dev/null; then
    cat >"$work/fixed.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
static void *(*volatile get)(size_t) = malloc;
static void (*volatile give)(void *) = free;
int main(void) { give(get(100)); return puts("fixed") < 0; }
END
    if "${CC:-cc}" -no-pie -fno-pie -o "$work/fixed" "$work/fixed.c"; then
        app fixed "setup: cp $work/fixed ." 'command: ./fixed' 'output: same' \
            'score: cpu'
        sed -i 's/^program: perl/program: fixed/' "$work/fixed.app"
        expect 0 apps "$work/fixed.app" --allocators system,slab --runs 1 \
            --out "$work/fixed.out"
    fi
    # One that has a malloc of its own is not served by any library.
    cat >"$work/own.c" <<'END'
#include <stddef.h>
#include <stdio.h>
static _Alignas(16) char heap[1 << 22];
static size_t used;
void *malloc(size_t n) { used += (n + 31) & ~(size_t)15; return heap + used - ((n + 15) & ~(size_t)15); }
void free(void *p) { (void)p; }
void *calloc(size_t n, size_t m) { return malloc(n * m); }
void *realloc(void *p, size_t n) { char *q = malloc(n); for (size_t i = 0; p && i < n; i++) q[i] = ((char *)p)[i]; return q; }
int main(void) { return puts("own") < 0; }
END
    if "${CC:-cc}" -O0 -fno-builtin -rdynamic -o "$work/own" "$work/own.c"; then
        app ownmalloc "setup: cp $work/own ." 'command: ./own' 'output: same' \
            'score: cpu'
        sed -i 's/^program: perl/program: own/' "$work/ownmalloc.app"
        expect 1 apps "$work/ownmalloc.app" --allocators slab --runs 1 \
            --out "$work/ownmalloc"
        expect_status ownmalloc error '^malloc is served by .*own, not by '
    fi
fi

expect_nothing_left "at the end"
