# z3.app - an SMT solver: C++, many small objects, hash tables that grow.
version: 1
summary: Z3: pigeonhole and bit-vector problems, solved to the end
source: written for Heapyard; z3 keeps small objects in pools of its own over malloc
packages: z3
needs: z3
program: z3
setup: awk 'BEGIN { n = 8; print "(set-option :smt.random_seed 1)\n(push)"; for (i = 0; i <= n; i++) { for (j = 0; j < n; j++) printf "(declare-const p%d_%d Bool)\n", i, j; printf "(assert (or"; for (j = 0; j < n; j++) printf " p%d_%d", i, j; print "))" } for (j = 0; j < n; j++) for (i = 0; i <= n; i++) for (k = i + 1; k <= n; k++) printf "(assert (not (and p%d_%d p%d_%d)))\n", i, j, k, j; print "(check-sat)\n(pop)"; for (r = 1; r <= 3; r++) printf "(push)\n(declare-const x%d (_ BitVec 20))\n(declare-const y%d (_ BitVec 20))\n(assert (= (bvmul x%d y%d) (_ bv%d 20)))\n(assert (bvugt x%d (_ bv1 20)))\n(assert (bvugt y%d x%d))\n(check-sat)\n(pop)\n", r, r, r, r, 771401 + 2 * r, r, r, r }' >work.smt2
command: z3 work.smt2
output: same
score: cpu
