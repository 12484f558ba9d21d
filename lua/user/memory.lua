-- SPDX-License-Identifier: GPL-2.0-only
-- memory: blocks of bytes; the library of this name in the kernel, for user space.

return require "lunatik.native".memory
