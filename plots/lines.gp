# lines.gp - named curves in panels.
#
# Usage: gnuplot -c lines.gp SCRIPTS DATA IMAGE FORMAT PANELS TITLE CAPTION WIDEST
# DATA has two sets a panel, which its first line names: points (style 0 a
# line with points, 1 a dashed one, 2 crosses, 3 a line) and names.
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

left = 116.0 / (panels > 1 ? 640 : 1280)
right = (widest * 10.0 + 75) / (panels > 1 ? 640 : 1280)
load scripts."/page.gp"

position(tic) = real(tic[1:strstrt(tic, "|")-1])
label_of(tic) = tic[strstrt(tic, "|")+1:*]

do for [i = 0:panels-1] {
    set autoscale # as in bars.gp
    unset logscale
    stats data index 2*i using (panel = strcol(1), x_axis = strcol(2), \
        y_axis = strcol(3), x_from = column(4), x_to = column(5), \
        y_from = column(6), y_to = column(7), x_log = column(8), \
        y_log = column(9), x_tics = strcol(10), y_tics = strcol(11), \
        reference = column(12), $4) nooutput
    set lmargin at screen left_of(i)
    set rmargin at screen right_of(i)
    set tmargin at screen top_of(i)
    set bmargin at screen top_of(i) - row_height
    set label 3 panel at graph 0,1 offset 0,1.6 font ",16" textcolor rgb ink
    set xlabel x_axis offset 0,0.3 textcolor rgb ink font ",14"
    set ylabel y_axis offset 0.4,0 textcolor rgb ink font ",14"
    set grid linecolor rgb faint linetype 1
    set xtics autofreq
    set ytics autofreq
    if (x_tics ne "-") {
        set xtics ()
        do for [t in x_tics] { set xtics add (label_of(t) position(t)) }
    }
    if (y_tics ne "-") {
        set ytics ()
        do for [t in y_tics] { set ytics add (label_of(t) position(t)) }
    }

    # Names to the right, each led to by a dotted line.
    stats data index 2*i+1 using 6 nooutput
    names = STATS_records
    do for [k = 0:names-1] {
        stats data index 2*i+1 every ::k::k using (name = strcol(1), \
            colour = colour_of(strcol(2), column(3)), x = column(4), \
            y = column(5), height = column(6), $4) nooutput
        if (height >= 0) {
            set arrow 2*k+1 from first x,first y to graph 1,first y nohead \
                front linewidth 0.6 dashtype 3 linecolor rgb colour
            set arrow 2*k+2 from graph 1,first y to graph 1.03,graph height \
                nohead linewidth 0.6 dashtype 3 linecolor rgb colour
            set label 10+k name at graph 1.035,graph height left font ",15" \
                textcolor rgb colour
        }
    }
    if (reference >= 0) {
        set arrow 100 from graph 0,first reference to graph 1,first reference \
            nohead linecolor rgb grey dashtype 2 linewidth 0.8
    }
    set xrange [x_from:x_to]
    set yrange [y_from:y_to]
    if (x_log == 1) { set logscale x }
    if (y_log == 1) { set logscale y }
    plot data index 2*i using ($15 == 0 ? $16 : NaN):17:(colour_of(strcol(13), $14)) \
            with linespoints pointtype 7 pointsize 0.5 linewidth 1.8 \
            linecolor rgb variable, \
        '' index 2*i using ($15 == 1 ? $16 : NaN):17:(colour_of(strcol(13), $14)) \
            with lines linewidth 1.6 dashtype 2 linecolor rgb variable, \
        '' index 2*i using ($15 == 2 ? $16 : NaN):17:(colour_of(strcol(13), $14)) \
            with points pointtype 2 pointsize 1.4 linewidth 1.6 \
            linecolor rgb variable, \
        '' index 2*i using ($15 == 3 ? $16 : NaN):17:(colour_of(strcol(13), $14)) \
            with lines linewidth 1.4 linecolor rgb variable, \
        '' index 2*i using ($15 == 0 && $19 < $20 ? $16 : NaN):17:19:20:(colour_of(strcol(13), $14)) \
            with yerrorbars pointtype 7 pointsize 0.5 linewidth 1.2 linecolor rgb variable
    unset label
    unset arrow
}
unset multiplot
