#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The timer library: create and destroy as in NFLua, sleep, timeout, loop and close as in node-lua; the order in which
callbacks come, their errors, and what ends them."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

plan(95)
PATIENCE = 20  # seconds in which what must come has to come
s = new_state(128 << 10)


def becomes(chunk, wanted, text, seconds=PATIENCE):
    """Waits until a chunk returns what it should."""
    soon(lambda: execute(s, "return " + chunk) == wanted, seconds)
    return equal(execute(s, "return " + chunk), wanted, text)


def stays(chunk, wanted, text, seconds=0.2):
    time.sleep(seconds)
    return equal(execute(s, "return " + chunk), wanted, text)


def timed(script, chunk, wanted):
    """Seconds from before a script until a chunk returns what it should."""
    began = time.monotonic()
    execute(s, script)
    soon(lambda: execute(s, "return " + chunk) == wanted, PATIENCE)
    return time.monotonic() - began


def fails(chunk, pattern, text):
    like(ask(s, chunk)[1].split("\n")[0], pattern, text)


# --- create and destroy ---

equal(execute(s, "n, args = 0 t = timer.create(20, function(...) n = n + 1 args = select('#', ...) end) return type(t)"), "userdata", "create returns a userdata")
like(execute(s, "return t"), "^ltimer: 0x[0-9a-f]+$", "that tostring shows")
becomes("n, args", "1\t0", "its callback is called, with no arguments")
stays("n", "1", "once", 0.1)
equal(execute(s, "return timer.destroy(t)"), "nil\ttimer already destroyed", "destroy afterwards: nil and a message")
equal(execute(s, "n = 0 t = timer.create(100, function() n = n + 1 end) return timer.destroy(t)"), "true", "destroy before it is due: true")
equal(execute(s, "return timer.destroy(t)"), "nil\ttimer already destroyed", "a second destroy: nil and a message")
stays("n", "0", "the callback is not called", 0.3)
execute(s, "t = timer.create(1, function() within = table.pack(timer.destroy(t)) end)")
becomes("within and within[2]", "timer already destroyed", "destroy in its own callback: nil and a message")
execute(s, "n = 0 local u t = timer.create(50, function() n = n + 1 timer.destroy(u) end) u = timer.create(400, function() n = n + 10 end)")
becomes("n", "1", "a callback destroys another timer")
stays("n", "1", "which is not called", 0.6)
spent = timed("t = nil timer.create(100, function() t = 'due' end)", "t", "due")
check(0.1 <= spent < 5, "create counts in milliseconds", spent)
for msecs in ("0", "-5", "0.2", "1e-9"):
    execute(s, "n = 0 timer.create(%s, function() n = n + 1 end)" % msecs)
    becomes("n", "1", "create(%s) is due at once" % msecs)
for wrong, got in (("1", "number"), ("nil", "nil"), ("{}", "table"), ("print", "function"), ("'x'", "string")):
    fails("timer.destroy(%s)" % wrong, r"bad argument #1 to 'destroy' \(ltimer expected, got %s\)" % got, "destroy(%s)" % wrong)
fails("timer.destroy()", r"bad argument #1 to 'destroy' \(ltimer expected, got no value\)", "destroy()")
fails("timer.create('x', print)", r"bad argument #1 to 'create' \(number expected, got string\)", "create: no number")
fails("timer.create(1)", r"bad argument #2 to 'create' \(function expected, got no value\)", "create: no function")
fails("timer.create(1, {})", r"bad argument #2 to 'create' \(function expected, got table\)", "create: a table")
fails("timer.create(0/0, print)", r"bad argument #1 to 'create' \(not a time\)", "create: not a number")
execute(s, "n = 0 for i = 1, 20 do timer.create(10 + i, function() n = n + 1 end) end collectgarbage() collectgarbage()")
becomes("n", "20", "timers that nobody keeps are called")
execute(s, "n = 0 t = timer.create(1e15, print)")
equal(execute(s, "return timer.destroy(t)"), "true", "one that is due in thirty thousand years")
equal(execute(s, "local t = timer.create(50, print) return getmetatable(t).__gc, getmetatable(t).__name, timer.destroy(t)"), "nil\tltimer\ttrue", "there is no finalizer to call by hand")

# --- timeout ---

execute(s, "got = nil id = timer.timeout(0.01, 'a', nil, 3, nil, function(...) got = table.pack(...) end)")
equal(execute(s, "return math.type(id)"), "integer", "timeout returns a number")
becomes("got and got.n .. tostring(got[1]) .. tostring(got[2]) .. got[3] .. tostring(got[4])", "4anil3nil", "its callback gets the arguments, nils too")
execute(s, "got = nil timer.timeout(0, function(...) got = select('#', ...) end)")
becomes("got", "0", "timeout(0) is due soon, with no arguments")
spent = timed("got = nil timer.timeout(0.15, function() got = 1 end)", "got", "1")
check(0.15 <= spent < 5, "timeout counts in seconds", spent)
execute(s, "n = 0 id = timer.timeout(0.05, function() n = n + 1 end) timer.close(id)")
stays("n", "0", "close ends a timeout")
equal(execute(s, "return select('#', timer.close(id)), select('#', timer.close(-1)), select('#', timer.close(1 << 62)), select('#', timer.close(0))"), "0\t0\t0\t0", "close ignores unknown numbers and returns nothing")
fails("timer.close('x')", r"bad argument #1 to 'close' \(number expected, got string\)", "close: no number")
fails("timer.close()", r"bad argument #1 to 'close' \(number expected, got no value\)", "close()")
fails("timer.timeout(1)", r"bad argument #\d to 'timeout' \(function expected, got (number|no value)\)", "timeout without a function")
fails("timer.timeout('x', print)", r"bad argument #1 to 'timeout' \(number expected, got string\)", "timeout: no number")
fails("timer.timeout(1, print, 2)", r"bad argument #3 to 'timeout' \(function expected, got number\)", "timeout: the function is not the last")
equal(execute(s, "local seen, same = {}, 0 for i = 1, 100 do local id = timer.timeout(60, print) if seen[id] then same = same + 1 end seen[id] = true timer.close(id) end return same"), "0", "numbers do not come twice")

# --- loop ---

execute(s, "n = 0 id = timer.loop(0.005, 0.002, 'x', function(x) n = n + 1 last = x if n == 10 then timer.close(id) end end)")
becomes("n", "10", "loop calls again and again")
stays("n, last", "10\tx", "until it is closed in its callback; it gets its arguments every time")
spent = timed("n = 0 id = timer.loop(0.2, 0.001, function() n = n + 1 if n == 3 then timer.close(id) end end)", "n", "3")
check(0.2 <= spent < 5, "the first time after its first argument", spent)
spent = timed("n = 0 id = timer.loop(0.001, 0.1, function() n = n + 1 if n == 3 then timer.close(id) end end)", "n", "3")
check(0.2 <= spent < 5, "then every second argument", spent)
execute(s, "n = 0 id = timer.loop(0.001, 0, function() n = n + 1 end)")
becomes("n", "1", "loop(x, 0) calls")
stays("n", "1", "once", 0.05)
equal(execute(s, "return select('#', timer.loop(0, 0, print))"), "0", "loop(0, 0) is nothing")
spent = timed("n = 0 id = timer.loop(0, 0.05, function() n = n + 1 if n == 2 then timer.close(id) end end)", "n", "2")
check(0.1 <= spent < 5, "loop(0, x) begins after x", spent)
fails("timer.loop(1, print)", r"bad argument #2 to 'loop' \(number expected, got function\)", "loop without an interval")
fails("timer.loop(1, 1)", r"bad argument #\d to 'loop' \(function expected, got (number|no value)\)", "loop without a function")
execute(s, "n = 0 id = timer.loop(0.001, 0.001, function() n = n + 1 end)")
soon(lambda: int(execute(s, "return n")) > 5, PATIENCE)
before = execute(s, "timer.close(id) return n")
stays("n", before, "close from a script ends a loop at once", 0.1)
execute(s, "n, deep = 0, 0 id = timer.loop(0.001, 0.001, function() n = n + 1 timer.sleep(0.3) deep = deep + 1 end)")
check(soon(lambda: int(execute(s, "return n")) > 5 and int(execute(s, "return deep")) == 0, 5) or int(execute(s, "return n")) > 5, "ticks come while callbacks wait")
execute(s, "timer.close(id)")
check(soon(lambda: execute(s, "return n == deep") == "true", PATIENCE), "and the callbacks go on to their ends")
execute(s, "n = 0 id = timer.loop(0.02, 0.02, function() n = n + 1 timer.close(id) timer.close(id) id = timer.loop(0.001, 0.001, function() n = n + 100 timer.close(id) end) end)")
becomes("n", "101", "a callback closes its own loop and begins another")

# --- order ---

execute(s, "order = {} for i = 1, 30 do local k = i * 7 % 31 timer.timeout(0.3 + k / 20, k, function(k) order[#order + 1] = k end) end")
becomes("#order", "30", "thirty timers set in disorder")
equal(execute(s, "local bad = 0 for i = 2, #order do if order[i] < order[i - 1] then bad = bad + 1 end end return bad"), "0", "come in the order in which they are due")
execute(s, "order = {} lunatik.atomic(function() for i = 1, 10 do timer.create(30, function() order[#order + 1] = i end) end end)")
becomes("#order == 10 and table.concat(order, ' ')", "1 2 3 4 5 6 7 8 9 10", "equal delays: in the order in which they were set")
execute(s, "order = {} for k, ms in ipairs{40, 20, 30, 10} do if k % 2 == 0 then timer.create(ms, function() order[#order + 1] = ms end) else timer.timeout(ms / 1000, function() order[#order + 1] = ms end) end end")
becomes("table.concat(order, ' ')", "10 20 30 40", "both kinds together")
FAIR = 40
ask(s, "progress, first = {}, nil for i = 1, %d do progress[i] = 0 timer.timeout(0.05, function()"
    " for k = 1, 20 do timer.sleep(0.002) progress[i] = progress[i] + 1 end"
    " if not first then first = {} for j = 1, %d do first[j] = progress[j] end end end) end" % (FAIR, FAIR))
becomes("first ~= nil", "true", "%d coroutines sleep twenty times each" % FAIR)
least = execute(s, "return math.min(table.unpack(first))")
check(int(least) >= 12, "when the first is done none is far behind: %s of 20" % least, execute(s, "return table.concat(first, ' ')"))
becomes("math.min(table.unpack(progress))", "20", "all come to their ends")

# --- while a script runs ---

execute(s, "n = 0 id = timer.loop(0.005, 0.005, function() n = n + 1 end)")
equal(ask(s, "local x = n while n < x + 3 do end return 'seen'"), (None, "seen"), "callbacks come while a script of the same state loops")
execute(s, "timer.close(id)")
equal(ask(s, "local x = 0 local id = timer.loop(0.001, 0.001, function() x = x + 1 end) local c = 0 for i = 1, 200000 do c = c + 1 end timer.close(id) return c"), (None, "200000"), "which loses nothing by it")
equal(ask(s, "c, calls = 0, 0 id = timer.loop(0.0005, 0.0005, function() c = c + 1 calls = calls + 1 end) local mine = 0 while calls < 20 do c = c + 1 mine = mine + 1 end timer.close(id) return c - mine - calls"),
      (None, "0"), "a loop and a callback that count into one variable lose nothing")
got = ask(s, "calls = 0 local id = timer.loop(0.0002, 0.0002, function() calls = calls + 1 end) local bad = 0 while calls < 20 do pcall(lunatik.atomic, function()"
          " local before = calls for j = 1, 100 do end if calls ~= before then bad = bad + 1 end end) end timer.close(id) return bad")
equal(got, (None, "0"), "but they do not come within lunatik.atomic")

# --- errors ---

log = Log()
errors = int(stats(s)["errors"])
execute(s, "n = 0 function broken() error('callback broke') end timer.create(1, function() broken() end)")
check(soon(lambda: "callback broke" in slurp(code(s)), PATIENCE), "the error of a callback is kept for the reader of code")
like(slurp(code(s)), r"^%s/execute:1: callback broke\nstack traceback:\n(.*\n)*.*in function 'broken'" % re.escape(s), "with its traceback")
lines = []
check(soon(lambda: lines.extend(log.lines()) or any("in function 'broken'" in line for line in lines), PATIENCE), "and logged with it", lines)
check(all(line.startswith("lunatik: %s: " % s) for line in lines), "all under the name of the state", lines)
now = stats(s)
equal((now["status"], now["script"], int(now["errors"]) - errors), ("failed", s + "/event", 1), "stats tells of it")
equal(execute(s, "return 1 + 1"), "2", "the state lives")
execute(s, "n = 0 id = timer.loop(0.002, 0.002, function() n = n + 1 if n == 5 then timer.close(id) end error('again ' .. n) end)")
becomes("n", "5", "a loop goes on after an error in its callback")
check(soon(lambda: "again 5" in slurp(code(s))), "the last error is the one that is kept")
execute(s, "timer.create(1, function() error({}) end)")
check(soon(lambda: "(error object is a table value)" in slurp(code(s))), "an error that is no text")
execute(s, "timer.create(1, function() timer.sleep(0.001) error('after a wait') end)")
check(soon(lambda: "after a wait" in slurp(code(s))), "an error after a wait")
execute(s, "timer.create(1, function() return ('x'):rep(1e8) end)")
check(soon(lambda: slurp(code(s)) == "not enough memory\n"), "memory runs out in a callback", slurp(code(s)))
execute(s, "n = 0 timer.create(1, setmetatable({}, {__call = print}).x or function() coroutine.yield() end)")
check(soon(lambda: "attempt to yield from outside a coroutine" in slurp(code(s))), "a callback is no coroutine of the user's")
equal(load(s, "return 'fine'"), None, "a script after that")
equal((slurp(code(s)), stats(s)["status"]), ("fine\n", "idle"), "takes the place of the error")
before = int(stats(s)["events"])
execute(s, "n = 0 for i = 1, 7 do timer.create(1, function() n = n + 1 end) end")
becomes("n", "7", "seven callbacks")
equal(int(stats(s)["events"]) - before, 7, "are seven events")

# --- lines that nobody waits for ---

LINES = 400
storm = new_state(1 << 20)
log = Log()
began = time.monotonic()
execute(storm, "n = 0 for i = 1, %d do timer.create(0, function() n = n + 1 print('storm') end) end" % LINES)
soon(lambda: execute(storm, "return n") == str(LINES), PATIENCE)
took = time.monotonic() - began
time.sleep(1.1)
execute(storm, "timer.create(0, function() print('calm') end)")
lines = []
check(soon(lambda: lines.extend(log.lines()) or any(line.endswith(": calm") for line in lines), PATIENCE), "%d callbacks print a line each" % LINES)
printed = sum(line.endswith(": storm") for line in lines)
dropped = sum(int(line.split()[-3]) for line in lines if line.endswith("lines dropped"))
diag("%d lines printed, %d dropped" % (printed, dropped))
equal(printed + dropped, LINES, "each line is in the log, or counted as dropped")
check((dropped > 0 or LINES < 100 * took) and printed <= 100 * (took + 2), "a hundred a second are", (took, lines[-5:]))

# --- no memory for a callback ---

small = new_state()
execute(small, "n = 0 keep = {} for i = 1, 30 do timer.create(300, function() n = n + 1 end) end")
ask(small, "for _, size in ipairs{4096, 512, 64, 16} do while pcall(function() keep[#keep + 1] = ('x'):rep(size) .. #keep end) do end end")
check(soon(lambda: int(stats(small)["events"]) >= 30, PATIENCE), "thirty timers fall due in a full state", stats(small))
got = ask(small, "keep = nil collectgarbage() return n")
check(got[0] is None and int(got[1]) + int(stats(small)["errors"]) >= 30, "each is called, or counted as an error", (got, stats(small)))
execute(small, "n = 0 timer.create(1, function() n = n + 1 end)")
check(soon(lambda: execute(small, "return n") == "1"), "and the state works")
ask(small, "collectgarbage() collectgarbage()")
used = [curralloc(small)]
for _ in range(2):
    ask(small, "for i = 1, 2000 do pcall(timer.timeout, 1000, type) end")
    ask(small, "for i = 1, 10000 do timer.close(i) end collectgarbage() collectgarbage()")
    used.append(curralloc(small))
check(used[2] <= used[1] + 256, "timers that could not be set leave nothing behind", used)

# --- the end ---

gone = new_state(512 << 10)
execute(gone, "for i = 1, 100 do timer.create(i % 10, function() for j = 1, 100 do end end) timer.loop(0.001, 0.001, function() end) timer.timeout(0.001, function() timer.sleep(100) end) end")
time.sleep(0.02)
equal(error_of(ctl, "destroy %s\n" % gone), None, "a state with hundreds of timers due is destroyed")
execute(s, "n = 0 t = timer.create(200, function() n = n + 1 end)")
ctl("cancel %s\n" % s)
becomes("n", "1", "cancel leaves timers with a callback")
execute(s, "n = 0 timer.create(1, function() n = 1 while true do end end)")
check(soon(lambda: execute(s, "return n") == "1"), "a callback loops")
ctl("cancel %s\n" % s)
check(soon(lambda: "cancelled" in slurp(code(s))), "cancel ends it")
execute(s, "n = 0 timer.create(1, function() n = n + 1 end)")
becomes("n", "1", "and timers go on")
for i in range(20):
    name = new_state()
    execute(name, "for i = 1, 20 do timer.create(i / 5, function() for j = 1, 300 do end end) end")
    time.sleep(0.001 * (i % 5))
    ctl("destroy %s\n" % name)
equal([name for name in states() if name.startswith(PREFIX) and name not in (s, small, storm)], [], "twenty states destroyed while their timers fire")

finished()
