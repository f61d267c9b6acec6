#!/bin/sh
# gc_programs.sh - programs for Boehm's collector run on ours.
#
# The library must export what programs of Debian ask for; our own programs of
# tests/programs, compiled against either collector's gc.h, must print the same
# with both, and so must real programs, which are pointed to our libgc.so.1 by
# LD_LIBRARY_PATH.  What is not installed is left out.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

build=${HEAPYARD_BUILD:-$HEAPYARD_SOURCE/build/release}
compat=$build/compat
cc=${CC:-cc}

! grep -q '^HEAPYARD_SANITIZE:STRING=..*' "$build/CMakeCache.txt" ||
    skip "a sanitizer's runtime must come first in other programs"
[ -e "$compat/libgc.so.1" ] || fail "no libgc.so.1 in $compat"
cd "$work" || exit 1

# ---- own programs ----

# check NAME: what ./NAME printed with ours is what it prints with Boehm's.
check()
{
    timeout 60 "./ours-$1" >"$1.ours" || fail "$1: exit $? with our gc.h"
    [ -x "./boehm-$1" ] || return 0
    timeout 60 "./boehm-$1" >"$1.boehm" || fail "$1: exit $? with Boehm's"
    LD_LIBRARY_PATH=$compat timeout 60 "./boehm-$1" >"$1.binary" ||
        fail "$1: exit $? of the binary for Boehm's with ours"
    diff "$1.boehm" "$1.ours" || fail "$1: other output with our gc.h"
    diff "$1.boehm" "$1.binary" || fail "$1: other output of the binary"
}

for name in threads dying objects; do
    source=$HEAPYARD_SOURCE/tests/programs/boehm_$name.c
    "$cc" -std=gnu17 -O1 -Wall -Wextra -Werror -o "ours-$name" \
        -I"$HEAPYARD_SOURCE/allocators/gc/boehm" "$source" -L"$build" \
        -Wl,-rpath,"$build" -lheapyard-gc -lpthread ||
        fail "boehm_$name.c does not compile with our gc.h"
    "$cc" -std=gnu17 -O1 -I/usr/include/gc -o "boehm-$name" "$source" \
        -lgc -lpthread 2>/dev/null || rm -f "boehm-$name"
    check "$name"
done
[ -x boehm-objects ] || echo "left out: comparing with Boehm's (no libgc-dev)"

# ---- real programs ----

awk 'BEGIN {
    print "<html><body><table>"
    for (i = 0; i < 4000; i++)
        printf "<tr><td>%d</td><td><a href=x%d>link</a></td><td><b>bold</b> of row %d</td></tr>\n", i, i, i
    print "</table></body></html>"
}' >rows.html
cat >work.scm <<'EOF'
(use-modules (ice-9 threads))
(define (tree d) (if (= d 0) '() (cons (tree (- d 1)) (tree (- d 1)))))
(define (size t) (if (null? t) 1 (+ (size (car t)) (size (cdr t)))))
(define strings (map number->string (iota 100000)))
(define memo (make-weak-key-hash-table))
(for-each (lambda (s) (hashq-set! memo s (string-length s))) strings)
(do ((i 0 (+ i 1))) ((= i 10)) (display (size (tree 14))) (newline))
(display (apply + (par-map (lambda (d) (size (tree d))) '(12 13 14 15))))
(newline)
(display (apply + (map (lambda (s) (hashq-ref memo s)) strings))) (newline)
(define guarded (make-guardian))
(do ((i 0 (+ i 1))) ((= i 1000)) (guarded (list i)))
(gc) (gc)
(display (let loop ((n 0)) (if (guarded) (loop (+ n 1)) (> n 900)))) (newline)
(display (string-length (call-with-output-string
  (lambda (port) (for-each (lambda (s) (display s port)) strings)))))
EOF
cat >work.neko <<'EOF'
var i = 0; var a = null; var h = $hnew(0);
while( i < 300000 ) {
    a = $array(i, a);
    if( $istrue(i - 1000 * (i / 1000)) ) 0 else { $hset(h, i, $string(i), null); a = null; }
    i = i + 1;
}
$print(i, " ", $hcount(h), " ", $hget(h, 299000, null), "\n");
EOF
cat >work.pk <<'EOF'
var s = "", n = 0;
for (var i = 0; i < 20000; i = i + 1)
  { var a = [i, i + 1, i + 2]; n = n + a'length; s = format ("%i32d", i); }
printf "%i32d %s\n", n, s;
EOF
cat >work.lisp <<'EOF'
(defun tree (d) (if (= d 0) nil (list (tree (- d 1)) (tree (- d 1)))))
(defun size (x) (if x (+ 1 (size (first x)) (size (second x))) 0))
(dotimes (i 10) (print (size (tree 12))))
(print (mapcar #'mp:process-join (loop for i below 4 collect
  (mp:process-run-function "t" (lambda () (size (tree 13)))))))
(print (length (format nil "~r" (expt 3 100))))
EOF
cat >work.asy <<'EOF'
size(100);
for (int i = 0; i < 20000; ++i) {
  real[] a = sequence(20) * 1.0;
  path p = (0, 0)--(i, a[3]){up}..(a[5], i);
  if (i % 500 == 0) draw(p);
}
write(arclength((0, 0)..(1, 1)..(2, 0)));
EOF
cat >work.ly <<'EOF'
\version "2.24.0"
\header { tagline = ##f }
\repeat unfold 10 { c'4 d' e' f' | g'8 a' b' c'' d'' c'' b' a' | }
EOF
cat >work.sc <<'EOF'
(define (row n) (if (= n 0) '() (cons n (row (- n 1)))))
(define (many k) (if (> k 0) (begin (row 10000) (many (- k 1)))))
(many 500) (display (length (row 5000))) (newline)
EOF

# A program a line: its name, and what sh runs.
sed 's/ :: /	/' >programs <<'EOF'
w3m :: w3m -dump rows.html
guile-3.0 :: GUILE_AUTO_COMPILE=0 guile-3.0 work.scm
guile-2.2 :: GUILE_AUTO_COMPILE=0 guile-2.2 work.scm
neko :: nekoc work.neko && neko work.n
poke :: poke -q -L work.pk
ecl :: ecl --norc --load work.lisp --eval '(quit)'
asy :: asy -f eps -o out work.asy && grep -v '^%%' out.eps
lilypond :: lilypond -s --svg -o out work.ly && cat out.svg
nix-instantiate :: nix-instantiate --store dummy:// --eval --strict -E 'let f = n: if n < 2 then n else f (n - 1) + f (n - 2); in [ (f 20) (builtins.length (builtins.filter (x: x.b != "7") (builtins.genList (x: { a = x; b = toString x; }) 100000))) ]'
M2 :: echo 'R = QQ[x,y,z,w]; I = ideal(x^5-y^2*z, y^5-z^3*w, z^4-x*w^2); print toString gens gb I; print sum toList(1..100000)' >work.m2; M2 --script work.m2
stalin :: stalin -On work.sc >/dev/null 2>&1; ./work
debfoster :: debfoster -n -q -u bash 2>&1 || :
EOF

ran=0
while IFS=$tab read -r name command; do
    command -v "$name" >/dev/null || { echo "left out: $name"; continue; }
    HOME=$work timeout 60 sh -c "$command" >theirs 2>theirs.err </dev/null ||
        { echo "left out: $name (fails with Boehm's: $(tail -n 1 theirs.err))"; continue; }
    HOME=$work LD_LIBRARY_PATH=$compat timeout 60 sh -c "$command" >ours \
        2>ours.err </dev/null ||
        fail "$name: exit $? with ours: $(tail -n 1 ours.err)"
    [ -s theirs ] || fail "$name prints nothing, so nothing is compared"
    cmp theirs ours || fail "$name: other output with ours"
    ran=$((ran + 1))
done <programs
echo "$ran programs print the same with both collectors"
