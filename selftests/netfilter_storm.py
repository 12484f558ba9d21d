#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""States with functions on packets are made, loaded anew and destroyed under traffic, by scripts of every bad kind; devices and
a namespace come and go with it. Nothing may be reported, and traffic passes at the end.

LUNATIK_STORM_SECONDS says how long (10)."""
import contextlib
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
import lunatik
from lunatik import *  # noqa
from net import *  # noqa

plan(8)

SECONDS = float(os.environ.get("LUNATIK_STORM_SECONDS", "10"))
SEED = int(os.environ.get("LUNATIK_STORM_SEED", str(random.randrange(1 << 30))))
diag("LUNATIK_STORM_SEED=%d" % SEED)
END = time.monotonic() + SECONDS

left, right = Namespace(), Namespace()
pair(left, right)

BODIES = [
    "return 'drop'",
    "return 'accept'",
    "return 'continue'",
    "return 'queue'",
    "return 'repeat'",
    "return 'stolen'",
    "return {}",
    "n = (n or 0) + #pkt",
    "error('storm')",
    "error({})",
    "keep = keep or {} keep[#keep + 1] = pkt",
    "local t = {} for i = 1, 1e6 do t[i] = {} end",
    "while true do end",
    "local s = ('x'):rep(1000) for i = 1, 20 do s = s .. s end",
    "h:remove()",
    "h = nil collectgarbage()",
    "pcall(require('netfilter').register, { family = 'ipv4', hook = 'input', priority = 0, onerror = 'drop', call = print })",
    "timer.timeout(0.001, function() n = 1 end)",
    "lunatik.send('storm')",
    "print('storm', #pkt)",
    "setmetatable({}, { __gc = function() error('gc') end })",
    "local co = coroutine.wrap(function() coroutine.yield(1) end) co() return co()",
    "return string.rep('accept', 1)",
]
PLACES = ["family = 'ipv4', hook = '%s'" % h for h in ("prerouting", "input", "output", "postrouting")]
PLACES += ["family = 'inet', hook = 'input'", "family = 'ipv6', hook = 'prerouting'", "family = 'arp', hook = 'input'",
           "family = 'netdev', hook = 'ingress', device = 'v0'", "family = 'netdev', hook = 'egress', device = 's0'"]


def script(rng):
    """Some functions at some hooks, perhaps instead of those before; it may fail."""
    parts = ["lunatik.replace()"] if rng.random() < 0.6 else []
    for _ in range(rng.randrange(1, 5)):
        parts.append("h = require('netfilter').register{ %s, priority = %d, onerror = '%s', call = function(pkt) %s end }" % (
            rng.choice(PLACES), rng.randrange(-2, 3), rng.choice(("accept", "drop")), rng.choice(BODIES)))
    parts.append(rng.choice(("", "", "", "error('late')", "timer.sleep(0.001)", "h:remove()", "h = nil collectgarbage()",
                             "timer.sleep(0.002) require('netfilter').register{ family = 'ipv4', hook = 'input', priority = 9, onerror = 'accept', call = print }")))
    return "\n".join(parts)


def traffic(sender, address):
    out = sender.socket()
    out.setblocking(False)
    while time.monotonic() < END:
        for _ in range(10):
            with contextlib.suppress(OSError):
                out.sendto(b"x" * random.randrange(1, 1400), (address, 9))
        time.sleep(0.001)
    return 0


def states_come_and_go(number):
    """Makes, loads and destroys states; the errors of scripts are expected, those of anything else are not."""
    rng = random.Random(SEED + number)
    lunatik.PREFIX = "%s.s%d" % (PREFIX, number)
    rounds = 0
    while time.monotonic() < END:
        with right.inside():
            name = new_state(rng.choice(("", "64K", "40000", "1M", "128K percpu")))
        for _ in range(rng.randrange(1, 6)):
            error = load(name, script(rng))
            if error not in (None, "EINVAL", "ENOMEM", "EINTR"):
                diag("load: %s" % error)
                return 1
            time.sleep(rng.random() * 0.02)
        ctl("destroy %s\n" % name)
        rounds += 1
    return 0 if rounds > 1 else 2


def devices_come_and_go():
    while time.monotonic() < END:
        with contextlib.suppress(RuntimeError):
            right.ip("link", "add", "s0", "type", "dummy")
            right.ip("link", "set", "s0", "up")
        time.sleep(0.05)
        with contextlib.suppress(RuntimeError):
            right.ip("link", "del", "s0")
    return 0


def namespaces_come_and_go():
    """A namespace goes while a state has functions in it."""
    rng = random.Random(SEED + 99)
    lunatik.PREFIX = PREFIX + ".n"
    while time.monotonic() < END:
        own = Namespace()
        with own.inside():
            name = new_state()
        load(name, "for i = 1, 5 do require('netfilter').register{ family = 'inet', hook = 'output', priority = i, onerror = 'drop', "
                   "call = function() n = (n or 0) + 1 end } end")
        out = own.socket()
        for _ in range(20):
            with contextlib.suppress(OSError):
                out.sendto(b"x", ("127.0.0.1", 9))
        out.close()
        first, second = (own.delete, lambda: ctl("destroy %s\n" % name))[::rng.choice((1, -1))]
        first()
        second()
    return 0


children = {"traffic there": child(traffic, left, "10.9.0.2"), "traffic back": child(traffic, right, "10.9.0.1"),
            "states": child(states_come_and_go, 1), "more states": child(states_come_and_go, 2),
            "devices": child(devices_come_and_go), "namespaces": child(namespaces_come_and_go)}
for what, pid in children.items():
    equal(ended(pid, SECONDS + 60), 0, what)
equal([name for name in states() if name.startswith(PREFIX)], [], "no state is left")
check(soon(lambda: ping(left, "10.9.0.2") == 1, 10), "traffic passes")

finished()
