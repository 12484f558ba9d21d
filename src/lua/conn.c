// SPDX-License-Identifier: GPL-2.0-only
/*
 * The conn library: connections, as the kernel's connection tracking sees them, in the words of NFLua.
 *
 * Context: under the state's lock. What is asked for lies in the state's network namespace, in its default zone.
 */
#include <stddef.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "packet.h"
#include "shim.h"

#define NO_DATA		61
#define NOT_SUPPORTED	95

static unsigned short check_port(lua_State *L, int arg, lua_Integer port)
{
	luaL_argcheck(L, 1 <= port && port <= 0xffff, arg, "invalid port");
	return (unsigned short)port;
}

static void check_address(lua_State *L, int arg, int family, unsigned char *bytes)
{
	size_t len;
	const char *text = lua_tolstring(L, arg, &len);

	luaL_argcheck(L, lunatik_address_parse(text, len, family == 6, bytes), arg, "failed to convert address to binary");
}

/* The arguments 1 to 6: first their types, then what they say. */
static void check_conn(lua_State *L, struct lunatik_conn *conn)
{
	static const char *const names[] = { "udp", "tcp", NULL };
	static const int numbers[] = { 17, 6 };
	lua_Integer family = luaL_checkinteger(L, 1), sport, dport;

	memset(conn, 0, sizeof(*conn));
	conn->protocol = numbers[luaL_checkoption(L, 2, NULL, names) & 1];
	luaL_checkstring(L, 3);
	sport = luaL_checkinteger(L, 4);
	luaL_checkstring(L, 5);
	dport = luaL_checkinteger(L, 6);
	luaL_argcheck(L, family == 4 || family == 6, 1, "unknown family");
	conn->family = (int)family;
	check_address(L, 3, conn->family, conn->saddr);
	check_address(L, 5, conn->family, conn->daddr);
	conn->sport = check_port(L, 4, sport);
	conn->dport = check_port(L, 6, dport);
}

static int failed(lua_State *L, int err)
{
	lua_pushnil(L);
	if (err == -NOT_SUPPORTED)
		lua_pushliteral(L, "connection tracking is not available");
	else if (err == -NO_DATA)
		lua_pushliteral(L, "counters not found");
	else
		lua_pushliteral(L, "connid entry not found");
	return 2;
}

/* conn.find(family, protocol, saddr, sport, daddr, dport) -> number, or nil and why not */
static int conn_find(lua_State *L)
{
	struct lunatik_conn conn;
	int err;

	check_conn(L, &conn);
	err = lunatik_conn_find(lunatik_vm_of(L)->netns, &conn, 0);
	if (err != 0)
		return failed(L, err);
	lua_pushinteger(L, conn.id);
	return 1;
}

/* conn.traffic(family, protocol, saddr, sport, daddr, dport, direction) -> packets and bytes, of one direction or of both */
static int conn_traffic(lua_State *L)
{
	static const char *const directions[] = { "original", "reply", "both", NULL };
	struct lunatik_conn conn;
	int dir, which = luaL_checkoption(L, 7, NULL, directions), err;

	check_conn(L, &conn);
	err = lunatik_conn_find(lunatik_vm_of(L)->netns, &conn, 1);
	if (err != 0)
		return failed(L, err);
	for (dir = 0; dir < 2; dir++) {
		if (which != 2 && which != dir)
			continue;
		lua_pushinteger(L, (lua_Integer)conn.packets[dir]);
		lua_pushinteger(L, (lua_Integer)conn.bytes[dir]);
	}
	return which == 2 ? 4 : 2;
}

static const luaL_Reg functions[] = {
	{ "find", conn_find },
	{ "traffic", conn_traffic },
	{ NULL, NULL },
};

int lunatik_open_conn(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}
