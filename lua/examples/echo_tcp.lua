-- SPDX-License-Identifier: GPL-2.0-only
-- An echo server (RFC 862) on 127.0.0.1, port 7777, or what the global `port` says, with the tcp library: sends back
-- whatever comes, and copies it once.
--
--	echo "create echo 1M" > /proc/lunatik/ctl
--	cat echo_tcp.lua > /sys/kernel/lunatik/echo/code
--	echo hello | nc -N 127.0.0.1 7777

local tcp = require "tcp"

local ok, server = tcp.listen("127.0.0.1", port or 7777)
if not ok then error("echo: cannot listen: " .. server, 0) end

server:accept(function(ok, peer)
  if not ok then return end
  while true do
    local ok, data = peer:read()
    if not ok then break end
    peer:write(data)
    -- What is sent has the bytes; this state need not wait for its collector.
    data:release()
  end
  peer:close()
end)
