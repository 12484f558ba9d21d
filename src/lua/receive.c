// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a state waits for from other states, and what a letter does when it has come: a coroutine goes on, a callback
 * is called, or nothing happens.
 *
 * A coroutine that waits is a waiter (operation.h) that is due when its letter has come or its time is over; it reads the
 * letter itself, so that an error of doing so is its own. A callback for messages is a registration, one that is called
 * once is a waiter without a thread. What waits for an answer is found by its session. A message goes to the first who
 * waits for its source, then to the callback for it, then to the first who waits for any, then to the callback for any;
 * without one it is dropped, and a query goes back. Context: under the state's lock.
 */
#include <stddef.h>
#include <string.h>

#include "lua.h"

#include "context.h"
#include "lauxlib.h"
#include "transfer.h"

/* node-lua counts down from here. */
#define FIRST_SESSION	2147483647LL

/* The registry's keys of the table of sessions, and of the struct lunatik_contexts. */
static const char sessions, kept;

/* {=== lists ================================================================================== */

static void unlink_receiver(struct lunatik_vm *vm, struct lunatik_receiver *r)
{
	if (!r->link)
		return;
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	else
		vm->contexts->last = r->link;
	r->next = NULL;
	r->link = NULL;
}

void lunatik_receiver_add(struct lunatik_vm *vm, struct lunatik_receiver *r)
{
	r->next = NULL;
	r->link = vm->contexts->last;
	*r->link = r;
	vm->contexts->last = &r->next;
}

static void unlink_watching(struct lunatik_pending *p)
{
	if (!p->link)
		return;
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	p->link = NULL;
}

/* ============================================================================================ }
 * {=== waiters ================================================================================ */

struct lunatik_pending *lunatik_pending_of(struct lunatik_waiter *w)
{
	return lunatik_waiter_data(w);
}

/* The registry lets go of a waiter. */
static void over(lua_State *L, struct lunatik_registration *r)
{
	struct lunatik_pending *p = lunatik_pending_of((struct lunatik_waiter *)
						       ((char *)r - offsetof(struct lunatik_waiter, registration)));

	unlink_receiver(lunatik_vm_of(L), &p->receiver);
	unlink_watching(p);
	if (p->watch) {
		lunatik_letter_unwatch(p->handle, p->watch);
		p->watch = NULL;
	}
	if (p->session) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, &sessions);
		/* To a key that exists nil is assigned without memory. */
		if (lua_rawgeti(L, -1, p->session) != LUA_TNIL) {
			lua_pushnil(L);
			lua_rawseti(L, -3, p->session);
		}
		lua_pop(L, 2);
	}
}

static const struct lunatik_registration_ops pending_ops = { lunatik_waiter_publish, lunatik_waiter_withdraw, over };

long long lunatik_session_new(struct lunatik_vm *vm)
{
	struct lunatik_contexts *contexts = vm->contexts;

	contexts->session = contexts->session > 1 ? contexts->session - 1 : FIRST_SESSION;
	return contexts->session;
}

struct lunatik_waiter *lunatik_pending_push(lua_State *L, int what, long long handle, long long session, int calls)
{
	struct lunatik_waiter *w;
	struct lunatik_pending *p;

	w = lunatik_waiter_push(L, sizeof(*p), calls ? NULL : lunatik_vm_of(L)->top, &pending_ops);
	p = lunatik_pending_of(w);
	memset(p, 0, sizeof(*p));
	p->what = what;
	p->handle = handle;
	p->receiver.handle = handle;
	p->receiver.waiter = w;
	if (session) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, &sessions);
		lua_pushvalue(L, -2);
		lua_rawseti(L, -2, session);
		lua_pop(L, 1);
		p->session = session;
	}
	return w;
}

int lunatik_pending_watch(struct lunatik_vm *vm, struct lunatik_pending *p)
{
	struct lunatik_queue *on = lunatik_context_get(p->handle);
	int watches;

	if (!on)
		return 0;
	watches = lunatik_letter_watch(on, p->watch);
	lunatik_context_put(on);
	if (!watches)
		return 0;
	p->next = vm->contexts->watching;
	p->link = &vm->contexts->watching;
	if (p->next)
		p->next->link = &p->next;
	*p->link = p;
	return 1;
}

/* The state closes: no letter of it watches others any longer. */
void lunatik_contexts_close(struct lunatik_vm *vm)
{
	struct lunatik_pending *p;

	while (vm->contexts && vm->contexts->watching) {
		p = vm->contexts->watching;
		unlink_watching(p);
		lunatik_letter_unwatch(p->handle, p->watch);
		p->watch = NULL;
	}
}

/* ============================================================================================ }
 * {=== callbacks for messages ================================================================= */

static struct lunatik_receiver *receiver_of(struct lunatik_registration *r)
{
	return (struct lunatik_receiver *)((char *)r - offsetof(struct lunatik_receiver, registration));
}

static struct lunatik_receiver *callback_for(struct lunatik_vm *vm, long long handle)
{
	struct lunatik_receiver *r;

	for (r = vm->contexts->first; r; r = r->next) {
		if (!r->waiter && r->handle == handle)
			return r;
	}
	return NULL;
}

/* Ends a callback. */
static void end_callback(struct lunatik_vm *vm, struct lunatik_receiver *r)
{
	unlink_receiver(vm, r);
	lunatik_registration_remove(&r->registration);
	/* The key exists. */
	lua_pushnil(vm->aux);
	lua_rawsetp(vm->aux, LUA_REGISTRYINDEX, r);
}

static void publish(struct lunatik_vm *vm, struct lunatik_registration *registration)
{
	struct lunatik_receiver *r = receiver_of(registration), *before = callback_for(vm, r->handle);

	if (before)
		end_callback(vm, before);
	lunatik_receiver_add(vm, r);
}

static void withdraw(struct lunatik_vm *vm, struct lunatik_registration *registration)
{
	end_callback(vm, receiver_of(registration));
}

static const struct lunatik_registration_ops callback_ops = { publish, withdraw, NULL };

void lunatik_receiver_set(lua_State *L, long long handle)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_receiver *r = lua_newuserdata(L, sizeof(*r));

	memset(r, 0, sizeof(*r));
	r->handle = handle;
	lunatik_registration_init(&r->registration, &callback_ops);
	lua_pushvalue(L, -2);
	lua_setuservalue(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, r);
	switch (lunatik_registration_add(vm, &r->registration, 0)) {
	case LUNATIK_IS_LIVE:
		publish(vm, &r->registration);
		break;
	case LUNATIK_IS_WITHDRAWN:
		end_callback(vm, r);
		break;
	}
}

void lunatik_receiver_unset(lua_State *L, long long handle)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_receiver *r = callback_for(vm, handle);
	struct lunatik_registration *staged, *next;

	if (r)
		end_callback(vm, r);
	for (staged = vm->staged; staged; staged = next) {
		next = staged->next;
		if (staged->ops == &callback_ops && receiver_of(staged)->handle == handle)
			end_callback(vm, receiver_of(staged));
	}
}

/* ============================================================================================ }
 * {=== reading letters ======================================================================== */

static int read_letter(lua_State *L)
{
	struct lunatik_letter *letter = lua_touserdata(L, 1);

	luai_poll(L);
	return lunatik_unpack(L, &letter->parcel);
}

int lunatik_letter_values(lua_State *L, struct lunatik_letter *letter)
{
	struct lunatik_queue *queue = lunatik_vm_of(L)->queue;
	int top = lua_gettop(L), status;

	if (!lua_checkstack(L, 2)) {
		lunatik_letter_return(queue, letter, LUNATIK_NO_REPLY);
		return luaL_error(L, "not enough memory");
	}
	lua_pushcfunction(L, read_letter);
	lua_pushlightuserdata(L, letter);
	status = lua_pcall(L, 1, LUA_MULTRET, 0);
	if (status == LUA_OK) {
		lunatik_letter_done(queue, letter);
		return lua_gettop(L) - top;
	}
	/* Nobody will answer what nobody could read. */
	lunatik_letter_return(queue, letter, LUNATIK_NO_REPLY);
	return lua_error(L);
}

static int callback_over(lua_State *L, int status, lua_KContext ctx)
{
	(void)ctx;
	return lunatik_callback_ended(L, status);
}

/* (letter or NULL, callback, arguments before those of the letter...) */
static int run_callback(lua_State *L)
{
	struct lunatik_letter *letter = lua_touserdata(L, 1);

	lua_pushcfunction(L, lunatik_message_handler);
	lua_replace(L, 1);
	if (letter)
		lunatik_letter_values(L, letter);
	return callback_over(L, lua_pcallk(L, lua_gettop(L) - 2, 0, 1, 0, callback_over), 0);
}

void lunatik_letter_call(lua_State *thread, struct lunatik_chunk *chunk)
{
	int n = lua_gettop(thread);

	lua_pushcfunction(thread, run_callback);
	lua_insert(thread, 1);
	lunatik_take_outcome(thread, lua_resume(thread, NULL, n), chunk);
}

/* ============================================================================================ }
 * {=== what a letter wants ==================================================================== */

static int take_message(struct lunatik_vm *vm, struct lunatik_letter *letter, lua_State **thread)
{
	struct lunatik_receiver *r, *chosen = NULL;
	int rank = 0;

	for (r = vm->contexts ? vm->contexts->first : NULL; r && rank < 4; r = r->next) {
		int mine = r->handle == letter->source ? (r->waiter ? 4 : 3) : r->handle != 0 ? 0 : r->waiter ? 2 : 1;

		if (mine > rank) {
			rank = mine;
			chosen = r;
		}
	}
	r = chosen;
	if (!r) {
		lunatik_letter_return(vm->queue, letter, LUNATIK_NO_REPLY);
		return LUNATIK_EVENT_VOID;
	}
	if (r->waiter) {
		struct lunatik_waiter *w = r->waiter;
		struct lunatik_pending *p = lunatik_pending_of(w);

		unlink_receiver(vm, r);
		p->letter = letter;
		p->came = 1;
		*thread = w->thread;
		return lunatik_waiter_claim(vm, w) ? LUNATIK_EVENT_RESUME : LUNATIK_EVENT_VOID;
	}
	*thread = lunatik_thread_new(vm);
	if (!*thread) {
		lunatik_letter_return(vm->queue, letter, LUNATIK_NO_REPLY);
		return LUNATIK_EVENT_LOST;
	}
	lunatik_generation_inherit(*thread, &r->registration);
	lua_pushlightuserdata(*thread, letter);
	lua_rawgetp(*thread, LUA_REGISTRYINDEX, r);
	lua_getuservalue(*thread, -1);
	lua_remove(*thread, -2);
	lua_pushboolean(*thread, 1);
	lua_pushinteger(*thread, letter->source);
	lua_pushinteger(*thread, letter->session);
	return LUNATIK_EVENT_CALL;
}

/* Pushes what the callback of a waiter, on top of the auxiliary thread, is called with. */
static void push_callback(lua_State *L, lua_State *thread, struct lunatik_pending *p, struct lunatik_letter *letter)
{
	int i;

	lua_pushlightuserdata(thread, letter);
	lua_getuservalue(L, -1);
	lua_xmove(L, thread, 1);
	lua_rawgeti(thread, -1, p->args);
	lua_pushboolean(thread, p->code == 0);
	if (!letter)
		lua_pushinteger(thread, p->code);
	/* Beside result and error, the callback of a wait has its handle and its timeout. */
	for (i = 3; i < p->args; i++)
		lua_rawgeti(thread, 2, i);
	lua_remove(thread, 2);
}

/* True when the letter is what the waiter waits for. */
static int is_for(const struct lunatik_letter *letter, const struct lunatik_pending *p)
{
	if (letter->kind == LUNATIK_LETTER_ROOM)
		return p->what == LUNATIK_WAITS_ROOM;
	if (p->handle != letter->source)
		return 0;
	return p->what == LUNATIK_WAITS_REPLY || (p->what == LUNATIK_WAITS_END && letter->kind == LUNATIK_LETTER_ENDED);
}

static int take_answer(struct lunatik_vm *vm, struct lunatik_letter *letter, lua_State **thread)
{
	lua_State *L = vm->aux;
	struct lunatik_waiter *w;
	struct lunatik_pending *p = NULL;
	int taken = LUNATIK_EVENT_VOID;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &sessions);
	lua_rawgeti(L, -1, letter->session);
	lua_remove(L, -2);
	w = lua_touserdata(L, -1);
	if (w)
		p = lunatik_pending_of(w);
	/* A late one, or not from who was asked. */
	if (!w || !w->live || p->came || !is_for(letter, p)) {
		lunatik_letter_done(vm->queue, letter);
		lua_pop(L, 1);
		return LUNATIK_EVENT_VOID;
	}
	p->came = 1;
	p->code = letter->code;
	if (letter->kind == LUNATIK_LETTER_ENDED) {
		p->watch = NULL;
		/* It has taken the query, and will not answer it any more. */
		if (p->what == LUNATIK_WAITS_REPLY)
			p->code = LUNATIK_NO_REPLY;
	}
	if (letter->kind != LUNATIK_LETTER_REPLY) {
		lunatik_letter_done(vm->queue, letter);
		letter = NULL;
	}
	if (w->thread) {
		p->letter = letter;
		*thread = w->thread;
		if (lunatik_waiter_claim(vm, w))
			taken = LUNATIK_EVENT_RESUME;
	} else if (lunatik_waiter_claim(vm, w)) {
		*thread = lunatik_thread_new(vm);
		if (*thread) {
			lunatik_generation_inherit(*thread, &w->registration);
			push_callback(L, *thread, p, letter);
			taken = LUNATIK_EVENT_CALL;
		} else {
			if (letter)
				lunatik_letter_done(vm->queue, letter);
			taken = LUNATIK_EVENT_LOST;
		}
	} else if (letter) {
		/* Its time is over just now. */
		lunatik_letter_done(vm->queue, letter);
	}
	lua_pop(L, 1);
	return taken;
}

int lunatik_letter_take(struct lunatik_vm *vm, struct lunatik_letter *letter, lua_State **thread)
{
	if (letter->kind == LUNATIK_LETTER_SEND || letter->kind == LUNATIK_LETTER_QUERY)
		return take_message(vm, letter, thread);
	if (vm->contexts)
		return take_answer(vm, letter, thread);
	lunatik_letter_done(vm->queue, letter);
	return LUNATIK_EVENT_VOID;
}

void lunatik_contexts_make(lua_State *L)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_contexts *contexts;

	if (vm->contexts)
		return;
	/* Weak: a waiter for which there was no memory to be armed is kept by nobody. */
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &sessions);
	contexts = lua_newuserdata(L, sizeof(*contexts));
	memset(contexts, 0, sizeof(*contexts));
	contexts->last = &contexts->first;
	contexts->session = FIRST_SESSION + 1;
	lua_rawsetp(L, LUA_REGISTRYINDEX, &kept);
	vm->contexts = contexts;
}

/* ============================================================================================ } */
