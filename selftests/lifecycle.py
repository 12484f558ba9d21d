#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""States come and go: their directories and uevents, by the thousand on all CPUs without a leak, destroyed under load,
at most maxstates; and the module is unloaded and loaded again. Last of all tests, for it reloads the module."""
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

ROUNDS = int(10000 * SCALE)
PROCESSES = 2
# Bytes that memory statistics may differ by: a little a round, and what KASAN keeps back (there kmemleak looks for leaks).
LEAK = (64 << 20) if DEBUG else max(200 * ROUNDS, 1 << 20)
LOAD_SECONDS = max(4 * SCALE, 4)
PATIENCE = 60  # seconds in which what must come comes, on a busy machine as well
plan(59)

# --- the directory of a state ---

s = new_state(65536)
folder = "%s/%s" % (SYS, s)
for name, mode in (("code", 0o600), ("data", 0o600), ("maxalloc", 0o644), ("curralloc", 0o444), ("stats", 0o444)):
    st = os.stat(folder + "/" + name)
    equal((st.st_mode & 0o7777, st.st_uid), (mode, 0), "%s has mode %04o and is root's" % (name, mode))
equal(sorted(stats(s)), sorted("status script loaded_at executions events errors slices overruns longest_hold_ns peak "
                               "messages_in messages_out queued_bytes interpreters hooks packets drops hook_errors".split()),
      "stats has the lines it is to have")
equal(error_of(os.rmdir, folder), "EPERM", "the directory cannot be removed by hand")

# --- uevents ---

events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)  # NETLINK_KOBJECT_UEVENT
events.bind((0, 1))
events.settimeout(30)


def uevents(name, n):
    """The next n events of that state: what happened, and whether its directory was there."""
    out = []
    try:
        while len(out) < n:
            head = events.recv(8192).split(b"\0")[0].decode()
            if head.endswith("/kernel/lunatik/" + name):
                out.append(head.split("@")[0])
    except socket.timeout:
        out.append("timeout")
    return out


n = new_name()
ctl("create %s\n" % n)
equal(uevents(n, 1), ["add"], "create sends a uevent")
check(os.path.exists(SYS + "/" + n + "/code"), "and code is there when it comes")
ctl("destroy %s\n" % n)
equal(uevents(n, 1), ["remove"], "destroy sends a uevent")
error_of(ctl, "create %s 1\n" % n)
ctl("create %s\ndestroy %s\n" % (n, n))
equal(uevents(n, 2), ["add", "remove"], "a create that fails sends none")
events.close()

# --- by the thousand ---


def memory():
    """Bytes that the kernel uses for itself."""
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")
    time.sleep(0.5)
    lines = dict(line.split(":") for line in slurp("/proc/meminfo").splitlines())
    return 1024 * sum(int(lines.get(k, "0 kB").split()[0]) for k in ("Slab", "KernelStack", "PageTables", "VmallocUsed", "Percpu"))


def rounds(worker, count):
    fd = os.open(CTL, os.O_WRONLY)
    for i in range(count):
        name = b"%s.%d.%d" % (PREFIX.encode(), worker, i % 7)
        data = b"create %s 32768\nexecute %s t = {} for i = 1, 10 do t[i] = tostring(i) end\ndestroy %s\n" % (name, name, name)
        while data:
            data = data[os.write(fd, data):]
    return 0


def in_parallel(count):
    pids = [child(rounds, worker, count // PROCESSES) for worker in range(PROCESSES)]
    return [ended(pid, 600) for pid in pids]


in_parallel(ROUNDS // 20)
before, began = memory(), time.monotonic()
equal(in_parallel(ROUNDS), [0] * PROCESSES, "%d rounds of create, execute, destroy in %d processes" % (ROUNDS, PROCESSES))
spent, grown = time.monotonic() - began, memory() - before
diag("%.0f rounds a second; kernel memory differs by %d KiB" % (ROUNDS / spent, grown // 1024))
check(grown < LEAK, "leak nothing", "%d bytes more" % grown)
equal([name for name in states() if name.startswith(PREFIX)], [s], "and leave no state behind")


def same_name(count):
    """Creates and destroys one name that others fight for; both outcomes must come."""
    fd, made, refused = os.open(CTL, os.O_RDWR), 0, 0
    for _ in range(count):
        got = raw_write(fd, b"create %s.fight 32768\n" % PREFIX.encode())
        made += isinstance(got, int)
        refused += got == "EEXIST"
        os.lseek(fd, 0, os.SEEK_SET)
        got = raw_write(fd, b"destroy %s.fight\n" % PREFIX.encode())
        if got not in ("ENOENT", len("destroy %s.fight\n" % PREFIX)):
            return 1
        os.lseek(fd, 0, os.SEEK_SET)
    return 0 if made + refused == count else 2


pids = [child(same_name, int(300 * SCALE)) for _ in range(4)]
equal([ended(pid, 200) for pid in pids], [0] * 4, "four processes fight for one name: only EEXIST and ENOENT")

# --- destroyed under load ---

target = new_name()
# EACCES: open(2) in the instant in which sysfs has the file and the module has not.
EXPECTED = {"ENOENT", "EINTR", "ENODEV", "EEXIST", "EACCES"}


def loader(kind, until):
    """Uses a state that comes and goes; its exit status is 1 when anything but the expected happens, 2 when nothing does."""
    done = 0
    while time.monotonic() < until or (not done and time.monotonic() < until + PATIENCE):
        try:
            if kind == "execute":
                fd = os.open(CTL, os.O_WRONLY)
                got = raw_write(fd, b"execute %s for i = 1, 20000 do x = i end\n" % target.encode())
                os.close(fd)
            elif kind == "code":
                fd = os.open(code(target), os.O_WRONLY)
                raw_write(fd, b"for i = 1, 20000 do x = i end")
                got = raw_close(fd)
            elif kind == "data":
                fd = os.open("%s/%s/data" % (SYS, target), os.O_RDWR)
                got = raw_write(fd, b"x")
                got = 1 if got == "EINVAL" else got  # there is no callback
                os.read(fd, 100)  # until the state is gone
                os.close(fd)
            else:
                slurp("%s/%s/stats" % (SYS, target))
                curralloc(target)
                fd = os.open("%s/%s/maxalloc" % (SYS, target), os.O_WRONLY)  # O_CREAT would fail with EACCES
                got = raw_write(fd, b"70000")
                os.close(fd)
        except OSError as e:
            got = errno.errorcode[e.errno]
        if isinstance(got, str) and got not in EXPECTED:
            diag("%s: %s" % (kind, got))
            return 1
        done += not isinstance(got, str)
    return 0 if done else 2


def is_over(pid):
    """True when a child has ended; it is still to be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


log = Log()
until = time.monotonic() + LOAD_SECONDS
loaders = {kind + str(i): child(loader, kind, until) for kind in ("execute", "code", "data", "stats") for i in range(2)}
cycles = 0
while time.monotonic() < until or (time.monotonic() < until + PATIENCE and not all(is_over(pid) for pid in loaders.values())):
    ctl("create %s\n" % target)
    time.sleep(0.03)
    ctl("destroy %s\n" % target)
    cycles += 1
diag("%d times created and destroyed" % cycles)
for kind, pid in loaders.items():
    equal(ended(pid), 0, "%s while the state comes and goes: it works, or fails as it should" % kind)
check(cycles > 5, "it came and went", cycles)
check(target not in states() and not os.path.exists(SYS + "/" + target), "and is gone")
equal([line for line in log.lines() if "sysfs: cannot create duplicate" in line or "kobject_add_internal" in line], [], "sysfs saw no duplicate")

# --- the module ---

FILE = os.environ.get("LUNATIK_KO", "/vm/modules/lunatik.ko")


def remove():
    """Unloads the module: "" or what rmmod says."""
    return subprocess.run(["rmmod", "lunatik"], capture_output=True, text=True).stderr


def insert(*parameters):
    return subprocess.run(["insmod", FILE, *parameters] if os.path.exists(FILE) else ["modprobe", "lunatik", *parameters],
                          capture_output=True, text=True).stderr


def parameter(name):
    return int(slurp("%s/%s" % (PARAMETERS, name)))


for what, path, flags in (("ctl", CTL, os.O_RDWR), ("code", code(s), os.O_RDWR), ("code for reading", code(s), os.O_RDONLY),
                          ("data", "%s/%s/data" % (SYS, s), os.O_RDONLY)):
    fd = os.open(path, flags)
    like(remove(), "in use", "rmmod is refused while %s is open" % what)
    os.close(fd)
fd = os.open(code(s), os.O_WRONLY)
ctl("destroy %s\n" % s)
like(remove(), "in use", "and while the code of a destroyed state is")
os.close(fd)
go, gone = os.pipe()


def holder():
    os.close(gone)
    mine = os.open(CTL, os.O_RDWR)
    poll = __import__("select").epoll()
    poll.register(mine)
    copy = os.dup(mine)
    os.close(mine)
    os.read(go, 1)
    os.close(copy)
    return 0


pid = child(holder)
os.close(go)
time.sleep(0.2)
like(remove(), "in use", "and while ctl is only in an epoll set and a duplicate")
os.close(gone)
ended(pid)
keep = [new_state() for _ in range(5)]
for name in keep:
    load(name, "t = {} for i = 1, 100 do t[i] = ('x'):rep(100) .. i end last = setmetatable({}, {__gc = function() print('finalized') end}) "
               "for i = 1, 4 do lunatik.send(('q'):rep(5000)) end function receive_callback(m) timer.sleep(1000) end")
    fd = os.open("%s/%s/data" % (SYS, name), os.O_WRONLY)
    os.write(fd, b"kept" * 1000)
    os.close(fd)
# Contexts that talk to their creator, and make others, until the end.
ask(new_state("1M"), "context = require 'context' context.recv(0, function(_, from, session) context.reply(from, session, 1) end) for i = 1, 6 do context.spawn([["
                     "local c = require 'context' while true do c.timed_query(c.parent, 0.1, 1) c.spawn('') require('timer').sleep(0.001) end]]) end context.recv(-1)")
log = Log()
equal(remove(), "", "with states and contexts alive and no file open rmmod works")
equal(sum(line.endswith(": finalized") for line in log.lines()), 5, "their finalizers have run")
check(not os.path.exists(CTL) and not os.path.exists(SYS), "nothing is left of its files")
equal(insert("maxstates=4", "defaultmaxalloc=100000", "scriptmax=4096", "minalloc=40000"), "", "it loads again, with parameters")
names = [new_name() for _ in range(5)]
log = Log()
equal([error_of(ctl, "create %s\n" % name) for name in names], [None] * 4 + ["ENOSPC"], "maxstates: the fifth of four is refused")
equal(log.lines(), ["lunatik: " + line for line in ("could not allocate id for state %s" % names[4], "max states limit reached or out of memory",
                                                    "could not create new lua state")], "as the log says")
equal(slurp("%s/%s/maxalloc" % (SYS, names[0])), "100000\n", "defaultmaxalloc")
equal(error_of(ctl, "create %s 39999\n" % names[4]), "EINVAL", "minalloc")
equal(load(names[0], "-- " + "x" * 4080), None, "a script of scriptmax")
fd = os.open(code(names[0]), os.O_WRONLY)
equal((raw_write(fd, b"x" * 4097), raw_close(fd)), ("EFBIG", "EFBIG"), "and one longer")
ctl("destroy %s\n" % names[0])
equal(error_of(ctl, "create %s\n" % names[4]), None, "a place that became free is used")
runner = child(lambda: raw_write(os.open(CTL, os.O_WRONLY), b"execute %s while true do end\n" % names[1].encode()) and 0)
check(soon(lambda: stats(names[1])["status"] == "running"), "a script loops")
like(remove(), "in use", "rmmod is refused while it does")
os.kill(runner, signal.SIGKILL)
ended(runner)
for i in range(5):
    if remove() or insert():
        break
check(i == 4 and os.path.exists(CTL), "unloaded and loaded five times")
for name, value in (("maxstates", 1024), ("defaultmaxalloc", 65536), ("minalloc", 32768), ("statenamemax", 63), ("scriptnamemax", 255),
                    ("datamaxsize", 32768), ("scriptmax", 1048576), ("queuebytes", 131072), ("slice_us", 200), ("hookbudget_us", 1000)):
    equal(parameter(name), value, "parameter %s" % name)
before = memory()
for i in range(10):
    ctl("".join("create %s.%d\n" % (PREFIX, i) for i in range(20)))
    if remove() or insert():
        break
grown = memory() - before
check(i == 9 and os.path.exists(CTL), "ten times with twenty states alive")
check(grown < LEAK, "without a leak", "%d bytes more" % grown)
equal(states(), [], "no state is there after loading")
finished()
