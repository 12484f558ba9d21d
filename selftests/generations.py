#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Generations: what a `code` script registers takes effect when it ends without error or first waits, all at once;
lunatik.replace() in it withdraws what earlier `code` scripts registered, in the same instant."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

plan(35)

SPIN = "local function spin(s) local e = os.clock() + s while os.clock() < e do end end\n"


def get(name, expression):
    return execute(name, "return " + expression)


def settles(name, expression):
    """True when a counter has come to rest."""
    first = get(name, expression)
    time.sleep(0.15)
    return get(name, expression) == first


# --- staged until the end ---
s = new_state()
equal(load(s, SPIN + "order = 'main' timer.create(0, function() order = order .. ' timer' end) spin(0.1) order = order .. ' end'"), None,
      "a script makes a timer of 0 ms and is busy for 100 ms")
check(soon(lambda: get(s, "order").endswith("timer")), "the timer fires")
equal(get(s, "order"), "main end timer", "after the end of the script")
equal(load(s, "n = 0 timer.create(1, function() n = n + 1 end) timer.timeout(0.001, function() n = n + 10 end) "
              "timer.loop(0.001, 0.001, function() n = n + 100 end) error('no')"), "EINVAL",
      "a script that makes three timers fails")
time.sleep(0.1)
equal(get(s, "n"), "0", "none of them ever fires")
equal(load(s, "n = 0 timer.create(1, function() n = 1 end) syntax error"), "ENOEXEC", "one that does not compile makes none")
equal(load(s, "t = timer.create(1, function() n = 1 end) ok = timer.destroy(t) again, why = timer.destroy(t)"), None,
      "a staged timer is destroyed")
time.sleep(0.05)
equal(get(s, "n, ok, again, why"), "0\ttrue\tnil\ttimer already destroyed", "it does not fire, and counts as destroyed")
equal(load(s, "order = {} for i = 1, 20 do timer.create(0, function() order[#order + 1] = i end) end"), None, "20 timers of 0 ms")
check(soon(lambda: get(s, "#order") == "20"), "all fire")
equal(get(s, "table.concat(order, ' ')"), " ".join(map(str, range(1, 21))), "in the order in which they were made")
base = curralloc(s)
for _ in range(50):
    load(s, "for i = 1, 20 do timer.create(1000000, print) end error('no')")
execute(s, "collectgarbage() collectgarbage()")
check(curralloc(s) < base + 2000, "a thousand discarded timers leave nothing", "%d before, %d after" % (base, curralloc(s)))

# --- published by the first wait ---
s = new_state()
equal(load(s, "timer.create(1, function() fired = true end) timer.sleep(0.1) after = fired "
              "timer.create(1, function() second = true end) error('late')"), None, "a script makes a timer, waits, and fails")
check(soon(lambda: stats(s)["status"] == "failed"), "it has failed")
equal(get(s, "fired, after"), "true\ttrue", "its timer fired while it waited")
check(soon(lambda: get(s, "second") == "true"), "and so does one made after the wait")

# --- requests are not staged ---
s = new_state()
equal(ask(s, "timer.create(0, function() fired = true end) local till = os.time() + 30 "
          "while not fired and os.time() < till do end seen = fired error('x')")[0], "EINVAL",
      "a script through ctl makes a timer, is busy, and fails")
equal(get(s, "seen"), "true", "its timer fired meanwhile")

# --- replace ---
LOOP = "count = count or {} count[%d] = 0 timer.loop(0.002, 0.002, function() count[%d] = count[%d] + 1 last = %d end)\n"


def version(n, extra=""):
    return LOOP % (n, n, n, n) + extra


s = new_state()
load(s, version(1))
ask(s, "other = 0 timer.loop(0.002, 0.002, function() other = other + 1 end)")
check(soon(lambda: int(get(s, "count[1]")) > 3), "version 1 runs")
equal(load(s, version(2, "lunatik.replace() error('broken')")), "EINVAL", "a broken version 2")
before = int(get(s, "count[1]"))
check(soon(lambda: int(get(s, "count[1]")) > before + 3), "leaves version 1 in force")
equal(get(s, "count[2]"), "0", "and nothing of itself")
equal(load(s, version(3)), None, "a version 3 that replaces nothing")
check(soon(lambda: int(get(s, "count[3]")) > 3), "runs")
before = int(get(s, "count[1]"))
check(soon(lambda: int(get(s, "count[1]")) > before + 3), "beside version 1")
equal(load(s, version(4, "lunatik.replace() at = {count[1], count[3], other}")), None, "a version 4 replaces both")
check(soon(lambda: int(get(s, "count[4]")) > 5), "and runs")
check(settles(s, "count[1] .. ' ' .. count[3]"), "they do not run any more")
before = int(get(s, "other"))
check(soon(lambda: int(get(s, "other")) > before + 3), "what a request registered goes on")

# --- waiting scripts, callbacks that run at that instant ---
s = new_state()
load(s, "beats = 0 while true do timer.sleep(0.002) beats = beats + 1 end")
load(s, SPIN + "timer.create(1, function() running = true while not go do end spin(0.02) local ok, why = pcall(timer.create, 1, function() late = true end) "
               "made = tostring(ok) timer.create(1, function() late = true end) end)")
check(soon(lambda: get(s, "running") == "true"), "one version waits in a loop, a callback of another runs")
log = Log()
equal(load(s, "lunatik.replace() timer.sleep(0.01) swapped = beats"), None, "both are replaced, published by a wait")
execute(s, "go = true")
check(soon(lambda: get(s, "made") == "true"), "the callback runs to its end")
time.sleep(0.1)
equal(get(s, "late, beats - swapped <= 1"), "nil\ttrue", "what it registers comes to nothing, and the loop has ended")
equal((stats(s)["status"], [line for line in log.lines() if s in line]), ("idle", []), "without an error")
like(ask(s, "lunatik.replace()")[1], r"replace: only in a 'code' script that has not waited yet", "replace elsewhere is an error")
finished()
