// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only door between Rust and the Lua core.
 *
 * longjmp must never cross a Rust frame: whatever may raise is done here, in C functions under
 * lua_pcall, and Rust functions that Lua calls return what is to be done instead of doing it.
 * Context: under the state's lock, bottom halves off, on a side stack.
 */
#include <stddef.h>
#include <string.h>

#include "lua.h"
#include "lstate.h"
#include "lauxlib.h"
#include "lualib.h"
#include "memlib.h"
#include "shim.h"

/* The parser sees this much source between two chances to break. */
#define PIECE 512

/* {=== breaks ================================================================================ */

void lunatik_break(lua_State *L)
{
	static const char *const why[] = {
		[LUNATIK_SIGNAL] = "interrupted",
		[LUNATIK_CANCELLED] = "cancelled",
		[LUNATIK_OVERRUN] = "time budget exceeded",
		[LUNATIK_REPLACED] = "replaced",
	};
	int end;

	/* What must end polls again and again; its traceback is made all the same, and is short. */
	if (lunatik_vm_of(L)->handling)
		return;
	end = lunatik_slice_over(lunatik_vm_of(L));
	if (end == LUNATIK_GO_ON)
		return;
	/* The line that runs, or, in a C function, the one that called it. */
	luaL_where(L, 0);
	if (*lua_tostring(L, -1) == '\0')
		luaL_where(L, 1);
	lua_pushstring(L, why[end]);
	lua_concat(L, 2);
	lua_error(L);
}

/* ============================================================================================ }
 * {=== life of a state ======================================================================= */

static int open_state(lua_State *L)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);

	/* Nearly all that is made here stays. */
	lua_gc(L, LUA_GCSTOP, 0);
	luaL_openlibs(L);
	vm->aux = lua_newthread(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, vm->aux);
	lua_gc(L, LUA_GCRESTART, 0);
	return 0;
}

int lunatik_vm_open(struct lunatik_vm *vm, lua_Alloc alloc, void *ud)
{
	lua_State *L = lua_newstate(alloc, ud);

	if (L == NULL)
		return LUNATIK_NOMEM;
	*(struct lunatik_vm **)lua_getextraspace(L) = vm;
	lunatik_threadbits(L) = 0;
	vm->main = L;
	lua_pushcfunction(L, open_state);
	if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
		lunatik_vm_close(vm);
		return LUNATIK_NOMEM;
	}
	return 0;
}

void lunatik_vm_close(struct lunatik_vm *vm)
{
	lua_close(vm->main);
	vm->main = NULL;
	vm->aux = NULL;
	vm->spare = NULL;
}

static int new_thread(lua_State *L)
{
	lua_State *thread = lua_newthread(L);

	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, thread);
	return 1;
}

lua_State *lunatik_thread_new(struct lunatik_vm *vm)
{
	lua_State *thread = vm->spare;

	vm->spare = NULL;
	if (thread != NULL)
		return thread;
	lua_pushcfunction(vm->aux, new_thread);
	if (lua_pcall(vm->aux, 0, 1, 0) == LUA_OK)
		thread = lua_tothread(vm->aux, -1);
	lua_pop(vm->aux, 1);
	return thread;
}

/* True when a thread is nearly as a new one would be: its entry ended without error, left no hook, and was not deep. */
static int is_as_new(lua_State *thread)
{
	return lua_status(thread) == LUA_OK && lua_gethookmask(thread) == 0 && thread->ci == &thread->base_ci &&
	       thread->stacksize <= 4 * BASIC_STACK_SIZE && thread->nci <= 16;
}

void lunatik_thread_free(struct lunatik_vm *vm, lua_State *thread)
{
	if (vm->spare == NULL && is_as_new(thread)) {
		lua_settop(thread, 0);
		lunatik_threadbits(thread) = 0;
		vm->spare = thread;
		return;
	}
	/* The key exists, so this assignment allocates nothing and cannot raise. */
	lua_pushnil(vm->aux);
	lua_rawsetp(vm->aux, LUA_REGISTRYINDEX, thread);
}

int lunatik_forget(lua_State *L)
{
	return lunatik_vm_forget(lunatik_vm_of(L));
}

size_t lunatik_gcmark(lua_State *L)
{
	return lunatik_vm_limit(lunatik_vm_of(L)) / 4 * 3;
}

/* ============================================================================================ }
 * {=== chunks ================================================================================ */

static const char *read_piece(lua_State *L, void *data, size_t *size)
{
	struct lunatik_chunk *chunk = data;
	const char *piece = chunk->text + chunk->pos;
	size_t left = chunk->len - chunk->pos;

	luai_poll(L);
	*size = left < PIECE ? left : PIECE;
	chunk->pos += *size;
	return piece;
}

static int make_traceback(lua_State *L)
{
	luaL_traceback(L, L, lua_tostring(L, 1), 2);
	return 1;
}

/* Turns any error object into its message with a traceback; the standard interpreter's handler. */
int lunatik_message_handler(lua_State *L)
{
	const char *message = lua_tostring(L, 1);
	int status;

	if (message == NULL) {
		if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
			return 1;
		message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
	}
	lua_pushcfunction(L, make_traceback);
	lua_pushstring(L, message);
	lunatik_vm_of(L)->handling = 1;
	status = lua_pcall(L, 1, 1, 0);
	lunatik_vm_of(L)->handling = 0;
	/* Without memory for a traceback the message alone. */
	if (status != LUA_OK)
		lua_settop(L, 1);
	return 1;
}

/* Replaces the values from index `first` on by one string: each as tostring gives it, tabs between. */
static void join_results(lua_State *L, int first)
{
	int last = lua_gettop(L);
	luaL_Buffer joined;
	int i;

	luaL_checkstack(L, 4, "too many results");
	for (i = first; i <= last; i++) {
		luaL_tolstring(L, i, NULL);
		lua_replace(L, i);
	}
	luaL_buffinit(L, &joined);
	for (i = first; i <= last; i++) {
		if (i > first)
			luaL_addchar(&joined, '\t');
		lua_pushvalue(L, i);
		luaL_addvalue(&joined);
	}
	luaL_pushresult(&joined);
}

/*
 * Every entry's function returns two values: its end, and the text of its results or its error. It may
 * wait, and goes on in a continuation, so it keeps nothing but on the Lua stack; the message handler is
 * always at index 1.
 */
static int ended(lua_State *L, int status, lua_KContext chunk)
{
	int end = LUNATIK_DONE;

	if (status != LUA_OK && status != LUA_YIELD)
		end = status == LUA_ERRMEM ? LUNATIK_NOMEM : LUNATIK_RAISED;
	else if (chunk && lua_gettop(L) > 1)
		join_results(L, 2);
	else
		lua_pushliteral(L, "");
	lua_pushinteger(L, end);
	lua_insert(L, -2);
	return 2;
}

static int run_chunk(lua_State *L)
{
	struct lunatik_chunk *chunk = lua_touserdata(L, 1);
	int status;

	lua_settop(L, 0);
	lua_pushcfunction(L, lunatik_message_handler);
	status = lua_load(L, read_piece, chunk, chunk->name, "t");
	if (status != LUA_OK) {
		/* What ends an entry may do so in the parser. */
		lua_pushinteger(L, status == LUA_ERRMEM ? LUNATIK_NOMEM :
				   status == LUA_ERRSYNTAX ? LUNATIK_SYNTAX : LUNATIK_RAISED);
		lua_insert(L, -2);
		return 2;
	}
	return ended(L, lua_pcallk(L, 0, LUA_MULTRET, 1, 1, ended), 1);
}

int lunatik_callback_ended(lua_State *L, int status)
{
	return ended(L, status, 0);
}

static int run_callback(lua_State *L)
{
	int narg = lua_gettop(L) - 1;

	lua_pushcfunction(L, lunatik_message_handler);
	lua_insert(L, 1);
	return ended(L, lua_pcallk(L, narg, 0, 1, 0, ended), 0);
}

/* Takes the outcome off a thread that ended with `status`. */
void lunatik_take_outcome(lua_State *thread, int status, struct lunatik_chunk *chunk)
{
	struct lunatik_vm *vm = lunatik_vm_of(thread);

	if (status == LUA_YIELD) {
		/* Nobody but lunatik_wait yields here: see co_yield. */
		vm->waiting = NULL;
		chunk->end = LUNATIK_WAITS;
		chunk->result_len = 0;
		return;
	}
	/* Only the conversion of results raises outside of the entry function's own protection. */
	if (status != LUA_OK)
		chunk->end = status == LUA_ERRMEM ? LUNATIK_NOMEM : LUNATIK_RAISED;
	else
		chunk->end = (int)lua_tointeger(thread, -2);
	chunk->result = "(error object is not a string)";
	chunk->result_len = strlen(chunk->result);
	if (lua_type(thread, -1) == LUA_TSTRING)
		chunk->result = lua_tolstring(thread, -1, &chunk->result_len);
}

int lunatik_thread_withdrawn(lua_State *thread)
{
	return (lunatik_threadbits(thread) & LUNATIK_WITHDRAWN) != 0;
}

void lunatik_thread_top(lua_State *thread, unsigned int mark)
{
	lunatik_threadbits(thread) |= LUNATIK_TOP | (unsigned long)mark << 32;
}

void lunatik_chunk_run(lua_State *thread, struct lunatik_chunk *chunk, int may_wait)
{
	if (chunk->staged)
		lunatik_generation_begin(thread);
	lua_pushcfunction(thread, run_chunk);
	lua_pushlightuserdata(thread, chunk);
	if (may_wait)
		lunatik_take_outcome(thread, lua_resume(thread, NULL, 1), chunk);
	else
		lunatik_take_outcome(thread, lua_pcall(thread, 1, 2, 0), chunk);
	if (chunk->end != LUNATIK_DONE && chunk->end != LUNATIK_WAITS)
		lunatik_generation_end(thread, 0);
	else if (chunk->staged > 1)
		lunatik_generation_hold(thread);
	else
		lunatik_generation_end(thread, 1);
}

void lunatik_chunk_resume(lua_State *thread, struct lunatik_chunk *chunk)
{
	lunatik_take_outcome(thread, lua_resume(thread, NULL, 0), chunk);
}

void lunatik_chunk_call(lua_State *thread, struct lunatik_chunk *chunk)
{
	int n = lua_gettop(thread);

	lua_pushcfunction(thread, run_callback);
	lua_insert(thread, 1);
	lunatik_take_outcome(thread, lua_resume(thread, NULL, n), chunk);
}

static int collect_all(lua_State *L)
{
	int start = lua_gc(L, LUA_GCCYCLES, 0);
	int done = lua_gc(L, LUA_GCFULLBEGIN, start);

	while (!done) {
		luai_poll(L);
		done = lua_gc(L, LUA_GCFULLPART, start);
	}
	return 0;
}

void lunatik_collect(lua_State *thread)
{
	lua_pushcfunction(thread, collect_all);
	/* An error of a finalizer is nobody's here. */
	lua_pcall(thread, 0, 0, 0);
}

/* ============================================================================================ }
 * {=== print and the lunatik library ========================================================= */

/* What print prints goes to the kernel log. */
void lunatik_print_line(lua_State *L, const char *text, size_t len)
{
	do {
		size_t piece = len < LUNATIK_PRINT_PIECE ? len : LUNATIK_PRINT_PIECE;

		while (lunatik_print_text(lunatik_vm_of(L), text, piece))
			lunatik_break(L);
		text += piece;
		len -= piece;
	} while (len > 0);
}

/* lunatik.name() -> the state's name. */
static int lunatik_name(lua_State *L)
{
	lua_pushstring(L, lunatik_vm_name(lunatik_vm_of(L)));
	return 1;
}

/* lunatik.limits() -> maxalloc, curralloc, in bytes. */
static int lunatik_limits(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)lunatik_vm_limit(lunatik_vm_of(L)));
	lua_pushinteger(L, (lua_Integer)lunatik_vm_used(lunatik_vm_of(L)));
	return 2;
}

/*
 * lunatik.atomic(f, ...) -> what f returns: nothing else runs in this state until f has returned,
 * and f has the time budget of a hook.
 */
static int lunatik_atomic(lua_State *L)
{
	luaL_checkany(L, 1);
	/* An error puts the count back where it is caught. */
	lunatik_vm_of(L)->ext.nobreak++;
	lunatik_vm_of(L)->ext.sections++;
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	lunatik_vm_of(L)->ext.nobreak--;
	return lua_gettop(L);
}

/* lunatik.interpreter() -> which one of the state's this is, from 1 on, and how many there are. */
static int lunatik_interpreter(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)lunatik_vm_of(L)->interpreter + 1);
	lua_pushinteger(L, lunatik_vm_of(L)->interpreters);
	return 2;
}

static const luaL_Reg lunatik_functions[] = {
	{ "name", lunatik_name },
	{ "limits", lunatik_limits },
	{ "atomic", lunatik_atomic },
	{ "replace", lunatik_replace },
	{ "send", lunatik_send },
	{ "shared", lunatik_shared },
	{ "interpreter", lunatik_interpreter },
	{ NULL, NULL },
};

static int open_lunatik(lua_State *L)
{
	luaL_newlib(L, lunatik_functions);
	return 1;
}

const struct lunatik_lib lunatik_libs[] = {
	{ "lunatik", open_lunatik },
	{ "netlink", lunatik_open_netlink },
	{ "memory", lunatik_open_memory },
	{ "timer", lunatik_open_timer },
	{ NULL, NULL },
};

/* ============================================================================================ } */
