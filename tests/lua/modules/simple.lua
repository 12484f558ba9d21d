#!/usr/bin/lua
-- SPDX-License-Identifier: GPL-2.0-only
local name, file = ...
return {name = name, file = file, line = debug.getinfo(1, "l").currentline}
