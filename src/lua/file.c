// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of modules: what lua/kernel/package.c asks for, as an operation that a coroutine waits for.
 *
 * A file is a userdata: the waiter, the operation, the result, the path. What was read lies outside of the
 * state's memory, until the file is closed or collected; a part of `totalmax` is taken for it. Scripts never
 * see it. Context: under the state's lock; the reading itself is done by src/kapi/readfile.c without.
 */
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "operation.h"
#include "package.h"
#include "readfile.h"
#include "shim.h"

#define FILE_TYPE	"lunatik.file"

static struct lunatik_readfile *top_file(lua_State *L)
{
	return lunatik_operation_data(lua_touserdata(L, -1));
}

static int collect(lua_State *L)
{
	lunatik_readfile_free(lunatik_operation_data(lua_touserdata(L, 1)));
	return 0;
}

void lunatik_file_read(lua_State *L, const char *path, int look, lua_KContext ctx, lua_KFunction k)
{
	struct lunatik_readfile *file;
	size_t len = strlen(path) + 1;

	luai_poll(L);
	if (!lunatik_operation_possible(L)) {
		/* The line that called, over require if need be. */
		luaL_where(L, 1);
		if (*lua_tostring(L, -1) == '\0')
			luaL_where(L, 2);
		lua_pushliteral(L, "cannot wait here");
		lua_concat(L, 2);
		lua_error(L);
	}
	file = lunatik_operation_push(L, sizeof(*file) + len, lunatik_readfile_run);
	memset(file, 0, sizeof(*file));
	file->look = look;
	memcpy(file->path, path, len);
	/* From here on there may be something to free. */
	if (luaL_newmetatable(L, FILE_TYPE)) {
		lua_pushcfunction(L, collect);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	lunatik_operation_wait(L, ctx, k);
}

enum lunatik_file_status lunatik_file_status(lua_State *L)
{
	return (enum lunatik_file_status)top_file(L)->status;
}

const char *lunatik_file_text(lua_State *L, size_t *len)
{
	*len = top_file(L)->len;
	return top_file(L)->text;
}

void lunatik_file_close(lua_State *L)
{
	lunatik_readfile_free(top_file(L));
}
