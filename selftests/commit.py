#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""When the script written to `code` runs: close, dup2, fsync, fork, exec, exit and death of its writer; and what a
descriptor remembers of it. What people do in a shell is in code.sh."""
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

plan(50)
QUIET = 0.4  # seconds in which nothing may happen
s = new_state()
execute(s, "n = 0")
ADD = b"n = n + 1 "


def opened(flags=os.O_RDWR):
    return os.open(code(s), flags)


def n():
    return int(execute(s, "return n"))


def ran():
    """How often ADD ran since the last call."""
    global last
    before, last = last, n()
    return last - before


last = 0

# --- close ---

fd = opened()
equal(os.write(fd, ADD), len(ADD), "a write is taken whole")
equal(ran(), 0, "and runs nothing")
equal((raw_close(fd), ran()), (None, 1), "close runs it")
for script, wanted in ((b"error('x')", "EINVAL"), (b"return +", "ENOEXEC"), (b"return ('x'):rep(1e7)", "ENOMEM")):
    fd = opened()
    os.write(fd, script)
    equal(raw_close(fd), wanted, "close gives %s" % wanted)
fd = opened()
equal((raw_write(fd, b""), raw_close(fd), ran()), (0, None, 0), "an empty write is an empty script")
fd = opened(os.O_RDONLY)
equal((raw_close(fd), ran()), (None, 0), "a reader's close runs nothing")
fd = opened()
equal((libc.write(fd, 1, 10), errno.errorcode[ctypes.get_errno()]), (-1, "EFAULT"), "a bad address")
equal((raw_write(fd, ADD), raw_close(fd), ran()), (len(ADD), None, 1), "and the next write is well")
fd = opened()
equal((os.writev(fd, [b"n = ", b"n + ", b"1"]), raw_close(fd), ran()), (9, None, 1), "a gathered write")
fd = opened()
equal((os.pwrite(fd, ADD, 1000), raw_close(fd), ran()), (len(ADD), None, 1), "a write with an offset adds to the script, too")
fd = os.open(code(s), os.O_WRONLY | os.O_APPEND)
equal((raw_write(fd, ADD), raw_close(fd), ran()), (len(ADD), None, 1), "appending")

# --- dup, dup2 ---

fd = opened()
two = os.dup(fd)
os.write(fd, ADD)
equal((raw_close(fd), ran()), (None, 0), "close with a duplicate open runs nothing")
os.write(two, ADD)
equal((raw_close(two), ran()), (None, 2), "the last close runs all")
fd = opened()
os.write(fd, ADD)
null = os.open("/dev/null", os.O_RDONLY)
os.dup2(null, fd)
equal(ran(), 1, "dup2 over the last descriptor runs it")
os.close(fd)
os.close(null)

# --- fsync ---

fd = opened()
os.write(fd, ADD + b"return 'first'")
equal((error_of(os.fsync, fd), ran()), (None, 1), "fsync runs it")
equal(read_all(fd), "first\n", "the outcome is readable on the same descriptor")
equal((error_of(os.fsync, fd), ran()), (None, 0), "a second fsync finds nothing to run")
os.write(fd, b"error('second', 0)")
equal(error_of(os.fdatasync, fd), "EINVAL", "what is written next is a script of its own, and fdatasync gives its error")
like(read_all(fd), "^second\nstack traceback:", "its outcome is read from its beginning")
os.lseek(fd, 0, os.SEEK_SET)
like(read_all(fd), "^second\n", "and again after a rewind")
other = opened(os.O_RDONLY)
like(read_all(other), "^second\n", "a descriptor that has run nothing reads the state's last")
load(s, "return 'third'")
os.lseek(fd, 0, os.SEEK_SET)
os.lseek(other, 0, os.SEEK_SET)
like(read_all(fd), "^second\n", "one that has keeps its own")
equal(read_all(other), "third\n", "the other reads the last again")
equal(os.pread(other, 3, 2), b"ird", "pread")
os.lseek(other, 0, os.SEEK_SET)
equal(b"".join(iter(lambda: os.read(other, 1), b"")), b"third\n", "a reader with a one-byte buffer")
equal((raw_close(fd), raw_close(other), ran()), (None, None, 0), "closing runs nothing more")
fd = opened()
os.write(fd, b"x" * 1000)
equal(error_of(os.fsync, fd), "ENOEXEC", "fsync gives what the compiler says")
os.write(fd, b"return 1")
equal((raw_close(fd), slurp(code(s))), (None, "1\n"), "and close runs the next")

# --- fork, exec, exit ---

fd = opened()
os.write(fd, b"local parent = 1 ")
pid = child(lambda: os.write(fd, b"local child = 2 ") * 0)
equal((ended(pid), ran()), (0, 0), "a forked writer that exits is not the last")
os.write(fd, ADD + b"return parent + child")
equal((raw_close(fd), ran(), slurp(code(s))), (None, 1, "3\n"), "the parent's close runs what both wrote")

fd = opened()
os.write(fd, ADD)
go, gone = os.pipe()


def late_child():
    os.close(gone)
    os.read(go, 1)
    return 7 if raw_close(fd) is None else 8


pid = child(late_child)
os.close(go)
equal((raw_close(fd), ran()), (None, 0), "the parent is not the last while the child has it open")
os.close(gone)
equal((ended(pid), ran()), (7, 1), "the child's close is")


def executing():
    mine = os.open(code(s), os.O_WRONLY | os.O_CLOEXEC)
    os.write(mine, ADD)
    os.execv("/bin/true", ["true"])


equal(ended(child(executing)), 0, "exec closes it")
check(soon(lambda: n() == last + 1), "and it runs in the background")
time.sleep(0.1)
equal(ran(), 1, "once")
equal(ended(child(lambda: os.write(opened(), ADD) * 0)), 0, "exit without close")
check(soon(lambda: n() == last + 1), "runs it in the background")
ran()
equal(ended(child(lambda: os.write(opened(), b"error('left behind', 0)") * 0)), 0, "an error there")
check(soon(lambda: slurp(code(s)).startswith("left behind\n")), "is readable as the state's last outcome")

# --- killed writers ---


def writer_that_waits():
    mine = opened()
    os.write(mine, ADD)
    os.write(gone, b"x")
    time.sleep(60)


for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
    go, gone = os.pipe()
    pid = child(writer_that_waits)
    os.read(go, 1)
    os.kill(pid, number)
    status = ended(pid)
    time.sleep(QUIET)
    equal((status, ran()), (-number, 0), "a writer killed by %s runs nothing" % number.name)
    os.close(go)
    os.close(gone)

# --- several writers ---

fds = [opened() for _ in range(8)]
for i, fd in enumerate(fds):
    os.write(fd, b"order = (order or '') .. '%d' for i = 1, 3000 do n = n + 1 end order = order .. '%d'" % (i, i))
results = []
threads = [threading.Thread(target=lambda fd=fd: results.append(raw_close(fd))) for fd in fds]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
equal((results, ran()), ([None] * 8, 24000), "eight writers close at once: all run, none loses a count")
order = execute(s, "return order")
check(re.fullmatch(r"((\d)\2){8}", order) and len(set(order)) == 8, "one after another, whole", order)

# --- a state that goes ---

gone_state = new_state()
fd = os.open(code(gone_state), os.O_RDWR)
idle = os.open(code(gone_state), os.O_RDWR)
os.write(fd, b"return 1")
ctl("destroy %s\n" % gone_state)
check(not os.path.exists("%s/%s" % (SYS, gone_state)), "a state is destroyed while its code is open")
equal(read_all(idle), "", "what is read there now is empty")
equal(raw_close(fd), "ENOENT", "the writer's close says that it is gone")
os.write(idle, b"return 1")
ctl("create %s\n" % gone_state)
equal((raw_close(idle), stats(gone_state)["executions"]), ("ENOENT", "0"), "nor does it run in a new state of that name")

finished()
