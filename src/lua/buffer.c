// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffer library, in the words of node-lua: bytes that are shared when they are copied.
 *
 * A buffer is a part of a block (block.h). Copies, and parts that were split off, share the block; so do sockets and
 * other states. What was written is not written again while others have the block: a change separates, but bytes
 * are appended in place by whoever ends where the block's used part ends. The buffers of a state that share a
 * block are in a ring: the state is charged for the block, by its cost, once a ring.
 *
 * Context: under the state's lock. Making a block may be a break, or collect garbage: what a buffer has is
 * looked at after it.
 */
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "buffer.h"
#include "memlib.h"
#include "memlib_parts.h"
#include "shim.h"

#define BUFFER		"class.buffer_t"
/* The most bytes of a buffer, and the room of a new one. */
#define LONGEST		0x7fffffffUL
#define ROOM		32
/* Needed room is doubled up to here, and then exceeded by as much. */
#define DOUBLED		(1UL << 20)
/* Blocks up to here, in bytes, are had without a break, if there is memory at once. */
#define AT_ONCE		16384
/* Blocks from here on, in bytes, make the collector go on. */
#define PACED		4096

struct buffer {
	lua_Release release;	/* the collector's; see lua_newforeign */
	char *bytes;		/* with their number: so memlib.c sees it */
	size_t len;
	struct lunatik_block *block;	/* NULL while nothing was written */
	size_t room;		/* bytes of the block to be made, while there is none */
	struct buffer *next, *before;	/* those that share the block */
	int valid;
};

/* {=== blocks ================================================================================ */

/* The collector goes on as though the bytes were Lua's own; 0: it collects all there is. */
static int collect(lua_State *L)
{
	int kib = (int)lua_tointeger(L, 1);

	lua_gc(L, kib ? LUA_GCSTEP : LUA_GCCOLLECT, kib);
	return 0;
}

static void try_collect(lua_State *L, size_t kib)
{
	if (lunatik_vm_of(L)->ext.nogc > 0 || !lua_checkstack(L, 2))
		return;
	/* An error of a finalizer is nobody's here. */
	lua_pushcfunction(L, collect);
	lua_pushinteger(L, (lua_Integer)kib);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		lua_pop(L, 1);
}

int lunatik_buffer_charge(lua_State *L, size_t cost)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);

	if (cost >= PACED)
		try_collect(L, cost >> 10);
	if (lunatik_vm_charge(vm, cost))
		return 1;
	try_collect(L, 0);
	return lunatik_vm_charge(vm, cost);
}

struct request {
	size_t size;
	struct lunatik_block *block;
};

static void make_block(void *arg)
{
	struct request *request = arg;

	request->block = lunatik_block_new(request->size, 1);
}

/* A block that is not charged; NULL when there is no memory. A break; does not raise. */
static struct lunatik_block *new_block(lua_State *L, size_t size)
{
	struct request request = { size, NULL };

	if (size <= AT_ONCE)
		request.block = lunatik_block_new(size, 0);
	if (request.block == NULL && !lunatik_call_out(lunatik_vm_of(L), make_block, &request))
		request.block = lunatik_block_new(size, 0);
	return request.block;
}

/* A block that the state is charged for; NULL when there is no memory. A break; does not raise. */
static struct lunatik_block *charged_block(lua_State *L, size_t size)
{
	size_t cost = lunatik_block_cost(size);
	struct lunatik_block *block;

	if (size >= LONGEST || !lunatik_buffer_charge(L, cost))
		return NULL;
	block = new_block(L, size);
	if (block == NULL)
		lunatik_vm_credit(lunatik_vm_of(L), cost);
	return block;
}

static void uncharge(struct lunatik_vm *vm, struct lunatik_block *block)
{
	lunatik_vm_credit(vm, block->cost);
	lunatik_block_put(block);
}

/* The buffer lets its block go. */
static void leave(struct lunatik_vm *vm, struct buffer *b)
{
	struct lunatik_block *block = b->block;

	b->block = NULL;
	b->bytes = NULL;
	b->len = 0;
	if (block == NULL)
		return;
	if (b->next == b) {
		uncharge(vm, block);
		return;
	}
	b->next->before = b->before;
	b->before->next = b->next;
	lunatik_block_put(block);
}

/* The buffer takes over a charged block with `len` bytes in it. */
static void enter(struct lunatik_vm *vm, struct buffer *b, struct lunatik_block *block, size_t len)
{
	leave(vm, b);
	b->block = block;
	b->bytes = block->bytes;
	b->len = len;
	b->next = b->before = b;
}

/* The empty buffer `b` becomes another one of bytes of `of`, which has a block. */
static void join(struct buffer *b, struct buffer *of, size_t offset, size_t len)
{
	b->block = of->block;
	lunatik_block_get(b->block);
	b->bytes = of->bytes + offset;
	b->len = len;
	b->next = of;
	b->before = of->before;
	of->before->next = b;
	of->before = b;
}

/* The offset in its block where a buffer ends. */
static size_t end_of(const struct buffer *b)
{
	return (size_t)(b->bytes - b->block->bytes) + b->len;
}

/* Bytes that can be appended in place. */
static size_t room_of(const struct buffer *b)
{
	if (b->block == NULL)
		return b->room;
	return end_of(b) == b->block->used ? b->block->size - end_of(b) : 0;
}

/* ============================================================================================ }
 * {=== arguments ============================================================================= */

static struct buffer *to_buffer(lua_State *L, int arg)
{
	return lunatik_memory_is_buffer(L, arg) ? lua_touserdata(L, arg) : NULL;
}

static struct buffer *check_buffer(lua_State *L, int arg)
{
	struct buffer *b = to_buffer(L, arg);

	if (b == NULL)
		luaL_argerror(L, arg, lunatik_memory_mismatch(L, arg, BUFFER));
	return b;
}

static void check_bytes(lua_State *L, int arg)
{
	size_t len;

	if (lunatik_memory_tobytes(L, arg, &len) == NULL)
		luaL_argerror(L, arg, "unexpected argument type");
}

/* The collector frees it. */
static void free_buffer(lua_State *L, void *b)
{
	leave(lunatik_vm_of(L), b);
}

/* Pushes an empty buffer. */
static struct buffer *push_buffer(lua_State *L)
{
	struct buffer *b = lua_newforeign(L, sizeof(*b), free_buffer);

	b->room = ROOM;
	b->next = b->before = b;
	b->valid = 1;
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &lunatik_buffer_key) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_pushcfunction(L, lunatik_open_buffer);
		lua_call(L, 0, 0);
		lua_rawgetp(L, LUA_REGISTRYINDEX, &lunatik_buffer_key);
	}
	lua_setmetatable(L, -2);
	return b;
}

/* ============================================================================================ }
 * {=== for other libraries =================================================================== */

void *lunatik_buffer_share(lua_State *L, int idx, size_t *len)
{
	struct buffer *b = to_buffer(L, idx);

	*len = 0;
	if (b == NULL)
		return NULL;
	if (b->block == NULL)
		return lunatik_block_new(0, 0);
	*len = b->len;
	return lunatik_block_slice(b->block, (size_t)(b->bytes - b->block->bytes), b->len);
}

void lunatik_buffer_push(lua_State *L, void *shared, size_t len)
{
	struct lunatik_block *block = shared;
	struct buffer *b;

	luaL_checkstack(L, 4, "not enough memory");
	b = push_buffer(L);
	if (!lunatik_buffer_charge(L, block->cost))
		luaL_error(L, "not enough memory");
	enter(lunatik_vm_of(L), b, block, len);
}

void lunatik_buffer_new(lua_State *L)
{
	push_buffer(L);
}

void lunatik_buffer_set(lua_State *L, int idx, struct lunatik_block *block, size_t len)
{
	enter(lunatik_vm_of(L), lua_touserdata(L, idx), block, len);
}

void lunatik_buffer_move(lua_State *L, int from, int to, size_t skip, size_t n)
{
	struct buffer *b = lua_touserdata(L, from);

	if (n > 0)
		join(lua_touserdata(L, to), b, skip, n);
	b->bytes += skip + n;
	b->len -= skip + n;
	if (b->len == 0)
		leave(lunatik_vm_of(L), b);
}

int lunatik_buffer_add(lua_State *L, int idx, const char *bytes, size_t n, size_t whole)
{
	struct buffer *b = lua_touserdata(L, idx);
	size_t need = b->len + n;
	struct lunatik_block *block;

	if (b->block == NULL || !lunatik_block_claim(b->block, end_of(b), n)) {
		/* As much again as there is, but not more than is wanted. */
		if (whole > 2 * need)
			whole = 2 * need;
		block = charged_block(L, whole > need ? whole : need);
		if (block == NULL)
			return 0;
		/* It may have become shorter meanwhile. */
		need = b->len + n;
		if (b->len > 0)
			memcpy(block->bytes, b->bytes, b->len);
		block->used = need;
		enter(lunatik_vm_of(L), b, block, b->len);
	}
	memcpy(b->bytes + b->len, bytes, n);
	b->len = need;
	return 1;
}

struct lunatik_block *lunatik_buffer_block(lua_State *L, int arg, size_t *len)
{
	struct lunatik_block *block = lunatik_buffer_share(L, arg, len);
	const char *bytes;
	size_t size;

	if (block != NULL || to_buffer(L, arg) != NULL)
		return block;
	bytes = lunatik_memory_tobytes(L, arg, &size);
	block = new_block(L, size);
	if (block == NULL)
		return NULL;
	bytes = lunatik_memory_tobytes(L, arg, len);
	if (*len > size)
		*len = size;
	memcpy(block->bytes, bytes, *len);
	block->used = *len;
	return block;
}

/* ============================================================================================ }
 * {=== the library =========================================================================== */

/* Makes the buffer on top one of `size` bytes' room with the bytes at `arg` in it, if any, or an invalid one. */
static int fill_new(lua_State *L, struct buffer *b, size_t size, int arg)
{
	struct lunatik_block *block = charged_block(L, size);
	const char *bytes;
	size_t len = 0;

	if (block == NULL) {
		b->valid = 0;
		return 1;
	}
	if (arg != 0) {
		bytes = lunatik_memory_tobytes(L, arg, &len);
		/* A memory may have been resized meanwhile. */
		if (len > size)
			len = size;
		memcpy(block->bytes, bytes, len);
	}
	block->used = len;
	enter(lunatik_vm_of(L), b, block, len);
	luai_poll(L);
	return 1;
}

/* buffer.new([nil]), new(bytes), new(capacity [, bytes]), new(buffer) -> buffer */
static int buf_new(lua_State *L)
{
	lua_Integer capacity;
	struct buffer *b, *of;
	size_t len = 0;

	lua_settop(L, 2);
	if (lua_isnil(L, 1)) {
		push_buffer(L);
		return 1;
	}
	if (lua_type(L, 1) == LUA_TNUMBER) {
		capacity = luaL_checkinteger(L, 1);
		if (!lua_isnil(L, 2)) {
			check_bytes(L, 2);
			lunatik_memory_tobytes(L, 2, &len);
		}
		b = push_buffer(L);
		if (capacity < (lua_Integer)len)
			capacity = (lua_Integer)len;
		return fill_new(L, b, (size_t)capacity, lua_isnil(L, 2) ? 0 : 2);
	}
	of = to_buffer(L, 1);
	if (of == NULL) {
		check_bytes(L, 1);
		lunatik_memory_tobytes(L, 1, &len);
		b = push_buffer(L);
		return fill_new(L, b, len + ROOM, 1);
	}
	b = push_buffer(L);
	b->valid = of->valid;
	if (of->block != NULL)
		join(b, of, 0, of->len);
	else
		b->room = of->room;
	return 1;
}

/* buffer.append(b, bytes) -> true, or false without memory or when `b` was released */
static int buf_append(lua_State *L)
{
	struct buffer *b = check_buffer(L, 1);
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_block *block = NULL;
	size_t need, size, n;
	const char *bytes;

	check_bytes(L, 2);
	for (;;) {
		bytes = lunatik_memory_tobytes(L, 2, &n);
		need = b->len + n;
		if (!b->valid || n == 0)
			break;
		if (b->block != NULL && lunatik_block_claim(b->block, end_of(b), n)) {
			memcpy(b->bytes + b->len, bytes, n);
			b->len = need;
			break;
		}
		if (block != NULL && block->size >= need) {
			memcpy(block->bytes + b->len, bytes, n);
			memcpy(block->bytes, b->bytes, b->len);
			block->used = need;
			enter(vm, b, block, need);
			block = NULL;
			break;
		}
		/* Another coroutine has appended meanwhile. */
		if (block != NULL)
			uncharge(vm, block);
		size = need < DOUBLED ? 2 * need : need + DOUBLED;
		if (b->block == NULL && b->room >= need)
			size = b->room;
		block = charged_block(L, size);
		if (block == NULL)
			block = charged_block(L, need);
		if (block == NULL) {
			lua_pushboolean(L, 0);
			return 1;
		}
	}
	if (block != NULL)
		uncharge(vm, block);
	luai_poll(L);
	lua_pushboolean(L, b->valid);
	return 1;
}

/* buffer.split(b [, n]) -> a buffer with the first `n` bytes (all), which `b` has no more */
static int buf_split(lua_State *L)
{
	struct buffer *b = check_buffer(L, 1), *part;
	lua_Integer wanted = luaL_optinteger(L, 2, LUA_MAXINTEGER);
	size_t n;

	part = push_buffer(L);
	/* Finalizers may have run. */
	n = wanted < 0 ? 0 : (size_t)wanted;
	if (n > b->len)
		n = b->len;
	if (n == 0)
		return 1;
	join(part, b, 0, n);
	if (n == b->len) {
		leave(lunatik_vm_of(L), b);
		b->room = ROOM;
	} else {
		b->bytes += n;
		b->len -= n;
	}
	return 1;
}

/* buffer.clear(b) -> true */
static int buf_clear(lua_State *L)
{
	struct buffer *b = check_buffer(L, 1);

	if (b->block != NULL && lunatik_block_alone(b->block)) {
		b->bytes = b->block->bytes;
		b->len = 0;
		b->block->used = 0;
	} else if (b->block != NULL) {
		b->room = b->len;
		leave(lunatik_vm_of(L), b);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* buffer.remove(b [, position [, n]]) -> number of bytes taken out, from `position` (1) on, all by default */
static int buf_remove(lua_State *L)
{
	struct buffer *b = check_buffer(L, 1);
	lua_Integer position = luaL_optinteger(L, 2, 1), wanted = luaL_optinteger(L, 3, LUA_MAXINTEGER);
	struct lunatik_block *block = NULL;
	size_t at, n = 0, rest, made = 0;

	luaL_argcheck(L, position >= 1, 2, "position out of bounds");
	for (;;) {
		at = (size_t)position - 1;
		if (at >= b->len || wanted <= 0) {
			n = 0;
			break;
		}
		n = b->len - at;
		if (wanted < (lua_Integer)n)
			n = (size_t)wanted;
		rest = b->len - at - n;
		if (at == 0 || rest == 0) {
			b->bytes += at == 0 ? n : 0;
			b->len -= n;
			break;
		}
		if (block != NULL && block->size >= b->len - n) {
			memcpy(block->bytes, b->bytes, at);
			memcpy(block->bytes + at, b->bytes + at + n, rest);
			block->used = at + rest;
			enter(lunatik_vm_of(L), b, block, at + rest);
			block = NULL;
			break;
		}
		if (block != NULL)
			uncharge(lunatik_vm_of(L), block);
		made = b->len - n;
		block = charged_block(L, made);
		if (block == NULL) {
			n = 0;
			break;
		}
	}
	if (block != NULL)
		uncharge(lunatik_vm_of(L), block);
	luai_poll(L);
	lua_pushinteger(L, (lua_Integer)n);
	return 1;
}

/* buffer.length(b) -> bytes; #b */
static int buf_length(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)check_buffer(L, 1)->len);
	return 1;
}

/* buffer.unfill(b) -> bytes that can be appended without a new block */
static int buf_unfill(lua_State *L)
{
	struct buffer *b = check_buffer(L, 1);

	lua_pushinteger(L, b->valid ? (lua_Integer)room_of(b) : 0);
	return 1;
}

/* buffer.find(b [, bytes]) -> the position of the first occurrence, or nothing */
static int buf_find(lua_State *L)
{
	struct buffer *b = check_buffer(L, 1);
	struct lunatik_find find;
	const char *bytes;
	size_t n, at;
	int step;

	if (!b->valid)
		return 0;
	if (lua_isnoneornil(L, 2)) {
		lua_pushinteger(L, 1);
		return 1;
	}
	check_bytes(L, 2);
	lunatik_mem_find_begin(&find);
	for (;;) {
		bytes = lunatik_memory_tobytes(L, 2, &n);
		if (n == 0) {
			lua_pushinteger(L, 1);
			return 1;
		}
		step = lunatik_mem_find(&find, b->bytes ? b->bytes : "", b->len, bytes, n, &at);
		if (step != LUNATIK_STEP_MORE)
			break;
		luai_poll(L);
	}
	if (step == LUNATIK_STEP_NO)
		return 0;
	lua_pushinteger(L, (lua_Integer)at + 1);
	return 1;
}

/* buffer.tostring(b) -> string; __tostring */
static int buf_tostring(lua_State *L)
{
	struct buffer *b = check_buffer(L, 1);

	lua_pushlstring(L, b->bytes ? b->bytes : "", b->len);
	return 1;
}

/* buffer.valid(b) -> whether it was made, and not released */
static int buf_valid(lua_State *L)
{
	lua_pushboolean(L, check_buffer(L, 1)->valid);
	return 1;
}

/* buffer.release(b): its memory is given back now */
static int buf_release(lua_State *L)
{
	struct buffer *b = check_buffer(L, 1);

	leave(lunatik_vm_of(L), b);
	b->valid = 0;
	return 0;
}

static const luaL_Reg functions[] = {
	{ "new", buf_new },
	{ "append", buf_append },
	{ "split", buf_split },
	{ "clear", buf_clear },
	{ "remove", buf_remove },
	{ "length", buf_length },
	{ "unfill", buf_unfill },
	{ "find", buf_find },
	{ "tostring", buf_tostring },
	{ "unpack", lunatik_mem_unpack },
	{ "valid", buf_valid },
	{ "release", buf_release },
	{ NULL, NULL },
};

int lunatik_open_buffer(lua_State *L)
{
	luaL_newlib(L, functions);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &lunatik_buffer_key) != LUA_TNIL) {
		/* Made by lunatik_buffer_push: the methods of its buffers are this library. */
		lua_getfield(L, -1, "__index");
		return 1;
	}
	lua_pop(L, 1);
	lua_createtable(L, 0, 4);
	lua_pushliteral(L, BUFFER);
	lua_setfield(L, -2, "__name");
	lua_pushvalue(L, -2);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, buf_length);
	lua_setfield(L, -2, "__len");
	lua_pushcfunction(L, buf_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &lunatik_buffer_key);
	return 1;
}

/* ============================================================================================ } */
