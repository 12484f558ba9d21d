#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every allocation, and every copy from or to the user, fails once in every operation (/proc/self/fail-nth, on a kernel
with fault injection): the operation fails with ENOMEM or EFAULT, or works; the module works on; nothing is left."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

FAIL = "/proc/self/fail-nth"
MOST = 2000  # sites of one operation, by far
if not os.path.exists(FAIL):
    skip_all("this kernel has no fault injection")
for attribute, values in (("failslab", ("ignore-gfp-wait", "verbose")), ("fail_page_alloc", ("ignore-gfp-wait", "ignore-gfp-highmem", "min-order", "verbose")), ("fail_usercopy", ("verbose",))):
    for value in values:
        with open("/sys/kernel/debug/%s/%s" % (attribute, value), "w") as f:
            f.write("N" if value.startswith("ignore") else "0")
fail = os.open(FAIL, os.O_RDWR)


def armed(n, call, *args):
    """(what a libc call returns or the name of its errno, whether its n-th chance to fail was reached)."""
    os.pwrite(fail, b"%d" % n, 0)
    got = call(*args)
    code_of = ctypes.get_errno()
    try:
        left = int(os.pread(fail, 20, 0))
    except OSError:
        left = 1  # it was this read that failed
    while error_of(os.pwrite, fail, b"0", 0):
        pass
    return (got if got >= 0 else errno.errorcode[code_of]), left == 0


def write(fd, data):
    return libc.write, fd, data, len(data)


class Operation:
    """What is done before, at and after the call that fails, with the state `name`."""
    name = new_name()

    def __init__(self):
        self.fd = None
        error_of(ctl, "create %s\n" % self.name)

    def opened(self, path, flags, text=b""):
        self.fd = os.open(path, flags)
        if text:
            os.write(self.fd, text)
        return self.fd

    def request(self, text):
        return write(self.opened(CTL, os.O_RDWR), text.encode() % self.name.encode())

    def done(self):
        if self.fd is not None:
            error_of(os.close, self.fd)


def file_of(op, name):
    return "%s/%s/%s" % (SYS, op.name, name)


def create(op):
    ctl("destroy %s\n" % op.name)
    return op.request("create %s\n")


def widened(op):
    """With room for a context."""
    error_of(ctl, "destroy %s\n" % op.name)
    ctl("create %s 192K\n" % op.name)
    return op


def close_code(op):
    fd = op.opened(code(op.name), os.O_WRONLY, b"local t = {} for i = 1, 300 do t[i] = {i} end return #t")
    op.fd = None
    return libc.close, fd


buffer = ctypes.create_string_buffer(65536)
probe = new_state()
OPERATIONS = (
    ("create", create),
    ("destroy", lambda op: op.request("destroy %s\n")),
    ("execute", lambda op: op.request("execute %s local t = {} for i = 1, 500 do t[i] = ('x'):rep(i) end return #t\n")),
    ("run", lambda op: op.request("run %s 12 =s\nx = 1 return 2")),
    ("execute that fails", lambda op: op.request("execute %s error('x')\n")),
    ("execute that waits", lambda op: op.request("execute %s timer.create(1, print) timer.sleep(0.001)\n")),
    ("making a context", lambda op: widened(op).request("execute %s local c = require 'context' return c.spawn('x = 1')\n")),
    ("messages", lambda op: op.request("execute %s local c = require 'context' c.recv(0, function(_, from, s, ...) if s >= 0 then c.reply(from, s, ...) end end) "
                                       "c.send(c.self, {1, {2}, x = ('y'):rep(3000)}) c.query(c.self, 1, function() end) c.wait(c.find('" + probe + "'), 1, print) c.recv(0, nil)\n")),
    ("a pair of sockets", lambda op: op.request("execute %s local p = require('net.stream').pair() if p then p[1]:send(('x'):rep(3000)) "
                                                "p[2]:recv(5000) p[1]:close() p[2]:close() end\n")),
    ("a server and its client", lambda op: op.request(
        "execute %s local n = require 'net.stream.inet' local o = {host = '127.0.0.1', port = '0', nonblock = true} local s = n.server.new(o) "
        "if s and not s:listen() then local a = s:getsockname() o.port = a and a:addr().port local c = a and n.client.new(o) "
        "local p = s:accept() if p and c then c:send('x') p:recv() c:close() p:close() end end if s then s:close() end\n")),
    ("buffers", lambda op: op.request("execute %s local b = require('buffer').new(3000) b:append(('x'):rep(9000)) local c = require('buffer').new(b) "
                                      "c:append('y') b:split(10):remove(3, 2) b:release() c:release()\n")),
    ("tcp: a server and its client", lambda op: op.request(
        "execute %s local t, b = require 'tcp', require 'buffer' local ok, s = t.listen('127.0.0.1', 0) if not ok then return end "
        "local p = t.listens('/tmp/lunatik.failnth') local ok2, l = t.listens('/tmp/lunatik.failnth') local ok3, c = t.connects('/tmp/lunatik.failnth') "
        "if ok2 and ok3 then local ok4, d = l:accept() if ok4 then c:write('abc', true) c:write(b.new(('x'):rep(5000))) d:read() d:close() end c:close() end "
        "if ok2 then l:close() end s:close()\n")),
    ("cancel", lambda op: op.request("cancel %s\n")),
    ("list", lambda op: write(op.opened(CTL, os.O_RDWR), b"list\n")),
    ("reading a reply", lambda op: (libc.read, op.opened(CTL, os.O_RDWR, b"execute %s return ('x'):rep(9000)\n" % op.name.encode()), buffer, 65536)),
    ("opening ctl", lambda op: (libc.open, CTL.encode(), os.O_RDWR)),
    ("opening code", lambda op: (libc.open, code(op.name).encode(), os.O_RDWR)),
    ("writing code", lambda op: write(op.opened(code(op.name), os.O_WRONLY), b"x = 1 " * 2000)),
    ("closing code", close_code),
    ("fsync of code", lambda op: (libc.fsync, op.opened(code(op.name), os.O_WRONLY, b"return 1"))),
    ("reading code", lambda op: (libc.read, op.opened(code(op.name), os.O_RDONLY), buffer, 65536)),
    ("raising maxalloc", lambda op: write(op.opened(file_of(op, "maxalloc"), os.O_WRONLY), b"2M")),
    ("lowering maxalloc", lambda op: write(op.opened(file_of(op, "maxalloc"), os.O_WRONLY), b"40K")),
    ("opening stats", lambda op: (libc.open, file_of(op, "stats").encode(), os.O_RDONLY)),
    ("reading stats", lambda op: (libc.read, op.opened(file_of(op, "stats"), os.O_RDONLY), buffer, 4096)),
)
EXPECTED = {"ENOMEM", "EFAULT"}
plan(len(OPERATIONS) * 3 + 2)
total = 0
for what, prepare in OPERATIONS:
    n, odd, broken, failed = 0, [], [], 0
    while n < MOST:
        # Many in a row are blocks of one Lua state; the short form leaves some of those out.
        n += 1 if SCALE >= 1 or n < 60 else 11
        op = Operation()
        call, *args = prepare(op)
        got, reached = armed(n, call, *args)
        if what.startswith("opening") and not isinstance(got, str):
            os.close(got)
        # Without memory for what a script needs its error is one of Lua's.
        if isinstance(got, str) and got not in EXPECTED and not (what == "execute that fails" and got == "EINVAL"):
            odd.append((n, got))
        failed += isinstance(got, str)
        op.done()
        if execute(probe, "return 1") != "1" or not soon(lambda: not [name for name in states() if name not in (op.name, probe)]):
            broken.append((n, got, states()))
            break
        if not reached:
            break
    total += n - 1
    diag("%s: %d sites, %d tries made it fail" % (what, n - 1, failed))
    check(1 < n < MOST, what + ": some sites are reached, then no more", n)
    equal(odd, [], what + ": ENOMEM, EFAULT or success")
    equal(broken, [], what + ": the module works on, and no state is left")
diag("%d sites in %d operations" % (total, len(OPERATIONS)))
equal(execute(probe, "collectgarbage() return 'fine'"), "fine", "a state that saw all this works")
for name in (probe, Operation.name):
    error_of(ctl, "destroy %s\n" % name)
equal([name for name in states() if name.startswith(PREFIX)], [], "no state is left")
finished()
