-- SPDX-License-Identifier: GPL-2.0-only
-- coroutines that resume coroutines.

local function f() return coroutine.wrap(f)() end
print(pcall(f))
local function g() return coroutine.resume(coroutine.create(g)) end
print((pcall(g)))
local function h() return select(2, coroutine.resume(coroutine.create(function() return pcall(h) end))) end
print((pcall(h)))
