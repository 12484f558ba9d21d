# SPDX-License-Identifier: GPL-2.0-only
"""Sockets: echo servers over loopback, in a state (lua/examples/echo.lua), in C on epoll, in user-space Lua with LuaSocket; the
client is the same C program for all (bench/echo, built by its `build` and passed with --add build/bench). And what an open connection
takes of memory.

A round trip is counted whole: client, both ways through TCP, server.
"""
import os
import subprocess
import time

from lib import HERE, row, section
import lunatik

ECHO = os.environ.get("LUNATIK_BENCH_ECHO", "/add/bench/echo")
ROUNDS = int(os.environ.get("LUNATIK_BENCH_ROUNDS", "400"))
CONNECTIONS = int(os.environ.get("LUNATIK_BENCH_CONNECTIONS", "10000"))
C_PORT, LUA_PORT, STATE_PORT = 7001, 7002, 7003  # and the one after


def ask(port, connections, size):
    done = subprocess.run([ECHO, "ask", str(port), str(connections), str(max(10, ROUNDS // connections)), str(size)],
                          capture_output=True, text=True, check=True)
    return int(done.stdout)


def listens(port):
    """Waits until somebody does."""
    wanted = ":%04X" % port
    return lunatik.soon(lambda: any(line.split()[1].endswith(wanted) and line.split()[3] == "0A"
                                    for line in lunatik.slurp("/proc/net/tcp").splitlines()[1:]), 20)


def available():
    time.sleep(1)
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")
    for line in lunatik.slurp("/proc/meminfo").splitlines():
        if line.startswith("MemFree:"):
            return int(line.split()[1]) * 1024


def held(port, count, look):
    """(what `look` gives with so many connections open less what it gave before, by connection; the same of all memory)."""
    before, free = look(), available()
    client = subprocess.Popen([ECHO, "hold", str(port), str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    client.stdout.readline()
    time.sleep(2)
    result = (look() - before) // count, (free - available()) // count
    client.stdin.close()
    client.wait()
    time.sleep(1)
    return result


def served(limit, port):
    """A state that serves there."""
    state = lunatik.new_state(limit)
    with open(HERE + "/../../lua/examples/echo.lua") as f:
        lunatik.load(state, "port = %d\n%s" % (port, f.read()))
    return state


def main(_):
    if not os.access(ECHO, os.X_OK):
        print("\nSockets: no %s (selftests/bench/echo/build; --add build/bench)" % ECHO)
        return False
    section("Echo over loopback", "round", "in C")
    servers = [subprocess.Popen([ECHO, "serve", str(C_PORT)]),
               subprocess.Popen(["lua5.3", HERE + "/echo/echo.lua", str(LUA_PORT)])]
    small, large = served("1M", STATE_PORT), served("32M", STATE_PORT + 1)
    try:
        for port in (C_PORT, LUA_PORT, STATE_PORT, STATE_PORT + 1):
            if not listens(port):
                raise RuntimeError("nobody listens on port %d" % port)
        for connections in (1, 50):
            for size in (64, 4096):
                c = ask(C_PORT, connections, size)
                row("C with epoll: %d connections, %d bytes" % (connections, size), c, "instr")
                row("LuaSocket: the same", ask(LUA_PORT, connections, size), "instr", c)
                row("a state: the same", ask(STATE_PORT, connections, size), "instr", c)
        section("%d open connections" % CONNECTIONS, "each", "in C")
        used = lambda: (lunatik.execute(large, "collectgarbage() collectgarbage()"), lunatik.curralloc(large))[1]
        _, c = held(C_PORT, CONNECTIONS, lambda: 0)
        lua, all_of_it = held(STATE_PORT + 1, CONNECTIONS, used)
        row("memory of the state", lua, "bytes")
        row("all memory, the client's end, too", all_of_it, "bytes", c)
    finally:
        for server in servers:
            server.kill()
            server.wait()
    return False
