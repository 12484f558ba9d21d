#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""require and package: module files below /lib/modules/lua, who waits for them, and what is refused."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from lunatik import *  # noqa: E402

ROOT = "/lib/modules/lua"
OWN = PREFIX.replace(".", "_")
FOLDER = "%s/%s" % (ROOT, OWN)


def module(name, text):
    path = "%s/%s.lua" % (FOLDER, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    return "%s.%s" % (OWN, name.replace("/", "."))


def of(name, script):
    """Runs a script with its own folder as M: the reply."""
    return ask(name, "local M = '%s.' %s" % (OWN, script))


plan(34)
s = new_state("128K")
a = module("a", "loads = (loads or 0) + 1; return {name = ..., file = select(2, ...)}\n")
module("sub/init", "return require('%s').name .. '!'\n" % a)
module("nothing", "")
module("false", "return false\n")
module("syntax", "x = = 1\n")
module("raises", "local function deep() error('on purpose') end deep()\n")
module("one", "return require('%s.two')\n" % OWN)
module("two", "return require('%s.one')\n" % OWN)
module("shebang", "#!/usr/bin/lua\nreturn debug.getinfo(1, 'l').currentline\n")
module("waits", "require('timer').sleep(0.05) return 'waited'\n")
module("binary", "\x1bLua")
module("long", "--" + "x" * int(slurp(PARAMETERS + "/scriptmax")))
os.mkfifo(FOLDER + "/pipe.lua")
os.mkdir(FOLDER + "/folder.lua")
os.symlink("/etc/passwd", FOLDER + "/link.lua")

# What a script gets, and its writer
equal(of(s, "local m = require(M .. 'a') return m.name, m.file, require(M .. 'a') == m, loads, package.loaded[m.name] == m"),
      (None, "%s\t%s/a.lua\ttrue\t1\ttrue" % (a, FOLDER)), "a module is loaded once, with its name and its file")
equal(of(s, "return require(M .. 'sub')"), (None, a + "!"), "a folder's init.lua, and a module that requires another")
equal(of(s, "return require(M .. 'nothing'), require(M .. 'false')"), (None, "true\tfalse"), "what a module returns")
equal(of(s, "return require(M .. 'shebang')"), (None, "2"), "a first line for the shell is left out")
equal(of(s, "return require('string') == string, require('timer') == timer, require('lunatik') == lunatik, require('_G') == _G"),
      (None, "true\ttrue\ttrue\ttrue"), "what is always loaded can be required")
equal(of(s, "package.preload.x = function(...) return ... end return require('x')"), (None, "x"), "package.preload")
equal(of(s, "return package.path, package.config:sub(1, 1), #package.searchers, package.cpath"),
      (None, ROOT + "/?.lua;" + ROOT + "/?/init.lua\t/\t2\tnil"), "package")
equal(of(s, "return package.searchpath(M .. 'a', package.path)"), (None, FOLDER + "/a.lua"), "package.searchpath finds")
equal(of(s, "return package.searchpath('%s-a', '%s/?', '-', '/')" % (OWN, ROOT)),
      (None, "nil\t\n\tno file '%s/a'" % FOLDER), "package.searchpath does not find, and says where")

# Errors
outcome, reply = of(s, "require(M .. 'absent')")
equal(outcome, "EINVAL", "a missing module is an error of the writer")
like(reply, r"module '%s.absent' not found:\n\tno field package.preload\['%s.absent'\]\n\tno file '%s/absent.lua'\n"
     r"\tno file '%s/absent/init.lua'" % (OWN, OWN, FOLDER, FOLDER), "and says where it was looked for")
like(of(s, "require(M .. 'syntax')")[1], r"error loading module '%s.syntax' from file '(%s/syntax.lua)':\n\t\1:1: unexpected symbol near '='"
     % (OWN, FOLDER), "a module that does not compile")
like(of(s, "require(M .. 'raises')")[1], r"%s/raises.lua:1: on purpose\n.*\n.*\n?.*in local 'deep'.*" % FOLDER, "a module that raises: its traceback")
like(of(s, "require(M .. 'one')")[1], "module '%s.one' requires itself" % OWN, "a circle of modules")
like(of(s, "require(M .. 'binary')")[1], "attempt to load a binary chunk", "a precompiled module")
like(of(s, "require(M .. 'long')")[1], "the file is too long", "a module longer than scriptmax")
like(of(s, "require(M .. 'pipe')")[1], "not a regular file", "a pipe is not opened")
like(of(s, "require(M .. 'folder')")[1], "not a regular file", "nor a folder")
like(of(s, "package.path = '%s/../../../etc/?' require('passwd')" % ROOT)[1],
     r"no file '%s/../../../etc/passwd' \(not below %s\)" % (ROOT, ROOT), "a path that climbs out")
like(of(s, "package.path = '/etc/?;?.lua' require('passwd')")[1],
     r"no file '/etc/passwd' \(not below %s\)\n\tno file 'passwd.lua' \(not" % ROOT, "a path elsewhere")
of(s, "package.path = '%s/?.lua;%s/?/init.lua'" % (ROOT, ROOT))
small = new_state("32K")
module("big", "return [[" + "x" * 40000 + "]]")
like(of(small, "require(M .. 'big')")[1], "big.lua':\n\tnot enough memory", "a module that does not fit into the state")
equal(of(small, "return 'alive'"), (None, "alive"), "and the state lives on")

# Where it may wait
equal(of(s, "package.loaded[M .. 'a'] = nil local co = coroutine.wrap(function() coroutine.yield(1) coroutine.yield(require(M .. 'a').name) end) return co(), co()"),
      (None, "1\t" + a), "in a coroutine of the script's own")
equal(of(s, "package.loaded[M .. 'a'] = nil local n table.sort({2, 1}, function(x, y) n = require(M .. 'a').name return x < y end) return n"),
      (None, a), "below a C function, while the writer waits")
like(of(s, "lunatik.atomic(require, M .. 'one')")[1], "cannot wait here", "not in lunatik.atomic")
equal(of(s, "return lunatik.atomic(function() return require(M .. 'a').name end)"), (None, a), "but what is loaded is there")
equal(of(s, "require(M .. 'waits')")[0], None, "a module that itself waits")
check(soon(lambda: execute(s, "return package.loaded['%s.waits']" % OWN) == "waited"), "is loaded in the background")
execute(s, "package.loaded['%s'] = nil timer.timeout(0.01, function() got = coroutine.wrap(function() return require('%s').name end)() end)" % (a, a))
check(soon(lambda: execute(s, "return got") == a), "in a callback, in a coroutine of its own")
execute(s, "timer.timeout(0.01, function() table.sort({2, 1}, function() local ok ok, why = pcall(require, '%s.one') return false end) end)" % OWN)
check(soon(lambda: "cannot wait here" in execute(s, "return why")), "not below a C function in the background")

# The end of a state, and of a script, at any moment of it
execute(s, "n = 0 for i = 1, 20 do timer.timeout(0.001, function() while true do package.loaded['%s'] = nil require('%s') n = n + 1 end end) end" % (a, a))
check(soon(lambda: int(execute(s, "return n")) > 20), "many coroutines load at the same time")
ctl("cancel %s\n" % s)
before = execute(s, "return n")
time.sleep(0.3)
equal(execute(s, "return n"), before, "cancel ends them")
execute(s, "for i = 1, 20 do timer.timeout(0.001, function() while true do package.loaded['%s'] = nil require('%s') end end) end" % (a, a))
ctl("destroy %s\n" % s)
check(s not in states(), "so does destroy")
t = new_state("128K")
pid = child(lambda: of(t, "while true do package.loaded['%s'] = nil require('%s') end" % (a, a)) and 0)
time.sleep(0.3)
os.kill(pid, signal.SIGKILL)
equal(ended(pid), -signal.SIGKILL, "a writer who waits for files can be killed")

for where, folders, files in os.walk(FOLDER, topdown=False):
    for each in files:
        os.unlink(os.path.join(where, each))
    for each in folders:
        os.rmdir(os.path.join(where, each))
os.rmdir(FOLDER)
finished()
