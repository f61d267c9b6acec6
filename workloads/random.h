/* random.h - seeded random numbers for workloads, the same on every machine.
 *
 * The generator is xoshiro256** with its state filled by splitmix64.  What is
 * built on it uses integers and the IEEE 754 operations + - * / only (the
 * logarithm and the exponential are computed here, not by libm), so that a
 * seed gives the same trace wherever double is IEEE 754 binary64 and the
 * compiler does not fuse multiplications with additions.
 *
 * Sources: D. Blackman & S. Vigna, "Scrambled Linear Pseudorandom Number
 * Generators", ACM TOMS 47(4), 2021; G. Steele, D. Lea & C. Flood, "Fast
 * Splittable Pseudorandom Number Generators", OOPSLA 2014 (splitmix64).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_RANDOM_H
#define HEAPYARD_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t s[4]; /* never all zero */
};

void random_seed(struct random *, uint64_t seed);

/* 64 random bits. */
uint64_t random_next(struct random *);

/* A whole number of 0 .. n - 1, all equally likely (exactly); n >= 1. */
uint64_t random_below(struct random *, uint64_t n);

/* A whole number of lo .. hi, both included; lo <= hi, not the full range. */
uint64_t random_between(struct random *, uint64_t lo, uint64_t hi);

/* A multiple of 2^-53 in [0, 1). */
double random_unit(struct random *);

/* Odds are a probability times 2^63: never at 0, always at 1. */
uint64_t random_odds(double probability);
bool random_chance(struct random *, uint64_t odds);

/* Exponentially distributed with that mean > 0; below 37 times the mean. */
double random_exponential(struct random *, double mean);

/* Number of trials to the first success: 1, 2, …, with that mean >= 1. */
uint64_t random_geometric(struct random *, double mean);

/* ln x for a normal x > 0, and e^x for |x| <= 700; both within 4 units in
 * the last place or 1e-15 absolute. */
double random_ln(double x);
double random_exp(double x);

/* Draws from a finite distribution in constant time.
 * Sources: A. Walker, ACM TOMS 3(3), 1977; M. Vose, IEEE TSE 17(9), 1991. */
struct alias {
    struct alias_cell *cell; /* [n] */
    uint32_t n;
};

/* weight[n] >= 0, not all zero; n >= 1.  Probabilities are right within
 * 2^-31.  Returns 0 or ENOMEM; release with alias_free.  O(n). */
int alias_init(struct alias *, const double weight[], uint32_t n);
void alias_free(struct alias *);
uint32_t alias_draw(const struct alias *, struct random *);

/* Zipf: rank i (from 0) of n is drawn with a probability proportional to
 * (i + 1)^-exponent; 0 is uniform.  Returns 0 or ENOMEM.  O(n). */
int alias_init_zipf(struct alias *, double exponent, uint32_t n);

#endif
