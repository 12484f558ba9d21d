-- SPDX-License-Identifier: GPL-2.0-only
-- Through the library `lunatik`: COUNT messages to a new state, which sends each back doubled; as exchange.lua prints.
-- usage: stream.lua COUNT STATE

local lunatik = require "lunatik"
local memory = require "memory"

local count = tonumber(arg[1])
local state = assert(lunatik.session():newstate(arg[2]))
assert(state:dostring [[
	function receive_callback(m)
		lunatik.send(m)
		lunatik.send(m)
	end
]])
for i = 1, count do
	assert(state:send(memory.create(tostring(i))))
	for _ = 1, 2 do
		local text = memory.tostring(state:receive())
		if text ~= tostring(i) then print("lost", "got " .. text, "wanted " .. i) end
	end
end
assert(state:close())
print("done " .. count)
