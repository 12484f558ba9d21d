// SPDX-License-Identifier: GPL-2.0-only
/*
 * The package library: require and package, over the files below LUNATIK_MODULES.
 *
 * It replaces loadlib.c of the distribution; libraries in C are missing by design. Reading a file waits, so
 * require and what it calls are chains of continuations, and keep what they need on the Lua stack alone. A
 * module that is loaded, or has a loader in package.preload, needs no wait. Runs with the state's lock held.
 */
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "lualib.h"
#include "package.h"

#define DEFAULT_PATH	LUNATIK_MODULES "/?.lua;" LUNATIK_MODULES "/?/init.lua"
/* A module that requires itself, over others or not, is looked for so many calls up. */
#define LOOP_LEVELS	100

/* {=== files ================================================================================= */

/* True for a path that cannot leave the folder. */
static int is_below(const char *path)
{
	static const char folder[] = LUNATIK_MODULES "/";
	const char *p;

	if (strncmp(path, folder, sizeof(folder) - 1) != 0)
		return 0;
	for (p = strstr(path, "/.."); p != NULL; p = strstr(p + 1, "/.."))
		if (p[3] == '/' || p[3] == '\0')
			return 0;
	return 1;
}

/* Appends the string on top to the table of lines at index 4. */
static void add_line(lua_State *L)
{
	lua_rawseti(L, 4, (lua_Integer)lua_rawlen(L, 4) + 1);
}

/* Pushes all lines as one string. */
static void push_lines(lua_State *L)
{
	int n = (int)lua_rawlen(L, 4), i;
	luaL_Buffer all;

	luaL_buffinit(L, &all);
	for (i = 1; i <= n; i++) {
		lua_rawgeti(L, 4, i);
		luaL_addvalue(&all);
	}
	luaL_pushresult(&all);
}

/*
 * A search has at index 1 the module's name, 2 the path, 3 what replaces `?`, 4 the table of lines, 5 the
 * file's name, 6 the file. This gets the next file at or after offset `at` of the path and returns the offset
 * where to go on, 0 when there was none; a wait goes on in `k`.
 */
static lua_KContext next_file(lua_State *L, lua_KContext at, int look, lua_KFunction k)
{
	const char *path = lua_tostring(L, 2);

	for (;;) {
		const char *from, *to, *name;

		luai_poll(L);
		from = path + at;
		from += strspn(from, ";");
		if (*from == '\0')
			return 0;
		to = strchr(from, ';');
		if (to == NULL)
			to = from + strlen(from);
		at = to - path;
		lua_settop(L, 4);
		lua_pushlstring(L, from, (size_t)(to - from));
		name = luaL_gsub(L, lua_tostring(L, 5), "?", lua_tostring(L, 3));
		lua_replace(L, 5);
		if (is_below(name))
			break;
		lua_pushfstring(L, "\n\tno file '%s' (not below " LUNATIK_MODULES ")", name);
		add_line(L);
	}
	lunatik_file_read(L, lua_tostring(L, 5), look, at, k);
	return at;
}

static void add_absent(lua_State *L)
{
	lua_pushfstring(L, "\n\tno file '%s'", lua_tostring(L, 5));
	add_line(L);
}

static int look_for_file(lua_State *L, int status, lua_KContext at)
{
	(void)status;
	while (at == 0 || lunatik_file_status(L) != LUNATIK_FILE_READ) {
		if (at != 0)
			add_absent(L);
		at = next_file(L, at, 1, look_for_file);
		if (at == 0) {
			lua_pushnil(L);
			push_lines(L);
			return 2;
		}
	}
	lua_settop(L, 5);
	return 1;
}

/* package.searchpath(name, path [, sep [, rep]]) -> file name, or nil and a message */
static int search_path(lua_State *L)
{
	const char *sep, *rep;

	luaL_checkstring(L, 1);
	luaL_checkstring(L, 2);
	sep = luaL_optstring(L, 3, ".");
	rep = luaL_optstring(L, 4, "/");
	lua_settop(L, 4);
	if (*sep != '\0')
		luaL_gsub(L, lua_tostring(L, 1), sep, rep);
	else
		lua_pushvalue(L, 1);
	lua_replace(L, 3);
	lua_settop(L, 3);
	lua_newtable(L);
	return look_for_file(L, LUA_OK, 0);
}

/* ============================================================================================ }
 * {=== searchers ============================================================================= */

struct source {
	const char *text;
	size_t len;
};

static const char *read_piece(lua_State *L, void *data, size_t *size)
{
	struct source *source = data;
	const char *piece = source->text;

	luai_poll(L);
	*size = source->len < LUAI_LOADPIECE ? source->len : LUAI_LOADPIECE;
	source->text += *size;
	source->len -= *size;
	return piece;
}

/* As luaL_loadfilex: leaves out a byte order mark and, but for its newline, a first line that begins with #. */
static void skip_first(struct source *source)
{
	const char *text = source->text, *end = text + source->len;

	if (source->len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	if (text < end && *text == '#')
		while (text < end && *text != '\n')
			text++;
	source->text = text;
	source->len = (size_t)(end - text);
}

static int load_error(lua_State *L, const char *message)
{
	return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s", lua_tostring(L, 1), lua_tostring(L, 5),
			  message);
}

static int load_file(lua_State *L, int status, lua_KContext at)
{
	static const char *const why[] = {
		[LUNATIK_FILE_IRREGULAR] = "not a regular file",
		[LUNATIK_FILE_LONG] = "the file is too long",
		[LUNATIK_FILE_NOMEM] = "not enough memory",
		[LUNATIK_FILE_BROKEN] = "the file cannot be read",
	};
	struct source source;

	while (at == 0 || lunatik_file_status(L) == LUNATIK_FILE_ABSENT) {
		if (at != 0)
			add_absent(L);
		at = next_file(L, at, 0, load_file);
		if (at == 0) {
			push_lines(L);
			return 1;
		}
	}
	if (lunatik_file_status(L) != LUNATIK_FILE_READ)
		return load_error(L, why[lunatik_file_status(L)]);
	source.text = lunatik_file_text(L, &source.len);
	skip_first(&source);
	lua_pushfstring(L, "@%s", lua_tostring(L, 5));
	lua_insert(L, 6);
	status = lua_load(L, read_piece, &source, lua_tostring(L, 6), "t");
	lua_insert(L, 6);
	lua_settop(L, 8);
	lunatik_file_close(L);
	if (status != LUA_OK)
		return load_error(L, lua_tostring(L, 6));
	lua_settop(L, 6);
	lua_pushvalue(L, 5);
	return 2;
}

/* Lua files: a loader and the file's name, or what was tried */
static int search_files(lua_State *L)
{
	luaL_checkstring(L, 1);
	lua_settop(L, 1);
	lua_getfield(L, lua_upvalueindex(1), "path");
	if (lua_tostring(L, 2) == NULL)
		return luaL_error(L, "'package.path' must be a string");
	luaL_gsub(L, lua_tostring(L, 1), ".", "/");
	lua_newtable(L);
	return load_file(L, LUA_OK, 0);
}

/* What package.preload has, or else the module's own library of that name. */
static int search_preload(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	const struct lunatik_lib *own;

	lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	if (lua_getfield(L, -1, name) != LUA_TNIL)
		return 1;
	for (own = lunatik_preloads; own->name != NULL; own++) {
		if (strcmp(own->name, name) == 0) {
			lua_pushcfunction(L, own->open);
			return 1;
		}
	}
	lua_pushfstring(L, "\n\tno field package.preload['%s']", name);
	return 1;
}

/* ============================================================================================ }
 * {=== require =============================================================================== */

static int require(lua_State *L);

/* Without a look at who called, a loop would only end with the memory: after a wait, no C call is nested. */
static void refuse_loop(lua_State *L)
{
	lua_Debug frame;
	int level, same;

	for (level = 1; level <= LOOP_LEVELS && lua_getstack(L, level, &frame); level++) {
		lua_getinfo(L, "f", &frame);
		same = lua_tocfunction(L, -1) == require;
		lua_pop(L, 1);
		if (!same || lua_getlocal(L, &frame, 1) == NULL)
			continue;
		if (lua_rawequal(L, 1, -1))
			luaL_error(L, "module '%s' requires itself", lua_tostring(L, 1));
		lua_pop(L, 1);
	}
}

/* The loader has returned; require has at index 1 the name, 2 package.loaded. */
static int has_loaded(lua_State *L, int status, lua_KContext ctx)
{
	const char *name = lua_tostring(L, 1);

	(void)status;
	(void)ctx;
	if (!lua_isnil(L, -1))
		lua_setfield(L, 2, name);
	if (lua_getfield(L, 2, name) == LUA_TNIL) {
		lua_pushboolean(L, 1);
		lua_pushvalue(L, -1);
		lua_setfield(L, 2, name);
	}
	return 1;
}

/* Asks one searcher after another; at index 3 package.searchers, 4 the table of lines; `n` have answered. */
static int ask_searchers(lua_State *L, int status, lua_KContext n)
{
	const char *name = lua_tostring(L, 1);

	(void)status;
	for (; n == 0 || !lua_isfunction(L, 5); n++) {
		if (n > 0 && lua_isstring(L, 5)) {
			lua_settop(L, 5);
			add_line(L);
		}
		lua_settop(L, 4);
		if (lua_rawgeti(L, 3, n + 1) == LUA_TNIL) {
			push_lines(L);
			return luaL_error(L, "module '%s' not found:%s", name, lua_tostring(L, -1));
		}
		lua_pushvalue(L, 1);
		lua_callk(L, 1, 2, n + 1, ask_searchers);
	}
	/* While this one waited, another may have loaded the module. */
	lua_getfield(L, 2, name);
	if (lua_toboolean(L, -1))
		return 1;
	lua_settop(L, 6);
	lua_pushvalue(L, 1);
	lua_insert(L, 6);
	lua_callk(L, 2, 1, 0, has_loaded);
	return has_loaded(L, LUA_OK, 0);
}

/* require(name) -> the module */
static int require(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	lua_settop(L, 1);
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_getfield(L, 2, name);
	if (lua_toboolean(L, -1))
		return 1;
	lua_pop(L, 1);
	refuse_loop(L);
	if (lua_getfield(L, lua_upvalueindex(1), "searchers") != LUA_TTABLE)
		return luaL_error(L, "'package.searchers' must be a table");
	lua_newtable(L);
	return ask_searchers(L, LUA_OK, 0);
}

/* ============================================================================================ } */

static const luaL_Reg functions[] = {
	{ "searchpath", search_path },
	{ "config", NULL },
	{ "loaded", NULL },
	{ "path", NULL },
	{ "preload", NULL },
	{ "searchers", NULL },
	{ NULL, NULL },
};

static const lua_CFunction searchers[] = { search_preload, search_files };

int luaopen_package(lua_State *L)
{
	int i, n = (int)(sizeof(searchers) / sizeof(searchers[0]));

	luaL_newlib(L, functions);
	lua_createtable(L, n, 0);
	for (i = 0; i < n; i++) {
		lua_pushvalue(L, -2);
		lua_pushcclosure(L, searchers[i], 1);
		lua_rawseti(L, -2, i + 1);
	}
	lua_setfield(L, -2, "searchers");
	lua_pushliteral(L, DEFAULT_PATH);
	lua_setfield(L, -2, "path");
	lua_pushliteral(L, "/\n;\n?\n!\n-\n");
	lua_setfield(L, -2, "config");
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_setfield(L, -2, "loaded");
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	lua_setfield(L, -2, "preload");
	lua_pushvalue(L, -1);
	lua_pushcclosure(L, require, 1);
	lua_setglobal(L, "require");
	return 1;
}
