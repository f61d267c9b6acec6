# latency.gp - percentiles of single calls, a line an allocator.
#
# Usage: gnuplot -c latency.gp SCRIPTS DATA IMAGE FORMAT PANELS TITLE CAPTION WIDEST
# DATA has two sets a panel: the lines, then a row for each name; its first
# two lines name the columns.
#
# SPDX-License-Identifier: Apache-2.0

scripts = ARG1
data = ARG2
image = ARG3
format = ARG4
panels = int(ARG5)
title = ARG6
caption = ARG7
widest = int(ARG8)

left = 100.0 / (panels > 1 ? 640 : 1280)
right = (widest * 9.0 + 60) / (panels > 1 ? 640 : 1280)
names_at = panels > 1 ? 1.06 : 1.03 # of the width of a panel
load scripts."/page.gp"

set logscale y
set ytics ("1 ns" 1, "10 ns" 1e1, "100 ns" 1e2, "1 µs" 1e3, "10 µs" 1e4, \
    "100 µs" 1e5, "1 ms" 1e6, "10 ms" 1e7, "100 ms" 1e8, "1 s" 1e9, \
    "10 s" 1e10, "100 s" 1e11)
set grid ytics linetype 1 linewidth 0.6 linecolor rgb faint
set xtics ("50" 0.30103, "90" 1, "99" 2, "99.9" 3, "99.99" 4, "99.999" 5)
do for [i = 0:panels-1] {
    set autoscale # stats leaves out what is beyond the axes of the panel before
    stats data index 2*i+1 using (panel = strcol(1), from = column(7), \
        to = column(8), stamps = column(9), end = column(10), $5) nooutput
    names = STATS_records
    set lmargin at screen left_of(i)
    set rmargin at screen right_of(i)
    set tmargin at screen top_of(i)
    set bmargin at screen top_of(i) - row_height
    set label 3 panel at graph 0,1 offset 0,1.6 font ",16" textcolor rgb ink
    set xlabel "percentile of the calls (%)" \
        offset 0,0.3 textcolor rgb ink font ",14"

    # The price of the clock: a band up to it.
    if (stamps > 0) {
        set object 1 rectangle from graph 0,first from to graph 1,first stamps \
            fillcolor rgb faint fillstyle solid noborder behind
        set label 4 "two clock reads" at graph 0.99,first stamps \
            offset 0,-0.5 right font ",11" textcolor rgb grey
    }
    # Names to the right of the panel, each led to by a dotted line.
    do for [k = 0:names-1] {
        stats data index 2*i+1 every ::k::k using (name = strcol(2), \
            colour = colour_of(name, column(3)), x = column(4), \
            y = column(5), name_y = column(6), $5) nooutput
        set arrow 2*k+1 from x,y to graph 1,first y nohead front \
            linewidth 0.6 dashtype 3 linecolor rgb colour
        set arrow 2*k+2 from graph 1,first y to graph names_at - 0.01,first name_y nohead \
            linewidth 0.6 dashtype 3 linecolor rgb colour
        set label 10+k name at graph names_at,first name_y left font ",15" \
            textcolor rgb colour
    }
    set xrange [0.2:end + 0.15]
    set yrange [from:to]
    plot data index 2*i using 4:5:6:7:(colour_of(strcol(2), $3)) \
            with yerrorbars pointtype -1 linewidth 1.2 linecolor rgb variable, \
        '' index 2*i using 4:5:(colour_of(strcol(2), $3)) with lines \
            linewidth 2 linecolor rgb variable, \
        '' index 2*i using 4:5:(colour_of(strcol(2), $3)) with points \
            pointtype 7 pointsize 0.8 linecolor rgb variable
    unset label
    unset arrow
    unset object
}
unset multiplot
