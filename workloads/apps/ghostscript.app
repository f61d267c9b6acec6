# ghostscript.app - pages drawn from PostScript.
version: 1
summary: Ghostscript: 50 pages of curves and text rendered to bitmaps; it allocates by large chunks, so malloc is called seldom
source: written for Heapyard; a program on which allocators hardly differ, which is worth knowing too
packages: ghostscript
needs: gs
program: gs
setup: cat >work.ps <<'END'
setup: %!PS
setup: 1 1 50 { /page exch def
setup:   /Helvetica findfont 9 scalefont setfont
setup:   0 1 130 { /i exch def
setup:     gsave i 7 mod 7 div i 5 mod 5 div page 50 div setrgbcolor
setup:     i 4 mul 20 add page 15 mul moveto 100 i 3 mul 500 i 400 i 6 mul curveto stroke
setup:     20 i 6 mul moveto i 20 string cvs show ( line of page ) show page 20 string cvs show grestore
setup:   } for showpage
setup: } for
setup: END
command: gs -q -dSAFER -dBATCH -dNOPAUSE -sDEVICE=pbmraw -r72 -o - work.ps
output: same
score: cpu
