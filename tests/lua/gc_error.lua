-- SPDX-License-Identifier: GPL-2.0-only
-- An error in a finalizer is raised in whatever collects, and the collector goes on.

local ok, m = pcall(function()
  setmetatable({}, {__gc = function() error("bad finalizer", 0) end})
  collectgarbage()
  collectgarbage()
end)
print(ok, m)
collectgarbage()
local called = 0
for i = 1, 10 do setmetatable({}, {__gc = function() called = called + 1; error({}) end}) end
for i = 1, 20 do pcall(collectgarbage) end
print(called)
print(collectgarbage(), collectgarbage("step", 1000))
