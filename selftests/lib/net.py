# SPDX-License-Identifier: GPL-2.0-only
"""Network namespaces and pairs of devices for the tests in Python that send packets.

Everything made here goes when the test ends. A socket stays in the namespace in which it was made.
"""
import atexit
import contextlib
import os
import socket
import subprocess

from lunatik import PREFIX, skip_all

CLONE_NEWNET = 0x40000000
_home = os.open("/proc/self/ns/net", os.O_RDONLY)
_pid = os.getpid()
_made = {}
_count = 0


def sh(*words):
    """Runs a command that must not fail; returns what it prints."""
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(words), done.stderr))
    return done.stdout


class Namespace:
    """A network namespace with a loopback device that is up."""

    def __init__(self):
        global _count
        _count += 1
        self.name = "%s.n%d" % (PREFIX, _count)
        sh("ip", "netns", "add", self.name)
        self.fd = os.open("/run/netns/" + self.name, os.O_RDONLY)
        _made[self.name] = self
        self.ip("link", "set", "lo", "up")

    @contextlib.contextmanager
    def inside(self):
        """What is made, created or started in it is in the namespace."""
        os.setns(self.fd, CLONE_NEWNET)
        try:
            yield self
        finally:
            os.setns(_home, CLONE_NEWNET)

    def ip(self, *words):
        return sh("ip", "-n", self.name, *words)

    def nft(self, rules):
        with self.inside():
            done = subprocess.run(["nft", "-f", "-"], input=rules, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError("nft: " + done.stderr)

    def mac(self, device):
        """The hardware address of a device."""
        return self.ip("link", "show", "dev", device).split("link/ether ")[1].split()[0]

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_DGRAM, proto=0):
        with self.inside():
            return socket.socket(family, kind, proto)

    def write(self, path, text):
        """Writes a file of the namespace below /proc/sys/net."""
        with self.inside(), open("/proc/sys/net/" + path, "w") as f:
            f.write(text)

    def delete(self):
        """The namespace goes, as soon as nothing else holds it."""
        if _made.pop(self.name, None):
            os.close(self.fd)
            sh("ip", "netns", "del", self.name)


def pair(a, b, name_a="v0", name_b="v0", addresses=("10.9.0.%d/24", "fd09::%d/64")):
    """
    A veth from one namespace to another, up, with the addresses .1 and .2. They know each other's hardware address, so
    that nothing but what a test sends is on the way.
    """
    sh("ip", "link", "add", name_a, "netns", a.name, "type", "veth", "peer", "name", name_b, "netns", b.name)
    ends = ((a, name_a, 1), (b, name_b, 2))
    for ns, name, i in ends:
        for address in addresses:
            ns.ip("addr", "add", address % i, "dev", name, *(["nodad"] if ":" in address else []))
        ns.ip("link", "set", name, "up")
    for (ns, name, _), (peer, peer_name, i) in (ends, ends[::-1]):
        for address in addresses:
            ns.ip("neigh", "replace", (address % i).split("/")[0], "lladdr", peer.mac(peer_name), "dev", name, "nud", "permanent")


def ping(ns, address, count=1):
    """How many of the echo requests were answered; each waits 0.3 s."""
    with ns.inside():
        out = subprocess.run(["ping", "-c", str(count), "-i", "0.01", "-W", "0.3", address], capture_output=True, text=True).stdout
    for part in out.split(","):
        if "received" in part:
            return int(part.split()[0])
    return 0


@atexit.register
def _cleanup():
    if os.getpid() == _pid:
        for ns in list(_made.values()):
            ns.delete()


if subprocess.run(["ip", "-V"], capture_output=True).returncode:
    skip_all("needs ip(8)")
