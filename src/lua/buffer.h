/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers for other libraries: taking the bytes out of one state, and giving them to another, without a copy.
 *
 * Context: under the state's lock, but for the block itself (block.h), which is anybody's.
 */
#ifndef LUNATIK_BUFFER_H
#define LUNATIK_BUFFER_H

#include <stddef.h>

#include "lua.h"

#include "block.h"

int lunatik_open_buffer(lua_State *L);

/*
 * A reference to the block that begins with the bytes of the buffer at `idx`, and their number; NULL for what is no
 * buffer (*len is 0), and when there is no memory (*len is their number). Never raises. To be given back by
 * lunatik_block_put, or to lunatik_buffer_push.
 */
void *lunatik_buffer_share(lua_State *L, int idx, size_t *len);

/*
 * Pushes a buffer over the first `len` bytes of a block; the reference becomes the buffer's. Raises "not enough memory"
 * when the state's limit has no room for the block's cost; then the reference stays the caller's.
 */
void lunatik_buffer_push(lua_State *L, void *block, size_t len);

/*
 * A block that begins with the bytes at `arg` of a string, a number, a memory (a copy) or a buffer (shared), and their
 * number. NULL when there is no memory. The value was checked (lunatik_memory_checkbytes). It is a break, and does not
 * raise; a value that is emptied meanwhile gives 0 bytes.
 */
struct lunatik_block *lunatik_buffer_block(lua_State *L, int arg, size_t *len);

/* Pushes an empty buffer; may raise. */
void lunatik_buffer_new(lua_State *L);

/* The empty buffer at `idx` takes over a block with `len` bytes that lunatik_buffer_charge charged the state for. */
void lunatik_buffer_set(lua_State *L, int idx, struct lunatik_block *block, size_t len);

/* The first `n` bytes after `skip` of the buffer at `from` go to the empty one at `to`; `from` goes on behind them. */
void lunatik_buffer_move(lua_State *L, int from, int to, size_t skip, size_t n);

/* Appends to the buffer at `idx`, which will grow to `whole` bytes: 0 without memory. A break; does not raise. */
int lunatik_buffer_add(lua_State *L, int idx, const char *bytes, size_t n, size_t whole);

/* Charges the state for a block of its own, of so much cost: 0 when the limit has no room. Does not raise. */
int lunatik_buffer_charge(lua_State *L, size_t cost);

#endif
