# palette.gp - the one palette: the colour of each allocator, in every chart.
#
# Well-known allocators have fixed colours; any other takes the k-th of the
# rest, k being its place among all allocators of the summary.
#
# Sources: M. Okabe & K. Ito, "Color Universal Design" (2008), for the fixed
# colours; P. Tol, "Colour Schemes", SRON/EPS/TN/09-002 (2021), scheme "muted",
# for the rest, and for the collectors two that the rest does without.  Both
# keep apart under the common colour-blindnesses; yellow is left out, as it
# vanishes on white.
#
# SPDX-License-Identifier: Apache-2.0

other_colours = "0x332288 0x88CCEE 0x44AA99 0x999933 0xDDCC77 0xCC6677 " \
    . "0xAA4499"

colour_of(name, k) = \
    name eq "null"      ? 0x9A9A9A : \
    name eq "system"    ? 0x2B2B2B : \
    name eq "arena"     ? 0xE69F00 : \
    name eq "jemalloc"  ? 0x0072B2 : \
    name eq "mimalloc"  ? 0xD55E00 : \
    name eq "tcmalloc"  ? 0x009E73 : \
    name eq "tbbmalloc" ? 0xCC79A7 : \
    name eq "pool"      ? 0x56B4E9 : \
    name eq "gc"        ? 0x882255 : \
    name eq "bdwgc"     ? 0x117733 : \
    int(word(other_colours, 1 + int(k) % words(other_colours)))

ink = 0x222222    # text
faint = 0xE4E4E4  # bands and grids
grey = 0x6E6E6E   # captions and reference lines
