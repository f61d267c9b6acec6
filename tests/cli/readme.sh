#!/bin/sh
# readme.sh - the commands of README.md work as they stand there.
#
# Each ```sh block that follows a line `<!-- tested -->` is run as a script in
# a copy of the tree.  Two things are not as a reader has them, to be done in
# seconds: the copy is not built again but gets the program that is tested,
# and what the commands do not say themselves is small (SCALE, RUNS, METERS
# for make).  ci/install-deps must be there, but changes nothing here: that
# this test has a program to run shows that it has done its work.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need_plain_program # its commands preload libraries
need make
need tar

readme=$HEAPYARD_SOURCE/README.md
[ -r "$readme" ] || skip "no README.md yet"

# One file a block: $work/block-1 ...
mkdir "$work/blocks"
awk -v folder="$work/blocks" '
marked && /^```sh$/ { inside = 1; marked = 0; n++; next }
marked {
    print "README.md:" NR ": want ```sh after <!-- tested -->"
    exit 1
}
/^<!-- tested -->$/ { marked = 1; next }
inside && /^```$/ { inside = 0; close(file); next }
inside { file = folder "/" n; print >file }
END { if (inside || marked) exit 1 }' "$readme" >"$work/why" ||
    fail "README.md: $(cat "$work/why")"
blocks=$(find "$work/blocks" -type f | wc -l)
[ "$blocks" -ge 3 ] || fail "README.md has $blocks tested blocks (want 3..)"

tree=$work/heapyard
mkdir "$tree"
(cd "$HEAPYARD_SOURCE" && tar -cf - --exclude=./.git --exclude=./build \
    --exclude=./results/out .) | (cd "$tree" && tar -xf -)
mkdir -p "$tree/build/release"
cp "$HEAPYARD" "$tree/build/release/heapyard"
for library in "$(dirname "$HEAPYARD")"/*heapyard-*.so; do
    [ ! -r "$library" ] || cp "$library" "$tree/build/release/"
done
compat=$(dirname "$HEAPYARD")/compat
[ ! -d "$compat" ] || cp -R "$compat" "$tree/build/release/"
if grep -q 'ci/install-deps' "$work"/blocks/*; then
    [ -x "$tree/ci/install-deps" ] || fail "README.md runs ci/install-deps"
    printf '#!/bin/sh\n' >"$tree/ci/install-deps"
fi
# What a block runs of other people's programs must be here.
for program in sqlite3 jq perl; do
    if grep -q -- "-- $program " "$work"/blocks/*; then
        need "$program"
    fi
done

if grep -q 'heapyard apps perl ' "$work"/blocks/*; then
    need hyperfine
fi
if grep -q -- ' -lgc$' "$work"/blocks/*; then
    need cc
    need pkg-config
    pkg-config --exists bdw-gc || skip "no libgc-dev"
fi

# As on make's command line: these variables of the Makefile do nothing.
MAKEFLAGS='configure=: build=:'
SCALE=0.005 RUNS=2 METERS=time
export MAKEFLAGS SCALE RUNS METERS
number=1
while [ $number -le "$blocks" ]; do
    code=0
    (cd "$tree" && sh -eu "$work/blocks/$number") >"$work/out" \
        2>"$work/err" </dev/null || code=$?
    [ $code -eq 0 ] ||
        fail "block $number of README.md: exit code $code: $(
            cat "$work/blocks/$number"; tail -n 5 "$work/err")"
    [ -s "$work/out" ] || fail "block $number of README.md prints nothing"
    number=$((number + 1))
done
expect_nothing_left "after README.md"
echo "$blocks blocks of README.md"
