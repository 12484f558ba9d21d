#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# The packet object: fields, writes and checksums, methods, stolen packets, hostile bytes. Crafted frames go through a
# router: namespace a - b, where the state is, - c.
import os
import random
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from lunatik import *  # noqa: E402,F403
import frames  # noqa: E402
from frames import SRC, Wire, icmp, is_sound, n4, n6, sealed, tcp, total, udp  # noqa: E402
from net import Namespace, pair  # noqa: E402

A4, B4, C4 = "10.9.0.1", "10.9.0.2", "10.8.0.2"
A6, B6, C6 = "fd09::1", "fd09::2", "fd08::2"


def ip4(proto, body, src=A4, dst=C4, **more):
    return frames.ip4(proto, body, src, dst, **more)


def ip6(proto, body, src=A6, dst=C6, **more):
    return frames.ip6(proto, body, src, dst, **more)


# --- the state -------------------------------------------------------------------------------------------------------------

FIELDS = """len mark priority ctmark pkttype family ether_dst ether_src ethertype vlan_id vlan_pcp vlan_proto arp_op arp_sha
arp_spa arp_tha arp_tpa version tos dscp ecn ttl hoplimit protocol saddr daddr saddr_n daddr_n ihl tot_len df id mf frag_off
fragment flowlabel nexthdr sport dport seq ack_seq doff tcp_flags window urg_ptr fin syn rst psh ack urg ece cwr udp_len icmp_type
icmp_code icmp_id icmp_seq payload payload_len""".split()
META = "iif oif hooknum indev outdev hook direction ctstate".split()

LIBRARY = """
netfilter = require "netfilter"
fields, meta = {%s}, {%s}
local function describe(pkt, names)
    local t = {}
    for _, name in ipairs(names) do
        local v = pkt[name]
        if v ~= nil then t[#t + 1] = name .. "=" .. tostring(v) end
    end
    return table.concat(t, " ")
end
function all(pkt) return describe(pkt, fields) end
function where(pkt) return describe(pkt, meta) end
-- One function at a time has a go at the packets that the test makes.
function hook(family, name, call, device)
    if handle then handle:remove() end
    got = nil
    handle = netfilter.register{ family = family, hook = name, priority = 0, device = device, onerror = "accept", call = call }
end
""" % tuple(",".join('"%s"' % name for name in names) for names in (FIELDS, META))


def world():
    """The namespaces a, b, c, their wires, and the state in b."""
    global a, b, c, wire, out, name
    a, b, c = Namespace(), Namespace(), Namespace()
    pair(a, b, "v0", "v0")
    pair(b, c, "w0", "w0", ("10.8.0.%d/24", "fd08::%d/64"))
    for ns, devices in ((a, ["v0"]), (b, ["v0", "w0"]), (c, ["w0"])):
        for device in devices:
            ns.ip("link", "set", device, "mtu", "9000")
            with ns.inside():
                subprocess.run(["ethtool", "-K", device, "tx", "off", "gro", "off"], capture_output=True)
    b.write("ipv4/ip_forward", "1")
    b.write("ipv6/conf/all/forwarding", "1")
    a.ip("route", "add", "default", "via", B4)
    a.ip("-6", "route", "add", "default", "via", B6)
    c.ip("route", "add", "default", "via", "10.8.0.1")
    c.ip("-6", "route", "add", "default", "via", "fd08::1")
    wire, out = Wire(a, "v0"), Wire(c, "w0")
    neighbours()
    with b.inside():
        name = new_state(1 << 20)
    check(load(name, LIBRARY) is None, "the library loads", execute(name, "return 1"))


def neighbours():
    """The router's first packet to c must not wait for one."""
    mac = ":".join("%02x" % byte for byte in out.mac)
    b.ip("neigh", "replace", C4, "lladdr", mac, "dev", "w0")
    b.ip("neigh", "replace", C6, "lladdr", mac, "dev", "w0")


def router_mac():
    return bytes.fromhex(b.ip("-br", "link", "show", "v0").split()[2].replace(":", ""))


def lua(text):
    """Runs a script; it must not fail."""
    err, reply = ask(name, text)
    if err:
        diag("%s: %s\n%s" % (err, reply, text))
        raise RuntimeError(reply)
    return reply


def raised():
    """How often functions failed, but for those that a busy machine kept from their time."""
    now = stats(name)
    return int(now["hook_errors"]) - int(now["overruns"])


def seen(ethertype, body, tags=(), to=None):
    """What the hook says about a frame: it sets `got`."""
    lua("got = nil")
    # On a busy machine a hook may overrun its time: the verdict for errors, and the next one is as good.
    for _ in range(4):
        wire.send(to or mac_b, ethertype, body, tags)
        if soon(lambda: execute(name, "return got") != "nil", 2):
            break
    return execute(name, "return got")


def fields(**values):
    """What `all` says of a packet that has these fields, and those that every one has."""
    values = {"mark": 0, "priority": 0, "pkttype": "host", "ether_dst": ":".join("%02x" % x for x in mac_b),
              "ether_src": ":".join("%02x" % x for x in SRC), **values}
    text = {True: "true", False: "false"}
    return " ".join("%s=%s" % (f, text.get(values[f], values[f]) if isinstance(values[f], bool) else values[f])
                    for f in FIELDS if values.get(f) is not None)


def of4(proto, body_len, src=A4, dst=C4, **values):
    n = {"saddr_n": int.from_bytes(n4(src), "big"), "daddr_n": int.from_bytes(n4(dst), "big")}
    return fields(**{"len": 20 + body_len, "family": "ipv4", "ethertype": 0x800, "version": 4, "tos": 0, "dscp": 0, "ecn": 0,
                     "ttl": 64, "hoplimit": 64, "protocol": proto, "saddr": src, "daddr": dst, **n, "ihl": 5,
                     "tot_len": 20 + body_len, "df": False, "id": 0x1234, "mf": False, "frag_off": 0, "fragment": False, **values})


def of6(proto, body_len, **values):
    return fields(**{"len": 40 + body_len, "family": "ipv6", "ethertype": 0x86dd, "version": 6, "tos": 0, "dscp": 0, "ecn": 0,
                     "ttl": 64, "hoplimit": 64, "protocol": proto, "saddr": A6, "daddr": C6, "fragment": False, "flowlabel": 0,
                     "nexthdr": proto, **values})


def flags(bits):
    names = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")
    return {**{n: bool(bits >> i & 1) for i, n in enumerate(names)}, "tcp_flags": bits}


OF_TCP = {"sport": 1000, "dport": 80, "seq": 0x01020304, "ack_seq": 0x05060708, "doff": 5, "window": 0x1111, "urg_ptr": 7}


# --- fields ------------------------------------------------------------------------------------------------------------------

def test_fields():
    lua("""hook("netdev", "ingress", function(p) if p.ether_src == "02:00:00:00:00:0a" then got = all(p) end end, "v0")""")
    s4, d4, s6, d6 = n4(A4), n4(C4), n6(A6), n6(C6)
    t = tcp(s4, d4, 1000, 80, b"hello", 0x12)
    equal(seen(0x800, ip4(6, t)), of4(6, 25, **OF_TCP, **flags(0x12), payload=41, payload_len=5), "IPv4, TCP")
    t = tcp(s4, d4, 1000, 80, b"hello", 0xad, options=b"\1" * 12)
    equal(seen(0x800, ip4(6, t, tos=0xb9, ttl=3, frag=0x4000, options=b"\1" * 8)),
          of4(6, 37, **{**OF_TCP, "doff": 8}, **flags(0xad), tos=0xb9, dscp=0x2e, ecn=1, ttl=3, hoplimit=3, df=True, ihl=7,
              payload=61, payload_len=5, len=65, tot_len=65), "options of IPv4 and TCP, every other flag")
    u = udp(s4, d4, 53, 1053, b"abc")
    equal(seen(0x800, ip4(17, u) + b"\xff" * 20), of4(17, 11, sport=53, dport=1053, udp_len=11, payload=29, payload_len=3, len=51),
          "IPv4, UDP, padded")
    equal(seen(0x800, ip4(1, icmp(8, 0, 0x00070009, b"x" * 8))),
          of4(1, 16, icmp_type=8, icmp_code=0, icmp_id=7, icmp_seq=9, payload=29, payload_len=8), "ICMP echo")
    equal(seen(0x800, ip4(1, icmp(3, 4, 0))), of4(1, 8, icmp_type=3, icmp_code=4, payload=29, payload_len=0), "ICMP unreachable")
    equal(seen(0x800, ip4(47, b"\0" * 6)), of4(47, 6, payload=21, payload_len=6), "another protocol")
    equal(seen(0x800, ip4(132, struct.pack(">HHII", 5, 6, 0, 0))), of4(132, 12, sport=5, dport=6), "SCTP: ports")
    equal(seen(0x800, ip4(17, u, frag=0x2000)), of4(17, 11, sport=53, dport=1053, udp_len=11, payload=29, payload_len=3, mf=True,
                                                    fragment=True), "a first fragment")
    equal(seen(0x800, ip4(17, u, frag=0x0003)), of4(17, 11, payload=21, payload_len=11, frag_off=24, fragment=True),
          "a later fragment has no ports")

    t = tcp(s6, d6, 1000, 80, b"hello", 2)
    equal(seen(0x86dd, ip6(6, t, tc=0x05, flow=0xabcde, hop=9)),
          of6(6, 25, **OF_TCP, **flags(2), tos=5, dscp=1, ecn=1, ttl=9, hoplimit=9, flowlabel=0xabcde, payload=61, payload_len=5),
          "IPv6, TCP")
    u = udp(s6, d6, 53, 1053, b"abc")
    options = b"\x3c\0\1\4\0\0\0\0" + b"\x11\0\1\4\0\0\0\0"
    equal(seen(0x86dd, ip6(0, options + u)),
          of6(17, 27, nexthdr=0, sport=53, dport=1053, udp_len=11, payload=65, payload_len=3), "extension headers")
    part = struct.pack(">BBHI", 17, 0, 1, 0xdeadbeef)
    equal(seen(0x86dd, ip6(44, part + u)),
          of6(17, 19, nexthdr=44, id=0xdeadbeef, mf=True, frag_off=0, fragment=True, sport=53, dport=1053, udp_len=11, payload=57,
              payload_len=3), "a first fragment of IPv6")
    part = struct.pack(">BBHI", 17, 0, 64, 0xdeadbeef)
    equal(seen(0x86dd, ip6(44, part + u)),
          of6(17, 19, nexthdr=44, id=0xdeadbeef, mf=False, frag_off=64, fragment=True, payload=49, payload_len=11), "and a later one")
    echo = struct.pack(">BBHHH", 128, 0, 0, 5, 6)
    equal(seen(0x86dd, ip6(58, echo)), of6(58, 8, icmp_type=128, icmp_code=0, icmp_id=5, icmp_seq=6, payload=49, payload_len=0),
          "ICMPv6 echo")

    u = udp(s4, d4, 53, 1053)
    equal(seen(0x800, ip4(17, u), [(0x8100, 0x6005)]),
          of4(17, 8, vlan_id=5, vlan_pcp=3, vlan_proto=0x8100, sport=53, dport=1053, udp_len=8, payload=29, payload_len=0), "a VLAN tag")
    equal(seen(0x800, ip4(17, u), [(0x88a8, 9), (0x8100, 0x6005)]),
          of4(17, 8, vlan_id=9, vlan_pcp=0, vlan_proto=0x88a8, sport=53, dport=1053, udp_len=8, payload=29, payload_len=0),
          "two: the outer counts")
    arp = struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + SRC + s4 + b"\0" * 6 + d4
    equal(seen(0x806, arp), fields(len=28, family="arp", ethertype=0x806, arp_op=1, arp_sha="02:00:00:00:00:0a", arp_spa=A4,
                                   arp_tha="00:00:00:00:00:00", arp_tpa=C4), "ARP")
    equal(seen(0x88b5, b"whatever"), fields(len=8, ethertype=0x88b5), "another EtherType")

    # What is not there, is not.
    t = tcp(s4, d4, 1000, 80)
    equal(seen(0x800, ip4(6, t[:10])), of4(6, 10, sport=1000, dport=80), "half a TCP header: its ports")
    equal(seen(0x800, ip4(6, t[:3])), of4(6, 3), "three bytes of it: nothing")
    equal(seen(0x800, ip4(6, t, length=24)), of4(6, 4, sport=1000, dport=80, len=40, tot_len=24), "what lies behind its length is no part of it")
    equal(seen(0x800, ip4(6, t, ihl=15)), of4(6, 20, ihl=15), "a header length beyond the packet")
    equal(seen(0x800, ip4(6, t, ihl=4)), fields(len=40, family="ipv4", ethertype=0x800), "a header length below its own")
    equal(seen(0x800, ip4(6, t)[:19]), fields(len=19, family="ipv4", ethertype=0x800), "half an IP header")
    equal(seen(0x86dd, ip6(60, b"\x3c\xff" + b"\0" * 6)), of6(None, 8, nexthdr=60), "options that lead out of the packet")
    equal(seen(0x806, arp[:20]), fields(len=20, family="arp", ethertype=0x806), "half an ARP message")
    big = udp(s4, d4, 53, 1053, b"x" * 6000)
    equal(seen(0x800, ip4(17, big)), of4(17, 6008, sport=53, dport=1053, udp_len=6008, payload=29, payload_len=6000),
          "a packet whose headers lie in fragments of memory")
    lua("""hook("netdev", "ingress", function(p)
        if p.ether_src == "02:00:00:00:00:0a" then
            got = table.concat({#p, #p.saddr_b, #p.daddr_b, tostring(p.nosuch), tostring(p["sport\\0"]), tostring(p[1]), tostring(p[p])}, " ")
        end
    end, "v0")""")
    equal(seen(0x800, ip4(17, u)), "28 4 4 nil nil nil nil", "the length operator; what is no field is nil")
    equal(seen(0x86dd, ip6(17, u)), "48 16 16 nil nil nil nil", "addresses as bytes")


def test_where():
    v0, w0 = (b.ip("-o", "link", "show", d).split(":")[0] for d in ("v0", "w0"))
    lua("""results = {}
        for _, h in ipairs{"prerouting", "forward", "postrouting"} do
            netfilter.register{ family = "ipv4", hook = h, priority = 10, onerror = "accept", call = function(p)
                if p.dport == 7777 then results[#results + 1] = where(p) end
            end }
        end
        got = nil
        hook("ipv4", "postrouting", function(p) if p.dport == 7777 then got = table.concat(results, "; ") end end)
        handle:remove()
        handle = netfilter.register{ family = "ipv4", hook = "postrouting", priority = 20, onerror = "accept",
            call = function(p) if p.dport == 7777 then got = table.concat(results, "; ") end end }""")
    wire.send(mac_b, 0x800, ip4(17, udp(n4(A4), n4(C4), 9, 7777)))
    soon(lambda: execute(name, "return got") != "nil", 5)
    got = execute(name, "return got").split("; ")
    equal(got[0], "iif=%s hooknum=0 indev=v0 hook=prerouting direction=in" % v0, "where a packet is: prerouting")
    equal(got[1], "iif=%s oif=%s hooknum=2 indev=v0 outdev=w0 hook=forward direction=forward" % (v0, w0), "forward")
    like(got[2], "oif=%s hooknum=4 .*outdev=w0 hook=postrouting direction=out$" % w0, "postrouting")


# --- writing -----------------------------------------------------------------------------------------------------------------

def changed(family, statements, body, wanted):
    """What comes out at c when the router's hook does that to the packet; and the outcome of it."""
    lua("""hook("%s", "forward", function(p)
        if p.mark ~= 99 and (p.protocol ~= 58 or p.icmp_type == 128) then got = select(2, pcall(function() %s return "done" end)) end
    end)""" % ("ipv4" if family == 4 else "ipv6", statements))
    out.flush()
    wire.send(mac_b, 0x800 if family == 4 else 0x86dd, body)
    packet = out.receive(wanted)
    return packet, execute(name, "return got")


def test_writes():
    s4, d4, s6, d6 = n4(A4), n4(C4), n6(A6), n6(C6)
    every = "p.saddr = '%s' p.sport = 4242 p.dport = 4343 p.ttl = 33 p.tos = 0x28 p.mark = 5 p.priority = 6 "
    from4, from6 = "192.0.2.77", "2001:db8::77"

    def ports(packet, at):
        return struct.unpack(">HH", packet[at:at + 4])

    for label, proto, make in (("TCP", 6, tcp), ("UDP", 17, udp)):
        at = 20
        got, outcome = changed(4, every % from4 + "p:set(p.payload + 1, 'XYZ')", ip4(proto, make(s4, d4, 1, 2, b"hello, world")),
                               lambda p, proto=proto: p[0] == 0x45 and p[9] == proto)
        equal(outcome, "done", "%s over IPv4: everything is written" % label)
        check(got and is_sound(got), "the checksums are right")
        equal(got and (got[12:16], ports(got, at), got[8], got[1], got[-12:]), (n4(from4), (4242, 4343), 33, 0x28, b"hXYZo, world"),
              "and the receiver sees it")
        at = 40
        got, outcome = changed(6, every % from6 + "p:set(p.payload + 1, 'XYZ')", ip6(proto, make(s6, d6, 1, 2, b"hello, world")),
                               lambda p, proto=proto: p[0] >> 4 == 6 and p[6] == proto)
        equal(outcome, "done", "%s over IPv6" % label)
        check(got and is_sound(got), "the checksums are right")
        equal(got and (got[8:24], ports(got, at), got[7], (got[0] & 15) << 4 | got[1] >> 4, got[-12:]),
              (n6(from6), (4242, 4343), 33, 0x28, b"hXYZo, world"), "and the receiver sees it")
    got, _ = changed(4, "p.saddr_n = p.saddr_n + 7 p:set(-1, '!')", ip4(17, udp(s4, d4, 1, 2, b"odd")), lambda p: p[9] == 17)
    equal(got and (is_sound(got), got[12:16], got[-3:]), (True, n4("10.9.0.8"), b"od!"), "an address as a number; the last byte")
    got, _ = changed(4, "p.saddr = '%s' p.sport = 9 p:set(p.payload, 'Z')" % from4, ip4(17, udp(s4, d4, 1, 2, b"abc", False)), lambda p: p[9] == 17)
    equal(got and (got[26:28], got[20:22], got[28:]), (b"\0\0", b"\0\x09", b"Zbc"), "UDP without a checksum stays without")
    # The payload that makes a sum of zero, which is written as ones.
    base = udp(s4, d4, 1, 2, b"\0\0")
    word = struct.unpack(">H", base[6:8])[0]
    got, _ = changed(4, "p:set(p.payload, '%s')" % "".join("\\x%02x" % x for x in struct.pack(">H", word)),
                     ip4(17, base), lambda p: p[9] == 17)
    equal(got and (got[26:28], is_sound(got)), (b"\xff\xff", True), "a sum of zero is written as ones")
    got, _ = changed(4, "p:set(p.payload, 'Q') p.saddr = '%s'" % from4, ip4(1, icmp(8, 0, 1, b"abc")), lambda p: p[9] == 1)
    equal(got and (is_sound(got), got[28:]), (True, b"Qbc"), "ICMP")
    echo = sealed(s6, d6, 58, struct.pack(">BBHHH", 128, 0, 0, 5, 6) + b"abc", 2)
    got, _ = changed(6, "p:set(p.payload, 'Q') p.saddr = '%s'" % from6, ip6(58, echo), lambda p: p[6] == 58 and p[40] == 128)
    equal(got and (is_sound(got), got[48:]), (True, b"Qbc"), "ICMPv6")
    got, outcome = changed(4, "p.saddr = '%s' p:set(p.payload + 3000, 'deep')" % from4, ip4(17, udp(s4, d4, 1, 2, b"x" * 6000)),
                           lambda p: p[9] == 17)
    equal((outcome, got and is_sound(got), got and got[3028:3032]), ("done", True, b"deep"), "in a packet that is not one run of bytes")
    got, _ = changed(4, "p:frame(); p.saddr = '%s' local f = p:frame() memory.set(f, #f, 33)" % from4, ip4(17, udp(s4, d4, 1, 2, b"abc")),
                     lambda p: p[9] == 17)
    equal(got and (got[12:16], got[28:]), (n4(from4), b"ab!"), "by the frame, whose checksums are the script's affair")

    # What is refused, and how.
    u = ip4(17, udp(s4, d4, 1, 2, b"abc"))
    six = ip6(17, udp(s6, d6, 1, 2, b"abc"))
    for statement, packet, pattern in (
            ("p.len = 3", u, "field 'len' cannot be set$"),
            ("p.nosuch = 3", u, "field 'nosuch' cannot be set$"),
            ("p[1] = 3", u, "field '1' cannot be set$"),
            ("p.ttl = 256", u, r"bad value for packet field 'ttl' \(0 to 255 expected\)$"),
            ("p.ttl = -1", u, r"bad value for packet field 'ttl' \(0 to 255 expected\)$"),
            ("p.ttl = 'x'", u, r"bad value for packet field 'ttl' \(0 to 255 expected\)$"),
            ("p.sport = 65536", u, r"'sport' \(0 to 65535 expected\)$"),
            ("p.mark = 1 << 32", u, r"'mark' \(0 to 4294967295 expected\)$"),
            ("p.saddr = 'fd00::1'", u, r"'saddr' \(IPv4 address expected\)$"),
            ("p.saddr = '10.0.0.256'", u, r"'saddr' \(IPv4 address expected\)$"),
            ("p.saddr = '10.0.0.1 '", u, r"'saddr' \(IPv4 address expected\)$"),
            ("p.saddr = 1", u, r"'saddr' \(IPv4 address expected\)$"),
            ("p.daddr = '10.0.0.1'", six, r"'daddr' \(IPv6 address expected\)$"),
            ("p.saddr_n = 1", six, "packet has no field 'saddr_n'$"),
            ("p.sport = 1", ip4(47, b"\0" * 8), "packet has no field 'sport'$"),
            ("p.sport = 1", ip4(132, struct.pack(">HHII", 5, 6, 0, 0)), "field 'sport' cannot be set: its checksum cannot be mended$"),
            ("p.saddr = '10.0.0.1'", ip4(33, b"\0" * 16), "field 'saddr' cannot be set: its checksum cannot be mended$"),
            ("p:set(1, 'x')", u, "bad argument #1 to 'set' .position out of payload"),
            ("p:set(28, 'x')", u, "bad argument #1 to 'set' .position out of payload"),
            ("p:set(30, 'abc')", u, "bad argument #1 to 'set' .position out of payload"),
            ("p:set(0, 'x')", u, "bad argument #1 to 'set' .position out of payload"),
            ("p:set(p.payload, {})", u, "bad argument #2 to 'set' .string or memory expected, got table"),
            ("p:set(p.payload, ('x'):rep(100))", u, "bad argument #2 to 'set' .payload too short"),
            ("p:set(21, 'x')", ip4(132, struct.pack(">HHII", 5, 6, 0, 0)), "packet has no payload$")):
        got, outcome = changed(packet[0] >> 4, statement, packet, lambda p, packet=packet: p[0] >> 4 == packet[0] >> 4 and p[-8:] == packet[-8:])
        like(outcome, pattern, "refused: " + statement)
    check(got is not None, "and the packet goes its way")


def test_route():
    """What the state's machine itself sends finds another way when its address changes."""
    server = c.socket()
    server.bind((C4, 5353))
    server.settimeout(3)
    lua("""hook("ipv4", "output", function(p) if p.dport == 5353 then p.daddr = "%s" end end)""" % C4)
    client = b.socket()
    client.sendto(b"redirected", (A4, 5353))
    try:
        got = server.recv(100)
    except TimeoutError:
        got = None
    equal(got, b"redirected", "output: a new destination gets a new route")
    server.close()
    server = c.socket(socket.AF_INET6)
    server.bind((C6, 5353))
    server.settimeout(3)
    lua("""hook("ipv6", "output", function(p) if p.dport == 5353 then p.daddr = "%s" end end)""" % C6)
    client = b.socket(socket.AF_INET6)
    client.sendto(b"redirected", (A6, 5353))
    try:
        got = server.recv(100)
    except TimeoutError:
        got = None
    equal(got, b"redirected", "over IPv6")
    server.close()


# --- methods -------------------------------------------------------------------------------------------------------------------

def test_methods():
    s4, d4 = n4(A4), n4(C4)

    def says(body, packet=None):
        lua("""hook("ipv4", "forward", function(p) if p.dport == 2 then
            local e = function(...) return select(2, pcall(...)) end
            local ok, what = pcall(function() %s end) got = tostring(what) end end)""" % body)
        return seen(0x800, packet or ip4(17, udp(s4, d4, 1, 2, b"abc\0def")))

    equal(says("return table.concat({p:unpack('>I2I2I2', 21)}, ' ')"), "1 2 15 27", "unpack")
    equal(says("return p:unpack('z', p.payload)"), "abc", "unpack: a string in the payload")
    equal(says("return p:unpack('c3', -3)"), "def", "unpack: from the end")
    equal(says("return e(p.unpack, p, 'c1', #p + 1)"), "bad argument #1 to '?' (payload too short)", "unpack: beyond the end")
    equal(says("return e(p.unpack, p, 'z', #p - 2)"), "bad argument #2 to '?' (payload too short)", "unpack: no zero to the end")
    equal(says("return e(p.unpack, p, 'c1', #p + 2)"), "bad argument #3 to '?' (initial position out of payload)", "unpack: a position")
    equal(says("return e(p.unpack, p, 'y')"), "invalid format option 'y'", "unpack: an option")
    equal(says("return p:unpack('c20000', 1)", ip4(17, udp(s4, d4, 1, 2, b"x" * 6000)))[:30], "[string \"got\"]"[:0] + execute(name, "return got")[:30],
          "unpack: more than a large packet has")
    like(execute(name, "return got"), "payload too short", "says so")
    equal(says("local s = p:unpack('c6000', p.payload) return s == ('x'):rep(6000)", ip4(17, udp(s4, d4, 1, 2, b"x" * 6000))), "true",
          "unpack: a large packet, whole")
    equal(says("local m = memory.create(#p) p:copybytes(m) return memory.unpack(m, 'c' .. #p) == p:unpack('c' .. #p)"), "true", "copybytes")
    equal(says("local m = memory.create('......') p:copybytes(m, 29, 31, 3) return memory.tostring(m)"), "..abc.", "copybytes: a part")
    equal(says("local m = memory.create(6000) p:copybytes(m, p.payload) return memory.tostring(m) == ('x'):rep(6000)",
               ip4(17, udp(s4, d4, 1, 2, b"x" * 6000))), "true", "copybytes: a large packet")
    for args, pattern in (("memory.create()", "#5 .*index out of bounds"), ("memory.create(1), -#p - 1", "#3 .*index out of bounds"),
                          ("memory.create(1), 1, -#p - 1", "#3 .*index out of bounds"), ("memory.create(1), 1, 1, 2", "#5 .*index out of bounds"),
                          ("memory.create(1), 1, 1, -2", "#5 .*index out of bounds"), ("memory.create(1), #p + 1", "#3 .*index out of bounds"),
                          ("memory.create(1), 1, #p + 1", "#4 .*index out of bounds"), ("memory.create(1), -1, -2", "#3 .*index out of bounds"),
                          ("1, 1, 1", "#5 .*index out of bounds"), ("memory.create(1), 1, 3", "^slice too big for memory$"),
                          ("memory.create(3), 1, 3, 2", "^slice too big for memory$")):
        like(says("return e(p.copybytes, p, %s)" % args), pattern, "copybytes(%s)" % args)
    equal(says("local f = p:frame() return (f == p:frame()) and memory.type(f) .. #f .. ' ' .. ('%02x'):rep(6):format(memory.get(f, 7, 12))"),
          "other%d 02000000000a" % (14 + 35), "frame: from the MAC header on, the same on repeat")
    like(says("return tostring(p)"), r"^packet: \{ len:35 data_len:0 users:1 cloned:\d dataref:\d frags:0 \}$", "tostring")
    equal(says("return p:connid() >= 0"), "true", "connid")
    like(says("return e(p.close, p)"), "^packet must be stolen$", "close: not stolen")
    like(says("return e(p.send, p)"), "^packet must be stolen$", "send: not stolen")
    equal(says("return select(2, p:tcpreply('x'))"), "couldn't reply a packet", "tcpreply: not TCP")
    like(says("return e(getmetatable(p).__index, {}, 'len')"), "luapacket expected, got table", "__index of what is no packet")
    like(says("return e(getmetatable(p).__index, memory.create(200), 'len')"), "luapacket expected, got userdata", "or of another userdata")
    like(says("return e(p.unpack, memory.create(200), 'c1')"), "luapacket expected, got userdata", "a method of it")
    equal(says("return getmetatable(p) == packet"), "true", "the metatable is `packet`")

    # After the callback.
    lua("""hook("ipv4", "forward", function(p) if p.dport == 2 then kept, frame = p, p:frame() got = #frame end end)""")
    seen(0x800, ip4(17, udp(s4, d4, 1, 2)))
    equal(execute(name, "return #frame"), "0", "after the callback its frame is empty")
    for method in ("close", "connid", "frame", "send", "tcpreply", "unpack", "copybytes", "set"):
        equal(execute(name, "return select(2, pcall(kept.%s, kept, '', ''))" % method), "bad argument #1 to '?' (closed packet)",
              "after it: " + method)
    for what in ("kept.len", "kept.sport", "#kept", "tostring(kept)"):
        like(execute(name, "return select(2, pcall(function() return %s end))" % what), "closed packet", "after it: " + what)
    like(execute(name, "return select(2, pcall(function() kept.mark = 1 end))"), "closed packet", "after it: a write")


# --- stolen packets --------------------------------------------------------------------------------------------------------------

def test_stolen():
    s4, d4, s6, d6 = n4(A4), n4(C4), n6(A6), n6(C6)
    lua("""held = {}
        thief = netfilter.register{ family = "inet", hook = "forward", priority = 5, onerror = "drop", call = function(p)
            if p.dport == 5 then held[#held + 1] = p frame = p:frame() return "stolen" end
        end }
        hook("ipv4", "forward", function() end)""")

    def steal(packet):
        n = int(execute(name, "return #held"))
        out.flush()
        wire.send(mac_b, 0x800 if packet[0] >> 4 == 4 else 0x86dd, packet)
        return soon(lambda: int(execute(name, "return #held")) > n, 5)

    def to5(packet):
        return packet[20:24] == b"\0\1\0\5" or packet[40:44] == b"\0\1\0\5"

    check(steal(ip4(17, udp(s4, d4, 1, 5, b"later"))), "a packet is stolen")
    equal(out.receive(to5, 0.3), None, "and does not go on")
    equal(execute(name, "local p = held[1] return p.dport, p.saddr, p.indev, p.outdev, p.hook, p.ether_src, #p, #frame, (p:unpack('z', p.payload - 8 + 8 - 8))"),
          "5\t%s\tv0\tw0\tforward\t02:00:00:00:00:0a\t33\t47\t" % A4, "its fields are there, in a script")
    equal(execute(name, "local p = held[1] p.ttl = 7 p.sport = 1 return p:send()"), "true", "send")
    got = out.receive(to5)
    equal(got and (is_sound(got), got[8], got[28:]), (True, 7, b"later"), "and it arrives, as it was changed")
    like(execute(name, "return #frame, select(2, pcall(held[1].send, held[1]))"), "^0\tbad argument #1 to '[?]' .closed packet",
         "sent once, closed for good")
    steal(ip6(17, udp(s6, d6, 1, 5, b"later")))
    equal(execute(name, "return held[2]:send()"), "true", "IPv6")
    got = out.receive(to5)
    equal(got and (is_sound(got), got[48:]), (True, b"later"), "arrives")
    steal(ip4(6, tcp(s4, d4, 1, 5, b"GET /secret")))
    equal(execute(name, "return held[3]:send('GET /')"), "true", "send with another TCP payload, shorter")
    got = out.receive(to5)
    equal(got and (is_sound(got), got[40:]), (True, b"GET /"), "arrives")
    steal(ip6(6, tcp(s6, d6, 1, 5, b"x")))
    equal(execute(name, "return held[4]:send(('y'):rep(3000))"), "true", "and longer, over IPv6")
    got = out.receive(to5)
    equal(got and (is_sound(got), got[60:]), (True, b"y" * 3000), "arrives")
    steal(ip4(6, tcp(s4, d4, 1, 5, b"its own frame")))
    frame_len = 14 + 40 + 13
    equal(execute(name, "local p = table.remove(held) return p:send(p:frame())"), "true", "with its own frame, which moves for it")
    got = out.receive(to5)
    equal(got and (is_sound(got), len(got), got[40 + 54:]), (True, 40 + frame_len, b"its own frame"), "arrives")
    steal(ip4(17, udp(s4, d4, 1, 5, b"later")))
    equal(execute(name, "return held[5]:send('x')"), "nil\tunable to set tcp payload", "UDP has no TCP payload")
    equal(execute(name, "return held[5]:close(), pcall(held[5].close, held[5])"), "true\tfalse\tbad argument #1 to '?' (closed packet)", "close")
    steal(ip4(17, udp(s4, d4, 1, 5, b"atomic")))
    equal(execute(name, "return lunatik.atomic(function() return held[6]:send() end)"), "true", "send where nothing can wait")
    got = out.receive(to5)
    equal(got and got[28:], b"atomic", "arrives, too")
    steal(ip4(17, udp(s4, d4, 1, 5, b"timer")))
    lua("timer.create(50, function() held[7]:send() end)")
    got = out.receive(to5)
    equal(got and got[28:], b"timer", "from a timer")

    # Bounds, and everything that ends one.
    for _ in range(400):
        wire.send(mac_b, 0x800, ip4(17, udp(s4, d4, 1, 5, b"full" * 100)))
    soon(lambda: int(stats(name)["hook_errors"]) > 0, 5)
    count = "local n = 0 for _, p in ipairs(held) do n = n + (pcall(p.connid, p) and 1 or 0) end return n"
    check(10 < int(execute(name, count)) < 300, "queuebytes is the bound of what a state steals", execute(name, count))
    check(int(stats(name)["hook_errors"]) > 0, "then the packet gets the verdict for errors")
    execute(name, "held = {} for i = 1, 4 do collectgarbage() end return 1")
    check(soon(lambda: steal(ip4(17, udp(s4, d4, 1, 5, b"again"))), 5), "what is collected makes room")
    equal(execute(name, "return #held"), "1", "again")
    soon(lambda: steal(ip4(17, udp(s4, d4, 1, 5, b"gone"))), 5)
    b.ip("link", "set", "w0", "down")
    equal(execute(name, "return held[#held]:send()"), "nil\tunable to route packet", "its device is down: send")
    b.ip("link", "set", "w0", "up")
    b.ip("addr", "add", "fd08::1/64", "dev", "w0", "nodad")
    neighbours()
    lua("thief:remove() held = {}")


def test_stolen_elsewhere():
    """Where a packet goes on depends on where it was stolen."""
    d, e = Namespace(), Namespace()
    pair(d, b, "x0", "x1", ("10.7.0.%d/24",))
    pair(e, b, "x0", "x2", ("10.6.0.%d/24",))
    b.ip("link", "add", "br0", "type", "bridge")
    for device in ("x1", "x2"):
        b.ip("link", "set", device, "master", "br0")
    b.ip("link", "set", "br0", "up")
    from_d, to_e = Wire(d, "x0"), Wire(e, "x0")

    def case(family, where, device, send, listen, text):
        lua("""local once = true
            kept = nil
            hook("%s", "%s", function(p)
                if p.dport == 5 and once then once = false kept = p return "stolen" end
            end, %s)""" % (family, where, device and '"%s"' % device))
        listen.flush()
        send()
        check(soon(lambda: execute(name, "return kept ~= nil") == "true", 3), "%s: stolen" % text)
        held = listen.receive(lambda p: p[0] == 0x45 and p[22:24] == b"\0\5", 0.2)
        sent = execute(name, "return kept and kept:send()")
        got = listen.receive(lambda p: p[0] == 0x45 and p[22:24] == b"\0\5")
        equal((held, sent, got and got[28:28 + 5]), (None, "true", b"later"), "%s: sent, and it arrives" % text)

    def routed():
        wire.send(mac_b, 0x800, ip4(17, udp(n4(A4), n4(C4), 1, 5, b"later")))

    def bridged():
        from_d.send(to_e.mac, 0x800, ip4(17, udp(n4("10.7.0.1"), n4("10.6.0.1"), 1, 5, b"later"), "10.7.0.1", "10.6.0.1"))

    for where in ("prerouting", "postrouting"):
        case("ipv4", where, None, routed, out, where)
    case("netdev", "ingress", "v0", routed, out, "ingress")
    case("netdev", "egress", "w0", routed, out, "egress")
    subprocess.run(["modprobe", "bridge"], capture_output=True)
    for where in ("prerouting", "forward", "postrouting"):
        case("bridge", where, None, bridged, to_e, "bridge, " + where)
    if BRIDGED:
        lua("""hook("ipv4", "forward", function(p) if p.dport == 5 then kept = p return "stolen" end end)""")
        before = raised()
        bridged()
        check(soon(lambda: raised() > before, 3), "a bridge's packet in a hook of IP cannot be stolen: its route is the bridge's")
    lua("handle:remove() handle = nil")
    b.ip("link", "del", "br0")


def test_reply():
    server = c.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind((C4, 8080))
    server.listen()
    lua("""hook("ipv4", "forward", function(p)
        if p.dport == 8080 and p.payload_len > 0 then got = tostring(p:tcpreply("blocked\\n")) return "drop" end
    end)""")
    client = a.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.settimeout(5)
    client.connect((C4, 8080))
    client.send(b"GET /")
    equal(client.recv(100), b"blocked\n", "tcpreply: the client gets the answer")
    equal(execute(name, "return got"), "true", "and the script is told")
    client.close()
    server.close()
    server = c.socket(socket.AF_INET6, socket.SOCK_STREAM)
    server.bind((C6, 8080))
    server.listen()
    lua("""hook("ipv6", "forward", function(p)
        if p.dport == 8080 and p.payload_len > 0 then got = tostring(p:tcpreply("blocked\\n")) return "drop" end
    end)""")
    client = a.socket(socket.AF_INET6, socket.SOCK_STREAM)
    client.settimeout(5)
    client.connect((C6, 8080))
    client.send(b"GET /")
    equal(client.recv(100), b"blocked\n", "over IPv6")
    client.close()
    server.close()


# --- connections -------------------------------------------------------------------------------------------------------------------

def test_conn():
    subprocess.run(["modprobe", "nf_conntrack"], capture_output=True)
    b.nft("table inet t {\n chain f {\n type filter hook forward priority -5;\n ct state new accept\n }\n}\n")
    b.write("netfilter/nf_conntrack_acct", "1")
    lua("""states = {}
        hook("ipv4", "forward", function(p)
            if p.dport == 6 or p.sport == 6 then
                states[#states + 1] = p.ctstate
                got = p:connid()
                found = conn.find(4, "udp", "%s", 6000, "%s", 6)
            end
        end)""" % (A4, C4))
    one, two = a.socket(), c.socket()
    one.bind((A4, 6000))
    two.bind((C4, 6))
    one.connect((C4, 6))
    two.settimeout(5)
    one.settimeout(5)
    for i in range(2):
        one.send(b"ping")
        data, peer = two.recvfrom(100)
        two.sendto(data, peer)
        one.recv(100)
    equal(execute(name, "return table.concat(states, ' ')"), "new established established established", "ctstate")
    check(execute(name, "return got ~= 0 and got == found") == "true", "connid is what conn.find finds", execute(name, "return got, found"))
    args = '4, "udp", "%s", 6000, "%s", 6' % (A4, C4)
    equal(execute(name, "return conn.traffic(%s, 'both')" % args), "2\t64\t2\t64", "conn.traffic: both directions")
    equal(execute(name, "return conn.traffic(%s, 'original')" % args), "2\t64", "one direction")
    equal(execute(name, 'return conn.find(4, "udp", "%s", 6, "%s", 6000)' % (A4, C4)), "nil\tconnid entry not found", "conn.find: none")
    for arg, value, text in ((1, "{}", "number expected, got table"), (2, "false", "string expected, got boolean"),
                             (3, "{}", "string expected, got table"), (4, "{}", "number expected, got table"), (1, "5", "unknown family"),
                             (2, "'xxx'", "invalid option 'xxx'"), (3, "'xxx'", "failed to convert address to binary"),
                             (5, "'10.0.0.256'", "failed to convert address to binary"), (4, "0", "invalid port"), (6, "65536", "invalid port")):
        equal(execute(name, "local t = {%s} t[%d] = %s return select(2, pcall(conn.find, table.unpack(t)))" % (args, arg, value)),
              "bad argument #%d to 'conn.find' (%s)" % (arg, text), "conn.find: argument %d is %s" % (arg, value))
    equal(execute(name, "return select(2, pcall(conn.traffic, %s, 'xxx'))" % args), "bad argument #7 to 'conn.traffic' (invalid option 'xxx')",
          "conn.traffic: direction")


# --- hostile bytes ---------------------------------------------------------------------------------------------------------------------

def test_fuzz():
    random.seed(int(os.environ.get("LUNATIK_FUZZ_SEED", "0")) or None)
    lua("""count = 0
        local function look(p)
            local s = all(p) .. where(p)
            local n = #p
            if n > 0 then p:unpack("B", n) p:unpack("z", 1 + count % n) end
            if count % 3 == 0 then p:frame() end
            if count % 5 == 0 then pcall(p.set, p, p.payload or 1, "x") end
            if count % 7 == 0 then pcall(function() p.saddr = "10.0.0.1" end) end
            if count % 11 == 0 then pcall(function() p.sport = 7 end) end
            count = count + 1
        end
        local function guarded(p) local ok, e = pcall(look, p) if not ok and not tostring(e):find("too short") and not tostring(e):find("time budget") then why = e end end
        hook("netdev", "ingress", guarded, "v0")
        netfilter.register{ family = "inet", hook = "prerouting", priority = 0, onerror = "accept", call = guarded }""")
    seeds = [ip4(6, tcp(n4(A4), n4(C4), 1, 2, b"x" * 20)), ip4(17, udp(n4(A4), n4(C4), 1, 2, b"x" * 20)), ip4(1, icmp(8, 0, 1)),
             ip6(6, tcp(n6(A6), n6(C6), 1, 2, b"x" * 20)), ip6(0, b"\x3c\0\1\4\0\0\0\0\x11\0\1\4\0\0\0\0" + udp(n6(A6), n6(C6), 1, 2)),
             ip6(44, struct.pack(">BBHI", 17, 0, 1, 9) + udp(n6(A6), n6(C6), 1, 2, b"x" * 16))]
    end, sent = time.monotonic() + 5 * min(1, max(SCALE, 0.6)), 0
    while time.monotonic() < end:
        p = bytearray(random.choice(seeds))
        for _ in range(random.choice((0, 1, 1, 2, 8))):
            p[random.randrange(len(p))] = random.choice((0, 1, 4, 0x7f, 0x80, 0xff, random.randrange(256)))
        if random.random() < 0.4:
            p = p[:random.randrange(len(p) + 1)]
        if p and p[0] >> 4 == 4 and len(p) >= 20 and random.random() < 0.7:
            p[10:12] = b"\0\0"
            ihl = (p[0] & 15) * 4
            if 20 <= ihl <= len(p):
                p[10:12] = struct.pack(">H", 0xffff - total(bytes(p[:ihl])))
        if random.random() < 0.05:
            p += bytes(random.randrange(256) for _ in range(5000))
        kind = random.choice((0x800, 0x86dd, 0x86dd if p and p[0] >> 4 == 6 else 0x800, 0x806, 0x8100, random.randrange(0x600, 0x10000)))
        tags = [(random.choice((0x8100, 0x88a8)), random.randrange(65536)) for _ in range(random.choice((0, 0, 0, 1, 2, 3)))]
        try:
            wire.send(mac_b, kind, bytes(p), tags)
            sent += 1
        except OSError:
            pass
    check(sent > 20 and soon(lambda: int(execute(name, "return count")) > sent / 2, 5), "%d hostile packets were looked at" % sent,
          execute(name, "return count"))
    equal(execute(name, "return why"), "nil", "and no field raised an error")
    equal(raised(), errors_before, "nor did a function")


# --- the end -----------------------------------------------------------------------------------------------------------------------

def test_end():
    s4, d4 = n4(A4), n4(C4)
    lua("""held = {}
        hook("ipv4", "forward", function(p) if p.dport == 5 then held[#held + 1] = p return "stolen" end end)""")
    for _ in range(20):
        wire.send(mac_b, 0x800, ip4(17, udp(s4, d4, 1, 5, b"held")))
    check(soon(lambda: execute(name, "return #held") == "20", 5), "twenty packets are held")
    ctl("destroy %s\n" % name)
    check(name not in states(), "the state is destroyed with them")
    with b.inside():
        second = new_state(1 << 20)
    load(second, LIBRARY + """held = {}
        hook("ipv4", "forward", function(p) if p.dport == 5 then held[#held + 1] = p return "stolen" end end)""")
    for _ in range(20):
        wire.send(mac_b, 0x800, ip4(17, udp(s4, d4, 1, 5, b"held")))
    check(soon(lambda: execute(second, "return #held") == "20", 5), "another state holds twenty")
    b.delete()
    check(soon(lambda: "v0" not in a.ip("-br", "link"), 30), "the namespace goes all the same")
    check(soon(lambda: execute(second, "return held[1]:connid()") == "0"), "its packets lose their connections")
    equal(execute(second, "return held[1].dport, held[1].indev"), "5\tnil", "but keep their bytes")
    equal(execute(second, "return held[1]:send()"), "nil\tunable to route packet", "but have no way any more")
    equal(execute(second, "return held[2]:close()"), "true", "and are closed")


BRIDGED = os.path.exists("/proc/sys/net/bridge/bridge-nf-call-iptables")
TESTS = [test_fields, test_where, test_writes, test_route, test_methods, test_stolen, test_stolen_elsewhere, test_reply, test_conn, test_fuzz, test_end]
if len(sys.argv) > 1:
    TESTS = [t for t in TESTS if t.__name__[5:] in sys.argv[1:]]
plan(195 + BRIDGED if len(sys.argv) == 1 else 0)
world()
mac_b = router_mac()
for test in TESTS:
    errors_before = raised()
    test()
finished()
