#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The buffer library in a state: what scripts/buffer.lua says of it, the limit, `totalmax`, hooks, garbage."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

with open(HERE + "/scripts/buffer.lua") as script:
    state = new_state("1M")
    closed = load(state, script.read())
lines = slurp(code(state)).splitlines()
plan(len(lines) + 22)
equal(closed, None, "the script runs")
check(len(lines) > 90, "and looks at much")
for line in lines:
    check(line.startswith("ok "), line.partition(" # ")[0].replace("not ok ", "", 1).replace("ok ", "", 1), line)
execute(state, "collectgarbage() collectgarbage()")

# A block is charged once, however many of the state's buffers share it.
small = new_state("128K")
execute(small, "buffer = require 'buffer' collectgarbage()")
before = curralloc(small)
equal(ask(small, "b = buffer.new(('x'):rep(40000)) collectgarbage() return #b"), (None, "40000"), "40,000 bytes in 128 KiB")
one = curralloc(small) - before
check(40000 <= one < 48000, "are charged", one)
equal(ask(small, "t = {} for i = 1, 50 do t[i] = buffer.new(b) end t[51] = b:split(100) return #t, #b"), (None, "51\t39900"),
      "fifty copies and a part of it fit in")
check(curralloc(small) - before - one < 20000, "a copy costs its object", curralloc(small) - before - one)
equal(ask(small, "y = ('y'):rep(100) t[1]:append(y) return #t[1], #t[2], #b"), (None, "40100\t40000\t39900"), "one that is changed separates")
check(curralloc(small) - before > 80000, "and is charged", curralloc(small) - before)
equal(ask(small, "return t[2]:append(y), #t[2]"), (None, "false\t40000"), "the limit is reached: append says false")
equal(ask(small, "t[1]:release() return t[2]:append(y), #t[2]"), (None, "true\t40100"), "release makes room at once")
execute(small, "b = nil t = nil collectgarbage() collectgarbage()")
check(curralloc(small) < before + 2048, "nothing is left", "%d before, %d after" % (before, curralloc(small)))
equal(ask(small, "for i = 1, 2000 do buffer.new(('%d'):rep(10000)) end return 'done'"), (None, "done"),
      "what nobody refers to is collected before the limit refuses")
equal(ask(small, "local b = buffer.new() b:append(('x'):rep(30000)) local n = 0 "
          "for i = 1, 3000 do b:append('0123456789') n = n + #b:split(10) end return n, #b"), (None, "30000\t30000"),
      "a queue of bytes goes on in bounded memory")

# totalmax: the memory of blocks is a part of it.
total = int(slurp(PARAMETERS + "/totalmax"))
big = new_state(str(total // 4 * 3))
equal(ask(big, "return require('buffer').new(%d):valid()" % min(total // 2, 0x7ffffff0)), (None, "false"), "past totalmax a buffer is invalid")
ctl("destroy %s\n" % big)
big = new_state("64M")
equal(ask(big, "b = require('buffer').new(40 << 20) return b:valid(), b:append(('x'):rep(1000)), b:unfill()"),
      (None, "true\ttrue\t%d" % ((40 << 20) - 1000)), "40 MiB in one buffer")
check(curralloc(big) > 40 << 20, "are charged", curralloc(big))
ctl("destroy %s\n" % big)

for i in range(6):
    big = new_state("64M")
    good = ask(big, "b = require('buffer').new(%d) return b:valid()" % min(total // 5, 60 << 20)) == (None, "true")
    ctl("destroy %s\n" % big)
    if not good:
        break
check(good, "a state that goes gives them back", i)

# Where nothing may sleep.
equal(ask(small, "return lunatik.atomic(function() local b = buffer.new(20000) return b:valid(), b:append('abc') end)"),
      (None, "true\ttrue"), "in lunatik.atomic")
equal(ask(small, "setmetatable({}, {__gc = function() local b = buffer.new('gc') last = b b:append('!') end}) "
          "collectgarbage() return tostring(last)"), (None, "gc!"), "in __gc")
equal(ask(small, "local b = buffer.new('abc') setmetatable({}, {__gc = function() b:release() end}) collectgarbage() "
          "return b:valid(), b:append('x')"), (None, "false\tfalse"), "released by a finalizer")

# Two coroutines append to one buffer, with breaks between.
equal(ask(state, """local buffer, done = require 'buffer', 0
b = buffer.new()
for i = 1, 4 do timer.timeout(0, function() for k = 1, 300 do b:append(('%d'):format(i):rep(100)) end done = done + 1 end) end
while done < 4 do timer.sleep(0.01) end
counts = {} for i = 1, 4 do counts[i] = select(2, tostring(b):gsub(('%d'):format(i), '')) end
"""), (None, ""), "coroutines that append begin")
check(soon(lambda: execute(state, "return counts and table.concat(counts, ' ')") == "30000 30000 30000 30000", 20), "all bytes are there",
      execute(state, "return counts and table.concat(counts, ' ')"))
finished()
