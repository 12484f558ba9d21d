-- SPDX-License-Identifier: GPL-2.0-only
-- A load balancer on 127.0.0.1, port 8000, or what the global `port` says: each connection goes to the next of the global
-- list `backends` that answers, and what comes from either side goes to the other. One that refuses is left out for
-- a second.
--
--	echo "create balance 4M" > /proc/lunatik/ctl
--	echo 'execute balance backends = {{"127.0.0.1", 8080}, {"127.0.0.1", 8081}}' > /proc/lunatik/ctl
--	cat balance.lua > /sys/kernel/lunatik/balance/code
--	curl http://127.0.0.1:8000/

local tcp = require "tcp"

backends = backends or { { "127.0.0.1", 8080 }, { "127.0.0.1", 8081 } }
local last, out_until = 0, {}

local function next_backend()
  for _ = 1, #backends do
    last = last % #backends + 1
    local backend = backends[last]
    if not out_until[backend] or out_until[backend] <= os.time() then
      local ok, socket = tcp.connect(backend[1], backend[2], 1)
      if ok then return socket end
      out_until[backend] = os.time() + 1
    end
  end
end

-- Moves bytes until one side is at its end; then nothing more comes from the other, either.
local function pump(from, to)
  while not from:is_closed() and not to:is_closed() do
    local ok, data = from:read()
    if not ok or to:is_closed() then break end
    to:write(data)
    data:release()
  end
  from:close()
  to:close()
end

local ok, server = tcp.listen("127.0.0.1", port or 8000)
if not ok then error("balance: cannot listen: " .. server, 0) end

server:accept(function(ok, peer)
  if not ok then return end
  local backend = next_backend()
  if not backend then
    peer:close()
    return
  end
  timer.create(0, function() pump(backend, peer) end)
  pump(peer, backend)
end)
