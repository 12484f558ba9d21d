// SPDX-License-Identifier: GPL-2.0-only
/*
 * The net library: classes of sockets and their constructors, in the words of lua-net.
 *
 * A class is a table with `new`; its instances are tables whose field `sock` is the socket. Their methods stand in one
 * table a class, which looks in that of its parent; a state has these tables once it requires one of the modules. Context:
 * under the state's lock.
 */
#include <string.h>

#include "net.h"

#define INET_SERVER	"net.stream.inet.Server"
#define INET_CLIENT	"net.stream.inet.Client"
#define UNIX_SERVER	"net.stream.unix.Server"
#define UNIX_CLIENT	"net.stream.unix.Client"
#define DGRAM_SOCKET	"net.dgram.Socket"
#define INET_DGRAM	"net.dgram.inet.Socket"
#define UNIX_DGRAM	"net.dgram.unix.Socket"

/* {=== options of constructors =============================================================== */

/* Only `true` counts. */
static int is_true(lua_State *L, int table, const char *name)
{
	int yes;

	lua_getfield(L, table, name);
	yes = lua_isboolean(L, -1) && lua_toboolean(L, -1);
	lua_pop(L, 1);
	return yes;
}

/* Pushes a field that is a string or nil, or, if that is allowed, an integer. */
static void push_text(lua_State *L, int table, const char *name, int number)
{
	int type = lua_getfield(L, table, name);

	if (type != LUA_TSTRING && type != LUA_TNIL && !(number && lua_isinteger(L, -1)))
		luaL_error(L, "bad field '%s' (string expected, got %s)", name, luaL_typename(L, -1));
}

/* Pushes an array of the addresses that the table at `opts` names; else nil and the error's text. */
static int push_inet(lua_State *L, int opts, int flags, int socktype)
{
	const char *err;
	int host;

	push_text(L, opts, "host", 0);
	push_text(L, opts, "port", 1);
	host = lua_gettop(L) - 1;
	err = lunatik_net_resolve(L, host, host + 1, flags, socktype);
	if (err) {
		lua_pushnil(L);
		lua_pushstring(L, err);
		return 0;
	}
	lua_replace(L, host);
	lua_settop(L, host);
	return 1;
}

/* Pushes the addrinfo of the path that the table at `opts` has; else nil and the error's text. */
static int push_unix(lua_State *L, int opts, int socktype)
{
	struct lunatik_address address;
	const char *path;
	size_t len;
	int err;

	if (lua_getfield(L, opts, "path") != LUA_TSTRING)
		luaL_error(L, "bad field 'path' (string expected, got %s)", luaL_typename(L, -1));
	path = lua_tolstring(L, -1, &len);
	err = lunatik_address_unix(&address, path, len);
	lua_pop(L, 1);
	if (err) {
		lunatik_net_failed(L, err);
		return 0;
	}
	lunatik_addrinfo_push(L, &address, socktype);
	return 1;
}

static struct lunatik_socket *push_socket(lua_State *L)
{
	return lunatik_socket_push(L, sizeof(struct lunatik_socket), LUNATIK_SOCKET_TYPE);
}

/* Pushes an instance whose socket is on top, in its place. */
static void push_instance(lua_State *L, const char *class)
{
	lua_createtable(L, 0, 2);
	lua_insert(L, -2);
	lua_setfield(L, -2, "sock");
	luaL_setmetatable(L, class);
}

static long with_address(lua_State *L, struct lunatik_socket *s, enum lunatik_sock_op op, struct lunatik_addrinfo *ai)
{
	struct lunatik_sockcall c = { .sock = s->sock, .op = op, .address = &ai->address };

	if (!s->sock)
		return -LUNATIK_EBADF;
	lunatik_socket_call(L, &c);
	luai_poll(L);
	return c.result;
}

/* ============================================================================================ }
 * {=== servers =============================================================================== */

/* Index 1: the options; an addrinfo on top. Pushes a bound socket; when none could be made, another address may do. */
static int push_bound(lua_State *L, int reuseaddr, int *made)
{
	struct lunatik_addrinfo *ai = lua_touserdata(L, -1);
	struct lunatik_socket *s = push_socket(L);
	int err = lunatik_net_create(L, s, ai);

	luai_poll(L);
	*made = err == 0;
	if (err)
		return err;
	s->nonblock = (unsigned char)is_true(L, 1, "nonblock");
	if (reuseaddr)
		err = lunatik_net_set(L, s, 1, 2, 1);
	if (err == 0)
		err = (int)with_address(L, s, LUNATIK_SOCK_BIND, ai);
	if (err)
		lunatik_socket_close(L, s);
	return err;
}

static int inet_server(lua_State *L)
{
	int err = -LUNATIK_EAFNOSUPPORT, made = 0, i;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	if (!push_inet(L, 1, LUNATIK_AI_PASSIVE, LUNATIK_STREAM))
		return 2;
	for (i = 1; !made; i++) {
		lua_settop(L, 2);
		if (lua_rawgeti(L, 2, i) == LUA_TNIL)
			break;
		err = push_bound(L, is_true(L, 1, "reuseaddr"), &made);
	}
	if (err)
		return lunatik_net_failed(L, err);
	push_instance(L, INET_SERVER);
	return 1;
}

static int unix_server(lua_State *L)
{
	int err, made;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	if (!push_unix(L, 1, LUNATIK_STREAM))
		return 2;
	err = push_bound(L, 0, &made);
	if (err)
		return lunatik_net_failed(L, err);
	push_instance(L, UNIX_SERVER);
	return 1;
}

/* ============================================================================================ }
 * {=== clients =============================================================================== */

/* While it connects: the instance, an array of addrinfos, the one that is tried, its socket. */
enum { INSTANCE = 1, ADDRESSES, ADDRESS, SOCKET };
/* The context: which address, and whether it is a constructor that connects. */
#define IS_NEW	0x10000

static int connected(lua_State *L, lua_KContext ctx)
{
	struct lunatik_socket *before;

	lua_getfield(L, INSTANCE, "sock");
	lua_pushvalue(L, SOCKET);
	lua_setfield(L, INSTANCE, "sock");
	before = luaL_testudata(L, -1, LUNATIK_SOCKET_TYPE);
	if (before)
		lunatik_socket_close(L, before);
	lua_settop(L, INSTANCE);
	return (ctx & IS_NEW) != 0;
}

static int not_connected(lua_State *L, lua_KContext ctx, long err)
{
	return ctx & IS_NEW ? lunatik_net_failed(L, err) : lunatik_net_nothing(L, err);
}

static int connect_step(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_sockcall c;
	struct lunatik_socket *s;
	long err = -LUNATIK_EINVAL;

	for (;; ctx++, status = LUA_OK) {
		if (status == LUA_OK) {
			lua_settop(L, ADDRESSES);
			if (lua_rawgeti(L, ADDRESSES, (ctx & ~IS_NEW) + 1) == LUA_TNIL)
				return not_connected(L, ctx, err);
			s = push_socket(L);
			lua_getfield(L, INSTANCE, "opts");
			s->nonblock = (unsigned char)is_true(L, SOCKET + 1, "nonblock");
			lua_settop(L, SOCKET);
			err = lunatik_net_create(L, s, lua_touserdata(L, ADDRESS));
			luai_poll(L);
			if (err)
				continue;
		}
		s = lua_touserdata(L, SOCKET);
		memset(&c, 0, sizeof(c));
		c.sock = s->sock;
		c.op = LUNATIK_SOCK_CONNECT;
		c.address = &((struct lunatik_addrinfo *)lua_touserdata(L, ADDRESS))->address;
		c.wait = s->nonblock ? 0 : LUNATIK_SOCK_OUT;
		if (!lunatik_socket_try(L, status, &c, s->sndtimeo))
			return lunatik_wait(L, ctx, connect_step);
		luai_poll(L);
		err = c.result;
		/* It goes on connecting; the first send or recv, or `error`, will tell. */
		if (err == 0 || err == -LUNATIK_EINPROGRESS || err == -LUNATIK_EALREADY)
			return connected(L, ctx);
		lunatik_socket_close(L, s);
	}
}

static int connect_inet(lua_State *L, lua_KContext ctx)
{
	lua_settop(L, 1);
	lua_getfield(L, 1, "opts");
	luaL_checktype(L, 2, LUA_TTABLE);
	if (!push_inet(L, 2, 0, LUNATIK_STREAM)) {
		if (ctx & IS_NEW)
			return 2;
		return 1;
	}
	lua_replace(L, ADDRESSES);
	return connect_step(L, LUA_OK, ctx);
}

static int connect_unix(lua_State *L, lua_KContext ctx)
{
	lua_settop(L, 1);
	lua_getfield(L, 1, "opts");
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_createtable(L, 1, 0);
	if (!push_unix(L, 2, LUNATIK_STREAM))
		return ctx & IS_NEW ? 2 : 1;
	lua_rawseti(L, 3, 1);
	lua_replace(L, ADDRESSES);
	return connect_step(L, LUA_OK, ctx);
}

/* Replaces the options at index 1 by a new instance. */
static void new_client(lua_State *L, const char *class)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	lua_createtable(L, 0, 2);
	lua_insert(L, 1);
	lua_setfield(L, 1, "opts");
	luaL_setmetatable(L, class);
}

static int inet_client(lua_State *L)
{
	new_client(L, INET_CLIENT);
	return connect_inet(L, IS_NEW);
}

static int unix_client(lua_State *L)
{
	new_client(L, UNIX_CLIENT);
	return connect_unix(L, IS_NEW);
}

static int inet_connect(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	return connect_inet(L, 0);
}

static int unix_connect(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	return connect_unix(L, 0);
}

static const luaL_Reg inet_client_methods[] = { { "connect", inet_connect }, { NULL, NULL } };
static const luaL_Reg unix_client_methods[] = { { "connect", unix_connect }, { NULL, NULL } };

/* ============================================================================================ }
 * {=== datagram sockets ====================================================================== */

/* Index 1: the options; an addrinfo on top, or nil. Returns an instance for it. */
static int new_dgram(lua_State *L, const char *class, int family)
{
	struct lunatik_addrinfo *ai = lua_touserdata(L, -1);
	struct lunatik_addrinfo none = { .address = { .len = 2, .raw = { (unsigned char)family } }, .socktype = LUNATIK_DGRAM };
	struct lunatik_socket *s = push_socket(L);
	long err = lunatik_net_create(L, s, ai ? ai : &none);

	luai_poll(L);
	s->nonblock = (unsigned char)is_true(L, 1, "nonblock");
	if (err == 0 && is_true(L, 1, "reuseaddr"))
		err = lunatik_net_set(L, s, 1, 2, 1);
	if (err < 0) {
		lunatik_socket_close(L, s);
		return lunatik_net_failed(L, err);
	}
	push_instance(L, class);
	lua_insert(L, -2);
	lua_setfield(L, -2, "ai");
	return 1;
}

/* Pushes the first address of the options at `opts`. */
static int push_first(lua_State *L, int opts)
{
	if (!push_inet(L, opts, is_true(L, opts, "passive") ? LUNATIK_AI_PASSIVE : 0, LUNATIK_DGRAM))
		return 0;
	lua_rawgeti(L, -1, 1);
	lua_replace(L, -2);
	return 1;
}

static int inet_dgram(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	if (!push_first(L, 1))
		return 2;
	return new_dgram(L, INET_DGRAM, LUNATIK_AF_INET);
}

static int unix_dgram(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	if (lua_getfield(L, 1, "path") != LUA_TNIL) {
		lua_settop(L, 1);
		if (!push_unix(L, 1, LUNATIK_DGRAM))
			return 2;
	}
	return new_dgram(L, UNIX_DGRAM, LUNATIK_AF_UNIX);
}

/* Index 1: an instance; 2: options, or nothing. Binds or connects it to their address, or to its own. */
static int use_address(lua_State *L, enum lunatik_sock_op op)
{
	struct lunatik_addrinfo *ai;
	int is_unix;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	lua_getfield(L, 1, "ai");
	lua_pushvalue(L, 1);
	lua_insert(L, 1);
	is_unix = lunatik_net_self(L)->family == LUNATIK_AF_UNIX;
	/* 1: the socket; 2: the instance; 3: the options; 4: its own address */
	if (!lua_isnil(L, 3)) {
		luaL_checktype(L, 3, LUA_TTABLE);
		if (is_unix ? !push_unix(L, 3, LUNATIK_DGRAM) : !push_first(L, 3))
			return 1;
	}
	ai = luaL_testudata(L, -1, LUNATIK_ADDRINFO_TYPE);
	if (!ai)
		return lunatik_net_nothing(L, -LUNATIK_EINVAL);
	return lunatik_net_nothing(L, with_address(L, lua_touserdata(L, 1), op, ai));
}

static int dgram_bind(lua_State *L)
{
	return use_address(L, LUNATIK_SOCK_BIND);
}

static int dgram_connect(lua_State *L)
{
	return use_address(L, LUNATIK_SOCK_CONNECT);
}

static const luaL_Reg dgram_address_methods[] = {
	{ "bind", dgram_bind },
	{ "connect", dgram_connect },
	{ NULL, NULL },
};

/* ============================================================================================ }
 * {=== functions of net.stream and net.dgram ================================================= */

static int push_pair(lua_State *L, int type, const char *class)
{
	struct lunatik_socket *a, *b;
	int nonblock = 0, err;

	if (!lua_isnoneornil(L, 1)) {
		luaL_checktype(L, 1, LUA_TTABLE);
		nonblock = is_true(L, 1, "nonblock");
	}
	lua_settop(L, 1);
	lua_createtable(L, 2, 0);
	a = push_socket(L);
	b = push_socket(L);
	err = lunatik_socket_pair(L, a, b, type);
	luai_poll(L);
	if (err)
		return lunatik_net_failed(L, err);
	a->nonblock = b->nonblock = (unsigned char)nonblock;
	a->cloexec = b->cloexec = 1;
	push_instance(L, class);
	lua_rawseti(L, 2, 2);
	push_instance(L, class);
	lua_rawseti(L, 2, 1);
	return 1;
}

static int stream_pair(lua_State *L)
{
	return push_pair(L, LUNATIK_STREAM, LUNATIK_STREAM_SOCKET);
}

static int dgram_pair(lua_State *L)
{
	return push_pair(L, LUNATIK_DGRAM, DGRAM_SOCKET);
}

static int resolve_inet(lua_State *L, int socktype)
{
	int flags = 0;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	if (is_true(L, 1, "passive"))
		flags |= LUNATIK_AI_PASSIVE;
	if (is_true(L, 1, "canonname"))
		flags |= LUNATIK_AI_CANONNAME;
	if (is_true(L, 1, "numeric"))
		flags |= LUNATIK_AI_NUMERICHOST;
	return push_inet(L, 1, flags, socktype) ? 1 : 2;
}

static int resolve_unix(lua_State *L, int socktype)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	return push_unix(L, 1, socktype) ? 1 : 2;
}

static int stream_addrinfo_in(lua_State *L)
{
	return resolve_inet(L, LUNATIK_STREAM);
}

static int stream_addrinfo_un(lua_State *L)
{
	return resolve_unix(L, LUNATIK_STREAM);
}

static int dgram_addrinfo_in(lua_State *L)
{
	return resolve_inet(L, LUNATIK_DGRAM);
}

static int dgram_addrinfo_un(lua_State *L)
{
	return resolve_unix(L, LUNATIK_DGRAM);
}

static const luaL_Reg stream_functions[] = {
	{ "pair", stream_pair },
	{ "getaddrinfoin", stream_addrinfo_in },
	{ "getaddrinfoun", stream_addrinfo_un },
	{ NULL, NULL },
};

static const luaL_Reg dgram_functions[] = {
	{ "pair", dgram_pair },
	{ "getaddrinfoin", dgram_addrinfo_in },
	{ "getaddrinfoun", dgram_addrinfo_un },
	{ NULL, NULL },
};

/* ============================================================================================ }
 * {=== classes =============================================================================== */

/* Makes a class known: its methods, then those of its parent. */
static void define(lua_State *L, const char *class, const char *parent, const luaL_Reg *methods, const luaL_Reg *more)
{
	if (!luaL_newmetatable(L, class)) {
		lua_pop(L, 1);
		return;
	}
	lua_newtable(L);
	if (methods)
		luaL_setfuncs(L, methods, 0);
	if (more)
		luaL_setfuncs(L, more, 0);
	if (parent) {
		lua_createtable(L, 0, 1);
		luaL_getmetatable(L, parent);
		lua_getfield(L, -1, "__index");
		lua_setfield(L, -3, "__index");
		lua_pop(L, 1);
		lua_setmetatable(L, -2);
	}
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

static int socket_tostring(lua_State *L)
{
	lua_pushfstring(L, LUNATIK_SOCKET_TYPE ": %p", luaL_checkudata(L, 1, LUNATIK_SOCKET_TYPE));
	return 1;
}

/* The type below all classes; its methods are those of net.Socket. */
static void define_socket(lua_State *L)
{
	define(L, LUNATIK_NET_SOCKET, NULL, lunatik_net_methods, lunatik_net_options);
	lunatik_net_open_addresses(L);
	if (luaL_newmetatable(L, LUNATIK_SOCKET_TYPE)) {
		luaL_getmetatable(L, LUNATIK_NET_SOCKET);
		lua_getfield(L, -1, "__index");
		lua_setfield(L, -3, "__index");
		lua_pop(L, 1);
		lua_pushcfunction(L, lunatik_socket_collect);
		lua_setfield(L, -2, "__gc");
		lua_pushcfunction(L, socket_tostring);
		lua_setfield(L, -2, "__tostring");
		lua_pushinteger(L, 1);
		lua_setfield(L, -2, "__metatable");
	}
	lua_pop(L, 1);
}

static void define_stream(lua_State *L)
{
	define_socket(L);
	define(L, LUNATIK_STREAM_SOCKET, LUNATIK_NET_SOCKET, lunatik_stream_options, NULL);
	define(L, LUNATIK_STREAM_SERVER, LUNATIK_STREAM_SOCKET, lunatik_server_methods, NULL);
}

static void define_dgram(lua_State *L)
{
	define_socket(L);
	define(L, DGRAM_SOCKET, LUNATIK_NET_SOCKET, lunatik_dgram_methods, lunatik_dgram_options);
}

/* Pushes a class: a table with its constructor. */
static void push_class(lua_State *L, lua_CFunction constructor)
{
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, constructor);
	lua_setfield(L, -2, "new");
}

/* net.new(socket) -> an instance of net.Socket */
static int wrap_socket(lua_State *L)
{
	luaL_checkudata(L, 1, LUNATIK_SOCKET_TYPE);
	lua_settop(L, 1);
	push_instance(L, LUNATIK_NET_SOCKET);
	return 1;
}

int lunatik_open_net(lua_State *L)
{
	define_socket(L);
	push_class(L, wrap_socket);
	return 1;
}

int lunatik_open_net_stream(lua_State *L)
{
	define_stream(L);
	luaL_newlib(L, stream_functions);
	return 1;
}

int lunatik_open_net_stream_inet(lua_State *L)
{
	define_stream(L);
	define(L, INET_SERVER, LUNATIK_STREAM_SERVER, NULL, NULL);
	define(L, INET_CLIENT, LUNATIK_STREAM_SOCKET, inet_client_methods, NULL);
	lua_createtable(L, 0, 2);
	push_class(L, inet_server);
	lua_setfield(L, -2, "server");
	push_class(L, inet_client);
	lua_setfield(L, -2, "client");
	return 1;
}

int lunatik_open_net_stream_unix(lua_State *L)
{
	define_stream(L);
	define(L, UNIX_SERVER, LUNATIK_STREAM_SERVER, NULL, NULL);
	define(L, UNIX_CLIENT, LUNATIK_STREAM_SOCKET, unix_client_methods, NULL);
	lua_createtable(L, 0, 2);
	push_class(L, unix_server);
	lua_setfield(L, -2, "server");
	push_class(L, unix_client);
	lua_setfield(L, -2, "client");
	return 1;
}

int lunatik_open_net_dgram(lua_State *L)
{
	define_dgram(L);
	luaL_newlib(L, dgram_functions);
	return 1;
}

int lunatik_open_net_dgram_inet(lua_State *L)
{
	define_dgram(L);
	define(L, INET_DGRAM, DGRAM_SOCKET, dgram_address_methods, NULL);
	push_class(L, inet_dgram);
	return 1;
}

int lunatik_open_net_dgram_unix(lua_State *L)
{
	define_dgram(L);
	define(L, UNIX_DGRAM, DGRAM_SOCKET, dgram_address_methods, NULL);
	push_class(L, unix_dgram);
	return 1;
}

/* ============================================================================================ } */
