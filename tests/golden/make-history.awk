# make-history.awk - prints a history.csv of MADE-UP data, for tests only.
#
# Nothing here was measured: machines are called "made up".  60 commits of three
# allocators: `still` has no change; `steps` is 12 % slower from commit c0021 on
# and as before from c0041; `late` is 5 % slower from c0053 on.  Noise is 1 %,
# one value of `still` is an outlier.  `-v machines=2` adds another machine.
#
# Generator: Park & Miller, CACM 31(10), 1988, as in make-samples.awk.
#
# Usage: awk -f make-history.awk > history.csv
#
# SPDX-License-Identifier: Apache-2.0

function normal(  i, sum)
{
    for (i = 0; i < 12; i++) {
        state = (state * 16807) % 2147483647
        sum += state / 2147483647
    }
    return sum - 6
}

function row(machine, name, factor,  v)
{
    v = 20 * factor * (1 + 0.01 * normal())
    printf "2026-%02d-%02d,c%04d,\"made up %d: cpu, 2 CPUs\",golden-data,1,1,page,0,time,%s,wall_per_op,,ns,10,%.6f,%.6f,%.6f\n",
        1 + int((night - 1) / 28), 1 + (night - 1) % 28, night, machine, name, v, v * 0.99, v * 1.01
}

BEGIN {
    state = 1
    print "date,commit,machine,workload,threads,scale,touch,window,meter,allocator,metric,at,unit,n,median,lo,hi"
    for (night = 1; night <= 60; night++)
        for (m = 1; m <= (machines ? machines : 1); m++) {
            row(m, "still", night == 30 ? 1.5 : 1)
            row(m, "steps", night >= 21 && night <= 40 ? 1.12 : 1)
            row(m, "late", night >= 53 ? 1.05 : 1)
        }
}
