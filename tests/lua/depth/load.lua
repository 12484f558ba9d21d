-- SPDX-License-Identifier: GPL-2.0-only
-- load inside load, from readers, and chunks that run chunks.

local function f(n) return load(function() f(n + 1) return nil end) end
print((pcall(f, 1)))
local function g() local r = load("local r = (...)() return r")(g) return r end
print((pcall(g)))
