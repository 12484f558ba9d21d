// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes of a script for work outside of the state's lock (see bytes.h).
 *
 * A string never changes, a fixed memory never moves: they are used where they lie. Context: under the state's lock.
 */
#include <stddef.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "lapi.h"
#include "lobject.h"
#include "lstate.h"
#include "lstring.h"

#include "bytes.h"
#include "memlib.h"

int lunatik_bytes_are(lua_State *L, int arg)
{
	size_t len;

	return lua_type(L, arg) == LUA_TSTRING ||
	       (lua_type(L, arg) == LUA_TUSERDATA && lunatik_memory_tobytes(L, arg, &len) != NULL);
}

const char *lunatik_bytes_check(lua_State *L, int arg, size_t *len)
{
	const char *bytes;

	if (lua_type(L, arg) == LUA_TSTRING)
		return lua_tolstring(L, arg, len);
	bytes = lua_type(L, arg) == LUA_TUSERDATA ? lunatik_memory_tobytes(L, arg, len) : NULL;
	if (bytes == NULL) {
		/* As luaL_checktype says it. */
		luaL_checktype(L, arg, LUA_TSTRING);
		return NULL;
	}
	if (bytes == lua_touserdata(L, arg))
		return bytes;
	lua_pushlstring(L, bytes, *len);
	lua_replace(L, arg);
	return lua_tolstring(L, arg, len);
}

char *lunatik_bytes_new(lua_State *L, size_t len)
{
	TString *s = luaS_createlngstrobj(L, len);

	setsvalue2s(L, L->top, s);
	api_incr_top(L);
	luaC_checkGC(L);
	return getstr(s);
}
