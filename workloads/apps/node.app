# node.app - V8's heap is its own: what is left for malloc.
version: 1
summary: Node.js: buffers, maps, JSON and regular expressions; V8 maps its heap itself, malloc serves buffers, compilation and the rest of the runtime
source: written for Heapyard; a program of which the allocator is a small part, as most are
packages: nodejs
needs: node
program: node
setup: cat >work.js <<'END'
setup: let x = 4141, sum = 0;
setup: const roll = n => { x = (x * 16807) % 2147483647; return x % n; };
setup: const kept = [];
setup: for (let i = 0; i < 200000; i++) {
setup:     const b = Buffer.alloc(1 + roll(6000), i & 255);
setup:     sum = (sum * 31 + b[b.length >> 1] + b.length) % 1000000007;
setup:     kept[roll(2000)] = b;
setup:     if (i % 400 === 0) sum += new Function("a", "return a + " + i)(1) % 7;
setup: }
setup: const rows = Array.from({ length: 80000 }, (_, i) => ({ i, s: "s" + roll(999), t: [roll(9), roll(9)] }));
setup: const again = JSON.parse(JSON.stringify(rows));
setup: console.log(sum, again.filter(r => /9$/.test(r.s)).length, kept.length);
setup: END
command: node --single-threaded work.js
output: same
score: cpu
timeout: 180
