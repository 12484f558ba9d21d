#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""`data`: messages to a state and from it, one a write and one a read; queues, poll, errors, killed peers."""
import collections
import os
import select
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

plan(95)
MAX = int(slurp(PARAMETERS + "/datamaxsize"))
QUEUE = int(slurp(PARAMETERS + "/queuebytes"))
ECHO = "function receive_callback(m) lunatik.send(m) end"


def opened(name, flags=os.O_RDWR):
    return os.open("%s/%s/data" % (SYS, name), flags)


def loaded(script, maxalloc="256K"):
    """A new state with that script, and its data, opened."""
    name = new_state(maxalloc)
    load(name, script)
    return name, opened(name)


def message(fd):
    """The next message."""
    return os.pread(fd, MAX, 0)


def nothing(fd):
    """True when no message is there."""
    os.set_blocking(fd, False)
    try:
        return error_of(os.pread, fd, MAX, 0) == "EAGAIN"
    finally:
        os.set_blocking(fd, True)


def status_of_task(pid):
    return slurp("/proc/%d/stat" % pid).rsplit(")", 1)[1].split()[0]


def runs(name):
    """True when something runs there that does not end."""
    before = int(stats(name)["slices"])
    return soon(lambda: int(stats(name)["slices"]) > before + 20)


def sleeping(pid):
    return soon(lambda: status_of_task(pid) == "S")


# --- to the callback ---

s, fd = loaded("""
function receive_callback(m)
	got, kept, n = memory.tostring(m), m, (n or 0) + 1
	print("message " .. n)
end""")
log = Log()
equal(raw_write(fd, b"a\0b\xff"), 4, "a write returns the length of its message")
equal(execute(s, "return #got, got == 'a\\0b\\255', n"), "4\ttrue\t1", "the callback has run by then, with the bytes as they are")
equal(log.lines(), ["lunatik: %s: message 1" % s], "what it prints is in the log")
equal(execute(s, "return #kept, memory.tostring(kept) == ''"), "0\ttrue", "its memory is empty when it has ended")
equal(os.writev(fd, [b"one ", b"", b"message"]), 11, "a gathered write")
equal(execute(s, "return got, n"), "one message\t2", "is one message")
big = os.urandom(MAX)
equal(raw_write(fd, big), MAX, "a message of datamaxsize bytes")
equal(execute(s, "return #got, n"), "%d\t3" % MAX, "comes whole")
equal(raw_write(fd, big + b"x"), "EMSGSIZE", "one byte more")
equal(raw_write(fd, b""), "EINVAL", "an empty message")
equal((libc.write(fd, 1, 10), errno.errorcode[ctypes.get_errno()]), (-1, "EFAULT"), "a bad address")
equal(execute(s, "return n"), "3", "did not get there")
before = stats(s)
equal((before["messages_in"], before["events"], before["errors"]), ("3", "3", "0"), "stats count messages")

execute(s, "receive_callback = function() local function deep() error('no') end deep() end")
log.lines()
equal(raw_write(fd, b"x"), "EINVAL", "a callback that raises an error")
text = "\n".join(log.lines())
check("%s: " % s in text and ": no\n" in text and "stack traceback:" in text and "'deep'" in text, "which is in the log, with its traceback", text)
for _ in range(150):
    raw_write(fd, b"x")
equal(sum(": no" in line for line in log.lines()), 150, "every time: a writer's own errors are not throttled")
execute(s, "receive_callback = nil")
equal(raw_write(fd, b"x"), "EINVAL", "no callback")
equal(log.lines()[-1:], ["lunatik: %s: couldn't find receive function: receive_callback" % s], "says the log")
execute(s, "receive_callback = 5")
equal(raw_write(fd, b"x"), "EINVAL", "a callback that is no function")
execute(s, "receive_callback = function(m) local t = {} for i = 1, 1e7 do t[i] = i end end")
equal(raw_write(fd, b"x"), "ENOMEM", "a callback that meets the limit")
execute(s, "function receive_callback(m) kept = m error('x') end")
raw_write(fd, b"x")
equal(execute(s, "return #kept"), "0", "an error empties the memory, too")
os.close(fd)

s, fd = loaded("function receive_callback() end", "32K")
pid = child(lambda: (execute(s, "local t = {} for i = 1, 100 do pcall(function() while true do t = {t} end end) end full = t while full do end"), 0)[1])
check(soon(lambda: raw_write(fd, b"x") == "ENOMEM"), "a state that is full has no room for a callback's thread")
os.kill(pid, signal.SIGTERM)
ended(pid)
os.close(fd)

# --- a callback that waits ---

s, fd = loaded("""
function receive_callback(m)
	timer.sleep(0.3)
	seen, kept = memory.tostring(m), m
	error("late")
end""")
log.lines()
equal(raw_write(fd, b"patience"), 8, "a callback that waits lets its writer go")
equal((execute(s, "return seen"), stats(s)["status"]), ("nil", "waiting"), "and goes on in the background")
check(soon(lambda: execute(s, "return seen, kept and #kept") == "patience\t0"), "its memory is good until it ends")
check(soon(lambda: any("late" in line for line in log.lines())), "its error goes to the log")
load(s, "lost = {} function receive_callback(m) lost[#lost + 1] = m timer.sleep(1000) end")
raw_write(fd, b"1")
raw_write(fd, b"2")
ctl("cancel %s\n" % s)
check(soon(lambda: stats(s)["status"] != "waiting"), "cancel ends callbacks that wait")
equal(execute(s, "return #lost, #lost[1], #lost[2]"), "2\t0\t0", "and their memories are empty")
raw_write(fd, b"3")
ctl("destroy %s\n" % s)
equal((raw_write(fd, b"x"), os.read(fd, 10)), ("ENOENT", b""), "destroy with one that waits")
os.close(fd)

s, fd = loaded("function receive_callback(m) timer.sleep(1000) end", "2M")
os.set_blocking(fd, False)
kept = 0
while kept < 100 and raw_write(fd, big) == MAX:
    kept += 1
check(1 <= kept <= QUEUE // MAX, "callbacks that wait keep at most queuebytes of messages", kept)
equal(raw_write(fd, big), "EAGAIN", "then a writer that must not wait gets EAGAIN")
pid = child(lambda: os.write(opened(s), big) * 0)
check(sleeping(pid), "and another waits")
os.kill(pid, signal.SIGKILL)
equal(ended(pid), -signal.SIGKILL, "killably")
pid = child(lambda: 0 if raw_write(opened(s), big) == "EINTR" else 1)
check(sleeping(pid), "one more waits")
ctl("destroy %s\n" % s)
equal(ended(pid), 0, "until the state is destroyed")
os.close(fd)

# --- turns ---

s, fd = loaded("function receive_callback(m) n = (n or 0) + 1 end")
pid = child(lambda: (execute(s, "while not n do end"), 0)[1])
check(soon(lambda: stats(s)["status"] == "running"), "while a script runs")
equal(raw_write(fd, b"x"), 1, "a message does not wait for it")
equal(ended(pid), 0, "and the script sees what it did")
execute(s, "function receive_callback(m) while true do end end")
pid = child(lambda: os.write(opened(s), b"x") * 0)
check(runs(s), "a callback that does not end runs in slices")
equal(execute(s, "return n"), "1", "scripts run beside it")
os.kill(pid, signal.SIGTERM)
equal(ended(pid), -signal.SIGTERM, "its writer can be ended")
pid = child(lambda: 0 if raw_write(opened(s), b"x") == "EINTR" else 1)
check(runs(s), "another")
ctl("cancel %s\n" % s)
equal(ended(pid), 0, "cancel ends it with EINTR")
pid = child(lambda: 0 if raw_write(opened(s), b"x") == "EINTR" else 1)
check(runs(s), "and another")
ctl("destroy %s\n" % s)
equal(ended(pid), 0, "so does destroy")
os.close(fd)

# --- from the state ---

s, fd = loaded(ECHO)
equal(execute(s, "return lunatik.send('first'), lunatik.send('a\\0b'), netlink.send('third')"), "5\t3\t5", "send returns the size")
equal((os.read(fd, 100), os.read(fd, 100)), (b"first", b""), "a read gets a message, and then the end of the file")
os.lseek(fd, 0, os.SEEK_SET)
equal((os.read(fd, 100), os.pread(fd, 100, 0)), (b"a\0b", b"third"), "rewound, the next one; so does pread at 0")
execute(s, "lunatik.send(12) lunatik.send('longer')")
equal(message(fd), b"12", "a number is sent as its text")
equal(error_of(os.pread, fd, 5, 0), "EMSGSIZE", "a buffer that is too small")
equal((libc.pread(fd, ctypes.c_void_p(1), ctypes.c_size_t(100), ctypes.c_size_t(0)), errno.errorcode[ctypes.get_errno()]), (-1, "EFAULT"), "a bad address")
equal((message(fd), nothing(fd)), (b"longer", True), "leaves the message where it is; then there is none, EAGAIN")
raw_write(fd, b"echo")
equal(os.read(fd, 100), b"echo", "a memory is sent as its bytes; a write rewinds")
execute(s, "lunatik.send(('x'):rep(%d))" % MAX)
equal(len(message(fd)), MAX, "a message of datamaxsize bytes")
like(ask(s, "lunatik.send(('x'):rep(%d))" % (MAX + 1))[1], "message too long", "one byte more")
like(ask(s, "lunatik.send('')")[1], "empty message", "an empty one")
like(ask(s, "lunatik.send({})")[1], "string or memory expected, got table", "a table")
like(ask(s, "netlink.send()")[1], "string or memory expected, got no", "nothing")
equal(stats(s)["messages_out"], "7", "stats count them")

# --- poll ---

poll, epoll = select.poll(), select.epoll()
poll.register(fd, select.POLLIN | select.POLLOUT)
epoll.register(fd, select.EPOLLIN)
equal((poll.poll(0)[0][1], epoll.poll(0)), (select.POLLOUT, []), "poll: writable, nothing to read")
execute(s, "timer.create(200, function() lunatik.send('from a timer') end)")
equal((epoll.poll(10), select.select([fd], [], [], 10)[0]), ([(fd, select.EPOLLIN)], [fd]), "epoll wakes when a timer sends; select knows")
equal((poll.poll(0)[0][1], message(fd)), (select.POLLIN | select.POLLOUT, b"from a timer"), "poll: readable")
equal(poll.poll(0)[0][1], select.POLLOUT, "poll: not any more")

# --- waiting readers ---

pid = child(lambda: 0 if os.read(opened(s), 100) == b"wake up" else 1)
check(sleeping(pid), "a reader waits")
execute(s, "lunatik.send('wake up')")
equal(ended(pid), 0, "and gets the message")
os.lseek(fd, 0, os.SEEK_SET)
pid = child(lambda: os.read(fd, 100) and 0)
other = child(lambda: os.read(fd, 100) and 0)
check(sleeping(pid) and sleeping(other), "two wait on one descriptor")
os.kill(pid, signal.SIGKILL)
os.kill(other, signal.SIGINT)
equal((ended(pid), ended(other)), (-signal.SIGKILL, -signal.SIGINT), "both can be killed")
execute(s, "lunatik.send('kept')")
equal(message(fd), b"kept", "nothing went with them")


def alarmed():
    hits = []
    signal.signal(signal.SIGALRM, lambda *_: hits.append(1))
    signal.siginterrupt(signal.SIGALRM, False)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    os.read(opened(s), 100)
    return 0 if hits else 1


pid = child(alarmed)
time.sleep(0.6)
execute(s, "lunatik.send('after the signal')")
equal(ended(pid), 0, "a read goes on after a signal whose handler wants it so")

# --- a full queue ---

execute(s, "function fill() local n = 0 while netlink.send(('x'):rep(1000)) do n = n + 1 end return n end")
filled = int(execute(s, "return fill()"))
check(QUEUE // 1100 <= filled <= QUEUE // 1000, "queuebytes bound the queue", filled)
equal(execute(s, "return netlink.send(('x'):rep(1000))"), "nil\tqueue full\t-11", "netlink.send does not wait")
equal(execute(s, "return lunatik.atomic(lunatik.send, ('x'):rep(1000))"), "nil\tqueue full\t-11", "nor does lunatik.send where it cannot")
check(int(stats(s)["queued_bytes"]) > filled * 1000, "stats tell what is queued")
load(s, "for i = 1, 5 do coroutine.wrap(function() lunatik.send(i .. ('y'):rep(999)) done = i end)() end done = done + 100")
equal((execute(s, "return done"), stats(s)["status"]), ("nil", "waiting"), "lunatik.send waits, in a coroutine, too")
got = [message(fd) for _ in range(filled)]
equal((set(got), stats(s)["status"]), ({b"x" * 1000}, stats(s)["status"]), "a reader makes room")
equal([message(fd)[:1] for _ in range(5)], [b"%d" % i for i in range(1, 6)], "those who waited come in their order")
equal(soon(lambda: execute(s, "return done") == "105"), True, "and go on")
execute(s, "fill()")
raw_write(fd, b"e" * 1000)
os.set_blocking(fd, False)
equal(raw_write(fd, b"e"), "EAGAIN", "while a callback waits for room, further messages would wait, too")
os.set_blocking(fd, True)
pid = child(lambda: os.write(opened(s), b"f" * 1000) and 0)
check(sleeping(pid), "and do")
got = [message(fd) for _ in range(filled + 2)]
equal((set(got[:-2]), got[-2:], ended(pid)), ({b"x" * 1000}, [b"e" * 1000, b"f" * 1000], 0), "until a reader makes room")
execute(s, "fill()")
load(s, "lunatik.send(('B'):rep(20000))")
got = [message(fd) for _ in range(5)]
equal(execute(s, "return netlink.send('small')"), "nil\tqueue full\t-11", "nobody overtakes who waits for more room")
equal([len(message(fd)) for _ in range(filled - 4)], [1000] * (filled - 5) + [20000], "who gets it in the end")
execute(s, "fill()")
load(s, "pcall(lunatik.send, ('z'):rep(1000)) ended = true")
ctl("cancel %s\n" % s)
check(soon(lambda: stats(s)["status"] != "waiting"), "cancel ends who waits for room")
equal((set(message(fd) for _ in range(filled)), nothing(fd)), ({b"x" * 1000}, True), "who sent nothing")

# --- destroy ---

execute(s, "lunatik.send('last words')")
pid = child(lambda: 0 if [os.pread(fd, 100, 0) for _ in range(2)] == [b"last words", b""] else 1)
check(sleeping(pid) and stats(s)["queued_bytes"] == "0", "a reader waits")
ctl("destroy %s\n" % s)
equal(ended(pid), 0, "destroy gives it the end of the file")
equal((poll.poll(0)[0][1], epoll.poll(0)), (select.POLLOUT | select.POLLHUP, [(fd, select.EPOLLHUP)]), "poll: hung up")
equal((os.pread(fd, 100, 0), error_of(os.write, fd, b"x")), (b"", "ENOENT"), "reads end, writes fail")
os.close(fd)
s, fd = loaded("function fill() while netlink.send(('x'):rep(1000)) do end end fill() lunatik.send(('y'):rep(1000))")
equal(stats(s)["status"], "waiting", "a script that waits for room")
ctl("destroy %s\n" % s)
check(os.pread(fd, MAX, 0) and set(iter(lambda: os.pread(fd, MAX, 0), b"")) == {b"x" * 1000}, "is ended by destroy; what was queued is still to be had")
os.close(fd)

# --- many writers and readers ---

total = int(10000 * SCALE)
s, fd = loaded(ECHO)


def write_all(writer):
    mine = opened(s, os.O_WRONLY)
    for i in range(total // 2):
        os.write(mine, b"%d %d %s" % (writer, i, b"." * (i % 300)))


def read_some(into):
    mine = opened(s, os.O_RDONLY)
    while True:
        got = os.pread(mine, MAX, 0)
        if not got:
            return 0
        os.write(into, got.split(b".")[0].rstrip() + b"\n")


files = [os.path.join("/tmp", "%s.%d" % (s, i)) for i in range(2)]
readers = [child(read_some, os.open(path, os.O_RDWR | os.O_CREAT)) for path in files]
writers = [child(write_all, i) for i in range(2)]
equal([ended(pid, 240) for pid in writers], [0, 0], "two writers send %d messages" % total)
check(soon(lambda: stats(s)["queued_bytes"] == "0" and stats(s)["status"] != "waiting", 60), "two readers take them off")
ctl("destroy %s\n" % s)
equal([ended(pid, 60) for pid in readers], [0, 0], "and end when the state does")
lines = [[tuple(map(int, line.split())) for line in slurp(path).splitlines()] for path in files]
for path in files:
    os.unlink(path)
everything = collections.Counter(lines[0] + lines[1])
check(len(everything) == total // 2 * 2 and set(everything.values()) == {1}, "every message came once", len(everything))
ordered = all(seq == sorted(seq) for part in lines for w in (0, 1) for seq in [[i for writer, i in part if writer == w]])
check(ordered, "each reader saw each writer's messages in order")
os.close(fd)
finished()
