# SPDX-License-Identifier: GPL-2.0-only
"""What the files cost: making a state, a request and its reply; beside them an empty system call, a pipe and a socket pair.

All is called from this one process in Python, whose own part of a call is that of the first row at most.
"""
import os
import socket

from lib import each, row, section
import lunatik

TIMES = 300


def round_trip(write_to, read_from, data):
    os.write(write_to, data)
    os.read(read_from, 65536)


def main(_):
    section("Calls", "each", "pipe")
    row("getppid", each(TIMES, os.getppid), "instr")
    inside, outside = os.pipe()
    pipe = each(TIMES, round_trip, outside, inside, b"x" * 64)
    row("pipe: write and read 64 bytes", pipe, "instr")
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    row("datagram socket pair: the same", each(TIMES, round_trip, one.fileno(), other.fileno(), b"x" * 64), "instr", pipe)
    name = lunatik.new_state()
    request = b"execute %s return 1\n" % name.encode()
    fd = os.open(lunatik.CTL, os.O_RDWR)
    row("execute and reply", each(TIMES, round_trip, fd, fd, request), "instr", pipe)
    os.close(fd)

    def opened():
        fd = os.open(lunatik.CTL, os.O_RDWR)
        round_trip(fd, fd, request)
        os.close(fd)
    row("execute and reply, with open and close", each(TIMES, opened), "instr", pipe)
    fd = os.open(lunatik.CTL, os.O_RDWR)
    new = lunatik.new_name().encode()

    def life():
        os.write(fd, b"create %s\n" % new)
        os.write(fd, b"destroy %s\n" % new)
    row("create and destroy", each(TIMES // 3, life), "instr", pipe)
    os.close(fd)
