#!/bin/sh
# record.sh - what the recorder counts is what the program did, however the
# program lives and ends.
#
# SPDX-License-Identifier: Apache-2.0
set -u
: "${HEAPYARD:?path of the built program}" "${HEAPYARD_SOURCE:?source folder}"
command -v "${CC:-cc}" >/dev/null || exit 77

work=$(mktemp -d "${TMPDIR:-/tmp}/record.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
"${CC:-cc}" -std=c17 -O1 -o me "$HEAPYARD_SOURCE/tests/programs/record_me.c" \
    -pthread || exit 1
failures=0

fail() # MESSAGE: with what heapyard said
{
    echo "FAIL: $case: $1"
    cat said
    failures=$((failures + 1))
}

record() # EXIT-CODE HEAPYARD-OPTIONS... -- PROGRAM...
{
    expected=$1
    shift
    case=$*
    rm -f -- *.hyt
    timeout 60 "$HEAPYARD" record -o out.hyt "$@" >out 2>said
    code=$?
    [ "$code" -eq "$expected" ] || fail "exit code $code (want $expected)"
    for left in *.spool-*; do
        [ ! -e "$left" ] || fail "$left is left behind"
    done
}

says() # PATTERN of grep -E, once
{
    grep -Eq -- "$1" said || fail "does not say '$1'"
}

never_says()
{
    ! grep -Eq -- "$1" said || fail "says '$1'"
}

well_seen()
{
    never_says 'implied|left out|lost|out of order|stopped before'
}

# --- ways to live ---

record 0 -- ./me churn 100000
says 'events +200000 \(100000 allocations, 100000 frees, 0 resizes\)'
says 'blocks left +0$'
says 'exit code 0'
says 'allocator +/.*libc'
well_seen
[ -s out.hyt ] || fail 'no archive'

record 0 -- ./me family
says 'exit code 0'
says 'events +24 \(11 allocations, 11 frees, 2 resizes\)'
well_seen

"${CC:-cc}" -std=c17 -O1 -fno-builtin -fPIC -shared -o reentrant.so \
    "$HEAPYARD_SOURCE/tests/programs/reentrant.c" || exit 1
# shellcheck disable=SC2016 # LD_PRELOAD is that of the shell that is recorded
record 0 -- sh -c 'LD_PRELOAD="$LD_PRELOAD:./reentrant.so" exec ./me resize 5000'
says 'exit code 0'
says 'events +15000 \(5000 allocations, 5000 frees, 5000 resizes\)'
says 'allocator .*reentrant'
well_seen

# The C library allocates for each new thread, and keeps some of it.
record 0 -- ./me pairs 10000
says 'exit code 0'
says 'events +[0-9]+ \(400[0-9][0-9] allocations, 400[0-9][0-9] frees, 8000 r'
says 'threads +9 \((100.0|99\.[0-9]) %'
well_seen
"$HEAPYARD" trace info out.hyt >info 2>&1 || fail "$(cat info)"
grep -q 'by 9 threads' info || fail "$(cat info)"

record 0 -- ./me in-turn 5000
says '\(200[0-9][0-9] allocations, 200[0-9][0-9] frees'
says 'threads +5 '
well_seen

record 0 -- ./me late 50
says 'exit code 0'
says '\(25[0-9] allocations, 25[0-9] frees'
says 'threads +51 '
well_seen

record 0 -- ./me close-all 30000 own
says 'exit code 0'
says 'events +120000 '
well_seen
[ ! -s own ] || fail 'records went into a file of the program'

record 0 --children -- ./me fork 5000
says 'exit code 0'
says 'events +10002 '
says 'also +out\.[0-9]+\.hyt: me, 10000 events'
# the child freed what its parent had made; the parent is well seen
"$HEAPYARD" trace info --csv out.[0-9]*.hyt >info 2>&1 || fail "$(cat info)"
grep -qx 'record_fault,free-unknown,1,5000' info || fail "$(cat info)"
"$HEAPYARD" trace info out.hyt >info 2>&1 || fail "$(cat info)"
! grep -q 'Wrong in its source' info || fail "$(cat info)"
[ "$(ls -- *.hyt | wc -l)" -eq 2 ] || fail 'want two archives'

record 0 -- ./me fork 100
says 'not kept +1 other program .*me \(process'
[ "$(ls -- *.hyt | wc -l)" -eq 1 ] || fail 'want one archive'

record 0 -- ./me exec 5000
says 'events +10000 '
says 'not kept +1 other program'

record 0 -- sh -c './me churn 100; (./me churn 200); exec ./me churn 30000'
says 'events +60000 '
says 'exit code 0'

# --- ways to end ---

record 0 -- ./me exit 20000
says 'exit code 42'
says 'events +40000 '
well_seen

record 0 -- ./me kill 20000
says 'signal 9'
says 'events +40000 '
well_seen

record 0 -- ./me raise 20000
says 'signal 6'
says 'events +40000 '
well_seen

record 3 -- ./me limited 30000
says 'exit code 0'
says 'stopped before it ended: File too large'
[ -s out.hyt ] || fail 'what came before is not kept'

record 2 -- ./me crowd 1
says 'more than 1024 threads'

# Not SIGINT, which a shell script's background jobs ignore.
case='a signal while the program waits'
"$HEAPYARD" record -o out.hyt -- ./me wait 20000 >out 2>said &
heapyard=$!
sleep 1
kill -TERM $heapyard
wait $heapyard || fail "exit code $?"
says 'signal 15'
says 'events +40000 '

# --- what the program is given ---

case='standard files and exit'
echo in | "$HEAPYARD" record -o out.hyt -- cat >out 2>said || fail "code $?"
[ "$(cat out)" = in ] || fail 'the program lost its standard input or output'

case='no file named'
mkdir -p sub
(cd sub && "$HEAPYARD" record -- ../me churn 10 2>../said) || fail "code $?"
[ -s sub/me.hyt ] || fail 'no me.hyt'

case='--keep-spool'
"$HEAPYARD" record --keep-spool -o kept.hyt -- ./me churn 10 2>said ||
    fail "code $?"
ls kept.hyt.spool-*/*.bufs >/dev/null 2>&1 || fail 'no raw records are kept'
rm -rf kept.hyt.spool-*

if ldconfig -p 2>/dev/null | grep -q 'libjemalloc\.so\.2'; then
    # shellcheck disable=SC2016
    record 0 -- sh -c \
        'LD_PRELOAD="$LD_PRELOAD:libjemalloc.so.2" exec ./me churn 20000'
    says 'allocator .*libjemalloc'
    says '\([0-9]+ allocations, 20000 frees'
fi

# --- what cannot be recorded ---

record 2 -- ./nothing
says '\./nothing: No such file'
record 2 -- no-such-program-at-all
says 'no such program in PATH'
record 2 -- "$HEAPYARD_SOURCE/LICENSE"
says 'not a program that may be run'
record 2 --level 20 -- ./me
says 'level = 20 \(want 1\.\.19\)'
record 2
says 'want a PROGRAM'

printf 'text\n' >text && chmod +x text
record 2 -- ./text
says 'neither an ELF program nor a script'
printf '#!%s/text\n' "$work" >script && chmod +x script
record 2 -- ./script
says 'the interpreter of ./script'
echo 'int main(void) { return 0; }' >static.c
if "${CC:-cc}" -static -o static static.c 2>/dev/null; then
    record 2 -- ./static
    says 'statically linked'
fi

[ "$failures" -eq 0 ]
