// SPDX-License-Identifier: GPL-2.0-only
/*
 * New contexts: context.create, context.spawn, and how a context begins.
 *
 * What a context begins with is a letter: its file or its text, its creator's package.path, its arguments. The state is
 * made while its creator is in a break (lunatik_call_out); file and text are read by the new state itself, later, in its
 * work item, and messages come to it only after its script has ended or first waits. Context: under the state's lock.
 */
#include <string.h>

#include "lua.h"

#include "context.h"
#include "lauxlib.h"
#include "lualib.h"
#include "package.h"
#include "transfer.h"

#define MOST_ARGUMENTS	512
#define PIECE		512	/* the parser sees this much source between two breaks */

/* {=== the creator's side ===================================================================== */

struct creation {
	struct lunatik_vm *vm;
	struct lunatik_letter *letter;
	size_t limit;
	long long result;
};

/* On the task's own stack. */
static void create(void *arg)
{
	struct creation *creation = arg;

	creation->result = lunatik_context_create(creation->vm, creation->letter, creation->limit);
}

static int number_of(long long err)
{
	switch (err) {
	case -1:	/* EPERM: a state with several interpreters */
		return NUMBER_NOT_PERMITTED;
	case -12:	/* ENOMEM */
		return NUMBER_NO_MEMORY;
	case -16:	/* EBUSY: more than that is in use */
		return NUMBER_NO_MEMORY;
	case -22:	/* EINVAL: a limit too small */
		return NUMBER_INVALID;
	case -28:	/* ENOSPC: there are as many states as there may be */
		return NUMBER_NO_BUFFERS;
	case -36:	/* ENAMETOOLONG */
		return NUMBER_NAME_TOO_LONG;
	case -LUNATIK_TOO_LONG:
		return NUMBER_TOO_LONG;
	default:
		return NUMBER_CANCELLED;
	}
}

static int refuse(lua_State *L, int number)
{
	lua_pushnil(L);
	lua_pushinteger(L, number);
	return 2;
}

/* Pushes the creator's package.path, or nil. */
static void push_path(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	if (lua_getfield(L, -1, LUA_LOADLIBNAME) != LUA_TTABLE) {
		lua_pushnil(L);
	} else {
		lua_pushliteral(L, "path");
		lua_rawget(L, -2);
		if (lua_type(L, -1) != LUA_TSTRING)
			lua_pushnil(L);
	}
}

static int make_context(lua_State *L, int text)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct creation creation = { vm, NULL, vm->contexts->limit, 0 };
	int n = lua_gettop(L), i, err;

	if (n < 1)
		return luaL_error(L, "lua file is needed to initialize lua context");
	if (n > MOST_ARGUMENTS)
		return luaL_error(L, "too many arguments to initialize lua context");
	for (i = 1; i <= n; i++)
		luaL_checkstring(L, i);
	luai_poll(L);
	if (!lunatik_call_out(vm, NULL, NULL))
		return luaL_error(L, "cannot wait here");
	luaL_checkstack(L, 8, NULL);
	push_path(L);
	lua_insert(L, 1);
	lua_settop(L, n + 1);
	lua_pushboolean(L, text);
	lua_insert(L, 2);
	creation.letter = lunatik_letter_new(vm->queue, LUNATIK_LETTER_START, -1, 0);
	if (!creation.letter)
		return refuse(L, NUMBER_NO_MEMORY);
	err = lunatik_pack(L, 1, &creation.letter->parcel);
	if (err == 0 && !lunatik_call_out(vm, create, &creation)) {
		/* What runs was cancelled while that was packed. */
		lua_pushliteral(L, "cannot wait here");
		err = 1;
	}
	if (err) {
		lunatik_letter_free(creation.letter);
		return err == 1 ? lua_error(L) : refuse(L, number_of(err));
	}
	luai_poll(L);
	if (creation.result < 0)
		return refuse(L, number_of(creation.result));
	lua_pushinteger(L, creation.result);
	return 1;
}

/* context.create(file[, argument...]) -> handle, or nil and a number; the file lies below /lib/modules/lua */
int lunatik_context_file(lua_State *L)
{
	return make_context(L, 0);
}

/* context.spawn(text[, argument...]) -> the same, for a chunk given as text */
int lunatik_context_text(lua_State *L)
{
	return make_context(L, 1);
}

/*
 * context.limit([bytes]) -> the memory limit of contexts that this state creates from now on, as it was before; 0 stands
 * for the default
 */
int lunatik_context_limit(lua_State *L)
{
	struct lunatik_contexts *contexts = lunatik_vm_of(L)->contexts;
	lua_Integer before = (lua_Integer)contexts->limit;

	if (!lua_isnoneornil(L, 1)) {
		lua_Integer limit = luaL_checkinteger(L, 1);

		luaL_argcheck(L, limit >= 0, 1, "not a size");
		contexts->limit = (size_t)limit;
	}
	lua_pushinteger(L, before);
	return 1;
}

/* ============================================================================================ }
 * {=== how a context begins =================================================================== */

struct source {
	const char *text;
	size_t len;
};

static const char *read_piece(lua_State *L, void *data, size_t *size)
{
	struct source *source = data;
	const char *piece = source->text;

	luai_poll(L);
	*size = source->len < PIECE ? source->len : PIECE;
	source->text += *size;
	source->len -= *size;
	return piece;
}

/*
 * A context begins with this on its stack: 1 the message handler, 2 how its source is called, 3.. the arguments, `last`
 * of them all; then a string that the source is compiled under, and what holds the source.
 */

/* It does not begin: what is on top says why. */
static int does_not_begin(lua_State *L, int end)
{
	lua_pushfstring(L, "fail to initialize lua context %s, %s", lua_tostring(L, 2), lua_tostring(L, -1));
	lua_pushinteger(L, end);
	lua_insert(L, -2);
	return 2;
}

static int script_over(lua_State *L, int status, lua_KContext ctx)
{
	(void)ctx;
	return lunatik_callback_ended(L, status);
}

/* Pushes the compiled source, or an error; true when it is one. */
static int compile(lua_State *L, const char *text, size_t len, int last)
{
	struct source source = { text, len };

	/* A first line that begins with # is for the shell; its newline stays. */
	if (len > 0 && *text == '#') {
		while (source.len > 0 && *source.text != '\n') {
			source.text++;
			source.len--;
		}
	}
	return lua_load(L, read_piece, &source, lua_tostring(L, last + 1), "t");
}

/* Calls what compile pushed. */
static int run_compiled(lua_State *L, int status, int last)
{
	if (status != LUA_OK)
		return does_not_begin(L, status == LUA_ERRMEM ? LUNATIK_NOMEM :
					 status == LUA_ERRSYNTAX ? LUNATIK_SYNTAX : LUNATIK_RAISED);
	lua_insert(L, 3);
	lua_settop(L, last + 1);
	return script_over(L, lua_pcallk(L, last - 2, 0, 1, 0, script_over), 0);
}

static int run_file(lua_State *L, int status, lua_KContext ctx)
{
	static const char *const why[] = {
		[LUNATIK_FILE_ABSENT] = "no such file",
		[LUNATIK_FILE_IRREGULAR] = "not a regular file",
		[LUNATIK_FILE_LONG] = "the file is too long",
		[LUNATIK_FILE_NOMEM] = "not enough memory",
		[LUNATIK_FILE_BROKEN] = "the file cannot be read",
	};
	enum lunatik_file_status file = lunatik_file_status(L);
	int last = (int)ctx;
	const char *text;
	size_t len;

	if (file != LUNATIK_FILE_READ) {
		lua_pushstring(L, why[file]);
		return does_not_begin(L, LUNATIK_RAISED);
	}
	text = lunatik_file_text(L, &len);
	status = compile(L, text, len, last);
	lua_pushvalue(L, last + 2);
	lunatik_file_close(L);
	lua_pop(L, 1);
	return run_compiled(L, status, last);
}

/* The path of the file at index 2, as a chunk name; NULL when it would leave the folder. */
static const char *push_file(lua_State *L)
{
	static const char folder[] = LUNATIK_MODULES "/";
	const char *name = lua_tostring(L, 2), *path, *p;

	lua_pushfstring(L, "@%s%s", *name == '/' ? "" : folder, name);
	path = lua_tostring(L, -1) + 1;
	if (strncmp(path, folder, sizeof(folder) - 1) != 0)
		return NULL;
	for (p = strstr(path, "/.."); p != NULL; p = strstr(p + 1, "/.."))
		if (p[3] == '/' || p[3] == '\0')
			return NULL;
	return path;
}

static void set_path(lua_State *L, int path)
{
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_getfield(L, -1, LUA_LOADLIBNAME);
	lua_pushvalue(L, path);
	lua_setfield(L, -2, "path");
	lua_pop(L, 2);
}

/* (letter), which holds: the creator's package.path, whether the source is text, the source, arguments... */
static int run_start(lua_State *L)
{
	struct lunatik_letter *letter = lua_touserdata(L, 1);
	const char *path, *text;
	int is_text, last;
	size_t len;

	lua_settop(L, 0);
	lua_pushcfunction(L, lunatik_message_handler);
	lunatik_letter_values(L, letter);
	if (lua_type(L, 2) == LUA_TSTRING)
		set_path(L, 2);
	is_text = lua_toboolean(L, 3);
	lua_remove(L, 3);
	lua_remove(L, 2);
	last = lua_gettop(L);
	luaL_checkstack(L, 8, "too many arguments");
	if (is_text) {
		lua_pushfstring(L, "=%s/spawn", lunatik_vm_name(lunatik_vm_of(L)));
		lua_pushvalue(L, 2);
		lua_pushstring(L, lua_tostring(L, last + 1) + 1);
		lua_replace(L, 2);
		text = lua_tolstring(L, last + 2, &len);
		return run_compiled(L, compile(L, text, len, last), last);
	}
	path = push_file(L);
	if (path == NULL) {
		lua_pushliteral(L, "not below " LUNATIK_MODULES);
		return does_not_begin(L, LUNATIK_RAISED);
	}
	lunatik_file_read(L, path, 0, last, run_file);
	return run_file(L, LUA_OK, last);
}

void lunatik_start_run(lua_State *thread, struct lunatik_chunk *chunk, struct lunatik_letter *letter)
{
	lua_pushcfunction(thread, run_start);
	lua_pushlightuserdata(thread, letter);
	lunatik_take_outcome(thread, lua_resume(thread, NULL, 1), chunk);
}

/* ============================================================================================ } */
