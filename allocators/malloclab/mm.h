/* mm.h - what a solution of the malloc lab defines.
 *
 * Source: the interface of R. E. Bryant & D. R. O'Hallaron, Computer Systems:
 * A Programmer's Perspective, section 9.9, and of its later handouts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_MM_H
#define HEAPYARD_MM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* 0, or -1 if it cannot begin.  Called again for a heap that is empty again:
 * all variables of the solution must be set anew here. */
extern int mm_init(void);
extern void *mm_malloc(size_t size);
extern void mm_free(void *block);
extern void *mm_realloc(void *block, size_t size);

/* Not required.  (mm_checkheap is not declared: handouts differ in what it
 * takes and gives.  Nobody but the solution itself calls it.) */
extern void *mm_calloc(size_t n, size_t size);

/* Handouts of the book ask for `team_t team`; it is not required here. */
struct team {
    char *teamname, *name1, *id1, *name2, *id2;
};
#define team_t struct team
extern team_t team;

#endif
