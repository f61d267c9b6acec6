# redis.app - a server under its own benchmark.
version: 1
summary: Redis under redis-benchmark: 600,000 pipelined SET, LPUSH, SADD and HSET requests with values of 24 to 3000 bytes, three quarters deleted, then all
source: redis-benchmark of the package. Debian links redis with jemalloc: `own` is jemalloc, and `system` is glibc only because it is preloaded
packages: redis-server redis-tools
needs: redis-server redis-benchmark redis-cli
program: redis-server
setup: cp "$HEAPYARD_APPS/redis.sh" .
command: sh redis.sh
preload: script
output: same
score: file per_s
