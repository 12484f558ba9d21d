# SPDX-License-Identifier: GPL-2.0-only
"""How packets scale with processors: a state with one interpreter, and one with an interpreter for each, `percpu`.

One sender for each of 1, 2, 4, ... processors of the guest, pinned there, sends datagrams that a Lua function at `output`
drops after a look into a table; what counts is how many the function saw in a second of the guest's time. Not counted in
instructions, so it depends on the processors that the host has left: more than the host has scale with nobody.
"""
import os
import signal
import socket
import time

from lib import row, section
import lunatik
import net

SECONDS = 2
WARM = 0.5
SCRIPT = """lunatik.replace() local nf = require 'netfilter' local blocked = {}
for i = 1, 1000 do blocked[i] = i end
nf.register{ family = 'ipv4', hook = 'output', priority = 'raw', onerror = 'accept', call = function(pkt)
    if pkt.protocol == 17 and blocked[pkt.dport % 1000 + 1] then return 'drop' end end }"""


def send(cpu):
    os.sched_setaffinity(0, {cpu})
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port = ("127.0.0.1", 7000 + cpu)
    while True:
        try:
            out.sendto(b"x" * 64, port)
        except PermissionError:
            pass


def rate(ns, state, cpus):
    """Packets a second with a sender on each of the processors."""
    with ns.inside():
        senders = [lunatik.child(send, cpu) for cpu in cpus]
    try:
        time.sleep(WARM)
        before, begun = int(lunatik.stats(state)["packets"]), time.monotonic()
        time.sleep(SECONDS)
        return int((int(lunatik.stats(state)["packets"]) - before) / (time.monotonic() - begun))
    finally:
        for pid in senders:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def main(_):
    cpus = sorted(os.sched_getaffinity(0))
    counts = [n for n in (1, 2, 4, 8, 16) if n <= len(cpus)]
    section("Packets on %d processors" % len(cpus), "a second", "on one")
    for options in ("", " percpu"):
        ns = net.Namespace()
        name = lunatik.new_name()
        with ns.inside():
            lunatik.ctl("create %s 256K%s\n" % (name, options))
        if lunatik.load(name, SCRIPT):
            raise RuntimeError(lunatik.slurp(lunatik.code(name)))
        one = None
        for n in counts:
            got = rate(ns, name, cpus[:n])
            one = one or got
            row("%s, %d senders" % ("an interpreter each" if options else "one interpreter", n), got, "", one)
        errors = int(lunatik.stats(name)["hook_errors"])
        if errors:
            raise RuntimeError("%d packets with errors" % errors)
        lunatik.ctl("destroy %s\n" % name)
