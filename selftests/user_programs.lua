-- SPDX-License-Identifier: GPL-2.0-only
-- Both libraries as programs use them: many sockets and states, states of the smallest size, timers, and the kernel log, of
-- which a program looks at the last lines after each failure. user.sh runs it. usage: user_programs.lua PREFIX STATES

local lunatik = require "lunatik"
local nflua = require "nflua"
local check = dofile((arg[0]:match "^.*/" or "./") .. "lib/check.lua")
local that, gives = check.that, check.gives

local prefix, many = arg[1], tonumber(arg[2])
local names = 0
local function name()
	names = names + 1
	return ("%s.%d"):format(prefix, names)
end
-- The last lines of the kernel log.
local function tail(lines)
	local dmesg = assert(io.popen("dmesg -t | tail -n " .. lines))
	local text = dmesg:read "a"
	dmesg:close()
	return text
end
-- A command of a control socket, sent until it is sent whole: its outcome.
local function done(c, command, ...)
	local ok, err
	repeat ok, err = c[command](c, ...) until err ~= "pending"
	if not ok then return ok, err end
	return c:receive()
end

-- --- the kernel log ---

local c = assert(nflua.control())
-- fails(WHAT, LINES, TEXT, COMMAND...): it is refused, and the text is among the last lines.
local function fails(what, lines, text, ...)
	gives(what, { nil, "operation could not be completed", n = 2 }, done(c, ...))
	local log = tail(lines)
	that(what .. ": the log", log:find(text, 1, true), log)
end
local s, none = name(), name()
gives("create", { true }, done(c, "create", s))
local UNDONE = "could not execute / load data!"
fails("create of a name that is taken", 3, "state already exists: " .. s, "create", s)
fails("it comes last", 1, "could not create new lua state", "create", s)
fails("create under the minimum", 3, "maxalloc 1 should be greater then MIN_ALLOC 32768", "create", none, 1)
fails("destroy of what is not there", 3, "could not destroy lua state", "destroy", none)
fails("execute where no state is", 3, "lua state not found", "execute", none, "x = 1")
fails("it comes last", 1, UNDONE, "execute", none, "x = 1")
fails("a chunk that does not compile", 3, UNDONE, "execute", s, "x =")
fails("its message before it", 2, "unexpected symbol near <eof>", "execute", s, "x =")
fails("a chunk that fails", 3, UNDONE, "execute", s, "local function f() error 'boom' end f()")
fails("a chunk in fragments that fails", 1, UNDONE, "execute", s, "--" .. ("x"):rep(20000) .. "\nerror 'end'")
local d = assert(nflua.data())
for _, case in ipairs { { "couldn't find receive function: __receive_callback", "x = 1" },
	{ "no answer", "function __receive_callback() error('no answer', 0) end" } } do
	local what, chunk = table.unpack(case)
	done(c, "execute", s, chunk)
	gives("a message that fails is sent", { true }, d:send(s, memory.create "x"))
	local log = tail(6)
	that("the log has " .. what, log:find(what, 1, true), log)
	log = tail(1)
	that("and last that it failed", log:find(UNDONE, 1, true), log)
end
d = assert(nflua.data())   -- which owes no failures
local token = ("%016x"):format(os.time())
gives("print", { true }, done(c, "execute", s, "print '" .. token .. "'"))
that("its text", tail(1):find(token, 1, true), tail(1))
gives("what succeeds", { true, true, true }, done(c, "execute", s, "function __receive_callback() end"), d:send(s, memory.create "x"),
	type(done(c, "list")) == "table")
gives("and create and destroy", { true, true }, done(c, "create", none), done(c, "destroy", none))
that("logs nothing", tail(1):find(token, 1, true), tail(1))
gives("destroy", { true }, done(c, "destroy", s))

-- --- states of the smallest size ---

local small, larger = name(), name()
gives("a state of 32768 bytes", { true }, done(c, "create", small, 32768))
gives("string.rep of as many fails there", { nil, "operation could not be completed", n = 2 },
	done(c, "execute", small, "string.rep('a', 32 * 1024)"))
local log = tail(4)
that("the log names the limit", log:find("maxalloc limit 32768 reached on state " .. small, 1, true), log)
log = tail(2)
that("then the error", log:find("not enough memory", 1, true), log)
gives("in one of 131072 bytes it succeeds", { true, true }, done(c, "create", larger, 131072),
	done(c, "execute", larger, "string.rep('a', 32 * 1024)"))
gives("a callback in it", { true }, done(c, "execute", small, "function __receive_callback(port, m) netlink.send(port, 0, m) end"))
d:send(small, memory.create "echo")
gives("which answers", { 4, small }, d:receive(memory.create(nflua.datamaxsize), 0))
gives("print in it", { true }, done(c, "execute", small, "print '" .. token .. "'"))
gives("a script behind a comment of 50 KiB", { true }, done(c, "execute", small, "--" .. ("x"):rep(50 * 1024) .. "\nran = true"))
gives("ran", { true }, done(c, "execute", small, "assert(ran)"))
gives("a payload of 65,000 bytes is refused", { true }, done(c, "execute", larger,
	("local ok, why = pcall(netlink.send, %d, 0, memory.create(65000)) assert(why == 'failed to send message. Return code -90', why)")
	:format(d:getpid())))

-- --- timers ---

gives("a timer of 100 ms", { true }, done(c, "execute", small, ("timer.create(100, function() netlink.send(%d, nil, 'due') end)"):format(d:getpid())))
gives("comes", { 3, small }, d:receive(memory.create(nflua.datamaxsize), 0))
gives("two timers", { true }, done(c, "execute", small, ([[
	timer.create(300, function() netlink.send(%d, nil, "late") end)
	timer.create(100, function() netlink.send(%d, nil, "soon!") end)]]):format(d:getpid(), d:getpid())))
local buffer = memory.create(nflua.datamaxsize)
gives("the earlier comes first", { 5, 4 }, (d:receive(buffer, 0)), (d:receive(buffer, 0)))
gives("a timer destroyed", { true }, done(c, "execute", small, [[
	local t = timer.create(60000, print)
	assert(timer.destroy(t) == true)
	local ok, why = timer.destroy(t)
	assert(ok == nil and why == "timer already destroyed", why)]]))
gives("destroy of both", { true, true }, done(c, "destroy", small), done(c, "destroy", larger))

-- --- many sockets, many states ---

local sockets, good = {}, 0
for i = 1, 10 do
	local socket, state = assert(nflua.control()), name()
	sockets[i] = socket
	if done(socket, "create", state) and done(socket, "execute", state, "--" .. ("x"):rep(50 * 1024) .. "\nassert(true)")
		and done(socket, "destroy", state) then good = good + 1 end
end
gives("ten sockets, each with a state and 50 KiB", { 10 }, good)
good = 0
for i = 1, many do
	if done(c, "create", ("%s.many.%d"):format(prefix, i), 32768) then good = good + 1 end
end
gives(many .. " states over one socket", { many }, good)
for i, socket in ipairs(sockets) do
	local seen, count = {}, 0
	for _, state in ipairs(done(socket, "list")) do
		local number = state.name:match("%.many%.(%d+)$")
		if number and not seen[number] and state.maxalloc == 32768 and state.curralloc > 0 then
			seen[number], count = true, count + 1
		end
	end
	gives("all are in the list of socket " .. i, { many }, count)
end
good = 0
for i = 1, many do
	if done(sockets[i % 10 + 1], "destroy", ("%s.many.%d"):format(prefix, i)) then good = good + 1 end
end
gives("ten sockets destroy them", { many }, good)

-- --- sessions ---

local function mine(session)
	local count = 0
	for _, state in ipairs(session:list()) do
		if state.name:find(prefix, 1, true) then count = count + 1 end
	end
	return count
end
local one, two = assert(lunatik.session()), assert(lunatik.session())
local states, taken = {}, name()
for i = 1, 6 do states[i] = assert((i % 2 == 0 and one or two):newstate(i == 1 and taken or name())) end
gives("three states from each of two sessions", { 6, 6 }, mine(one), mine(two))
gives("a name that is taken and one state too small", { true, true }, one:newstate(taken) == nil, two:newstate(name(), 1) == nil)
gives("add none", { 6, 6 }, mine(one), mine(two))
for i = 1, 3 do assert(states[i]:close()) end
gives("three are closed", { 3, 3 }, mine(one), mine(two))
gives("the sessions, too", { true, true }, one:close(), two:close())
for i = 4, 6 do
	gives("state " .. i .. " works on", { true }, states[i]:dostring "netlink.send 'ABC' netlink.send(memory.create 'DEF')")
	gives("its messages", { "ABC", "DEF" }, memory.tostring(states[i]:receive()), memory.tostring(states[i]:receive()))
	gives("and is closed", { true }, states[i]:close())
end
