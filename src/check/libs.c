// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's own libraries for scripts outside the kernel: what they would do there is noted, and arguments are checked in the same
 * words. Waiting takes no time, messages go nowhere, timers never fire; functions of netfilter.register are kept for capture.c.
 */
#include <stdlib.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "memlib.h"
#include "check.h"

#define MESSAGE_MAX	32768
#define COUNTER		"lunatik.counter"
#define COUNTERS	"lunatik.counters"

/* {=== lunatik, netlink ====================================================================== */

static int lunatik_name(lua_State *L)
{
	lua_pushstring(L, the_check.name);
	return 1;
}

static int lunatik_limits(lua_State *L)
{
	size_t peak;

	lua_pushinteger(L, (lua_Integer)the_check.maxalloc);
	lua_pushinteger(L, (lua_Integer)check_used(the_check.heap, &peak));
	return 2;
}

static int lunatik_atomic(lua_State *L)
{
	luaL_checkany(L, 1);
	check_bounded(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static int lunatik_replace(lua_State *L)
{
	(void)L;
	return 0;
}

/* The counter of a name; the same one each time. */
static int state_shared(lua_State *L)
{
	static int counters;
	size_t len;

	luaL_checklstring(L, 1, &len);
	luaL_argcheck(L, 1 <= len && len <= 48, 1, "a name has 1 to 48 bytes");
	lua_settop(L, 1);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, COUNTERS);
	lua_pushvalue(L, 1);
	if (lua_rawget(L, 2) == LUA_TUSERDATA)
		return 1;
	if (counters == 256)
		return luaL_error(L, "too many shared counters");
	*(lua_Integer *)lua_newuserdata(L, sizeof(lua_Integer)) = 0;
	luaL_setmetatable(L, COUNTER);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, -2);
	lua_rawset(L, 2);
	counters++;
	return 1;
}

static int counter_add(lua_State *L)
{
	lua_Integer *counter = luaL_checkudata(L, 1, COUNTER);

	*counter = (lua_Integer)((lua_Unsigned)*counter + (lua_Unsigned)luaL_optinteger(L, 2, 1));
	return 0;
}

static int counter_value(lua_State *L)
{
	lua_pushinteger(L, *(lua_Integer *)luaL_checkudata(L, 1, COUNTER));
	return 1;
}

static int counter_text(lua_State *L)
{
	counter_value(L);
	lua_tostring(L, -1);
	return 1;
}

static const luaL_Reg counter_methods[] = {
	{ "add", counter_add }, { "value", counter_value }, { "__tostring", counter_text }, { NULL, NULL },
};

/* A message: its size. */
static int message(lua_State *L, int arg)
{
	size_t len;

	luaL_checkany(L, arg);
	lunatik_memory_checkbytes(L, arg, &len);
	if (len == 0)
		return luaL_error(L, "empty message");
	if (len > MESSAGE_MAX)
		return luaL_error(L, "message too long");
	the_check.sends++;
	lua_pushinteger(L, (lua_Integer)len);
	return 1;
}

static int lunatik_send(lua_State *L)
{
	return message(L, 1);
}

static int netlink_send(lua_State *L)
{
	return message(L, lua_gettop(L) >= 3 ? 3 : 1);
}

static const luaL_Reg lunatik_functions[] = {
	{ "name", lunatik_name }, { "limits", lunatik_limits }, { "atomic", lunatik_atomic }, { "replace", lunatik_replace },
	{ "shared", state_shared }, { "send", lunatik_send }, { NULL, NULL },
};

static const luaL_Reg netlink_functions[] = { { "send", netlink_send }, { NULL, NULL } };

/* ============================================================================================ }
 * {=== timer ================================================================================= */

static lua_Number seconds(lua_State *L, int arg)
{
	lua_Number n = luaL_checknumber(L, arg);

	luaL_argcheck(L, n == n, arg, "not a time");
	return n > 0 ? n : 0;
}

static int timer_sleep(lua_State *L)
{
	lua_Number n = seconds(L, 1);

	if (!lua_isyieldable(L) || the_check.bounded > 0)
		return luaL_error(L, "cannot wait here");
	the_check.clock += n;
	return 0;
}

/* What a timer needs to be made: a function in the last place, which is kept as in the kernel. */
static int keep(lua_State *L, int times, int object)
{
	int i;

	for (i = 1; i <= times; i++)
		seconds(L, i);
	luaL_checktype(L, lua_gettop(L), LUA_TFUNCTION);
	the_check.timers++;
	if (object) {
		lua_newtable(L);
		lua_pushvalue(L, -1);
	} else {
		lua_pushinteger(L, the_check.timers);
		lua_pushvalue(L, -2);
	}
	luaL_ref(L, LUA_REGISTRYINDEX);
	return 1;
}

static int timer_create(lua_State *L) { return keep(L, 1, 1); }
static int timer_timeout(lua_State *L) { return keep(L, 1, 0); }
static int timer_loop(lua_State *L) { return keep(L, 2, 0); }

static int timer_close(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_pushboolean(L, 1);
	return 1;
}

static const luaL_Reg timer_functions[] = {
	{ "sleep", timer_sleep }, { "create", timer_create }, { "destroy", timer_close }, { "timeout", timer_timeout },
	{ "loop", timer_loop }, { "close", timer_close }, { NULL, NULL },
};

/* ============================================================================================ }
 * {=== netfilter ============================================================================= */

struct registered *registered;

/* A field of the table at 1, on the stack, as text. */
static const char *text_field(lua_State *L, const char *name, const char *const *values)
{
	const char *value;
	int i;

	if (lua_getfield(L, 1, name) == LUA_TNIL)
		luaL_error(L, "register: '%s' is missing", name);
	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "register: '%s' must be a string, not a %s", name, luaL_typename(L, -1));
	value = lua_tostring(L, -1);
	for (i = 0; values[i]; i++)
		if (strcmp(value, values[i]) == 0) {
			lua_pop(L, 1);
			return values[i];
		}
	luaL_error(L, "register: no %s '%s'", name, value);
	return NULL;
}

static int unregister(lua_State *L)
{
	struct registered *r = *(struct registered **)luaL_checkudata(L, 1, "netfilter.hook");

	lua_pushboolean(L, r->live);
	r->live = 0;
	return 1;
}

static int netfilter_register(lua_State *L)
{
	static const char *const families[] = { "ipv4", "ipv6", "inet", "bridge", "arp", "netdev", NULL };
	static const char *const hooks[] = { "prerouting", "input", "forward", "output", "postrouting", "ingress", "egress", NULL };
	static const char *const verdicts[] = { "accept", "drop", "queue", NULL };
	struct registered *r, **last;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	*(struct registered **)lua_newuserdata(L, sizeof(r)) = NULL;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return luaL_error(L, "not enough memory");
	*(struct registered **)lua_touserdata(L, 2) = r;
	strcpy(r->family, text_field(L, "family", families));
	strcpy(r->hook, text_field(L, "hook", hooks));
	r->onerror = text_field(L, "onerror", verdicts);
	if (lua_getfield(L, 1, "priority") != LUA_TNUMBER && lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "register: 'priority' is missing");
	if (lua_getfield(L, 1, "call") != LUA_TFUNCTION)
		luaL_error(L, "register: 'call' is missing");
	r->call = luaL_ref(L, LUA_REGISTRYINDEX);
	r->live = 1;
	lua_settop(L, 2);
	luaL_setmetatable(L, "netfilter.hook");
	for (last = &registered; *last; last = &(*last)->next)
		;
	*last = r;
	return 1;
}

static const luaL_Reg netfilter_functions[] = {
	{ "register", netfilter_register }, { "unregister", unregister }, { NULL, NULL },
};

static int open_netfilter(lua_State *L)
{
	luaL_newmetatable(L, "netfilter.hook");
	lua_pushcfunction(L, unregister);
	lua_setfield(L, -2, "remove");
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	luaL_newlib(L, netfilter_functions);
	return 1;
}

/* ============================================================================================ } */

int check_libs(lua_State *L)
{
	luaL_newmetatable(L, COUNTER);
	luaL_setfuncs(L, counter_methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	luaL_newlib(L, lunatik_functions);
	lua_setglobal(L, "lunatik");
	luaL_newlib(L, netlink_functions);
	lua_setglobal(L, "netlink");
	luaL_newlib(L, timer_functions);
	lua_setglobal(L, "timer");
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	lua_pushcfunction(L, open_netfilter);
	lua_setfield(L, -2, "netfilter");
	return 0;
}
