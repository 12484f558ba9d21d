// SPDX-License-Identifier: GPL-2.0-only
/*
 * print: as Lua 5.3's, by the global `tostring` and with tabs, but a line goes where lunatik_print_line takes it.
 *
 * Runs with the state's lock held.
 */
#include "lua.h"

#include "lauxlib.h"

int lunatik_print(lua_State *L)
{
	int n = lua_gettop(L), i;
	luaL_Buffer line;
	const char *text;
	size_t len;

	lua_getglobal(L, "tostring");
	lua_insert(L, 1);
	for (i = 2; i <= n + 1; i++) {
		lua_pushvalue(L, 1);
		lua_pushvalue(L, i);
		lua_call(L, 1, 1);
		if (lua_tostring(L, -1) == NULL)
			return luaL_error(L, "'tostring' must return a string to 'print'");
		lua_replace(L, i);
	}
	luaL_buffinit(L, &line);
	for (i = 2; i <= n + 1; i++) {
		if (i > 2)
			luaL_addchar(&line, '\t');
		lua_pushvalue(L, i);
		luaL_addvalue(&line);
	}
	luaL_pushresult(&line);
	text = lua_tolstring(L, -1, &len);
	lunatik_print_line(L, text, len);
	return 0;
}
