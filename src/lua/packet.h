/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet object: what a hook's function gets, and what the hooks (netfilter.c) ask of it.
 *
 * Context: under the state's lock, in a hook. The pointers to the packet and to its struct nf_hook_state are the
 * kernel's, and good for as long as the callback lasts.
 */
#ifndef LUNATIK_PACKET_H
#define LUNATIK_PACKET_H

#include "lua.h"

/* Once a state, when netfilter is required: makes the metatable. May raise. */
int lunatik_open_packet(lua_State *L);

/* Pushes an object that lends the packet and its hook state for the callback, and returns its handle; may raise. */
void *lunatik_packet_new(lua_State *L, void *skb, const void *hook);

/* The callback is over: the object is closed unless the packet was stolen. Never raises. */
void lunatik_packet_withdraw(void *handle);

/*
 * The verdict is "stolen": the object owns the packet from now on. 0, or a negative errno: then it does not. Never
 * raises.
 */
int lunatik_packet_steal(void *handle);

#endif
