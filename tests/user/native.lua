-- SPDX-License-Identifier: GPL-2.0-only
-- lunatik.native and what the libraries say where no module is loaded. usage: native.lua FOLDER CHECK.LUA

local native = require "lunatik.native"
local memory = require "memory"
local ctl = require "lunatik.ctl"
local check = dofile(arg[2])
local gives, raises, that = check.gives, check.raises, check.that

-- --- descriptors ---

local path = arg[1] .. "/native.txt"
io.open(path, "w"):close()
local fd = native.open(path)
that("open", math.type(fd) == "integer")
gives("open of what is not there", { nil, "No such file or directory", -2, n = 3 }, native.open(path .. "none"))
gives("failure", { nil, "Operation not permitted", -1, n = 3 }, native.failure(1))
gives("write of strings, numbers and memories", { true }, native.write(fd, "a\0", memory.create "b", 12, ""))
gives("reply is all of the file", { "a\0b12" }, native.reply(fd))
local long = ("0123456789"):rep(20000)
gives("write of much", { true }, native.write(fd, long))
gives("reply of much", { "a\0b12" .. long }, native.reply(fd))
gives("write of nothing", { true }, native.write(fd, ""))
raises("write of a table", "bad argument #2 to 'lunatik.native.write' (string or memory expected, got table)", native.write, fd, {})
raises("write without parts", "bad argument #2 to 'lunatik.native.write' (one to four parts)", native.write, fd)
local message = native.message(fd)
gives("message is a fixed memory", { "fixed", 32768, "a\0b" }, memory.type(message), #message, memory.tostring(message, 1, 3))
gives("poll", { true }, native.poll(fd, 0, "w"))
gives("poll of nothing, for a time", { false }, native.poll(-1, 1))
gives("nonblock", { true }, native.nonblock(fd, true))
gives("isatty", { false }, native.isatty(fd))
gives("width where no terminal is", { 80 }, native.width(fd))
gives("close", { true }, native.close(fd))
for _, call in ipairs { "close", "reply", "message" } do
	gives(call .. " of what is closed", { nil, "Bad file descriptor", -9, n = 3 }, native[call](fd))
end
gives("write to what is closed", { nil, "Bad file descriptor", -9, n = 3 }, native.write(fd, "x"))
io.open(path, "w"):close()
fd = native.open(path)
gives("message at the end of a file", { n = 1 }, native.message(fd))
native.close(fd)
os.remove(path)

-- --- objects ---

local class = native.class "test.class"
class.both = native.method("oSI", function(fields, s, i) return fields.value, s, i end, "test.class")
class.open = native.method("O", function() return true end, "test.class")
class.fails = native.method("oi", function(_, n) return native.fail, n, "it fails" end, "test.class")
class.sizes = native.method("om", function(_, m) return #m end, "test.class")
local object = native.object("test.class", { value = 7 })
gives("a method gets fields, optional arguments, no further ones", { 7, nil, nil, n = 3 }, object:both())
gives("and its arguments converted", { 7, "1", 2, n = 3 }, object:both("1", "2", "third"))
gives("an integer of a float", { 7, "x", 3, n = 3 }, object:both("x", 3.0))
raises("no integer", "bad argument #3 to '?' (number has no integer representation)", class.both, object, "x", 3.5)
raises("no string", "bad argument #2 to '?' (string expected, got boolean)", class.both, object, true)
raises("no object", "bad argument #1 to '?' (test.class expected, got nil)", class.both, nil)
raises("no object at all", "bad argument #1 to '?' (test.class expected, got no value)", class.both)
raises("closed", "bad argument #1 to '?' (socket closed)", class.open, object)
raises("a failure of its own", "bad argument #2 to '?' (it fails)", class.fails, object, 2)
raises("without an argument", "it fails", class.fails, object, 0)
raises("no memory", "bad argument #2 to '?' (memory expected, got string)", class.sizes, object, "x")
raises("null memory", "bad argument #2 to '?' (expected non NULL memory object)", class.sizes, object, memory.create())
gives("empty memory", { 0 }, object:sizes(memory.create(0)))
local _, why = pcall(function() object:both(true) end)
that("a method call counts from its arguments", why:match ":%d+: bad argument #1 to 'both' %(string expected, got boolean%)$", why)

-- --- requests ---

gives("a word stays one word", { "a?b?c", "?", "a", "x?y" }, ctl.word "a b\nc", ctl.word "", ctl.word "a\0b", ctl.word "x\xffy")
gives("a script's name is one line of 255 bytes", { "a b", "first...", 255, "x" }, ctl.scriptname "a b", ctl.scriptname "first\nsecond",
	#ctl.scriptname(("x"):rep(300)), ctl.scriptname "x\0y")
local states = ctl.parse "a 1 2\nb.c 65536 100\n"
gives("a list", { 2, "a", 1, 2, "b.c" }, #states, states[1].name, states[1].maxalloc, states[1].curralloc, states[2].name)

-- --- without the module ---

if not io.open(ctl.CTL) and not ctl.parameter "maxstates" then
	local absent = { nil, "No such file or directory", -2, n = 3 }
	gives("lunatik.session without the module", absent, require "lunatik".session())
	gives("nflua.control without the module", absent, require "nflua".control())
	gives("nflua.data without the module", absent, require "nflua".data(5))
	gives("the constants are there", { 65536, 1024 }, require "lunatik".defaultmaxallocbytes, require "nflua".maxstates)
end
