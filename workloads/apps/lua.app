# lua.app - tables, closures and strings, collected by Lua itself.
version: 1
summary: Lua: trees of tables, strings by the hundred thousand and closures, under Lua's own collector
source: written for Heapyard; the shape of an embedded script
packages: lua5.4
needs: lua5.4
program: lua5.4
setup: cat >work.lua <<'END'
setup: local x = 4141
setup: local function roll(n) x = (x * 1103515245 + 12345) % 2147483648; return (x >> 8) % n end
setup: local function tree(d) if d == 0 then return { roll(10) } end return { tree(d - 1), tree(d - 1), roll(10) } end
setup: local function sum(t) if #t == 1 then return t[1] end return sum(t[1]) + sum(t[2]) + t[3] end
setup: local total, keep = 0, {}
setup: for round = 1, 8 do
setup:     keep[round] = tree(14)
setup:     total = total + sum(keep[round])
setup:     local words, calls = {}, {}
setup:     for i = 1, 30000 do
setup:         words[i] = "w" .. roll(100000) .. string.rep("x", roll(60))
setup:         if i % 3 == 0 then calls[#calls + 1] = function() return #words[i] end end
setup:     end
setup:     table.sort(words)
setup:     for _, f in ipairs(calls) do total = total + f() end
setup:     if round % 3 == 0 then keep[round - 1] = nil end
setup: end
setup: print(total)
setup: END
command: lua5.4 work.lua
output: same
score: cpu
