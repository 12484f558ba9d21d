// SPDX-License-Identifier: GPL-2.0-only
/*
 * The timer library, in the words of its two ancestors: create and destroy (milliseconds, an object),
 * sleep, timeout, loop and close (seconds, a number).
 *
 * A timer is a userdata whose memory holds the kernel's event (operation.h). While it is armed, or queued
 * to be handled, the registry keeps it (key: its address); its callback and arguments are its user value.
 * Context: under the state's lock; timers have the resolution of hrtimers.
 */
#include <stdint.h>

#include "lua.h"

#include "lauxlib.h"
#include "operation.h"
#include "shim.h"

#define TIMER "ltimer"
/* node-lua's shortest timeout, in nanoseconds. */
#define SHORTEST 1000000ULL
/* 292 years; what does not fit waits as long as that. */
#define LONGEST 9223372036854775807ULL

/* The registry's key of the table of numbered timers. */
static const char numbered;

static unsigned long long nanoseconds(lua_State *L, int arg, double unit)
{
	double ns = (double)luaL_checknumber(L, arg) * unit;

	luaL_argcheck(L, ns == ns, arg, "not a time");
	if (ns < 1)
		return 0;
	if (ns >= 9.2e18)
		return LONGEST;
	return (unsigned long long)(lua_Integer)ns;
}

static void stop(lua_State *L, struct lunatik_waiter *t);

static struct lunatik_waiter *timer_of_registration(struct lunatik_registration *r)
{
	return (struct lunatik_waiter *)((char *)r - offsetof(struct lunatik_waiter, registration));
}

void lunatik_waiter_publish(struct lunatik_vm *vm, struct lunatik_registration *r)
{
	struct lunatik_waiter *t = timer_of_registration(r);

	if (!lunatik_event_arm(lunatik_waiter_event(t), t->due))
		lunatik_waiter_let_go(vm->aux, t);
}

/* Ends a timer; what waits is woken, to be ended. */
void lunatik_waiter_withdraw(struct lunatik_vm *vm, struct lunatik_registration *r)
{
	struct lunatik_waiter *t = timer_of_registration(r);

	if (t->thread == NULL) {
		stop(vm->aux, t);
		return;
	}
	lunatik_threadbits(t->thread) |= LUNATIK_WITHDRAWN;
	lunatik_event_expire(lunatik_waiter_event(t));
}

const struct lunatik_registration_ops lunatik_waiter_ops = { lunatik_waiter_publish, lunatik_waiter_withdraw, NULL };

struct lunatik_waiter *lunatik_waiter_push(lua_State *L, size_t size, lua_State *thread,
					   const struct lunatik_registration_ops *ops)
{
	struct lunatik_waiter *t = lua_newuserdata(L, sizeof(*t) + lunatik_event_size() + size);

	lunatik_registration_init(&t->registration, ops);
	t->thread = thread;
	t->period = 0;
	t->id = 0;
	t->live = 0;
	lunatik_event_init(lunatik_waiter_event(t), lunatik_vm_of(L)->queue, thread != NULL);
	return t;
}

void *lunatik_waiter_data(struct lunatik_waiter *w)
{
	return w->event + lunatik_event_size();
}

/* Pushes an idle timer. */
static struct lunatik_waiter *new_timer(lua_State *L, lua_State *thread)
{
	struct lunatik_waiter *t = lunatik_waiter_push(L, 0, thread, &lunatik_waiter_ops);

	luaL_setmetatable(L, TIMER);
	return t;
}

/* Arms the timer on top of the stack, now or when its script is published, and has the registry keep it. */
static void arm(lua_State *L, struct lunatik_waiter *t, unsigned long long ns)
{
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, t);
	t->due = ns;
	t->live = 1;
	/* What waits for another state is not staged: the other one knows of it already. */
	switch (lunatik_registration_add(lunatik_vm_of(L), &t->registration, t->thread != NULL || t->registration.ops->over)) {
	case LUNATIK_IS_STAGED:
		return;
	case LUNATIK_IS_WITHDRAWN:
		if (t->thread == NULL) {
			lunatik_waiter_let_go(L, t);
			return;
		}
		lunatik_threadbits(t->thread) |= LUNATIK_WITHDRAWN;
		t->due = 0;
		break;
	}
	if (!lunatik_event_arm(lunatik_waiter_event(t), t->due))
		lunatik_waiter_let_go(L, t);
}

void lunatik_waiter_let_go(lua_State *L, struct lunatik_waiter *t)
{
	t->live = 0;
	lunatik_registration_remove(&t->registration);
	if (t->registration.ops->over)
		t->registration.ops->over(L, &t->registration);
	/* The keys exist: neither assignment allocates. */
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, t);
	if (t->id != 0) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, &numbered);
		lua_pushnil(L);
		lua_rawseti(L, -2, t->id);
		lua_pop(L, 1);
	}
}

/* Ends a live timer. */
static void stop(lua_State *L, struct lunatik_waiter *t)
{
	t->live = 0;
	t->period = 0;
	if (lunatik_event_disarm(lunatik_waiter_event(t)))
		lunatik_waiter_let_go(L, t);
}

/* Puts the values `from`..top into a new table on top, as unpack_callback finds them. */
static void pack_callback(lua_State *L, int from)
{
	int top = lua_gettop(L), i;

	lua_createtable(L, top - from + 1, 0);
	for (i = from; i <= top; i++) {
		lua_pushvalue(L, i);
		lua_rawseti(L, -2, i - from + 1);
	}
	lua_pushinteger(L, top - from + 1);
	lua_setfield(L, -2, "n");
}

void lunatik_waiter_callback(lua_State *L, int waiter, int from)
{
	pack_callback(L, from);
	lua_setuservalue(L, waiter);
	lua_settop(L, from - 1);
}

/* Packs the arguments `from`..top, the callback last, into the user value of a new timer on top. */
static struct lunatik_waiter *new_callback(lua_State *L, int from)
{
	struct lunatik_waiter *t;

	luaL_checktype(L, lua_gettop(L), LUA_TFUNCTION);
	pack_callback(L, from);
	t = new_timer(L, NULL);
	lua_insert(L, -2);
	lua_setuservalue(L, -2);
	return t;
}

void lunatik_waiter_arm(lua_State *L, struct lunatik_waiter *w, unsigned long long ns)
{
	arm(L, w, ns);
}

void lunatik_waiter_stop(lua_State *L, struct lunatik_waiter *w)
{
	stop(L, w);
}

int lunatik_waiter_claim(struct lunatik_vm *vm, struct lunatik_waiter *w)
{
	if (!lunatik_event_claim(lunatik_waiter_event(w)))
		return 0;
	lunatik_waiter_let_go(vm->aux, w);
	return 1;
}

unsigned long long lunatik_seconds(lua_State *L, int arg)
{
	unsigned long long ns = nanoseconds(L, arg, 1e9);

	return ns ? ns : LUNATIK_NEVER;
}

void lunatik_spawn(lua_State *L, int n)
{
	arm(L, new_callback(L, lua_gettop(L) - n), 0);
	lua_pop(L, n + 2);
}

/* timer.create(msecs, function) -> timer */
static int timer_create(lua_State *L)
{
	unsigned long long ns = nanoseconds(L, 1, 1e6);

	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	arm(L, new_callback(L, 2), ns);
	return 1;
}

/* timer.destroy(timer) -> true, or nil and a message */
static int timer_destroy(lua_State *L)
{
	struct lunatik_waiter *t = luaL_checkudata(L, 1, TIMER);

	if (!t->live) {
		lua_pushnil(L);
		lua_pushliteral(L, "timer already destroyed");
		return 2;
	}
	stop(L, t);
	lua_pushboolean(L, 1);
	return 1;
}

/* Gives the timer on top a number, arms it and leaves the number. */
static int arm_numbered(lua_State *L, struct lunatik_waiter *t, unsigned long long ns)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &numbered);
	t->id = ++lunatik_vm_of(L)->timers;
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, t->id);
	lua_pop(L, 1);
	arm(L, t, ns);
	lua_pushinteger(L, t->id);
	return 1;
}

/* timer.timeout(seconds, ..., callback) -> number */
static int timer_timeout(lua_State *L)
{
	unsigned long long ns = nanoseconds(L, 1, 1e9);

	return arm_numbered(L, new_callback(L, 2), ns ? ns : SHORTEST);
}

/* timer.loop(interval, repeat, ..., callback) -> number, or nothing when both are 0 */
static int timer_loop(lua_State *L)
{
	unsigned long long first = nanoseconds(L, 1, 1e9);
	unsigned long long period = nanoseconds(L, 2, 1e9);
	struct lunatik_waiter *t = new_callback(L, 3);

	if (first == 0 && period == 0)
		return 0;
	t->period = period;
	return arm_numbered(L, t, first ? first : period);
}

/* timer.close(number): ends a timeout or loop; an unknown number is ignored */
static int timer_close(lua_State *L)
{
	lua_Integer id = luaL_checkinteger(L, 1);
	struct lunatik_waiter *t;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &numbered);
	lua_rawgeti(L, -1, id);
	t = lua_touserdata(L, -1);
	if (t != NULL && t->live)
		stop(L, t);
	return 0;
}

static int slept(lua_State *L, int status, lua_KContext ctx)
{
	(void)status;
	(void)ctx;
	lunatik_threadbits(L) &= ~LUNATIK_WAITING;
	luai_poll(L);
	return 0;
}

/* timer.sleep(seconds): waits */
static int timer_sleep(lua_State *L)
{
	unsigned long long ns = nanoseconds(L, 1, 1e9);

	if (!lunatik_may_wait(L))
		return luaL_error(L, "cannot wait here");
	arm(L, new_timer(L, lunatik_vm_of(L)->top), ns);
	return lunatik_wait(L, 0, slept);
}

/*
 * Waits until lunatik_queue_call calls, behind the others that do so or, with `first`, before them; the
 * continuation finds one value more on the stack. To be returned from a C function.
 */
int lunatik_park(lua_State *L, int first, lua_KContext ctx, lua_KFunction k)
{
	struct lunatik_waiter *t = new_timer(L, lunatik_vm_of(L)->top);
	int parked;

	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, t);
	t->live = 1;
	if (lunatik_registration_add(lunatik_vm_of(L), &t->registration, 1) == LUNATIK_IS_WITHDRAWN) {
		lunatik_threadbits(t->thread) |= LUNATIK_WITHDRAWN;
		parked = lunatik_event_arm(lunatik_waiter_event(t), 0);
	} else {
		parked = lunatik_event_park(lunatik_waiter_event(t), first);
	}
	if (!parked)
		lunatik_waiter_let_go(L, t);
	return lunatik_wait(L, ctx, k);
}

static int timer_tostring(lua_State *L)
{
	lua_pushfstring(L, TIMER ": %p", luaL_checkudata(L, 1, TIMER));
	return 1;
}

static const luaL_Reg functions[] = {
	{ "create", timer_create },
	{ "destroy", timer_destroy },
	{ "sleep", timer_sleep },
	{ "timeout", timer_timeout },
	{ "loop", timer_loop },
	{ "close", timer_close },
	{ NULL, NULL },
};

int lunatik_open_timer(lua_State *L)
{
	luaL_newmetatable(L, TIMER);
	lua_pushcfunction(L, timer_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
	/* Weak: a timer for which there was no memory to be armed is kept by nobody. */
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &numbered);
	luaL_newlib(L, functions);
	return 1;
}

/* --- what the executor calls when an event is due --- */

static struct lunatik_waiter *timer_of(struct lunatik_event *event)
{
	return (struct lunatik_waiter *)((char *)event - offsetof(struct lunatik_waiter, event));
}

static int unpack_callback(lua_State *L)
{
	int n, i;

	lua_getfield(L, 1, "n");
	n = (int)lua_tointeger(L, -1);
	luaL_checkstack(L, n + 2, "too many arguments");
	lua_rawgeti(L, 1, n);
	for (i = 1; i < n; i++)
		lua_rawgeti(L, 1, i);
	return n;
}

/*
 * Takes the due event's timer and pushes what is to be run onto `thread`: a function, its arguments
 * and their number. In a protected call of the auxiliary thread: (thread, timer).
 */
static int prepare(lua_State *L)
{
	lua_State *thread = lua_touserdata(L, 1);
	struct lunatik_waiter *t = lua_touserdata(L, 2);
	int n;

	lua_rawgetp(L, LUA_REGISTRYINDEX, t);
	lua_getuservalue(L, -1);
	lua_replace(L, 1);
	n = unpack_callback(L);
	if (!lua_checkstack(thread, n + 4))
		return luaL_error(L, "not enough memory");
	lua_xmove(L, thread, n);
	/* Nothing raises from here on. */
	if (t->period != 0) {
		if (!lunatik_event_arm(lunatik_waiter_event(t), t->period))
			lunatik_waiter_let_go(L, t);
	} else {
		lunatik_event_done(lunatik_waiter_event(t));
		lunatik_waiter_let_go(L, t);
	}
	return 0;
}

int lunatik_event_take(struct lunatik_vm *vm, struct lunatik_event *event, lua_State **thread)
{
	struct lunatik_waiter *t = timer_of(event);
	lua_State *L = vm->aux;

	if (lunatik_event_cancelled(event)) {
		lunatik_event_done(event);
		lunatik_waiter_let_go(L, t);
		return LUNATIK_EVENT_VOID;
	}
	if (t->thread != NULL) {
		*thread = t->thread;
		lunatik_event_done(event);
		lunatik_waiter_let_go(L, t);
		return LUNATIK_EVENT_RESUME;
	}
	*thread = lunatik_thread_new(vm);
	if (*thread != NULL) {
		lunatik_generation_inherit(*thread, &t->registration);
		lua_pushcfunction(L, prepare);
		lua_pushlightuserdata(L, *thread);
		lua_pushlightuserdata(L, t);
		if (lua_pcall(L, 2, 0, 0) == LUA_OK)
			return LUNATIK_EVENT_CALL;
		lua_pop(L, 1);
		lunatik_thread_free(vm, *thread);
		*thread = NULL;
	}
	/* No memory for a callback: it is lost, and told; a loop goes on. */
	if (t->live && (t->period == 0 || !lunatik_event_arm(lunatik_waiter_event(t), t->period))) {
		lunatik_event_done(event);
		lunatik_waiter_let_go(L, t);
	}
	return LUNATIK_EVENT_LOST;
}
