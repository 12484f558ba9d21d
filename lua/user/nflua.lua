-- SPDX-License-Identifier: GPL-2.0-only
-- nflua: states in the kernel through sockets that are open files of /proc/lunatik/ctl. A control socket sends a request and
-- later receives its outcome; a data socket exchanges messages with states under its port number.
-- One thread a Lua state. Only calls that documentation calls receiving wait for messages, and scripts while they run.

local native = require "lunatik.native"
local ctl = require "lunatik.ctl"

memory = require "memory"   -- a global, as programs for this library expect
local memory = memory

local fail, method = native.fail, native.method
local CONTROL, DATA = "nflua.control", "nflua.data"

local EPERM, EAGAIN, EINVAL, EPROTO = 1, 11, 22, 71
-- Bytes of a chunk that one call of `execute` sends, and of the longest chunk.
local FRAGMENT, CHUNKMAX = 3748, 16 * 3748

local nflua = {
	datamaxsize = ctl.DATAMAX,
	defaultmaxallocbytes = ctl.parameter("defaultmaxalloc", 65536),
	maxstates = ctl.parameter("maxstates", 1024),
	scriptnamemaxsize = ctl.SCRIPTNAME,
	statenamemaxsize = ctl.STATENAME,
}

-- --- what both sockets have ---

-- The bound socket of a class: an object, or nil, message, code. Without a port, or with 0, the kernel picks one.
local function socket(class, port)
	if port ~= nil and type(port) ~= "number" then return fail, 1, "must be integer or nil" end
	port = (math.tointeger(port) or 0) & 0xffffffff
	if port & 0x80000000 ~= 0 then return fail, 1, "must be in range [0, 2^31)" end
	local fd, message, code = ctl.open()
	if not fd then return nil, message, code end
	local bound
	bound, message, code = ctl.ask(fd, port == 0 and "bind\n" or ("bind %d\n"):format(port))
	port = bound and math.tointeger(tonumber(bound))
	if not port then
		native.close(fd)
		return nil, message, code
	end
	-- As a C int has it.
	if port >= 0x80000000 then port = port - 0x100000000 end
	return native.object(class, { fd = fd, port = port, state = "ready", errors = 0 })
end

local function release(self)
	if self.fd then native.close(self.fd) end
	self.fd = nil
end

local function class(name)
	local methods = native.class(name)
	methods.__gc = method("o", release, name)
	methods.close = method("O", function(self)
		release(self)
		return true
	end, name)
	methods.getfd = method("O", function(self) return self.fd end, name)
	methods.getpid = method("O", function(self) return self.port end, name)
	nflua[name:match "%a+$"] = method("a", function(port) return socket(name, port) end)
	return methods
end

-- --- control sockets ---

local Control = class(CONTROL)

-- Sends a request whose outcome `receive` tells. One that must not wait and would have to was not sent.
local function send(self, ...)
	local ok, _, code = native.write(self.fd, ...)
	if code == -EAGAIN then
		native.reply(self.fd)
		return native.failure(EAGAIN)
	end
	self.refused = not ok
	return true
end

local function command(self, listing, ...)
	if self.state ~= "ready" then return native.failure(EPERM) end
	local ok, message, code = send(self, ...)
	if not ok then return nil, message, code end
	self.state, self.listing = "waiting", listing
	return true
end

Control.create = method("OsI", function(self, name, maxalloc)
	if #name >= ctl.STATENAME then return fail, 2, "name too long" end
	return command(self, false, ("create %s %d\n"):format(ctl.word(name), maxalloc or nflua.defaultmaxallocbytes))
end, CONTROL)

Control.destroy = method("Os", function(self, name)
	return command(self, false, "destroy " .. ctl.word(name) .. "\n")
end, CONTROL)

Control.list = method("O", function(self)
	return command(self, true, "list\n")
end, CONTROL)

-- Each call sends a fragment; the script runs with the last.
Control.execute = method("OssS", function(self, name, chunk, script)
	if #chunk == 0 or #chunk > CHUNKMAX then return native.failure(EINVAL) end
	if self.state ~= "ready" and self.state ~= "sending" then return native.failure(EPERM) end
	local ok, message, code = true, nil, nil
	local sent = self.state == "sending" and self.sent or 0
	local fragment = chunk:sub(sent + 1, sent + FRAGMENT)
	if sent == 0 then
		local header = ("run %s %d %s\n"):format(ctl.word(name), #chunk, ctl.scriptname(script or chunk))
		ok, message, code = send(self, header, fragment)
	elseif not self.refused then
		ok, message, code = send(self, fragment)
	end
	if not ok then   -- all of it must be sent again
		self.state = "ready"
		return nil, message, code
	end
	self.sent = sent + #fragment
	if self.sent < #chunk then
		self.state = "sending"
		return nil, "pending"
	end
	self.state, self.listing = "waiting", false
	return true
end, CONTROL)

Control.receive = method("O", function(self)
	if self.state ~= "waiting" then return native.failure(EPERM) end
	local reply, message, code = native.reply(self.fd)
	if not reply then return nil, message, code end
	self.state = "ready"
	if self.refused then return nil, "operation could not be completed" end
	return not self.listing or ctl.parse(reply)
end, CONTROL)

Control.getstate = method("O", function(self) return self.state end, CONTROL)

-- --- data sockets ---

local Data = class(DATA)

-- A message that a state refuses counts as sent; the next `receive` fails instead. Its reply stays unread until then, so that
-- poll tells; any other reply is read, so that poll tells of messages only.
Data.send = method("Osm", function(self, name, mem)
	if #mem == 0 or #mem > ctl.DATAMAX then return native.failure(EPERM) end
	if self.errors > 0 then native.reply(self.fd) end
	local ok, message, code = native.write(self.fd, ("message %s %d\n"):format(ctl.word(name), #mem), mem)
	if not ok then
		if code == -EAGAIN then
			if self.errors == 0 then native.reply(self.fd) end
			return nil, message, code
		end
		self.errors = self.errors + 1
	elseif self.errors == 0 then
		native.reply(self.fd)
	end
	return true
end, DATA)

Data.receive = method("Omi", function(self, mem, offset)
	if offset < 0 or offset >= #mem or #mem - offset < ctl.DATAMAX then return fail, 3, "not enough space in buffer" end
	if self.errors > 0 then
		self.errors = self.errors - 1
		if self.errors == 0 then native.reply(self.fd) end
		return native.failure(EPROTO)
	end
	local reply, message, code = ctl.ask(self.fd, "receive\n")
	if not reply then return nil, message, code end
	local name, size, start = reply:match("^(%S+) (%d+)\n()")
	size = math.tointeger(size)
	memory.fill(mem, reply, offset + 1, offset + size, start)
	return size, name
end, DATA)

return nflua
