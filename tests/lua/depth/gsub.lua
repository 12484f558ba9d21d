-- SPDX-License-Identifier: GPL-2.0-only
-- gsub callbacks inside gsub callbacks.

local function f() return (("x"):gsub("x", f)) end
print(pcall(f))
