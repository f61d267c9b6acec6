# perl.app - a script that builds, sorts and drops hashes of records.
version: 1
summary: Perl: 40,000 records in hashes, counted, sorted and half of them dropped, twice
source: written for Heapyard; the shape of a log-analysis script
packages: perl
needs: perl
program: perl
setup: cat >work.pl <<'END'
setup: use strict;
setup: my ($x, $sum) = (4141, 0);
setup: sub roll { $x = ($x * 1103515245 + 12345) % 2147483648; return $x >> 8; }
setup: for my $round (1 .. 2) {
setup:     my (%by_name, %groups);
setup:     for my $i (1 .. 40000) {
setup:         my $name = "user" . roll() % 25000;
setup:         my $record = { id => $i, name => $name, tags => [ map { roll() % 97 } 1 .. 1 + roll() % 4 ], note => "n" x (roll() % 80) };
setup:         push @{ $by_name{$name} }, $record;
setup:         $groups{ $record->{tags}[0] }{$name}++;
setup:     }
setup:     for my $name (sort keys %by_name) {
setup:         $sum = ($sum * 31 + scalar @{ $by_name{$name} } + length $by_name{$name}[0]{note}) % 1000000007;
setup:         delete $by_name{$name} if roll() % 2;
setup:     }
setup:     print "round $round: ", scalar(keys %by_name), " names, ", scalar(keys %groups), " groups, sum $sum\n";
setup: }
setup: END
command: perl work.pl
output: same
score: cpu
