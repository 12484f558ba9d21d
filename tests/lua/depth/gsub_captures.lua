-- SPDX-License-Identifier: GPL-2.0-only
-- gsub with captures and a growing buffer, nested: the fattest frame of the library.

local s = ("ab"):rep(200)
local function f() return (s:gsub("((a)(b))", function(x) f() return x end)) end
print(pcall(f))
