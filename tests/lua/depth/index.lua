-- SPDX-License-Identifier: GPL-2.0-only
-- __index and other metamethods as functions that use them again.

local mt = {}
local t = setmetatable({}, mt)
local u = setmetatable({}, mt)
mt.__index = function(t, k) return t[k .. ""] end
mt.__newindex = function(t, k, v) t[k] = v end
mt.__add = function(a, b) return a + b end
mt.__concat = function(a, b) return a .. b end
mt.__eq = function(a, b) return a == b end
mt.__lt = function(a, b) return a < b end
mt.__len = function(a) return #a end
mt.__unm = function(a) return -a end
mt.__call = function(self) return (self()) end
mt.__tostring = function(a) return tostring(a) end
print(pcall(function() return t.x end), pcall(function() t.x = 1 end), pcall(function() return t + 1 end), pcall(function() return t .. 1 end))
print(pcall(function() return t == u end), pcall(function() return t < u end), pcall(function() return #t end), pcall(function() return -t end))
print(pcall(t), pcall(tostring, t), pcall(table.concat, t), pcall(table.insert, t, 1), pcall(table.unpack, t), pcall(next, t))
print(pcall(string.format, "%s", t), pcall(print, t), pcall(table.sort, {t, u, t}), pcall(ipairs(t), t, 0), pcall(math.max, t, u))
