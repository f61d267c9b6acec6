/* workloads.c - the table of synthetic workloads.
 *
 * To add one: write its file, declare it here, and give it a line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "workload.h"

#include <string.h>

extern const struct workload binary_trees_workload;
extern const struct workload cache_server_workload;
extern const struct workload churn_workload;
extern const struct workload ephemerons_workload;
extern const struct workload finalizers_workload;
extern const struct workload gcbench_workload;
extern const struct workload gcold_workload;
extern const struct workload handoff_workload;
extern const struct workload phase_change_workload;
extern const struct workload quads_workload;
extern const struct workload random_free_workload;
extern const struct workload server_sim_workload;
extern const struct workload splay_workload;
extern const struct workload threadtest_workload;
extern const struct workload trees_workload;

/* The adversaries. */
extern const struct workload comb_workload;
extern const struct workload fork_server_workload;
extern const struct workload hoard_worst_workload;
extern const struct workload peak_survivors_workload;
extern const struct workload producer_consumer_workload;
extern const struct workload realloc_ramp_workload;
extern const struct workload robson_best_fit_workload;
extern const struct workload robson_first_fit_workload;
extern const struct workload thread_churn_workload;

/* The classics. */
extern const struct workload alloc_test_workload;
extern const struct workload barnes_workload;
extern const struct workload cache_scratch_workload;
extern const struct workload cache_thrash_workload;
extern const struct workload cfrac_workload;
extern const struct workload espresso_workload;
extern const struct workload glibc_simple_workload;
extern const struct workload glibc_thread_workload;
extern const struct workload larson_workload;
extern const struct workload linux_scalability_workload;
extern const struct workload malloc_large_workload;
extern const struct workload mleak_workload;
extern const struct workload mstress_workload;
extern const struct workload rptest_workload;
extern const struct workload sh6bench_workload;
extern const struct workload sh8bench_workload;
extern const struct workload xmalloc_test_workload;

/* Locality. */
extern const struct workload chase_hash_workload;
extern const struct workload chase_list_workload;
extern const struct workload chase_tree_workload;
extern const struct workload false_sharing_workload;
extern const struct workload layout_workload;
extern const struct workload message_pipeline_workload;

const struct workload *const workloads[] = {
    &server_sim_workload,
    &churn_workload,
    &random_free_workload,
    &phase_change_workload,
    &trees_workload,
    &handoff_workload,
    &threadtest_workload,
    &binary_trees_workload,
    &gcbench_workload,
    &quads_workload,
    &splay_workload,
    &gcold_workload,
    &cache_server_workload,
    &ephemerons_workload,
    &finalizers_workload,

    &robson_first_fit_workload,
    &robson_best_fit_workload,
    &hoard_worst_workload,
    &comb_workload,
    &peak_survivors_workload,
    &producer_consumer_workload,
    &realloc_ramp_workload,
    &thread_churn_workload,
    &fork_server_workload,

    &larson_workload,
    &xmalloc_test_workload,
    &cache_scratch_workload,
    &cache_thrash_workload,
    &sh6bench_workload,
    &sh8bench_workload,
    &linux_scalability_workload,
    &glibc_simple_workload,
    &glibc_thread_workload,
    &alloc_test_workload,
    &mstress_workload,
    &rptest_workload,
    &mleak_workload,
    &malloc_large_workload,
    &cfrac_workload,
    &espresso_workload,
    &barnes_workload,

    &chase_list_workload,
    &chase_tree_workload,
    &chase_hash_workload,
    &layout_workload,
    &false_sharing_workload,
    &message_pipeline_workload,

    NULL,
};

const struct workload *workload_find(const char *name)
{
    for (size_t i = 0; workloads[i]; i++)
        if (strcmp(workloads[i]->name, name) == 0)
            return workloads[i];
    return NULL;
}

int workload_knobs(const struct workload *w, const char *text,
                   struct knob_values *values, char *why, size_t why_size)
{
    const int err = knobs_parse(w->name, w->knobs, text, values, why, why_size);

    if (err || !w->check)
        return err;
    return w->check(values, why, why_size);
}
