/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two files of the packet object share (packet.c, packet_methods.c).
 */
#ifndef LUNATIK_PACKET_PARTS_H
#define LUNATIK_PACKET_PARTS_H

#include "lua.h"

#include "packet.h"

/* By their numbers in src/libs/packet/names.rs; a power of two. */
#define LUNATIK_PACKET_METHODS	8
extern const lua_CFunction lunatik_packet_methods[LUNATIK_PACKET_METHODS];

/* The packet at index 1; raises "closed packet" if that is what it is. */
struct lunatik_packet *lunatik_packet_self(lua_State *L);

void lunatik_packet_look_once(struct lunatik_packet *p);
void lunatik_packet_refresh(struct lunatik_packet *p);
void lunatik_packet_forget(struct lunatik_packet *p);

/* What the errno `err` of a write to `what` means; it may push a string. */
const char *lunatik_packet_why(lua_State *L, int err, const char *what);

#endif
