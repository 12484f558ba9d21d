// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generations: what a `code` script leaves behind appears, and goes, at one instant.
 *
 * A registration is what makes a state act later: a timer, a coroutine that waits, a hook. Those of a
 * `code` script are staged until it ends without error or first waits; then all are published at once,
 * and, if it called lunatik.replace(), those of every earlier `code` script are withdrawn in the same
 * hold of the lock. An error before that discards them. A callback belongs to the generation that
 * registered it; what no `code` script began has generation 0 and is neither staged nor withdrawn.
 *
 * What of a withdrawn generation runs at that instant (in a break) goes on; it can register nothing more,
 * and its next wait ends it. Context: under the state's lock. Nothing here allocates.
 */
#include <stddef.h>

#include "lua.h"

#include "lauxlib.h"
#include "shim.h"

#define GENERATIONS	0x0fffffffU	/* so many before they are numbered anew */

static unsigned int generation_of(lua_State *thread)
{
	return (unsigned int)(lunatik_threadbits(thread) >> LUNATIK_GENERATION) & GENERATIONS;
}

/* True when `generation` is older than the one that replaced all before it. */
static int is_withdrawn(const struct lunatik_vm *vm, unsigned int generation)
{
	return generation != 0 && vm->replaced != 0 && ((generation - vm->replaced) & GENERATIONS) > GENERATIONS / 2;
}

static void link_to(struct lunatik_registration **list, struct lunatik_registration *r)
{
	r->next = *list;
	r->link = list;
	if (r->next)
		r->next->link = &r->next;
	*list = r;
}

/* Makes a registration that is nowhere. */
void lunatik_registration_init(struct lunatik_registration *r, const struct lunatik_registration_ops *ops)
{
	r->next = NULL;
	r->link = NULL;
	r->ops = ops;
	r->generation = 0;
}

/*
 * Enters a registration of what runs now. LUNATIK_IS_LIVE: it takes effect here and now, by the caller;
 * LUNATIK_IS_STAGED: when it is published; LUNATIK_IS_WITHDRAWN: never, it was not entered. A wait is not
 * staged: its script is published by it.
 */
int lunatik_registration_add(struct lunatik_vm *vm, struct lunatik_registration *r, int waits)
{
	r->generation = generation_of(vm->top);
	if (is_withdrawn(vm, r->generation))
		return LUNATIK_IS_WITHDRAWN;
	if (vm->top == vm->staging && !waits) {
		link_to(&vm->staged, r);
		return LUNATIK_IS_STAGED;
	}
	link_to(&vm->live, r);
	return LUNATIK_IS_LIVE;
}

/* Takes a registration out, wherever it is. */
void lunatik_registration_remove(struct lunatik_registration *r)
{
	if (!r->link)
		return;
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	r->next = NULL;
	r->link = NULL;
}

/* A callback that `r` led to runs on `thread`, as a part of its generation. */
void lunatik_generation_inherit(lua_State *thread, const struct lunatik_registration *r)
{
	lunatik_threadbits(thread) |= (unsigned long)r->generation << LUNATIK_GENERATION;
}

/* A `code` script begins on `thread`. */
void lunatik_generation_begin(lua_State *thread)
{
	struct lunatik_vm *vm = lunatik_vm_of(thread);

	vm->generation = (vm->generation + 1) & GENERATIONS;
	if (vm->generation == 0)
		vm->generation = 1;
	vm->staging = thread;
	vm->replaces = 0;
	lunatik_threadbits(thread) |= (unsigned long)vm->generation << LUNATIK_GENERATION;
}

/*
 * Publishes what the last `code` script staged, if `good`, and then withdraws what it replaces, so that who looks without
 * the lock (a hook, for whether a packet is anybody's) never finds neither; else discards it, and what became live of it since.
 */
static void settle(struct lunatik_vm *vm, int good)
{
	struct lunatik_registration *r, *next;

	/* The list has the last one first; they take effect in the order in which they were made. */
	for (r = vm->staged; r && r->next; r = r->next)
		;
	while (r) {
		/* `link` points into the one before, or at the head of the list. */
		struct lunatik_registration *before = r->link == &vm->staged ? NULL :
			(struct lunatik_registration *)((char *)r->link - offsetof(struct lunatik_registration, next));

		lunatik_registration_remove(r);
		if (good) {
			link_to(&vm->live, r);
			r->ops->publish(vm, r);
		} else {
			r->ops->withdraw(vm, r);
		}
		r = before;
	}
	if (good && vm->replaces)
		vm->replaced = vm->generation;
	for (r = vm->live; r; r = next) {
		next = r->next;
		if (good ? vm->replaces && is_withdrawn(vm, r->generation) : r->generation == vm->generation)
			r->ops->withdraw(vm, r);
	}
}

/* The `code` script on `thread` has ended, or waits for the first time: `good` to publish what it staged. */
void lunatik_generation_end(lua_State *thread, int good)
{
	struct lunatik_vm *vm = lunatik_vm_of(thread);

	if (vm->staging != thread)
		return;
	vm->staging = NULL;
	settle(vm, good);
}

/* The same, but what it staged waits for lunatik_generation_settle, which comes before the next `code` script. */
void lunatik_generation_hold(lua_State *thread)
{
	struct lunatik_vm *vm = lunatik_vm_of(thread);

	if (vm->staging == thread)
		vm->staging = NULL;
}

void lunatik_generation_settle(struct lunatik_vm *vm, int good)
{
	settle(vm, good);
}

/*
 * lunatik.replace(): once this script ends without error or first waits, the timers, hooks and waiting
 * coroutines of the state's earlier `code` scripts are gone.
 */
int lunatik_replace(lua_State *L)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);

	if (vm->staging == NULL || vm->top != vm->staging)
		return luaL_error(L, "replace: only in a 'code' script that has not waited yet");
	vm->replaces = 1;
	return 0;
}
