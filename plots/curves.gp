# curves.gp - resident memory over time, with the live bytes as a filled area.
#
# Usage: gnuplot -c curves.gp SCRIPTS DATA IMAGE FORMAT PANELS TITLE CAPTION WIDEST
# DATA has three sets a panel: the live curve, the curves, their labels; its
# first line names the columns.  A curve that leaves at the top is cut there and
# has a note below its name.
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

left = 96.0 / (panels > 1 ? 640 : 1280)
right = (widest * 9.0 + 60) / (panels > 1 ? 640 : 1280)
load scripts."/page.gp"

do for [i = 0:panels-1] {
    set autoscale # as in bars.gp
    stats data index 3*i+1 using (panel = strcol(1), x_to = column(7), \
        y_to = column(8), x_unit = strcol(9), y_unit = strcol(10), $4) nooutput
    set lmargin at screen left_of(i)
    set rmargin at screen right_of(i)
    set tmargin at screen top_of(i)
    set bmargin at screen top_of(i) - row_height
    set label 3 panel at graph 0,1 offset 0,1.6 font ",16" textcolor rgb ink
    set xrange [0:x_to]
    set yrange [0:y_to]
    set xlabel "time since the start of the replay (".x_unit.")" \
        offset 0,0.3 textcolor rgb ink font ",14"
    set ylabel "resident memory (".y_unit.")" offset 0.8,0 textcolor rgb ink font ",14"

    # Names to the right of the panel, each led to by a dotted line.
    stats data index 3*i+2 using 4:5 nooutput
    names = STATS_records
    do for [k = 0:names-1] {
        stats data index 3*i+2 every ::k::k using (name = strcol(2), \
            colour = colour_of(name, column(3)), x = column(4), \
            y = column(5), name_y = column(6), note_y = column(11), \
            note = strcol(12), $4) nooutput
        set arrow 2*k+1 from x,y to x_to,y nohead front linewidth 0.6 dashtype 3 \
            linecolor rgb colour
        set arrow 2*k+2 from x_to,y to graph 1.05,first name_y nohead \
            linewidth 0.6 dashtype 3 linecolor rgb colour
        set label 10+k name at graph 1.06,first name_y left font ",15" \
            textcolor rgb colour
        note = note eq "-" ? "" : note
        set label 100+k note at graph 1.06,first note_y left font ",12" \
            textcolor rgb colour
    }
    plot data index 3*i using 4:5 with filledcurves y1=0 \
            fillcolor rgb faint, \
        '' index 3*i+1 using 4:5:(colour_of(strcol(2), $3)) with lines \
            linewidth 2 linecolor rgb variable
    unset label
    unset arrow
}
unset multiplot
