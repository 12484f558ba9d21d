-- SPDX-License-Identifier: GPL-2.0-only
-- A chat on 127.0.0.1, port 6667, or what the global `port` says: the first line of a connection is a name, every further
-- one goes to all the others. A line is one buffer, however many get it; who does not read is put out.
--
--	echo "create chat 4M" > /proc/lunatik/ctl
--	cat chat.lua > /sys/kernel/lunatik/chat/code
--	nc 127.0.0.1 6667

local tcp, buffer = require "tcp", require "buffer"

-- Lines that may wait for one peer, and the longest line in bytes.
local WAITING_MAX, LINE_MAX = 64, 4096

people = people or {}	-- socket -> { name = , waiting = }

local function leave(peer)
  local person = people[peer]
  people[peer] = nil
  peer:close()
  return person
end

local function tell(text, except)
  local line = buffer.new(text)
  for peer, person in pairs(people) do
    if peer ~= except then
      if person.waiting == WAITING_MAX then
        leave(peer)
      else
        person.waiting = person.waiting + 1
        peer:write(line, function(ok)
          person.waiting = person.waiting - 1
          if not ok then leave(peer) end
        end)
      end
    end
  end
end

local function serve(peer)
  local have, name = "", nil
  while true do
    local ok, data = peer:read()
    if not ok or peer:is_closed() then break end
    have = have .. data:tostring()
    for line in have:gmatch("([^\n]*)\n") do
      line = line:gsub("[\r%c]", "")
      if name then
        tell(("%s: %s\n"):format(name, line), peer)
      elseif line ~= "" then
        name = line:sub(1, 32)
        people[peer] = { name = name, waiting = 0 }
        tell(("* %s is here\n"):format(name), peer)
      end
    end
    have = have:match("[^\n]*$")
    if #have > LINE_MAX then break end
  end
  if leave(peer) then tell(("* %s has left\n"):format(name)) end
end

local ok, server = tcp.listen("127.0.0.1", port or 6667)
if not ok then error("chat: cannot listen: " .. server, 0) end

server:accept(function(ok, peer) if ok then serve(peer) end end)
