#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Traps of the execution model that no other test is about (README.md lists where each is shown): a timer disarmed while it
fires, colliding strings, suspend, endless scripts in the background, all stacks in use, a cancel just before a wait, files
opened while the module goes. Reloads the module."""
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

PATIENCE = 20  # seconds in which what must come has to come
PM = "/sys/power/pm_test"
SUSPEND = os.path.exists(PM)
plan(23 + 12 * SUSPEND)


def status(name):
    return stats(name)["status"]


def writer(name, script):
    """A process that runs a script; it dies of SIGINT and its like."""
    return child(lambda: os.write(os.open(CTL, os.O_WRONLY), b"run %s %d\n%s" % (name.encode(), len(script), script.encode())) * 0)


def slices(name):
    return int(stats(name)["slices"])


def goes_on(name):
    """True when Lua in it gives way a few times from now on: it runs."""
    before = slices(name)
    return soon(lambda: slices(name) > before + 2, PATIENCE)


# --- under the state's lock nothing waits for a timer ---

s, other = new_state(2 << 20), new_state()
for round in range(10):
    got = ask(s, "local ids = {} for i = 1, 300 do ids[i] = timer.timeout(1e-4 + i % 17 * 1e-5, function() end) end for i = 1, 300 do for j = 1, i % 7 * 20 do end timer.close(ids[i]) end")
    if got[0]:
        break
equal(got, (None, ""), "3,000 timers are closed while they fall due")
got = ask(s, "n = 0 for i = 1, 300 do local t t = timer.create(i % 3 / 10, function() timer.destroy(t) n = n + 1 end) for j = 1, i % 11 * 30 do end if timer.destroy(t) then n = n + 1 end end")
equal(got, (None, ""), "300 are destroyed so")
check(soon(lambda: execute(s, "return n") == "300", PATIENCE), "each was destroyed or called, none both", execute(s, "return n"))

# --- every byte of a string counts in its hash ---

COLLIDE = """
local function make(first)
	-- Forty bytes; twelve of them, every second from `first` on, tell the strings apart.
	local bytes, t = {}, {}
	for i = 1, 40 do bytes[i] = 97 end
	for n = 1, 4000 do
		for b = 0, 11 do bytes[first + 2 * b] = 97 + (n >> b & 1) end
		t[n] = string.char(table.unpack(bytes))
	end
	return t
end
local function time(first)
	collectgarbage()
	local begin = os.clock()
	make(first)
	return os.clock() - begin
end
time(1)
local even, odd = math.huge, math.huge
for i = 1, 3 do even = math.min(even, time(2)) odd = math.min(odd, time(1)) end
return even < 3 * odd and odd < 3 * even, even, odd
"""
big = new_state(4 << 20)
like(ask(big, COLLIDE)[1], "^true", "strings that differ in every second byte do not collide")
ctl("destroy %s\n" % big)

# --- suspend ---

if SUSPEND:
    with open("/sys/module/suspend/parameters/pm_test_delay", "w") as f:
        f.write("1")
    with open(PM, "w") as f:
        f.write("freezer")
    runs, waits, late, sleeps, busy = (new_state() for _ in range(5))
    ask(sleeps, "timer.sleep(1) slept = true")
    ask(late, "timer.sleep(0) while true do end")
    ask(busy, "n = 0 timer.loop(0.001, 0.001, function() n = n + 1 end)")
    first = writer(runs, "while not over do end")
    check(soon(lambda: status(runs) == "running", PATIENCE), "a script runs")
    second = writer(runs, "ran = true")
    check(soon(lambda: status(late) == "running", PATIENCE), "another in the background, a third waits its turn, a fourth sleeps")
    time.sleep(0.1)
    began = time.monotonic()

    def suspend():
        with open("/sys/power/state", "w") as f:
            f.write("freeze")

    equal(error_of(suspend), None, "the machine can be suspended, as far as freezing goes")
    diag("that took %.1f s, with a pause of 1 s" % (time.monotonic() - began))
    check(goes_on(runs), "afterwards the first script runs on")
    check(goes_on(late), "the one in the background too")
    check(soon(lambda: execute(sleeps, "return slept") == "true", PATIENCE), "the sleeper wakes")
    before = int(execute(busy, "return n"))
    check(soon(lambda: int(execute(busy, "return n")) > before + 2, PATIENCE), "timers fire")
    equal(error_of(suspend), None, "and a second time")
    check(goes_on(runs), "it goes on")
    os.kill(second, signal.SIGINT)
    equal(ended(second), -signal.SIGINT, "who waits its turn ends by SIGINT")
    os.kill(first, signal.SIGINT)
    check(ended(first) is not None, "so does the first")
    with open(PM, "w") as f:
        f.write("none")
    equal(execute(runs, "return ran"), "nil", "and what waited has not run")
    for name in (runs, waits, late, sleeps, busy):
        ctl("destroy %s\n" % name)

# --- endless scripts in the background ---

HOGS = 24
hogs = [new_state() for _ in range(HOGS)]
for name in hogs:
    ask(name, "timer.sleep(0) while true do end")
check(soon(lambda: all(status(name) == "running" for name in hogs), 60), "%d endless scripts run in the background" % HOGS, [status(name) for name in hogs])
execute(other, "fired = nil timer.create(1, function() fired = true end)")
check(soon(lambda: execute(other, "return fired") == "true", PATIENCE), "another state's timers fire all the same")
ctl("cancel %s\n" % hogs[0])
check(soon(lambda: status(hogs[0]) == "failed", PATIENCE), "cancel ends one")
began = time.monotonic()
for name in hogs:
    ctl("destroy %s\n" % name)
check(time.monotonic() - began < PATIENCE * 3, "destroy all", time.monotonic() - began)

# --- all stacks in use; a slice so long that a cancel comes between the last break and the wait ---

for name in (s, other):
    ctl("destroy %s\n" % name)
equal(unload(), "", "the module is unloaded")
equal(insert("stackcap=2", "slice_us=50000"), "", "and loaded with two stacks and long slices")
names = [new_state() for _ in range(4)]
pids = [writer(name, "while true do end") for name in names[:2]]
check(soon(lambda: all(status(name) == "running" for name in names[:2]), PATIENCE), "two endless scripts take all the stacks")
pids += [writer(names[2], "ran = true") for _ in range(2)]
time.sleep(0.3)
check(all(ended(pid, 0) is None for pid in pids), "further ones wait")
execute_waits = child(lambda: ctl("create %s.x\ndestroy %s.x\n" % (PREFIX, PREFIX)) and 1)
equal(ended(execute_waits, PATIENCE), 0, "states come and go all the same")
execute_waits = child(lambda: ctl("destroy %s\n" % names[3]) and 1)
equal(ended(execute_waits, PATIENCE), 0, "an idle state is destroyed")
os.kill(pids[2], signal.SIGINT)
equal(ended(pids[2]), -signal.SIGINT, "who waits for a stack ends by SIGINT")
os.kill(pids[3], signal.SIGKILL)
equal(ended(pids[3]), -signal.SIGKILL, "and by SIGKILL")
for pid in pids[:2]:
    os.kill(pid, signal.SIGKILL)
equal([ended(pid) for pid in pids[:2]], [-signal.SIGKILL] * 2, "the endless ones are killed")
equal(execute(names[2], "return ran"), "nil", "what was ended while it waited has not run")
name, lost = names[0], 0
for i in range(int(15 * SCALE)):
    thread = threading.Thread(target=ask, args=(name, "go = nil timer.timeout(0.01, function() go = true end) while not go do end for i = 1, 200000 do end timer.sleep(1000)"))
    thread.start()
    # Once it is seen to run, or to wait, the cancel is for it.
    soon(lambda: status(name) in ("running", "waiting"), PATIENCE)
    time.sleep(random.random() * 0.15)
    ctl("cancel %s\n" % name)
    thread.join()
    if not soon(lambda: status(name) != "waiting", 2):
        lost += 1
        break
    ctl("cancel %s\n" % name)
    soon(lambda: status(name) not in ("waiting", "running"), PATIENCE)
equal(lost, 0, "a cancel reaches a script that is about to wait")

# --- files opened while the module goes ---

for name in names[:3]:
    ctl("destroy %s\n" % name)
go, until = new_name(), time.monotonic() + max(5 * SCALE, 4)


def opener(path):
    """Opens and closes a file that comes and goes; 1 when anything but the expected happens."""
    while time.monotonic() < until:
        try:
            os.close(os.open(path, os.O_RDWR))
        except OSError as e:
            # EACCES: in the instant in which sysfs has the file and the module has not.
            if e.errno not in (errno.ENOENT, errno.ENODEV, errno.EACCES):
                diag("%s: %s" % (path, errno.errorcode[e.errno]))
                return 1
    return 0


pids = [child(opener, path) for path in (CTL, CTL, code(go))]
rounds = refused = 0
while time.monotonic() < until:
    if not os.path.exists(CTL):
        insert()
    error_of(ctl, "create %s\n" % go)
    said = unload()
    refused += "in use" in said
    rounds += not said
diag("unloaded %d times, refused %d times" % (rounds, refused))
equal([ended(pid, PATIENCE) for pid in pids], [0] * 3, "files are opened while the module comes and goes: they open, or are not there")
check(rounds > 0, "it went", refused)
check(os.path.exists(CTL) or insert() == "", "it comes again")
equal(ctl("create %s.y\ndestroy %s.y\n" % (PREFIX, PREFIX)), "", "and works")
error_of(ctl, "destroy %s\n" % go)

finished()
