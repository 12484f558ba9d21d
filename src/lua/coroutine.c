// SPDX-License-Identifier: GPL-2.0-only
/*
 * The coroutine library: Lua 5.3's, and waits pass through it.
 *
 * A function that waits yields to the executor from wherever it was called: lunatik_wait marks that
 * yield, and every resume or wrap on the way out yields again, with a continuation that hands the
 * results back in. To the user's code nothing happened: a coroutine that waits is neither suspended
 * nor dead, and cannot be resumed. The thread an entry begins with is no coroutine to the user.
 *
 * It replaces lcorolib.c. Context: under the state's lock.
 */
#include "lua.h"

#include "lauxlib.h"
#include "lualib.h"
#include "shim.h"

/* True when a wait would reach the executor from here. */
int lunatik_may_wait(lua_State *L)
{
	return lua_isyieldable(L) && !(lunatik_threadbits(L) & LUNATIK_NOWAIT);
}

/* Yields to the executor; what it resumes with arrives in `k`. To be returned from a C function. */
int lunatik_wait(lua_State *L, lua_KContext ctx, lua_KFunction k)
{
	lunatik_vm_of(L)->waiting = L;
	lunatik_threadbits(L) |= LUNATIK_WAITING;
	return lua_yieldk(L, 0, ctx, k);
}

static lua_State *check_coroutine(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);

	luaL_argcheck(L, co, 1, "thread expected");
	return co;
}

/* Moves what `co` was left with; the number of results, or -1 with the error on top. */
static int take_results(lua_State *L, lua_State *co, int status)
{
	int n;

	if (status != LUA_OK && status != LUA_YIELD) {
		lua_xmove(co, L, 1);
		return -1;
	}
	n = lua_gettop(co);
	if (!lua_checkstack(L, n + 1)) {
		lua_pop(co, n);
		lua_pushliteral(L, "too many results to resume");
		return -1;
	}
	lua_xmove(co, L, n);
	return n;
}

/* Resumes `co` with the top `narg` values; passes a wait on outwards. */
static int step(lua_State *L, lua_State *co, int narg, lua_KFunction k)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	int status;

	if (!lua_checkstack(co, narg)) {
		lua_pushliteral(L, "too many arguments to resume");
		return -1;
	}
	lua_xmove(L, co, narg);
	status = lua_resume(co, L, narg);
	if (status == LUA_YIELD && vm->waiting == co)
		return lunatik_wait(L, lua_gettop(L), k);
	return take_results(L, co, status);
}

static int begin(lua_State *L, lua_State *co, int narg, lua_KFunction k)
{
	if (lunatik_threadbits(co) & (LUNATIK_WAITING | LUNATIK_TOP)) {
		lua_pushliteral(L, "cannot resume non-suspended coroutine");
		return -1;
	}
	if (lua_status(co) == LUA_OK && lua_gettop(co) == 0) {
		lua_pushliteral(L, "cannot resume dead coroutine");
		return -1;
	}
	/* Whether a wait in it reaches the executor depends on who resumes it. */
	lunatik_threadbits(co) &= ~LUNATIK_NOWAIT;
	if (!lunatik_may_wait(L))
		lunatik_threadbits(co) |= LUNATIK_NOWAIT;
	return step(L, co, narg, k);
}

static int end_resume(lua_State *L, int n)
{
	lua_pushboolean(L, n >= 0);
	if (n < 0)
		n = 1;
	lua_insert(L, -(n + 1));
	return n + 1;
}

/* The wait is over: what the executor brings goes in to `co`. */
static int go_on_resume(lua_State *L, int status, lua_KContext ctx)
{
	(void)status;
	lunatik_threadbits(L) &= ~LUNATIK_WAITING;
	return end_resume(L, step(L, lua_tothread(L, 1), lua_gettop(L) - (int)ctx, go_on_resume));
}

static int co_resume(lua_State *L)
{
	lua_State *co = check_coroutine(L);

	return end_resume(L, begin(L, co, lua_gettop(L) - 1, go_on_resume));
}

static int end_wrap(lua_State *L, int n)
{
	if (n >= 0)
		return n;
	luai_poll(L);
	if (lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

static int go_on_wrap(lua_State *L, int status, lua_KContext ctx)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));

	(void)status;
	lunatik_threadbits(L) &= ~LUNATIK_WAITING;
	return end_wrap(L, step(L, co, lua_gettop(L) - (int)ctx, go_on_wrap));
}

static int call_wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));

	return end_wrap(L, begin(L, co, lua_gettop(L), go_on_wrap));
}

static int co_create(lua_State *L)
{
	lua_State *co;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	return 1;
}

static int co_wrap(lua_State *L)
{
	co_create(L);
	lua_pushcclosure(L, call_wrapped, 1);
	return 1;
}

static int co_yield(lua_State *L)
{
	if (lunatik_threadbits(L) & LUNATIK_TOP)
		return luaL_error(L, "attempt to yield from outside a coroutine");
	return lua_yield(L, lua_gettop(L));
}

static const char *status_of(lua_State *L, lua_State *co)
{
	lua_Debug frame;

	if (L == co)
		return "running";
	if (lunatik_threadbits(co) & LUNATIK_WAITING)
		return "normal";
	switch (lua_status(co)) {
	case LUA_YIELD:
		return "suspended";
	case LUA_OK:
		if (lua_getstack(co, 0, &frame) > 0)
			return "normal";
		return lua_gettop(co) == 0 ? "dead" : "suspended";
	default:
		return "dead";
	}
}

static int co_status(lua_State *L)
{
	lua_pushstring(L, status_of(L, check_coroutine(L)));
	return 1;
}

static int co_isyieldable(lua_State *L)
{
	lua_pushboolean(L, lua_isyieldable(L) && !(lunatik_threadbits(L) & LUNATIK_TOP));
	return 1;
}

static int co_running(lua_State *L)
{
	lua_pushthread(L);
	lua_pushboolean(L, (lunatik_threadbits(L) & LUNATIK_TOP) != 0);
	return 2;
}

static const luaL_Reg functions[] = {
	{ "create", co_create },
	{ "isyieldable", co_isyieldable },
	{ "resume", co_resume },
	{ "running", co_running },
	{ "status", co_status },
	{ "wrap", co_wrap },
	{ "yield", co_yield },
	{ NULL, NULL },
};

int luaopen_coroutine(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}
