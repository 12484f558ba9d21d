#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""States with an interpreter for each processor: what is loaded where, what they share, limits, errors, cancel, destroy."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from lunatik import *  # pylint: disable=wildcard-import,unused-wildcard-import

CPUS = os.cpu_count()


def new_percpu(maxalloc="128K"):
    name = new_name()
    ctl("create %s %s percpu\n" % (name, maxalloc))
    return name


def shared(name, counter):
    return int(execute(name, "return lunatik.shared(%r):value()" % counter))


plan(27)

# --- creating ---
for text in ("create %s 64K percpu percpu\n", "create %s 64K perCPU\n", "create %s percpu 64K\n"):
    equal(error_of(ctl, text % new_name()), "EINVAL", "malformed: %s" % text.strip().replace("%s", "NAME"))
plain, state = new_state("128K"), new_percpu()
equal(stats(plain)["interpreters"], "1", "an ordinary state has one interpreter")
equal(stats(state)["interpreters"], str(CPUS), "percpu: one for each processor")
equal(slurp("%s/%s/maxalloc" % (SYS, state)), "131072\n", "maxalloc is that of each")
total = int(slurp(PARAMETERS + "/totalmax"))
name = new_name()
equal(error_of(ctl, "create %s %d percpu\n" % (name, total // CPUS + 4096)), "ENOMEM" if CPUS > 1 else None, "all of them count against totalmax")

# --- loading ---
before = int(stats(state)["executions"])
equal(load(state, "lunatik.shared('loaded'):add() lunatik.shared('where'):add(10 ^ lunatik.interpreter() // 1 | 0)"), None, "a script is loaded")
equal(int(stats(state)["executions"]), before + 1, "it counts as one script")
equal(shared(state, "loaded"), CPUS, "it ran once on each interpreter")
equal(shared(state, "where"), sum(10 ** i for i in range(1, CPUS + 1)), "each knows which it is")
equal(execute(state, "mine = true return lunatik.interpreter()"), "1\t%d" % CPUS, "execute runs on the first")
load(state, "lunatik.shared('mine'):add(mine and 1 or 0)")
equal(shared(state, "mine"), 1, "globals are each interpreter's own")

# --- counters ---
equal(execute(plain, "local c = lunatik.shared 'a' c:add() c:add(5) return c:value(), tostring(c), lunatik.shared('a'):value()"),
      "6\t6\t6", "an ordinary state has counters, too")
like(ask(plain, "lunatik.shared('')")[1], "a name has 1 to 48 bytes", "no counter without a name")
like(ask(plain, "lunatik.shared(('x'):rep(49))")[1], "a name has 1 to 48 bytes", "nor with a long one")
like(ask(plain, "for i = 1, 257 do lunatik.shared(i) end")[1], "too many shared counters", "their number is bounded")

# --- all or none ---
equal(load(state, "lunatik.replace() timer.loop(0.02, 0.02, function() lunatik.shared('old'):add() lunatik.shared('old' .. lunatik.interpreter()):add() end)"), None, "a script with a timer")
check(soon(lambda: shared(state, "old") >= 3 * CPUS), "its timers run on every interpreter")
if CPUS > 1:
    equal(load(state, "lunatik.replace() timer.loop(0.02, 0.02, function() lunatik.shared('new'):add() end)\n"
               "if lunatik.interpreter() == 2 then error('not here') end"), "EINVAL", "a script that fails on the second")
else:
    equal(load(state, "timer.loop(0.02, 0.02, function() lunatik.shared('new'):add() end) error('not here')"), "EINVAL", "a script that fails")
before = [shared(state, "old%d" % i) for i in range(1, CPUS + 1)]
check(soon(lambda: all(shared(state, "old%d" % (i + 1)) >= n + 3 for i, n in enumerate(before)), 10), "leaves the one before in force on all")
equal(shared(state, "new"), 0, "and has effect on none")

# --- messages, limits, the end ---
load(state, "lunatik.replace() lunatik.send('from ' .. lunatik.interpreter())")
fd = os.open("%s/%s/data" % (SYS, state), os.O_RDWR | os.O_NONBLOCK)
got = set()
while error_of(lambda: got.add(os.pread(fd, 100, 0))) is None:
    pass
os.close(fd)
equal(got, {b"from %d" % i for i in range(1, CPUS + 1)}, "the readers of data get what each sends")
with open("%s/%s/maxalloc" % (SYS, state), "w") as f:
    f.write("256K")
load(state, "lunatik.shared('limit'):add((lunatik.limits()))")
equal(shared(state, "limit"), CPUS * 256 * 1024, "a new limit is that of each")
slices = int(stats(state)["slices"])
pid = child(lambda: int(load(state, "while lunatik.interpreter() == %d do end" % CPUS) != "EINTR"))
check(soon(lambda: int(stats(state)["slices"]) > slices + 100), "an endless script on the last")
ctl("cancel %s\n" % state)
equal(ended(pid), 0, "cancel ends a script on whichever it runs")
load(state, "for i = 1, 20 do timer.loop(0.001, 0.001, function() lunatik.shared('t'):add() end) end")
ctl("destroy %s\n" % state)
check(state not in states(), "it is destroyed while all are at work")

finished()
