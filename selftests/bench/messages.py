# SPDX-License-Identifier: GPL-2.0-only
"""Messages through `data`: into a state's callback, out of a state, and there and back; beside them a pipe and a pair of
datagram sockets, through which the same bytes are written and read.

All is called from this one process in Python, as in calls.py.
"""
import os
import socket

from lib import each, now, row, section
import lunatik

TIMES = 300
SIZES = (64, 1024, 4096, 32768)


def round_trip(write_to, read_from, data):
    os.write(write_to, data)
    if len(os.read(read_from, 65536)) != len(data):
        raise SystemExit("bench: a message of %d bytes did not come back whole" % len(data))


def outward(state, fd, size):
    """The mean time of reading a message that the state has queued."""
    batch, total, count = max(1, min(50, 100000 // (size + 256))), 0, 0
    while count < TIMES:
        lunatik.execute(state, "for i = 1, %d do lunatik.send(text) end" % batch)
        begun = now()
        for _ in range(batch):
            os.pread(fd, 65536, 0)
        total += now() - begun
        count += batch
    return total // count


def main(_):
    section("Messages", "each", "pipe")
    state = lunatik.new_state("1M")
    fd = os.open("%s/%s/data" % (lunatik.SYS, state), os.O_RDWR)
    inside, outside = os.pipe()
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for size in SIZES:
        data = b"x" * size
        lunatik.execute(state, "text = ('x'):rep(%d)" % size)
        pipe = each(TIMES, round_trip, outside, inside, data)
        row("pipe: write and read %d bytes" % size, pipe, "instr")
        row("datagram socket pair: the same", each(TIMES, round_trip, one.fileno(), other.fileno(), data), "instr", pipe)
        lunatik.execute(state, "function receive_callback(m) end")
        row("into a state, %d bytes" % size, each(TIMES, os.write, fd, data), "instr", pipe)
        row("out of a state", outward(state, fd, size), "instr", pipe)
        lunatik.execute(state, "function receive_callback(m) lunatik.send(m) end")
        row("there and back", each(TIMES, round_trip, fd, fd, data), "instr", pipe)
    os.close(fd)
