# SPDX-License-Identifier: GPL-2.0-only
"""Messages between states: a query and its reply, beside two processes of Lua in user space that talk through a pair of
sockets, a line each way; a send; and what a context takes to be made and to end.

The states measure themselves, by os.clock, from the first query to the last reply.
"""
import socket
import subprocess

from lib import now, row, section
import lunatik

TIMES = 1000
ASKS = "local n = tonumber(arg[1]) for i = 1, n do io.write(i, '\\n') io.flush() assert(tonumber(io.read('l')) == i) end"
ANSWERS = "for line in io.lines() do io.write(line, '\\n') io.flush() end"


def processes(times):
    """How long two processes take for so many round trips."""
    one, other = socket.socketpair()
    begun = now()
    pair = [subprocess.Popen(["lua5.3", "-e", "arg = {'%d'} %s" % (times, text)], stdin=end, stdout=end) for text, end in ((ASKS, one), (ANSWERS, other))]
    one.close()
    other.close()
    if [p.wait() for p in pair] != [0, 0]:
        raise SystemExit("bench: the Lua processes failed")
    return now() - begun


def timed(state, body, times):
    """What one of so many turns of a loop in a script takes, in ns; the script may wait."""
    lunatik.ask(state, "out = nil collectgarbage() local began = os.clock() for i = 1, %d do %s end out = (os.clock() - began) * 1e9 // %d" % (times, body, times))
    lunatik.soon(lambda: lunatik.execute(state, "return out ~= nil") == "true", 600)
    return int(float(lunatik.execute(state, "return out")))


def main(_):
    section("Contexts", "each", "user space")
    a, b = lunatik.new_state("1M"), lunatik.new_state("1M")
    lunatik.execute(b, "context = require 'context' context.recv(0, function(_, from, session, ...) if session >= 0 then context.reply(from, session, ...) end end)")
    lunatik.execute(a, "context = require 'context' B = context.find('%s')" % b)
    pair = (processes(3 * TIMES) - processes(TIMES)) // (2 * TIMES)
    row("two Lua processes: a line and its echo", pair, "instr")
    timed(a, "context.query(B, i)", 10)
    row("query and reply: an integer", timed(a, "context.query(B, i)", TIMES), "instr", pair)
    row("of a table of 10 fields", timed(a, "context.query(B, {a=1, b=2, c=3, d=4, e=5, f=6, g=7, h=8, i=9, j=i})", TIMES), "instr")
    row("of a string of 10,000 bytes", timed(a, "context.query(B, ('x'):rep(10000))", TIMES // 4), "instr")
    lunatik.execute(b, "context.recv(0, nil) timer.timeout(0, function() while true do local _, from, session, x = context.recv(0) if session >= 0 then context.reply(from, session, x) end end end)")
    row("to a coroutine that loops over recv", timed(a, "context.query(B, i)", TIMES), "instr", pair)
    row("send, 100 of them and a query", timed(a, "for j = 1, 100 do context.send(B, j) end context.query(B, i)", 20), "instr")
    row("a context made, run and ended", timed(a, "context.wait(context.spawn(''))", 50), "instr")
