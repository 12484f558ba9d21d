-- SPDX-License-Identifier: GPL-2.0-only
-- Limits of nesting at run time: Lua stack, C stack, error handling, patterns; afterwards all is well. Slow under stress.

local function message(f, ...) local ok, m = pcall(f, ...); assert(not ok); return m end
local function nested(n) if n == 0 then error("bottom", 0) end local ok, m = pcall(nested, n - 1); error(m .. n, 0) end

-- stack overflow of Lua functions, of C functions, of error handling; then all is well again
local function overflow(n) return 1 + overflow(n + 1) end
print((message(overflow, 1):gsub("%(.*", "")))
print((select(2, xpcall(overflow, function(m) return #m > 10 end, 1))))
local function cover() return (string.gsub("x", "x", cover)) end
print((message(cover):match("C stack overflow") or message(cover):match("stack overflow") or message(cover)))
print((message(function() local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end return t.x end):match("C stack overflow")))
print((tostring(select(2, xpcall(cover, function(m) return cover() end)))))
local function copcall() return pcall(copcall) end
print((copcall()))
print(pcall(string.match, ("a"):rep(250), ("a?"):rep(250) .. ("a"):rep(250)))
print(pcall(string.match, ("a"):rep(199), ("a?"):rep(199)))
print((message(function() local co = coroutine.wrap(function() end) local function r() return coroutine.wrap(r)() end return r() end):match("C stack overflow")))
print("still alive", pcall(nested, 2))
