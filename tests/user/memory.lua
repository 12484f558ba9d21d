-- SPDX-License-Identifier: GPL-2.0-only
-- The user-space `memory` passes what the kernel's passes. usage: memory.lua SELFTESTS/scripts/memory.lua

memory = require "memory"
dofile(arg[1])
