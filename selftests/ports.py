#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Ports, messages and marks in ctl: bind, message, receive, mark, unmark, and netlink.send with a port."""
import collections
import os
import select
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

plan(70)
MAX = int(slurp(PARAMETERS + "/datamaxsize"))
QUEUE = int(slurp(PARAMETERS + "/queuebytes"))
PORT = 1000000000 + os.getpid() * 16


class Session:
    """An open ctl file."""

    def __init__(self):
        self.fd = os.open(CTL, os.O_RDWR)

    def ask(self, request):
        """(None or the name of the errno, the reply)."""
        data = request if isinstance(request, bytes) else request.encode()
        done = raw_write(self.fd, data)
        if done != len(data) and not isinstance(done, str):
            done = "%d of %d" % (done, len(data))
        return (done if isinstance(done, str) else None), b"".join(iter(lambda: os.read(self.fd, 65536), b""))

    def error(self, request):
        return self.ask(request)[0]

    def message(self, name, data):
        return self.error(b"message %s %d\n%s" % (name.encode(), len(data), data))

    def receive(self):
        """(state, bytes), or the name of the errno."""
        error, reply = self.ask("receive\n")
        if error:
            return error
        line, _, data = reply.partition(b"\n")
        name, length = line.split()
        return (name.decode(), data) if int(length) == len(data) else (name.decode(), int(length), data)

    def receive_now(self):
        os.set_blocking(self.fd, False)
        try:
            return self.receive()
        finally:
            os.set_blocking(self.fd, True)

    def close(self):
        os.close(self.fd)


def tried(port):
    """Whether a port can be had."""
    session = Session()
    error = session.error("bind %d\n" % port)
    session.close()
    return error


def sleeping(pid):
    return soon(lambda: slurp("/proc/%d/stat" % pid).rsplit(")", 1)[1].split()[0] == "S")


# --- bind ---

a, b = Session(), Session()
equal(a.ask("bind %d\n" % PORT), (None, b"%d\n" % PORT), "bind: the reply is the port")
equal(b.ask("bind %d\n" % PORT), ("EADDRINUSE", b"port in use\n"), "another file cannot have it")
equal(a.error("bind %d\n" % PORT), None, "its owner may bind it again")
equal(a.error("bind %d\n" % (PORT + 1)), "EINVAL", "but no second one")
equal(a.error("bind\n"), "EINVAL", "nor a free one")
equal([b.error("bind %s\n" % bad) for bad in ("x", "-1", "4294967296", "1 2")], ["EINVAL"] * 4, "malformed ports")
equal(b.error("bind 0\n"), None, "port 0")
others = [Session() for _ in range(3)]
numbers = [int(other.ask("bind\n")[1]) for other in others]
check(len(set(numbers)) == 3 and all(1 << 31 <= number < 1 << 32 for number in numbers), "without a number: free ones from 2^31 on", numbers)
two = os.dup(a.fd)
a.close()
equal(b.error("bind %d\n" % PORT), "EINVAL", "a file has one port")
c = Session()
equal(c.error("bind %d\n" % PORT), "EADDRINUSE", "a duplicate keeps the port")
os.close(two)
equal(c.error("bind %d\n" % PORT), None, "the last close gives it up")
a = Session()
a.error("bind %d\n" % (PORT + 2))
pid = child(signal.pause)
a.close()
equal(tried(PORT + 2), "EADDRINUSE", "a child has one")
os.kill(pid, signal.SIGKILL)
ended(pid)
equal(tried(PORT + 2), None, "it goes with the killed task")
b.close()

# --- message ---

s = new_state("256K")
log = Log()
a = Session()
equal(a.ask(b"message %s 1\nx" % s.encode()), ("EINVAL", b"couldn't find receive function: receive_callback\n"), "a state without callback")
equal(c.ask(b"message %s 1\nx" % s.encode()), ("EINVAL", b"couldn't find receive function: __receive_callback\n"), "nor one for ports")
equal(log.lines(), ["lunatik: %s: %s" % (s, line) for p in ("", "__") for line in
                    ("couldn't find receive function: %sreceive_callback" % p, "could not execute / load data!")], "the log says so")
load(s, """
function receive_callback(...) plain, args = memory.tostring((...)), select("#", ...) end
function __receive_callback(port, m) from, ported, kept = port, memory.tostring(m), m end""")
equal((a.message(s, b"a\n\0list\n"), execute(s, "return args, #plain, ported")), (None, "1\t8\tnil"), "message: to receive_callback, whatever its bytes")
equal((c.message(s, b"hi"), execute(s, "return from, math.type(from), ported, #kept")), (None, "%d\tinteger\thi\t0" % PORT), "through a port: to __receive_callback, with the port")
equal((others[0].message(s, b"hi"), execute(s, "return from == %d" % numbers[0])), (None, "true"), "the port is unsigned")
equal(a.message(s, b"x" * MAX), None, "a message of datamaxsize bytes")
equal(a.error("message %s %d\n" % (s, MAX + 1)), "EMSGSIZE", "one byte more")
equal(a.error("message %s 0\n" % s), "EINVAL", "an empty one")
equal(a.error("message nobody 1\n"), "ENOENT", "no such state")
equal([a.error("message %s%s\n" % (s, rest)) for rest in ("", " x", " 1 2")], ["EINVAL"] * 3, "malformed")
stream = b"".join(b"message %s 3\n%03d" % (s.encode(), i) for i in range(10))
execute(s, "all = '' function receive_callback(m) all = all .. memory.tostring(m) .. ' ' end")
for piece in (1, 5, len(stream)):
    for at in range(0, len(stream), piece):
        os.write(a.fd, stream[at:at + piece])
equal(execute(s, "return all"), "".join("%03d " % i for i in range(10)) * 3, "over as many writes as it takes")
load(s, "function receive_callback(m) error('no') end")
error, reply = a.ask(b"message %s 1\nx" % s.encode())
like(reply, "^%s/code:1: no\nstack traceback:" % s, "an error's text is the reply")
equal(error, "EINVAL", "and EINVAL its number")
equal(raw_write(a.fd, b"message %s 1\nx" % s.encode()), "EINVAL", "one that fails")
execute(s, "function receive_callback(m) n = (n or 0) + 1 end")
equal((raw_write(a.fd, b"message %s 1\nx" % s.encode()), execute(s, "return n")), ("EINVAL", "nil"), "is not done again before its reply is read")
a.ask("list\n")
execute(s, "function receive_callback(m) timer.sleep(0.1) late = memory.tostring(m) end")
equal((a.message(s, b"wait"), execute(s, "return late")), (None, "nil"), "a callback that waits goes on behind")
check(soon(lambda: execute(s, "return late") == "wait"), "with its message")

# --- netlink.send ---

load(s, "function send(port, text) return netlink.send(port, nil, text) end")
equal(execute(s, "return send(%d, 'one'), netlink.send(%d, 0, 'a\\n\\0b'), send(%d, '')" % ((PORT,) * 3)), "3\t4\t0", "netlink.send returns the size")
equal([c.receive() for _ in range(3)], [(s, b"one"), (s, b"a\n\0b"), (s, b"")], "receive: the state, and the bytes, in order")
equal((c.receive_now(), read_all(c.fd)), ("EAGAIN", ""), "EAGAIN when there are none, and no reply")
equal(a.error("receive\n"), "EINVAL", "EINVAL without a port")
equal(execute(s, "return send(%d, 'signed'), send(%d, 'unsigned')" % (numbers[0] - (1 << 32), numbers[0])), "6\t8", "a port in either form")
equal([others[0].receive() for _ in range(2)], [(s, b"signed"), (s, b"unsigned")], "is the same port")
like(ask(s, "send(%d, 'x')" % (PORT + 5))[1], r"failed to send message\. Return code -111\n", "nobody has the port")
like(ask(s, "send(%d, ('x'):rep(%d))" % (PORT, MAX + 1))[1], r"failed to send message\. Return code -90\n", "too long")
like(ask(s, "send(1 << 32, 'x')")[1], "bad argument #1 to 'send' .not a port", "no port at all")
like(ask(s, "netlink.send(%d, 5, 'x')" % PORT)[1], "bad argument #2 to 'send'", "groups")
like(ask(s, "netlink.send(%d, nil, {})" % PORT)[1], r"bad argument #3 to 'send' \(string or memory expected, got table\)", "no payload")
like(ask(s, "netlink.send(%d, nil)" % PORT)[1], r"bad argument #3 to 'send' \(string or memory expected, got no", "none at all")
equal(ask(s, "send(%d, ('x'):rep(%d))" % (PORT, MAX))[0], None, "datamaxsize bytes")
equal(len(c.receive()[1]), MAX, "come whole")
load(s, "function fill() local n = 0 while pcall(send, %d, ('x'):rep(1000)) do n = n + 1 end return n end" % PORT)
filled = int(execute(s, "return fill()"))
check(QUEUE // 1150 <= filled <= QUEUE // 1000, "queuebytes bound a port's queue", filled)
like(ask(s, "send(%d, ('x'):rep(1000))" % PORT)[1], r"failed to send message\. Return code -11\n", "which is full")
equal(set(c.receive() for _ in range(filled)), {(s, b"x" * 1000)}, "what was taken is there")
equal((ask(s, "send(%d, 'again')" % PORT)[0], c.receive()), (None, (s, b"again")), "and then there is room")
execute(s, "function __receive_callback(port, m) netlink.send(port, nil, 'got ' .. memory.tostring(m)) end")
equal((c.message(s, b"it"), c.receive()), (None, (s, b"got it")), "a callback answers its sender")

# --- waiting, poll ---

poll = select.poll()
poll.register(c.fd, select.POLLIN | select.POLLOUT)
epoll = select.epoll()
epoll.register(c.fd, select.EPOLLIN)
equal((poll.poll(0)[0][1], epoll.poll(0)), (select.POLLOUT, []), "poll: writable, nothing to read")
execute(s, "timer.create(200, function() send(%d, 'from a timer') end)" % PORT)
equal((epoll.poll(10), poll.poll(0)[0][1]), ([(c.fd, select.EPOLLIN)], select.POLLIN | select.POLLOUT), "epoll: a message at the port")
equal((c.receive(), poll.poll(0)[0][1]), ((s, b"from a timer"), select.POLLOUT), "poll: not any more")
raw_write(c.fd, b"list\n")
equal(epoll.poll(10), [(c.fd, select.EPOLLIN)], "epoll: a reply")
c.ask("list\n")
waiting = Session()
waiting.ask("bind %d\n" % (PORT + 6))
pid = child(lambda: 0 if waiting.receive() == (s, b"wake up") else 1)
check(sleeping(pid), "receive waits")
execute(s, "send(%d, 'wake up')" % (PORT + 6))
equal(ended(pid), 0, "for a message")
pid = child(lambda: waiting.receive() and 0)
first = sleeping(pid)
other = child(lambda: os.read(waiting.fd, 10) and 0)
check(first and soon(lambda: slurp("/proc/%d/stat" % other).rsplit(")", 1)[1].split()[0] in "SD"), "one waits in receive, one in read of the same file")
os.kill(other, signal.SIGKILL)
os.kill(pid, signal.SIGTERM)
equal((ended(other), ended(pid)), (-signal.SIGKILL, -signal.SIGTERM), "both can be killed")
execute(s, "send(%d, 'kept')" % (PORT + 6))
equal(waiting.receive(), (s, b"kept"), "nothing went with them")

# --- marks ---

a, b = Session(), Session()
m = new_state()
equal((a.error("mark %s\n" % m), a.error("mark %s\n" % m), b.error("mark %s\n" % m)), (None, "EBUSY", "EBUSY"), "mark: once")
equal((b.error("unmark %s\n" % m), a.error("unmark %s\n" % m), a.error("unmark %s\n" % m)), ("EINVAL", None, "EINVAL"), "unmark: by who has it")
equal((a.error("mark nobody\n"), a.error("unmark nobody\n")), ("ENOENT", "ENOENT"), "no such state")
a.error("mark %s\n" % m)
a.close()
equal(b.error("mark %s\n" % m), None, "a mark goes with its file")
m2 = new_name()
equal((b.error("create %s 64K marked\n" % m2), Session().error("mark %s\n" % m2)), (None, "EBUSY"), "create marked")
equal(b.error("create %s marked\n" % m2), "EEXIST", "not twice")
equal((execute(m2, "return 1"), ctl("destroy %s\n" % m2)), ("1", ""), "a mark hinders nothing")
equal((b.error("unmark %s\n" % m2), ctl("create %s\n" % m2), b.error("unmark %s\n" % m2), b.error("mark %s\n" % m2)), ("ENOENT", "", "EINVAL", None), "it goes with the state")
for _ in range(100):
    b.ask("destroy %s\ncreate %s marked\n" % (m2, m2))
equal((b.error("unmark %s\n" % m), b.error("unmark %s\n" % m2)), (None, None), "many at a time")

# --- many ---

total = int(10000 * SCALE)
load(s, "function __receive_callback(port, m) netlink.send(port, nil, m) end")


def talk(sender):
    mine = Session()
    mine.ask("bind %d\n" % (PORT + 8 + sender))
    out, back = 0, 0
    while back < total // 2:
        if out < total // 2 and out - back < 100:
            if mine.message(s, b"%d %d %s" % (sender, out, b"." * (out % 300))):
                return 2
            out += 1
            continue
        got = mine.receive()
        if got[0] != s or got[1].split()[:2] != [b"%d" % sender, b"%d" % back]:
            return 3
        back += 1
    return 0 if mine.receive_now() == "EAGAIN" else 4


talkers = [child(talk, i) for i in range(2)]
equal([ended(pid, 240) for pid in talkers], [0, 0], "two files send %d messages and get each back, in order, once" % total)
ctl("destroy %s\n" % s)
equal(c.receive_now(), "EAGAIN", "a port outlives the states that send to it")
finished()
