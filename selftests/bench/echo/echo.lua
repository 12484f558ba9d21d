-- SPDX-License-Identifier: GPL-2.0-only
-- For the bench: an echo server in user-space Lua with LuaSocket: lua5.3 echo.lua PORT.

local socket = require "socket"
local listener = assert(socket.bind("127.0.0.1", tonumber(arg[1]), 512))
listener:settimeout(0)
local all, index = { listener }, {}

while true do
	for _, ready in ipairs((socket.select(all))) do
		if ready == listener then
			local peer = listener:accept()
			if peer then
				peer:settimeout(0)
				all[#all + 1], index[peer] = peer, #all + 1
			end
		else
			local text, why, part = ready:receive(65536)
			text = text or part
			if text ~= "" then ready:send(text) end
			if why == "closed" then
				local last, at = all[#all], index[ready]
				all[at], index[last], all[#all], index[ready] = last, at, nil, nil
				ready:close()
			end
		end
	end
end
