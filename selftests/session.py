#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a session of /proc/lunatik/ctl remembers: partial writes, the failed state, replies; and who may open it."""
import os
import select
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

plan(69)


def opened(flags=os.O_RDWR):
    return os.open(CTL, flags)


def exists(name):
    return os.path.isdir("%s/%s" % (SYS, name))


# --- partial consumption, and the failed state ---

s = new_state()
a, b = new_name(), new_name()
fd = opened()
good = b"create %s\n" % a.encode()
equal(raw_write(fd, good + b"bogus\n"), len(good), "a write returns what it consumed before the request that failed")
check(exists(a), "which was done")
equal(raw_write(fd, b"create %s\n" % b.encode()), "EINVAL", "every further write gives the same error")
equal(raw_write(fd, b"create %s\n" % b.encode()), "EINVAL", "and again")
check(not exists(b), "and does nothing")
equal(read_all(fd), "malformed request\n", "the reply says what was wrong")
equal(raw_write(fd, b"create %s\n" % b.encode()), len("create %s\n" % b), "after the reply is read the session works again")
check(exists(b), "and does what it is asked")
equal(raw_write(fd, b"destroy %s\nbogus\n" % b.encode()), len("destroy %s\n" % b), "fails once more")
os.lseek(fd, 0, os.SEEK_SET)
equal(raw_write(fd, b"destroy %s\n" % a.encode()), len("destroy %s\n" % a), "rewinding ends the failed state, too")
os.close(fd)

fd = opened()
request = b"execute %s n = (n or 0) + 1 error('x')\n" % s.encode()
equal(raw_write(fd, b"list\n" + request), 5, "a script that raises an error is not consumed")
equal([raw_write(fd, request) for _ in range(3)], ["EINVAL"] * 3, "offered again, it gives the same error")
os.close(fd)
equal(execute(s, "return n"), "1", "and ran once")

fd = opened()
equal(raw_write(fd, request[:20]), 20, "half a request is taken")
equal(raw_write(fd, request[20:] + b"list\n"), "EINVAL", "the other half fails when the request does")
equal(raw_write(fd, b"list\n"), "EINVAL", "and nothing after it is done")
os.close(fd)
equal(execute(s, "return n"), "2", "it ran once")

with open(CTL, "wb") as f:  # Python's buffer
    f.write(b"execute %s k = (k or 0) + 1\n" % s.encode() * 3 + request + b"execute %s k = k + 100\n" % s.encode())
    equal(error_of(f.flush), "EINVAL", "a buffered writer learns of the failure")
    equal(error_of(f.flush), "EINVAL", "and again as long as it offers the rest")
    try:
        f.close()
    except OSError:
        pass
equal(execute(s, "return k, n"), "3\t3", "it ran what came before once, the failing one once, nothing after")

fd = opened()
equal((libc.write(fd, 1, 10), errno.errorcode[ctypes.get_errno()]), (-1, "EFAULT"), "a bad address")
equal(raw_write(fd, b""), 0, "a write of nothing")
equal(os.writev(fd, [b"exec", b"ute %s re" % s.encode(), b"", b"turn 7\n"]), len("execute %s return 7\n" % s), "a gathered write")
equal(read_all(fd), "7\n", "is one request")

# --- replies ---

fd = opened()
equal(read_all(fd), ctl("list\n"), "without a request the reply is the list")
os.close(fd)
fd = opened()
text = "execute %s return 'abc', 'd\\0e'\n" % s
os.write(fd, text.encode())
equal(read_all(fd), "abc\td\0e\n", "a reply is read to its end, zero bytes and all")
equal(os.read(fd, 10), b"", "where it stays at end of file")
os.lseek(fd, 0, os.SEEK_SET)
equal(read_all(fd), "abc\td\0e\n", "seek to 0 and read it again")
equal(os.pread(fd, 3, 4), b"d\0e", "pread anywhere")
os.lseek(fd, 4, os.SEEK_SET)
equal(os.read(fd, 2), b"d\0", "seek anywhere")
os.write(fd, text.encode())
equal(b"".join(iter(lambda: os.read(fd, 1), b"")), b"abc\td\0e\n", "a write moves to the start; a reader with a one-byte buffer gets it all")
other = opened()
equal(read_all(other), ctl("list\n"), "another session has replies of its own")
os.write(fd, b"execute %s local x = 1\n" % s.encode())
equal(read_all(fd), "", "no results, no reply")
os.write(fd, b"list\n")
check(("\n%s " % s) in "\n" + read_all(fd), "list as a request")
os.write(fd, b"execute %s return 1\nexecute %s return 2\n" % ((s.encode(),) * 2))
equal(read_all(fd), "2\n", "the reply is that to the last request")
big = "return ('0123456789'):rep(1000)"
os.write(fd, b"execute %s %s\n" % (s.encode(), big.encode()))
equal(read_all(fd), "0123456789" * 1000 + "\n", "a reply of 10,000 bytes")
equal(error_of(os.lseek, fd, 0, os.SEEK_END), "EINVAL", "there is no seeking from the end")
os.close(fd)
os.close(other)

# --- poll ---

fd = opened()
poll = select.poll()
poll.register(fd, select.POLLIN | select.POLLOUT)
events = lambda: poll.poll(0)[0][1]
equal(events(), select.POLLOUT, "poll: writable, nothing to read before the first request")
os.write(fd, b"execute %s return 'a reply'\n" % s.encode())
equal(events(), select.POLLIN | select.POLLOUT, "poll: readable when a reply waits")
read_all(fd)
equal(events(), select.POLLOUT, "poll: not any more when it is read")
raw_write(fd, b"bogus\n")
equal(events(), select.POLLIN | select.POLLOUT, "poll: an error is a reply, too")
os.close(fd)

# --- chunks gathered over writes of any size ---

body = "local parts = {}\nfor i = 1, 3 do parts[#parts + 1] = '%d:' .. i end\n-- list\nruns = (runs or 0) + 1\nreturn table.concat(parts, '\\n')"
stream = "".join("run %s %d\n%s\n" % (s, len(body % i), body % i) for i in range(3)) + "execute %s return runs\n" % s
stream = stream.encode()
for piece in (1, 2, 3, 7, 64, len(stream) - 1):
    execute(s, "runs = 0")
    fd = opened()
    for at in range(0, len(stream), piece):
        if os.write(fd, stream[at:at + piece]) != len(stream[at:at + piece]):
            break
    equal(read_all(fd), "3\n", "three runs in writes of %d bytes" % piece)
    os.close(fd)

equal(ask(s, "return ...")[0], None, "a run without arguments")
equal(ask(s, ""), (None, ""), "a run of no bytes")
equal(ask(s, "return #'a\0b'"), (None, "3"), "a run with a zero byte in it")
like(ask(s, "\n\nerror('x')")[1], "^%s/run:3: x\n" % s, "messages of a run name the state")
like(ask(s, "\n\nerror('x')", "my.lua")[1], r"my\.lua.*:3: x\n", "or the script name given")
equal(ask(s, "return 1", "n" * 255), (None, "1"), "a script name of 255 bytes")
equal(ask(s, "return 1", "n" * 256)[0], "ENAMETOOLONG", "a script name of 256 bytes")
big = "--" + "x" * 200000 + "\nreturn 'big'"
equal(ask(s, big), (None, "big"), "a run of 200 KB")

# --- the last close ---

n = new_name()
fd = opened()
os.write(fd, b"create " + n.encode())
two = os.dup(fd)
equal((raw_close(fd), exists(n)), (None, False), "a line without newline waits while a duplicate is open")
equal((raw_close(two), exists(n)), (None, True), "and is a request at the last close")
fd = opened(os.O_WRONLY)
os.write(fd, b"create " + n.encode())
equal(raw_close(fd), "EEXIST", "whose error close gives")
fd = opened()
os.write(fd, b"run %s 10\n123" % s.encode())
equal(raw_close(fd), "EINVAL", "a run that did not get all its bytes fails at close")
pid = child(lambda: os.write(opened(), b"destroy %s" % n.encode()) * 0)
equal((ended(pid), exists(n)), (0, True), "a task that dies leaves its half line undone")

# --- who may ---

equal(oct(os.stat("/proc/lunatik").st_mode & 0o7777) + oct(os.stat(CTL).st_mode & 0o7777), "0o5000o600", "modes of the folder and of ctl")
opener = "import os,sys,errno\ntry: os.open(sys.argv[1], os.O_RDWR)\nexcept OSError as e: sys.exit(errno.errorcode[e.errno])"


def opens(path, *how):
    done = subprocess.run([*how, "python3", "-ISc", opener, path], capture_output=True, text=True)
    return done.stderr.strip() or "opened"


equal(opens(CTL), "opened", "root opens ctl")
equal(opens(CTL, "setpriv", "--bounding-set=-sys_admin"), "EPERM", "root without CAP_SYS_ADMIN does not")
equal(opens(code(s), "setpriv", "--bounding-set=-sys_admin"), "EPERM", "nor does it open code")
equal(opens(CTL, "setpriv", "--reuid=65534", "--clear-groups"), "EACCES", "another user does not")
equal(opens(CTL, "unshare", "-U", "-r"), "EPERM", "root of a user namespace does not")
equal(opens(code(s), "unshare", "-U", "-r"), "EPERM", "nor does it open code")


def as_nobody():
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    return os.write(passed, b"execute %s by_nobody = 1\n" % s.encode()) * 0


passed = opened()
equal(ended(child(as_nobody)), 0, "a descriptor that was passed keeps its opener's rights")
equal(execute(s, "return by_nobody"), "1", "and does its work")
finished()
