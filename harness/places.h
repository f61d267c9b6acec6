/* places.h - where the program finds what belongs to it.
 *
 * Where `cmake --install` puts things, relative to the program itself, else in
 * the build and source trees.  Strings are borrowed and live as long as the
 * process; a place that does not exist is returned all the same, so that the
 * error names it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_PLACES_H
#define HEAPYARD_PLACES_H

const char *places_program(void);     /* this program, as a path to exec */
const char *places_recorder(void);    /* libheapyard-record.so */
const char *places_witness(void);     /* heapyard-witness.so */
const char *places_apps(void);        /* folder of real programs: *.app */
const char *places_traces(void);      /* folder of recorded traces */
const char *places_malloclab(void);   /* folder of memlib.c, mm.h and so on */
const char *places_plots(void);       /* folder of gnuplot scripts */
const char *places_schemas(void);     /* folder of the CSV files' schemas */
const char *places_calibration(void); /* folder of calibration.csv files */
const char *places_source(void);      /* the source tree it was built from */
const char *places_version(void);     /* such as "0.1.0" */
/* The commit of the source tree, or "unknown" outside of one. */
const char *places_commit(void);

#endif
