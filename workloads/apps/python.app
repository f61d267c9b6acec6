# python.app - CPython with every object in malloc.
version: 1
summary: CPython with PYTHONMALLOC=malloc, so that each object is a block: dicts, lists, strings, JSON, classes
source: written for Heapyard; the shape of a data-wrangling script. Without PYTHONMALLOC small objects come from Python's own pools
packages: python3
needs: python3
program: python3
environment: PYTHONMALLOC=malloc PYTHONHASHSEED=0
setup: cat >work.py <<'END'
setup: import json
setup: class Node:
setup:     def __init__(self, key, value):
setup:         self.key, self.value, self.next = key, value, None
setup: x = 4141
setup: def roll(n):
setup:     global x
setup:     x = (x * 1103515245 + 12345) % 2147483648
setup:     return (x >> 8) % n
setup: total, kept = 0, {}
setup: for part in range(3):
setup:     rows = [{"id": i, "name": "n%d" % roll(9999), "tags": [roll(50) for _ in range(roll(6))], "text": "t" * roll(70)} for i in range(14000)]
setup:     head = None
setup:     for row in rows:
setup:         node = Node(row["name"], row)
setup:         node.next, head = head, node
setup:     again = json.loads(json.dumps(rows))
setup:     for row in sorted(again, key=lambda r: (r["name"], r["id"])):
setup:         total = (total * 31 + len(row["text"]) + sum(row["tags"])) % 1000000007
setup:         if roll(4) == 0:
setup:             kept[row["name"]] = row
setup:     while head:
setup:         total, head = (total + len(head.key)) % 1000000007, head.next
setup: print(total, len(kept))
setup: END
command: python3 -S -B work.py
output: same
score: cpu
