/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the library `context` share: context.c (its functions), receive.c (what a state waits for, and what
 * letters do), spawn.c (new contexts).
 */
#ifndef LUNATIK_CONTEXT_H
#define LUNATIK_CONTEXT_H

#include "lua.h"
#include "letter.h"
#include "operation.h"
#include "shim.h"

/* node-lua's error numbers that are used by name. */
#define NUMBER_AGAIN		4	/* resource temporarily unavailable */
#define NUMBER_INVALID		18
#define NUMBER_NO_BUFFERS	25
#define NUMBER_NO_MEMORY	26
#define NUMBER_NAME_TOO_LONG	49
#define NUMBER_NOT_PERMITTED	50
#define NUMBER_CANCELLED	59
#define NUMBER_NO_CONTEXT	205
#define NUMBER_DATA_TYPE	206
#define NUMBER_TIMEOUT		208
#define NUMBER_TOO_LONG		210

/* Who waits for messages of one state, or of any: a coroutine, or a callback. */
struct lunatik_receiver {
	struct lunatik_receiver *next, **link;	/* in the order in which they came; `link` NULL when in no list */
	long long handle;		/* 0: of any */
	struct lunatik_waiter *waiter;	/* of a coroutine; NULL: the user value is called, again and again */
	struct lunatik_registration registration;	/* of a callback */
};

enum lunatik_pending_what { LUNATIK_WAITS_MESSAGE, LUNATIK_WAITS_REPLY, LUNATIK_WAITS_END, LUNATIK_WAITS_ROOM };

/* The data of a waiter: what a coroutine, or a callback that is called once, waits for. */
struct lunatik_pending {
	struct lunatik_receiver receiver;	/* LUNATIK_WAITS_MESSAGE */
	struct lunatik_pending *next, **link;	/* among those with a letter that watches */
	struct lunatik_letter *watch;
	struct lunatik_letter *letter;	/* that came, not yet read */
	long long handle;		/* of the other state */
	long long session;		/* its key in the table of sessions; 0 for none */
	int what;
	int came, code;
	int args;			/* of a callback: the length of its user value, itself included */
};

/* One per state: a userdata that the registry keeps. */
struct lunatik_contexts {
	struct lunatik_receiver *first, **last;
	struct lunatik_pending *watching;
	long long session;		/* the last one given */
	size_t limit;			/* of contexts to come, in bytes; 0: the default */
};

/* --- receive.c --- */

/* Makes what a state keeps, if that is not done. May raise. */
void lunatik_contexts_make(lua_State *L);
long long lunatik_session_new(struct lunatik_vm *vm);
/* Pushes an idle waiter for `what`; with a session it is found by it from now on. May raise. */
struct lunatik_waiter *lunatik_pending_push(lua_State *L, int what, long long handle, long long session, int calls);
struct lunatik_pending *lunatik_pending_of(struct lunatik_waiter *w);
/* Has a letter watch the state of that handle for a waiter; false when there is no such state. */
int lunatik_pending_watch(struct lunatik_vm *vm, struct lunatik_pending *p);
/* Enters a coroutine that waits as a receiver. */
void lunatik_receiver_add(struct lunatik_vm *vm, struct lunatik_receiver *r);
/* Makes the function on top the callback for `handle` in place of the one before; without one ends that. May raise. */
void lunatik_receiver_set(lua_State *L, long long handle);
void lunatik_receiver_unset(lua_State *L, long long handle);
/* Pushes what is in a letter of the state's, which is gone then, and returns how many values that is. May raise. */
int lunatik_letter_values(lua_State *L, struct lunatik_letter *letter);

/* --- spawn.c --- */

int lunatik_context_file(lua_State *L);
int lunatik_context_text(lua_State *L);
int lunatik_context_limit(lua_State *L);

#endif
