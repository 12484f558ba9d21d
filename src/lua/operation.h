/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What waits for an event of the executor (src/kapi/event.c): the head of a timer, of an operation, and of what waits
 * for another state.
 *
 * Both are userdata. While the event is armed, or queued to be handled, the registry keeps the userdata (key:
 * its address). A new kind of operation is a function that may sleep and the data it works on: operation.c does
 * the rest, lunatik_event_take in timer.c hands the thread back.
 */
#ifndef LUNATIK_OPERATION_H
#define LUNATIK_OPERATION_H

#include "lua.h"
#include "shim.h"

struct lunatik_waiter {
	struct lunatik_registration registration;
	unsigned long long due;	/* of a timer: how long after it is armed, in nanoseconds; of a socket: the deadline */
	lua_State *thread;	/* to be resumed when it is due, or NULL: a timer's callback is called */
	unsigned long long period;	/* of a timer's loop, in nanoseconds; 0: once */
	lua_Integer id;		/* of a timer with a number, 0 for none */
	int live;		/* staged, armed, or due and not yet handled */
	int padding;
	char event[];		/* struct lunatik_event, or the operation that begins with one */
};

static inline struct lunatik_event *lunatik_waiter_event(struct lunatik_waiter *w)
{
	return (struct lunatik_event *)w->event;
}

/* What generations do with one (timer.c). */
extern const struct lunatik_registration_ops lunatik_waiter_ops;
void lunatik_waiter_publish(struct lunatik_vm *vm, struct lunatik_registration *r);
void lunatik_waiter_withdraw(struct lunatik_vm *vm, struct lunatik_registration *r);

/* --- waiters that others make due (timer.c) --- */

/* A time that never comes. */
#define LUNATIK_NEVER (~0ULL)

/*
 * Pushes an idle waiter with `size` bytes of data, not zeroed: `thread` is to go on, or, without one, the callback in its
 * user value is called (lunatik_waiter_callback).
 */
struct lunatik_waiter *lunatik_waiter_push(lua_State *L, size_t size, lua_State *thread,
					   const struct lunatik_registration_ops *ops);
void *lunatik_waiter_data(struct lunatik_waiter *w);
/* Makes the values `from`..top, a function last, what a waiter below them on the stack calls with the others; pops them. */
void lunatik_waiter_callback(lua_State *L, int waiter, int from);
/* Arms the waiter on top; due in so many nanoseconds. May raise. */
void lunatik_waiter_arm(lua_State *L, struct lunatik_waiter *w, unsigned long long ns);
/* Ends a live waiter without its turn. */
void lunatik_waiter_stop(lua_State *L, struct lunatik_waiter *w);
/*
 * From the executor: takes a waiter out of its hands, to go on at once; false when it is due, and has its turn anyway.
 * It stays a value only where the stack keeps it.
 */
int lunatik_waiter_claim(struct lunatik_vm *vm, struct lunatik_waiter *w);
/* A time in seconds, as nanoseconds; LUNATIK_NEVER unless above 0. Raises for what is no number. */
unsigned long long lunatik_seconds(lua_State *L, int arg);

/* It is not live any more: nothing keeps it. Never raises (timer.c). */
void lunatik_waiter_let_go(lua_State *L, struct lunatik_waiter *w);

/*
 * Pushes an operation with `size` bytes of data, which are not zeroed, and returns the data. `run` will be
 * called with it in process context, without the state's lock, and may sleep; it must end by itself. May raise.
 */
void *lunatik_operation_push(lua_State *L, size_t size, void (*run)(void *data));

/* The data of an operation. */
void *lunatik_operation_data(struct lunatik_waiter *operation);

/* True when an operation can be waited for: not in a hook, in lunatik.atomic or __gc, or below a C function. */
int lunatik_operation_possible(lua_State *L);

/*
 * Waits for the operation on top. Whoever waits for the script's outcome goes on waiting, and this returns when
 * it is done; in the background the coroutine yields: this does not return, and `k` is called with the operation
 * on top again. lunatik_operation_possible was asked before, and nothing has run since.
 */
void lunatik_operation_wait(lua_State *L, lua_KContext ctx, lua_KFunction k);

#endif
