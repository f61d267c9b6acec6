/* slab.pml - how a page of slab's changes hands, for the model checker spin.
 *
 * The owner of a page allocates its blocks, frees some, and takes the page out
 * of its queue when none is left (FULL); others free its blocks, and whoever
 * clears FULL mails the page back.  Each exchange of page->remote and of the
 * mail is one step, as is everything that the owner does alone; all orders of
 * steps are tried.  allocators/slab_page.c is the original:
 *
 *   retire        retire_full          own_free   slab_free_into_full, or the
 *   read_mail     slab_read_mail                  fast path while it is queued
 *   remote_free   send, mail_page
 *
 * Claimed: a page is never in the queue twice nor in the mail twice; it is not
 * collected while FULL; and when all blocks are freed and the owner has read
 * its mail, the page is in the queue with all its blocks free: none is lost.
 *
 * Faults that spin must find: 1 the owner marks FULL without looking whether
 * something was freed just before; 2 a free clears FULL and mails nothing;
 * 3 the owner's own free reads FULL and clears it in two steps.
 *
 * Memory order is not modelled: each step is seen by all at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FAULT
#define FAULT 0
#endif
#define BLOCKS 3
#define ALLOCS 6  /* in all */
#define OTHERS 2  /* threads that free */

byte remote;      /* blocks that others freed; with `is_full` one word */
bool is_full;
byte mail;        /* how often the page is in it */
bool queued = true, owned = true;
byte free_blocks = BLOCKS, used, held, given, allocs;
bool has_stopped; /* the owner gives nothing more */
byte finished;    /* of the others */

/* By any other thread, with one of the given blocks. */
inline remote_free(was_full)
{
    atomic { was_full = is_full; remote++; is_full = false }
    if
    :: was_full && FAULT != 2 -> atomic { mail++; assert(mail == 1) }
    :: else
    fi
}

proctype other()
{
    bool was_full;

    do
    :: atomic { given > 0 -> given-- }
       remote_free(was_full)
    :: atomic { has_stopped && given == 0 -> break }
    od;
    finished++
}

inline collect()
{
    atomic {
        assert(!is_full);
        free_blocks = free_blocks + remote;
        used = used - remote;
        remote = 0
    }
}

inline return_page()
{
    assert(!queued);
    owned = true;
    queued = true
}

inline read_mail(mailed)
{
    atomic { mailed = mail; mail = 0 }
    if
    :: mailed -> return_page(); collect()
    :: else
    fi
}

/* There is no free block: out of the queue, unless one came just now. */
inline retire(has_retired)
{
    owned = false;
    atomic {
        if
        :: remote == 0 || FAULT == 1 -> is_full = true; has_retired = true
        :: else -> has_retired = false
        fi
    }
    if
    :: has_retired -> queued = false
    :: else -> owned = true
    fi
}

inline own_free(was_full)
{
    if
    :: owned -> skip
    :: !owned && FAULT == 3 -> was_full = is_full; is_full = false
    :: !owned && FAULT != 3 -> atomic { was_full = is_full; is_full = false }
    fi;
    free_blocks++;
    used--;
    if
    :: !owned && was_full -> return_page()
    :: else
    fi
}

proctype owner()
{
    bool flag;
    byte mailed;

    do
    :: allocs < ALLOCS && queued && free_blocks > 0 ->
       free_blocks--; used++; allocs++;
       if
       :: held++
       :: given++
       fi
    :: allocs < ALLOCS && queued && free_blocks == 0 ->
       collect();
       if
       :: free_blocks == 0 -> retire(flag)
       :: else
       fi
    :: held > 0 -> held--; own_free(flag)
    :: mail > 0 -> read_mail(mailed)
    :: held == 0 && allocs == ALLOCS -> break
    od;
    has_stopped = true;
    (finished == OTHERS);
    read_mail(mailed);
    if
    :: queued -> collect()
    :: else
    fi;
    assert(queued && used == 0 && free_blocks == BLOCKS)
}

init
{
    byte i;

    atomic {
        for (i : 1 .. OTHERS) {
            run other()
        }
        run owner()
    }
}
