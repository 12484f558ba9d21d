#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""debug.sethook beside time slices: hooks run as Lua's, and neither keep a script from being sliced, ended or
limited nor outlive it."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

SCRIPTS = {
    "a count hook, and a loop": "debug.sethook(function() end, '', 1000) while true do end",
    "a hook at every instruction": "debug.sethook(function() end, '', 1) while true do end",
    "a hook for everything": "debug.sethook(function() end, 'crl') local function f() return 1 end while true do f() end",
    "a hook that loops": "debug.sethook(function() while true do end end, '', 100) while true do end",
    "a hook that catches what ends it": "debug.sethook(function() pcall(function() while true do end end) end, 'l') while true do end",
    "a hook that sets itself again": "local function h() debug.sethook(h, '', 1) end h() while true do end",
    "a hook of a coroutine": "local co = coroutine.create(function() while true do end end) debug.sethook(co, function() end, '', 10) coroutine.resume(co)",
}
plan(11 + 3 * len(SCRIPTS))
s = new_state("128K")

# As Lua's own
equal(execute(s, "local n = 0 debug.sethook(function(e) n = n + 1 end, '', 10) for i = 1, 1000 do end debug.sethook() return n > 90 and n < 250"),
      "true", "a count hook counts instructions")
equal(ask(s, "local t = {}\ndebug.sethook(function(e, l) t[#t + 1] = e .. (l or '') end, 'crl')\nlocal x = math.abs(-1)\n"
             "debug.sethook()\nreturn table.concat(t, ' ')")[1],
      "return line3 call return line4 call", "call, return and line events, in order")
equal(execute(s, "local ok, m = pcall(function() debug.sethook(function() debug.sethook() error('stop', 0) end, '', 100) while true do end end) return ok, m"),
      "false\tstop", "an error in a hook is the script's")
execute(s, "debug.sethook(function() hooked = (hooked or 0) + 1 end, 'l')")
equal(execute(s, "local a = 1 local b = 2 return hooked, debug.gethook()"), "nil\tnil\t\t0", "a hook ends with its script")

# Slices, signals, cancel
for what, script in SCRIPTS.items():
    before = int(stats(s)["slices"])
    pid = child(lambda: 0 if ask(s, script)[0] == "EINTR" else 1)  # pylint: disable=cell-var-from-loop
    check(soon(lambda: int(stats(s)["slices"]) > before + 3), what + " is sliced")  # pylint: disable=cell-var-from-loop
    os.kill(pid, signal.SIGKILL)
    equal(ended(pid), -signal.SIGKILL, "and ended by a signal")
    pid = child(lambda: 0 if ask(s, script)[0] == "EINTR" else 1)  # pylint: disable=cell-var-from-loop
    soon(lambda: stats(s)["status"] == "running")
    time.sleep(0.1)
    ctl("cancel %s\n" % s)
    equal(ended(pid), 0, "and by cancel")

# Budgets
LOOPS = "function() debug.sethook(function() while true do end end, 'l')\nlocal x = 1\nx = 2 end"
like(ask(s, "lunatik.atomic(%s)" % LOOPS)[1], "time budget exceeded", "a hook in lunatik.atomic has its budget")
equal(execute(s, "setmetatable({}, {__gc = function() debug.sethook(function() called = true end, '', 1) local x = 1 debug.sethook() finished = true end}) "
                 "collectgarbage() return called, finished"), "nil\ttrue", "no hook runs in __gc, as in Lua")
like(ask(s, "debug.sethook(function() timer.sleep(1) end, 'l')\nlocal x = 1")[1], "cannot wait here", "a hook cannot wait")
equal(execute(s, "local n = 0 debug.sethook(function() n = n + 1 end, '', 100) local co = coroutine.wrap(function() for i = 1, 1e4 do end end) co() debug.sethook() return n < 50"),
      "true", "a coroutine has a hook of its own")
module = "/lib/modules/lua/%s.lua" % PREFIX
os.makedirs(os.path.dirname(module), exist_ok=True)
with open(module, "w") as f:
    f.write("return 'read'\n")
equal(ask(s, "local got debug.sethook(function() debug.sethook() got = require('%s') end, 'l')\nlocal x = 1\nreturn got" % PREFIX)[1],
      "read", "a hook may load a module while the writer waits")
os.unlink(module)
equal(execute(s, "for i = 1, 200 do debug.sethook(coroutine.create(print), function() end, 'l') end collectgarbage() return 'alive'"),
      "alive", "hooks of coroutines that are gone go with them")
equal(execute(s, "return debug.gethook()"), "nil\t\t0", "nothing is left")
finished()
