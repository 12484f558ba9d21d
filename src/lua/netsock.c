// SPDX-License-Identifier: GPL-2.0-only
/*
 * The net library's methods: what instances of its classes do, but for options (netopt.c) and constructors (net.c).
 *
 * A method takes an instance, a table whose field `sock` is the socket's userdata, or the userdata itself. From a socket
 * into a script bytes are copied once if they are more than LUNATIK_BYTES_SHORT, else twice; from a script into a socket
 * once. Context: under the state's lock; what is done with the socket is done in call-outs (socket.h).
 */
#include <string.h>

#include "bytes.h"
#include "net.h"

#define MSG_OOB	1

/* A datagram is shorter, and nobody has a longer piece of a stream at once. */
#define LONGEST	(1LL << 30)
#define BUFSIZE	4096

/* {=== arguments and results ================================================================= */

const char lunatik_net_key;

struct lunatik_socket *lunatik_net_self(lua_State *L)
{
	struct lunatik_socket *s;
	int is;

	if (lua_type(L, 1) == LUA_TTABLE) {
		if (lua_getfield(L, 1, "sock") == LUA_TNIL)
			luaL_error(L, "attempt to index a nil value (field 'sock')");
		lua_replace(L, 1);
	}
	/* luaL_checkudata looks the name of the type up, which takes longer than many a method. */
	s = lua_touserdata(L, 1);
	if (s && lua_getmetatable(L, 1)) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, &lunatik_net_key);
		is = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
		if (is)
			return s;
	}
	return luaL_checkudata(L, 1, LUNATIK_SOCKET_TYPE);
}

int lunatik_net_failed(lua_State *L, long result)
{
	lua_pushnil(L);
	lua_pushstring(L, lunatik_strerror((int)result));
	return 2;
}

int lunatik_net_nothing(lua_State *L, long result)
{
	if (result >= 0)
		return 0;
	lua_pushstring(L, lunatik_strerror((int)result));
	return 1;
}

int lunatik_net_again(lua_State *L)
{
	lua_pushnil(L);
	lua_pushnil(L);
	lua_pushboolean(L, 1);
	return 3;
}

/* A call that never waits; its result. */
static long call(lua_State *L, struct lunatik_socket *s, struct lunatik_sockcall *c)
{
	c->sock = s->sock;
	if (!s->sock)
		return -LUNATIK_EBADF;
	lunatik_socket_call(L, c);
	luai_poll(L);
	return c->result;
}

/* ============================================================================================ }
 * {=== names, states, halves ================================================================= */

static int push_name(lua_State *L, enum lunatik_sock_op op)
{
	struct lunatik_socket *s = lunatik_net_self(L);
	struct lunatik_address address = { 0 };
	struct lunatik_sockcall c = { .op = op, .address = &address };
	long err = call(L, s, &c);

	if (err < 0)
		return lunatik_net_failed(L, err);
	lunatik_addrinfo_push(L, &address, s->type);
	return 1;
}

static int get_sockname(lua_State *L)
{
	return push_name(L, LUNATIK_SOCK_NAME);
}

static int get_peername(lua_State *L)
{
	return push_name(L, LUNATIK_SOCK_PEER);
}

static int shut(lua_State *L, int how)
{
	struct lunatik_sockcall c = { .op = LUNATIK_SOCK_SHUTDOWN, .value = how };

	return lunatik_net_nothing(L, call(L, lunatik_net_self(L), &c));
}

static int close_read(lua_State *L)
{
	return shut(L, 0);
}

static int close_write(lua_State *L)
{
	return shut(L, 1);
}

/* sock:close() -> nothing, or an error's text; both halves are shut down before it */
static int close_all(lua_State *L)
{
	struct lunatik_socket *s;
	int err;

	lua_settop(L, 1);
	lua_pushvalue(L, 1);
	s = lunatik_net_self(L);
	if (lua_istable(L, 2)) {
		/* The key exists: nothing is allocated. */
		lua_pushnil(L);
		lua_setfield(L, 2, "sock");
	}
	err = lunatik_socket_shut(L, s);
	luai_poll(L);
	/* A socket that was never connected is closed as well as any. */
	return lunatik_net_nothing(L, err == -LUNATIK_ENOTCONN ? 0 : err);
}

static int get_fd(lua_State *L)
{
	struct lunatik_socket *s = lunatik_net_self(L);

	lua_pushinteger(L, s->sock ? lunatik_sock_handle(s->sock) : -1);
	return 1;
}

static int get_socktype(lua_State *L)
{
	lua_pushinteger(L, lunatik_net_self(L)->type);
	return 1;
}

static int get_family(lua_State *L)
{
	lua_pushinteger(L, lunatik_net_self(L)->family);
	return 1;
}

static int at_mark(lua_State *L)
{
	struct lunatik_sockcall c = { .op = LUNATIK_SOCK_ATMARK };
	long at = call(L, lunatik_net_self(L), &c);

	if (at < 0)
		return lunatik_net_failed(L, at);
	lua_pushboolean(L, at != 0);
	return 1;
}

static int set_flag(lua_State *L, unsigned char *flag)
{
	if (!lua_isnoneornil(L, 2)) {
		luaL_checktype(L, 2, LUA_TBOOLEAN);
		*flag = (unsigned char)lua_toboolean(L, 2);
	}
	lua_pushboolean(L, *flag);
	return 1;
}

static int nonblock(lua_State *L)
{
	return set_flag(L, &lunatik_net_self(L)->nonblock);
}

static int cloexec(lua_State *L)
{
	return set_flag(L, &lunatik_net_self(L)->cloexec);
}

/* ============================================================================================ }
 * {=== bytes that come ======================================================================= */

/*
 * Index 1: the socket. `want` bytes at most. Leaves the bytes on the stack if it is done and there are any; 0 when it
 * must wait.
 */
static int receive(lua_State *L, int status, long long want, struct lunatik_address *from, long *result)
{
	struct lunatik_socket *s = lua_touserdata(L, 1);
	struct lunatik_sockcall c = { .sock = s->sock, .op = LUNATIK_SOCK_RECV, .address = from, .keeper = 1 };
	char scratch[LUNATIK_BYTES_SHORT];

	for (;;) {
		c.wait = s->nonblock ? 0 : LUNATIK_SOCK_IN;
		c.bytes = scratch;
		c.want = (unsigned long)want;
		c.len = c.want < sizeof(scratch) ? c.want : sizeof(scratch);
		if (!lunatik_socket_try(L, status, &c, s->rcvtimeo))
			return 0;
		status = LUA_OK;
		if (c.result != -LUNATIK_ENOBUFS)
			break;
		/* There is more: it goes straight into the string. */
		c.bytes = lunatik_bytes_new(L, c.need);
		c.len = c.want = c.need;
		c.wait = 0;
		lunatik_socket_call(L, &c);
		if (c.result != -LUNATIK_EAGAIN)
			break;
		/* Somebody else has got it. */
		lua_pop(L, 1);
		c.again = 0;
		if (s->nonblock)
			break;
	}
	if (c.result > 0 && (c.bytes == scratch || c.len != (unsigned long)c.result))
		lua_pushlstring(L, c.bytes, (size_t)c.result);
	luai_poll(L);
	*result = c.result;
	return 1;
}

static int is_again(long result)
{
	return result == -LUNATIK_EAGAIN || result == -LUNATIK_EINTR;
}

static int recv_step(lua_State *L, int status, lua_KContext want)
{
	long result;

	if (!receive(L, status, want, NULL, &result))
		return lunatik_wait(L, want, recv_step);
	if (result > 0)
		return 1;
	if (result == 0)
		return 0;
	return is_again(result) ? lunatik_net_again(L) : lunatik_net_failed(L, result);
}

static long long check_bufsize(lua_State *L)
{
	long long want = BUFSIZE;

	if (!lua_isnoneornil(L, 2)) {
		luaL_checktype(L, 2, LUA_TNUMBER);
		want = luaL_checkinteger(L, 2);
	}
	return want < LONGEST ? want : LONGEST;
}

/* sock:recv([bufsize]) -> bytes, or nothing when the peer has closed */
static int recv_bytes(lua_State *L)
{
	long long want;

	lunatik_net_self(L);
	want = check_bufsize(L);
	lua_settop(L, 1);
	if (want <= 0)
		return lunatik_net_failed(L, -LUNATIK_EINVAL);
	return recv_step(L, LUA_OK, want);
}

static int recvfrom_step(lua_State *L, int status, lua_KContext want)
{
	struct lunatik_socket *s = lua_touserdata(L, 1);
	struct lunatik_address from = { 0 };
	long result;

	if (!receive(L, status, want, &from, &result))
		return lunatik_wait(L, want, recvfrom_step);
	if (result == 0)
		return 0;
	if (result > 0) {
		lunatik_addrinfo_push(L, &from, s->type);
		return 2;
	}
	lua_pushnil(L);
	if (is_again(result))
		return 1 + lunatik_net_again(L);
	return 1 + lunatik_net_failed(L, result);
}

/* sock:recvfrom([bufsize]) -> bytes, addrinfo; nothing; nil, nil, err; nil, nil, nil, true */
static int recv_from(lua_State *L)
{
	long long want;

	lunatik_net_self(L);
	want = lua_isnoneornil(L, 2) ? 65535 : check_bufsize(L);
	lua_settop(L, 1);
	if (want <= 0) {
		lua_pushnil(L);
		return 1 + lunatik_net_failed(L, -LUNATIK_EINVAL);
	}
	return recvfrom_step(L, LUA_OK, want);
}

/* ============================================================================================ }
 * {=== bytes that go ========================================================================= */

/* Index 1: the socket; 2: the bytes; 3: an addrinfo, or nil; `sent` of them have been sent, and the flag is above. */
#define OOB	((lua_KContext)1 << 62)

static int send_step(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_socket *s = lua_touserdata(L, 1);
	struct lunatik_addrinfo *to = lua_touserdata(L, 3);
	struct lunatik_sockcall c = { .sock = s->sock, .op = LUNATIK_SOCK_SEND, .flags = ctx & OOB ? MSG_OOB : 0 };
	size_t sent = (size_t)(ctx & ~OOB), len;
	const char *bytes = lunatik_bytes_check(L, 2, &len);

	if (to)
		c.address = &to->address;
	do {
		c.wait = s->nonblock ? 0 : LUNATIK_SOCK_OUT;
		c.bytes = (char *)bytes + sent;
		c.len = len - sent;
		c.again = sent > 0;
		if (!lunatik_socket_try(L, status, &c, s->sndtimeo))
			return lunatik_wait(L, (lua_KContext)sent | (ctx & OOB), send_step);
		status = LUA_OK;
		if (c.result > 0)
			sent += (size_t)c.result;
		/* Whoever does not wait is told how much it was. */
	} while (c.result > 0 && sent < len && !s->nonblock && s->type == LUNATIK_STREAM);
	luai_poll(L);
	if (sent > 0 || is_again(c.result)) {
		lua_pushinteger(L, (lua_Integer)sent);
		lua_pushnil(L);
		lua_pushboolean(L, sent < len);
		return 3;
	}
	if (c.result == -LUNATIK_EPIPE || c.result == -LUNATIK_ECONNRESET)
		return 0;
	return lunatik_net_failed(L, c.result);
}

static int begin_send(lua_State *L, lua_KContext ctx)
{
	size_t len;

	lunatik_bytes_check(L, 2, &len);
	if (len == 0)
		return lunatik_net_failed(L, -LUNATIK_EINVAL);
	return send_step(L, LUA_OK, ctx);
}

/* sock:send(bytes) -> length, nil, whether it is less than all; nothing when the peer has closed */
static int send_all(lua_State *L)
{
	lunatik_net_self(L);
	lua_settop(L, 2);
	lua_pushnil(L);
	return begin_send(L, 0);
}

/* sock:sendoob(bytes): the same, out of band */
static int send_oob(lua_State *L)
{
	lunatik_net_self(L);
	lua_settop(L, 2);
	lua_pushnil(L);
	return begin_send(L, OOB);
}

/* sock:sendto(bytes, addrinfo) -> as send */
static int send_to(lua_State *L)
{
	lunatik_net_self(L);
	luaL_checkudata(L, 3, LUNATIK_ADDRINFO_TYPE);
	lua_settop(L, 3);
	return begin_send(L, 0);
}

/* ============================================================================================ }
 * {=== servers =============================================================================== */

/* sock:listen([backlog]) -> nothing, or an error's text */
static int listen_on(lua_State *L)
{
	struct lunatik_socket *s = lunatik_net_self(L);
	struct lunatik_sockcall c = { .op = LUNATIK_SOCK_LISTEN };
	lua_Integer backlog = 4096;

	if (!lua_isnoneornil(L, 2)) {
		luaL_checktype(L, 2, LUA_TNUMBER);
		backlog = luaL_checkinteger(L, 2);
	}
	if (backlog < 1 || backlog > 2147483647)
		return luaL_error(L, "backlog range must be 1 to 2147483647");
	c.value = (int)backlog;
	return lunatik_net_nothing(L, call(L, s, &c));
}

/* Index 1: the listener; 2: what will be returned; 3: the userdata for the new socket. */
static int accept_step(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_socket *s = lua_touserdata(L, 1), *made = lua_touserdata(L, 3);
	struct lunatik_sockcall c = { .sock = s->sock, .op = LUNATIK_SOCK_ACCEPT, .keeper = 1 };

	c.wait = s->nonblock ? 0 : LUNATIK_SOCK_IN;
	if (!lunatik_socket_try(L, status, &c, s->rcvtimeo))
		return lunatik_wait(L, ctx, accept_step);
	if (c.result == 0) {
		lunatik_socket_take(made, c.made, s->family, s->type);
		made->nonblock = s->nonblock;
		made->cloexec = 1;
	}
	luai_poll(L);
	if (c.result == 0) {
		lua_settop(L, 2);
		return 1;
	}
	if (is_again(c.result) || c.result == -LUNATIK_ECONNABORTED)
		return lunatik_net_again(L);
	return lunatik_net_failed(L, c.result);
}

/* sock:accept() -> a net.stream.Socket; nil, err; nil, nil, true */
static int accept_one(lua_State *L)
{
	int instance = lua_type(L, 1) == LUA_TTABLE;

	lunatik_net_self(L);
	lua_settop(L, 1);
	lunatik_socket_push(L, sizeof(struct lunatik_socket), LUNATIK_SOCKET_TYPE);
	if (instance) {
		lua_createtable(L, 0, 1);
		lua_pushvalue(L, 2);
		lua_setfield(L, 3, "sock");
		luaL_setmetatable(L, LUNATIK_STREAM_SOCKET);
	} else {
		lua_pushvalue(L, 2);
	}
	lua_insert(L, 2);
	return accept_step(L, LUA_OK, 0);
}

int lunatik_net_create(lua_State *L, struct lunatik_socket *s, const struct lunatik_addrinfo *ai)
{
	s->cloexec = 1;
	return lunatik_socket_create(L, s, lunatik_address_family(&ai->address), ai->socktype, ai->protocol);
}

/* ============================================================================================ } */

const luaL_Reg lunatik_net_methods[] = {
	{ "fd", get_fd },
	{ "getsockname", get_sockname },
	{ "getpeername", get_peername },
	{ "closer", close_read },
	{ "closew", close_write },
	{ "close", close_all },
	{ "atmark", at_mark },
	{ "cloexec", cloexec },
	{ "nonblock", nonblock },
	{ "socktype", get_socktype },
	{ "family", get_family },
	{ "recv", recv_bytes },
	{ "send", send_all },
	{ "sendoob", send_oob },
	{ NULL, NULL },
};

const luaL_Reg lunatik_server_methods[] = {
	{ "listen", listen_on },
	{ "accept", accept_one },
	{ NULL, NULL },
};

const luaL_Reg lunatik_dgram_methods[] = {
	{ "recvfrom", recv_from },
	{ "sendto", send_to },
	{ NULL, NULL },
};
