-- SPDX-License-Identifier: GPL-2.0-only
-- The library `lunatik` in user space: every function, every documented failure. user.sh runs it.

local lunatik = require "lunatik"
local memory = require "memory"
local check = dofile((arg[0]:match "^.*/" or "./") .. "lib/check.lua")
local that, gives, raises = check.that, check.gives, check.raises

local prefix = arg[1]
local names = 0
local function name()
	names = names + 1
	return ("%s.%d"):format(prefix, names)
end
local function parameter(file)
	local f = assert(io.open("/sys/module/lunatik/parameters/" .. file))
	local n = f:read "n"
	f:close()
	return n
end
local NONE = { n = 1 }   -- one nil

-- --- constants ---

gives("constants", { 32768, parameter "defaultmaxalloc", parameter "maxstates", 255, 64 }, lunatik.datamaxsize,
	lunatik.defaultmaxallocbytes, lunatik.maxstates, lunatik.scriptnamemaxsize, lunatik.statenamemaxsize)
local exported = 0
for _ in pairs(lunatik) do exported = exported + 1 end
gives("nothing else is exported but session", { 6 }, exported)

-- --- sessions ---

local s = assert(lunatik.session())
gives("a session is userdata", { "userdata" }, type(s))
that("it shows its class", tostring(s):match "^lunatik%.session: ")
that("getfd is a descriptor", math.type(s:getfd()) == "integer" and s:getfd() > 2)
gives("list without states", { 0 }, #s:list())
raises("session methods want a session", "bad argument #1 to '?' (lunatik.session expected, got number)", s.list, 1)
raises("or anything", "bad argument #1 to '?' (lunatik.session expected, got no value)", s.list)

-- --- newstate ---

local a = name()
local st = assert(s:newstate(a))
gives("a state is userdata", { "userdata" }, type(st))
that("it shows its class", tostring(st):match "^states%.control: ")
gives("getname", { a }, st:getname())
gives("getmaxalloc without one given", { lunatik.defaultmaxallocbytes }, st:getmaxalloc())
that("getcurralloc", math.type(st:getcurralloc()) == "integer" and st:getcurralloc() > 1000)
gives("newstate of a name that is taken", { nil, "Failed to create the state\n", -17, n = 3 }, s:newstate(a))
local other = assert(lunatik.session())
gives("in another session, too", { nil, "Failed to create the state\n", -17, n = 3 }, other:newstate(a))
gives("newstate under the minimum", { nil, "Failed to create the state\n", -22, n = 3 }, s:newstate(name(), 100))
gives("newstate with a negative limit", { nil, "Failed to create the state\n", -22, n = 3 }, s:newstate(name(), -1))
gives("newstate with a name that would be two words", { nil, "Failed to create the state\n", -22, n = 3 }, s:newstate("a b"))
gives("newstate with a name that would be two requests", { nil, "Failed to create the state\n", -22, n = 3 },
	s:newstate("x\ndestroy " .. a .. "\n"))
gives("newstate without a name", { nil, "Failed to create the state\n", -22, n = 3 }, s:newstate(""))
raises("a name of 64 bytes", "bad argument #2 to '?' (name too long)", s.newstate, s, ("x"):rep(64))
raises("a name that is none", "bad argument #2 to '?' (string expected, got table)", s.newstate, s, {})
raises("a limit that is none", "bad argument #3 to '?' (number expected, got string)", s.newstate, s, name(), "many")
local long = s:newstate(prefix .. ("x"):rep(63 - #prefix), 40000)
that("a name of 63 bytes", long)
gives("getmaxalloc with one given", { 40000 }, long:getmaxalloc())

-- --- list ---

local function listed(session, wanted)
	for _, state in ipairs(session:list()) do
		if state.name == wanted then return state end
	end
end
gives("list has both states and not the refused", { 2 }, #s:list())
local entry = listed(other, a)
gives("list of another session", { a, st:getmaxalloc() }, entry.name, entry.maxalloc)
that("its curralloc is fresh", entry.curralloc > 1000 and math.type(entry.curralloc) == "integer")

-- --- getstate, marks ---

gives("getstate of a state made here", NONE, s:getstate(a))
gives("getstate of one that is not there", NONE, s:getstate(name()))
gives("getstate with a name that would be two requests", NONE, s:getstate("x\ndestroy " .. a))
that("which did no harm", listed(s, a))
raises("getstate wants a name", "bad argument #2 to '?' (string expected, got no value)", s.getstate, s)
gives("put", { true }, st:put())
gives("a second put", NONE, st:put())
raises("what was given back is no state", "invalid state", st.getname, st)
raises("nor for dostring", "invalid state", st.dostring, st, "")
raises("whose arguments count first", "bad argument #2 to '?' (string expected, got no value)", st.dostring, st)
raises("nor for send", "invalid state", st.send, st, memory.create "x")
raises("whose memory counts first", "bad argument #2 to '?' (memory expected, got string)", st.send, st, "x")
for _, method in ipairs { "close", "getmaxalloc", "getcurralloc", "receive" } do
	raises("nor for " .. method, "invalid state", st[method], st)
end
st = other:getstate(a)
that("getstate after put, in another session", st)
gives("getmaxalloc of a state that was got", { lunatik.defaultmaxallocbytes }, st:getmaxalloc())
gives("it is in use again", NONE, s:getstate(a))
st = nil
collectgarbage()
st = s:getstate(a)
that("collection gives the mark back", st)

-- --- dostring ---

gives("dostring", { true }, st:dostring "x = (x or 0) + 1")
gives("globals persist", { true }, st:dostring "assert(x == 1)")
gives("an error", NONE, st:dostring "error 'boom'")
gives("what does not compile", NONE, st:dostring "x =")
gives("and after these it goes on", { true }, st:dostring "x = 2")
gives("an empty chunk", { true }, st:dostring "")
gives("a tab, a newline, UTF-8 and a zero in a string", { true }, st:dostring "\t\n local s = 'ü€\0'; assert(#s == 6)")
gives("64,000 bytes", { true }, st:dostring("--" .. ("x"):rep(64000) .. "\nx = 3"))
gives("which ran", { true }, st:dostring "assert(x == 3)")
st:dostring("function says() return debug.getinfo(1, 'S').source end", "one two")
gives("the chunk's name", { true }, st:dostring "assert(says() == 'one two')")
st:dostring "function says() return debug.getinfo(1, 'S').source end"
gives("its name without one", { true }, st:dostring "assert(says() == 'lua in kernel')")
gives("a name of 255 bytes", { true }, st:dostring("", ("n"):rep(255)))
raises("a name of 256 bytes", "bad argument #3 to '?' (script name too long)", st.dostring, st, "", ("n"):rep(256))
raises("a name that is none", "bad argument #3 to '?' (string expected, got table)", st.dostring, st, "", {})
gives("a name of two lines does no harm", { true }, st:dostring("x = 4", "name\ndestroy " .. a))
gives("it is there", { true }, st:dostring "assert(x == 4)")
raises("state methods want a state", "bad argument #1 to '?' (states.control expected, got lunatik.session)", st.dostring, s, "")

-- --- messages ---

gives("send without a callback", NONE, st:send(memory.create "x"))
st:dostring "function receive_callback(m) got = memory.tostring(m) kept = m; kind = memory.type(m) end"
gives("send", { true }, st:send(memory.create "a\0b"))
gives("its bytes arrived", { true }, st:dostring "assert(got == 'a\\0b' and kind == 'other')")
gives("and are gone after the call", { true }, st:dostring "assert(#kept == 0)")
gives("send of 32768 bytes", { true }, st:send(memory.create(lunatik.datamaxsize)))
gives("send of no byte", NONE, st:send(memory.create(0)))
gives("send of one more", NONE, st:send(memory.create(lunatik.datamaxsize + 1)))
raises("send of nothing", "bad argument #2 to '?' (memory expected, got no value)", st.send, st)
raises("send of an empty resizable memory", "bad argument #2 to '?' (expected non NULL memory object)", st.send, st, memory.create())
st:dostring "function receive_callback(m) error 'no' end"
gives("send to a callback that fails", NONE, st:send(memory.create "x"))

assert(st:dostring "local m = memory.create 'ABC'; assert(netlink.send(m) == 3) memory.set(m, 1, 68, 69, 70) netlink.send(m)")
local first, second = st:receive(), st:receive()
gives("receive: two messages in order", { "ABC", "DEF" }, memory.tostring(first), memory.tostring(second))
gives("each a fixed memory of its length", { "fixed", 3 }, memory.type(first), #first)
local large = assert(s:newstate(name(), 262144))
assert(large:dostring "lunatik.send(memory.create(32768))")
gives("receive of 32768 bytes", { 32768 }, #large:receive())
large:close()

-- --- close ---

gives("close", { true }, st:close())
gives("a second close", NONE, st:close())
gives("the name stays", { a }, st:getname())
gives("the limit stays", { lunatik.defaultmaxallocbytes }, st:getmaxalloc())
for _, method in ipairs { "getcurralloc", "receive" } do gives(method .. " after close", NONE, st[method](st)) end
gives("dostring after close", NONE, st:dostring "")
gives("send after close", NONE, st:send(memory.create "x"))
that("the name is free at once", s:newstate(a))
gives("and the old object does not reach the new state", NONE, st:dostring "")
collectgarbage()
st = s:getstate(a)
that("getstate of what collection left", st)
-- Another destroys it.
assert(os.execute("echo destroy " .. a .. " >/proc/lunatik/ctl"))
gives("dostring where the state is gone", NONE, st:dostring "")
gives("getcurralloc where the state is gone", NONE, st:getcurralloc())
gives("receive where the state is gone", NONE, st:receive())
gives("close where the state is gone", NONE, st:close())

-- --- closing a session ---

gives("close of a session", { true }, s:close())
raises("a closed session", "bad argument #1 to '?' (socket closed)", s.list, s)
for _, method in ipairs { "close", "getfd", "newstate", "getstate" } do
	raises("a closed session: " .. method, "bad argument #1 to '?' (socket closed)", s[method], s)
end
local _, why = pcall(function() s:list() end)
that("by method call", why:match ":%d+: calling 'list' on bad self %(socket closed%)$", why)
gives("its states keep working", { true }, long:dostring "")
gives("and close", { true }, long:close())
other = nil
collectgarbage()
gives("no state is left", { 0 }, #assert(lunatik.session()):list())
