// SPDX-License-Identifier: GPL-2.0-only
/*
 * The packet object: its length, as `#pkt` and `pkt.len`.
 *
 * Context: under the state's lock, in a hook. A packet is lent for one callback; after it the object is closed.
 */
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "packet.h"

#define PACKET	"packet"
/* Of what this module does not support. */
#define NOT_SUPPORTED	95

struct packet {
	void *skb;	/* NULL when closed */
	const void *hook;
};

/* src/kapi/packet.c */
unsigned int lunatik_skb_len(const void *skb);

static struct packet *check(lua_State *L)
{
	struct packet *packet = luaL_checkudata(L, 1, PACKET);

	if (packet->skb == NULL)
		luaL_error(L, "packet closed");
	return packet;
}

static int len(lua_State *L)
{
	lua_pushinteger(L, lunatik_skb_len(check(L)->skb));
	return 1;
}

static int get(lua_State *L)
{
	struct packet *packet = check(L);

	if (strcmp(luaL_checkstring(L, 2), "len") != 0)
		return luaL_argerror(L, 2, lua_pushfstring(L, "no field '%s'", lua_tostring(L, 2)));
	lua_pushinteger(L, lunatik_skb_len(packet->skb));
	return 1;
}

int lunatik_open_packet(lua_State *L)
{
	static const luaL_Reg meta[] = { { "__index", get }, { "__len", len }, { NULL, NULL } };

	if (luaL_newmetatable(L, PACKET))
		luaL_setfuncs(L, meta, 0);
	lua_pop(L, 1);
	return 0;
}

void *lunatik_packet_new(lua_State *L, void *skb, const void *hook)
{
	struct packet *packet = lua_newuserdata(L, sizeof(*packet));

	packet->skb = skb;
	packet->hook = hook;
	luaL_setmetatable(L, PACKET);
	return packet;
}

void lunatik_packet_withdraw(void *handle)
{
	((struct packet *)handle)->skb = NULL;
}

int lunatik_packet_steal(void *handle)
{
	(void)handle;
	return -NOT_SUPPORTED;
}
