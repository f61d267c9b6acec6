#!/bin/sh
# usage.sh - every verb explains itself; what is wrong is said in one line.
#
# --help exits 0 and has examples.  A bad argument or a bad file exits 2, and
# the first line on standard error begins with the verb, names the value and
# says what would be right; only argp's pointer to --help may follow.
#
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$work" || exit

verbs="bench doctor gate calibrate list plan run stat report record trace heap"
verbs="$verbs counters history replay mdriver apps fidelity"

# ---- help ----

for word in --help -h help; do
    expect 0 "$HEAPYARD" $word
    [ ! -s err ] || fail "$word writes to standard error: $(cat err)"
    for verb in $verbs; do
        expect_line out "^  $verb "
    done
    expect_line out '^Examples?:$'
done
expect 0 "$HEAPYARD" --version
expect_line out '^heapyard [0-9]+\.[0-9]+\.[0-9]+ \(.+\)$'

for verb in $verbs; do
    expect 0 "$HEAPYARD" $verb --help
    [ ! -s err ] || fail "$verb --help writes to standard error: $(cat err)"
    expect_line out "^Usage: heapyard $verb"
    expect_line out '^Examples?:$'
    expect_line out "^  .*heapyard $verb "
    if awk 'NF > 1 && length($0) > 80 { exit 1 }' out; then :; else
        fail "$verb --help is wider than 80 columns"
    fi
done
for verb in info provenance check dump; do
    expect 0 "$HEAPYARD" trace $verb --help
    expect_line out "^Usage: heapyard trace $verb"
done

# Every option that --help of bench promises is one.
for option in workload allocators threads meters runs memory-runs seed scale \
    touch window timeout precision budget spec allocator out resume baseline; do
    expect 0 "$HEAPYARD" bench --help
    expect_line out "^ .*--$option"
done

# ---- wrong arguments ----

expect 2 "$HEAPYARD"
expect_line err '^Usage: heapyard VERB'
expect 2 "$HEAPYARD" nosuchverb --help
expect_line err '^heapyard: no verb is called "nosuchverb"$'
expect 2 "$HEAPYARD" trace nosuchverb
expect_line err '^heapyard trace: no verb is called "nosuchverb" \(want info, '

# refuse PATTERN VERB ARGUMENT...: exit code 2 and one line.
refuse()
{
    pattern=$1
    shift
    expect 2 "$HEAPYARD" "$@"
    head -n 1 err >first
    grep -qE -- "$pattern" first || fail "$*: says $(cat first)"
    grep -q '^heapyard' first || fail "$*: does not say who: $(cat first)"
    # argp may break its own pointer over two lines
    sed 1d err | tr '\n' ' ' | grep -qvE '^Try `heapyard' &&
        fail "$*: more than one line: $(cat err)"
    [ ! -s out ] || fail "$*: writes to standard output: $(cat out)"
    return 0
}

for verb in $verbs "trace info" "history append" "history show"; do
    case $verb in
    trace | history) continue ;; # have verbs of their own
    esac
    # shellcheck disable=SC2086 # one or two words
    refuse "unrecognized option '--nosuchoption'" $verb --nosuchoption
done
for verb in bench plan; do
    # option, value, what the message must say
    while IFS='|' read -r option value want; do
        refuse "^heapyard $verb: --$option = $value \(want $want" \
            $verb "--$option" "$value"
    done <<'END'
threads|0|.*1\.\.1024
threads|1,x|.*1\.\.1024
threads|1025|.*1\.\.1024
threads|-1|.*1\.\.1024
threads||.*1\.\.1024
runs|0|1\.\.1000
runs|1001|1\.\.1000
runs|3x|1\.\.1000
runs| |1\.\.1000
runs|99999999999999999999|1\.\.1000
memory-runs|0|1\.\.1000
seed|-1|0\.\.18446744073709551615
seed|18446744073709551616|0\.\.18446744073709551615
scale|0|0\.0001\.\.10000
scale|nan|0\.0001\.\.10000
scale|inf|0\.0001\.\.10000
scale|1e5|0\.0001\.\.10000
scale|1,5|0\.0001\.\.10000
touch|some|none, byte, page, line, full
window|511|0, or 512\.\.4294967295
timeout|0|1\.\.86400
timeout|86401|1\.\.86400
precision|1|0\.1%\.\.50%
budget|0s|1s\.\.168h
meters|tim|names of
meters|time,,memory|names of
allocators||.*names
allocators|a,,b|.*names
workload||.*names
allocator|a,b|a name or a path
END
    refuse 'no workload or recorded trace is called "nosuch"' \
        $verb --workload nosuch
    refuse 'churn has no knob "objcts" \(did you mean "objects"\?\)' \
        $verb --workload churn:objcts=3
    refuse 'churn: objects = -1 \(want 1\.\.' $verb --workload churn:objects=-1
    refuse 'churn: objects = "" \(want 1\.\.' $verb --workload churn:objects=
    refuse 'churn: threads = 300 \(want 1\.\.256\)' \
        $verb --workload churn --threads 300
    refuse '\./missing\.hyt: No such file' $verb --workload ./missing.hyt
    refuse 'Too many arguments' $verb churn
    refuse "requires an argument" $verb --workload
done
refuse '--baseline = nosuch \(want one of the allocators' \
    bench --workload churn:objects=10:ops=100 --allocators system \
    --baseline nosuch --out bench
[ ! -e bench ] || fail "a refused bench has made its folder"
refuse '--resume needs --out FOLDER' bench --resume

refuse 'want a PLAN' run
refuse 'want one PLAN' run a b
refuse 'missing\.tsv: No such file' run missing.tsv
refuse 'want a SAMPLES\.csv' stat
refuse 'missing\.csv: No such file' stat missing.csv
refuse 'want a SUMMARY\.csv' report
refuse 'missing: No such file' report missing
refuse '79' report --width 79 .
refuse 'blue' report --color blue .
refuse 'want a trace' trace info
refuse 'missing\.hyt: .*No such file' trace info missing.hyt
refuse 'want a PROGRAM' record
refuse '/missing/program: No such file' record -- /missing/program
refuse '--level = 20 \(want 1\.\.19\)' record --level 20 -- true
refuse 'want either --workload or --trace' replay
refuse 'want either --workload or --trace' replay --workload churn --trace x
refuse '--meter = tim \(want time, memory' replay --workload churn --meter tim
refuse '--touch = some \(want none, byte' replay --workload churn --touch some
refuse '--threads = 0 \(want 1\.\.1024\)' replay --workload churn --threads 0
refuse '--scale = 0 \(want 0\.000001' replay --workload churn --scale 0
refuse '--window = -1 \(want 0\.\.' replay --workload churn --window -1
refuse 'no workload or recorded trace is called "nosuch"' \
    replay --workload nosuch
refuse '"nosuch" \(want workloads, traces' list nosuch

# Something that is no trace archive, for all that reads one.
echo 'no trace' >text.hyt
for verb in info provenance check dump; do
    refuse 'text\.hyt: is no trace archive' trace $verb text.hyt
done
refuse 'text\.hyt: is no trace archive' plan --workload ./text.hyt

# ---- a spec file: FILE:LINE ----

# bad_spec LINE PATTERN TEXT
bad_spec()
{
    printf "$3" >bad.spec # TEXT has \n
    refuse "^heapyard plan: bad\.spec:$1: $2" plan --spec bad.spec
    refuse "^heapyard bench: bad\.spec:$1: $2" bench --spec bad.spec
}
bad_spec 1 'threads = 0 \(want ' 'threads = 0\n'
bad_spec 3 'runs = many \(want 1\.\.1000\)' '# a comment\n\nruns = many\n'
bad_spec 2 'no key is called "thread" \(want one of: workload, ' \
    'runs = 3\nthread = 1\nruns = 0\n'
bad_spec 1 '"churn" \(want key = value\)' 'churn\n'
bad_spec 2 'no key is called ""' 'runs = 3\n= 3\n'
bad_spec 1 'scale =  \(want ' 'scale =\n'
bad_spec 1 'line is too long' "workload = $(printf '%09000d' 0)\n"
refuse 'missing\.spec: No such file' plan --spec missing.spec
refuse '.: (Is a directory|cannot be read)' plan --spec .
# One that is good: options win over it if they come later.
printf '# mine\nworkload = churn:objects=10:ops=100 # small\n\n runs=2\nmeters = time\nallocators = system , null\r\n' >good.spec
expect 0 "$HEAPYARD" plan --spec good.spec --runs 3
[ "$(wc -l <out)" -eq 7 ] || fail "good.spec: $(wc -l <out) lines (want 7)"
expect 0 "$HEAPYARD" plan --runs 3 --spec good.spec
[ "$(wc -l <out)" -eq 5 ] || fail "good.spec: $(wc -l <out) lines (want 5)"

# --allocator adds one, even if the list comes after it.
expect 0 "$HEAPYARD" plan --allocator null --spec good.spec \
    --allocators system --meters time --runs 1
[ "$(wc -l <out)" -eq 3 ] || fail "--allocator is lost: $(cat out)"

# ---- a plan ----

expect 0 "$HEAPYARD" plan --spec good.spec --out plan.tsv
lines=$(wc -l <plan.tsv)
# bad_plan LINE PATTERN AWK-PROGRAM
bad_plan()
{
    awk -F '\t' "BEGIN { OFS = FS } $3" plan.tsv >bad.tsv
    refuse "^heapyard run: bad\.tsv:$1: $2" run bad.tsv --out never
    [ ! -e never ] || fail "a refused plan has made its folder"
}
bad_plan 1 'is not the header of a plan' 'NR == 1 { $1 = "Run" } { print }'
bad_plan 1 'is not the header of a plan' 'NR > 1 { print }'
bad_plan 3 'want 11 columns separated by tabs' 'NR == 3 { NF = 10 } { print }'
bad_plan 3 'want 11 columns separated by tabs' 'NR == 3 { $12 = 1 } { print }'
bad_plan 2 'run = 0 \(want 1\.\.\)' 'NR == 2 { $1 = 0 } { print }'
bad_plan 3 'run = 1 \(want 2\)' 'NR == 3 { $1 = 1 } { print }'
bad_plan 3 'run = 3 \(want 2\)' 'NR != 3 { print }'
bad_plan 2 'threads = x \(want 0 .*1\.\.1024\)' 'NR == 2 { $4 = "x" } { print }'
bad_plan 2 'scale = -1 \(want ' 'NR == 2 { $5 = -1 } { print }'
bad_plan 2 'seed = 1\.5 \(want ' 'NR == 2 { $6 = 1.5 } { print }'
bad_plan 2 'allocator =  \(want an allocator' 'NR == 2 { $7 = "" } { print }'
bad_plan 2 'meter = tim \(want time, ' 'NR == 2 { $8 = "tim" } { print }'
bad_plan 2 'touch = x \(want none, ' 'NR == 2 { $9 = "x" } { print }'
bad_plan 2 'timeout_s = 0 \(want 1\.\.86400\)' 'NR == 2 { $11 = 0 } { print }'
head -c -3 plan.tsv >bad.tsv
refuse "bad\.tsv:$lines: line is cut off" run bad.tsv --out never
head -n 1 plan.tsv >bad.tsv
refuse 'bad\.tsv: has no runs' run bad.tsv --out never
: >bad.tsv
refuse 'bad\.tsv: ' run bad.tsv --out never
printf 'run\0block\n' >bad.tsv
refuse 'bad\.tsv:1: ' run bad.tsv --out never

# A workload that the plan made up is a row, not the end.
awk -F '\t' 'BEGIN { OFS = FS } NR == 3 { $3 = "nosuch" } { print }' plan.tsv \
    >odd.tsv
expect 1 "$HEAPYARD" run odd.tsv --out odd
[ "$(csv_count odd/samples.csv run=2 status=error)" -eq 1 ] ||
    fail "an unknown workload in a plan: $(cat odd/samples.csv)"
[ "$(csv_runs odd/samples.csv status=ok)" -eq $((lines - 2)) ] ||
    fail "an unknown workload in a plan has cost other runs"
# Samples that are not: FILE:LINE from those that read them.
sed '3s/,time,/,tim"e,/' odd/samples.csv >bad.csv
refuse 'bad\.csv:3: ' stat bad.csv
