#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Ten scripts that never end, at once, each in a state of its own: the machine stays usable, the kernel's watchdogs
stay silent, and every one of them can be killed."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

SECONDS = 10 * SCALE
LATENCY = 3.0  # seconds that a request to a quiet state may take
SCRIPTS = (
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "local t = {} for i = 1, 800 do t[i] = i end while true do table.sort(t, function(a, b) return (a * 31) % 97 < (b * 31) % 97 end) end",
    "while true do (('x'):rep(200)):gsub('x', function() return 'y' end) end",
    "local t = setmetatable({}, {__index = function(t, k) return k end}) local n = 0 while true do n = n + t[1] end",
    "while true do coroutine.wrap(function() for i = 1, 10 do coroutine.yield(i) end end)() end",
    "while true do pcall(string.rep, 'x', 1e8) local s = ('x'):rep(1000) .. 'y' end",
    "while true do load('return ' .. ('1 + '):rep(100) .. '1')() end",
    "while true do pcall(function() setmetatable({}, {__gc = function() for i = 1, 100 do end end}) end) end",
    "while true do (('a'):rep(30)):find(('a*'):rep(12) .. 'b') end",
)
plan(5 + len(SCRIPTS))

log = Log()
quiet = new_state()
names = [new_state() for _ in SCRIPTS]


def write(name, script):
    fd = os.open(CTL, os.O_WRONLY)
    os.write(fd, b"run %s %d\n%s" % (name.encode(), len(script), script.encode()))


writers = [child(write, name, script) for name, script in zip(names, SCRIPTS)]
check(soon(lambda: all(stats(name)["status"] == "running" for name in names), 20), "ten scripts run")
worst, rounds, failed, end = 0.0, 0, 0, time.monotonic() + SECONDS
while time.monotonic() < end:
    began = time.monotonic()
    failed += execute(quiet, "return 40 + 2") != "42"
    for name in names:
        curralloc(name)
    worst, rounds = max(worst, time.monotonic() - began), rounds + 1
    time.sleep(0.05)
diag("%d rounds of requests in %d s, the slowest took %.2f s" % (rounds, SECONDS, worst))
equal(failed, 0, "a quiet state answers all the while")
check(worst < LATENCY, "within %d seconds" % LATENCY, "%.2f s" % worst)
for pid, name, script in zip(writers, names, SCRIPTS):
    still = stats(name)
    os.kill(pid, signal.SIGKILL)
    status = ended(pid, 10)
    check(status == -signal.SIGKILL and int(still["slices"]) > 10 and execute(name, "return 1") == "1",
          "killed: " + script[:60], "exit status %s, %s" % (status, still))
holds = sorted(int(stats(name)["longest_hold_ns"]) // 1000 for name in names)
diag("longest holds of their locks, in us: " + " ".join(map(str, holds)))
alarms = [line for line in log.lines() if re.search(r"soft lockup|rcu.*(stall|detected)|blocked for more than|hung task|workqueue lockup", line)]
equal(alarms, [], "no watchdog barked")
# An emulated CPU may itself not run for a while; the watchdogs bark after twenty.
check(holds[-1] < 4 * 10 ** 6, "no lock was held for four seconds", holds)
finished()
