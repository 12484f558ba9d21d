# SPDX-License-Identifier: GPL-2.0-only
"""What a packet costs at a hook, over no hook at all: C, Lua and nft, on the same datagram at IPv4 input.

klua_packets.ko (selftests/klua) takes one packet through the hooks of a network namespace again and again. The table of
addresses has 1,000 entries, of which none is the packet's: what is looked for longest.
"""
import os
import subprocess
import sys

from lib import row, section
import lunatik
import net

TIMES = 2000
ROUNDS = 5
MODULE = "/add/klua/klua_packets.ko"
FILE = "/sys/kernel/debug/klua_packets"
SHORT, LONG = 100, 1428  # bytes; of the long one 1,400 are payload

HOOK = """lunatik.replace() local nf = require 'netfilter' %s
nf.register{ family = 'ipv4', hook = 'input', priority = 'filter', onerror = 'drop', call = function(pkt) %s end }"""

FIVE = """local blocked = {} local pack = string.pack
for i = 1, 1000 do blocked[pack('>I4I4I2I2', 0x0a000003 + i, 0x0a000002, 40000, 53)] = true end"""

LUA = [
    ("empty Lua hook", "", "", SHORT),
    ("Lua: three header fields", "", "local a, b, c = pkt.protocol, pkt.sport, pkt.dport", SHORT),
    ("Lua: ... and a verdict by them", "", "if pkt.protocol == 17 and pkt.dport == 53 and pkt.sport > 1024 then return 'accept' end return 'drop'", SHORT),
    ("Lua: 5-tuple in a table of 1,000", FIVE,
     "if pkt.protocol == 17 and blocked[(pkt:unpack('c12', 13))] then return 'drop' end", SHORT),
    ("Lua: scan of 1,400 bytes of payload", "local find = memory.find", "if find(pkt:frame(), 'needle') then return 'drop' end", LONG),
]


def cost(ns, length=SHORT, hook=""):
    """Instructions of one packet, the least of several means."""
    best = None
    with ns.inside():
        for _ in range(ROUNDS):
            fd = os.open(FILE, os.O_RDWR)
            try:
                os.write(fd, ("%d %d %s" % (TIMES, length, hook)).encode())
                taken = int(os.read(fd, 64))
            finally:
                os.close(fd)
            best = taken if best is None else min(best, taken)
    return best // TIMES


def tuples(count):
    return ["10.0.%d.%d . 10.0.0.2 . udp . 40000 . 53" % (1 + i // 250, 1 + i % 250) for i in range(count)]


def nft_rules(body, elements=""):
    return "table ip bench {\n%s\nchain input {\ntype filter hook input priority 0; policy accept;\n%s\n}\n}\n" % (elements, body)


def main(_):
    subprocess.run(["insmod", MODULE], check=True)
    subprocess.run(["modprobe", "nf_tables"], check=False)
    try:
        ns = net.Namespace()
        section("A packet at a hook", "over none", "nft")
        base = cost(ns)
        bases = {SHORT: base, LONG: cost(ns, LONG)}
        row("no hook", base, "instr")
        row("empty hook in C", cost(ns, hook="hook") - base, "instr")
        nft = {}
        linear = "\n".join("ip saddr 10.0.1.%d ip daddr 10.0.0.2 udp sport 40000 udp dport 53 drop" % (i + 1) for i in range(100))
        sets = "set blocked { type ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service; elements = { %s } }" % ", ".join(tuples(1000))
        for name, rules in (("nft: a chain without rules", nft_rules("")),
                            ("nft: a rule on three fields", nft_rules("ip protocol udp udp dport 53 udp sport > 1024 accept")),
                            ("nft: 5-tuple, 100 rules in a chain", nft_rules(linear)),
                            ("nft: 5-tuple in a set of 1,000", nft_rules(
                                "ip saddr . ip daddr . ip protocol . udp sport . udp dport @blocked drop", sets))):
            ns.nft(rules)
            nft[name] = cost(ns) - base
            row(name, nft[name], "instr")
            ns.nft("delete table ip bench")
        beside = {LUA[0][0]: "nft: a chain without rules", LUA[2][0]: "nft: a rule on three fields", LUA[3][0]: "nft: 5-tuple, 100 rules in a chain"}
        with ns.inside():
            state = lunatik.new_state("256K")
        for name, before, body, length in LUA:
            if lunatik.load(state, HOOK % (before, body)):
                raise RuntimeError(lunatik.slurp(lunatik.code(state)))
            row(name, cost(ns, length) - bases[length], "instr", nft.get(beside.get(name)))
        errors = int(lunatik.stats(state)["hook_errors"])
        if errors:
            raise RuntimeError("%d packets with errors" % errors)
        lunatik.ctl("destroy %s\n" % state)
    finally:
        subprocess.run(["rmmod", "klua_packets"], check=False)
