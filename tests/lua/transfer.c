// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library `transfer` of the host tests: values packed and unpacked by src/lua/transfer.c, in memory of the host's.
 *
 *   copy(...)         -> what comes out
 *   size(limit, ...)  -> bytes of the parcel, or nil and a negative errno where it would take more than the limit
 *   broken(seed, ...) -> true, or false and an error: a parcel of which some bytes were changed is unpacked
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"

#include "buffer.h"
#include "lauxlib.h"
#include "transfer.h"

#define LIMIT	131072

int host_open_transfer(lua_State *L);

/* Pieces as small as possible, so that everything meets their ends. */
int lunatik_parcel_grow(struct lunatik_parcel *parcel, unsigned int room)
{
	unsigned int size = room < 24 ? 24 : room > 100 ? 100 : room;
	struct lunatik_piece *piece;

	if (parcel->size + sizeof(*piece) + size > parcel->limit)
		return -LUNATIK_TOO_LONG;
	piece = malloc(sizeof(*piece) + size);
	if (piece == NULL)
		return -LUNATIK_NO_MEMORY;
	piece->next = NULL;
	piece->used = 0;
	piece->room = size;
	parcel->last->next = piece;
	parcel->last = piece;
	parcel->size += sizeof(*piece) + size;
	return 0;
}

/* The host has no buffers. */
int lunatik_parcel_refer(struct lunatik_parcel *parcel, void *block)
{
	(void)parcel;
	(void)block;
	return -LUNATIK_NO_MEMORY;
}

void *lunatik_buffer_share(lua_State *L, int idx, size_t *len)
{
	(void)L;
	(void)idx;
	*len = 0;
	return NULL;
}

void lunatik_buffer_push(lua_State *L, void *block, size_t len)
{
	(void)block;
	(void)len;
	luaL_error(L, "no buffers");
}

void lunatik_block_get(struct lunatik_block *block)
{
	(void)block;
	abort();
}

void lunatik_block_put(struct lunatik_block *block)
{
	(void)block;
	abort();
}

static struct lunatik_parcel *new_parcel(unsigned long limit)
{
	struct lunatik_parcel *parcel = calloc(1, sizeof(*parcel));

	if (parcel == NULL)
		abort();
	parcel->size = sizeof(*parcel);
	parcel->limit = limit;
	parcel->last = &parcel->first;
	return parcel;
}

static void free_parcel(struct lunatik_parcel *parcel)
{
	struct lunatik_piece *piece = parcel->first.next, *next;

	for (; piece != NULL; piece = next) {
		next = piece->next;
		free(piece);
	}
	free(parcel);
}

static int unpack(lua_State *L)
{
	return lunatik_unpack(L, lua_touserdata(L, 1));
}

static struct lunatik_parcel *pack(lua_State *L, int from, unsigned long limit, int *err)
{
	struct lunatik_parcel *parcel = new_parcel(limit);

	*err = lunatik_pack(L, from, parcel);
	if (*err == 0)
		return parcel;
	free_parcel(parcel);
	if (*err == 1)
		lua_error(L);
	return NULL;
}

static int copy(lua_State *L)
{
	int err, top = lua_gettop(L), status;
	struct lunatik_parcel *parcel = pack(L, 1, LIMIT, &err);

	if (parcel == NULL)
		return luaL_error(L, "error %d", err);
	if (!lua_checkstack(L, 4)) {
		free_parcel(parcel);
		return luaL_error(L, "stack overflow");
	}
	lua_pushcfunction(L, unpack);
	lua_pushlightuserdata(L, parcel);
	status = lua_pcall(L, 1, LUA_MULTRET, 0);
	free_parcel(parcel);
	return status == LUA_OK ? lua_gettop(L) - top : lua_error(L);
}

static int size(lua_State *L)
{
	unsigned long limit = (unsigned long)luaL_checkinteger(L, 1);
	int err;
	struct lunatik_parcel *parcel = pack(L, 2, limit, &err);

	if (parcel == NULL) {
		lua_pushnil(L);
		lua_pushinteger(L, err);
		return 2;
	}
	lua_pushinteger(L, (lua_Integer)parcel->size);
	free_parcel(parcel);
	return 1;
}

static int broken(lua_State *L)
{
	uint64_t seed = (uint64_t)luaL_checkinteger(L, 1) * 0x9e3779b97f4a7c15ULL + 1;
	struct lunatik_piece *piece;
	int err, status, changes = 1 + (int)(seed >> 62);
	struct lunatik_parcel *parcel = pack(L, 2, LIMIT, &err);

	if (parcel == NULL)
		return luaL_error(L, "error %d", err);
	while (changes-- > 0) {
		unsigned int skip;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		skip = (unsigned int)(seed >> 8) % 16;
		for (piece = &parcel->first; skip > 0 && piece->next != NULL; skip--)
			piece = piece->next;
		if (piece->used > 0)
			piece->bytes[(seed >> 20) % piece->used] ^= (char)(1 << (seed >> 40) % 8);
		else if (piece->next == NULL)
			break;
	}
	lua_settop(L, 1);
	lua_pushcfunction(L, unpack);
	lua_pushlightuserdata(L, parcel);
	status = lua_pcall(L, 1, 0, 0);
	free_parcel(parcel);
	lua_pushboolean(L, status == LUA_OK);
	if (status == LUA_OK)
		return 1;
	lua_insert(L, -2);
	return 2;
}

static const luaL_Reg functions[] = {
	{ "copy", copy },
	{ "size", size },
	{ "broken", broken },
	{ NULL, NULL },
};

int host_open_transfer(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}
