// SPDX-License-Identifier: GPL-2.0-only
/*
 * The methods of packets, in the words of NFLua: frame, unpack, copybytes, connid, close, send, tcpreply; and set.
 *
 * Context: under the state's lock; a stolen packet's also between breaks, so that after one everything is looked up anew.
 * Sending happens without the lock, on the task's own stack where that is possible, else in the store's work item.
 */
#include <stddef.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "memlib.h"
#include "memlib_parts.h"
#include "packet.h"
#include "packet_parts.h"
#include "shim.h"

/* The errno values that are interface here. */
#define BUSY		16
#define INVALID		22
#define NET_DOWN	100

static int failed(lua_State *L, const char *why)
{
	lua_pushnil(L);
	lua_pushstring(L, why);
	return 2;
}

static struct lunatik_packet *check_stolen(lua_State *L)
{
	struct lunatik_packet *p = lunatik_packet_self(L);

	if (p->stolen == NULL)
		luaL_error(L, "packet must be stolen");
	return p;
}

/*
 * The bytes at `arg` of what is to be written into a packet. A memory is copied to a string first: it may be the frame of
 * that packet, which is moved to make room.
 */
static const char *bytes_to_write(lua_State *L, int arg, size_t *len)
{
	const char *bytes = lunatik_memory_checkbytes(L, arg, len);

	if (lua_type(L, arg) == LUA_TUSERDATA) {
		lua_pushlstring(L, bytes, *len);
		lua_replace(L, arg);
		bytes = lua_tolstring(L, arg, len);
	}
	return bytes;
}

/* pkt:close() -> true */
static int packet_close(lua_State *L)
{
	struct lunatik_packet *p = check_stolen(L);

	lunatik_stolen_drop(p);
	lunatik_packet_forget(p);
	lua_pushboolean(L, 1);
	return 1;
}

/* pkt:connid() -> number, 0 without a connection */
static int packet_connid(lua_State *L)
{
	lua_pushinteger(L, lunatik_packet_connid(lunatik_packet_self(L)));
	return 1;
}

/* pkt:frame() -> memory */
static int packet_frame(lua_State *L)
{
	struct lunatik_packet *p = lunatik_packet_self(L);
	unsigned char *bytes;
	size_t len;
	void *frame;
	int err;

	if (p->frame != NULL) {
		lua_getuservalue(L, 1);
		return 1;
	}
	lunatik_packet_look_once(p);
	err = lunatik_packet_linear(p, 1);
	if (err != 0)
		return luaL_error(L, "%s", lunatik_packet_why(L, err, "frame"));
	/* Making the object runs finalizers, and those may change packets. */
	frame = lunatik_memory_newref(L, NULL, 0);
	lua_pushvalue(L, -1);
	lua_setuservalue(L, 1);
	if (p->skb == NULL)
		return luaL_argerror(L, 1, "closed packet");
	p->frame = frame;
	lunatik_packet_look_once(p);
	bytes = lunatik_packet_frame(p, &len);
	lunatik_memory_lend(frame, bytes, len);
	return 1;
}

/* The bytes of the packet at index 1, in one run, from the network header on. */
static const char *packet_bytes(lua_State *L, int arg, size_t *len)
{
	struct lunatik_packet *p = lunatik_packet_self(L);
	int err;

	(void)arg;
	lunatik_packet_look_once(p);
	err = lunatik_packet_linear(p, 0);
	if (err != 0)
		luaL_error(L, "%s", lunatik_packet_why(L, err, "frame"));
	lunatik_packet_refresh(p);
	*len = p->len;
	return (const char *)p->base[LUNATIK_BASE_NET];
}

/* pkt:unpack(format [, position]) -> the values, the next position */
static int packet_unpack(lua_State *L)
{
	static const struct lunatik_source source = {
		.bytes = packet_bytes,
		.bad_position = "initial position out of payload",
		.too_short = "payload too short",
		.string_too_short = "payload too short",
	};

	return lunatik_unpack_source(L, &source);
}

/* pkt:copybytes(mem [, i [, j [, o]]]) */
static int packet_copybytes(lua_State *L)
{
	struct lunatik_packet *p = lunatik_packet_self(L);
	int is_memory = lua_type(L, 2) == LUA_TUSERDATA;
	size_t len = 0, room;
	lua_Integer i, j, o;
	char *to = NULL;

	lunatik_packet_look_once(p);
	if (is_memory)
		to = lunatik_memory_check(L, 2, &len);
	i = lunatik_mem_opt_position(L, 3, 1, p->len);
	j = lunatik_mem_opt_position(L, 4, -1, p->len);
	o = lunatik_mem_opt_position(L, 5, 1, len);
	luaL_argcheck(L, 1 <= i && i <= (lua_Integer)p->len && i <= j, 3, "index out of bounds");
	luaL_argcheck(L, 1 <= j && j <= (lua_Integer)p->len, 4, "index out of bounds");
	luaL_argcheck(L, 1 <= o && o <= (lua_Integer)len, 5, "index out of bounds");
	room = len - (size_t)(o - 1);
	if ((size_t)(j - i) >= room)
		return luaL_error(L, "slice too big for memory");
	lunatik_packet_copy(p, (unsigned int)(i - 1), lunatik_mem_at(to, (size_t)(o - 1), len), (unsigned int)(j - i + 1));
	return 0;
}

/* pkt:set(position, bytes) -> true */
static int packet_set(lua_State *L)
{
	struct lunatik_packet *p = lunatik_packet_self(L);
	lua_Integer pos = luaL_checkinteger(L, 2);
	size_t len;
	const char *bytes = bytes_to_write(L, 3, &len);
	int err;

	/* Making a string runs finalizers, and those may send packets. */
	p = lunatik_packet_self(L);
	lunatik_packet_look_once(p);
	pos = lunatik_mem_position(pos, p->len);
	luaL_argcheck(L, 1 <= pos && pos <= (lua_Integer)p->len, 2, "position out of payload");
	luaL_argcheck(L, len <= p->len, 3, "payload too short");
	err = lunatik_packet_set(p, (unsigned int)(pos - 1), bytes, (unsigned int)len);
	lunatik_packet_refresh(p);
	if (err == -INVALID)
		return luaL_argerror(L, 2, "position out of payload");
	if (err != 0)
		return luaL_error(L, "%s", lunatik_packet_why(L, err, "payload"));
	lua_pushboolean(L, 1);
	return 1;
}

/* pkt:send([payload]) -> true, or nil and why not */
static int packet_send(lua_State *L)
{
	struct lunatik_packet *p = check_stolen(L);
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_sending sending = { .stolen = NULL };
	int err = 0;

	if (!lua_isnoneornil(L, 2)) {
		size_t len;
		const char *bytes = bytes_to_write(L, 2, &len);

		/* Making a string runs finalizers, and those may send packets. */
		p = check_stolen(L);
		err = len > 0xffff ? -INVALID : lunatik_stolen_payload(p, bytes, (unsigned int)len);
		lunatik_packet_refresh(p);
	}
	if (err != 0)
		return failed(L, err == -BUSY ? "cannot send a shared skb" : "unable to set tcp payload");
	sending.stolen = lunatik_stolen_detach(p);
	lunatik_packet_forget(p);
	if (!lunatik_call_out(vm, lunatik_stolen_send, &sending))
		lunatik_stolen_send_later(sending.stolen);
	luai_poll(L);
	if (sending.err != 0)
		return failed(L, sending.err == -NET_DOWN ? "unable to route packet" : "unable to send packet");
	lua_pushboolean(L, 1);
	return 1;
}

/* pkt:tcpreply(message) -> true, or nil and why not */
static int packet_tcpreply(lua_State *L)
{
	struct lunatik_packet *p = lunatik_packet_self(L);
	const char *bytes;
	size_t len;

	lunatik_memory_checkbytes(L, 2, &len);
	lunatik_packet_look_once(p);
	bytes = lunatik_memory_tobytes(L, 2, &len);
	if (len > 0xffff || lunatik_packet_tcpreply(p, bytes, (unsigned int)len) != 0)
		return failed(L, "couldn't reply a packet");
	lua_pushboolean(L, 1);
	return 1;
}

const lua_CFunction lunatik_packet_methods[LUNATIK_PACKET_METHODS] = {
	packet_close,
	packet_connid,
	packet_frame,
	packet_send,
	packet_tcpreply,
	packet_unpack,
	packet_copybytes,
	packet_set,
};
