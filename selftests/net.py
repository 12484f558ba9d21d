#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The net library: what scripts/net.lua says of it, and cancel, replace and destroy while a script waits for a socket."""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

PATIENCE = 20  # seconds in which what must come has to come


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
plan(len(lines) + 15)
equal(closed, None, "the script's writer goes on when it first waits")
equal((outcome, execute(state, "return finished")), ("", "true"), "it comes to its end")
check(len(lines) > 250, "and looks at much", len(lines))
for line in lines:
    check(line.startswith("ok "), line.partition(" # ")[0].replace("not ok ", "", 1).replace("ok ", "", 1), line)
equal(comes(state, "(function() collectgarbage() collectgarbage() return 'fine' end)()", "fine"), True, "what is left is collected")
ctl("destroy %s\n" % state)
if os.path.exists("/tmp/lunatik-net-test"):
    os.unlink("/tmp/lunatik-net-test")

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
            # It is over before its outcome can be read.
            good = soon(lambda: "cancelled" in slurp(code(name)), PATIENCE) and execute(name, "return stage") == what
            check(reached is True and good, "cancel ends a %s" % what, slurp(code(name)))
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

finished()
