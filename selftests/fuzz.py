#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A fuzzer: processes that use ctl, code, maxalloc, stats, cancel and destroy of the same few states at once, with valid
and garbage input, interrupted and killed now and then. No errno but the documented, no wedge, no state left.

LUNATIK_FUZZ_SECONDS says how long (60), LUNATIK_FUZZ_SEED repeats the input of a run (not its timing)."""
import collections
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

SECONDS = float(os.environ.get("LUNATIK_FUZZ_SECONDS", max(60 * SCALE, 20)))
SEED = int(os.environ.get("LUNATIK_FUZZ_SEED", random.randrange(1 << 32)))
WORKERS = 4
NAMES = ["%s.f%d" % (PREFIX, i) for i in range(5)]
ALLOWED = {"EINVAL", "ENOENT", "ENOEXEC", "ENOMEM", "EINTR", "EAGAIN", "EEXIST", "ENOSPC", "ENAMETOOLONG", "EFBIG", "EBUSY", "ENODEV", "EFAULT",
           "EACCES"}  # open(2) in the instant in which sysfs has the file and the module has not
CHUNKS = (
    "return 1", "n = (n or 0) + 1 return n", "error('x')", "error(setmetatable({}, {__tostring = error}))", "return +", "while true do end", "local t = {} for i = 1, 1e7 do t[i] = i end", "return ('x'):rep(1e8)",
    "timer.sleep(0.01)", "timer.sleep(100)", "timer.create(1, function() n = (n or 0) + 1 end)", "timer.create(0, function() while true do end end)", "timer.loop(0.001, 0.001, function() end)", "id = timer.loop(1e-6, 1e-6, function() timer.close(id) end)",
    "timer.timeout(0.005, function() timer.sleep(0.01) error('late') end)", "for i = 1, 50 do timer.create(i / 10, function() end) end", "coroutine.wrap(function() timer.sleep(0.01) end)()", "lunatik.atomic(function() while true do end end)",
    "setmetatable({}, {__gc = function() while true do end end}) collectgarbage()", "for i = 1, 3000 do x = {i} end collectgarbage()", "print(('x'):rep(3000))", "for i = 1, 50 do print(i) end", "return (('a'):rep(40)):find(('a*'):rep(20) .. 'b')",
    "big = ('x'):rep(20000)", "big = nil collectgarbage()", "return lunatik.limits()", "while true do pcall(timer.sleep, 0.001) end", "local function f() return (('x'):gsub('x', f)) end f()", "debug.sethook(error, '', 1)", "_G = nil string = nil",
)


def use_ctl(rnd, fd, name):
    """One write to ctl: the errno or the count."""
    kind = rnd.randrange(12)
    chunk = rnd.choice(CHUNKS).encode()
    if kind < 2:
        data = b"create %s %s\n" % (name, rnd.choice([b"", b"64K", b"1M", b"32768", b"1", b"99999999999G", b"x", b"-1", b"200K 3"]))
    elif kind < 3:
        data = b"destroy %s\n" % name
    elif kind < 6:
        data = b"execute %s %s\n" % (name, chunk)
    elif kind < 8:
        length = len(chunk) + rnd.choice([0, 0, 0, 0, -1, 1, 1 << 40])
        data = b"run %s %d %s\n%s" % (name, length, rnd.choice([b"", b"=s", b"@f", b"n" * 300]), chunk)
    elif kind < 9:
        data = b"cancel %s\n" % name
    elif kind < 10:
        data = b"list\n"
    else:
        data = bytes(rnd.randrange(256) for _ in range(rnd.randrange(1, 200)))
        if rnd.randrange(2):
            data = rnd.choice([b"create ", b"run ", b"execute ", b"destroy ", b"cancel ", b"list "]) + data
        data += rnd.choice([b"\n", b"", b"\n\n", b" " * 600 + b"\n"])
    if rnd.randrange(8) == 0:
        data = data[:rnd.randrange(len(data) + 1)]
    if rnd.randrange(8) == 0:
        data += b"execute %s return 2\nlist\n" % name
    while data:
        piece = data[:rnd.choice([len(data), len(data), len(data), 1 + rnd.randrange(len(data))])]
        got = raw_write(fd, piece)
        if isinstance(got, str) or got == 0:
            return got
        data = data[got:]
    return "done"


def use_code(rnd, path):
    fd = os.open(path, rnd.choice([os.O_RDWR, os.O_WRONLY, os.O_RDONLY]) | rnd.choice([0, 0, os.O_NONBLOCK]))
    copy = os.dup(fd) if rnd.randrange(4) == 0 else None
    got = "done"
    for _ in range(rnd.randrange(4)):
        what = rnd.randrange(6)
        if what < 3:
            got = raw_write(fd, rnd.choice(CHUNKS).encode() + rnd.choice([b" ", b"\n", b"\0", b"\xff"]))
        elif what < 4:
            got = error_of(os.fsync, fd) or got
        elif what < 5:
            got = error_of(os.pread, fd, rnd.choice([1, 100, 65536]), rnd.choice([0, 0, 5, 1 << 40])) or got
        else:
            got = raw_write(fd, b"x = 1 " * rnd.choice([1, 1000, 200000]))
    if copy is not None:
        os.close(fd)
        fd = copy
    closed = raw_close(fd)
    return closed or ("done" if got == "EBADF" or not isinstance(got, str) else got)


def use_attribute(rnd, folder):
    which = rnd.choice(["maxalloc", "maxalloc", "stats", "curralloc", "code"])
    if which == "maxalloc" and rnd.randrange(2):
        fd = os.open(folder + which, os.O_WRONLY)
        got = raw_write(fd, rnd.choice([b"64K", b"128K\n", b"1M", b"32768", b"40000", b"0", b"x", b"", b"8388608G", b"-1", b"\0"]))
        os.close(fd)
        return got if isinstance(got, str) else "done"
    slurp(folder + which)
    return "done"


def worker(number, until):
    """Fuzzes until then; the exit status is 1 when an errno came that is not documented."""
    rnd, seen = random.Random(SEED * 1000 + number), collections.Counter()
    fd, bad = os.open(CTL, os.O_RDWR), 0
    while time.monotonic() < until:
        name, what = rnd.choice(NAMES), rnd.randrange(10)
        try:
            if what < 5:
                got = use_ctl(rnd, fd, name.encode())
                if rnd.randrange(3) == 0:
                    os.pread(fd, 4096, 0)
                if rnd.randrange(2) == 0:
                    os.lseek(fd, 0, os.SEEK_SET)
                if rnd.randrange(4) == 0:
                    got = raw_close(fd) or got
                    fd = os.open(CTL, os.O_RDWR | rnd.choice([0, 0, os.O_NONBLOCK]))
            elif what < 8:
                got = use_code(rnd, "%s/%s/code" % (SYS, name))
            else:
                got = use_attribute(rnd, "%s/%s/" % (SYS, name))
        except OSError as e:
            got = errno.errorcode[e.errno]
        except UnicodeDecodeError:
            got = "done"
        got = got if isinstance(got, str) else "done"
        seen[got] += 1
        if got != "done" and got not in ALLOWED:
            diag("worker %d: %s" % (number, got))
            bad = 1
    diag("worker %d: %s" % (number, " ".join("%s %d" % pair for pair in seen.most_common())))
    return bad


plan(6)
signal.signal(signal.SIGINT, lambda *_: None)
diag("seed %d (LUNATIK_FUZZ_SEED=%d repeats it), %d s, %d processes" % (SEED, SEED, SECONDS, WORKERS))
rnd, until = random.Random(SEED), time.monotonic() + SECONDS
pids = {child(worker, number, until): number for number in range(WORKERS)}
killed, bad, number = 0, 0, WORKERS
while time.monotonic() < until:
    time.sleep(0.02 + rnd.random() * 0.1)
    pid = rnd.choice(list(pids))
    if rnd.randrange(40) == 0:
        os.kill(pid, signal.SIGKILL)
        if ended(pid, 30) is None:
            break
        del pids[pid]
        killed += 1
        pids[child(worker, number, until)] = number
        number += 1
    else:
        os.kill(pid, signal.SIGINT)
    if rnd.randrange(10) == 0:
        error_of(ctl, "cancel %s\n" % rnd.choice(NAMES))
check(time.monotonic() >= until, "killed writers die (%d of them)" % killed)
results = {}
end = time.monotonic() + 30
while pids and time.monotonic() < end:
    for pid in list(pids):
        error_of(os.kill, pid, signal.SIGINT)
        status = ended(pid, 0.1)
        if status is not None:
            results[pids.pop(pid)] = status
equal(list(pids), [], "all processes come to their ends")
equal([n for n, status in results.items() if status], [], "no errno but the documented")
for name in states():
    # A request that was cut off may have made one of another name.
    if name.startswith(PREFIX):
        error_of(ctl, "destroy %s\n" % name)
equal([name for name in states() if name.startswith(PREFIX)], [], "all states can be destroyed")
equal(os.path.exists(SYS) and [name for name in os.listdir(SYS) if name.startswith(PREFIX)], [], "nothing is left in sysfs")
s = new_state()
equal((execute(s, "return 40 + 2"), load(s, "return 1"), slurp(code(s))), ("42", None, "1\n"), "a new state works")
finished()
