# history.gp - medians of many commits, with their change points.
#
# Usage: gnuplot -c history.gp SCRIPTS DATA IMAGE FORMAT PANELS TITLE CAPTION
# DATA has three sets a panel: points, levels (none: place -1), marks (kind 0 a
# date below the axis, 1 a change point); its first line names the columns.
#
# SPDX-License-Identifier: Apache-2.0

scripts = ARG1
data = ARG2
image = ARG3
format = ARG4
panels = int(ARG5)
title = ARG6
caption = ARG7

left = 96.0 / (panels > 1 ? 640 : 1280)
right = 30.0 / (panels > 1 ? 640 : 1280)
load scripts."/page.gp"
series = 0x0072B2
interval = 0x9CC4DF # the same, lighter
changed = 0xD55E00
set errorbars 0

do for [i = 0:panels-1] {
    set autoscale # stats leaves out what is outside the ranges
    stats data index 3*i using (panel = strcol(1), n = column(2), \
        axis = strcol(6), y_from = column(7), y_to = column(8), $3) nooutput
    set lmargin at screen left_of(i)
    set rmargin at screen right_of(i)
    set tmargin at screen top_of(i)
    set bmargin at screen top_of(i) - row_height
    set label 3 panel at graph 0,1 offset 0,1.6 font ",16" textcolor rgb ink
    set xlabel "date, one place a commit" offset 0,0.3 textcolor rgb ink font ",14"
    set ylabel axis offset 0.8,0 textcolor rgb ink font ",14"
    set xtics () scale 0.5

    stats data index 3*i+2 using 1 nooutput
    marks = STATS_records
    before = 0
    do for [k = 0:marks-1] {
        stats data index 3*i+2 every ::k::k using (kind = column(1), \
            x = column(2), name = strcol(3), $1) nooutput
        if (kind == 0) {
            set xtics add (name x)
        } else {
            # names in three rows by turns; right of the line if there is room
            y = 0.97 - 0.06 * (before % 3)
            before = before + 1
            set arrow 1+k from x,graph 0 to x,graph 1 nohead back linewidth 1 \
                dashtype 2 linecolor rgb changed
            if (x < 0.7 * n) {
                set label 10+k name at x,graph y offset 0.6,0 left front \
                    font ",13" textcolor rgb changed
            } else {
                set label 10+k name at x,graph y offset -0.6,0 right front \
                    font ",13" textcolor rgb changed
            }
        }
    }
    set xrange [0.3:n+0.7]
    set yrange [y_from:y_to]
    plot data index 3*i using 2:3:4:5 with yerrorbars pointtype -1 \
            linewidth 0.8 linecolor rgb interval, \
        '' index 3*i using 2:3 with points pointtype 7 pointsize 0.6 \
            linecolor rgb series, \
        '' index 3*i+1 using 1:2 with lines linewidth 2 linecolor rgb ink
    unset label
    unset arrow
}
unset multiplot
