// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tcp library: what is set and asked of a stream socket: framing, sharing, TCP_NODELAY, addresses.
 *
 * Context: under the state's lock.
 */
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "tcp.h"

#define IPPROTO_TCP 6
#define TCP_NODELAY 1

/* {=== options =============================================================================== */

struct half {
	const char *endian, *bytes, *most;
	struct lunatik_framing framing;
	int frozen, set;
	const char *which;	/* the first field that is given */
};

static int bad_field(lua_State *L, const char *name)
{
	return luaL_error(L, "option table error, field '%s' not correct", name);
}

/* The integer of a field of the table at index 2: 1 if it is there. */
static int get_integer(lua_State *L, const char *name, lua_Integer least, lua_Integer most, lua_Integer *value)
{
	int is_integer;

	if (lua_getfield(L, 2, name) == LUA_TNIL) {
		lua_pop(L, 1);
		return 0;
	}
	*value = lua_tointegerx(L, -1, &is_integer);
	lua_pop(L, 1);
	if (!is_integer || *value < least || *value > most)
		return bad_field(L, name);
	return 1;
}

static void get_half(lua_State *L, struct half *h)
{
	lua_Integer value;
	unsigned int largest;

	if (lua_getfield(L, 2, h->endian) != LUA_TNIL) {
		const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";

		if (strcmp(s, "L") != 0 && strcmp(s, "B") != 0)
			bad_field(L, h->endian);
		h->framing.big = s[0] == 'B';
		h->set = 1;
		h->which = h->endian;
	}
	lua_pop(L, 1);
	if (get_integer(L, h->bytes, 0, 4, &value)) {
		if (value == 3)
			bad_field(L, h->bytes);
		h->framing.bytes = (unsigned char)value;
		h->set = 1;
		h->which = h->bytes;
	}
	if (get_integer(L, h->most, 0, 0x7fffffff, &value)) {
		h->framing.most = (unsigned int)value;
		h->set = 1;
		h->which = h->most;
	}
	largest = h->framing.bytes == 4 ? 0x7fffffffU : (1U << 8 * h->framing.bytes) - 1;
	if (h->framing.most > largest)
		luaL_error(L, "option table error, field '%s' and '%s' not match", h->bytes, h->most);
	if (h->framing.bytes && h->framing.most == 0)
		h->framing.most = largest;
	if (h->set && h->frozen)
		luaL_error(L, "field '%s' set failed, option table already frozen", h->which);
}

static struct lunatik_tcp *check_open(lua_State *L)
{
	struct lunatik_tcp *s = lunatik_tcp_check(L, 0);

	if (s->closed)
		luaL_error(L, "attempt to perform on a invalid or closed socket");
	return s;
}

/* tcp.set_rwopt(socket, table) */
static int tcp_set_rwopt(lua_State *L)
{
	struct lunatik_tcp *s = check_open(L);
	struct half in = { "read_head_endian", "read_head_bytes", "read_head_max", s->read, s->read_frozen, 0, NULL };
	struct half out = { "write_head_endian", "write_head_bytes", "write_head_max", s->write, s->write_frozen, 0, NULL };

	luaL_checktype(L, 2, LUA_TTABLE);
	get_half(L, &in);
	get_half(L, &out);
	if ((in.set && s->read_frozen) || (out.set && s->write_frozen))
		return luaL_error(L, "field '%s' set failed, option table already frozen",
				  in.set && s->read_frozen ? in.which : out.which);
	if (in.set)
		s->read = in.framing;
	if (out.set) {
		s->write = out.framing;
		if (s->out)
			lunatik_outbox_frame(s->out, &s->write);
	}
	return 0;
}

static void put_half(lua_State *L, const struct lunatik_framing *framing, const char *endian, const char *bytes,
		     const char *most)
{
	lua_pushstring(L, framing->big ? "B" : "L");
	lua_setfield(L, -2, endian);
	lua_pushinteger(L, framing->bytes);
	lua_setfield(L, -2, bytes);
	lua_pushinteger(L, framing->most);
	lua_setfield(L, -2, most);
}

/* tcp.get_rwopt(socket) -> table, empty when it is closed */
static int tcp_get_rwopt(lua_State *L)
{
	struct lunatik_tcp *s = lunatik_tcp_check(L, 0);

	lua_createtable(L, 0, 6);
	if (!s->closed) {
		put_half(L, &s->read, "read_head_endian", "read_head_bytes", "read_head_max");
		put_half(L, &s->write, "write_head_endian", "write_head_bytes", "write_head_max");
	}
	return 1;
}

/* tcp.set_nodelay(socket, boolean) */
static int tcp_set_nodelay(lua_State *L)
{
	struct lunatik_tcp *s = lunatik_tcp_check(L, 0);
	struct lunatik_sockcall c;
	int on;

	luaL_checktype(L, 2, LUA_TBOOLEAN);
	on = lua_toboolean(L, 2);
	if (s->closed || s->base.family == LUNATIK_AF_UNIX)
		return 0;
	memset(&c, 0, sizeof(c));
	c.sock = s->base.sock;
	c.op = LUNATIK_SOCK_SET;
	c.level = IPPROTO_TCP;
	c.option = TCP_NODELAY;
	c.bytes = (char *)&on;
	c.len = sizeof(on);
	lunatik_socket_call(L, &c);
	luai_poll(L);
	return 0;
}

/* tcp.set_wshared(socket, boolean): whether other states may write to it by its number */
static int tcp_set_wshared(lua_State *L)
{
	struct lunatik_tcp *s = lunatik_tcp_check(L, 0);

	luaL_checktype(L, 2, LUA_TBOOLEAN);
	if (s->closed)
		return 0;
	if (lua_toboolean(L, 2))
		s->write_frozen = 1;
	lunatik_outbox_share(s->out, lua_toboolean(L, 2));
	return 0;
}

/* ============================================================================================ }
 * {=== addresses ============================================================================= */

static int get_address(lua_State *L, enum lunatik_sock_op op, int want_port)
{
	struct lunatik_tcp *s = check_open(L);
	struct lunatik_address address;
	struct lunatik_sockcall c;
	char text[64];
	int port = -1;

	if (s->base.family == LUNATIK_AF_UNIX)
		return luaL_error(L, "attempt to perform on a unix domain socket");
	memset(&c, 0, sizeof(c));
	address.len = 0;
	c.sock = s->base.sock;
	c.op = op;
	c.address = &address;
	lunatik_socket_call(L, &c);
	luai_poll(L);
	if (c.result < 0 || lunatik_tcp_name(&address, text, sizeof(text), &port) != 0) {
		strcpy(text, "unknown address");
		port = -1;
	}
	if (want_port)
		lua_pushinteger(L, port);
	else
		lua_pushstring(L, text);
	return 1;
}

static int tcp_local_addr(lua_State *L)
{
	return get_address(L, LUNATIK_SOCK_NAME, 0);
}

static int tcp_remote_addr(lua_State *L)
{
	return get_address(L, LUNATIK_SOCK_PEER, 0);
}

static int tcp_local_port(lua_State *L)
{
	return get_address(L, LUNATIK_SOCK_NAME, 1);
}

static int tcp_remote_port(lua_State *L)
{
	return get_address(L, LUNATIK_SOCK_PEER, 1);
}

/* ============================================================================================ } */

const luaL_Reg lunatik_tcp_options[] = {
	{ "set_rwopt", tcp_set_rwopt },
	{ "get_rwopt", tcp_get_rwopt },
	{ "set_nodelay", tcp_set_nodelay },
	{ "set_wshared", tcp_set_wshared },
	{ "local_addr", tcp_local_addr },
	{ "remote_addr", tcp_remote_addr },
	{ "local_port", tcp_local_port },
	{ "remote_port", tcp_remote_port },
	{ NULL, NULL },
};
