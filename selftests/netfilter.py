#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The netfilter library on real packets: every family, hook and verdict; errors, overruns and memory; devices, network
namespaces and states that come and go."""
import contextlib
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa
from net import *  # noqa

plan(179)

# left (.1) --- right (.2): the state and its hooks are right's, unless it says otherwise.
left, right = Namespace(), Namespace()
pair(left, right)
HERE4, HERE6 = "10.9.0.2", "fd09::2"
NF = "local nf = require 'netfilter' "


def make(ns=right, maxalloc=None):
    """A state whose hooks are in that namespace."""
    with ns.inside():
        return new_state(maxalloc)


class Line:
    """Numbered datagrams from one namespace to an address of another."""

    def __init__(self, sender, receiver, address, port=7000):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.to = (address, port)
        self.receiver = receiver.socket(family)
        self.receiver.bind((address, port))
        self.sender = sender.socket(family)
        self.n = 0

    def send(self):
        self.n += 1
        with contextlib.suppress(PermissionError):
            self.sender.sendto(b"%d" % self.n, self.to)

    def arrived(self, seconds=2.0):
        """Whether the last datagram sent arrives in that time."""
        self.receiver.settimeout(seconds)
        try:
            while int(self.receiver.recv(64)) != self.n:
                pass
        except (TimeoutError, BlockingIOError):
            return False
        return True

    def passes(self, seconds=2.0):
        self.send()
        return self.arrived(seconds)

    def close(self):
        self.sender.close()
        self.receiver.close()


line4 = Line(left, right, HERE4)
line6 = Line(left, right, HERE6)


def get(s, expression):
    return execute(s, "return " + expression)


def number(s, expression):
    return int(get(s, expression))


def stat(s, name):
    return int(stats(s)[name])


def decided(s, line):
    """What becomes of one datagram: 'passed', 'dropped' (a function saw it) or 'lost'."""
    seen = stat(s, "packets")
    line.send()
    for _ in range(500):
        if line.arrived(0.01):
            return "passed"
        if stat(s, "packets") > seen:
            return "passed" if line.arrived(0.05) else "dropped"
    return "lost"


# --- arguments ---
s = make()
OK = dict(family='"ipv4"', hook='"input"', priority="0", onerror='"drop"', call="print")


def refused(text, **fields):
    args = ", ".join("%s = %s" % (k, v) for k, v in {**OK, **fields}.items() if v)
    error, reply = ask(s, "require('netfilter').register{%s}" % args)
    like(reply if error == "EINVAL" else str(error), text, text)


like(ask(s, "require('netfilter').register()")[1], r"bad argument #1 to 'register' \(table expected, got no value\)", "no arguments")
refused("'family' is missing", family=None)
refused("'hook' is missing", hook=None)
refused("'priority' is missing", priority=None)
refused("'onerror' is missing", onerror=None)
refused("'call' is missing", call=None)
refused("'family' must be a string, not a number", family="2")
refused("'call' must be a function, not a string", call="'print'")
refused("'device' must be a string, not a boolean", device="true")
refused(r"no family 'ip' \(ipv4, ipv6, inet, bridge, arp, or netdev\)", family="'ip'")
refused(r"no hook 'ingress' \(prerouting, input, forward, output, or postrouting\)", hook="'ingress'")
refused(r"no hook 'forward' \(input, or output\)", family="'arp'", hook="'forward'")
refused(r"no priority 'first' \(raw, conntrack, mangle, dstnat, filter, security, srcnat, or conntrack_helper\)", priority="'first'")
refused("no priority 'raw'", family="'bridge'", priority="'raw'")
refused("'priority' must be an integer of 32 bits", priority="2^31")
refused("'priority' must be an integer of 32 bits", priority="0.5")
refused("'priority' must be a number or a name, not a table", priority="{}")
refused(r"no onerror 'ignore' \(accept, or drop\)", onerror="'ignore'")
refused("no field 'prio'", prio="1")
refused("a number is no field", **{"[1]": "1"})
refused("this hook is a device's: 'device' is missing", family="'netdev'", hook="'ingress'")
refused("this hook is a device's: 'device' is missing", family="'inet'", hook="'ingress'")
refused("no such device", family="'netdev'", hook="'ingress'", device="'v9'")
refused("'a_name_too_long_' is no name of a device", device="'a_name_too_long_'")
like(ask(s, "require('netfilter').unregister(1)")[1], r"netfilter.hook expected, got number", "what is no handle")
like(ask(s, "lunatik.atomic(require('netfilter').register, {%s})" % ", ".join("%s = %s" % i for i in OK.items()))[1],
     "cannot wait here", "none is registered in lunatik.atomic")
equal(stat(s, "hooks"), 0, "none of these is registered")
ctl("destroy %s\n" % s)

# --- verdicts ---
s = make()
equal(load(s, NF + """
    verdict = {"accept"} calls = 0
    h = nf.register{ family = "ipv4", hook = "input", priority = "filter", onerror = "drop",
        call = function(pkt) calls = calls + 1 kept = pkt return table.unpack(verdict) end }"""), None, "a function is registered")
equal(stat(s, "hooks"), 1, "stats counts it")
for verdict, becomes in (("'accept'", "passed"), ("'stop'", "passed"), ("'continue'", "passed"), ("nil", "passed"), ("false", "passed"),
                         ("'drop'", "dropped"), ("'queue'", "dropped"), ("'queue', 3", "dropped")):
    execute(s, "verdict = {%s}" % verdict)
    errors = stat(s, "hook_errors")
    equal((decided(s, line4), stat(s, "hook_errors") - errors), (becomes, 0), "%s: %s" % (verdict, becomes))
equal(decided(s, line6), "passed", "another family's packets are not its business")
like(ask(s, "return #kept")[1], "closed packet", "a packet that was kept is closed")
equal(stat(s, "packets"), number(s, "calls"), "stats counts the packets")
equal(stat(s, "drops"), 1, "and those that were dropped")
before = number(s, "calls")
execute(s, "verdict = setmetatable({}, {__index = function(_, i) if i > 1 then return end "
           "again = (again or 0) + 1 return again < 4 and 'repeat' or 'accept' end, __len = function() return 1 end})")
equal((decided(s, line4), number(s, "calls") - before), ("passed", 4), "'repeat' gives it the packet again")
log = Log()
for verdict, text in (("'perhaps'", "returned 'perhaps', which is no verdict"), ("true", "returned a boolean"), ("{}", "returned a table"),
                      ("1", "returned a number"), ("'queue', 65536", "a queue that is no number below 65536"),
                      ("'queue', 'x'", "a queue that is no number"), ("'repeat'", "'repeat' again and again")):
    execute(s, "verdict = {%s}" % verdict)
    errors = stat(s, "hook_errors")
    what = decided(s, line4)
    equal((what, stat(s, "hook_errors") - errors), ("dropped", 1), "%s: an error" % verdict)
    check(soon(lambda: any(text in line for line in log.lines()), 5), "logged: %s" % text)
equal(get(s, "h:remove(), h:remove()"), "true\tfalse", "it is removed, once")
before = number(s, "calls")
check(line4.passes(), "packets pass again")
equal((number(s, "calls"), stat(s, "hooks")), (before, 0), "without it")

# --- several functions ---
ADD = NF + """
    order = "" verdict = {} h = {}
    function add(name, priority, family)
        h[name] = nf.register{ family = family or "ipv4", hook = "input", priority = priority, onerror = "drop",
            call = function() order = order .. name return verdict[name] end }
    end
"""
equal(load(s, ADD + "add('c', 100) add('a', -300) add('b', 0) add('B', 0)"), None, "four functions of one state, two at the same priority")


def order(**verdicts):
    execute(s, "order = '' verdict = {%s}" % ", ".join("%s = '%s'" % v for v in verdicts.items()))
    return decided(s, line4), get(s, "order")


equal(order(), ("passed", "abBc"), "by priority, then as they were registered")
equal(order(b="accept"), ("passed", "abc"), "'accept' ends it for one priority")
equal(order(a="drop"), ("dropped", "a"), "'drop' for all")
equal(order(B="drop"), ("dropped", "abB"), "by any of them")
other = make()
equal(load(other, ADD + "add('x', 50)"), None, "another state's at the same hook")
execute(other, "verdict.x = 'drop'")
equal((order()[0], get(s, "order"), get(other, "order")), ("dropped", "abB", "x"), "has a say, too")
ctl("destroy %s\n" % other)
equal(order(), ("passed", "abBc"), "until it is destroyed")
execute(s, "for name, handle in pairs(h) do handle:remove() end")

# --- from inside ---
equal(load(s, NF + """
    order = ""
    local function at(name, f)
        return nf.register{ family = "ipv4", hook = "input", priority = 0, onerror = "drop", call = function()
            order = order .. name f() collectgarbage() end }
    end
    a = at("a", function() a:remove() a = nil end)
    b = at("b", function() c:remove() end)
    c = at("c", function() end)
    d = at("d", function() b:remove() end)
    e = at("e", function() end)"""), None, "functions that remove themselves and others")
equal((decided(s, line4), get(s, "order")), ("passed", "abde"), "take effect at once")
equal((decided(s, line4), get(s, "order")), ("passed", "abdede"), "for the next packet, too")
equal(load(s, NF + """
    lunatik.replace()
    function try(f) tried = f nf.register{ family = "ipv4", hook = "input", priority = 0, onerror = "accept",
        call = function() ok, why = pcall(tried) return "drop" end } end
    try(function() nf.register{ family = "ipv6", hook = "input", priority = 0, onerror = "drop", call = print } end)"""), None,
      "one that registers another")
equal((decided(s, line4), get(s, "ok")), ("dropped", "false"), "cannot")
like(get(s, "why"), "cannot wait here", "and is told why")
execute(s, "tried = function() timer.sleep(1) end")
equal((decided(s, line4), get(s, "ok")), ("dropped", "false"), "one that waits")
like(get(s, "why"), "cannot wait here", "cannot")
execute(s, "tried = function() timer.timeout(0.001, function() fired = true end) end")
equal(decided(s, line4), "dropped", "one that makes a timer")
check(soon(lambda: get(s, "fired") == "true"), "can")
execute(s, "tried = function() sent = lunatik.send('from a hook') end")
equal((decided(s, line4), get(s, "sent")), ("dropped", "11"), "one that sends a message")
with open("%s/%s/data" % (SYS, s), "rb") as f:
    equal(f.read(), b"from a hook", "can")

# --- errors ---
for onerror, becomes in (("accept", "passed"), ("drop", "dropped")):
    log = Log()
    equal(load(s, NF + """lunatik.replace()
        trouble = trouble or function() error("boom") end
        nf.register{ family = "ipv4", hook = "input", priority = 0, onerror = "%s", call = function() trouble() return "accept" end }
        nf.register{ family = "ipv4", hook = "input", priority = 0, onerror = "drop", call = function() return "drop" end }""" % onerror),
          None, "onerror = '%s'" % onerror)
    execute(s, "trouble = function() error('boom') end")
    errors = stat(s, "hook_errors")
    equal((decided(s, line4), stat(s, "hook_errors") - errors), (becomes, 1), "an error: %s" % becomes)
    lines = []
    check(soon(lambda: lines.extend(log.lines()) or any("boom" in line for line in lines), 5), "its message is logged")
    check(soon(lambda: lines.extend(log.lines()) or any("stack traceback" in line for line in lines), 5), "and its traceback")
    execute(s, "trouble = function() while true do end end")
    overruns = stat(s, "overruns")
    equal(decided(s, line4), becomes, "an endless loop: %s" % becomes)
    equal(stat(s, "overruns") - overruns, 1, "counted as an overrun")
    execute(s, "trouble = function() while true do pcall(function() while true do end end) end end")
    equal(decided(s, line4), becomes, "one that catches errors: %s" % becomes)
    execute(s, "trouble = function() local t = {} for i = 1, 1e9 do t[i] = {} end end")
    equal(decided(s, line4), becomes, "all memory: %s" % becomes)
    execute(s, "trouble = function() local function f() return f() + 1 end return f() end")
    equal(decided(s, line4), becomes, "endless recursion: %s" % becomes)
    execute(s, "trouble = function() error(setmetatable({}, {__tostring = function() error('again') end})) end")
    equal(decided(s, line4), becomes, "an error whose text is one: %s" % becomes)
    execute(s, "trouble = function() end")
    equal(decided(s, line4), "passed", "then it goes on as before")
execute(s, "trouble = function() error('flood') end")
log = Log()
for _ in range(300):
    line4.send()
check(soon(lambda: stat(s, "hook_errors") > 300), "300 packets with an error")
time.sleep(1.1)
line4.send()
check(soon(lambda: any("lines dropped" in line for line in log.lines()), 5), "are logged at a bounded rate, and it is told how many are not")
ctl("destroy %s\n" % s)

# --- beside scripts ---
s = make()
load(s, NF + "n, m = 0, 0 nf.register{ family = 'ipv4', hook = 'input', priority = 0, onerror = 'drop', call = function() n = n + 1 m = m + 1 end }")
pid = child(lambda: ask(s, "while not over do m = m + 1 m = m - 1 end") and 0)
check(soon(lambda: stats(s)["status"] == "running"), "a script runs")
COUNT = max(50, int(500 * SCALE))
passed = sum(line4.passes() for _ in range(COUNT))
equal(passed, COUNT, "packets pass meanwhile")
ctl("cancel %s\n" % s)
check(ended(pid) is not None, "it is cancelled")
equal(get(s, "n == m or n .. ' ' .. m"), "true", "a variable that both count in has lost nothing")
equal(number(s, "n"), COUNT, "nor has that of the function")

# --- limits ---


def set_maxalloc(name, size):
    fd = os.open("%s/%s/maxalloc" % (SYS, name), os.O_WRONLY)
    try:
        os.write(fd, b"%d" % size)
    finally:
        os.close(fd)


equal(error_of(set_maxalloc, s, 1048576), None, "a state with hooks gets a maxalloc of hookmaxalloc")
equal(error_of(set_maxalloc, s, 1048577), "EBUSY", "but none above")
big = make(maxalloc="2M")
like(ask(big, "require('netfilter').register{%s}" % ", ".join("%s = %s" % i for i in OK.items()))[1],
     r"maxalloc is above hookmaxalloc \(1048576\)", "nor does one with such a maxalloc get hooks")
ctl("destroy %s\n" % big)
load(s, "lunatik.replace()")
equal(stat(s, "hooks"), 0, "a script without any replaces all")
load(s, NF + "for i = 1, 300 do ok, why = pcall(nf.register, { family = 'ipv4', hook = 'input', priority = i % 3, "
             "onerror = 'drop', call = print }) if not ok then made = i - 1 break end end")
equal(get(s, "made"), "256", "a state has 256 functions")
like(get(s, "why"), r"too many functions \(256\)", "and no more")
load(s, "lunatik.replace()")
execute(s, "function churn(n) local nf = require 'netfilter' for i = 1, n do nf.register{ family = 'ipv4', hook = 'input', priority = i, "
           "onerror = 'drop', call = function() end }:remove() end collectgarbage() end churn(10)")
base = curralloc(s)
execute(s, "churn(%d)" % max(20, int(300 * SCALE)))
check(curralloc(s) <= base + 200, "hundreds that came and went leave nothing", "%d before, %d after" % (base, curralloc(s)))

# --- staged ---
REGISTER = NF + "nf.register{ family = 'ipv4', hook = 'input', priority = 0, onerror = 'drop', call = function() n = (n or 0) + 1 end } "
execute(s, "n = nil")
pid = child(lambda: load(s, REGISTER + "local e = os.time() + 2 while os.time() < e do end error('late')") != "EINVAL")
check(soon(lambda: stat(s, "hooks") == 1), "a script registers and runs on")
check(line4.passes(), "a packet comes")
equal(ended(pid), 0, "it fails")
check(line4.passes(), "another packet comes")
equal((get(s, "n"), stat(s, "hooks")), ("nil", 0), "neither met anything, and it is gone")
equal(load(s, REGISTER + "timer.sleep(0.1) slept = true"), None, "one that waits after it registered")
check(line4.passes(), "a packet comes")
equal(get(s, "n"), "1", "and is seen")
ctl("destroy %s\n" % s)

# --- every family and hook ---
# left --- middle --- right by way of a router, and side a --- bridge in middle --- side b.
middle = Namespace()
pair(left, middle, "r0", "r1", ("10.8.1.%d/24", "fd08:1::%d/64"))
pair(right, middle, "r0", "r2", ("10.8.2.%d/24", "fd08:2::%d/64"))
for ns, net4, via4, net6, via6 in ((left, "10.8.2.0/24", "10.8.1.2", "fd08:2::/64", "fd08:1::2"),
                                   (right, "10.8.1.0/24", "10.8.2.2", "fd08:1::/64", "fd08:2::2")):
    ns.ip("route", "add", net4, "via", via4)
    ns.ip("route", "add", net6, "via", via6)
middle.write("ipv4/ip_forward", "1")
middle.write("ipv6/conf/all/forwarding", "1")
through4 = Line(left, right, "10.8.2.1", 7001)
through6 = Line(left, right, "fd08:2::1", 7001)
to4 = Line(left, middle, "10.8.1.2", 7002)
to6 = Line(left, middle, "fd08:1::2", 7002)
from4 = Line(middle, right, "10.8.2.1", 7003)
from6 = Line(middle, right, "fd08:2::1", 7003)
s = make(middle)
# Only datagrams of this test count: nothing else is as long.
MARKED = NF + """lunatik.replace() n = 0 verdict = 'accept'
    nf.register{ family = '%s', hook = '%s', priority = 'filter', onerror = 'drop', %s
        call = function(pkt) if pkt.len >= 500 and pkt.len < 600 then n = n + 1 return verdict end end }"""


def long_send(line):
    line.n += 1
    with contextlib.suppress(PermissionError):
        line.sender.sendto((b"%d" % line.n).ljust(480), line.to)


def meets(family, hook, line, device=None, text=None):
    """A datagram meets a function there, which can let it pass and drop it."""
    text = text or "%s %s%s" % (family, hook, ", " + device if device else "")
    failed = load(s, MARKED % (family, hook, "device = '%s'," % device if device else ""))
    if failed:
        return check(False, text, slurp(code(s)))
    long_send(line)
    passed = line.arrived(5), number(s, "n")
    execute(s, "verdict = 'drop'")
    long_send(line)
    soon(lambda: number(s, "n") > 1, 5)
    return equal((passed, line.arrived(0.05), number(s, "n")), ((True, 1), False, 2), text)


for family, lines in (("ipv4", (through4, to4, from4)), ("ipv6", (through6, to6, from6)),
                      ("inet", (through4, to4, from4)), ("inet", (through6, to6, from6))):
    for hook, line in (("prerouting", 0), ("input", 1), ("forward", 0), ("output", 2), ("postrouting", 0)):
        meets(family, hook, lines[line])
meets("netdev", "ingress", through4, "r1")
meets("netdev", "egress", through4, "r2")
meets("inet", "ingress", through6, "r1")
meets("ipv4", "forward", through4, "r1")
meets("ipv6", "postrouting", through6, "r2")
load(s, MARKED % ("ipv4", "forward", "device = 'r2',"))
long_send(through4)
equal((through4.arrived(5), number(s, "n")), (True, 0), "'device' is where a packet that is forwarded came from")
load(s, MARKED % ("ipv4", "input", ""))
check(right.socket().sendto(b"x" * 480, ("10.8.2.2", 9)), "a packet comes to the router")
check(soon(lambda: number(s, "n") == 1, 5), "and meets a function at its input")

middle.ip("link", "add", "br0", "type", "bridge")
one, two = Namespace(), Namespace()
for i, ns in enumerate((one, two), 1):
    sh("ip", "link", "add", "v0", "netns", ns.name, "type", "veth", "peer", "name", "b%d" % i, "netns", middle.name)
    ns.ip("addr", "add", "10.7.0.%d/24" % i, "dev", "v0")
    ns.ip("link", "set", "v0", "up")
    middle.ip("link", "set", "b%d" % i, "master", "br0", "up")
middle.ip("addr", "add", "10.7.0.3/24", "dev", "br0")
middle.ip("link", "set", "br0", "up")
across = Line(one, two, "10.7.0.2", 7004)
check(soon(lambda: across.passes(0.2)), "a bridge forwards")
for hook in ("prerouting", "forward", "postrouting"):
    meets("bridge", hook, across)
up_bridge, down_bridge = Line(one, middle, "10.7.0.3", 7005), Line(middle, two, "10.7.0.2", 7006)
check(soon(lambda: up_bridge.passes(0.2) and down_bridge.passes(0.2)), "the bridge is reached")
meets("bridge", "input", up_bridge)
meets("bridge", "output", down_bridge)


def resolves():
    """Whether ARP brings the router's address on the bridge."""
    one.ip("neigh", "flush", "dev", "v0")
    return ping(one, "10.7.0.3") == 1


ARP = NF + "lunatik.replace() n = 0 nf.register{ family = 'arp', hook = '%s', priority = 0, onerror = 'accept', call = function() n = n + 1 return '%s' end }"
for hook in ("input", "output"):
    load(s, ARP % (hook, "accept"))
    equal((resolves(), number(s, "n") > 0), (True, True), "arp %s: accept" % hook)
    load(s, ARP % (hook, "drop"))
    equal((resolves(), number(s, "n") > 0), (False, True), "arp %s: drop" % hook)
ctl("destroy %s\n" % s)
check(resolves(), "a state that is destroyed leaves nothing in the way")

# --- devices that go ---
s = make(middle)
middle.ip("link", "add", "d0", "type", "dummy")
middle.ip("link", "set", "d0", "up")
DEVICE = NF + "lunatik.replace() n = 0 h = nf.register{ family = 'netdev', hook = 'egress', device = 'd0', priority = 0, onerror = 'accept', call = function() n = n + 1 end }"
raw = None


def touch():
    """Sends a frame through d0."""
    with middle.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as frame:
        frame.bind(("d0", 0x0800))
        frame.send(b"\xff" * 6 + b"\2" * 6 + b"\x08\0" + b"x" * 46)


equal(load(s, DEVICE), None, "a function on a device")
touch()
check(soon(lambda: number(s, "n") >= 1, 5), "sees what it sends")
middle.ip("link", "del", "d0")
check(True, "the device goes")
middle.ip("link", "add", "d0", "type", "dummy")
middle.ip("link", "set", "d0", "up")
before = number(s, "n")
touch()
equal(number(s, "n"), before, "another of that name is none of its business")
equal(load(s, DEVICE), None, "until a function is registered on it")
touch()
check(soon(lambda: number(s, "n") >= 1, 5), "which sees what it sends")
middle.ip("link", "set", "d0", "netns", left.name)
equal(get(s, "h:remove()"), "true", "a device moves to another namespace, its function is removed after that")
like(ask(s, DEVICE.replace("lunatik.replace()", ""))[1], "no such device", "it is not there any more")
left.ip("link", "del", "d0")

# --- namespaces and states that go under traffic ---


def flood(ns, to, seconds):
    """Sends for so long, whatever becomes of it."""
    out = ns.socket()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(20):
            with contextlib.suppress(OSError):
                out.sendto(b"x" * 64, to)
    return 0


pid = child(flood, left, (HERE4, 9), 120)
rounds = 0
for _ in range(5):
    t = make()
    if load(t, NF + "for _, hook in ipairs{'prerouting', 'input'} do for i = 1, 3 do nf.register{ family = 'ipv4', hook = hook, priority = i, "
                    "onerror = 'drop', call = function(pkt) n = (n or 0) + #pkt end } end end"):
        break
    rounds += soon(lambda: stat(t, "packets") > 3, 10)
    ctl("destroy %s\n" % t)
equal(rounds, 5, "states that see packets are destroyed under traffic")
equal(ended(pid, 0), None, "which goes on")
os.kill(pid, 9)
ended(pid)
check(line4.passes(), "and passes")
gone = Namespace()
pair(left, gone, "g0", "g0", ("10.6.0.%d/24", "fd06::%d/64"))
t = make(gone)
load(t, NF + "function reg() return nf.register{ family = 'inet', hook = 'input', priority = 0, onerror = 'drop', call = function() n = (n or 0) + 1 end } end h = reg() "
             "nf.register{ family = 'netdev', device = 'g0', hook = 'ingress', priority = 0, onerror = 'drop', call = function() m = (m or 0) + 1 end }")
pid = child(flood, left, ("10.6.0.2", 9), 2)
check(soon(lambda: get(t, "n and m and n > 3 and m > 3") == "true"), "functions see packets in a namespace")
gone.delete()
check(soon(lambda: "g0" not in left.ip("link")), "which goes under traffic")
equal(ended(pid), 0, "that goes on")
check(soon(lambda: "the network namespace is gone" in ask(t, "reg()")[1]), "no function can be registered there")
equal(get(t, "h:remove()"), "true", "one that was can be removed")
ctl("destroy %s\n" % t)

finished()
