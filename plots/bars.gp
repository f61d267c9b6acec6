# bars.gp - horizontal bars (dots on a log axis) with interval whiskers.
#
# Usage: gnuplot -c bars.gp SCRIPTS DATA IMAGE FORMAT PANELS TITLE CAPTION WIDEST
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
widest = int(ARG8)

left = (widest * 9.0 + 30) / (panels > 1 ? 640 : 1280)
right = 0.03
load scripts."/page.gp"

set style textbox opaque noborder fillcolor rgb "white" margins 0.6,0.6
do for [i = 0:panels-1] {
    set autoscale # stats leaves out what the ranges of the last panel would
    stats data index i using (panel = strcol(1), reference = column(9), \
        from = column(10), to = column(11), is_log = column(12), \
        axis = strcol(13), reference_is = strcol(14), $3) nooutput
    bars = STATS_records
    set lmargin at screen left_of(i)
    set rmargin at screen right_of(i)
    set tmargin at screen top_of(i)
    set bmargin at screen top_of(i) - row_height
    set label 3 panel at graph 0,1 offset 0,1.6 font ",16" textcolor rgb ink
    set xrange [from:to]
    set yrange [0.35:bars + 0.65]
    set xlabel axis offset 0,0.3 textcolor rgb ink font ",14"
    if (is_log == 1) { set logscale x } else { unset logscale x }
    set ytics font ",15"
    unset border
    set border 1 linecolor rgb grey
    set ytics scale 0

    # The reference: a band up to it, its name at its top.
    if (reference > 0) {
        set object 1 rectangle from from,graph 0 to reference,graph 1 \
            fillcolor rgb faint fillstyle solid noborder behind
        set arrow 1 from reference,graph 0 to reference,graph 1 nohead \
            linecolor rgb grey dashtype 2
        set label 4 reference_is at reference,graph 1 offset 0,0.6 center \
            font ",12" textcolor rgb grey
    }
    if (is_log == 1) {
        plot data index i using 5:3:(colour_of(strcol(2), $4)):ytic(2) \
                with points pointtype 7 pointsize 1.4 linecolor rgb variable, \
            '' index i using 5:3:6:7:(colour_of(strcol(2), $4)) \
                with xerrorbars pointtype -1 linewidth 1.6 \
                linecolor rgb variable, \
            '' index i using 7:3:8 with labels left offset 1,0 font ",14" \
                textcolor rgb ink, \
            '' index i using (from):(strcol(5) eq "NaN" ? $3 : NaN):8 \
                with labels boxed left offset 0.9,0 font ",14" \
                textcolor rgb "#B00020"
    } else {
        plot data index i using (0):3:(0):5:($3 - 0.34):($3 + 0.34): \
                (colour_of(strcol(2), $4)):ytic(2) \
                with boxxyerror fillstyle solid 1.0 noborder \
                linecolor rgb variable, \
            '' index i using 5:3:6:7 with xerrorbars pointtype -1 \
                linewidth 4 linecolor rgb "white", \
            '' index i using 5:3:6:7 with xerrorbars pointtype -1 \
                linewidth 1.6 linecolor rgb "black", \
            '' index i using 7:3:8 with labels left offset 0.8,0 font ",14" \
                textcolor rgb ink, \
            '' index i using (from):(strcol(5) eq "NaN" ? $3 : NaN):8 \
                with labels boxed left offset 0.9,0 font ",14" \
                textcolor rgb "#B00020"
    }
    unset label
    unset arrow
    unset object
}
unset multiplot
