/* depot.pml - the pool's two tagged stacks, for the model checker spin.
 *
 * Threads do what allocators/pool_depot.c does: pop a magazine of the one
 * stack, hold it, push it onto the other one, and so back.  Every read and
 * every exchange is a step of its own, and all orders of steps are tried.
 *
 *   head.index, head.tag   the two halves of the word; an exchange compares
 *                          both and changes both
 *   next[m]                of magazine m; written by its holder only, but read
 *                          by any thread that saw it on top
 *
 * Claimed: no magazine is ever held by two threads, or is held and on a
 * stack; at the end all of them are there.  With -DNO_TAG the exchange does
 * not compare the tag, as a stack without one could not: then spin finds the
 * ABA fault.  Tags are bytes, as no run here changes a stack 256 times.
 *
 * Memory order is not modelled: each step is seen by all at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef MAGAZINES
#define MAGAZINES 3
#endif
#ifndef ROUNDS
#define ROUNDS 2 /* of pop, push, by each thread */
#endif
#define FULL 0
#define EMPTY 1
#define NONE 0 /* no magazine; they count from 1 */

#ifdef NO_TAG
#define IS_AS_READ(s) (index[s] == old)
#else
#define IS_AS_READ(s) (index[s] == old && tag[s] == old_tag)
#endif

byte index[2]; /* the heads */
byte tag[2];
byte next[MAGAZINES + 1];
byte holders[MAGAZINES + 1]; /* threads that hold it */
byte finished;

/* To `mine`, or NONE if the stack is empty. */
inline pop(s)
{
    do
    :: atomic { old = index[s]; old_tag = tag[s] };
       if
       :: old == NONE -> mine = NONE; break
       :: else
       fi;
       below = next[old];
       atomic {
           if
           :: IS_AS_READ(s) ->
              index[s] = below;
              tag[s]++;
              mine = old;
              holders[mine]++;
              assert(holders[mine] == 1);
              break
           :: else
           fi
       }
    od
}

inline push(s)
{
    do
    :: atomic { old = index[s]; old_tag = tag[s] };
       next[mine] = old;
       atomic {
           if
           :: IS_AS_READ(s) ->
              index[s] = mine;
              tag[s]++;
              assert(holders[mine] == 1);
              holders[mine]--;
              break
           :: else
           fi
       }
    od
}

/* As a cache: it pops one magazine or two, and pushes them, the older one
 * first, so that a magazine can come back to where another thread saw it with
 * something else below. */
proctype thread()
{
    byte old, old_tag, below, mine, second, round;

    do
    :: round == ROUNDS -> break
    :: else ->
       round++;
       pop(FULL);
       if
       :: mine != NONE ->
          second = mine;
          if
          :: pop(FULL)
          :: mine = NONE
          fi;
          /* exchange them */
          old = mine;
          mine = second;
          second = old;
          if
          :: push(FULL)
          :: push(EMPTY)
          fi;
          mine = second
       :: else -> pop(EMPTY)
       fi;
       if
       :: mine != NONE -> push(FULL)
       :: else
       fi;
       atomic { second = 0; mine = 0; old = 0; old_tag = 0; below = 0 }
    od;
    atomic { round = 0; finished++ }
}

/* All magazines are on exactly one stack when all threads are done. */
inline count(s)
{
    at = index[s];
    do
    :: at == NONE -> break
    :: else ->
       found++;
       assert(found <= MAGAZINES);
       at = next[at]
    od
}

init {
    byte at, found, i;

    atomic {
        do
        :: i == MAGAZINES -> break
        :: else ->
           i++;
           next[i] = index[FULL];
           index[FULL] = i
        od;
        i = 0;
        do
        :: i == THREADS -> break
        :: else -> i++; run thread()
        od
    };
    finished == THREADS;
    atomic {
        count(FULL);
        count(EMPTY);
        assert(found == MAGAZINES)
    }
}
