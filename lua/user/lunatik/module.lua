-- SPDX-License-Identifier: GPL-2.0-only
-- The module itself, for the command: is it loaded, loading, unloading, changing over to another build of it. What systemd's units
-- (lunatik@NAME.service) hold is stopped before and started after. Functions that fail return nil and a message.

local ctl = require "lunatik.ctl"

local module = {}

local function quoted(...)
	local words = {}
	for i, word in ipairs { ... } do words[i] = "'" .. word:gsub("'", [['\'']]) .. "'" end
	return table.concat(words, " ")
end

-- Runs a program with its arguments as they are; results as those of os.execute.
function module.shell(...)
	return os.execute(quoted(...))
end
local shell = module.shell

function module.loaded()
	return ctl.parameter "maxstates" ~= nil
end

-- What decides about packets now: the number of hooks of all states.
local function hooks(states)
	local sum = 0
	for _, state in ipairs(states) do
		sum = sum + (tonumber((ctl.attribute(state.name, "stats") or ""):match "hooks (%d+)") or 0)
	end
	return sum
end

-- The names of the states that active units hold.
local function units()
	local pipe = io.popen("systemctl list-units --plain --no-legend --state=active 'lunatik@*.service' 2>/dev/null")
	local names = {}
	for line in pipe:lines() do
		local name = line:match "^lunatik@(%S+)%.service"
		if name then names[#names + 1] = name end
	end
	pipe:close()
	return names
end

local function unit(name)
	return "lunatik@" .. name .. ".service"
end

-- load{ FILE.ko or nothing, parameters... }
function module.load(args)
	if not (args[1] and args[1]:match "%.ko$") then table.insert(args, 1, "lunatik") end
	local tool = args[1] == "lunatik" and "modprobe" or "insmod"
	if shell(tool, table.unpack(args)) and module.loaded() then return true end
	return nil, "the module did not load; it needs root, an installed module, and dmesg says more"
end

local function remove()
	if shell("rmmod", "lunatik") then return true end
	return nil, ("the module did not unload; it needs root, and every file of it closed (fuser %s)"):format(ctl.CTL)
end

-- unload(states, force): states as ctl.parse gives them.
function module.unload(states, force)
	local count = hooks(states)
	if count > 0 and not force then
		return nil, ("%d hook%s registered: without the module nothing filters in their place; --force unloads it all the same"):format(count,
			count == 1 and " is" or "s are")
	end
	return remove()
end

-- upgrade(states, force, args): the installed module, or the given file, takes the place of the one that is loaded.
function module.upgrade(states, force, args)
	local held, names = {}, units()
	for _, name in ipairs(names) do held[name] = true end
	for _, state in ipairs(states) do
		if not held[state.name] and not force then
			return nil, ("state %s would be lost: no unit brings it back; --force goes on all the same"):format(state.name)
		end
	end
	for _, name in ipairs(names) do
		if not shell("systemctl", "stop", unit(name)) then return nil, unit(name) .. " did not stop" end
	end
	local good, why = remove()
	if good then good, why = module.load(args) end
	-- Whatever happened: a unit that cannot come back has to fail where it can be seen.
	local failed = {}
	for _, name in ipairs(names) do
		if not shell("systemctl", "start", unit(name)) then failed[#failed + 1] = unit(name) end
	end
	if not good then return nil, why end
	if failed[1] then return nil, "failed: " .. table.concat(failed, " ") .. "; journalctl says why" end
	return true
end

return module
