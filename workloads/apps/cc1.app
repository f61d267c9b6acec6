# cc1.app - the C compiler proper, gcc -O2 -S, on preprocessed source.
version: 1
summary: cc1, which is what gcc -O2 -S runs: 56 functions of preprocessed C compiled to assembly
source: written for Heapyard; the compiler allocates from its own collected pools and obstacks too, so a part of its memory only is malloc's
packages: gcc
needs: gcc
program: cc1
setup: ln -sf "$(gcc -print-prog-name=cc1)" cc1
setup: awk 'BEGIN { print "struct n { struct n *next; int key; double w[4]; };"; for (f = 0; f < 56; f++) { printf "int f%d(struct n *p, int a, int b)\n{\n  int s = %d;\n  for (int i = 0; i < a; i++) {\n    switch ((i * %d + b) & 7) {\n", f, f, f + 3; for (c = 0; c < 7; c++) printf "    case %d: s += p->key * %d + (int)p->w[%d]; p->w[%d] = s * %d.5; if (s > b) p = p->next; break;\n", c, c + f, c % 4, (c + 1) % 4, c; printf "    default: s ^= i; }\n    if (!p) return s%s;\n  }\n  return s;\n}\n", f ? " + f" f - 1 "(0, 0, s & 1)" : "" } }' >work.i
command: ./cc1 -quiet -O2 work.i -o -
output: same
score: cpu
