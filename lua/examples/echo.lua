-- SPDX-License-Identifier: GPL-2.0-only
-- An echo server (RFC 862) on 127.0.0.1, port 7777, or what the global `port` says: sends back whatever comes.
--
--	echo "create echo 1M" > /proc/lunatik/ctl
--	cat echo.lua > /sys/kernel/lunatik/echo/code
--	echo hello | nc -N 127.0.0.1 7777
--
-- Every connection is served by a coroutine of its own.

local inet = require "net.stream.inet"

local function serve(peer)
	local text
	repeat
		text = peer:recv()
	until not text or not peer:send(text)
	peer:close()
end

if not server then
	local why
	server, why = inet.server.new { host = "127.0.0.1", port = tostring(port or 7777), reuseaddr = true }
	why = why or server:listen()
	if why then
		server = nil
		error("echo: " .. why, 0)
	end
end

while true do
	local peer, why, again = server:accept()
	if peer then
		timer.create(0, function() serve(peer) end)
	elseif not again then
		error("echo: " .. why, 0)
	end
end
