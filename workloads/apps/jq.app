# jq.app - JSON read whole, grouped and written.
version: 1
summary: jq: 30,000 objects parsed, grouped, reduced and printed
source: written for Heapyard; many small reference-counted values of the same few sizes
packages: jq
needs: jq
program: jq
setup: awk 'BEGIN { x = 4141; for (i = 0; i < 30000; i++) { x = (x * 16807) % 2147483647; printf "{\"id\":%d,\"user\":\"u%d\",\"tags\":[\"a%d\",\"b%d\"],\"at\":{\"x\":%d,\"y\":%d},\"text\":\"%s\"}\n", i, x % 997, i % 17, x % 101, x % 1000, i, substr("the quick brown fox jumps over the lazy dog", 1, x % 43) } }' >items.json
setup: cat >work.jq <<'END'
setup: group_by(.user) | map({user: .[0].user, n: length, tags: (map(.tags[]) | unique), area: (map(.at.x * .at.y) | add), text: (map(.text) | join(" ") | length)}) | sort_by(.n, .user) | .[]
setup: END
command: jq -c -s -f work.jq items.json
output: same
score: cpu
