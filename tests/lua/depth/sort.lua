-- SPDX-License-Identifier: GPL-2.0-only
-- sort comparators that sort.

local function f()
  local t = {}
  for i = 1, 60 do t[i] = i * 7919 % 61 end
  table.sort(t, function(a, b) f() return a < b end)
end
print(pcall(f))
