/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two files of the memory library share (memlib.c, mempack.c).
 */
#ifndef LUNATIK_MEMLIB_PARTS_H
#define LUNATIK_MEMLIB_PARTS_H

#include <stddef.h>

#include "lua.h"

#include "lauxlib.h"
#include "memlib.h"

#ifndef luai_poll
#define luai_poll(L)	((void)(L))
#define luai_room(L,size)	((void)(L))
#endif

/* Bytes looked at between two chances to break. */
#define STEP	65536

static inline lua_Integer lunatik_mem_opt_position(lua_State *L, int arg, lua_Integer def, size_t len)
{
	return lunatik_mem_position(luaL_optinteger(L, arg, def), len);
}

/* `bytes` at an offset that is below `len`, or the beginning: speculation, too, stays inside. */
static inline char *lunatik_mem_at(const char *bytes, size_t offset, size_t len)
{
	__asm__("" : "+r"(offset));
	return (char *)bytes + (offset & ~(size_t)((ptrdiff_t)(offset | (len - 1 - offset)) >> (sizeof(size_t) * 8 - 1)));
}

/* Where unpack reads, and what it says when that fails. */
struct lunatik_source {
	const char *(*bytes)(lua_State *L, int arg, size_t *len);	/* as they are now; may raise */
	const char *bad_position;
	const char *too_short;
	const char *string_too_short;
};

/* unpack(source, format [, position]), with the source at index 1. */
int lunatik_unpack_source(lua_State *L, const struct lunatik_source *source);

int lunatik_mem_pack(lua_State *L);
int lunatik_mem_unpack(lua_State *L);

#endif
