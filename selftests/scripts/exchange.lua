-- SPDX-License-Identifier: GPL-2.0-only
-- Sends COUNT numbered messages to each STATE, whose callback sends them back; prints `lost` lines for what does not come back
-- once and in order, and `done N`. usage: exchange.lua WHO COUNT STATE...

local nflua = require "nflua"

local who, count = arg[1], tonumber(arg[2])
local states = table.move(arg, 3, #arg, 1, {})
local data = assert(nflua.data())
local buffer = memory.create(nflua.datamaxsize)
local seen, total = {}, 0

for i = 1, count do
	for _, state in ipairs(states) do assert(data:send(state, memory.create(("%s %s %d"):format(who, state, i)))) end
	for _ = 1, #states do
		local size, state = assert(data:receive(buffer, 0))
		local text, wanted = memory.tostring(buffer, 1, size), ("%s %s %d"):format(who, state, (seen[state] or 0) + 1)
		if text ~= wanted then print("lost", "got " .. text, "wanted " .. wanted) end
		seen[state] = (seen[state] or 0) + 1
		total = total + 1
	end
end
local native = require "lunatik.native"
if native.poll(data:getfd(), 0) then print("lost", "a message too many") end
print("done " .. total)
