// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packs values for another state, and unpacks them there: nil, booleans, numbers, strings, buffers, and tables of these,
 * whose keys keep their types. A table is copied pair by pair, without its metatable; the bytes of a buffer are shared.
 *
 * A value is a tag and its bytes; a table's are two counts, then the values of 1..n in order, then the other pairs. What
 * is packed is bounded by the parcel's limit, nesting by NEST. Context: under the state's lock, with breaks; another
 * thread may change a table meanwhile, which is as though it had done so in a loop over pairs.
 */
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "buffer.h"
#include "lunatik_port.h"
#include "transfer.h"

/* Tables within tables, as in node-lua. */
#define NEST	128

enum tag { NIL, FALSE, TRUE, INTEGER, FLOAT, STRING, TABLE, BUFFER };

/* Of a table; it lies in one piece, for it is filled in last. */
struct counts {
	unsigned int values, pairs;
};

/* Of a buffer: the parcel keeps the block. */
struct shared {
	void *block;
	size_t len;
};

/* {=== packing ================================================================================= */

struct packer {
	struct lunatik_parcel *parcel;
	unsigned long work;
	int err;
};

static void fail(lua_State *L, struct packer *p, int err)
{
	p->err = err;
	lua_pushliteral(L, "value cannot be packed");
	lua_error(L);
}

/* The next `len` bytes in one piece. */
static char *reserve(lua_State *L, struct packer *p, size_t len)
{
	struct lunatik_piece *piece = p->parcel->last;
	char *place;
	int err;

	if (piece->room - piece->used < len) {
		err = lunatik_parcel_grow(p->parcel, (unsigned int)len);
		if (err)
			fail(L, p, err);
		piece = p->parcel->last;
	}
	place = piece->bytes + piece->used;
	piece->used += (unsigned int)len;
	return place;
}

static void put(lua_State *L, struct packer *p, const char *bytes, size_t len)
{
	while (len > 0) {
		struct lunatik_piece *piece = p->parcel->last;
		size_t now = piece->room - piece->used;

		if (now == 0) {
			int err = lunatik_parcel_grow(p->parcel, len < 4096 ? (unsigned int)len : 4096);

			if (err)
				fail(L, p, err);
			continue;
		}
		if (now > len)
			now = len;
		memcpy(piece->bytes + piece->used, bytes, now);
		piece->used += (unsigned int)now;
		bytes += now;
		len -= now;
	}
}

static void put_tagged(lua_State *L, struct packer *p, enum tag tag, const void *bytes, size_t len)
{
	char *to = reserve(L, p, len + 1);

	to[0] = (char)tag;
	memcpy(to + 1, bytes, len);
}

static void pack_value(lua_State *L, struct packer *p, int depth);

/* The table on top. */
static void pack_table(lua_State *L, struct packer *p, int depth)
{
	struct counts counts = { 0, 0 };
	lua_Integer n;
	char *place;

	if (depth > NEST)
		luaL_error(L, "tables nested too deep to be sent");
	luaL_checkstack(L, 6, "not enough memory");
	*reserve(L, p, 1) = (char)TABLE;
	place = reserve(L, p, sizeof(counts));
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		/* The array part comes first and in order. */
		if (counts.pairs == 0 && lua_isinteger(L, -2)) {
			n = lua_tointeger(L, -2);
			if (n == (lua_Integer)counts.values + 1) {
				pack_value(L, p, depth);
				lua_pop(L, 1);
				counts.values++;
				continue;
			}
		}
		lua_pushvalue(L, -2);
		pack_value(L, p, depth);
		lua_pop(L, 1);
		pack_value(L, p, depth);
		lua_pop(L, 1);
		counts.pairs++;
	}
	memcpy(place, &counts, sizeof(counts));
}

/* The buffer on top, by reference; anything else is an error. */
static void pack_buffer(lua_State *L, struct packer *p)
{
	struct shared shared;
	int err;

	shared.block = lunatik_buffer_share(L, -1, &shared.len);
	if (shared.block == NULL && shared.len > 0)
		fail(L, p, -LUNATIK_NO_MEMORY);
	if (shared.block == NULL)
		luaL_error(L, "transfer data type not supported");
	err = lunatik_parcel_refer(p->parcel, shared.block);
	if (err) {
		lunatik_block_put(shared.block);
		fail(L, p, err);
	}
	put_tagged(L, p, BUFFER, &shared, sizeof(shared));
}

/* The value on top, which stays there. */
static void pack_value(lua_State *L, struct packer *p, int depth)
{
	lua_Integer n;
	lua_Number x;
	size_t len;
	const char *s;

	luai_pollwork(L, p->work, 0);
	switch (lua_type(L, -1)) {
	case LUA_TNIL:
		*reserve(L, p, 1) = (char)NIL;
		break;
	case LUA_TBOOLEAN:
		*reserve(L, p, 1) = (char)(lua_toboolean(L, -1) ? TRUE : FALSE);
		break;
	case LUA_TNUMBER:
		if (lua_isinteger(L, -1)) {
			n = lua_tointeger(L, -1);
			put_tagged(L, p, INTEGER, &n, sizeof(n));
		} else {
			x = lua_tonumber(L, -1);
			put_tagged(L, p, FLOAT, &x, sizeof(x));
		}
		break;
	case LUA_TSTRING:
		s = lua_tolstring(L, -1, &len);
		if (len >= p->parcel->limit)
			fail(L, p, -LUNATIK_TOO_LONG);
		put_tagged(L, p, STRING, &len, sizeof(len));
		put(L, p, s, len);
		p->work += len / 16;
		break;
	case LUA_TTABLE:
		if (luai_stacklow(L))
			luaL_error(L, "C stack overflow");
		pack_table(L, p, depth + 1);
		break;
	default:
		pack_buffer(L, p);
	}
}

/* (packer, values...) */
static int pack_all(lua_State *L)
{
	struct packer *p = lua_touserdata(L, 1);
	int n = lua_gettop(L), i;

	luaL_checkstack(L, 1, "not enough memory");
	for (i = 2; i <= n; i++) {
		lua_pushvalue(L, i);
		pack_value(L, p, 0);
		lua_pop(L, 1);
	}
	p->parcel->values += (unsigned int)(n - 1);
	return 0;
}

int lunatik_pack(lua_State *L, int from, struct lunatik_parcel *parcel)
{
	struct packer p = { parcel, 0, 0 };
	int n = lua_gettop(L) - from + 1, i;

	if (!lua_checkstack(L, n + 2)) {
		lua_pushliteral(L, "not enough memory");
		return 1;
	}
	lua_pushcfunction(L, pack_all);
	lua_pushlightuserdata(L, &p);
	for (i = 0; i < n; i++)
		lua_pushvalue(L, from + i);
	if (lua_pcall(L, n + 1, 0, 0) == LUA_OK)
		return 0;
	if (!p.err)
		return 1;
	lua_pop(L, 1);
	return p.err;
}

/* ============================================================================================ }
 * {=== unpacking =============================================================================== */

struct unpacker {
	const struct lunatik_piece *piece;
	unsigned int at;
	unsigned long work;
};

/* What is at hand in one piece; less than a parcel should have is a defect of ours, and an error all the same. */
static size_t at_hand(lua_State *L, struct unpacker *u)
{
	while (u->piece->used == u->at) {
		if (u->piece->next == NULL)
			luaL_error(L, "broken message");
		u->piece = u->piece->next;
		u->at = 0;
	}
	return u->piece->used - u->at;
}

static void get(lua_State *L, struct unpacker *u, void *to, size_t len)
{
	char *place = to;

	while (len > 0) {
		size_t now = at_hand(L, u);

		if (now > len)
			now = len;
		memcpy(place, u->piece->bytes + u->at, now);
		u->at += (unsigned int)now;
		place += now;
		len -= now;
	}
}

static void unpack_string(lua_State *L, struct unpacker *u, const struct lunatik_parcel *parcel)
{
	luaL_Buffer buffer;
	size_t len;

	get(L, u, &len, sizeof(len));
	if (len >= parcel->size)
		luaL_error(L, "broken message");
	u->work += len / 16;
	if (len == 0) {
		lua_pushliteral(L, "");
	} else if (at_hand(L, u) >= len) {
		lua_pushlstring(L, u->piece->bytes + u->at, len);
		u->at += (unsigned int)len;
	} else {
		get(L, u, luaL_buffinitsize(L, &buffer, len), len);
		luaL_pushresultsize(&buffer, len);
	}
}

static void unpack_value(lua_State *L, struct unpacker *u, const struct lunatik_parcel *parcel, int depth);

static void unpack_table(lua_State *L, struct unpacker *u, const struct lunatik_parcel *parcel, int depth)
{
	struct counts counts;
	unsigned int i;

	get(L, u, &counts, sizeof(counts));
	if (depth > NEST || counts.values > parcel->size || counts.pairs > parcel->size)
		luaL_error(L, "broken message");
	luaL_checkstack(L, 6, "not enough memory");
	lua_createtable(L, (int)counts.values, (int)counts.pairs);
	for (i = 1; i <= counts.values; i++) {
		unpack_value(L, u, parcel, depth);
		lua_rawseti(L, -2, i);
	}
	for (i = 0; i < counts.pairs; i++) {
		unpack_value(L, u, parcel, depth);
		if (lua_isnil(L, -1) || (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) != lua_tonumber(L, -1)))
			luaL_error(L, "broken message");
		unpack_value(L, u, parcel, depth);
		lua_rawset(L, -3);
	}
}

static void unpack_value(lua_State *L, struct unpacker *u, const struct lunatik_parcel *parcel, int depth)
{
	struct shared shared;
	lua_Integer n;
	lua_Number x;
	char tag;

	luai_pollwork(L, u->work, 0);
	get(L, u, &tag, 1);
	switch (tag) {
	case NIL:
		lua_pushnil(L);
		break;
	case FALSE:
	case TRUE:
		lua_pushboolean(L, tag == TRUE);
		break;
	case INTEGER:
		get(L, u, &n, sizeof(n));
		lua_pushinteger(L, n);
		break;
	case FLOAT:
		get(L, u, &x, sizeof(x));
		lua_pushnumber(L, x);
		break;
	case STRING:
		unpack_string(L, u, parcel);
		break;
	case TABLE:
		if (luai_stacklow(L))
			luaL_error(L, "C stack overflow");
		unpack_table(L, u, parcel, depth + 1);
		break;
	case BUFFER:
		get(L, u, &shared, sizeof(shared));
		lunatik_buffer_push(L, shared.block, shared.len);
		/* The buffer has taken over a reference; the parcel keeps one. */
		lunatik_block_get(shared.block);
		break;
	default:
		luaL_error(L, "broken message");
	}
}

int lunatik_unpack(lua_State *L, const struct lunatik_parcel *parcel)
{
	struct unpacker u = { &parcel->first, 0, 0 };
	unsigned int i;

	luaL_checkstack(L, (int)parcel->values + 2, "not enough memory");
	for (i = 0; i < parcel->values; i++)
		unpack_value(L, &u, parcel, 0);
	return (int)parcel->values;
}

/* ============================================================================================ } */
