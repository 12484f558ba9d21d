-- SPDX-License-Identifier: GPL-2.0-only
-- Message handlers that fail in every way, at the bottom of the stack.

local function deep() return (("x"):gsub("x", deep)) end
print(xpcall(deep, function(m) return deep() end))
print(xpcall(deep, function(m) error(m) end))
print(xpcall(deep, function(m) return debug.traceback(m) end) == false)
print(xpcall(deep, function(m) return (("y"):rep(1000):gsub("y", "%0%0")):len() end))
print(xpcall(deep, function(m) return load("return " .. ("("):rep(80) .. "1" .. (")"):rep(80))() end))
print(xpcall(deep, function(m) return tostring(setmetatable({}, {__tostring = function() return "t" end})) end))
print(xpcall(deep, function(m) return string.format("%s %5.2f %q %99.99f", m, 1.5, m, 1e300):len() end))
print(xpcall(deep, xpcall), xpcall(deep, pcall), xpcall(deep, error), xpcall(deep, coroutine.wrap(function(m) return m end)))
