# cppcheck.app - a static analyser in C++ on a generated source.
version: 1
summary: cppcheck: tokens, a symbol database and value flow of 60 generated functions; C++ with new and delete
source: written for Heapyard; linked lists of tokens, std::string, std::map and std::list throughout
packages: cppcheck
needs: cppcheck
program: cppcheck
setup: awk 'BEGIN { print "#include <stdlib.h>\nstruct n { struct n *next; int key; char name[16]; };"; for (f = 0; f < 60; f++) { printf "int f%d(struct n *p, int a, int b)\n{\n  int s = %d, t[8] = {0};\n  char *q = malloc(%d);\n  if (!q) return -1;\n  for (int i = 0; i < a; i++) {\n", f, f, f + 9; for (c = 0; c < 6; c++) printf "    if (p->key == %d && b > %d) { s += t[%d] * %d; t[%d] = s - i; } else if (s < %d) { s ^= p->key; p = p->next; }\n", c + f, c, c, c + 2, (c + 1) % 8, c * 100; print "  }\n  free(q);\n  return s;\n}" } }' >work.c
command: cppcheck --quiet --output-file=/dev/stdout --enable=style,warning --inconclusive work.c
output: same
score: cpu
