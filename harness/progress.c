/* progress.c - tells a person how far a long piece of work is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "ticks.h"

#define PLAIN_EVERY_NS UINT64_C(5000000000)

void progress_start(struct progress *p, size_t total)
{
    *p = (struct progress){.start_ns = clock_wall_ns(),
                           .total = total,
                           .is_terminal = isatty(STDERR_FILENO)};
}

static void format_left(const struct progress *p, char *out, size_t size)
{
    double spent = (double)(clock_wall_ns() - p->start_ns) * 1e-9;

    if (p->done < 2) {
        snprintf(out, size, "estimating");
        return;
    }
    double left = spent / (double)p->done * (double)(p->total - p->done);

    const char *most = p->may_stop ? "at most " : "";

    if (left >= 90)
        snprintf(out, size, "%sabout %.0f min left", most, left / 60 + 0.5);
    else
        snprintf(out, size, "%sabout %.0f s left", most, left);
}

/* Work of which nobody knows how much it is. */
static void show_plain(struct progress *p, const char *what, uint64_t now)
{
    if (p->is_terminal) {
        fprintf(stderr, "\r\033[K%.76s", what);
    } else if (now - p->last_ns > PLAIN_EVERY_NS) {
        fprintf(stderr, "%s\n", what);
        p->last_ns = now;
    }
}

void progress_show(struct progress *p, const char *what)
{
    uint64_t now = clock_wall_ns();
    char left[40];

    if (!p->total) {
        show_plain(p, what, now);
        return;
    }
    format_left(p, left, sizeof left);
    if (p->is_terminal) {
        fprintf(stderr, "\r\033[K[%zu/%zu] %.60s, %s", p->done + 1, p->total,
                what, left);
    } else if (now - p->last_ns > PLAIN_EVERY_NS) {
        fprintf(stderr, "[%zu/%zu] %s, %s\n", p->done + 1, p->total, what,
                left);
        p->last_ns = now;
    }
}

void progress_step(struct progress *p)
{
    p->done++;
}

void progress_clear(const struct progress *p)
{
    if (p->is_terminal)
        fprintf(stderr, "\r\033[K");
}
