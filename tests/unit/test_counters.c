/* test_counters.c - events of meter counters: options, codes, groups, figures.
 *
 * What needs a PMU is tested by ci/pmu; here the kernel is a fake that refuses
 * what it is told to.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counter_figure.h"
#include "counter_names.h"
#include "random.h"

/* ---- options ---- */

#define DEFAULT                                                                \
    "cycles instructions stalled_frontend stalled_backend branches "           \
    "branch_misses l1d_loads l1d_misses llc_loads llc_misses dtlb_misses "     \
    "itlb_misses"

static const struct {
    const char *text, *metrics;
    int kernel;
} good[] = {
    {"", DEFAULT, 0},
    {"kernel=0", DEFAULT, 0},
    {"kernel=1", DEFAULT, 1},
    {"events=instructions", "instructions", 0},
    {"events=cycles", "cycles instructions", 0},
    {"events=cycles+INSTRUCTIONS", "cycles instructions", 0},
    {"events=cycles+r01c2+L1-dcache-load-misses:kernel=1",
     "cycles r01c2 l1d_misses instructions", 1},
    {"kernel=1:events=r3", "r3 instructions", 1},
    {"events=spr::INST_RETIRED:ANY_P:u=1+cycles:u:kernel=0",
     "spr::INST_RETIRED:ANY_P:u=1 cycles:u instructions", 0},
    {"events=e012345678901234567890123456789012345678",
     "e012345678901234567890123456789012345678 instructions", 0},
    {"events=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q+r+s+t+u+v",
     "a b c d e f g h i j k l m n o p q r s t u v instructions", 0},
};

static void join_metrics(const struct counter_list *list, char *out, size_t n)
{
    size_t at = 0;

    for (unsigned i = 0; i < list->n && at < n; i++)
        at += (size_t)snprintf(out + at, n - at, "%s%s", i ? " " : "",
                               list->event[i].metric);
}

Test(counters, good_options_give_these_events)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct counter_list list;
        char why[200] = "", metrics[1200] = "";

        cr_assert_eq(counter_events_parse(good[i].text, &list, why, sizeof why),
                     0, "%s: %s", good[i].text, why);
        join_metrics(&list, metrics, sizeof metrics);
        cr_expect_str_eq(metrics, good[i].metrics, "%s: %s", good[i].text,
                         metrics);
        cr_expect_eq(list.kernel, good[i].kernel, "%s", good[i].text);
    }
}

#define NAMES   " (want libpfm's names or rHEX, joined by +, each once)"
#define OPTIONS " (want events=NAME+NAME… and kernel=0 or 1, each once)"

static const struct {
    const char *text, *why;
} bad[] = {
    {"events=", "events = \"\"" NAMES},
    {"events=cycles+", "events = \"\"" NAMES},
    {"events=+cycles", "events = \"\"" NAMES},
    {"events=cycles+cycles", "events = cycles" NAMES},
    {"events=cycles+Cycles", "events = Cycles" NAMES},
    {"events=cycles instructions", "events = cycles instructions" NAMES},
    {"events=a/b", "events = a/b" NAMES},
    {"events=e01234567890123456789012345678901234567890",
     "events = e01234567890123456789012345678901234567890 (want names of at "
     "most 40 bytes)"},
    {"events=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q+r+s+t+u+v+w",
     "events = w (want at most 22 of them)"},
    {"kernel=", "kernel = \"\" (want 0 or 1)"},
    {"kernel=1:", "kernel = 1: (want 0 or 1)"},
    {"kernel=2", "kernel = 2 (want 0 or 1)"},
    {"kernel=yes", "kernel = yes (want 0 or 1)"},
    {"kernel=0:kernel=1", "option = kernel=1" OPTIONS},
    {"cycles", "option = cycles" OPTIONS},
    {":kernel=1", "option = \"\"" OPTIONS},
    {"evnts=cycles", "option = evnts=cycles" OPTIONS},
};

Test(counters, bad_options_say_what_would_be_right)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct counter_list list;
        char why[200] = "";

        cr_expect_eq(counter_events_parse(bad[i].text, &list, why, sizeof why),
                     EINVAL, "%s", bad[i].text);
        cr_expect_str_eq(why, bad[i].why, "%s: %s", bad[i].text, why);
    }
}

/* ---- codes ---- */

static const struct {
    const char *name;
    uint32_t type;
    uint64_t config;
} codes[] = {
    {"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    {"branch-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES},
    {"L1-dcache-loads", PERF_TYPE_HW_CACHE, PERF_COUNT_HW_CACHE_L1D},
    {"LLC-load-misses", PERF_TYPE_HW_CACHE,
     PERF_COUNT_HW_CACHE_LL | PERF_COUNT_HW_CACHE_RESULT_MISS << 16},
    {"r01c2", PERF_TYPE_RAW, 0x1c2},
    {"rffffffffffffffff", PERF_TYPE_RAW, UINT64_MAX},
    /* Intel SDM vol. 3B, table 20-1: INST_RETIRED.ANY_P is event C0H, umask 0
     */
    {"spr::INST_RETIRED:ANY_P", PERF_TYPE_RAW, 0xc0},
    {"perf::minor-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN},
};

static void parse(const char *options, struct counter_list *list)
{
    char why[200] = "";

    cr_assert_eq(counter_events_parse(options, list, why, sizeof why), 0, "%s",
                 why);
}

Test(counters, names_and_raw_codes_are_encoded)
{
    if (counter_names_missing())
        cr_skip_test("%s", counter_names_missing());
    setenv("LIBPFM_ENCODE_INACTIVE", "1", 1);
    for (int kernel = 0; kernel < 2; kernel++)
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
            struct counter_list list;
            char options[100];

            snprintf(options, sizeof options, "events=%s:kernel=%d",
                     codes[i].name, kernel);
            parse(options, &list);
            counter_names_encode(&list);
            const struct counter_event *e = &list.event[0];

            cr_expect_eq(e->err, 0, "%s", e->name);
            cr_expect_eq(e->code.type, codes[i].type, "%s: type %u", e->name,
                         e->code.type);
            cr_expect_eq(e->code.config, codes[i].config, "%s: config %#llx",
                         e->name, (unsigned long long)e->code.config);
            cr_expect_eq(e->code.exclude_kernel, !kernel, "%s", e->name);
            cr_expect_eq(e->code.exclude_user, 0, "%s", e->name);
            cr_expect_eq(e->is_software, codes[i].type == PERF_TYPE_SOFTWARE,
                         "%s", e->name);
        }
}

Test(counters, every_default_name_has_a_code_and_an_unknown_one_says_so)
{
    struct counter_list list;

    if (counter_names_missing())
        cr_skip_test("%s", counter_names_missing());
    parse("", &list);
    counter_names_encode(&list);
    for (unsigned i = 0; i < list.n; i++)
        cr_expect_eq(list.event[i].err, 0, "%s", list.event[i].name);
    parse("events=no-such-event", &list);
    counter_names_encode(&list);
    cr_expect_eq(list.event[0].err, COUNTER_UNKNOWN);
    cr_expect_eq(list.event[1].err, 0);
}

/* ---- groups ---- */

/* A kernel whose groups hold `room` events. */
struct fake_kernel {
    unsigned room, opened;
    int refuse_call, refuse_err; /* the call of this number, from 1, fails */
    int calls;
    unsigned members[100]; /* by the descriptor of the leader */
    int leader[100];
};

static int fake_open(void *arg, const struct counter_event *e, int leader)
{
    struct fake_kernel *k = arg;
    const int fd = 10 + (int)k->opened;

    (void)e;
    if (++k->calls == k->refuse_call) {
        errno = k->refuse_err;
        return -1;
    }
    if (leader >= 0 && k->members[leader] == k->room) {
        errno = EINVAL;
        return -1;
    }
    k->opened++;
    k->leader[fd] = leader < 0 ? fd : leader;
    k->members[k->leader[fd]]++;
    return fd;
}

static void open_fake(const struct counter_list *list, struct fake_kernel *k,
                      struct counter_seat seat[])
{
    counter_group_open(list, &(struct counter_opener){fake_open, k}, seat);
}

static void random_list(struct random *random, struct counter_list *list)
{
    *list = (struct counter_list){
        .n = 1 + (unsigned)random_below(random, COUNTER_EVENTS_MAX)};
    for (unsigned i = 1; i < list->n; i++)
        list->event[i].group =
            list->event[i - 1].group + (random_below(random, 4) == 0);
    for (unsigned i = 0; i < list->n; i++)
        list->event[i].err = random_below(random, 8) == 0 ? COUNTER_UNKNOWN : 0;
}

Test(counters, groups_are_as_large_as_wanted_and_allowed_and_no_larger)
{
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct random random;
        struct counter_list list;
        struct counter_seat seat[COUNTER_EVENTS_MAX];

        random_seed(&random, seed);
        random_list(&random, &list);
        struct fake_kernel k = {.room = 1 + (unsigned)random_below(&random, 8)};
        const unsigned room =
            k.room < COUNTER_GROUP_MAX ? k.room : COUNTER_GROUP_MAX;
        unsigned members = 0, group = 0;
        int leader = -1;

        open_fake(&list, &k, seat);
        for (unsigned i = 0; i < list.n; i++) {
            cr_assert_eq(seat[i].err, list.event[i].err);
            if (list.event[i].err) {
                cr_assert_eq(seat[i].fd, -1);
                continue;
            }
            if (leader < 0 || list.event[i].group != group || members == room) {
                leader = (int)i;
                members = 0;
            }
            group = list.event[i].group;
            members++;
            cr_assert_eq(seat[i].leader, (unsigned)leader, "seed %d, event %u",
                         (int)seed, i);
            cr_assert_eq(k.leader[seat[i].fd], seat[leader].fd);
        }
    }
}

/* cycles, instructions, two stalled; the third call is stalled_frontend. */
Test(counters, a_refused_event_costs_no_other)
{
    static const int errs[] = {ENOENT, EACCES, EOPNOTSUPP, EMFILE, EBUSY};

    for (size_t i = 0; i < sizeof errs / sizeof *errs; i++)
        for (int call = 1; call <= 12; call++) {
            struct fake_kernel k = {
                .room = 8, .refuse_call = call, .refuse_err = errs[i]};
            struct counter_seat seat[COUNTER_EVENTS_MAX];
            struct counter_list list;

            parse("", &list);
            open_fake(&list, &k, seat);
            for (unsigned e = 0; e < list.n; e++)
                cr_expect_eq(seat[e].err, (int)e + 1 == call ? errs[i] : 0,
                             "event %u: %d", e, seat[e].err);
        }
}

Test(counters, a_refused_leader_leaves_its_place_to_the_next)
{
    struct fake_kernel k = {.room = 8, .refuse_call = 1, .refuse_err = EINVAL};
    struct counter_seat seat[COUNTER_EVENTS_MAX];
    struct counter_list list;

    parse("", &list);
    open_fake(&list, &k, seat);
    cr_expect_eq(seat[0].err, EINVAL);
    cr_expect_eq(k.calls, 12, "a leader is not tried twice");
    for (unsigned i = 1; i < 4; i++)
        cr_expect_eq(seat[i].leader, 1);
    cr_expect(counter_same_group(seat, COUNTER_EVENTS_MAX, 1, 1, 3));
    cr_expect(!counter_same_group(seat, COUNTER_EVENTS_MAX, 1, 0, 1));
    cr_expect(!counter_same_group(seat, COUNTER_EVENTS_MAX, 1, 3, 4));
}

/* Seats of a group of three whose reading is what the file holds. */
static void read_file(const uint64_t words[], size_t bytes,
                      struct counter_seat seat[3])
{
    FILE *f = tmpfile();

    cr_assert(f);
    cr_assert_eq(fwrite(words, 1, bytes, f), bytes);
    rewind(f);
    for (unsigned i = 0; i < 3; i++)
        seat[i] = (struct counter_seat){.fd = fileno(f), .leader = i / 2 * 2};
    seat[1].leader = 0;
    seat[2] = (struct counter_seat){.fd = -1, .err = ENOENT};
    counter_group_read(seat, 3);
    fclose(f);
}

Test(counters, a_group_is_read_in_the_order_of_its_opening)
{
    static const uint64_t words[] = {2, 1000, 250, 77, 88};
    struct counter_seat seat[3];

    read_file(words, sizeof words, seat);
    cr_expect_eq(seat[0].value, 77);
    cr_expect_eq(seat[1].value, 88);
    cr_expect_eq(seat[2].err, ENOENT);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(seat[i].err, 0);
        cr_expect_eq(seat[i].enabled_ns, 1000);
        cr_expect_eq(seat[i].running_ns, 250);
    }
}

Test(counters, a_reading_that_is_cut_off_is_an_error_not_a_zero)
{
    static const uint64_t one_short[] = {1, 1000, 250, 77};
    struct counter_seat seat[3];

    read_file(one_short, sizeof one_short, seat);
    cr_expect_eq(seat[0].err, 0);
    cr_expect_eq(seat[1].err, EIO);
    read_file(one_short, 0, seat);
    cr_expect_eq(seat[0].err, EIO);
    cr_expect_eq(seat[1].err, EIO);
}

Test(counters, descriptors_are_closed)
{
    struct counter_list list = {.n = 3};
    struct counter_seat seat[COUNTER_EVENTS_MAX];

    for (unsigned i = 0; i < list.n; i++)
        list.event[i].code =
            (struct counter_code){.type = PERF_TYPE_SOFTWARE,
                                  .config = PERF_COUNT_SW_TASK_CLOCK,
                                  .exclude_kernel = 1};
    counter_group_open(&list, &counter_opener_perf, seat);
    if (seat[0].err)
        cr_skip_test("perf_event_open: %s", strerror(seat[0].err));
    const int fd[] = {seat[0].fd, seat[1].fd, seat[2].fd};

    counter_group_start();
    counter_group_stop();
    counter_group_read(seat, list.n);
    cr_expect_eq(seat[2].leader, 0);
    cr_expect_gt(seat[2].enabled_ns, 0);
    counter_group_close(seat, list.n);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(fcntl(fd[i], F_GETFD), -1);
        cr_expect_eq(seat[i].fd, -1);
    }
}

/* ---- figures ---- */

enum { EVENT, INSTRUCTIONS, SOFTWARE, EVENTS };

static const struct counter_list three = {
    .event = {{.metric = "event"},
              {.metric = "instructions"},
              {.metric = "software", .is_software = 1}},
    .n = EVENTS};

static struct counter_seat ran(uint64_t value, uint64_t enabled,
                               uint64_t running)
{
    return (struct counter_seat){
        .value = value, .enabled_ns = enabled, .running_ns = running};
}

static const struct {
    uint64_t value, enabled, running;
    double scaled, share;
} scaled[] = {
    {100, 1000, 1000, 100, 1},
    {100, 1000, 500, 200, 0.5},
    {100, 1000, 250, 400, 0.25},
    {1, 3000000000u, 1, 3e9, 1 / 3e9},
    /* exact above 2^53 would need more than a double; exact below */
    {9007199254740991u, 7, 7, 9007199254740991.0, 1},
};

Test(counters, a_count_is_scaled_by_its_share_of_the_time)
{
    for (size_t i = 0; i < sizeof scaled / sizeof *scaled; i++) {
        struct counter_seat seat[EVENTS] = {
            ran(scaled[i].value, scaled[i].enabled, scaled[i].running),
            ran(5000000, 10, 10), ran(0, 10, 10)};
        struct counter_figure figure[EVENTS];

        counter_figures(&three, seat, EVENTS, 1, figure);
        cr_expect_eq(figure[EVENT].verdict, COUNTER_GOOD);
        cr_expect_eq(figure[EVENT].value, scaled[i].scaled, "%.17g",
                     figure[EVENT].value);
        cr_expect_eq(figure[EVENT].share, scaled[i].share);
    }
}

Test(counters, each_thread_is_scaled_by_its_own_share)
{
    struct counter_seat seat[2 * EVENTS] = {
        ran(100, 1000, 500),  ran(1, 1, 1), ran(3, 9, 9),
        ran(700, 3000, 3000), ran(1, 1, 1), ran(4, 9, 9),
    };
    struct counter_figure figure[EVENTS];

    counter_figures(&three, seat, EVENTS, 2, figure);
    cr_expect_eq(figure[EVENT].value, 900);
    cr_expect_eq(figure[EVENT].share, 0.875);
    cr_expect_eq(figure[SOFTWARE].value, 7);
}

Test(counters, what_one_thread_could_not_count_has_no_sum)
{
    struct counter_seat seat[2 * EVENTS] = {
        ran(100, 10, 10), ran(5, 1, 1), ran(3, 9, 9),
        ran(100, 10, 0),  ran(5, 1, 1), {.fd = -1, .err = EMFILE},
    };
    struct counter_figure figure[EVENTS];

    counter_figures(&three, seat, EVENTS, 2, figure);
    cr_expect_eq(figure[EVENT].verdict, COUNTER_IDLE);
    cr_expect_eq(figure[SOFTWARE].verdict, COUNTER_REFUSED);
    cr_expect_eq(figure[SOFTWARE].err, EMFILE);
    cr_expect_eq(figure[INSTRUCTIONS].verdict, COUNTER_GOOD);
}

static const struct {
    uint64_t event, instructions;
    int instructions_err;
    enum counter_verdict verdict;
} zeros[] = {
    {0, 1000001, 0, COUNTER_SUSPECT}, {0, 1000000, 0, COUNTER_GOOD},
    {0, 1, 0, COUNTER_GOOD},          {1, 1000000000, 0, COUNTER_GOOD},
    {0, 0, ENOENT, COUNTER_SUSPECT},  {1, 0, ENOENT, COUNTER_GOOD},
    {0, 0, 0, COUNTER_SUSPECT},
};

Test(counters, nothing_beside_a_million_instructions_is_suspect)
{
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++) {
        struct counter_seat seat[EVENTS] = {ran(zeros[i].event, 9, 9),
                                            ran(zeros[i].instructions, 9, 9),
                                            ran(0, 9, 9)};
        struct counter_figure figure[EVENTS];

        seat[INSTRUCTIONS].err = zeros[i].instructions_err;
        counter_figures(&three, seat, EVENTS, 1, figure);
        cr_expect_eq(figure[EVENT].verdict, zeros[i].verdict, "row %zu", i);
        cr_expect_eq(figure[SOFTWARE].verdict, COUNTER_GOOD,
                     "no switch is a value");
    }
}

/* ---- why not ---- */

static const struct {
    int err, paranoid;
    const char *begin, *has;
} reasons[] = {
    {ENOENT, 2, "ENOENT: ", "virtual"},
    {EACCES, 3, "EACCES: ", "perf_event_paranoid is 3; want 2 or less"},
    {EACCES, 2, "EACCES: ", "perf_event_paranoid is 2; want 1 or less"},
    {EPERM, 1, "EPERM: ", "seccomp"},
    {EPERM, -1, "EPERM: ", "is -1, which allows it"},
    {EPERM, INT_MIN, "EPERM: ", "CAP_PERFMON"},
    {ENOSYS, 2, "ENOSYS: ", "perf_event_open"},
    {EINVAL, 2, "EINVAL: ", "cannot count"},
    {EBUSY, 2, "EBUSY: ", "another program"},
    {EMFILE, 2, "EMFILE: ", "ulimit -n"},
    {EOPNOTSUPP, 2, "EOPNOTSUPP: ", "mode"},
    {ENODEV, 2, "ENODEV: ", "PMU"},
    {COUNTER_UNKNOWN, 2, "unknown: ", "libpfm"},
    {EINTR, 2, "error 4: ", "nterrupted"},
};

Test(counters, a_refusal_is_explained_in_a_line_that_fits_a_note)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        char why[160];

        memset(why, 'x', sizeof why);
        counter_explain(reasons[i].err, reasons[i].paranoid, why, sizeof why);
        cr_assert(memchr(why, 0, sizeof why - 1), "%d", reasons[i].err);
        cr_expect_eq(strncmp(why, reasons[i].begin, strlen(reasons[i].begin)),
                     0, "%s", why);
        cr_expect(strstr(why, reasons[i].has), "%s", why);
        cr_expect(!strchr(why, '\n'));
    }
}
