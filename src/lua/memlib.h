/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The `memory` library for other C code, and what its C half (memlib.c) calls in its Rust half
 * (memlib.rs).
 *
 * Context: under the state's lock in the kernel, nothing in user space. A pointer into a memory, or into
 * a string of a state, is good until Lua code may run: until a break (luai_poll), an allocation of the
 * state (finalizers run in it), or a call. Bytes are then asked for again.
 */
#ifndef LUNATIK_MEMLIB_H
#define LUNATIK_MEMLIB_H

#include <stddef.h>

#include "lua.h"

/* {=== for other libraries =================================================================== */

/* Pushes the library's table. Once a state, before any other of these functions; may raise. */
int lunatik_open_memory(lua_State *L);

/* Pushes a fixed memory of `len` zero bytes; may raise. */
void lunatik_memory_new(lua_State *L, size_t len);

/*
 * Pushes an "other" memory over `len` bytes that stay the caller's; may raise. Returns its handle. The
 * caller keeps the memory referenced (on a stack, in the registry) until it withdraws the bytes, which it
 * must before they go, whatever became of the code it lent them to.
 */
void *lunatik_memory_newref(lua_State *L, void *bytes, size_t len);

/* Takes the bytes back: from now on the memory has length 0. Never raises, allocates nothing. */
void lunatik_memory_withdraw(void *handle);

/* Lends other bytes through the memory of a handle. Never raises, allocates nothing. */
void lunatik_memory_lend(void *handle, void *bytes, size_t len);

/* The bytes of a memory, else raises "memory expected, got X". NULL for an empty resizable or withdrawn one. */
char *lunatik_memory_check(lua_State *L, int arg, size_t *len);

/*
 * The bytes of a string, a number (which becomes a string in its place, and may raise for lack of memory),
 * a memory or a buffer; NULL for anything else. Never NULL for what is empty.
 */
const char *lunatik_memory_tobytes(lua_State *L, int arg, size_t *len);

/* The same; raises "string or memory expected, got X" for anything else. */
const char *lunatik_memory_checkbytes(lua_State *L, int arg, size_t *len);

/* How a buffer begins (buffer.c). */
struct lunatik_buffer_view {
	void *reserved;
	char *bytes;	/* or NULL */
	size_t len;
};

/* The registry's key of the metatable of buffers, where there are such: they are as good as a memory for lunatik_memory_tobytes. */
extern const char lunatik_buffer_key;
int lunatik_memory_is_buffer(lua_State *L, int arg);

/* Pushes and returns "X expected, got Y", for luaL_argerror. */
const char *lunatik_memory_mismatch(lua_State *L, int arg, const char *expected);

/* ============================================================================================ }
 * {=== what Rust provides: these never raise, and do a bounded amount of work ================= */

/* A position of Lua's, made 1-based; 0 for what lies before the beginning. */
long long lunatik_mem_position(long long pos, size_t len);

/* Offset and number of the bytes at positions `i` to `j`, as far as there are such. */
size_t lunatik_mem_range(long long i, long long j, size_t len, size_t *start);

/* What a step came to. */
enum lunatik_step {
	LUNATIK_STEP_NO = 0,	/* finished: nothing is filled any more, nothing is found or different */
	LUNATIK_STEP_YES = 1,	/* finished: it was found */
	LUNATIK_STEP_MORE = 2,	/* not finished: to be called again, with the bytes as they are then */
};

/* Compares from offset *at on; *at becomes the first difference, or the shorter length. */
int lunatik_mem_differ(const char *a, size_t a_len, const char *b, size_t b_len, size_t *at);

/* A range that is filled; the first five are given, `done` begins as 0 (src/libs/memory/fill.rs). */
struct lunatik_fill {
	size_t begin, to, end, from, unit, done;
};
int lunatik_mem_fill(struct lunatik_fill *fill, char *to, size_t to_len, const char *from, size_t from_len);

/* A search; lunatik_mem_find_begin makes one. */
struct lunatik_find {
	size_t words[16];
};
void lunatik_mem_find_begin(struct lunatik_find *find);
int lunatik_mem_find(struct lunatik_find *find, const char *hay, size_t hay_len, const char *needle, size_t len,
		     size_t *at);

/* A format under way, and one item of it (src/libs/memory/format.rs). */
struct lunatik_format {
	size_t at, align, little;
};
struct lunatik_item {
	size_t size;	/* bytes, or what an error is about */
	size_t skip;	/* bytes to skip before it */
};
enum lunatik_kind {
	LUNATIK_ITEM_END = 0,
	LUNATIK_ITEM_SIGNED = 1,
	LUNATIK_ITEM_UNSIGNED = 2,
	LUNATIK_ITEM_FLOAT = 3,
	LUNATIK_ITEM_CHARS = 4,
	LUNATIK_ITEM_COUNTED = 5,
	LUNATIK_ITEM_TERMINATED = 6,
	LUNATIK_ITEM_PADDING = 7,
	LUNATIK_ITEM_NOTHING = 8,
	LUNATIK_ITEM_BAD_OPTION = 9,	/* size: the letter */
	LUNATIK_ITEM_BAD_SIZE = 10,	/* size: the number */
	LUNATIK_ITEM_NO_SIZE = 11,
	LUNATIK_ITEM_BAD_NEXT = 12,
	LUNATIK_ITEM_BAD_POWER = 13,
};
void lunatik_mem_format_begin(struct lunatik_format *format);
int lunatik_mem_format_next(struct lunatik_format *format, const char *text, size_t len, size_t offset,
			    struct lunatik_item *item);

/* Whether an integer of `size` bytes can hold a value; writing one (`fill`: the bytes beyond 8); reading one. */
int lunatik_mem_fits(long long value, size_t size, int is_signed);
void lunatik_mem_put(char *to, size_t size, unsigned long long value, int fill, size_t little);
int lunatik_mem_get(const char *from, size_t size, int is_signed, size_t little, unsigned long long *value);

/* ============================================================================================ } */

#endif
