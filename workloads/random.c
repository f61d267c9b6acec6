/* random.c - seeded random numbers for workloads, the same on every machine.
 *
 * See random.h for the idea and the sources.  Nothing here calls libm but
 * frexp and ldexp, which are exact.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "random.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void random_seed(struct random *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix64(&seed);
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

/* xoshiro256**, version 1.0. */
uint64_t random_next(struct random *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* Lemire's multiply-and-reject: D. Lemire, "Fast Random Integer Generation in
 * an Interval", ACM TOMACS 29(1), 2019. */
static uint32_t below32(struct random *r, uint32_t n)
{
    uint64_t product = (random_next(r) >> 32) * n;

    if ((uint32_t)product < n) {
        uint32_t reject = (uint32_t)-n % n;

        while ((uint32_t)product < reject)
            product = (random_next(r) >> 32) * n;
    }
    return (uint32_t)(product >> 32);
}

uint64_t random_below(struct random *r, uint64_t n)
{
    assert(n > 0);
    if (n <= UINT32_MAX)
        return below32(r, (uint32_t)n);

    uint64_t reject = -n % n; /* 2^64 mod n */
    uint64_t x = random_next(r);
    while (x < reject)
        x = random_next(r);
    return x % n;
}

uint64_t random_between(struct random *r, uint64_t lo, uint64_t hi)
{
    return lo + random_below(r, hi - lo + 1);
}

double random_unit(struct random *r)
{
    return (double)(random_next(r) >> 11) * 0x1p-53;
}

uint64_t random_odds(double probability)
{
    if (probability <= 0)
        return 0;
    return probability >= 1 ? UINT64_C(1) << 63
                            : (uint64_t)(probability * 0x1p63);
}

bool random_chance(struct random *r, uint64_t odds)
{
    return (random_next(r) >> 1) < odds;
}

/* x = m 2^e with m near 1, and ln m = 2 artanh((m - 1) / (m + 1)).  With
 * |t| < 0.172 the first term left out is below 1e-19. */
double random_ln(double x)
{
    int e;
    double m = frexp(x, &e);

    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    double t = (m - 1) / (m + 1);
    double t2 = t * t;
    double sum = 0;
    for (int i = 23; i >= 1; i -= 2)
        sum = sum * t2 + 1.0 / i;
    return e * 0.69314718055994531 + 2 * t * sum;
}

/* x = k ln 2 + y with |y| <= 0.35, and the Taylor series of e^y.  ln 2 is
 * split so that k times its head is exact. */
double random_exp(double x)
{
    const double head = 0x1.62e42fefp-1, tail = 0x1.473de6af278edp-34;
    int k = (int)(x / 0.69314718055994531 + (x < 0 ? -0.5 : 0.5));
    double y = x - k * head - k * tail;
    double sum = 1;

    for (int i = 16; i >= 1; i--)
        sum = 1 + sum * y / i;
    return ldexp(sum, k);
}

double random_exponential(struct random *r, double mean)
{
    return -mean * random_ln(1 - random_unit(r));
}

uint64_t random_geometric(struct random *r, double mean)
{
    if (mean <= 1)
        return 1;
    double trials = random_ln(1 - random_unit(r)) / random_ln(1 - 1 / mean);
    return 1 + (uint64_t)trials;
}

/* A cell is drawn uniformly; it stands for itself with probability
 * odds / 2^32, else for `other`. */
struct alias_cell {
    uint32_t odds;
    uint32_t other;
};

/* Fill the cells: each that has less than the average borrows the rest from
 * one that has more.  share[n] (average 1) is used up; stack[n] is scratch:
 * the poor are stacked from its start, the rich from its end. */
static void alias_fill(struct alias *a, double share[], uint32_t stack[])
{
    uint32_t poor = 0, rich = a->n;

    for (uint32_t i = a->n; i-- > 0;) {
        a->cell[i] = (struct alias_cell){UINT32_MAX, i};
        if (share[i] < 1)
            stack[poor++] = i;
        else
            stack[--rich] = i;
    }
    while (poor > 0 && rich < a->n) {
        uint32_t little = stack[--poor];
        uint32_t much = stack[rich];

        a->cell[little].odds = (uint32_t)(share[little] * 0x1p32);
        a->cell[little].other = much;
        share[much] -= 1 - share[little];
        if (share[much] < 1) {
            rich++;
            stack[poor++] = much;
        }
    }
}

int alias_init(struct alias *a, const double weight[], uint32_t n)
{
    double *share = malloc(n * sizeof *share);
    uint32_t *stack = malloc(n * sizeof *stack);
    double sum = 0;
    int err = 0;

    assert(n > 0);
    *a = (struct alias){malloc(n * sizeof *a->cell), n};
    if (!share || !stack || !a->cell) {
        alias_free(a);
        err = ENOMEM;
        goto out;
    }
    for (uint32_t i = 0; i < n; i++)
        sum += weight[i];
    assert(sum > 0);
    for (uint32_t i = 0; i < n; i++)
        share[i] = weight[i] / sum * n;
    alias_fill(a, share, stack);
out:
    free(stack);
    free(share);
    return err;
}

void alias_free(struct alias *a)
{
    free(a->cell);
    a->cell = NULL;
    a->n = 0;
}

uint32_t alias_draw(const struct alias *a, struct random *r)
{
    uint64_t x = random_next(r);
    uint32_t i = (uint32_t)(((x >> 32) * a->n) >> 32);

    return (uint32_t)x < a->cell[i].odds ? i : a->cell[i].other;
}

int alias_init_zipf(struct alias *a, double exponent, uint32_t n)
{
    double *weight = malloc(n * sizeof *weight);

    if (!weight)
        return ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        weight[i] = random_exp(-exponent * random_ln((double)i + 1));
    int err = alias_init(a, weight, n);
    free(weight);
    return err;
}
