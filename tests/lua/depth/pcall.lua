-- SPDX-License-Identifier: GPL-2.0-only
-- pcall of pcall of pcall.

local function f(...) return pcall(f, ...) end
print(pcall(f))
local function g() local ok, m = pcall(g); return ok, m end
print(pcall(g))
local function h() return xpcall(h, debug.traceback) end
print((pcall(h)))
print(pcall(pcall, pcall, pcall, pcall, error))
