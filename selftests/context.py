#!/usr/bin/env python3
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa
plan(1)
s = new_state(1 << 20)
print(ask(s, "context = require 'context' return context.self, context.parent, context.strerror(207)"))
print(ask(s, "h = context.spawn([[local c = require 'context' print('child', c.self, c.parent, ...) while true do local r = {c.recv(0)} print(table.unpack(r)) if r[3] >= 0 then c.reply(r[2], r[3], 'pong', r[4]) end end]], 'a', 2) return h"))
print(ask(s, "return context.send(h, 1, 2.5, 'x', nil, true, {1,2,3,a={b='c'}})"))
print(ask(s, "return context.query(h, 'ping')"))
print(ctl("list\n"))
print(ask(s, "context.query(h, 'ping') r = {context.query(h, 'ping')} print(r[1], r[2], r[3])"))
time.sleep(0.5)
print(ask(s, "return context.destroy(h, 'go away')"))
time.sleep(0.5)
print(ctl("list\n"))
print(ask(s, "return context.send(h, 1)"))
equal(1, 1, "ok")
finished()
