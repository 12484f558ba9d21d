# SPDX-License-Identifier: GPL-2.0-only
"""Frames made byte by byte, with their checksums, for the tests in Python that send what no stack would."""
import socket
import struct
import time

ETH_P_ALL = 3
# The source of all frames that are made here.
SRC = b"\x02\x00\x00\x00\x00\x0a"


def total(data):
    """The ones' complement sum of RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return s


def pseudo(src, dst, proto, length):
    return src + dst + (struct.pack(">BBH", 0, proto, length) if len(src) == 4 else struct.pack(">IHBB", length, 0, 0, proto))


def n4(address):
    return socket.inet_pton(socket.AF_INET, address)


def n6(address):
    return socket.inet_pton(socket.AF_INET6, address)


def sealed(src, dst, proto, segment, at):
    """A segment with its checksum at offset `at` filled in."""
    check = 0xffff - total(pseudo(src, dst, proto, len(segment)) + segment)
    if proto == 17 and check == 0:
        check = 0xffff
    return segment[:at] + struct.pack(">H", check) + segment[at + 2:]


def tcp(src, dst, sport, dport, data=b"", flags=0x18, seq=0x01020304, ack=0x05060708, window=0x1111, options=b"", doff=None):
    doff = (20 + len(options)) // 4 if doff is None else doff
    return sealed(src, dst, 6, struct.pack(">HHIIBBHHH", sport, dport, seq, ack, doff << 4, flags, window, 0, 7) + options + data, 16)


def udp(src, dst, sport, dport, data=b"", check=True):
    segment = struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data
    return sealed(src, dst, 17, segment, 6) if check else segment


def icmp(kind, code, rest, data=b""):
    packet = struct.pack(">BBHI", kind, code, 0, rest) + data
    return packet[:2] + struct.pack(">H", 0xffff - total(packet)) + packet[4:]


def ip4(proto, body, src, dst, ttl=64, tos=0, ident=0x1234, frag=0, options=b"", length=None, ihl=None):
    ihl = (20 + len(options)) // 4 if ihl is None else ihl
    length = 20 + len(options) + len(body) if length is None else length
    head = struct.pack(">BBHHHBBH", 0x40 | ihl, tos, length, ident, frag, ttl, proto, 0) + n4(src) + n4(dst) + options
    return head[:10] + struct.pack(">H", 0xffff - total(head)) + head[12:] + body


def ip6(proto, body, src, dst, hop=64, tc=0, flow=0, length=None):
    length = len(body) if length is None else length
    return struct.pack(">IHBB", 6 << 28 | tc << 20 | flow, length, proto, hop) + n6(src) + n6(dst) + body


class Wire:
    """Frames into a device of a namespace, and those that come out of it."""

    def __init__(self, ns, device):
        self.socket = ns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((device, ETH_P_ALL))
        self.mac = self.socket.getsockname()[4]

    def send(self, to, ethertype, body, tags=()):
        head = to + SRC
        for proto, tci in tags:
            head += struct.pack(">HH", proto, tci)
        self.socket.send(head + struct.pack(">H", ethertype) + body)

    def flush(self):
        self.socket.settimeout(0)
        try:
            while True:
                self.socket.recv(65536)
        except OSError:
            pass

    def receive(self, wanted, seconds=3):
        """The next IP packet that came in and fits; None when none came in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                data, where = self.socket.recvfrom(65536)
            except (TimeoutError, BlockingIOError):
                continue
            if where[2] != socket.PACKET_OUTGOING and wanted(data[14:]):
                return data[14:]
        return None


def is_sound(packet):
    """True when all checksums of an IP packet of TCP, UDP or ICMP are right."""
    if packet[0] >> 4 == 4:
        ihl, proto = (packet[0] & 15) * 4, packet[9]
        if total(packet[:ihl]) != 0xffff:
            return False
        body = packet[ihl:struct.unpack(">H", packet[2:4])[0]]
        src, dst = packet[12:16], packet[16:20]
    else:
        proto, body = packet[6], packet[40:40 + struct.unpack(">H", packet[4:6])[0]]
        src, dst = packet[8:24], packet[24:40]
    if proto == 17 and body[6:8] == b"\0\0":
        return packet[0] >> 4 == 4
    if proto == 1:
        return total(body) == 0xffff
    return total(pseudo(src, dst, proto, len(body)) + body) == 0xffff
