// SPDX-License-Identifier: GPL-2.0-only
/* Runs a script in Lua as released, with its arguments in the global table arg: `main SCRIPT [ARG...]`. */
#include <stdio.h>

#include "lua.h"
#include "lauxlib.h"
#include "lualib.h"

int main(int argc, char **argv)
{
	lua_State *L = luaL_newstate();
	int i, failed;

	if (!L || argc < 2)
		return 2;
	luaL_openlibs(L);
	lua_newtable(L);
	for (i = 1; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i - 1);
	}
	lua_setglobal(L, "arg");
	failed = luaL_dofile(L, argv[1]);
	if (failed)
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	lua_close(L);
	return failed;
}
