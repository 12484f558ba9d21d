#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Waiting: to a script nothing happened, wherever it waits; where it cannot it says so; a script that waits is not busy,
its writer goes on, and cancel, destroy and death of the writer find it."""
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

PATIENCE = 20  # seconds in which what must come has to come

# W waits. Each script must leave the same text in `out` as when W does nothing.
SAME = (
    ("the main chunk", "W() out = 'done'"),
    ("values around a wait", "local a, b = 1, 'x' W() local t = {a, b} W() out = t[1] .. t[2] .. #t"),
    ("results of a function that waits", "local function f(...) W() return ... end out = table.concat({f(1, 2, 3)}, ' ')"),
    ("a tail call", "local function f(n) W() if n == 0 then return 'end' end return f(n - 1) end out = f(5)"),
    ("an iterator", "local n = 0 for i in function(_, i) W() i = (i or 0) + 1 if i < 5 then return i end end do n = n + i end out = n"),
    ("pcall", "out = tostring(pcall(function() W() return 1 end))"),
    ("an error after a wait, in pcall", "local ok, e = pcall(function() W() error('x') end) out = tostring(ok) .. e"),
    ("an error object", "local t = {} local ok, e = pcall(function() W() error(t) end) out = tostring(e == t)"),
    ("xpcall", "local ok, e = xpcall(function(a) W() error(a) end, function(m) return 'handled ' .. m end, 'x') out = e"),
    ("pcall in pcall", "out = select('#', pcall(pcall, function() W() return 1, 2 end))"),
    ("status within", "local co co = coroutine.create(function() W() out = coroutine.status(co) W() end) coroutine.resume(co) out = out .. coroutine.status(co)"),
    ("isyieldable", "W() out = tostring(coroutine.isyieldable()) coroutine.wrap(function() W() out = out .. tostring(coroutine.isyieldable()) end)()"),
    ("running", "W() local _, main = coroutine.running() out = tostring(main) coroutine.wrap(function() W() local _, main = coroutine.running() out = out .. tostring(main) end)()"),
    ("a coroutine knows itself", "local co co = coroutine.create(function() W() return coroutine.running() == co end) local _, same = coroutine.resume(co) out = tostring(same)"),
    ("resume: its arguments and results", "local co = coroutine.create(function(a, b) W() local c = coroutine.yield(a + b) W() return c, 'last' end)"
     " local _, x = coroutine.resume(co, 1, 2) local _, y, z = coroutine.resume(co, 'c') out = x .. y .. z .. tostring(coroutine.resume(co))"),
    ("yield of many values", "local co = coroutine.wrap(function(...) W() local n = select('#', coroutine.yield(...)) W() return n end) local n = select('#', co(table.unpack({}, 1, 50))) out = n .. ' ' .. co(table.unpack({}, 1, 60))"),
    ("a generator", "local s = '' for i in coroutine.wrap(function() for i = 1, 5 do W() coroutine.yield(i) end end) do W() s = s .. i end out = s"),
    ("ten coroutines deep", "local function f(n) if n == 0 then W() return 'deep' end return coroutine.wrap(f)(n - 1) end out = f(10)"),
    ("deep yields", "local function f(n) if n == 0 then for i = 1, 3 do W() coroutine.yield(i) end return 'end' end"
     " local co = coroutine.wrap(f) for i = 1, 3 do coroutine.yield(co(n - 1)) W() end return 'end' end local co = coroutine.wrap(f) out = co(3) .. co() .. co()"),
    ("an error in a coroutine", "local co = coroutine.create(function() W() error('x') end) local ok, e = coroutine.resume(co) out = tostring(ok) .. e .. coroutine.status(co) .. select(2, coroutine.resume(co))"),
    ("an error in wrap", "local ok, e = pcall(coroutine.wrap(function() W() error('x') end)) out = e"),
    ("an error in wrap in wrap", "local ok, e = pcall(coroutine.wrap(function() coroutine.wrap(function() W() error({}, 1) end)() end)) out = type(e)"),
    ("a C function as a coroutine", "local co = coroutine.create(W) out = tostring(coroutine.resume(co)) .. coroutine.status(co)"),
    ("pcall as a coroutine", "local co = coroutine.create(pcall) local ok, e, m = coroutine.resume(co, function() W() error('x', 0) end) out = tostring(ok) .. tostring(e) .. m"),
    ("wrap in pcall in wrap", "out = coroutine.wrap(function() local ok, v = pcall(coroutine.wrap(function() W() local v = coroutine.yield(7) end)) return v end)()"),
    ("two coroutines in turn", "local s = '' local function f(n) return function() for i = 1, 3 do W() s = s .. n coroutine.yield() end end end"
     " local a, b = coroutine.wrap(f('a')), coroutine.wrap(f('b')) for i = 1, 3 do a() b() end out = s"),
    ("metamethods that the language calls", "local m = {} for _, e in ipairs{'add', 'sub', 'mul', 'div', 'mod', 'pow', 'idiv', 'band', 'bor', 'bxor', 'shl', 'shr', 'concat', 'index', 'call'} do m['__' .. e] = function() W() return e end end"
     " m.__unm = function() W() return 'unm' end m.__len = function() W() return 'len' end m.__bnot = function() W() return 'bnot' end"
     " m.__eq = function() W() return true end m.__lt = function() W() return true end m.__le = function() W() return false end"
     " local t, u = setmetatable({}, m), setmetatable({}, m)"
     " out = table.concat({t + u, t - u, t * u, t / u, t % u, t ^ u, t // u, t & u, t | u, t ~ u, t << u, t >> u, t .. u, t.x, t(), -t, #t, ~t, tostring(t == u), tostring(t < u), tostring(t <= u)}, ' ')"),
    ("__newindex", "local t = setmetatable({}, {__newindex = function(t, k, v) W() rawset(t, k, v .. v) end}) t.x = 'a' out = t.x"),
    ("a chain of concatenations", "local t = setmetatable({}, {__concat = function(a, b) W() return (type(a) == 'table' and 't' or a) .. (type(b) == 'table' and 't' or b) end}) out = 'a' .. t .. 'b' .. t .. 'c'"),
    ("__index chains", "local t = {} for i = 1, 5 do local u = t t = setmetatable({}, {__index = function(_, k) W() return u[k] or k end}) end out = t.deep"),
    ("a comparison that decides", "local t = setmetatable({}, {__lt = function() W() return false end, __le = function() W() return true end}) out = '' if t < t then out = 'lt' end if t <= t then out = out .. 'le' end if not (t > t) then out = out .. 'gt' end"),
    ("upvalues and closures", "local fs = {} for i = 1, 3 do local n = i W() fs[i] = function() n = n + 1 return n end end W() out = fs[1]() .. fs[2]() .. fs[3]() .. fs[1]()"),
    ("varargs", "local function f(...) local a = select('#', ...) W() local b, c = ... W() return a, b, c, ... end out = table.concat({f(1, 2, 3)}, ' ')"),
    ("goto", "local n = 0 ::a:: W() n = n + 1 if n < 4 then goto a end out = n"),
    ("a numeric for of doubles", "local s = 0 for x = 0.5, 2.5, 0.5 do W() s = s + x end out = s"),
    ("many results through wait", "local function f(n) W() if n == 0 then return end return n, f(n - 1) end out = select('#', f(20))"),
    ("a hook of the user's", "local n = 0 debug.sethook(function() n = n + 1 end, 'c') W() debug.sethook() out = tostring(n > 0)"),
    ("a traceback", "local co = coroutine.create(function() W() coroutine.yield() end) coroutine.resume(co) out = (debug.traceback(co):gsub('%[C%]: in [^\\n]*', 'C'))"),
    ("garbage while it waits", "local t = {} for i = 1, 50 do t[i] = {i} end for i = 1, 3 do collectgarbage() W() end local n = 0 for _, v in ipairs(t) do n = n + v[1] end out = n"),
    ("a coroutine that nobody else keeps", "local r coroutine.wrap(function() local x = {1} W() collectgarbage() r = x[1] end)() collectgarbage() out = r"),
    ("select of a dead one", "local co = coroutine.create(function() W() end) coroutine.resume(co) out = tostring(select(2, coroutine.resume(co)))"),
    ("a coroutine resumes itself", "local co co = coroutine.create(function() W() return coroutine.resume(co) end) out = table.concat({select(2, coroutine.resume(co))}, ' ', 2)"),
    ("a coroutine resumes its parent", "local p p = coroutine.create(function() local c = coroutine.wrap(function() W() return select(2, coroutine.resume(p)) end) return c() end) out = select(2, coroutine.resume(p))"),
)

# Where a wait does not reach the executor.
CANNOT = (
    ("a sort comparator", "table.sort({3, 2, 1}, function(a, b) timer.sleep(0) return a < b end)"),
    ("a gsub callback", "return (('x'):gsub('x', function() timer.sleep(0) end))"),
    ("a coroutine in a gsub callback", "return (('x'):gsub('x', coroutine.wrap(function() timer.sleep(0) end)))"),
    ("a coroutine in a coroutine in one", "return (('x'):gsub('x', function() return coroutine.wrap(function() coroutine.wrap(timer.sleep)(0) end)() end))"),
    ("a load reader", "assert(load(function() timer.sleep(0) end))"),
    ("__tostring", "return tostring(setmetatable({}, {__tostring = function() timer.sleep(0) end}))"),
    ("__tostring of a result", "return setmetatable({}, {__tostring = function() timer.sleep(0) end})"),
    ("a table.concat by __index", "return table.concat(setmetatable({}, {__index = function() timer.sleep(0) end}), '', 1, 1)"),
    ("lunatik.atomic", "lunatik.atomic(timer.sleep, 0)"),
    ("a coroutine in lunatik.atomic", "lunatik.atomic(coroutine.wrap(timer.sleep), 0)"),
    ("a message handler", "local _, e = xpcall(error, function() return select(2, pcall(timer.sleep, 0)) end) error(e, 0)"),
    ("a hook", "local e debug.sethook(function() debug.sethook() e = select(2, pcall(timer.sleep, 0)) end, 'l')\nlocal x = 1\nerror(e, 0)"),
)
plan(len(SAME) * 2 + len(CANNOT) * 2 + 78)


def done(name):
    return stats(name)["status"] not in ("waiting", "running")


def outcome(wait, script):
    """What the script leaves in `out`, or its error."""
    name = new_state(128 << 10)
    result, reply = ask(name, "W = %s out = 'nothing' %s" % (wait, script), "=s")
    if result is not None:
        said = reply
    elif not soon(lambda: done(name), PATIENCE):
        said = "does not end"
    else:
        said = execute(name, "return out")
        if stats(name)["status"] == "failed":
            said = slurp(code(name))
    ctl("destroy %s\n" % name)
    return said


# --- nothing happened ---

for what, script in SAME:
    wanted = outcome("function() end", script)
    equal(outcome("function() timer.sleep(0.001) end", script), wanted, "to %s nothing happened" % what)
    check(wanted not in ("nothing", "does not end"), "and that is: %r" % wanted[:50])

# --- cannot wait here ---

s = new_state(128 << 10)
for what, script in CANNOT:
    result, reply = ask(s, script)
    equal((result, "cannot wait here" in reply.split("\n")[0]), ("EINVAL", True), "%s cannot wait" % what)
    equal(stats(s)["status"], "idle", "and nothing is left waiting")
got = ask(s, "local co = coroutine.wrap(function() coroutine.yield(1) timer.sleep(0.001) out = 'slept' end) local x = (('x'):gsub('x', co)) co()")
check(got[0] is None and soon(lambda: execute(s, "return out") == "slept", PATIENCE), "a coroutine that could not wait there can elsewhere", got)
ask(s, "out = nil setmetatable({}, {__gc = function() out = select(2, pcall(timer.sleep, 0)) end}) collectgarbage()")
like(execute(s, "return out"), "cannot wait here", "a finalizer cannot wait")
for argument, why in (("'x'", "number expected, got string"), ("", "number expected, got no value"), ("0/0", "not a time"), ("{}", "number expected, got table")):
    like(ask(s, "timer.sleep(%s)" % argument)[1], r"bad argument #1 to 'sleep' \(%s\)" % why, "timer.sleep(%s)" % argument)

# --- a coroutine that waits, seen by others ---

execute(s, "co = coroutine.create(function() timer.sleep(30) end) timer.timeout(0, function() coroutine.resume(co) end)")
check(soon(lambda: stats(s)["status"] == "waiting", PATIENCE), "a callback waits in a coroutine")
equal(execute(s, "return coroutine.status(co)"), "normal", "to other scripts its status is normal")
equal(execute(s, "return coroutine.resume(co)"), "false\tcannot resume non-suspended coroutine", "and they cannot resume it")
equal(execute(s, "return pcall(coroutine.wrap(function() return coroutine.resume(co) end))"), "true\tfalse\tcannot resume non-suspended coroutine", "nor from a coroutine")
like(execute(s, "return debug.traceback(co)"), r"\[C\]: in (field|function) '(timer\.)?sleep'", "its traceback shows where it waits")
ctl("cancel %s\n" % s)
check(soon(lambda: done(s), PATIENCE), "cancel ends it")
equal(execute(s, "return coroutine.status(co)"), "dead", "then it is dead")

# --- how long ---

for seconds in (0.0001, 0.0005, 0.01, 0.1, 0.3):
    ask(s, "local t = os.clock and nil took = nil timer.sleep(%s) took = true" % seconds)
    began = time.monotonic()
    check(soon(lambda: execute(s, "return took") == "true", PATIENCE), "sleep(%s) ends" % seconds)
began = time.monotonic()
ask(s, "took = nil timer.sleep(0.3) took = true")
early = execute(s, "return took")
soon(lambda: execute(s, "return took") == "true", PATIENCE)
spent = time.monotonic() - began
check(early == "nil" and 0.3 <= spent < PATIENCE / 2, "sleep(0.3) takes 0.3 s and no day", spent)
began = time.monotonic()
ask(s, "took = nil for i = 1, 100 do timer.sleep(0.0002) end took = true")
soon(lambda: execute(s, "return took") == "true", PATIENCE)
spent = time.monotonic() - began
check(0.02 <= spent < PATIENCE / 2, "a hundred times 0.2 ms take 20 ms and no day", spent)
for seconds in ("0", "-1", "-1e300", "1e-12"):
    ask(s, "took = nil timer.sleep(%s) took = true" % seconds)
    check(soon(lambda: execute(s, "return took") == "true", PATIENCE), "sleep(%s) ends at once" % seconds)
for seconds in ("1e9", "1e300", "math.huge"):
    ask(s, "took = nil timer.sleep(%s) took = true" % seconds)
    time.sleep(0.05)
    check(stats(s)["status"] == "waiting" and execute(s, "return took") == "nil", "sleep(%s) does not" % seconds)
    ctl("cancel %s\n" % s)
    soon(lambda: done(s), PATIENCE)

# --- the writer goes on, the script is not busy ---

began = time.monotonic()
equal(ask(s, "before = true timer.sleep(1.5) after = true return 'lost'"), (None, ""), "the writer returns at the first wait, with no result")
check(time.monotonic() - began < 1.5, "before the wait is over", time.monotonic() - began)
equal(stats(s)["status"], "waiting", "status: waiting")
equal(execute(s, "return before, after"), "true\tnil", "the next script runs meanwhile")
equal(load(s, "return 'by code'"), None, "by code as well")
equal(ask(s, "timer.sleep(0.01) second = true")[0], None, "and another one waits beside it")
check(soon(lambda: execute(s, "return second") == "true", PATIENCE), "it ends first")
equal(execute(s, "return after"), "nil", "while the first still waits")
check(soon(lambda: execute(s, "return after") == "true", PATIENCE), "which ends in its time")
check(soon(lambda: done(s)), "then nothing waits")
before = int(stats(s)["events"])
ask(s, "for i = 1, 5 do timer.sleep(0.001) end took = 5")
soon(lambda: execute(s, "return took") == "5", PATIENCE)
equal(int(stats(s)["events"]) - before, 5, "five waits are five events")
fd = os.open(code(s), os.O_RDWR)
os.write(fd, b"timer.sleep(0.01) error('late')")
equal(error_of(os.fsync, fd), None, "a code script that waits has not failed yet")
os.close(fd)
log = Log()
check(soon(lambda: "late" in slurp(code(s)), PATIENCE), "its error is kept for the reader of code")
like(slurp(code(s)), r"^%s/code:1: late\nstack traceback:\n\t\[C\]: in function 'error'" % re.escape(s), "with a traceback")
now = stats(s)
equal((now["status"], now["script"]), ("failed", s + "/event"), "stats tells of it")
equal(execute(s, "return 1 + 1"), "2", "and the state lives")
log = Log()
ask(s, "timer.sleep(0.001) error('for the log')")
check(soon(lambda: any(line.endswith("for the log") for line in log.lines()), PATIENCE), "it is in the kernel log")

# --- the writer is killed ---


def writes(script):
    fd = os.open(CTL, os.O_WRONLY)
    os.write(fd, b"run %s %d\n%s" % (s.encode(), len(script), script.encode()))
    time.sleep(60)


pid = child(writes, "after = nil waits = true timer.sleep(0.4) after = true")
soon(lambda: stats(s)["status"] == "waiting", PATIENCE)
os.kill(pid, signal.SIGKILL)
equal(ended(pid), -signal.SIGKILL, "a writer is killed after the first wait")
check(soon(lambda: execute(s, "return after") == "true", PATIENCE), "its script goes on")
pid = child(writes, "after = nil go = nil while not go do end timer.sleep(0.001) after = true")
soon(lambda: stats(s)["status"] == "running", PATIENCE)
os.kill(pid, signal.SIGKILL)
equal(ended(pid), -signal.SIGKILL, "a writer is killed before the first wait")
check(soon(lambda: done(s)), "its script ends")
equal(execute(s, "return after"), "nil", "and has not waited")

# --- cancel ---

SWALLOWS = (
    ("sleeps", "timer.sleep(60)"),
    ("sleeps in a coroutine", "coroutine.wrap(function() timer.sleep(60) end)() timer.sleep(60)"),
    ("swallows the error and sleeps", "pcall(timer.sleep, 60) timer.sleep(60)"),
    ("swallows it again and again", "while true do pcall(timer.sleep, 60) end"),
    ("swallows it in coroutines", "while true do coroutine.resume(coroutine.create(function() timer.sleep(60) end)) end"),
    ("swallows it deeper and deeper", "local function f() pcall(timer.sleep, 60) return f() end f()"),
    ("sleeps in the handler of the error", "xpcall(timer.sleep, function() pcall(timer.sleep, 60) end, 60) timer.sleep(60)"),
    ("loops after it", "pcall(timer.sleep, 60) while true do end"),
)
for what, script in SWALLOWS:
    name = new_state()
    ask(name, script)
    soon(lambda: stats(name)["status"] == "waiting", PATIENCE)
    ctl("cancel %s\n" % name)
    if check(soon(lambda: done(name), PATIENCE), "cancel ends what " + what, stats(name)):
        like(slurp(code(name)), "cancelled", "and says so")
    else:
        ctl("destroy %s\n" % name)
        check(False, "and says so")
# --- destroy ---

for what, script in SWALLOWS:
    name = new_state()
    ask(name, script)
    began = time.monotonic()
    ctl("destroy %s\n" % name)
    check(time.monotonic() - began < PATIENCE and not os.path.exists(code(name)), "destroy ends what " + what)

# --- many ---

name = new_state(1 << 20)
WAITERS = 600
wanted = "n = 0 made = 0 for i = 1, %d do timer.timeout(0, function() made = made + 1 timer.sleep(3) n = n + 1 end) end" % WAITERS
got = ask(name, wanted)
equal(got[0], None, "%d callbacks in 1 MiB" % WAITERS)
check(soon(lambda: execute(name, "return made") == str(WAITERS), 60), "all wait", execute(name, "return made"))
diag("a waiting callback takes %d bytes" % ((curralloc(name) - curralloc(s)) // WAITERS))
check(soon(lambda: execute(name, "return n") == str(WAITERS), 60), "all go on", execute(name, "return n"))
equal(int(stats(name)["errors"]), 0, "without an error")
execute(name, "collectgarbage() collectgarbage()")
check(curralloc(name) < 400 << 10, "and leave nothing behind", curralloc(name))

finished()
