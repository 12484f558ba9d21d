-- SPDX-License-Identifier: GPL-2.0-only
-- The module's files as the libraries and the command use them: requests on open files of /proc/lunatik/ctl, the files of a
-- state, the module's parameters. Functions that fail return nil, a message and the negative errno.

local native = require "lunatik.native"

local ctl = {}

ctl.CTL = "/proc/lunatik/ctl"
ctl.STATES = "/sys/kernel/lunatik/"
ctl.PARAMETERS = "/sys/module/lunatik/parameters/"

-- The peers' numbers: names have fewer than the first, script names at most the second.
ctl.STATENAME = 64
ctl.SCRIPTNAME = 255
ctl.DATAMAX = 32768

function ctl.open()
	return native.open(ctl.CTL)
end

-- A word of a request. A byte that no name can have must not make two words or lines of one: the kernel refuses its stand-in.
function ctl.word(name)
	name = name:match("^[^\0]*"):gsub("[^A-Za-z0-9_.%-]", "?")
	return name == "" and "?" or name
end

-- A script's name: a request has it on one line, and at most 255 bytes of it.
function ctl.scriptname(name)
	name = name:match("^[^\0]*")
	local line = name:match("^[^\n]*")
	if line ~= name then line = line .. "..." end   -- as Lua itself shows a source of several lines
	return line:sub(1, ctl.SCRIPTNAME)
end

-- Writes a request and reads the reply: the reply; or nil, message, code and the reply, which says more.
function ctl.ask(fd, ...)
	local ok, message, code = native.write(fd, ...)
	local reply = native.reply(fd)
	if not ok then return nil, message, code, reply end
	return reply
end

-- The same in a session of its own.
function ctl.once(...)
	local fd, message, code = ctl.open()
	if not fd then return nil, message, code end
	local reply, text
	reply, message, code, text = ctl.ask(fd, ...)
	native.close(fd)
	return reply, message, code, text
end

function ctl.run(fd, name, chunk, script)
	return ctl.ask(fd, ("run %s %d %s\n"):format(ctl.word(name), #chunk, ctl.scriptname(script)), chunk)
end

-- The reply to `list` as an array of { name=, maxalloc=, curralloc= }.
function ctl.parse(reply)
	local states = {}
	for name, maxalloc, curralloc in reply:gmatch("(%S+) (%d+) (%d+)\n") do
		states[#states + 1] = { name = name, maxalloc = math.tointeger(maxalloc), curralloc = math.tointeger(curralloc) }
	end
	return states
end

local function slurp(path)
	local file = io.open(path)
	if not file then return nil end
	local text = file:read "a"
	file:close()
	return text
end

-- A file of a state as text; nil when there is no such state.
function ctl.attribute(name, file)
	return slurp(ctl.STATES .. ctl.word(name) .. "/" .. file)
end

-- The same as an integer.
function ctl.number(name, file)
	return math.tointeger(tonumber(ctl.attribute(name, file)))
end

-- A module parameter; its default where the module is not loaded.
function ctl.parameter(name, default)
	return math.tointeger(tonumber(slurp(ctl.PARAMETERS .. name))) or default
end

-- A state's messages: an open file of its `data`.
function ctl.data(name)
	return native.open(ctl.STATES .. ctl.word(name) .. "/data")
end

return ctl
