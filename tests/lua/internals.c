// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the test driver needs of the Lua core's insides; compiled like the core, without a C library.
 */
#include "lua.h"

#include "lapi.h"
#include "ldo.h"
#include "lgc.h"
#include "lmem.h"
#include "lstate.h"

/* Moves the Lua stack of `L` to another block, of the least size that holds what is in use. */
void host_move_stack(lua_State *L)
{
	luaD_shrinkstack(L);
	luaD_reallocstack(L, L->stacksize);
}

/* Slots of the Lua stack of `L`. */
int host_stack_slots(lua_State *L)
{
	return L->stacksize;
}

/* Sizes of the structures that a state is made of, for the memory report. */
unsigned long host_size_of(int what)
{
	switch (what) {
	case 0: return sizeof(lua_State);
	case 1: return sizeof(global_State);
	case 2: return sizeof(CallInfo);
	case 3: return sizeof(TString);
	case 4: return sizeof(Table);
	case 5: return sizeof(Node);
	case 6: return sizeof(Udata);
	default: return 0;
	}
}

/* Entries and buckets of the string table. */
void host_strings(lua_State *L, int *entries, int *buckets)
{
	*entries = G(L)->strt.nuse;
	*buckets = G(L)->strt.size;
}
