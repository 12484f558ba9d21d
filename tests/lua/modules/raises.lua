-- SPDX-License-Identifier: GPL-2.0-only
local function deep() error("on purpose") end
deep()
