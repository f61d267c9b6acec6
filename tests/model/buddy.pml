/* buddy.pml - a model of allocators/buddy_nonblocking.c for spin.
 *
 * A tree of NODES blocks, and WORKERS that each take and give back TURNS of
 * them, any node at any time, in every interleaving of their steps; a step is
 * one atomic instruction, or a loop of compare-and-swap that succeeds.  What
 * is proved: nobody is handed a block that overlaps one that another has; and
 * when all have given theirs back, every word is 0, so the region is whole.
 *
 * With FAULT set something is wrong, and a run must find it:
 *   1  who takes a node does not look whether an ancestor is taken
 *   2  who meets a taken ancestor leaves the counts below it as they are
 *   3  who gives a node back ends where others still use an ancestor
 *   4  in place of counts, bits that tell which half is in use, and others
 *      that announce their clearing: the scheme of the paper that the file
 *      names, by its algorithms and the authors' program.  Wants NODES=15.
 *
 * tests/cli/model.sh runs all of these.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef NODES
#define NODES 7
#endif
#ifndef WORKERS
#define WORKERS 3
#endif
#ifndef TURNS
#define TURNS 2
#endif
#ifndef FAULT
#define FAULT 0
#endif

byte tree[NODES + 1];
byte ended;

/* What only the model knows: a bit for each leaf that someone has. */
byte handed;

#if NODES == 7
#define leaves(n)                                                              \
    ((n) == 1 -> 15 : ((n) < 4 -> 3 << (2 * ((n) - 2)) : 1 << ((n) - 4)))
#else
#define leaves(n)                                                              \
    ((n) == 1 -> 255                                                           \
              : ((n) < 4 -> 15 << (4 * ((n) - 2))                              \
                         : ((n) < 8 -> 3 << (2 * ((n) - 4))                    \
                                    : 1 << ((n) - 8))))
#endif

#if FAULT == 4

#define OCC  16
#define BUSY 19
/* Of a child, in its parent; of a right child, of a left one. */
#define occ(n)  ((n) % 2 == 1 -> 1 : 2)
#define coal(n) ((n) % 2 == 1 -> 4 : 8)
#define enter(n) tree[(n) / 2] = (tree[(n) / 2] & ~coal(n)) | occ(n)

inline release(n, top)
{
    at = n;
    do
    :: at == top -> break
    :: else ->
        atomic {
            old = tree[at / 2];
            tree[at / 2] = old | coal(at)
        };
        if
        :: (old & occ(at ^ 1)) && !(old & coal(at ^ 1)) -> break
        :: else -> at = at / 2
        fi
    od;
    tree[n] = 0;
    at = n;
    do
    :: at == top -> break
    :: else ->
        atomic {
            old = tree[at / 2];
            if
            :: old & coal(at) ->
                tree[at / 2] = old & ~(occ(at) | coal(at));
                old = (old & occ(at ^ 1) -> 0 : 1)
            :: else -> old = 0
            fi
        };
        if
        :: old == 0 -> break /* someone's again, or the buddy's */
        :: else -> at = at / 2
        fi
    od
}

#else

#define OCC  128
#define BUSY OCC

/* No count is more than there are nodes below, so it needs no more bits. */
#define below(n) ((n) == 1 -> NODES - 1 : ((n) < 4 -> NODES / 2 - 1 : 2))
#define enter(n)                                                               \
    tree[(n) / 2]++;                                                           \
    assert(tree[(n) / 2] <= below((n) / 2))

/* Free node n, whose ancestors up to `top` count it. */
inline release(n, top)
{
    at = n;
    do
    :: at == top -> break
    :: else ->
        atomic {
            at = at / 2;
            assert(tree[at] > 0 && tree[at] < OCC);
            tree[at]--;
            old = tree[at]
        };
#if FAULT == 3
        if
        :: old > 0 -> break
        :: else
        fi
#endif
    od;
    tree[n] = 0
}

#endif

/* Sets got. */
inline try_take(n)
{
    atomic {
        got = tree[n] == 0;
        if
        :: got -> tree[n] = BUSY
        :: else
        fi
    };
    up = n;
    do
    :: !got || up == 1 -> break
    :: else ->
        atomic {
#if FAULT == 1
            got = true;
#else
            got = !(tree[up / 2] & OCC);
#endif
            if
            :: got -> enter(up)
            :: else
            fi
        };
        if
        :: got -> up = up / 2
#if FAULT == 2
        :: else -> tree[n] = 0
#else
        :: else -> release(n, up)
#endif
        fi
    od
}

proctype worker()
{
    byte turn, n, up, at, old;
    bool got;

    do
    :: turn == TURNS -> break
    :: else ->
#if FAULT == 4
        if
        :: n = 1
        :: n = 2
        :: n = 8
        :: n = 9
        fi;
#else
        select(n : 1 .. NODES);
#endif
        try_take(n);
        if
        :: got ->
            atomic {
                assert((handed & leaves(n)) == 0);
                handed = handed | leaves(n)
            };
            atomic { handed = handed & ~leaves(n) };
            release(n, 1)
        :: else
        fi;
        atomic { turn++; n = 0; up = 0; at = 0; old = 0; got = false }
    od;
    atomic {
        ended++;
        if
        :: ended == WORKERS ->
            n = 1;
            do
            :: n > NODES -> break
            :: else ->
#if FAULT != 4 /* may leave announcements behind, by design */
                assert(tree[n] == 0);
#endif
                n++
            od
        :: else
        fi
    }
}

init
{
    atomic {
        byte i;
        for (i : 1 .. WORKERS) {
            run worker()
        }
    }
}
