#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# The firewalls of lua/examples: real traffic through namespaces, over IPv4 and IPv6, with each script and without it.
import os
import socket
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "lib"))
from lunatik import *  # noqa: E402,F403
from net import Namespace, pair  # noqa: E402

EXAMPLES = os.path.join(os.path.dirname(HERE), "lua", "examples")
A, B, C = ("10.9.0.1", "fd09::1"), ("10.9.0.2", "fd09::2"), ("10.8.0.2", "fd08::2")
FAMILIES = ((socket.AF_INET, 0, "IPv4"), (socket.AF_INET6, 1, "IPv6"))

if not os.path.exists(EXAMPLES):
    skip_all("needs lua/examples")


def state(settings=""):
    """A state of the namespace b with these settings."""
    with b.inside():
        s = new_state(256 * 1024)
    if settings:
        execute(s, settings)
    return s


def start(s, example):
    check(load(s, slurp(os.path.join(EXAMPLES, example))) is None, "%s loads" % example, execute(s, "return 1"))


def messages(s, pattern, seconds=4):
    """What the state sent until something fits the pattern, or the time is over."""
    fd = os.open("%s/%s/data" % (SYS, s), os.O_RDONLY | os.O_NONBLOCK)
    text, end = "", time.monotonic() + seconds
    try:
        while time.monotonic() < end and not re.search(pattern, text):
            try:
                os.lseek(fd, 0, os.SEEK_SET)
                text += os.read(fd, 65536).decode()
            except BlockingIOError:
                time.sleep(0.02)
    finally:
        os.close(fd)
    return text


def connects(ns, family, address, port, seconds=1.0):
    s = ns.socket(family, socket.SOCK_STREAM)
    s.settimeout(seconds)
    try:
        s.connect((address, port))
        return True
    except OSError:
        return False
    finally:
        s.close()


def listen(ns, family, address, port):
    s = ns.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(64)
    return s


def through(family, v, port, payload, count=1):
    """How many of so many UDP packets from a to c arrive."""
    server = c.socket(family)
    server.bind((C[v], port))
    server.settimeout(0.4)
    client = a.socket(family)
    for _ in range(count):
        client.sendto(payload, (C[v], port))
    got = 0
    try:
        while got < count:
            server.recv(65536)
            got += 1
    except TimeoutError:
        pass
    server.close()
    client.close()
    return got


# --- the rate limiter -----------------------------------------------------------------------------------------------------

def test_ratelimit():
    s = state('RATE, BURST, HOOK = 2, 5, "forward"')
    equal(through(socket.AF_INET, 0, 6000, b"x", 30), 30, "ratelimit: without it thirty packets of thirty pass")
    start(s, "ratelimit.lua")
    for family, v, label in FAMILIES:
        got = through(family, v, 6000, b"x", 30)
        check(5 <= got <= 8, "%s: of thirty at once the burst" % label, got)
    text = messages(s, "(?s)(10.9.0.1 refused .*fd09:|fd09:.*10.9.0.1 refused)")
    like(text, r"ratelimit 10\.9\.0\.1 refused 2\d\n", "it tells who was refused")
    like(text, r"ratelimit fd09:0:0:0::/64 refused 2\d\n", "IPv6 by its network")
    # At 2 a second, after a second and a half there are about three.
    time.sleep(1.5)
    got = through(socket.AF_INET, 0, 6000, b"x", 30)
    check(2 <= got <= 7, "the bucket fills again at its rate", got)
    ctl("destroy %s\n" % s)
    equal(through(socket.AF_INET, 0, 6000, b"x", 30), 30, "and without it thirty pass again")


# --- the gate ----------------------------------------------------------------------------------------------------------------

def knock(family, v, *ports):
    client = a.socket(family)
    for port in ports:
        client.sendto(b"x", (B[v], port))
    client.close()


def test_knock():
    s = state("PORT, OPEN, PATIENCE = 2222, 1, 1")
    servers = [listen(b, family, B[v], 2222) for family, v, _ in FAMILIES]
    check(connects(a, socket.AF_INET, B[0], 2222), "knock: without it anybody connects")
    start(s, "knock.lua")
    for family, v, label in FAMILIES:
        check(not connects(a, family, B[v], 2222, 0.3), "%s: nobody who has not knocked" % label)
        knock(family, v, 7001, 8002, 9003)
        check(not connects(a, family, B[v], 2222, 0.3), "nor in the wrong order")
        knock(family, v, 7001, 9003, 5, 8002)
        check(not connects(a, family, B[v], 2222, 0.3), "nor with another between")
        knock(family, v, 7001, 9003, 8002)
        check(connects(a, family, B[v], 2222), "who knocked right is let in")
        like(messages(s, "let in"), "knock %s is let in for 1 s" % A[v], "and told of")
    check(soon(lambda: not connects(a, socket.AF_INET, B[0], 2222, 0.3), 5), "until the gate closes")
    knock(socket.AF_INET, 0, 7001, 9003)
    time.sleep(1.3)
    knock(socket.AF_INET, 0, 8002)
    check(not connects(a, socket.AF_INET, B[0], 2222, 0.3), "who pauses too long begins anew")
    ctl("destroy %s\n" % s)
    check(soon(lambda: connects(a, socket.AF_INET, B[0], 2222), 5), "and without it anybody connects again")
    for server in servers:
        server.close()


# --- the blocklist -----------------------------------------------------------------------------------------------------------

def query(name):
    labels = b"".join(bytes([len(part)]) + part for part in name.encode().split(b"."))
    return struct.pack(">HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def client_hello(name):
    host = name.encode()
    sni = struct.pack(">HHHBH", 0, len(host) + 5, len(host) + 3, 0, len(host)) + host
    extensions = struct.pack(">HHH", 10, 4, 2) + b"\0\x1d" + sni
    body = b"\3\3" + b"r" * 32 + b"\x20" + b"s" * 32 + struct.pack(">HHH", 4, 0x1301, 0x1302) + b"\1\0"
    body += struct.pack(">H", len(extensions)) + extensions
    return b"\x16\3\1" + struct.pack(">H", len(body) + 4) + b"\1" + struct.pack(">I", len(body))[1:] + body


def hello_arrives(server, family, v, name):
    """Whether a connection from a to c, through b, brings its ClientHello."""
    client = a.socket(family, socket.SOCK_STREAM)
    client.settimeout(2)
    client.connect((C[v], 443))
    peer, _ = server.accept()
    peer.settimeout(0.4)
    client.send(client_hello(name))
    try:
        got = peer.recv(4096)
    except TimeoutError:
        got = b""
    # Whatever retransmission is under way ends with the socket.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    peer.close()
    return got == client_hello(name)


def test_blocklist():
    s = state('BLOCKED = {["example.com"] = true}')
    equal(through(socket.AF_INET, 0, 53, query("www.example.com")), 1, "blocklist: without it the query passes")
    start(s, "blocklist.lua")
    for family, v, label in FAMILIES:
        equal([through(family, v, 53, query(name)) for name in ("example.com", "www.Example.COM", "example.community", "com")],
              [0, 0, 1, 1], "%s: the name and those below it are not asked for, others are" % label)
        equal([through(family, v, 53, part) for part in (query("example.com")[:20], b"\xff" * 40, query("example.com")[:12])],
              [1, 1, 1], "what is no query passes")
        server = listen(c, family, C[v], 443)
        equal([hello_arrives(server, family, v, name) for name in ("www.example.com", "example.org")], [False, True],
              "TLS to it ends with the ClientHello, to others not")
        server.close()
        text = messages(s, "tls %s asked for www.example.com" % A[v])
        like(text, r"blocklist dns %s asked for www\.Example\.COM\n" % A[v], "it tells who asked for what by DNS")
        like(text, r"blocklist tls %s asked for www\.example\.com\n" % A[v], "and by TLS")
    ctl("destroy %s\n" % s)
    equal(through(socket.AF_INET, 0, 53, query("www.example.com")), 1, "and without it the query passes again")


# --- the flow counter ----------------------------------------------------------------------------------------------------------

def test_flows():
    s = state("INTERVAL, FLOWS = 0.5, 4")
    start(s, "flows.lua")
    for family, v, label in FAMILIES:
        form, header = (("%s", 28), (r"\[%s\]", 48))[v]
        through(family, v, 7000, b"x" * 100, 10)
        text = messages(s, r"%s:7000 10 packets" % (form % re.escape(C[v])))
        like(text, r"flow udp %s:\d+ > %s:7000 10 packets %d bytes\n" % (form % re.escape(A[v]), form % re.escape(C[v]), 10 * (100 + header)),
             "flows, %s: packets and bytes of a flow" % label)
    for port in range(7001, 7009):
        through(socket.AF_INET, 0, port, b"x")
    like(messages(s, "others"), r"flow others \d packets \d+ bytes\n", "more flows than it keeps count as one")
    # Two intervals without traffic: the table is empty, so there is room for others.
    time.sleep(1.2)
    messages(s, "nothing like this", 0.2)
    through(socket.AF_INET, 0, 7010, b"x")
    like(messages(s, ":7010"), r"> 10\.8\.0\.2:7010 1 packets 29 bytes\n", "idle ones are forgotten")
    ctl("destroy %s\n" % s)


a, b, c = Namespace(), Namespace(), Namespace()
pair(a, b, "v0", "v0")
pair(b, c, "w0", "w0", ("10.8.0.%d/24", "fd08::%d/64"))
b.write("ipv4/ip_forward", "1")
b.write("ipv6/conf/all/forwarding", "1")
for ns, gateways in ((a, B), (c, ("10.8.0.1", "fd08::1"))):
    ns.ip("route", "add", "default", "via", gateways[0])
    ns.ip("-6", "route", "add", "default", "via", gateways[1])
plan(41)
for family, v, _ in FAMILIES:
    # Neighbours are found before anything is counted.
    soon(lambda: through(family, v, 9, b"x") == 1, 5)
for test in (test_ratelimit, test_knock, test_blocklist, test_flows):
    test()
finished()
