// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tcp library, in the words of node-lua: listening and stream sockets, over TCP and Unix sockets. Reading and
 * writing stand in tcpio.c, options and addresses in tcpopt.c.
 *
 * A call that waits suspends its coroutine. One with a callback is done by a coroutine of its own, begun as a timer's
 * callback is, so it belongs to the generation of its script; each callback of a continuous call (accept, read) again
 * runs in one of its own. A userdata is made first, and filled in after a call-out. Context: under the state's lock.
 */
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "buffer.h"
#include "memlib.h"
#include "tcp.h"

#define SOCKET	"class.tcp_socket_handle_t"
#define LISTENER "class.tcp_listen_handle_t"
#define BACKLOG	65535
#define HOST_MAX 240
#define SOL_SOCKET 1
#define SO_REUSEADDR 2
/* An accept that fails for lack of something is tried again after so many nanoseconds. */
#define PAUSE	100000000ULL

/* The registry's keys of the metatables. */
static const char socket_key, listener_key;

/* {=== errors ================================================================================ */

int lunatik_node_error(long err)
{
	/* errno, and the number that libuv 0.10 gives it. */
	static const unsigned char numbers[][2] = {
		{ 1, 50 }, { 2, 34 }, { 4, 17 }, { 5, 55 }, { 11, 4 }, { 12, 26 }, { 13, 3 }, { 14, 15 }, { 16, 10 },
		{ 17, 47 }, { 20, 27 }, { 21, 28 }, { 22, 18 }, { 23, 24 }, { 24, 20 }, { 28, 54 }, { 30, 56 },
		{ 32, 36 }, { 36, 49 }, { 40, 51 }, { 71, 37 }, { 88, 32 }, { 89, 14 }, { 90, 21 }, { 91, 39 },
		{ 93, 38 }, { 95, 33 }, { 97, 7 }, { 98, 5 }, { 99, 6 }, { 100, 22 }, { 101, 23 }, { 103, 11 },
		{ 104, 13 }, { 105, 25 }, { 106, 19 }, { 107, 31 }, { 108, 46 }, { 110, 40 }, { 111, 12 }, { 113, 16 },
		{ 114, 8 }, { 125, 59 },
	};
	size_t i;

	if (err >= 0)
		return LUNATIK_NODE_OK;
	if (err == -LUNATIK_EBADF)
		return LUNATIK_NODE_CLOSED;
	if (err == LUNATIK_WRITE_UNSHARED)
		return LUNATIK_NODE_UNSHARED;
	if (err == LUNATIK_WRITE_LONG)
		return LUNATIK_NODE_TOO_LONG;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i][0] == -err)
			return numbers[i][1];
	return LUNATIK_NODE_UNKNOWN;
}

int lunatik_tcp_no_yield(lua_State *L)
{
	return luaL_error(L, "attempt to yield across a C-call boundary");
}

static int is_done(const struct lunatik_sockcall *c)
{
	return c->result != -LUNATIK_EAGAIN && c->result != -LUNATIK_EINPROGRESS && c->result != -LUNATIK_EALREADY;
}

int lunatik_tcp_try(lua_State *L, int status, struct lunatik_sockcall *c, unsigned long long timeout)
{
	if (status != LUA_OK || lunatik_may_wait(L))
		return lunatik_socket_try(L, status, c, timeout);
	luai_poll(L);
	if (!lunatik_call_out(lunatik_vm_of(L), NULL, NULL))
		return lunatik_tcp_no_yield(L);
	lunatik_socket_call(L, c);
	if (!is_done(c))
		return lunatik_tcp_no_yield(L);
	return 1;
}

static int result_error(lua_State *L, int error)
{
	luai_poll(L);
	lua_pushboolean(L, 0);
	lua_pushinteger(L, error);
	return 2;
}

/* ============================================================================================ }
 * {=== objects =============================================================================== */

static void free_socket(lua_State *L, void *u)
{
	struct lunatik_tcp *s = u;

	(void)L;
	if (s->base.sock) {
		if (s->out)
			lunatik_outbox_close(s->out);
		else
			lunatik_sock_retire(s->base.sock);
		lunatik_sock_put(s->base.sock);
	}
	if (s->out)
		lunatik_outbox_put(s->out);
	s->base.sock = NULL;
	s->out = NULL;
}

static struct lunatik_tcp *push_socket(lua_State *L, int listens)
{
	struct lunatik_tcp *s = lua_newforeign(L, sizeof(*s), free_socket);

	s->listens = (unsigned char)listens;
	lua_rawgetp(L, LUA_REGISTRYINDEX, listens ? &listener_key : &socket_key);
	lua_setmetatable(L, -2);
	return s;
}

static struct lunatik_tcp *to_socket(lua_State *L, int arg)
{
	struct lunatik_tcp *s = lunatik_tcp_test(L, arg, 0);

	return s ? s : lunatik_tcp_test(L, arg, 1);
}

struct lunatik_tcp *lunatik_tcp_test(lua_State *L, int arg, int listens)
{
	int equal;

	if (lua_type(L, arg) != LUA_TUSERDATA || !lua_getmetatable(L, arg))
		return NULL;
	lua_rawgetp(L, LUA_REGISTRYINDEX, listens ? &listener_key : &socket_key);
	equal = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return equal ? lua_touserdata(L, arg) : NULL;
}

struct lunatik_tcp *lunatik_tcp_check(lua_State *L, int listens)
{
	struct lunatik_tcp *s = lunatik_tcp_test(L, 1, listens);

	if (s == NULL)
		luaL_argerror(L, 1, lunatik_memory_mismatch(L, 1, listens ? LISTENER : SOCKET));
	return s;
}

/* A connection that nobody will know. */
static void drop(struct lunatik_tcp *s)
{
	lunatik_sock_retire(s->base.sock);
	lunatik_sock_put(s->base.sock);
	s->base.sock = NULL;
	s->closed = 1;
}

/* {=== arguments: seconds, and a callback at the end ========================================= */

static unsigned long long opt_timeout(lua_State *L, int arg)
{
	double seconds = (double)luaL_checknumber(L, arg), ns = seconds * 1e9;

	luaL_argcheck(L, ns == ns, arg, "not a time");
	if (ns <= 0)
		return 0;
	return ns < 9e18 ? (unsigned long long)(lua_Integer)ns + 1 : 0;
}

static int called_back(lua_State *L, int status, lua_KContext ctx)
{
	(void)L;
	(void)status;
	(void)ctx;
	return 0;
}

/* Stack: callback, function, its `n` arguments, its two results. */
static int call_with_results(lua_State *L, int status, lua_KContext n)
{
	int top = lua_gettop(L), i;

	(void)status;
	luaL_checkstack(L, (int)n + 3, "too many arguments");
	lua_pushvalue(L, 1);
	lua_pushvalue(L, top - 1);
	lua_pushvalue(L, top);
	for (i = 0; i < (int)n; i++)
		lua_pushvalue(L, 3 + i);
	lua_callk(L, (int)n + 2, 0, 0, called_back);
	return 0;
}

static int call_and_tell(lua_State *L)
{
	int n = lua_gettop(L) - 2, i;

	luaL_checkstack(L, n + 3, "too many arguments");
	lua_pushvalue(L, 2);
	for (i = 0; i < n; i++)
		lua_pushvalue(L, 3 + i);
	lua_callk(L, n, 2, n, call_with_results);
	return call_with_results(L, LUA_OK, n);
}

/* Has `f` called with the arguments below the callback on top, and then the callback. */
static int in_background(lua_State *L, lua_CFunction f)
{
	lua_insert(L, 1);
	lua_pushcfunction(L, f);
	lua_insert(L, 2);
	lua_pushcfunction(L, call_and_tell);
	lunatik_spawn(L, lua_gettop(L) - 1);
	return 0;
}

/* ============================================================================================ }
 * {=== listen ================================================================================ */

/* A call-out that makes a listening socket. */
struct opening {
	struct lunatik_sockcall call;
	struct lunatik_outbox *out;
	int backlog;
	int replace;	/* an existing name of a Unix socket */
};

static long step(struct lunatik_sockcall *c, enum lunatik_sock_op op)
{
	c->op = op;
	lunatik_sock_run(c);
	return c->result;
}

static long open_steps(struct opening *o)
{
	struct lunatik_sockcall *c = &o->call;
	int yes = 1;
	long err;

	if (o->replace) {
		err = lunatik_tcp_unlink(c->address);
		if (err)
			return err;
	} else {
		c->level = SOL_SOCKET;
		c->option = SO_REUSEADDR;
		c->bytes = (char *)&yes;
		c->len = sizeof(yes);
		err = step(c, LUNATIK_SOCK_SET);
		if (err < 0)
			return err;
	}
	err = step(c, LUNATIK_SOCK_BIND);
	if (err)
		return err;
	c->value = o->backlog;
	err = step(c, LUNATIK_SOCK_LISTEN);
	if (err)
		return err;
	o->out = lunatik_outbox_new(c->sock);
	return o->out ? 0 : -LUNATIK_ENOMEM;
}

static void open_listener(void *arg)
{
	struct opening *o = arg;
	struct lunatik_sockcall *c = &o->call;
	long err = step(c, LUNATIK_SOCK_CREATE);

	if (err)
		return;
	c->sock = c->made;
	err = open_steps(o);
	if (err) {
		step(c, LUNATIK_SOCK_CLOSE);
		lunatik_sock_put(c->made);
		c->made = NULL;
	}
	c->result = err;
}

/* Opens one at the address; gives the results of listen. */
static int open_at(lua_State *L, struct lunatik_address *address, int family, int backlog, int err)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct opening o;
	struct lunatik_tcp *s;

	if (err)
		return result_error(L, lunatik_node_error(err));
	luai_poll(L);
	s = push_socket(L, 1);
	memset(&o, 0, sizeof(o));
	o.backlog = backlog;
	o.replace = family == LUNATIK_AF_UNIX;
	o.call.address = address;
	o.call.family = family;
	o.call.type = LUNATIK_STREAM;
	o.call.netns = vm->netns;
	o.call.queue = vm->queue;
	if (!lunatik_call_out(vm, open_listener, &o))
		return lunatik_tcp_no_yield(L);
	if (o.call.result)
		return result_error(L, lunatik_node_error(o.call.result));
	lunatik_socket_take(&s->base, o.call.made, family, LUNATIK_STREAM);
	s->out = o.out;
	luai_poll(L);
	lua_pushboolean(L, 1);
	lua_insert(L, -2);
	return 2;
}

static const char *check_host(lua_State *L, const char *what)
{
	size_t len;
	const char *host = luaL_checklstring(L, 1, &len);

	if (len > HOST_MAX)
		luaL_argerror(L, 1, what);
	return host;
}

static unsigned int check_port(lua_State *L)
{
	return (unsigned int)luaL_checkinteger(L, 2) & 0xffff;
}

static int listen_on(lua_State *L, int family, lua_CFunction again)
{
	const char *host = check_host(L, "listen host invalid(too long)");
	unsigned int port = check_port(L);
	lua_Integer backlog = BACKLOG;
	struct lunatik_address address;

	if (lua_gettop(L) >= 3 && !lua_isfunction(L, 3))
		backlog = luaL_checkinteger(L, 3);
	if (lua_isfunction(L, lua_gettop(L)) && lua_gettop(L) <= 4)
		return in_background(L, again);
	if (lua_gettop(L) > 3)
		luaL_checktype(L, 4, LUA_TFUNCTION);
	if (backlog < 0 || backlog > BACKLOG)
		backlog = BACKLOG;
	return open_at(L, &address, family, (int)backlog, lunatik_tcp_address(&address, family, host, port));
}

/* tcp.listen(host, port [, backlog] [, callback]) -> true and a listening socket, or false and an error number */
static int tcp_listen(lua_State *L)
{
	return listen_on(L, LUNATIK_AF_INET, tcp_listen);
}

static int tcp_listen6(lua_State *L)
{
	return listen_on(L, LUNATIK_AF_INET6, tcp_listen6);
}

/* tcp.listens(path [, callback]): of a Unix socket; one that is there already goes */
static int tcp_listens(lua_State *L)
{
	const char *path = check_host(L, "listen sock name invalid(too long)");
	struct lunatik_address address;

	if (lua_gettop(L) > 1) {
		luaL_checktype(L, 2, LUA_TFUNCTION);
		lua_settop(L, 2);
		return in_background(L, tcp_listens);
	}
	return open_at(L, &address, LUNATIK_AF_UNIX, BACKLOG, lunatik_tcp_unix(&address, path));
}

/* ============================================================================================ }
 * {=== connect =============================================================================== */

struct connecting {
	struct lunatik_sockcall call;
	struct lunatik_outbox *out;
};

static void connect_run(void *arg)
{
	struct connecting *k = arg;

	lunatik_sock_run(&k->call);
	if (k->call.result)
		return;
	k->out = lunatik_outbox_new(k->call.sock);
	if (!k->out)
		k->call.result = -LUNATIK_ENOMEM;
}

/* Stack: 1 the socket, 2 the address as a string, 3 the time-out. */
static int connecting(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_tcp *s = lua_touserdata(L, 1);
	struct lunatik_address address;
	struct connecting k;
	size_t len;
	const char *raw = lua_tolstring(L, 2, &len);

	memcpy(&address, raw, len);
	memset(&k, 0, sizeof(k));
	k.call.sock = s->base.sock;
	k.call.op = LUNATIK_SOCK_CONNECT;
	k.call.run = connect_run;
	k.call.wait = LUNATIK_SOCK_OUT;
	k.call.address = &address;
	if (!lunatik_tcp_try(L, status, &k.call, (unsigned long long)lua_tointeger(L, 3)))
		return lunatik_wait(L, ctx, connecting);
	if (k.call.result) {
		drop(s);
		return result_error(L, is_done(&k.call) ? lunatik_node_error(k.call.result) : LUNATIK_NODE_TIMEOUT);
	}
	s->out = k.out;
	luai_poll(L);
	lua_pushboolean(L, 1);
	lua_pushvalue(L, 1);
	return 2;
}

static int connect_to(lua_State *L, const struct lunatik_address *address, int family, unsigned long long timeout, int err)
{
	struct lunatik_tcp *s;

	if (err)
		return result_error(L, lunatik_node_error(err));
	if (!lunatik_call_out(lunatik_vm_of(L), NULL, NULL)) {
		luai_poll(L);
		return lunatik_tcp_no_yield(L);
	}
	lua_settop(L, 0);
	s = push_socket(L, 0);
	lua_pushlstring(L, (const char *)address, sizeof(*address));
	lua_pushinteger(L, (lua_Integer)timeout);
	err = lunatik_socket_create(L, &s->base, family, LUNATIK_STREAM, 0);
	if (err) {
		s->closed = 1;
		return result_error(L, lunatik_node_error(err));
	}
	return connecting(L, LUA_OK, 0);
}

static int connect_by(lua_State *L, int family, lua_CFunction again)
{
	const char *host = check_host(L, "connect host invalid(too long)");
	unsigned int port = check_port(L);
	struct lunatik_address address;
	unsigned long long timeout = 0;
	int top = lua_gettop(L);

	if (top >= 3 && !lua_isfunction(L, 3))
		timeout = opt_timeout(L, 3);
	if (top <= 4 && lua_isfunction(L, top))
		return in_background(L, again);
	if (top > 3)
		luaL_checktype(L, 4, LUA_TFUNCTION);
	return connect_to(L, &address, family, timeout, lunatik_tcp_address(&address, family, host, port));
}

/* tcp.connect(host, port [, timeout] [, callback]) -> true and a socket, or false and an error number */
static int tcp_connect(lua_State *L)
{
	return connect_by(L, LUNATIK_AF_INET, tcp_connect);
}

static int tcp_connect6(lua_State *L)
{
	return connect_by(L, LUNATIK_AF_INET6, tcp_connect6);
}

/* tcp.connects(path [, timeout] [, callback]): to a Unix socket */
static int tcp_connects(lua_State *L)
{
	const char *path = check_host(L, "connect sock name invalid(too long)");
	struct lunatik_address address;
	unsigned long long timeout = 0;
	int top = lua_gettop(L);

	if (top >= 2 && !lua_isfunction(L, 2))
		timeout = opt_timeout(L, 2);
	if (top <= 3 && top >= 2 && lua_isfunction(L, top))
		return in_background(L, tcp_connects);
	if (top > 2)
		luaL_checktype(L, 3, LUA_TFUNCTION);
	return connect_to(L, &address, LUNATIK_AF_UNIX, timeout, lunatik_tcp_unix(&address, path));
}

/* ============================================================================================ }
 * {=== accept and read, and their continuous callbacks ======================================= */

static void accept_run(void *arg)
{
	struct connecting *k = arg;
	struct lunatik_sockcall undo;

	lunatik_sock_run(&k->call);
	if (k->call.result)
		return;
	k->out = lunatik_outbox_new(k->call.made);
	if (k->out)
		return;
	memset(&undo, 0, sizeof(undo));
	undo.sock = k->call.made;
	step(&undo, LUNATIK_SOCK_CLOSE);
	lunatik_sock_put(k->call.made);
	k->call.result = -LUNATIK_ENOMEM;
}

/* Stack: 1 the listening socket, 2 the time-out, 3 the new socket. */
static int accepting(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_tcp *l = lua_touserdata(L, 1), *s = lua_touserdata(L, 3);
	struct connecting k;
	int error;

	memset(&k, 0, sizeof(k));
	k.call.sock = l->base.sock;
	k.call.op = LUNATIK_SOCK_ACCEPT;
	k.call.run = accept_run;
	k.call.wait = LUNATIK_SOCK_IN;
	k.call.keeper = l->stored ? 0 : 1;
	if (!lunatik_tcp_try(L, status, &k.call, (unsigned long long)lua_tointeger(L, 2)))
		return lunatik_wait(L, ctx, accepting);
	if (k.call.result) {
		error = is_done(&k.call) ? lunatik_node_error(k.call.result) : LUNATIK_NODE_TIMEOUT;
		return result_error(L, l->closed || error == LUNATIK_NODE_CLOSED ? LUNATIK_NODE_LISTEN_CLOSED : error);
	}
	lunatik_socket_take(&s->base, k.call.made, l->base.family, LUNATIK_STREAM);
	s->out = k.out;
	luai_poll(L);
	lua_pushboolean(L, 1);
	lua_pushvalue(L, 3);
	return 2;
}

/* Pushes what is stored with the socket at index 1: 1 the bytes kept for messages, 2 the callback. May raise. */
static void push_store(lua_State *L)
{
	if (lua_getuservalue(L, 1) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_createtable(L, 2, 0);
	((struct lunatik_tcp *)lua_touserdata(L, 1))->stored = 1;
	lua_pushvalue(L, -1);
	lua_setuservalue(L, 1);
}

static int loop(lua_State *L, int status, lua_KContext began);

static int begin_loop(lua_State *L)
{
	return loop(L, LUA_OK, 0);
}

/* Has a callback, at index 2, called for all that comes to the socket at index 1. */
static int call_for_all(lua_State *L, struct lunatik_tcp *s)
{
	lua_settop(L, 2);
	push_store(L);
	lua_pushvalue(L, 2);
	lua_rawseti(L, 3, 2);
	lua_settop(L, 1);
	s->loop++;
	lua_pushinteger(L, s->loop);
	lua_pushcfunction(L, begin_loop);
	lunatik_spawn(L, 2);
	return 0;
}

/* tcp.accept(listening socket [, timeout or callback]) -> true and a socket, or false and an error number */
static int tcp_accept(lua_State *L)
{
	struct lunatik_tcp *l = lunatik_tcp_check(L, 1);
	unsigned long long timeout = 0;

	if (l->closed)
		return luaL_error(L, "attempt to perform accept on a invalid or closed listen socket");
	if (lua_isfunction(L, 2))
		return call_for_all(L, l);
	if (!lua_isnone(L, 2))
		timeout = opt_timeout(L, 2);
	lua_settop(L, 1);
	lua_pushinteger(L, (lua_Integer)timeout);
	push_socket(L, 0);
	return accepting(L, LUA_OK, 0);
}

/* tcp.read(socket [, timeout or callback]) -> true and a buffer, or false and an error number */
static int tcp_read(lua_State *L)
{
	struct lunatik_tcp *s = lunatik_tcp_check(L, 0);
	unsigned long long timeout = 0;

	if (s->closed)
		return luaL_error(L, "attempt to read data on a invalid or closed socket");
	s->read_frozen = 1;
	if (lua_isfunction(L, 2))
		return call_for_all(L, s);
	if (!lua_isnone(L, 2))
		timeout = opt_timeout(L, 2);
	lua_settop(L, 1);
	lua_pushinteger(L, timeout ? (lua_Integer)(lunatik_sock_clock() + timeout) : 0);
	lunatik_buffer_new(L);
	if (s->read.bytes) {
		push_store(L);
		if (lua_rawgeti(L, 4, 1) == LUA_TNIL) {
			lua_pop(L, 1);
			lunatik_buffer_new(L);
			lua_pushvalue(L, -1);
			lua_rawseti(L, 4, 1);
		}
		lua_replace(L, 4);
	} else {
		lua_pushnil(L);
	}
	return lunatik_tcp_read(L, LUA_OK, 0);
}

static int pause(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_tcp *s = lua_touserdata(L, 1);
	struct lunatik_sockcall c;

	(void)ctx;
	memset(&c, 0, sizeof(c));
	c.sock = s->base.sock;
	c.run = lunatik_sock_busy;
	c.wait = LUNATIK_SOCK_IN;
	if (!lunatik_tcp_try(L, status, &c, PAUSE))
		return lunatik_wait(L, 0, pause);
	luai_poll(L);
	lua_settop(L, 2);
	return loop(L, LUA_OK, 0);
}

/* Stack: 1 the socket, 2 the number of this loop, then the results of an accept or a read if one is `done`. */
static int loop(lua_State *L, int status, lua_KContext done)
{
	struct lunatik_tcp *s = lua_touserdata(L, 1);

	(void)status;
	for (;;) {
		if (done) {
			int good = lua_toboolean(L, 3);

			if (s->closed && !good)
				return 0;
			/* true or false; socket, buffer or number; socket; callback */
			lua_pushvalue(L, 1);
			push_store(L);
			lua_rawgeti(L, -1, 2);
			lua_remove(L, -2);
			if (!lua_isfunction(L, -1))
				return 0;
			lunatik_spawn(L, 3);
			/* Another callback may have taken over, which has begun a loop of its own. */
			if (lua_tointeger(L, 2) != s->loop || (!good && !s->listens))
				return 0;
			lua_settop(L, 2);
			if (!good)
				return pause(L, LUA_OK, 0);
		}
		if (s->closed)
			return 0;
		done = 1;
		lua_pushcfunction(L, s->listens ? tcp_accept : tcp_read);
		lua_pushvalue(L, 1);
		lua_callk(L, 1, 2, 1, loop);
	}
}

/* ============================================================================================ }
 * {=== close ================================================================================= */

/* tcp.close(socket) -> true the first time */
static int tcp_close(lua_State *L)
{
	struct lunatik_tcp *s = to_socket(L, 1);

	if (s == NULL)
		return luaL_argerror(L, 1, lunatik_memory_mismatch(L, 1, SOCKET));
	lua_pushboolean(L, !s->closed);
	if (s->closed)
		return 1;
	s->closed = 1;
	if (s->listens && lunatik_call_out(lunatik_vm_of(L), NULL, NULL)) {
		/* Its address is free when this returns. */
		struct lunatik_sockcall c = { .sock = s->base.sock, .op = LUNATIK_SOCK_CLOSE };

		lunatik_socket_call(L, &c);
	} else if (s->out) {
		lunatik_outbox_close(s->out);
	} else if (s->base.sock) {
		lunatik_sock_retire(s->base.sock);
	}
	/* Bytes kept for messages, and the callback, go. */
	lua_pushnil(L);
	lua_setuservalue(L, 1);
	return 1;
}

/* tcp.is_closed(x) -> boolean */
static int tcp_is_closed(lua_State *L)
{
	struct lunatik_tcp *s = to_socket(L, 1);

	lua_pushboolean(L, s && s->closed);
	return 1;
}

/* tcp.fd(socket) -> its number, by which any state may write to it if it is shared */
static int tcp_fd(lua_State *L)
{
	struct lunatik_tcp *s = to_socket(L, 1);

	if (s == NULL)
		return 0;
	lua_pushinteger(L, s->out ? lunatik_outbox_fd(s->out) : 0);
	return 1;
}

/* ============================================================================================ }
 * {=== the library =========================================================================== */

static const luaL_Reg both[] = {
	{ "close", tcp_close },
	{ "is_closed", tcp_is_closed },
	{ "fd", tcp_fd },
	{ NULL, NULL },
};

static const luaL_Reg of_listeners[] = {
	{ "accept", tcp_accept },
	{ NULL, NULL },
};

static const luaL_Reg of_sockets[] = {
	{ "read", tcp_read },
	{ "write", lunatik_tcp_write },
	{ NULL, NULL },
};

static const luaL_Reg functions[] = {
	{ "listen", tcp_listen },
	{ "listen6", tcp_listen6 },
	{ "listens", tcp_listens },
	{ "connect", tcp_connect },
	{ "connect6", tcp_connect6 },
	{ "connects", tcp_connects },
	{ NULL, NULL },
};

/* A metatable whose methods are those of the library on top that the objects have. */
static void new_metatable(lua_State *L, const void *key, const char *name, const luaL_Reg *methods)
{
	lua_createtable(L, 0, 3);
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__name");
	lua_newtable(L);
	luaL_setfuncs(L, both, 0);
	luaL_setfuncs(L, methods, 0);
	if (methods == of_sockets)
		luaL_setfuncs(L, lunatik_tcp_options, 0);
	lua_setfield(L, -2, "__index");
	lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

int lunatik_open_tcp(lua_State *L)
{
	luaL_newlib(L, functions);
	luaL_setfuncs(L, both, 0);
	luaL_setfuncs(L, of_listeners, 0);
	luaL_setfuncs(L, of_sockets, 0);
	luaL_setfuncs(L, lunatik_tcp_options, 0);
	new_metatable(L, &listener_key, LISTENER, of_listeners);
	new_metatable(L, &socket_key, SOCKET, of_sockets);
	return 1;
}

/* ============================================================================================ } */
