/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes of a script for work that goes on while other code of the state may run: sockets (bytes.c).
 */
#ifndef LUNATIK_BYTES_H
#define LUNATIK_BYTES_H

#include <stddef.h>

#include "lua.h"

/*
 * The bytes of a string or a memory at index `arg`; they stay where they are, across breaks, as long as that slot of the
 * stack is not changed. What could move or go with its value is replaced, in that slot, by a string. Raises "string
 * expected, got X" for anything else, numbers included. `arg` is positive.
 */
const char *lunatik_bytes_check(lua_State *L, int arg, size_t *len);

/* True for what lunatik_bytes_check takes. */
int lunatik_bytes_are(lua_State *L, int arg);

/*
 * Pushes a string of `len` bytes that the caller fills before anything else sees it, breaks included; may raise. It must
 * be longer than LUNATIK_BYTES_SHORT: shorter strings are found by their bytes.
 */
#define LUNATIK_BYTES_SHORT	1024
char *lunatik_bytes_new(lua_State *L, size_t len);

#endif
