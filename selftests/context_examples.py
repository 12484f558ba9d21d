#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The examples for contexts in lua/examples: a ping-pong, and a supervisor that restarts what crashes."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from lunatik import *  # noqa: E402

EXAMPLES = os.path.join(os.path.dirname(HERE), "lua", "examples")
PATIENCE = 60
if not os.path.isdir(EXAMPLES):
    skip_all("the examples are not here")


def example(name, maxalloc):
    state = new_state(maxalloc)
    with open("%s/%s.lua" % (EXAMPLES, name)) as f:
        text = f.read()
    return state, load(state, text)


plan(12)
log, lines = Log(), []
p, failed = example("pingpong", "256K")
equal(failed, None, "pingpong starts")
check(soon(lambda: lines.extend(log.lines()) or any("the other has ended" in line for line in lines), PATIENCE), "and comes to its end", lines)
like("\n".join(lines), r"%s: 1000 round trips, \d+\.\d us each" % re.escape(p), "the ball came back a thousand times")
equal([name for name in states() if name.startswith(p + ".")], [], "the other context is gone")

log, lines = Log(), []
s, failed = example("supervisor", "512K")
equal(failed, None, "supervisor starts")
c = new_state("256K")
execute(c, "context = require 'context' S = context.find('%s')" % s)


def asked(body):
    ask(c, "out = nil %s out = tostring(out)" % body)
    soon(lambda: execute(c, "return out ~= nil") == "true", PATIENCE)
    return execute(c, "return out")


first = asked("_, out = context.query(S, 'worker')")
like(first, r"^\d+$", "it tells the handle of its worker")
equal(asked("_, out = context.query(%s, 'add', 1, 2)" % first), "3", "which works")
equal(asked("_, out = context.query(%s, 'count', {1, 2, x = 3})" % first), "3", "with tables, too")
execute(c, "context.query(%s, 'nonsense', function() end)" % first)
check(soon(lambda: asked("_, out = context.query(S, 'worker')") not in (first, "nil"), PATIENCE), "after a crash there is another")
second = asked("_, out = context.query(S, 'worker')")
equal(asked("_, out = context.query(%s, 'add', 20, 22)" % second), "42", "which works as well")
for _ in range(4):
    handle = asked("_, out = context.query(S, 'worker')")
    ask(c, "context.destroy(%s)" % handle)
    soon(lambda: asked("_, out = context.query(S, 'worker')") != handle, PATIENCE)
check(soon(lambda: lines.extend(log.lines()) or any("no further worker" in line for line in lines), PATIENCE), "after five ends it gives up", lines)
equal([name for name in states() if name.startswith(s + ".")], [], "and no worker is left")
finished()
