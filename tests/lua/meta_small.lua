-- SPDX-License-Identifier: GPL-2.0-only
-- A short script for a sweep in which every allocation collects and every chance moves the stack.

local t = setmetatable({}, {
  __index = function(_, k) return k .. "!" end,
  __concat = function(a, b) return "joined" end,
  __gc = function() end,
})
local parts = {}
for i = 1, 6 do parts[#parts + 1] = t["k" .. i] .. i end
table.sort(parts, function(a, b) return a > b end)
local co = coroutine.wrap(function(...) local s = ... for i = 1, 3 do s = coroutine.yield(s .. i) end return "end" end)
print(table.concat(parts, ","), co("a"), co("b"), (("x y z"):gsub("%a", function(c) return c:upper() end)))
print(string.format("%s %d %q %5.1f", t .. t, 42, "q\n", 1.25), assert(load("return " .. ("{"):rep(5) .. ("}"):rep(5)))() ~= nil)
for w in ("one two"):gmatch("%a+") do print(w) end
t = nil
collectgarbage()
