#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The memory library in a state: what scripts/memory.lua says of it, the limit, and that long searches give way."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

with open(HERE + "/scripts/memory.lua") as script:
    state = new_state("1M")
    closed = load(state, script.read())
lines = slurp(code(state)).splitlines()
plan(len(lines) + 23)
equal(closed, None, "the script runs")
check(len(lines) > 200, "and looks at much")
for line in lines:
    check(line.startswith("ok "), line.partition(" # ")[0].replace("not ok ", "", 1).replace("ok ", "", 1), line)

# The limit holds for both kinds, and nothing is lost.
small = new_state("64K")
execute(small, "collectgarbage()")
before = curralloc(small)
diag("a new state uses %d bytes" % before)
equal(ask(small, "return memory.create(100 * 1024)"), ("ENOMEM", "not enough memory"), "a memory larger than the limit")
equal(ask(small, "return pcall(memory.resize, memory.create(), 100 * 1024)"), (None, "false\tout of memory"), "a resizable one")
like(ask(small, "m = memory.create() m:resize(100 * 1024)")[1], "out of memory", "the error not caught")
equal(ask(small, "m:resize(20000, 'abc') return #m, m:get(20000)"), (None, "20000\t98"), "below the limit it grows")
check(curralloc(small) >= before + 20000, "it is charged", "%d before, %d after" % (before, curralloc(small)))
equal(ask(small, "m:resize(38000) return #m"), (None, "38000"), "growing needs no room for the old bytes and the new")
execute(small, "m:resize(0) collectgarbage()")
check(curralloc(small) < before + 4096, "shrinking gives it back", "%d before, %d after" % (before, curralloc(small)))
equal(ask(small, "f = memory.create(20000) return #f"), (None, "20000"), "a fixed one")
check(curralloc(small) >= before + 20000, "is charged", "%d before, %d after" % (before, curralloc(small)))
equal(ask(small, "f = nil for i = 1, 2000 do memory.create():resize(10000) memory.create(10000) end return 'done'"),
      (None, "done"), "what nobody refers to is collected")
execute(small, "m = nil collectgarbage()")
check(curralloc(small) < before + 4096, "and nothing is left", "%d before, %d after" % (before, curralloc(small)))

# A single search gives way: without breaks in it a slice ends before and after it alone.
large = new_state("1M")
execute(large, "m = memory.create(500000) m:fill('a') s = ('a'):rep(50000) .. 'b'")
slices = int(stats(large)["slices"])
equal(ask(large, "return m:find(s)"), (None, ""), "a long search finds nothing")
slices = int(stats(large)["slices"]) - slices
check(slices > 5, "and is broken", "%d slices" % slices)
diag("one search in 500,000 bytes: %d slices" % slices)

SEARCH = "while true do m:find(s) end"


def searching(script=SEARCH):
    """A process whose script searches; it ends with 0 when it was cancelled."""
    pid = child(lambda: "cancelled" not in ask(large, script)[1])
    check(soon(lambda: stats(large)["status"] == "running"), "a search runs")
    return pid


pid = searching()
os.kill(pid, signal.SIGINT)
equal(ended(pid), -signal.SIGINT, "a signal ends it")
check(soon(lambda: stats(large)["status"] != "running"), "and the script")
pid = searching()
ctl("cancel %s\n" % large)
equal(ended(pid), 0, "cancel ends it")

# What is searched may be changed, shortened and lost meanwhile.
equal(ask(large, """
    local r = memory.create() r:resize(200000, "a")
    timer.loop(0.001, 0.001, function() r:resize(r:len() // 2) end)
    local found = r:find(s)
    timer.sleep(0.05)
    return found"""), (None, ""), "a memory may shrink while it is searched")
check(soon(lambda: "running" != stats(large)["status"]), "that script ends")
execute(large, "m, s = nil collectgarbage()")
equal(execute(large, "return memory.type(memory.create())"), "resizable", "the state lives on")
finished()
