-- A supervisor: it keeps a worker running. When the worker ends, crashed or not, it starts another; after five within ten
-- seconds it gives up. Others ask it for the worker's handle:
--
--     echo "create supervisor 512K" > /proc/lunatik/ctl
--     cat lua/examples/supervisor.lua > /sys/kernel/lunatik/supervisor/code
--
--     local context = require "context"
--     local _, worker = context.query(context.find "supervisor", "worker")
--     print(context.query(worker, "add", 1, 2))        --> true  3
local context = require "context"
local MOST, SECONDS = 5, 10

-- An error ends the worker: nothing is pending in it then.
local WORKER = [[
  local context = require "context"
  local does = {
    add = function(a, b) return a + b end,
    count = function(t) local n = 0 for _ in pairs(t) do n = n + 1 end return n end,
  }
  while true do
    local _, from, session, what, a, b = context.recv(0)
    if session >= 0 then
      context.reply(from, session, does[what](a, b))
    end
  end
]]

local worker
local starts = {}

context.recv(0, function(_, from, session, what)
  if session >= 0 and what == "worker" then
    context.reply(from, session, worker)
  end
end)

while true do
  local now = os.clock()
  while starts[1] and starts[1] < now - SECONDS do table.remove(starts, 1) end
  if #starts >= MOST then break end
  starts[#starts + 1] = now
  worker = assert(context.spawn(WORKER))
  print("worker " .. worker .. " runs")
  context.wait(worker)
  print("worker " .. worker .. " has ended")
end
worker = nil
print("too many ends in a short time: no further worker")
