-- SPDX-License-Identifier: GPL-2.0-only
-- Finalizers at any depth, which recurse themselves.

local function spawn() setmetatable({}, {__gc = function() local function r(n) if n > 0 then return (("x"):gsub("x", function() return r(n - 1) end)) end end pcall(r, 10) end}) end
local function f() spawn() local t = {} for i = 1, 20 do t[i] = {} end return (("x"):gsub("x", f)) end
print((pcall(f)))
for i = 1, 5 do collectgarbage() pcall(f) end
