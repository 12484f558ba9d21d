/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values on their way from one state to another (transfer.c).
 */
#ifndef LUNATIK_TRANSFER_H
#define LUNATIK_TRANSFER_H

#include "lua.h"
#include "letter.h"

/*
 * Packs the values from index `from` to the top. 0; -LUNATIK_NO_MEMORY or -LUNATIK_TOO_LONG; or 1 when an error was
 * raised, which is on top then. It may break. What was packed so far stays in the parcel. The caller has one free slot.
 */
int lunatik_pack(lua_State *L, int from, struct lunatik_parcel *parcel);

/* Pushes the values and returns how many; may break, may raise. The parcel stays as it is. */
int lunatik_unpack(lua_State *L, const struct lunatik_parcel *parcel);

#endif
