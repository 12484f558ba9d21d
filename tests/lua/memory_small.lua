-- SPDX-License-Identifier: GPL-2.0-only
-- The memory library in a few lines, for failures of every allocation and at every break.

local m = memory.create()
m:resize(10, "abc")
m:resize(3000, memory.create("xyz"))
m:resize(20, m)
m:fill(m, 3, -1, 2)
local f = memory.create(64)
for i = 1, 8 do
  f:fill(i, i)
  memory.create(f, 2, i)
end
print(f:pack(">s1 z i4 d !8 i8 f i16", 1, m, "text", 3, 0.25, 7, 1.5, 5))
print(f:pack(">s1 z i4 d !8 i8 f", 1, "short", 12, 3, 0.25, 7, 1.5))
print(f:unpack(">s1 z i4 d !8 i8 f"))
print(tostring(m):byte(1, 4), memory.diff(m, 12), memory.diff(m, m), memory.find(f, "ho"), memory.find(m, 1))
print(m:get(1, 5), #m, memory.type(m), memory.type(f), pcall(m.get, 1))
for i = 1, 40 do
  setmetatable({}, {__gc = function() m:resize(m:len() % 50 + 1, "y") end})
  memory.create(m:tostring())
end
print(memory.type(m), m:get(1))
