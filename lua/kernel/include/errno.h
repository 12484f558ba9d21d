/* SPDX-License-Identifier: GPL-2.0-only */
/* Nothing sets errno; Lua includes the header for the file functions that are left out. */
#ifndef LUNATIK_INC_ERRNO_H
#define LUNATIK_INC_ERRNO_H



#endif
