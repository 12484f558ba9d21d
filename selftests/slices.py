#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""No script hangs: each ends by a signal to its writer, by `cancel` and by `destroy`, wherever it loops; and while it
runs, its state answers, other states work, and the next script waits its turn."""
import os
import pty
import select
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

plan(111)
LOOP = "while true do end"
PATIENCE = 30  # seconds in which what must end has to end, on a busy machine as well


class Writer:
    """A process that writes one request and reports how that ended; SIGINT and its like are handled there, or as said."""

    def __init__(self, name, script, flags=0, disposition="handle"):
        self.name = name
        self.out, into = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
                if disposition == "handle":
                    signal.signal(number, lambda *_: None)
                elif disposition == "ignore":
                    signal.signal(number, signal.SIG_IGN)
                elif disposition == "block":
                    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
                else:
                    signal.signal(number, signal.SIG_DFL)
            fd = os.open(CTL, os.O_RDWR | flags)
            got = raw_write(fd, b"run %s %d\n%s" % (name.encode(), len(script), script.encode()))
            os.write(into, ("%s\n%s" % (got if isinstance(got, str) else "done", read_all(fd))).encode())
            os._exit(0)
        os.close(into)

    def kill(self, number):
        os.kill(self.pid, number)

    def result(self, seconds=PATIENCE):
        """("done" or the name of the errno, reply); (None, ...) when it still runs or was killed."""
        ready, _, _ = select.select([self.out], [], [], seconds)
        if not ready:
            return None, "still running"
        text = read_all(self.out)
        os.close(self.out)
        os.waitpid(self.pid, 0)
        first, _, reply = text.partition("\n")
        return first or None, reply


def running(name):
    return stats(name)["status"] == "running"


def under_way(name, breaks=3):
    """True when a script runs and has been broken a few times since this was first asked for it."""
    now = stats(name)
    if now["status"] != "running":
        first.pop(name, None)
        return False
    return int(now["slices"]) >= first.setdefault(name, int(now["slices"])) + breaks


first = {}


def start(name, script=LOOP, **how):
    """A writer whose script runs."""
    first.pop(name, None)
    writer = Writer(name, script, **how)
    if not soon(lambda: under_way(name), PATIENCE):
        diag("the script did not start: " + script)
    return writer


def works(name, what):
    equal(execute(name, "return 1 + 1"), "2", what)


s, other = new_state(), new_state()

# --- signals ---

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    writer = start(s)
    writer.kill(number)
    result, reply = writer.result()
    equal((result, reply.split("\n")[0]), ("EINTR", "%s/run:1: interrupted" % s), "%s, handled: EINTR" % number.name)
    works(s, "and the state works")
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
    writer = start(s, disposition="default")
    writer.kill(number)
    equal(ended(writer.pid, PATIENCE), -number, "%s, not handled: the writer dies" % number.name)
    check(soon(lambda: not running(s)), "and its script ends")
works(s, "the state works")
for disposition, how in (("ignore", "ignored"), ("block", "blocked")):
    writer = start(s, disposition=disposition)
    writer.kill(signal.SIGINT)
    equal(writer.result(0.5)[0], None, "SIGINT, %s: the script goes on" % how)
    ctl("cancel %s\n" % s)
    equal(writer.result()[0], "EINTR", "until it is cancelled")
writer = start(s)
writer.kill(signal.SIGUSR1)
equal(writer.result(0.5)[0], None, "another handled signal does not end it")
writer.kill(signal.SIGINT)
equal(writer.result()[0], "EINTR", "SIGINT then does")

# --- programs as they are ---

done = subprocess.Popen(["bash", "-c", "echo 'execute %s %s' > %s; echo status $?" % (s, LOOP, CTL)], stdout=subprocess.PIPE, text=True)
soon(lambda: running(s))
done.send_signal(signal.SIGINT)
said = done.communicate(timeout=PATIENCE)[0]
check(done.returncode in (-signal.SIGINT, 130) or said == "status 1\n", "bash -c ends by SIGINT", "%r %r" % (done.returncode, said))
check(soon(lambda: not running(s)), "and its script")
done = subprocess.Popen([sys.executable, "-c", "import os\nfd = os.open(%r, os.O_RDWR)\ntry: os.write(fd, b'execute %s %s\\n')\nexcept KeyboardInterrupt: print('caught')" % (CTL, s, LOOP)],
                        stdout=subprocess.PIPE, text=True)
soon(lambda: running(s))
done.send_signal(signal.SIGINT)
equal(done.communicate(timeout=PATIENCE)[0], "caught\n", "Python ends by SIGINT with KeyboardInterrupt")
path = "/tmp/%s.lua" % s
with open(path, "w") as f:
    f.write("runs = (runs or 0) + 1 " + LOOP)
for number, name in ((signal.SIGINT, "INT"), (signal.SIGTERM, "TERM"), (signal.SIGKILL, "KILL")):
    execute(s, "runs = 0")
    done = subprocess.Popen(["bash", "-c", "exec cat %s > %s" % (path, code(s))], stderr=subprocess.DEVNULL)
    first.pop(s, None)
    soon(lambda: under_way(s))
    done.send_signal(number)
    equal(done.wait(PATIENCE), -number, "cat > code dies of SIG%s" % name)
    check(soon(lambda: not running(s)), "its script ends")
    time.sleep(0.1)
    equal(execute(s, "return runs"), "1", "and ran once")
os.unlink(path)

# An interactive shell on a terminal: the signal comes from the line discipline, and the shell handles it.
pid, tty = pty.fork()
if pid == 0:
    os.environ.update(PS1="$ ", LC_ALL="C")
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])


def typed(text, wanted, seconds=PATIENCE):
    """Types; true when the terminal shows what is wanted."""
    os.write(tty, text)
    seen, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([tty], [], [], 0.2)[0]:
            seen += os.read(tty, 4096)
            if re.search(wanted, seen):
                return True
    diag("the terminal shows %r" % seen)
    return False


typed(b"", rb"\$ $")
os.write(tty, b"echo 'execute %s %s' > %s\n" % (s.encode(), LOOP.encode(), CTL.encode()))
check(soon(lambda: running(s)), "an interactive shell's echo hangs in a loop")
os.write(tty, b"\x03")
check(soon(lambda: not running(s)), "Ctrl-C ends it")
check(typed(b"echo a''live $?\n", rb"alive (1|130)\b"), "and the shell lives, with the status of a failure")
os.write(tty, b"cat > %s\n" % code(s).encode())
soon(lambda: os.tcgetpgrp(tty) != pid)  # until the terminal is cat's
os.write(tty, LOOP.encode() + b"\n\x04")
check(soon(lambda: running(s)), "a script typed into cat hangs")
os.write(tty, b"\x03")
check(soon(lambda: not running(s)), "Ctrl-C ends it")
check(typed(b"echo still a''live\n", rb"still alive"), "and the shell lives")
os.write(tty, b"exit\n")
check(ended(pid, PATIENCE) is not None, "it exits")
works(s, "the state works")

# --- cancel, wherever it loops ---

for what, script in (
        ("a loop", LOOP),
        ("repeat until false", "repeat until false"),
        ("goto", "::a:: goto a"),
        ("for to infinity", "for i = 1, math.huge do end"),
        ("tail calls", "local function f() return f() end f()"),
        ("recursion by pcall", "local function f() pcall(f) return f() end f()"),
        ("a loop that swallows errors", "while true do pcall(error) end"),
        ("loops in pcall in a loop", "while true do pcall(function() while true do end end) end"),
        ("handlers that loop", "while true do xpcall(error, function() while true do end end) end"),
        ("handlers that call xpcall", "local function h(m) xpcall(error, h, m) error(m) end xpcall(error, h, 'x')"),
        ("a sort comparator", "table.sort({3, 2, 1}, function() while true do end end)"),
        ("an endless sort", "local t = {} for i = 1, 500 do t[i] = i end while true do table.sort(t, function(a, b) return (a * 7) % 13 < (b * 7) % 13 end) end"),
        ("a gsub callback", "return (('x'):gsub('x', function() while true do end end))"),
        ("an index function", "local t = setmetatable({}, {__index = function() while true do end end}) return t.x"),
        ("a comparison", "local m = {__lt = function() while true do end end} return setmetatable({}, m) < setmetatable({}, m)"),
        ("a concatenation", "return setmetatable({}, {__concat = function() while true do end end}) .. 'x'"),
        ("a coroutine", "coroutine.wrap(function() while true do end end)()"),
        ("coroutines that come and go", "while true do coroutine.wrap(function() coroutine.yield() end)() end"),
        ("a generator", "for _ in coroutine.wrap(function() while true do coroutine.yield(1) end end) do end"),
        ("a resume that swallows errors", "while true do coroutine.resume(coroutine.create(function() while true do end end)) end"),
        ("a load reader", "load(function() while true do end end)"),
        ("endless source", "load(function() return ' ' end)"),
        ("a __tostring of a result", "return setmetatable({}, {__tostring = function() while true do end end})"),
        ("a __tostring of an error", "error(setmetatable({}, {__tostring = function() while true do end end}))"),
        ("a pathological pattern", "return (('a'):rep(40)):find(('a*'):rep(20) .. 'b')"),
        ("a long plain search", "local s = ('a'):rep(20000) while true do s:find(('a'):rep(5000) .. 'b', 1, true) end"),
        ("failing allocations", "while true do pcall(string.rep, 'x', 1e9) end"),
        ("full collections", "while true do collectgarbage() end"),
        ("table.concat", "local t = {} for i = 1, 1000 do t[i] = 'x' end while true do table.concat(t) end"),
        ("an endless iterator", "for _ in function() return 1 end do end"),
        ("prints", "local n = 0 while true do n = n + 1 if n % 1000 == 0 then print(n) end end"),
):
    writer = start(s, script)
    ctl("cancel %s\n" % s)
    result, reply = writer.result()
    if not equal(result, "EINTR", "cancel ends " + what):
        diag(reply)
        if result is None:
            writer.kill(signal.SIGKILL)
works(s, "the state works after all of them")
writer = start(s)
ctl("cancel %s\n" % s)
equal(writer.result()[1].split("\n")[0], "%s/run:1: cancelled" % s, "the reply says what ended it")

# --- what goes on meanwhile ---

writer = start(s)
began = time.monotonic()
equal(execute(other, "local n = 0 for i = 1, 1000 do n = n + i end return n"), "500500", "another state runs")
check(curralloc(s) > 0, "curralloc of this state is read")
check(s in states(), "list answers")
equal(stats(s)["status"], "running", "stats answers")
with open("%s/%s/maxalloc" % (SYS, s), "w") as f:
    f.write("128K")
equal(slurp("%s/%s/maxalloc" % (SYS, s)), "131072\n", "maxalloc is set")
equal(slurp(code(s)) is not None, True, "code is opened and read")
equal(load(other, "return 'loaded'"), None, "another state is loaded")
equal(ctl("create %s.x\ndestroy %s.x\n" % (s, s)), "", "states come and go")
spent = time.monotonic() - began
check(spent < PATIENCE, "all within %d seconds" % PATIENCE, spent)
equal(Writer(s, "return 1", flags=os.O_NONBLOCK).result()[0], "EAGAIN", "a run with O_NONBLOCK: EAGAIN")
fd = os.open(CTL, os.O_RDWR | os.O_NONBLOCK)
equal(raw_write(fd, b"execute %s return 1\n" % s.encode()), "EAGAIN", "an execute with O_NONBLOCK: EAGAIN")
equal(read_all(fd), "a script is running in this state\n", "its reply says why")
os.close(fd)
fd = os.open(code(s), os.O_WRONLY | os.O_NONBLOCK)
os.write(fd, b"nonblocking = true")
equal(raw_close(fd), "EAGAIN", "the close of code with O_NONBLOCK: EAGAIN")

# --- the next script waits its turn ---

execute(other, "order = ''")
leader = start(other, "order = order .. 'a' local n = 0 while not go do n = n + 1 end order = order .. 'b'")
second = Writer(other, "order = order .. 'c'")
third = Writer(other, "order = order .. 'd'", disposition="default")
equal(second.result(0.5)[0], None, "a second script waits")
third.kill(signal.SIGKILL)
equal(ended(third.pid, PATIENCE), -signal.SIGKILL, "one that waits can be killed")
ctl("cancel %s\n" % other)
equal((leader.result()[0], second.result()[0]), ("EINTR", "done"), "when the first is cancelled, the second runs")
equal(execute(other, "return order"), "ac", "in this order, and the killed one never did")
equal(writer.result(0)[0], None, "the other state's loop was not touched by that cancel")
writer.kill(signal.SIGINT)
equal(writer.result()[0], "EINTR", "it ends by its own signal")
equal(execute(s, "return nonblocking"), "nil", "what was refused has not run")

# --- a computation is not disturbed ---

results = [Writer(name, "local n = 0 for i = 1, 300000 do n = n + i end return n, lunatik.name()") for name in (s, other, s)]
equal([w.result(200) for w in results], [("done", "45000150000\t%s\n" % name) for name in (s, other, s)], "long scripts side by side come to their results")
now = stats(s)
check(int(now["slices"]) > 10, "slices are counted", now)
check(0 < int(now["longest_hold_ns"]) < 10 ** 10, "the longest hold is measured", now)
diag("longest hold of the lock, with everything above: %d us" % (int(now["longest_hold_ns"]) // 1000))

# --- what cannot be sliced has a budget ---

before = int(stats(s)["overruns"])
result = ask(s, "setmetatable({}, {__gc = function() while true do end end}) collectgarbage() return 'went on'")
check(result == (None, "went on") or "time budget exceeded" in result[1], "a finalizer that loops is ended", result)
check(int(stats(s)["overruns"]) > before, "and counted")
works(s, "the state works")
before = int(stats(s)["overruns"])
result = ask(s, "lunatik.atomic(function() while true do end end)")
equal((result[0], "time budget exceeded" in result[1]), ("EINVAL", True), "lunatik.atomic that loops is ended")
check(int(stats(s)["overruns"]) > before, "and counted")
equal(ask(s, "return lunatik.atomic(function(a, b) return a + b, 'x' end, 1, 2)"), (None, "3\tx"), "lunatik.atomic gives its results")
result = ask(s, "local ok, why = pcall(lunatik.atomic, function() error('mine', 0) end) return ok, why")
equal(result, (None, "false\tmine"), "and its errors")
like(ask(s, "local function inner() error('deep') end lunatik.atomic(function() inner() end)")[1],
     r"deep\nstack traceback:(?s:.*)'inner'", "the traceback shows what it called")
before = int(stats(s)["slices"])
ask(s, "pcall(lunatik.atomic, error) local n = os.clock() while os.clock() < n + 0.05 do end")
check(int(stats(s)["slices"]) > before, "after an error in it breaks go on")
equal(ask(s, "local n = 0 for i = 1, 200 do lunatik.atomic(function() n = n + 1 end) end return n"), (None, "200"), "200 times")

# --- destroy ---

doomed = new_state()
writer = start(doomed)
waiting = Writer(doomed, "return 1")
time.sleep(0.2)
began = time.monotonic()
ctl("destroy %s\n" % doomed)
check(time.monotonic() - began < PATIENCE, "destroy does not wait for a loop")
equal(writer.result()[0], "EINTR", "the writer in it gets EINTR")
equal(waiting.result()[0], "ENOENT", "one that waited gets ENOENT")
check(doomed not in states(), "the state is gone")

finished()
