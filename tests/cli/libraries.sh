#!/bin/sh
# libraries.sh - a library that cannot be preloaded is a skipped run that says
# why, in one line, before anything is measured with something else.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

libs=$work/libs
mkdir "$libs" "$libs/folder.so"

sound=$(awk '/\/libc\.so\.6$/ { print $NF; exit }' /proc/self/maps)
[ -r "$sound" ] || skip "no libc.so.6 in /proc/self/maps (not glibc)"

# patch FILE OFFSET OCTAL: overwrite one byte.
patch()
{
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# ask FILE PATTERN: as --allocator it is skipped with a note like PATTERN.
: >"$work/want"
ask()
{
    echo "$libs/$1|$2" >>"$work/want"
}

cp "$sound" "$libs/libc-copy.so"
ask libc-copy.so 'is the C library itself: measure it as .system'
ask missing.so 'No such file or directory'
ask folder.so 'Is a directory'

echo 'int malloc;' >"$libs/text.so"
ask text.so 'is not an ELF file'
: >"$libs/empty.so"
ask empty.so 'is not an ELF file \(shorter than an ELF header\)'
mkfifo "$libs/pipe.so"
ask pipe.so 'is not a regular file'
ln -s nowhere "$libs/dangling.so"
ask dangling.so 'No such file or directory'
ln -s loop.so "$libs/loop.so"
ask loop.so 'Too many levels of symbolic links'

size=$(wc -c <"$sound")
head -c 40 "$sound" >"$libs/header.so"
ask header.so 'is not an ELF file \(shorter than an ELF header\)'
for part in 64 4096 $((size / 2)) $((size - 4096)) $((size - 1)); do
    head -c "$part" "$sound" >"$libs/cut-$part.so"
    ask "cut-$part.so" 'has no |is cut off|has a damaged|symbols|is the C library'
done

cp "$sound" "$libs/narrow.so"
patch "$libs/narrow.so" 4 001 # EI_CLASS: 32 bits
ask narrow.so 'is a 32-bit library \(want 64-bit'
cp "$sound" "$libs/order.so"
patch "$libs/order.so" 5 002 # EI_DATA: most significant byte first
ask order.so 'byte order'
cp "$sound" "$libs/machine.so"
patch "$libs/machine.so" 18 012 # e_machine: 10, MIPS
patch "$libs/machine.so" 19 000
ask machine.so 'is for another processor'
cp "$sound" "$libs/object.so"
patch "$libs/object.so" 16 001 # e_type: a relocatable object
ask object.so 'not a shared library'
ask ../program.so 'is a program, not a shared library'
cp "$HEAPYARD" "$work/program.so"

zlib=$(ldd "$HEAPYARD" | awk '$1 ~ /^libz\.so/ { print $3 }')
[ -r "$zlib" ] || fail "the program is linked with no libz"
cp "$zlib" "$libs/zlib.so"
ask zlib.so 'does not define malloc and free'

cp "$sound" "$libs/secret.so"
chmod 000 "$libs/secret.so"
if [ "$(id -u)" -ne 0 ]; then # root may read all
    ask secret.so 'Permission denied'
fi

# A path that LD_PRELOAD cannot carry, of a library that is otherwise sound.
if [ -r "$HEAPYARD_FAULTY/libfaulty-count.so" ]; then
    cp "$HEAPYARD_FAULTY/libfaulty-count.so" "$libs/a space.so"
    cp "$HEAPYARD_FAULTY/libfaulty-count.so" "$libs/a:colon.so"
    ask 'a space.so' 'LD_PRELOAD cannot carry'
    ask 'a:colon.so' 'LD_PRELOAD cannot carry'
fi
# Names without a '/' are no files.
echo "nosuchmalloc|no allocator 'nosuchmalloc' .want one of" >>"$work/want"

set --
while IFS='|' read -r library _; do
    set -- "$@" --allocator "$library"
done <"$work/want"
cd "$libs" || exit # a file here must not be taken for a name
cp "$libs/text.so" nosuchmalloc
expect 0 "$HEAPYARD" plan --workload churn:objects=100:ops=1000 --runs 1 \
    --meters time --allocators system "$@" --out "$work/plan.tsv"
expect 0 "$HEAPYARD" run "$work/plan.tsv" --out "$work"
samples=$work/samples.csv
[ "$(csv_runs "$samples" allocator=system status=ok)" -eq 1 ] ||
    fail "the sound run beside them is missing"
expect_every_run_once "$work"
expect_nothing_left "after libraries that cannot be loaded"

while IFS='|' read -r library note; do
    status=$(csv_pick "$samples" status "allocator=$library")
    said=$(csv_pick "$samples" note "allocator=$library")
    [ "$status" = skip ] ||
        fail "$library: status \"$status\" (want skip), note: $said"
    echo "$said" | grep -qE -- "$note" || fail "$library: note: $said"
    served=$(csv_pick "$samples" served_by "allocator=$library")
    [ -z "$served" ] || fail "$library: served_by = $served (want nothing)"
done <"$work/want"

# By hand: the same line, the exit code of a failed run.
while IFS='|' read -r library note; do
    expect 1 "$HEAPYARD" replay --workload churn:objects=100:ops=1000 \
        --allocator "$library"
    expect_line "$work/out" "^!skip$tab.*($note)"
    [ "$(wc -l <"$work/out")" -eq 1 ] || fail "$library: more than one line"
done <"$work/want"

# As root, be nobody for a file that nobody may read.
nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$work" "$libs"
    if $nobody "$HEAPYARD" --version >/dev/null 2>&1; then
        # shellcheck disable=SC2086 # words of a command
        expect 1 $nobody "$HEAPYARD" replay --allocator "$libs/secret.so" \
            --workload churn:objects=100:ops=1000
        expect_line "$work/out" "^!skip$tab$libs/secret.so: Permission denied"
    fi
fi

# A bench of nothing but a missing library says so where one looks.
expect 0 "$HEAPYARD" bench --workload churn:objects=100:ops=1000 --runs 1 \
    --meters time --allocators "$libs/missing.so" --out "$work/bench"
expect_line "$work/out" 'missing.so: No such file or directory'
