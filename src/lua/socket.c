// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets of a state, Lua's half: calls, and coroutines that wait for one (socket.h, sock.h).
 *
 * Who waits is a watch, a userdata like a timer; the coroutine keeps it on top of its stack from one try to the next, and
 * the registry while it is armed. Context: under the state's lock.
 */
#include <stddef.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "operation.h"
#include "socket.h"

#define FOREVER	(~0ULL)
/* Where nothing tells when to try again, so often it is tried, in nanoseconds. */
#define BLIND	10000000ULL

struct lunatik_socket *lunatik_socket_push(lua_State *L, size_t size, const char *metatable)
{
	struct lunatik_socket *s = lua_newuserdata(L, size);

	memset(s, 0, size);
	luaL_setmetatable(L, metatable);
	return s;
}

int lunatik_socket_collect(lua_State *L)
{
	struct lunatik_socket *s = lua_touserdata(L, 1);

	if (s->sock) {
		lunatik_sock_retire(s->sock);
		lunatik_sock_put(s->sock);
		s->sock = NULL;
	}
	return 0;
}

void lunatik_socket_take(struct lunatik_socket *s, struct lunatik_sock *sock, int family, int type)
{
	s->sock = sock;
	s->family = (unsigned char)family;
	s->type = (unsigned char)type;
}

/* 0 where it is impossible now. */
static int call_out(lua_State *L, struct lunatik_sockcall *c)
{
	struct lunatik_sock *sock = c->sock;
	int done;

	/* Its userdata may be closed or collected meanwhile. */
	if (sock)
		lunatik_sock_get(sock);
	done = lunatik_call_out(lunatik_vm_of(L), c->run ? c->run : lunatik_sock_run, c);
	if (sock)
		lunatik_sock_put(sock);
	return done;
}

void lunatik_socket_call(lua_State *L, struct lunatik_sockcall *c)
{
	luai_poll(L);
	if (call_out(L, c))
		return;
	/* A finalizer may have spent its time just before. */
	luai_poll(L);
	if (!call_out(L, c))
		luaL_error(L, "cannot wait here");
}

int lunatik_socket_create(lua_State *L, struct lunatik_socket *s, int family, int type, int protocol)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_sockcall c = { .op = LUNATIK_SOCK_CREATE, .family = family, .type = type, .protocol = protocol,
				      .netns = vm->netns, .queue = vm->queue };

	lunatik_socket_call(L, &c);
	if (c.result == 0)
		lunatik_socket_take(s, c.made, family, type);
	return (int)c.result;
}

int lunatik_socket_pair(lua_State *L, struct lunatik_socket *s, struct lunatik_socket *t, int type)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_sockcall c = { .op = LUNATIK_SOCK_PAIR, .family = LUNATIK_AF_UNIX, .type = type,
				      .netns = vm->netns, .queue = vm->queue };

	lunatik_socket_call(L, &c);
	if (c.result == 0) {
		lunatik_socket_take(s, c.made, LUNATIK_AF_UNIX, type);
		lunatik_socket_take(t, c.other, LUNATIK_AF_UNIX, type);
	}
	return (int)c.result;
}

static int close_how(lua_State *L, struct lunatik_socket *s, int shut)
{
	struct lunatik_sockcall c = { .sock = s->sock, .op = LUNATIK_SOCK_CLOSE, .value = shut };

	if (!s->sock)
		return -LUNATIK_EBADF;
	lunatik_socket_call(L, &c);
	/* Somebody else may have closed it during the call. */
	if (s->sock == c.sock) {
		s->sock = NULL;
		lunatik_sock_put(c.sock);
	}
	return (int)c.result;
}

int lunatik_socket_close(lua_State *L, struct lunatik_socket *s)
{
	return close_how(L, s, 0);
}

int lunatik_socket_shut(lua_State *L, struct lunatik_socket *s)
{
	return close_how(L, s, 1);
}

static int is_done(const struct lunatik_sockcall *c)
{
	long result = c->result;

	return result != -LUNATIK_EAGAIN && result != -LUNATIK_EINPROGRESS && result != -LUNATIK_EALREADY;
}

/* Pushes a watch that waits until `timeout` is over: the one that the socket kept, or a new one. */
static struct lunatik_waiter *push_watch(lua_State *L, int keeper, unsigned long long timeout)
{
	struct lunatik_waiter *w;

	if (keeper && lua_getuservalue(L, keeper) == LUA_TUSERDATA) {
		w = lua_touserdata(L, -1);
		/* Others may wait for the same socket meanwhile. */
		lua_pushnil(L);
		lua_setuservalue(L, keeper);
	} else {
		if (keeper)
			lua_pop(L, 1);
		w = lua_newuserdata(L, sizeof(*w) + lunatik_watch_size());
	}
	w->due = timeout ? lunatik_sock_clock() + timeout : FOREVER;
	if (w->due < timeout)
		w->due = FOREVER;
	w->thread = lunatik_vm_of(L)->top;
	w->period = 0;
	w->id = 0;
	w->live = 0;
	return w;
}

/* True when the socket kept a watch: who waited for it last time is likely to do so again. */
static int has_watch(lua_State *L, int keeper)
{
	int has = 0;

	if (keeper) {
		has = lua_getuservalue(L, keeper) == LUA_TUSERDATA;
		lua_pop(L, 1);
	}
	return has;
}

/* A call-out that may put the watch on top to a socket: the registry keeps it from before that on. */
static int call_out_kept(lua_State *L, struct lunatik_waiter *w, struct lunatik_sockcall *c)
{
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, w);
	if (call_out(L, c))
		return 1;
	lunatik_waiter_let_go(L, w);
	return 0;
}

/* Tries `c` with the watch on top put to the socket if it cannot be done; 0 when the watch is armed. */
static int try_with(lua_State *L, struct lunatik_waiter *w, struct lunatik_sockcall *c)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	unsigned long long deadline = w->due;

	lunatik_registration_init(&w->registration, &lunatik_waiter_ops);
	lunatik_watch_init(lunatik_waiter_event(w), vm->queue);
	c->watch = lunatik_waiter_event(w);
	if (!call_out_kept(L, w, c)) {
		/* A finalizer may have spent its time just before. */
		luai_poll(L);
		if (!call_out_kept(L, w, c))
			luaL_error(L, "cannot wait here");
	}
	if (!c->watched) {
		lunatik_waiter_let_go(L, w);
		return 1;
	}
	w->live = 1;
	if (c->blind && deadline - lunatik_sock_clock() > BLIND)
		deadline = lunatik_sock_clock() + BLIND;
	if (lunatik_registration_add(vm, &w->registration, 1) == LUNATIK_IS_WITHDRAWN) {
		lunatik_threadbits(w->thread) |= LUNATIK_WITHDRAWN;
		deadline = 0;
	}
	if (!lunatik_watch_arm(lunatik_waiter_event(w), deadline))
		lunatik_waiter_let_go(L, w);
	return 0;
}

int lunatik_socket_try(lua_State *L, int status, struct lunatik_sockcall *c, unsigned long long timeout)
{
	struct lunatik_waiter *w = NULL;

	if (status == LUA_YIELD) {
		w = lua_touserdata(L, -1);
		lunatik_threadbits(L) &= ~LUNATIK_WAITING;
		/* What woke it may be meant for the next one. */
		if (lunatik_is_ending(lunatik_vm_of(L)) && c->sock)
			lunatik_sock_pass(c->sock, c->wait);
		luai_poll(L);
		c->again = 1;
	}
	if (!c->sock) {
		c->result = -LUNATIK_EBADF;
	} else if (w && lunatik_sock_clock() < w->due) {
		if (!try_with(L, w, c))
			return 0;
	} else if (w || !c->wait || !has_watch(L, c->keeper) || !lunatik_may_wait(L)) {
		c->watch = NULL;
		lunatik_socket_call(L, c);
		if (!is_done(c) && c->wait && !w) {
			if (!lunatik_may_wait(L))
				luaL_error(L, "cannot wait here");
			w = push_watch(L, c->keeper, timeout);
			if (!try_with(L, w, c))
				return 0;
		}
	} else {
		luai_poll(L);
		w = push_watch(L, c->keeper, timeout);
		if (!try_with(L, w, c))
			return 0;
	}
	if (w && c->keeper)
		lua_setuservalue(L, c->keeper);
	else if (w)
		lua_pop(L, 1);
	return 1;
}
