/* counter_names.c - names of hardware events, and the PMUs they are of.
 *
 * By libpfm4 (perfmon2.sourceforge.net; pfm_get_os_event_encoding(3)), which
 * knows the events of each processor by the names of its manual, and the
 * kernel's generic ones.  It only encodes: whether an event can be counted,
 * the kernel says when it is opened.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "counter_names.h"

#include <perfmon/pfmlib_perf_event.h> /* not beside linux/perf_event.h */
#include <string.h>

const char *counter_names_missing(void)
{
    return NULL;
}

static int is_software(const struct counter_code *c)
{
    return c->type == PERF_TYPE_SOFTWARE || c->type == PERF_TYPE_TRACEPOINT ||
           c->type == PERF_TYPE_BREAKPOINT;
}

static void encode(struct counter_event *e, int modes)
{
    struct perf_event_attr attr;
    pfm_perf_encode_arg_t arg = {.attr = &attr, .size = sizeof arg};

    memset(&attr, 0, sizeof attr);
    attr.size = sizeof attr;
    if (pfm_get_os_event_encoding(e->name, modes, PFM_OS_PERF_EVENT, &arg) !=
        PFM_SUCCESS) {
        e->err = COUNTER_UNKNOWN;
        return;
    }
    e->code = (struct counter_code){.type = attr.type,
                                    .config = attr.config,
                                    .config1 = attr.config1,
                                    .config2 = attr.config2,
                                    .exclude_user = attr.exclude_user,
                                    .exclude_kernel = attr.exclude_kernel,
                                    .exclude_hv = attr.exclude_hv};
    e->is_software = is_software(&e->code);
}

void counter_names_encode(struct counter_list *list)
{
    const int modes = PFM_PLM3 | (list->kernel ? PFM_PLM0 : 0);
    const int works = pfm_initialize() == PFM_SUCCESS;

    for (unsigned i = 0; i < list->n; i++) {
        struct counter_event *e = &list->event[i];

        if (e->is_raw) {
            e->code.exclude_kernel = !list->kernel;
            e->code.exclude_hv = 1;
        } else if (works) {
            encode(e, modes);
        } else {
            e->err = COUNTER_UNKNOWN;
        }
    }
    if (works)
        pfm_terminate();
}

int counter_names_visit_pmus(void (*visit)(void *arg,
                                           const struct counter_pmu *),
                             void *arg)
{
    int cores = 0;
    pfm_pmu_t pmu;

    if (pfm_initialize() != PFM_SUCCESS)
        return 0;
    pfm_for_all_pmus(pmu)
    {
        pfm_pmu_info_t info = {.size = sizeof info};

        if (pfm_get_pmu_info(pmu, &info) != PFM_SUCCESS || !info.is_present)
            continue;
        const struct counter_pmu found = {.name = info.name,
                                          .description = info.desc,
                                          .counters = info.num_cntrs,
                                          .fixed = info.num_fixed_cntrs,
                                          .is_core =
                                              info.type == PFM_PMU_TYPE_CORE};

        cores += found.is_core;
        visit(arg, &found);
    }
    pfm_terminate();
    return cores;
}
