-- SPDX-License-Identifier: GPL-2.0-only
-- `lunatik watch`: a line for each state with its memory as a bar, and rates from what `stats` counted between two looks.

local native = require "lunatik.native"
local ctl = require "lunatik.ctl"

local BAR = 20
local COUNTED = { "executions", "events", "errors" }

-- The lines `name value` of a state's stats.
local function stats(name)
	local values = {}
	for key, value in (ctl.attribute(name, "stats") or ""):gmatch "(%S+) ([^\n]*)\n" do values[key] = value end
	return values
end

local function uptime()
	local file = io.open "/proc/uptime"
	local seconds = file:read "n"
	file:close()
	return seconds
end

local function size(bytes)
	local units = { "B", "K", "M", "G" }
	local n = 1
	while bytes >= 10240 and units[n + 1] do
		bytes, n = bytes // 1024, n + 1
	end
	return ("%d%s"):format(bytes, units[n])
end

local function bar(part)
	local full = math.min(BAR, math.floor(part * BAR + 0.5))
	return "[" .. ("#"):rep(full) .. ("."):rep(BAR - full) .. "]"
end

-- watch(fd, seconds, count) -> exit status
return function(fd, seconds, count)
	local screen = native.isatty(1)
	local before, then_ = {}, nil
	while count > 0 do
		local reply = ctl.ask(fd, "list\n")
		local now, seen, lines = uptime(), {}, {}
		for _, state in ipairs(ctl.parse(reply or "")) do
			local values, last = stats(state.name), before[state.name]
			local rates = {}
			for i, key in ipairs(COUNTED) do
				local value = tonumber(values[key]) or 0
				local passed = then_ and now - then_ or 0
				rates[i] = last and passed > 0 and (value - (tonumber(last[key]) or 0)) / passed or 0
			end
			seen[state.name] = values
			lines[#lines + 1] = ("%-24.24s %-8s %s %6s of %-6s %9.1f %9.1f %9.1f"):format(state.name, values.status or "-",
				bar(state.curralloc / state.maxalloc), size(state.curralloc), size(state.maxalloc), table.unpack(rates))
		end
		if screen then io.write "\27[H\27[2J" end
		local width = screen and native.width(1) or math.maxinteger
		table.insert(lines, 1, ("%-24s %-8s %-22s %-16s %9s %9s %9s"):format("STATE", "STATUS", "MEMORY", "", "SCRIPTS/s",
			"EVENTS/s", "ERRORS/s"))
		for _, text in ipairs(lines) do io.write(text:sub(1, width), "\n") end
		io.flush()
		before, then_, count = seen, now, count - 1
		if count > 0 then native.poll(-1, math.ceil(seconds * 1000)) end
	end
	return 0
end
