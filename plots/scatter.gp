# scatter.gp - time against memory, a labelled point an allocator.
#
# Usage: gnuplot -c scatter.gp SCRIPTS DATA IMAGE FORMAT PANELS TITLE CAPTION
# DATA's first line names its columns.
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
right = 0.03
load scripts."/page.gp"

do for [i = 0:panels-1] {
    set autoscale # as in bars.gp
    stats data index i using (panel = strcol(1), floor_x = column(13), \
        x_from = column(14), x_to = column(15), live_y = column(16), \
        x_log = column(17), y_from = column(18), y_to = column(19), \
        y_log = column(20), x_unit = strcol(21), y_unit = strcol(22), \
        x_tics = strcol(23), y_tics = strcol(24), $4) nooutput
    set lmargin at screen left_of(i)
    set rmargin at screen right_of(i)
    set tmargin at screen top_of(i)
    set bmargin at screen top_of(i) - row_height
    set label 3 panel at graph 0,1 offset 0,1.6 font ",16" textcolor rgb ink
    set xrange [x_from:x_to]
    set yrange [y_from:y_to]
    if (x_log == 1) { set logscale x } else { unset logscale x }
    if (y_log == 1) { set logscale y } else { unset logscale y }
    set xtics autofreq
    set ytics autofreq
    if (x_tics ne "-") {
        set xtics (word(x_tics, 1) real(word(x_tics, 1)))
        set for [t in x_tics] xtics add (t real(t))
    }
    if (y_tics ne "-") {
        set ytics (word(y_tics, 1) real(word(y_tics, 1)))
        set for [t in y_tics] ytics add (t real(t))
    }
    set xlabel "wall-clock time per operation (".x_unit.")" offset 0,0.3 \
        textcolor rgb ink font ",14"
    set ylabel "peak resident memory (".y_unit.")" \
        offset (y_tics eq "-" ? 0.8 : -0.3),0 \
        textcolor rgb ink font ",14"
    set grid linecolor rgb faint linetype 1
    if (floor_x > 0) {
        set arrow 1 from floor_x,graph 0 to floor_x,graph 1 nohead \
            linecolor rgb grey dashtype 2
        set label 4 "null floor" at floor_x,graph 1 offset 0,0.6 center \
            font ",12" textcolor rgb grey
    }
    if (live_y > 0) {
        set arrow 2 from graph 0,first live_y to graph 1,first live_y nohead \
            linecolor rgb grey dashtype 2
        set label 5 "most live bytes" at graph 1,first live_y offset 0,-0.6 \
            right font ",12" textcolor rgb grey
    }
    set label 6 "lower left is better" at graph 1,1 offset 0,0.6 right \
        font ",12" textcolor rgb grey
    plot data index i using ($25 == 1 ? $4 : NaN):7:(0.8*($10-$4)):(0.8*($11-$7)):( \
            colour_of(strcol(2), $3)) with vectors nohead linewidth 0.6 \
            linecolor rgb variable, \
        '' index i using 4:7:5:6:8:9:(colour_of(strcol(2), $3)) \
            with xyerrorbars pointtype 7 pointsize 1.3 linewidth 1.4 \
            linecolor rgb variable, \
        '' index i using ($12 == 0 ? $10 : NaN):11:2:(colour_of(strcol(2), $3)) \
            with labels font ",15" left textcolor rgb variable, \
        '' index i using ($12 == 1 ? $10 : NaN):11:2:(colour_of(strcol(2), $3)) \
            with labels font ",15" right textcolor rgb variable
    unset label
    unset arrow
}
unset multiplot
