// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library `context`, in the words of node-lua: messages between states, by handle.
 *
 * A context is a state; every state has a handle. A message is packed by its sender, outside of the receiver, and goes
 * through the receiver's queue (src/kapi/letters.c). The results begin with a boolean; after false comes an error number.
 * Context: under the state's lock; what waits yields to the executor.
 */
#include "lua.h"

#include "context.h"
#include "lauxlib.h"
#include "transfer.h"

/* {=== results ================================================================================ */

struct text {
	int number;
	const char *text;
};

static const struct text texts[] = {
	{ -1, "unknown error" },
	{ 0, "success" },
	{ 1, "end of file" },
	{ 3, "permission denied" },
	{ 4, "resource temporarily unavailable" },
	{ 5, "address already in use" },
	{ 6, "address not available" },
	{ 7, "address family not supported" },
	{ 9, "bad file descriptor" },
	{ 11, "software caused connection abort" },
	{ 12, "connection refused" },
	{ 13, "connection reset by peer" },
	{ 16, "host is unreachable" },
	{ 17, "interrupted system call" },
	{ 18, "invalid argument" },
	{ 19, "socket is already connected" },
	{ 20, "too many open files" },
	{ 21, "message too long" },
	{ 23, "network is unreachable" },
	{ 25, "no buffer space available" },
	{ 26, "not enough memory" },
	{ 31, "socket is not connected" },
	{ 34, "no such file or directory" },
	{ 36, "broken pipe" },
	{ 40, "connection timed out" },
	{ 49, "name too long" },
	{ 50, "operation not permitted" },
	{ 59, "operation canceled" },
	{ 200, "attempt to yield across a C-call boundary" },
	{ 201, "yielding up finalize error" },
	{ 202, "attempt to yield across a stack-less coroutine" },
	{ 203, "tcp socket has been closed" },
	{ 204, "tcp listen socket has been closed" },
	{ 205, "context not exist or has been killed" },
	{ 206, "transfer data type not supported" },
	{ 207, "no reply" },
	{ 208, "timeout" },
	{ 209, "tcp socket not set write shared" },
	{ 210, "attempt to send data too long" },
};

/* context.strerror(number) -> string */
static int strerror(lua_State *L)
{
	lua_Integer number = luaL_checkinteger(L, 1);
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].number == number) {
			lua_pushstring(L, texts[i].text);
			return 1;
		}
	}
	lua_pushliteral(L, "Unknown system error");
	return 1;
}

static int succeeded(lua_State *L)
{
	lua_pushboolean(L, 1);
	return 1;
}

static int failed(lua_State *L, int number)
{
	lua_pushboolean(L, 0);
	lua_pushinteger(L, number);
	return 2;
}

static int number_of(int err)
{
	switch (err) {
	case -LUNATIK_GONE:
		return NUMBER_NO_CONTEXT;
	case -LUNATIK_FULL:
		return NUMBER_AGAIN;
	case -LUNATIK_TOO_LONG:
		return NUMBER_TOO_LONG;
	default:
		return NUMBER_NO_MEMORY;
	}
}

static void check_may_wait(lua_State *L)
{
	luai_poll(L);
	if (!lunatik_may_wait(L))
		luaL_error(L, "cannot wait here");
}

/* The waiter of a coroutine that goes on; it is on top. */
static struct lunatik_pending *woken(lua_State *L)
{
	lunatik_threadbits(L) &= ~LUNATIK_WAITING;
	return lunatik_pending_of(lua_touserdata(L, -1));
}

/* ============================================================================================ }
 * {=== sending ================================================================================ */

/* What make_waiter makes. */
struct wait {
	int what;
	long long handle, session;
	unsigned long long ns;
};

/* In a protected call: (struct wait, what a callback is called with and itself, if any...) -> an armed waiter */
static int make_waiter(lua_State *L)
{
	const struct wait *wait = lua_touserdata(L, 1);
	int args = lua_gettop(L) - 1;
	struct lunatik_waiter *w = lunatik_pending_push(L, wait->what, wait->handle, wait->session, args > 0);

	lunatik_pending_of(w)->args = args;
	lua_insert(L, 2);
	if (args > 0)
		lunatik_waiter_callback(L, 2, 3);
	lunatik_waiter_arm(L, w, wait->ns);
	return 1;
}

/* Replaces the top `args` values by an armed waiter; 1 when an error is on top instead. */
static int push_waiter(lua_State *L, const struct wait *wait, int args, struct lunatik_waiter **w)
{
	lua_pushcfunction(L, make_waiter);
	lua_insert(L, -(args + 1));
	lua_pushlightuserdata(L, (void *)wait);
	lua_insert(L, -(args + 1));
	if (lua_pcall(L, args + 1, 1, 0) != LUA_OK)
		return 1;
	*w = lua_touserdata(L, -1);
	return 0;
}

/* Has an armed waiter be told of the other state's end: 0 or a negative errno. */
static int watch(lua_State *L, struct lunatik_waiter *w, long long session)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_pending *p = lunatik_pending_of(w);

	/* Of what could not be armed the state is closing. */
	if (!w->live)
		return -LUNATIK_GONE;
	p->watch = lunatik_letter_new(vm->queue, LUNATIK_LETTER_ENDED, session, 1);
	if (!p->watch)
		return -LUNATIK_NO_MEMORY;
	if (lunatik_pending_watch(vm, p))
		return 0;
	lunatik_letter_free(p->watch);
	p->watch = NULL;
	return -LUNATIK_GONE;
}

static int got_room(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_pending *p = woken(L);

	(void)status;
	(void)ctx;
	luai_poll(L);
	return p->code ? failed(L, number_of(-p->code)) : succeeded(L);
}

/* The error on top is raised, with the line of the caller. */
static int raise(lua_State *L)
{
	if (lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

/*
 * A letter with the values from index `from` to `to`. 0; or a negative errno; or 1 when an error is to be raised, which
 * is on top.
 */
static int pack(lua_State *L, int kind, long long session, int from, int to, struct lunatik_letter **letter)
{
	int top = lua_gettop(L), i, err;

	*letter = lunatik_letter_new(lunatik_vm_of(L)->queue, kind, session, 0);
	if (!*letter)
		return -LUNATIK_NO_MEMORY;
	if (to < top) {
		/* Without the callback, which stands behind them. */
		if (!lua_checkstack(L, to - from + 1)) {
			lunatik_letter_free(*letter);
			return -LUNATIK_NO_MEMORY;
		}
		for (i = from; i <= to; i++)
			lua_pushvalue(L, i);
		from = top + 1;
	}
	err = lunatik_pack(L, from, &(*letter)->parcel);
	if (err)
		lunatik_letter_free(*letter);
	if (err <= 0)
		lua_settop(L, top);
	return err;
}

/* The letter waits for room, and its sender with it. */
static int wait_for_room(lua_State *L, struct lunatik_queue *to, struct lunatik_letter *letter)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct wait wait = { LUNATIK_WAITS_ROOM, lunatik_queue_handle(to), lunatik_session_new(vm), LUNATIK_NEVER };
	struct lunatik_waiter *w;
	int err = -LUNATIK_NO_MEMORY;

	letter->receipt = lunatik_letter_new(vm->queue, LUNATIK_LETTER_ROOM, wait.session, 1);
	if (letter->receipt) {
		if (push_waiter(L, &wait, 0, &w)) {
			lunatik_context_put(to);
			lunatik_letter_free(letter);
			return lua_error(L);
		}
		err = lunatik_letter_queue(to, vm->queue, letter);
		if (err == 1) {
			lunatik_context_put(to);
			return lunatik_wait(L, 0, got_room);
		}
		lunatik_waiter_stop(L, w);
	}
	lunatik_context_put(to);
	if (err == 0)
		return succeeded(L);
	lunatik_letter_free(letter);
	return failed(L, number_of(err));
}

/* Sends the values from index `from` to the top. */
static int post(lua_State *L, int kind, long long handle, long long session, int from)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_queue *to = lunatik_context_get(handle);
	struct lunatik_letter *letter, *failure;
	int err;

	if (!to)
		return failed(L, NUMBER_NO_CONTEXT);
	err = pack(L, kind, session, from, lua_gettop(L), &letter);
	if (err == 0) {
		err = lunatik_letter_post(to, letter);
		if (err == -LUNATIK_FULL && lunatik_may_wait(L))
			return wait_for_room(L, to, letter);
		if (err)
			lunatik_letter_free(letter);
	} else if (err == 1 && kind == LUNATIK_LETTER_REPLY) {
		/* Who asked is told, too. */
		failure = lunatik_letter_new(vm->queue, LUNATIK_LETTER_FAILED, session, 1);
		if (failure) {
			failure->code = NUMBER_DATA_TYPE;
			if (lunatik_letter_post(to, failure))
				lunatik_letter_free(failure);
		}
	}
	lunatik_context_put(to);
	if (err == 1)
		return raise(L);
	return err ? failed(L, number_of(err)) : succeeded(L);
}

/* context.send(handle, data...) -> true, or false and a number; waits only while the receiver's queue is full */
static int send(lua_State *L)
{
	lua_Integer handle = luaL_checkinteger(L, 1);

	luaL_checkany(L, 2);
	return post(L, LUNATIK_LETTER_SEND, handle, -1, 2);
}

/* context.reply(handle, session, data...) -> the same */
static int reply(lua_State *L)
{
	lua_Integer handle = luaL_checkinteger(L, 1);
	lua_Integer session = luaL_checkinteger(L, 2);

	luaL_checkany(L, 3);
	/* That of a send: nobody waits. */
	if (session < 0)
		return succeeded(L);
	return post(L, LUNATIK_LETTER_REPLY, handle, session, 3);
}

/* ============================================================================================ }
 * {=== asking ================================================================================= */

static int got_reply(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_pending *p = woken(L);

	(void)status;
	(void)ctx;
	if (p->letter) {
		lua_pushboolean(L, 1);
		return 1 + lunatik_letter_values(L, p->letter);
	}
	luai_poll(L);
	return failed(L, p->came ? p->code : NUMBER_TIMEOUT);
}

/* Asks with the values from index `from` on. */
static int ask(lua_State *L, unsigned long long ns, int from)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct wait wait = { LUNATIK_WAITS_REPLY, luaL_checkinteger(L, 1), 0, ns };
	int top = lua_gettop(L), calls = lua_isfunction(L, top);
	struct lunatik_letter *letter;
	struct lunatik_waiter *w;
	struct lunatik_queue *to;
	int err, args = 0;

	if (top - calls < from)
		return luaL_error(L, "no data to be sent");
	if (!calls)
		check_may_wait(L);
	to = lunatik_context_get(wait.handle);
	if (!to)
		return failed(L, NUMBER_NO_CONTEXT);
	wait.session = lunatik_session_new(vm);
	err = pack(L, LUNATIK_LETTER_QUERY, wait.session, from, top - calls, &letter);
	if (err) {
		lunatik_context_put(to);
		return err == 1 ? raise(L) : failed(L, number_of(err));
	}
	if (calls) {
		failed(L, NUMBER_TIMEOUT);
		lua_pushvalue(L, top);
		args = 3;
	}
	if (push_waiter(L, &wait, args, &w)) {
		lunatik_context_put(to);
		lunatik_letter_free(letter);
		return lua_error(L);
	}
	/* Should the other end without a reply, that is told. */
	err = watch(L, w, wait.session);
	/* It may have to wait for room; so does who asks. */
	if (err == 0)
		err = lunatik_letter_queue(to, vm->queue, letter);
	lunatik_context_put(to);
	if (err < 0) {
		lunatik_letter_free(letter);
		if (w->live)
			lunatik_waiter_stop(L, w);
		return failed(L, number_of(err));
	}
	if (!calls)
		return lunatik_wait(L, 0, got_reply);
	lua_pushboolean(L, 1);
	lua_pushinteger(L, wait.session);
	return 2;
}

/*
 * context.query(handle, data...) -> true and the reply, or false and a number; waits.
 * context.query(handle, data..., callback) -> true, session; callback(result, reply... or number) once
 */
static int query(lua_State *L)
{
	return ask(L, LUNATIK_NEVER, 2);
}

/* context.timed_query(handle, seconds, data...[, callback]): the same, no longer than that */
static int timed_query(lua_State *L)
{
	luaL_checkinteger(L, 1);
	return ask(L, lunatik_seconds(L, 2), 3);
}

/* ============================================================================================ }
 * {=== receiving ============================================================================== */

static int received(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_pending *p = woken(L);

	(void)status;
	(void)ctx;
	if (!p->letter) {
		luai_poll(L);
		failed(L, NUMBER_TIMEOUT);
		lua_pushinteger(L, 0);
		lua_pushinteger(L, -1);
		return 4;
	}
	lua_pushboolean(L, 1);
	lua_pushinteger(L, p->letter->source);
	lua_pushinteger(L, p->letter->session);
	return 3 + lunatik_letter_values(L, p->letter);
}

/*
 * context.recv(handle[, seconds]) -> true, source, session, data..., or false, number, 0, -1; waits. Handle 0: from any.
 * context.recv(handle, callback): callback(true, source, session, data...) each time. context.recv(handle, nil) ends that.
 */
static int recv(lua_State *L)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	lua_Integer handle = luaL_checkinteger(L, 1);
	unsigned long long ns = LUNATIK_NEVER;
	struct lunatik_waiter *w;

	switch (lua_type(L, 2)) {
	case LUA_TNIL:
		lunatik_receiver_unset(L, handle);
		return 0;
	case LUA_TFUNCTION:
		lua_settop(L, 2);
		lunatik_receiver_set(L, handle);
		return 0;
	case LUA_TNONE:
		break;
	default:
		ns = lunatik_seconds(L, 2);
	}
	check_may_wait(L);
	w = lunatik_pending_push(L, LUNATIK_WAITS_MESSAGE, handle, 0, 0);
	lunatik_waiter_arm(L, w, ns);
	/* Of one that could not be armed the state is closing. */
	if (w->live)
		lunatik_receiver_add(vm, &lunatik_pending_of(w)->receiver);
	return lunatik_wait(L, 0, received);
}

/* ============================================================================================ }
 * {=== ends =================================================================================== */

static int has_ended(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_pending *p = woken(L);

	(void)status;
	(void)ctx;
	luai_poll(L);
	if (!p->came)
		return failed(L, NUMBER_TIMEOUT);
	lua_pushboolean(L, 1);
	lua_pushinteger(L, 0);
	return 2;
}

/* Takes back the callbacks that wait for the end of a state. */
static void unwait(lua_State *L, long long handle)
{
	struct lunatik_pending *p, *next;

	for (p = lunatik_vm_of(L)->contexts->watching; p; p = next) {
		next = p->next;
		if (p->handle == handle && p->what == LUNATIK_WAITS_END && !p->receiver.waiter->thread)
			lunatik_waiter_stop(L, p->receiver.waiter);
	}
}

/*
 * context.wait(handle[, seconds]) -> true, 0 once it has ended, or false and a number; waits.
 * context.wait(handle[, seconds], callback): callback(result, error, handle[, seconds]) once.
 * context.wait(handle, nil) withdraws callbacks.
 */
static int wait(lua_State *L)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct wait wait = { LUNATIK_WAITS_END, luaL_checkinteger(L, 1), 0, LUNATIK_NEVER };
	int top = lua_gettop(L), calls = lua_isfunction(L, 2) ? 2 : 0, args = 0, err;
	struct lunatik_waiter *w;

	luaL_argcheck(L, wait.handle != 0, 1, "invalid context handle to wait");
	if (wait.handle == lunatik_queue_handle(vm->queue))
		return luaL_error(L, "can't wait self to die away");
	if (!calls && top >= 2) {
		if (lua_isnil(L, 2)) {
			unwait(L, wait.handle);
			return 0;
		}
		wait.ns = lunatik_seconds(L, 2);
		if (top >= 3) {
			luaL_argcheck(L, lua_isfunction(L, 3), 3, "function expected");
			calls = 3;
		}
	}
	if (!calls)
		check_may_wait(L);
	wait.session = lunatik_session_new(vm);
	if (calls) {
		failed(L, NUMBER_TIMEOUT);
		lua_pushvalue(L, 1);
		if (calls == 3)
			lua_pushvalue(L, 2);
		lua_pushvalue(L, calls);
		args = calls + 2;
	}
	if (push_waiter(L, &wait, args, &w))
		return lua_error(L);
	err = watch(L, w, wait.session);
	if (err) {
		if (w->live)
			lunatik_waiter_stop(L, w);
		return failed(L, number_of(err));
	}
	return calls ? 0 : lunatik_wait(L, 0, has_ended);
}

/*
 * context.destroy([handle][, message]): ends that state, or this one, once what it was sent before is done; the message
 * goes to the log.
 */
static int destroy(lua_State *L)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	long long self = lunatik_queue_handle(vm->queue), handle = self;
	const char *message = NULL;
	struct lunatik_queue *target;
	size_t len;

	if (lua_type(L, 1) == LUA_TSTRING) {
		message = lua_tostring(L, 1);
	} else {
		if (!lua_isnoneornil(L, 1))
			handle = luaL_checkinteger(L, 1);
		message = luaL_optstring(L, 2, NULL);
	}
	target = lunatik_context_get(handle);
	if (!target)
		return 0;
	if (handle == self)
		lunatik_end_after(vm);
	else
		lunatik_context_leave(target);
	lunatik_context_put(target);
	if (message) {
		lua_pushfstring(L, "context %I killed by context %I, %s", (LUAI_UACINT)handle, (LUAI_UACINT)self, message);
		message = lua_tolstring(L, -1, &len);
		lunatik_print_line(L, message, len);
	}
	return 0;
}

/* ============================================================================================ }
 * {=== the rest =============================================================================== */

/* context.find(name) -> the handle of the state of that name, or nil */
static int find(lua_State *L)
{
	long long handle = lunatik_context_find(luaL_checkstring(L, 1));

	if (handle == 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, handle);
	return 1;
}

/* context.thread() -> the CPU that runs this, counted from 0 */
static int thread(lua_State *L)
{
	lua_pushinteger(L, lunatik_cpu());
	return 1;
}

static const luaL_Reg functions[] = {
	{ "create", lunatik_context_file },
	{ "spawn", lunatik_context_text },
	{ "limit", lunatik_context_limit },
	{ "destroy", destroy },
	{ "send", send },
	{ "query", query },
	{ "timed_query", timed_query },
	{ "reply", reply },
	{ "recv", recv },
	{ "wait", wait },
	{ "find", find },
	{ "strerror", strerror },
	{ "thread", thread },
	{ NULL, NULL },
};

int lunatik_open_context(lua_State *L)
{
	struct lunatik_queue *queue = lunatik_vm_of(L)->queue;

	lunatik_contexts_make(L);
	lua_createtable(L, 0, (int)(sizeof(functions) / sizeof(functions[0])) + 2);
	luaL_setfuncs(L, functions, 0);
	lua_pushinteger(L, lunatik_queue_handle(queue));
	lua_setfield(L, -2, "self");
	lua_pushinteger(L, lunatik_queue_parent(queue));
	lua_setfield(L, -2, "parent");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "winos");
	return 1;
}

/* ============================================================================================ } */
