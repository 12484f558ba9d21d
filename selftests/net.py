#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The net library: what scripts/net.lua says of it, and states against programs: many connections, peers that vanish, full
buffers, cancel, replace, destroy and the end of the namespace while a script waits, limits."""
import os
import select
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

PATIENCE = 20  # seconds in which what must come has to come
CLONE_NEWNET = 0x40000000
COUNT = max(20, int(min(10000, 500 * SCALE)))  # connections that are open at once


def comes(state, expression, wanted):
    """True when it is so in time; else what it was at last."""
    seen = [None]

    def looks():
        try:
            seen[0] = execute(state, "return " + expression)
        except OSError as e:
            seen[0] = str(e)
        return seen[0] == wanted
    return soon(looks, PATIENCE) or seen[0]


def connect(state):
    s = socket.create_connection(("127.0.0.1", int(execute(state, "return port"))), PATIENCE)
    s.settimeout(PATIENCE)
    return s


def all_of(s, count):
    got = b""
    while len(got) < count:
        part = s.recv(1 << 20)
        if not part:
            break
        got += part
    return got


def vanish(s):
    """Closes a connection with a reset."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


SERVER = """
local inet = require "net.stream.inet"
server = assert(inet.server.new { host = "127.0.0.1", port = "0", reuseaddr = true })
assert(not server:listen())
port = server:getsockname():addr().port
open, served, failures = 0, 0, 0
local function serve(peer)
  open = open + 1
  local text, why
  repeat
    text, why = peer:recv()
    if why then failures = failures + 1 end
  until not text or not peer:send(text)
  peer:close()
  open, served = open - 1, served + 1
end
timer.create(0, function()
  while true do
    local peer, why = server:accept()
    if not peer then ended = why return end
    timer.create(0, function() serve(peer) end)
  end
end)
"""
ONE = """
local inet = require "net.stream.inet"
server = assert(inet.server.new { host = "127.0.0.1", port = "0" })
assert(not server:listen())
port = server:getsockname():addr().port
stage = "accept"
local peer = server:accept()
stage = "%s"
got = table.pack(%s)
stage = "done"
peer:close()
"""

# --- all of it, in one state ---
if os.path.exists("/tmp/lunatik-net-test"):
    os.unlink("/tmp/lunatik-net-test")
state = new_state("2M")
with open(HERE + "/scripts/net.lua") as script:
    closed = load(state, script.read())
soon(lambda: execute(state, "return finished") == "true" or slurp(code(state)).strip(), 60)
outcome = slurp(code(state)).strip()
lines = execute(state, "return table.concat(lines, '\\n')").splitlines()
plan(len(lines) + 49)
equal(closed, None, "the script's writer goes on when it first waits")
equal((outcome, execute(state, "return finished")), ("", "true"), "it comes to its end")
check(len(lines) > 250, "and looks at much", len(lines))
for line in lines:
    check(line.startswith("ok "), line.partition(" # ")[0].replace("not ok ", "", 1).replace("ok ", "", 1), line)
equal(comes(state, "(function() collectgarbage() collectgarbage() return 'fine' end)()", "fine"), True, "what is left is collected")
ctl("destroy %s\n" % state)
if os.path.exists("/tmp/lunatik-net-test"):
    os.unlink("/tmp/lunatik-net-test")

# --- a server, and programs as its clients ---
echo = new_state("8M")
equal(load(echo, SERVER), None, "a server starts")
one = connect(echo)
one.sendall(b"hello")
equal(one.recv(100), b"hello", "it answers")
big = os.urandom(300000)
one.setblocking(False)
sent, got = 0, b""
while len(got) < len(big):
    readable, writable, _ = select.select([one], [one] if sent < len(big) else [], [], PATIENCE)
    if not readable and not writable:
        break
    if writable:
        sent += one.send(big[sent:sent + 65536])
    if readable:
        got += one.recv(65536)
check(got == big, "a long text comes back as it was", "%d of %d bytes" % (len(got), len(big)))
one.close()
equal(comes(echo, "served", "1"), True, "and the connection ends")
half = connect(echo)
half.sendall(b"last words")
half.shutdown(socket.SHUT_WR)
equal(all_of(half, 1000), b"last words", "half-open: what came before the end is answered, then it closes")
half.close()
gone = [connect(echo) for _ in range(10)]
for s in gone:
    s.sendall(b"x")
    s.recv(1)
equal(comes(echo, "open", "10"), True, "ten at once")
for s in gone:
    vanish(s)
equal(comes(echo, "open", "0"), True, "that vanish")
equal(comes(echo, "failures", "10"), True, "as errors of recv")

full = connect(echo)
full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
full.setblocking(False)
sent, end = 0, time.monotonic() + 3
while time.monotonic() < end:
    try:
        sent += full.send(b"y" * 65536)
        end = time.monotonic() + 0.5
    except BlockingIOError:
        time.sleep(0.05)
    if sent > 64 << 20:
        break
check(65536 < sent < 64 << 20, "who does not read what it gets is not read from any more", sent)
equal(execute(echo, "return 'alive', open"), "alive\t1", "and nobody else minds")
full.settimeout(PATIENCE)
got = 0
while got < sent:
    part = full.recv(1 << 20)
    if not part:
        break
    got += len(part)
equal(got, sent, "until it reads again: nothing is lost")
full.close()

# --- many ---
peers, before = [], curralloc(echo)
for _ in range(COUNT):
    peers.append(connect(echo))
equal(comes(echo, "open", str(COUNT)), True, "%d connections" % COUNT)
execute(echo, "collectgarbage()")
diag("%d connections: %d bytes of the state each" % (COUNT, (curralloc(echo) - before) // COUNT))
check((curralloc(echo) - before) // COUNT < 4096, "each takes less than 4 KiB of the state", curralloc(echo))
for s in peers:
    s.sendall(b"ping")
equal([s.recv(10) for s in peers].count(b"ping"), COUNT, "all are served")
for s in peers:
    s.close()
equal(comes(echo, "open", "0"), True, "and end")

end, storm = time.monotonic() + (2 if SCALE < 1 else 4), 0
while time.monotonic() < end:
    s = connect(echo)
    storm += 1
    if storm % 3 == 0:
        vanish(s)
    elif storm % 3 == 1:
        s.sendall(b"q")
        s.close()
    else:
        s.close()
diag("%d connections in a row" % storm)
equal(comes(echo, "open", "0"), True, "a storm of connections passes")
execute(echo, "collectgarbage() collectgarbage()")
check(storm > 20 and curralloc(echo) < before + 65536, "and leaves nothing", "%d, %d before, %d after" % (storm, before, curralloc(echo)))
execute(echo, "server:close()")
equal(comes(echo, "ended", "Bad file descriptor"), True, "a listener that is closed says so to who accepts")

# --- who waits is found ---
WAITS = (
    ("accept", "nil", None),
    ("recv", "peer:recv()", None),
    ("send", "(function() local z = ('z'):rep(1 << 18) while peer:send(z) do end end)()", None),
    ("recv with a time-out", "(function() peer:rcvtimeo(100) return peer:recv() end)()", None),
)
for what, call, _ in WAITS:
    for how in ("cancel", "destroy"):
        name = new_state("4M")
        load(name, ONE % (what, call))
        port = int(execute(name, "return port"))
        s = None
        if what != "accept":
            s = socket.create_connection(("127.0.0.1", port), PATIENCE)
        reached = comes(name, "stage", what)
        soon(lambda: stats(name)["status"] == "waiting", PATIENCE)
        begun = time.monotonic()
        ctl("%s %s\n" % (how, name))
        took = time.monotonic() - begun
        if how == "cancel":
            good = soon(lambda: stats(name)["status"] != "waiting", PATIENCE) and execute(name, "return stage") == what
            check(reached is True and good and "cancelled" in slurp(code(name)), "cancel ends a %s" % what, slurp(code(name)))
            ctl("destroy %s\n" % name)
        else:
            check(reached is True and took < 10 and name not in states(), "destroy ends a %s" % what, took)
        if s:
            s.close()
name = new_state("1M")
load(name, ONE % ("recv", "peer:recv()"))
s = connect(name)
comes(name, "stage", "recv")
equal(load(name, "lunatik.replace() later = true"), None, "replace")
equal(soon(lambda: stats(name)["status"] == "idle", PATIENCE), True, "ends what waits for a socket")
equal(execute(name, "return stage"), "recv", "which does not go on")
s.close()
ctl("destroy %s\n" % name)

# --- the namespace ---


def in_namespace(f, *args):
    """Runs it in a process that has a network namespace of its own, with the loopback device up."""
    def inside():
        if libc.unshare(CLONE_NEWNET):
            return 98
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return f(*args)
    return ended(child(inside), 60)


inner = new_name()
pid = in_namespace(lambda: (ctl("create %s 1M\n" % inner), load(inner, ONE % ("again", "server:accept()")),
                            connect(inner).close(), 0 if comes(inner, "stage", "again") is True else 1)[-1])
equal(pid, 0, "a state of another namespace listens there")
equal(comes(inner, "stage", "done"), True, "its sockets are closed when the namespace goes")
equal(comes(inner, "got[2]", "Bad file descriptor"), True, "and who waits is told")
equal(execute(inner, "return require('net.stream').pair()"), "nil\tNetwork is down", "no socket can be made then")
ctl("destroy %s\n" % inner)


def lossy():
    """A reader behind a line that loses a third of all packets gets everything, though the state has closed."""
    if subprocess.run(["tc", "qdisc", "add", "dev", "lo", "root", "netem", "loss", "30%"], capture_output=True).returncode:
        return 97
    name = inner
    ctl("create %s 4M\n" % name)
    load(name, ONE % ("send", "peer:send(('w'):rep(200000))"))
    s = connect(name)
    if comes(name, "stage", "done") is not True:
        return 1
    time.sleep(0.2)
    return 0 if len(all_of(s, 200000)) == 200000 else 2


subprocess.run(["modprobe", "sch_netem"], capture_output=True)
lost = in_namespace(lossy)
check(lost in (0, 97), "what was sent before a close arrives, however often packets are lost", lost)
if lost == 97:
    diag("there is no netem here: nothing was lost")
error_of(ctl, "destroy %s\n" % inner)

# --- limits ---
equal(unload(), "", "the module goes with everything closed")
equal(insert("maxsockets=4"), "", "and comes back with few sockets")
few = new_state()
equal(execute(few, "s = require 'net.stream' a, b = s.pair(), s.pair() return #a + #b"), "4", "as many as may be")
equal(execute(few, "return s.pair()"), "nil\tToo many open files", "no more")
equal(execute(few, "return require('net.stream.inet').server.new { port = '0' }"), "nil\tToo many open files", "nor a server")
equal(execute(few, "a[1]:close() a[2]:close() return #s.pair()"), "2", "until some are closed")
equal(execute(few, "b = nil collectgarbage() return 'x'"), "x", "or collected")
equal(comes(few, "(s.pair() and 'yes')", "yes"), True, "which takes a moment")
ctl("destroy %s\n" % few)
equal((unload(), insert()), ("", ""), "the module as before")
example = new_state("1M")
with open(os.path.join(HERE, "../lua/examples/echo.lua")) as f:
    equal(load(example, "port = 7977\n" + f.read()), None, "the example")
s = socket.create_connection(("127.0.0.1", 7977), PATIENCE)
s.sendall(b"again")
equal(all_of(s, 5), b"again", "echoes")
s.close()
ctl("destroy %s\n" % example)
finished()
