// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations: what a coroutine waits for while a work item of the kernel does it (see operation.h).
 *
 * Context: under the state's lock.
 */
#include "lua.h"

#include "operation.h"
#include "shim.h"

/* Lies between the kernel's operation and the data. */
struct continuation {
	lua_KFunction k;
	lua_KContext ctx;
	char data[];
};

static struct continuation *continuation_of(struct lunatik_waiter *operation)
{
	return (struct continuation *)(operation->event + lunatik_op_size());
}

void *lunatik_operation_data(struct lunatik_waiter *operation)
{
	return continuation_of(operation)->data;
}

void *lunatik_operation_push(lua_State *L, size_t size, void (*run)(void *data))
{
	struct lunatik_waiter *operation;

	operation = lua_newuserdata(L, sizeof(*operation) + lunatik_op_size() + sizeof(struct continuation) + size);
	lunatik_registration_init(&operation->registration, &lunatik_waiter_ops);
	operation->thread = lunatik_vm_of(L)->top;
	operation->period = 0;
	operation->id = 0;
	operation->live = 0;
	lunatik_op_init(lunatik_waiter_event(operation), lunatik_vm_of(L)->queue, run, lunatik_operation_data(operation));
	return lunatik_operation_data(operation);
}

int lunatik_operation_possible(lua_State *L)
{
	return lunatik_wait_here(lunatik_vm_of(L), NULL) || lunatik_may_wait(L);
}

static int go_on(lua_State *L, int status, lua_KContext ctx)
{
	struct continuation *c = continuation_of(lua_touserdata(L, -1));

	(void)ctx;
	lunatik_threadbits(L) &= ~LUNATIK_WAITING;
	/* Who was cancelled does not see the result. */
	luai_poll(L);
	return c->k(L, status, c->ctx);
}

void lunatik_operation_wait(lua_State *L, lua_KContext ctx, lua_KFunction k)
{
	struct lunatik_waiter *operation = lua_touserdata(L, -1);

	continuation_of(operation)->k = k;
	continuation_of(operation)->ctx = ctx;
	if (lunatik_wait_here(lunatik_vm_of(L), lunatik_waiter_event(operation))) {
		luai_poll(L);
		return;
	}
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, operation);
	/* Of a withdrawn generation: it is done all the same, and ends the thread. */
	if (lunatik_registration_add(lunatik_vm_of(L), &operation->registration, 1) == LUNATIK_IS_WITHDRAWN)
		lunatik_threadbits(operation->thread) |= LUNATIK_WITHDRAWN;
	operation->live = lunatik_op_start(lunatik_waiter_event(operation));
	lunatik_wait(L, 0, go_on);
}
