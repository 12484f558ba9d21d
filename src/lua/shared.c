// SPDX-License-Identifier: GPL-2.0-only
/*
 * lunatik.shared: counters that the interpreters of a state have in common (src/kapi/shared.c).
 *
 * A counter is a userdata that holds the address of the state's; it may be had again by its name at any time.
 * Context: under the interpreter's lock.
 */
#include "lua.h"

#include "lauxlib.h"
#include "shim.h"

#define COUNTER "lunatik.counter"

static struct lunatik_counter *check_counter(lua_State *L)
{
	return *(struct lunatik_counter **)luaL_checkudata(L, 1, COUNTER);
}

/* counter:add([n]): n is 1 if absent */
static int counter_add(lua_State *L)
{
	struct lunatik_counter *counter = check_counter(L);

	lunatik_counter_add(counter, lunatik_vm_of(L)->interpreter, luaL_optinteger(L, 2, 1));
	return 0;
}

/* counter:value() -> the sum over all interpreters */
static int counter_value(lua_State *L)
{
	lua_pushinteger(L, lunatik_counter_sum(check_counter(L)));
	return 1;
}

static int counter_tostring(lua_State *L)
{
	lua_pushfstring(L, "%I", (LUAI_UACINT)lunatik_counter_sum(check_counter(L)));
	return 1;
}

static const luaL_Reg methods[] = {
	{ "add", counter_add },
	{ "value", counter_value },
	{ "__tostring", counter_tostring },
	{ NULL, NULL },
};

/*
 * lunatik.shared(name) -> the counter of that name, which begins as 0; name: a string of 1 to 48 bytes. Raises "too many
 * shared counters" past 256 of them.
 */
int lunatik_shared(lua_State *L)
{
	size_t len;
	const char *name = luaL_checklstring(L, 1, &len);
	struct lunatik_counter **counter;
	int full;

	luaL_argcheck(L, len > 0 && len <= LUNATIK_COUNTER_NAME, 1, "a name has 1 to 48 bytes");
	counter = lua_newuserdata(L, sizeof(*counter));
	*counter = lunatik_shared_counter(lunatik_vm_of(L)->shared, name, len, &full);
	if (*counter == NULL)
		return luaL_error(L, full ? "too many shared counters" : "not enough memory");
	if (luaL_newmetatable(L, COUNTER)) {
		luaL_setfuncs(L, methods, 0);
		lua_pushvalue(L, -1);
		lua_setfield(L, -2, "__index");
	}
	lua_setmetatable(L, -2);
	return 1;
}
