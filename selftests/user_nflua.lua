-- SPDX-License-Identifier: GPL-2.0-only
-- The library `nflua` in user space: every function, every documented failure. user.sh runs it.

local nflua = require "nflua"
local native = require "lunatik.native"
local check = dofile((arg[0]:match "^.*/" or "./") .. "lib/check.lua")
local that, gives, raises = check.that, check.gives, check.raises

local prefix = arg[1]
local names = 0
local function name()
	names = names + 1
	return ("%s.%d"):format(prefix, names)
end
local NOT_PERMITTED = { nil, "Operation not permitted", -1, n = 3 }
local NOT_COMPLETED = { nil, "operation could not be completed", n = 2 }
local IN_USE = { nil, "Address already in use", -98, n = 3 }

-- --- module ---

that("memory is global and loaded", memory == package.loaded.memory and memory.create)
gives("constants", { 32768, 255, 64, "integer", "integer" }, nflua.datamaxsize, nflua.scriptnamemaxsize, nflua.statenamemaxsize,
	math.type(nflua.defaultmaxallocbytes), math.type(nflua.maxstates))

-- --- what control and data have in common ---

for _, kind in ipairs { "control", "data" } do
	local new = nflua[kind]
	local class = "nflua." .. kind
	local say = function(text) return class .. ": " .. text end
	local c = assert(new())
	gives(say "is userdata", { "userdata" }, type(c))
	that(say "shows its class", tostring(c):match("^nflua%." .. kind .. ": "))
	that(say "getfd", math.type(c:getfd()) == "integer" and c:getfd() > 2)
	that(say "an automatic port has bit 31 and is negative", c:getpid() & 2^31 == 2^31 and c:getpid() < 0)
	that(say "the next has another", assert(new()):getpid() ~= c:getpid())
	that(say "port 0 is automatic", assert(new(0)):getpid() < 0)
	that(say "so is a fraction", assert(new(1.5)):getpid() < 0)
	local p = assert(new(123))
	gives(say "a port given", { 123 }, p:getpid())
	gives(say "the same port again", IN_USE, nflua.control(123))
	gives(say "and for the other kind", IN_USE, nflua.data(123))
	gives(say "a float port, cut to 32 bits", IN_USE, new(2^32 + 123))
	gives(say "close", { true }, p:close())
	gives(say "frees the port", { 123 }, assert(new(123)):getpid())
	collectgarbage()
	gives(say "as collection does", { 123 }, assert(new(123)):getpid())
	collectgarbage()
	raises(say "a second close", "bad argument #1 to '?' (socket closed)", p.close, p)
	for _, method in ipairs { "getfd", "getpid", "receive", "send", "create", "destroy", "execute", "list", "getstate" } do
		if p[method] then raises(say(method .. " after close"), "bad argument #1 to '?' (socket closed)", p[method], p) end
	end
	local _, why = pcall(function() p:close() end)
	that(say "a second close by method call", why:match ":%d+: calling 'close' on bad self %(socket closed%)$", why)
	raises(say "port 2^31", "bad argument #1 to '" .. class .. "' (must be in range [0, 2^31))", new, 2^31)
	raises(say "port -1", "bad argument #1 to '" .. class .. "' (must be in range [0, 2^31))", new, -1)
	for _, port in ipairs { "123", true, {} } do
		raises(say("a port that is a " .. type(port)), "bad argument #1 to '" .. class .. "' (must be integer or nil)", new, port)
	end
	raises(say "methods want their class", "bad argument #1 to '?' (" .. class .. " expected, got number)", c.close, 1)
end

-- --- control ---

local c = assert(nflua.control())
local function ok(what, f, ...)
	gives(what, { true }, f(c, ...))
	gives(what .. ": waiting", { "waiting" }, c:getstate())
	gives(what .. ": its outcome", { true }, c:receive())
	gives(what .. ": ready", { "ready" }, c:getstate())
end
local function refused(what, f, ...)
	gives(what .. " is sent", { true }, f(c, ...))
	gives(what .. " is refused", NOT_COMPLETED, c:receive())
	gives(what .. ": ready", { "ready" }, c:getstate())
end

gives("ready", { "ready" }, c:getstate())
gives("receive of nothing", NOT_PERMITTED, c:receive())
local a, b = name(), name()
ok("create", c.create, a)
ok("create with a limit", c.create, b, 1024.0 * 256)
refused("create of a name that is taken", c.create, a)
refused("create under the minimum", c.create, name(), 32767)
refused("create with a name that would be two words", c.create, "a b")
refused("create with a name that would be two requests", c.create, "x\ndestroy " .. a .. "\n")
raises("a name of 64 bytes", "bad argument #2 to '?' (name too long)", c.create, c, ("x"):rep(64))
local _, why = pcall(function() c:create(("x"):rep(64)) end)
that("by method call", why:match ":%d+: bad argument #1 to 'create' %(name too long%)$", why)
raises("a limit that is none", "bad argument #3 to '?' (number expected, got table)", c.create, c, "x", {})

gives("list", { true }, c:list())
local states = c:receive()
table.sort(states, function(x, y) return x.name < y.name end)
gives("list has names and limits", { 2, a, nflua.defaultmaxallocbytes, b, 262144 }, #states, states[1].name, states[1].maxalloc,
	states[2].name, states[2].maxalloc)
that("and what is in use", math.type(states[1].curralloc) == "integer" and states[1].curralloc > 1000)

ok("execute", c.execute, a, "x = 1")
ok("globals persist", c.execute, a, "assert(x == 1)")
refused("execute where no state is", c.execute, name(), "x = 1")
refused("execute of what fails", c.execute, a, "error 'boom'")
refused("execute of what does not compile", c.execute, a, "x =")
refused("execute with a name that would be two requests", c.execute, "x 1\ndestroy " .. a, "x = 1")
gives("execute of nothing", { nil, "Invalid argument", -22, n = 3 }, c:execute(a, ""))
gives("execute of 64 KiB", { nil, "Invalid argument", -22, n = 3 }, c:execute(a, (" "):rep(64 * 1024)))
raises("execute wants a chunk", "bad argument #3 to '?' (string expected, got no value)", c.execute, c, a)
ok("a script's name", c.execute, a, "assert(debug.getinfo(1, 'S').source == 'my script')", "my script")
ok("without one it is the chunk", c.execute, a, "local s = debug.getinfo(1, 'S').short_src; assert(s:match '^%[string \"local s')")
ok("of several lines the first", c.execute, a, "source = debug.getinfo(1, 'S').short_src\nx = 1")
ok("as Lua shows them", c.execute, a, "assert(source == '[string \"source = debug.getinfo(1, \\'S\\').short_src...\"]')")

local function pending(what, chunk, wanted)
	local ok, err
	local calls = 0
	repeat
		ok, err = c:execute(a, chunk)
		calls = calls + 1
		if not ok and err == "pending" and calls == 1 then gives(what .. ": sending", { "sending" }, c:getstate()) end
		if not ok and err == "pending" and calls == 2 then
			gives(what .. ": nothing else meanwhile", NOT_PERMITTED, c:list())
			gives(what .. ": no receive meanwhile", NOT_PERMITTED, c:receive())
		end
	until err ~= "pending"
	gives(what .. ": all is sent", { true, wanted }, ok, calls)
	return c:receive()
end
gives("50 KiB", { true }, pending("50 KiB", "x = 2 --" .. ("x"):rep(50 * 1024 - 8), 14))
ok("it ran once", c.execute, a, "assert(x == 2)")
gives("59968 bytes", { true }, pending("59968 bytes", "x = 3 --" .. ("x"):rep(59968 - 8), 16))
gives("a long chunk that fails", NOT_COMPLETED, pending("a long chunk that fails", "--" .. ("x"):rep(20000) .. "\nerror 'end'", 6))
gives("a chunk of one fragment", { true }, pending("a chunk of one fragment", "x = 4 --" .. ("x"):rep(3740), 1))

-- Each command twice, without receiving.
for _, twice in ipairs { { "create", name() }, { "destroy", a .. "none" }, { "execute", b, "x = 1" }, { "list" } } do
	local d = assert(nflua.control())
	gives(twice[1] .. ": sent", { true }, d[twice[1]](d, table.unpack(twice, 2)))
	gives(twice[1] .. ": and again before receive", NOT_PERMITTED, d[twice[1]](d, table.unpack(twice, 2)))
end
collectgarbage()
gives("list again", { true }, c:list())
for _, state in ipairs(c:receive()) do
	if state.name ~= a and state.name ~= b then assert(c:destroy(state.name)) assert(c:receive()) end
end

gives("poll: an idle socket is writable", { true }, native.poll(c:getfd(), 10, "w"))
gives("poll: and not readable", { false }, native.poll(c:getfd(), 0))
c:execute(a, "error 'x'")
gives("poll: readable once a command was sent", { true }, native.poll(c:getfd(), 10))
c:receive()
gives("poll: and not after receive", { false }, native.poll(c:getfd(), 0))

-- Memory limits as the states' own.
refused("a string as long as the default limit allows not", c.execute, a, "return string.rep('a', 32 * 1024)")
ok("which a state of 256 KiB has", c.execute, b, "return string.rep('a', 32 * 1024)")

-- --- data ---

local d = assert(nflua.data(456))
local buffer = memory.create(nflua.datamaxsize)
ok("a callback", c.execute, a, "function __receive_callback(port, m) netlink.send(port, 0, memory.tostring(m) .. '!') last = m end")
gives("send", { true }, d:send(a, memory.create "ping"))
gives("receive", { 5, a }, d:receive(buffer, 0))
gives("its bytes", { "ping!" }, memory.tostring(buffer, 1, 5))
ok("the message is gone after the call", c.execute, a, "assert(#last == 0)")
local auto = assert(nflua.data())
gives("send from an automatic port", { true }, auto:send(a, memory.create "x"))
gives("its answer", { 2, a }, auto:receive(buffer, 0))
ok("netlink.send to its negative number", c.execute, b, ("netlink.send(%d, nil, 'neg')"):format(auto:getpid()))
gives("arrives", { 3, b }, auto:receive(buffer, 0))
local larger = memory.create(nflua.datamaxsize + 10)
auto:send(a, memory.create "at")
gives("receive at an offset", { 3, a }, auto:receive(larger, 10))
gives("counts from 0", { "\0at!" }, memory.tostring(larger, 10, 13))
ok("an echo", c.execute, b, "function __receive_callback(port, m) netlink.send(port, 0, m) end")
auto:send(b, memory.create(nflua.datamaxsize))
gives("the longest message", { nflua.datamaxsize, b }, auto:receive(buffer, 0))
ok("no callback", c.execute, b, "__receive_callback = nil")
gives("one that is too long", NOT_PERMITTED, d:send(a, memory.create(nflua.datamaxsize + 1)))
gives("one without bytes", NOT_PERMITTED, d:send(a, memory.create(0)))
raises("a message that is a string", "bad argument #3 to '?' (memory expected, got string)", d.send, d, a, "x")
raises("a message that is null", "bad argument #3 to '?' (expected non NULL memory object)", d.send, d, a, memory.create())
raises("receive into a number", "bad argument #2 to '?' (memory expected, got number)", d.receive, d, 1, 0)
raises("receive into null", "bad argument #2 to '?' (expected non NULL memory object)", d.receive, d, memory.create(), 0)
raises("receive without an offset", "bad argument #3 to '?' (number expected, got no value)", d.receive, d, buffer)
for _, offset in ipairs { 1, -1, nflua.datamaxsize } do
	raises("receive at " .. offset, "bad argument #3 to '?' (not enough space in buffer)", d.receive, d, buffer, offset)
end

local LOST = { nil, "Protocol error", -71, n = 3 }
gives("send where no state is counts as sent", { true }, d:send(name(), memory.create "x"))
gives("poll tells of its failure", { true }, native.poll(d:getfd(), 10))
gives("receive does", LOST, d:receive(buffer, 0))
gives("and then poll no more", { false }, native.poll(d:getfd(), 0))
gives("send without a callback", { true }, d:send(b, memory.create "x"))
gives("a good one after it", { true }, d:send(a, memory.create "y"))
gives("and one to a bad name", { true }, d:send("a b\nlist", memory.create "x"))
gives("the first failure", LOST, d:receive(buffer, 0))
gives("the second", LOST, d:receive(buffer, 0))
gives("the message", { 2, a }, d:receive(buffer, 0))
gives("and poll tells of none", { false }, native.poll(d:getfd(), 0))
assert(native.nonblock(d:getfd(), true))
gives("receive that must not wait", { nil, "Resource temporarily unavailable", -11, n = 3 }, d:receive(buffer, 0))
gives("poll tells of nothing after it", { false }, native.poll(d:getfd(), 0))
d:send(a, memory.create "z")
gives("poll tells of a message", { true }, native.poll(d:getfd(), 100))
gives("which is there", { 2, a }, d:receive(buffer, 0))

ok("a callback that does not answer", c.execute, b, "function __receive_callback() end")
gives("send to it", { true }, d:send(b, memory.create "x"))
gives("poll tells of no message", { false }, native.poll(d:getfd(), 0))

-- --- destroy ---

ok("destroy", c.destroy, a)
refused("destroy of what is gone", c.destroy, a)
refused("destroy of a long name", c.destroy, ("x"):rep(100))
ok("states outlive a socket", c.destroy, b)
