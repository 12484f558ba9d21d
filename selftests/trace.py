#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The tracepoints lunatik:script, lunatik:event and lunatik:overrun, through tracefs."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

TRACING = "/sys/kernel/tracing"
EVENTS = TRACING + "/events/lunatik"
if not os.path.exists(TRACING + "/trace_pipe"):
    # The module must load into such a kernel, too, and does: this test runs.
    plan(1)
    check(not os.path.exists("/sys/kernel/tracing/events"), "a kernel without trace events")
    finished()
plan(13)


def put(path, text):
    with open(path, "w") as f:
        f.write(text)


def traced(f, *args):
    """What the tracepoints say while f runs."""
    put(TRACING + "/trace", "")
    put(EVENTS + "/enable", "1")
    f(*args)
    put(EVENTS + "/enable", "0")
    return [line.split(": ", 1)[1].strip() for line in slurp(TRACING + "/trace").splitlines() if s in line]


def cut(lines):
    """Without the times, which must be there."""
    return [re.sub(r" ns=\d+$", "", line) for line in lines if re.search(r" ns=\d+$", line)]


equal(sorted(name for name in os.listdir(EVENTS) if os.path.isdir(EVENTS + "/" + name)), ["event", "overrun", "script"],
      "three tracepoints")
s = new_state()
equal(cut(traced(execute, s, "return 1")), ["script: state=%s script=%s/execute error=0" % (s, s)], "a script by ctl")
equal(cut(traced(load, s, "error('x')")), ["script: state=%s script=%s/code error=-22" % (s, s)], "one by code that fails")
equal(cut(traced(load, s, "(")), ["script: state=%s script=%s/code error=-8" % (s, s)], "one that does not compile")
equal(cut(traced(ask, s, "return 1", "my.lua")), ["script: state=%s script=my.lua error=0" % s], "one with a name")
lines = traced(execute, s, "local e = os.clock() + 0.05 while os.clock() < e do end")
check(int(lines[0].rsplit("=", 1)[1]) >= 50000000, "the time of a busy one", lines)


def with_timer(script):
    events = int(stats(s)["events"])
    execute(s, script)
    soon(lambda: int(stats(s)["events"]) > events)


lines = cut(traced(with_timer, "timer.create(1, function() end)"))
equal(lines[1:], ["event: state=%s error=0" % s], "a callback is an event")
lines = cut(traced(with_timer, "timer.create(1, function() error('x') end)"))
equal(lines[1:], ["event: state=%s error=-22" % s], "one that fails")
lines = traced(with_timer, "timer.sleep(0.2)")
equal(cut(lines), ["script: state=%s script=%s/execute error=0" % (s, s), "event: state=%s error=0" % s], "a script that waits, and its end")
check(int(lines[0].rsplit("=", 1)[1]) < 200000000, "a wait is not counted", lines)
lines = cut(traced(ask, s, "lunatik.atomic(function() while true do end end)"))
equal(lines, ["overrun: state=%s" % s, "script: state=%s script=%s/run error=-22" % (s, s)], "a time budget that is spent")
check(not traced(stats, s), "nothing without a script")
put(EVENTS + "/enable", "0")
put(TRACING + "/trace", "")
execute(s, "return 1")
check(s not in slurp(TRACING + "/trace"), "nothing unless enabled")
finished()
