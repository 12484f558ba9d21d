-- SPDX-License-Identifier: GPL-2.0-only
-- lunatik: states in the kernel as objects. A session is an open file of /proc/lunatik/ctl; a state object has one of its own,
-- which holds the mark that the state is in use, so that it outlives its session and the mark goes with the object.
-- One thread a Lua state; calls wait for the kernel's answer.

local native = require "lunatik.native"
local ctl = require "lunatik.ctl"

local fail, method = native.fail, native.method
local SESSION, STATE = "lunatik.session", "states.control"

local lunatik = {
	datamaxsize = ctl.DATAMAX,
	defaultmaxallocbytes = ctl.parameter("defaultmaxalloc", 65536),
	maxstates = ctl.parameter("maxstates", 1024),
	scriptnamemaxsize = ctl.SCRIPTNAME,
	statenamemaxsize = ctl.STATENAME,
}

-- Closes the descriptors of an object; what it remembers stays.
local function release(self)
	for _, field in ipairs { "fd", "data" } do
		if self[field] then native.close(self[field]) end
		self[field] = nil
	end
end

-- --- states ---

-- A state object whose mark the open file `fd` holds.
local function state(fd, name, maxalloc)
	return native.object(STATE, { fd = fd, name = name, maxalloc = maxalloc })
end

-- A method of states that were not given back. `self` is the object's fields; without fd after close.
local function of_state(kinds, f)
	return method("o" .. kinds, function(self, ...)
		if self.given then return fail, 0, "invalid state" end
		return f(self, ...)
	end, STATE)
end

-- The descriptor of the state's messages, opened at the first use; nil when the state is gone.
local function data(self)
	if not self.data and self.fd then self.data = ctl.data(self.name) end
	return self.data
end

local State = native.class(STATE)

State.__gc = method("o", release, STATE)

State.dostring = method("osS", function(self, code, codename)
	codename = codename or "lua in kernel"
	if #codename > ctl.SCRIPTNAME then return fail, 3, "script name too long" end
	if self.given then return fail, 0, "invalid state" end
	return self.fd and ctl.run(self.fd, self.name, code, codename) and true or nil
end, STATE)

State.close = of_state("", function(self)
	local done = self.fd and ctl.ask(self.fd, "destroy " .. self.name .. "\n")
	if done or not ctl.number(self.name, "maxalloc") then release(self) end
	return done and true or nil
end)

State.getname = of_state("", function(self) return self.name end)

State.getmaxalloc = of_state("", function(self) return self.maxalloc end)

State.getcurralloc = of_state("", function(self)
	return self.fd and ctl.number(self.name, "curralloc") or nil
end)

State.send = of_state("m", function(self, mem)
	local fd = #mem > 0 and data(self)
	return fd and native.write(fd, mem) or nil
end)

State.receive = of_state("", function(self)
	local fd = data(self)
	return fd and native.message(fd) or nil
end)

-- The mark is given back; the state goes on without this object.
State.put = method("o", function(self)
	local done = self.fd and ctl.ask(self.fd, "unmark " .. self.name .. "\n")
	release(self)
	self.given = true
	return done and true or nil
end, STATE)

-- --- sessions ---

local Session = native.class(SESSION)

Session.__gc = method("o", release, SESSION)

Session.newstate = method("OsI", function(_, name, maxalloc)
	if #name >= ctl.STATENAME then return fail, 2, "name too long" end
	maxalloc = maxalloc or lunatik.defaultmaxallocbytes
	local fd, message, code = ctl.open()
	if not fd then return nil, message, code end
	name = name:match("^[^\0]*")
	local made
	made, message, code = ctl.ask(fd, ("create %s %d marked\n"):format(ctl.word(name), maxalloc))
	if not made then
		native.close(fd)
		return nil, "Failed to create the state\n", code
	end
	return state(fd, name, maxalloc)
end, SESSION)

Session.getstate = method("Os", function(_, name)
	local fd = ctl.open()
	if not fd then return nil end
	name = name:match("^[^\0]*")
	local maxalloc = ctl.ask(fd, "mark " .. ctl.word(name) .. "\n") and ctl.number(name, "maxalloc")
	if not maxalloc then
		native.close(fd)
		return nil
	end
	return state(fd, name, maxalloc)
end, SESSION)

Session.list = method("O", function(self)
	local reply = ctl.ask(self.fd, "list\n")
	return reply and ctl.parse(reply) or nil
end, SESSION)

Session.getfd = method("O", function(self) return self.fd end, SESSION)

Session.close = method("O", function(self)
	release(self)
	return true
end, SESSION)

lunatik.session = method("", function()
	local fd, message, code = ctl.open()
	if not fd then return nil, message, code end
	return native.object(SESSION, { fd = fd })
end)

return lunatik
