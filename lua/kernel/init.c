// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens the libraries of a new state: the standard ones of this port, then the module's own.
 *
 * It replaces linit.c of the distribution. io is missing by design. Runs in a protected call, with the
 * state's lock held or before anybody has it.
 */
#include "lua.h"

#include "lauxlib.h"
#include "lualib.h"

static const luaL_Reg standard[] = {
	{ "_G", luaopen_base },
	{ LUA_LOADLIBNAME, luaopen_package },
	{ LUA_COLIBNAME, luaopen_coroutine },
	{ LUA_TABLIBNAME, luaopen_table },
	{ LUA_OSLIBNAME, luaopen_os },
	{ LUA_STRLIBNAME, luaopen_string },
	{ LUA_UTF8LIBNAME, luaopen_utf8 },
	{ LUA_MATHLIBNAME, luaopen_math },
	{ LUA_DBLIBNAME, luaopen_debug },
	{ NULL, NULL },
};

void luaL_openlibs(lua_State *L)
{
	const struct lunatik_lib *own;
	const luaL_Reg *lib;

	for (lib = standard; lib->name != NULL; lib++) {
		luaL_requiref(L, lib->name, lib->func, 1);
		lua_pop(L, 1);
	}
	for (own = lunatik_libs; own->name != NULL; own++) {
		luaL_requiref(L, own->name, own->open, 1);
		lua_pop(L, 1);
	}
}
