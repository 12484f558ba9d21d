-- A ping-pong of contexts: one asks, the other answers, and the log says how long a round trip took.
--
--     echo "create pingpong 256K" > /proc/lunatik/ctl
--     cat lua/examples/pingpong.lua > /sys/kernel/lunatik/pingpong/code
--     dmesg | tail -1
local context = require "context"
local ROUNDS = 1000

local pong = assert(context.spawn [[
  local context = require "context"
  while true do
    local _, from, session, ball = context.recv(0)
    if ball == "over" then break end
    context.reply(from, session, ball + 1)
  end
]])

local began = os.clock()
local ball = 0
for _ = 1, ROUNDS do
  local ok, back = context.query(pong, ball)
  if not ok then error(context.strerror(back)) end
  ball = back
end
print(("%d round trips, %.1f us each"):format(ball, (os.clock() - began) / ROUNDS * 1e6))

context.send(pong, "over")
context.wait(pong)
print("the other has ended")
