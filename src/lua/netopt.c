// SPDX-License-Identifier: GPL-2.0-only
/*
 * The net library's options: one method each, to read it without an argument and to set it with one.
 *
 * Reading gives the kernel's value, setting the one asked for, as the first implementation did. Time-outs are this
 * module's own, for nothing waits in the kernel: their resolution is a microsecond. Context: under the state's lock.
 */
#include <string.h>

#include "net.h"

/* Levels and numbers of the kernel's interface, the same on all its platforms that this module knows. */
enum { SOL_SOCKET = 1, IPPROTO_IP = 0, IPPROTO_TCP = 6, IPPROTO_IPV6 = 41 };
enum {
	SO_DEBUG = 1, SO_REUSEADDR = 2, SO_ERROR = 4, SO_DONTROUTE = 5, SO_BROADCAST = 6, SO_SNDBUF = 7, SO_RCVBUF = 8,
	SO_KEEPALIVE = 9, SO_OOBINLINE = 10, SO_REUSEPORT = 15, SO_RCVLOWAT = 18, SO_SNDLOWAT = 19, SO_TIMESTAMP = 29,
	SO_ACCEPTCONN = 30,
};
enum { TCP_NODELAY = 1, TCP_CORK = 3, TCP_KEEPIDLE = 4, TCP_KEEPINTVL = 5, TCP_KEEPCNT = 6 };
enum { IP_MULTICAST_IF = 32, IP_MULTICAST_TTL = 33, IP_MULTICAST_LOOP = 34 };
enum { IPV6_MULTICAST_IF = 17, IPV6_MULTICAST_HOPS = 18, IPV6_MULTICAST_LOOP = 19 };
enum {
	MCAST_JOIN_GROUP = 42, MCAST_BLOCK_SOURCE = 43, MCAST_UNBLOCK_SOURCE = 44, MCAST_LEAVE_GROUP = 45,
	MCAST_JOIN_SOURCE_GROUP = 46, MCAST_LEAVE_SOURCE_GROUP = 47,
};

/* {=== integers and booleans ================================================================= */

static long set_bytes(lua_State *L, struct lunatik_socket *s, int level, int option, void *bytes, size_t len)
{
	struct lunatik_sockcall c = { .sock = s->sock, .op = LUNATIK_SOCK_SET, .level = level, .option = option,
				      .bytes = bytes, .len = len };

	if (!s->sock)
		return -LUNATIK_EBADF;
	lunatik_socket_call(L, &c);
	luai_poll(L);
	return c.result;
}

int lunatik_net_set(lua_State *L, struct lunatik_socket *s, int level, int option, int value)
{
	return (int)set_bytes(L, s, level, option, &value, sizeof(value));
}

static long get(lua_State *L, struct lunatik_socket *s, int level, int option, int *value)
{
	struct lunatik_sockcall c = { .sock = s->sock, .op = LUNATIK_SOCK_GET, .level = level, .option = option,
				      .bytes = (char *)value, .len = sizeof(*value) };

	*value = 0;
	if (!s->sock)
		return -LUNATIK_EBADF;
	lunatik_socket_call(L, &c);
	luai_poll(L);
	return c.result;
}

enum kind { BOOLEAN, INTEGER };

static int option(lua_State *L, int level, int number, enum kind kind)
{
	struct lunatik_socket *s = lunatik_net_self(L);
	int set = !lua_isnoneornil(L, 2), value = 0;
	lua_Integer wide;
	long err;

	if (set && kind == BOOLEAN) {
		luaL_checktype(L, 2, LUA_TBOOLEAN);
		value = lua_toboolean(L, 2);
	} else if (set) {
		luaL_checktype(L, 2, LUA_TNUMBER);
		wide = luaL_checkinteger(L, 2);
		luaL_argcheck(L, wide >= -2147483647 - 1 && wide <= 2147483647, 2, "out of range");
		value = (int)wide;
	}
	err = set ? lunatik_net_set(L, s, level, number, value) : get(L, s, level, number, &value);
	if (err < 0)
		return lunatik_net_failed(L, err);
	if (kind == BOOLEAN)
		lua_pushboolean(L, value != 0);
	else
		lua_pushinteger(L, value);
	return 1;
}

#define OPTION(name, level, number, kind) \
	static int name(lua_State *L) { return option(L, level, number, kind); }

OPTION(opt_debug, SOL_SOCKET, SO_DEBUG, BOOLEAN)
OPTION(opt_reuseaddr, SOL_SOCKET, SO_REUSEADDR, BOOLEAN)
OPTION(opt_reuseport, SOL_SOCKET, SO_REUSEPORT, BOOLEAN)
OPTION(opt_dontroute, SOL_SOCKET, SO_DONTROUTE, BOOLEAN)
OPTION(opt_timestamp, SOL_SOCKET, SO_TIMESTAMP, BOOLEAN)
OPTION(opt_broadcast, SOL_SOCKET, SO_BROADCAST, BOOLEAN)
OPTION(opt_keepalive, SOL_SOCKET, SO_KEEPALIVE, BOOLEAN)
OPTION(opt_oobinline, SOL_SOCKET, SO_OOBINLINE, BOOLEAN)
OPTION(opt_sndbuf, SOL_SOCKET, SO_SNDBUF, INTEGER)
OPTION(opt_rcvbuf, SOL_SOCKET, SO_RCVBUF, INTEGER)
OPTION(opt_sndlowat, SOL_SOCKET, SO_SNDLOWAT, INTEGER)
OPTION(opt_rcvlowat, SOL_SOCKET, SO_RCVLOWAT, INTEGER)
OPTION(opt_tcpnodelay, IPPROTO_TCP, TCP_NODELAY, BOOLEAN)
OPTION(opt_tcpcork, IPPROTO_TCP, TCP_CORK, BOOLEAN)
OPTION(opt_tcpkeepidle, IPPROTO_TCP, TCP_KEEPIDLE, INTEGER)
OPTION(opt_tcpkeepintvl, IPPROTO_TCP, TCP_KEEPINTVL, INTEGER)
OPTION(opt_tcpkeepcnt, IPPROTO_TCP, TCP_KEEPCNT, INTEGER)

/* What can only be read. */
static int read_only(lua_State *L, int number, enum kind kind)
{
	lua_settop(L, 1);
	return option(L, SOL_SOCKET, number, kind);
}

static int opt_error(lua_State *L)
{
	return read_only(L, SO_ERROR, INTEGER);
}

static int opt_acceptconn(lua_State *L)
{
	return read_only(L, SO_ACCEPTCONN, BOOLEAN);
}

/* ============================================================================================ }
 * {=== time-outs ============================================================================= */

static int timeo(lua_State *L, unsigned long long *ns)
{
	double seconds;

	if (lua_isnoneornil(L, 2)) {
		lua_pushnumber(L, (double)(long long)*ns / 1e9);
		return 1;
	}
	seconds = luaL_checknumber(L, 2);
	if (!(seconds >= 0)) {
		lua_pushnil(L);
		lua_pushstring(L, lunatik_strerror(33));
		return 2;
	}
	/* Longer than anybody lives is for ever; less than a microsecond, but not nothing, is one. */
	if (seconds >= 9e9)
		*ns = 0;
	else
		*ns = (unsigned long long)(long long)(seconds * 1e6) * 1000;
	if (*ns == 0 && seconds > 0 && seconds < 9e9)
		*ns = 1000;
	lua_settop(L, 2);
	return 1;
}

static int opt_rcvtimeo(lua_State *L)
{
	return timeo(L, &lunatik_net_self(L)->rcvtimeo);
}

static int opt_sndtimeo(lua_State *L)
{
	return timeo(L, &lunatik_net_self(L)->sndtimeo);
}

/* ============================================================================================ }
 * {=== multicast ============================================================================= */

static int ip_option(lua_State *L, int v4, int v6, enum kind kind)
{
	int is6 = lunatik_net_self(L)->family == LUNATIK_AF_INET6;

	return option(L, is6 ? IPPROTO_IPV6 : IPPROTO_IP, is6 ? v6 : v4, kind);
}

static int opt_mcastloop(lua_State *L)
{
	return ip_option(L, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, BOOLEAN);
}

static int opt_mcastttl(lua_State *L)
{
	return ip_option(L, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, INTEGER);
}

/* The number of the interface at `arg`, 0 without one, or a negative errno. */
static long interface(lua_State *L, struct lunatik_socket *s, int arg)
{
	struct lunatik_sockcall c = { .sock = s->sock, .op = LUNATIK_SOCK_IFINDEX };
	size_t len;

	if (lua_isnoneornil(L, arg))
		return 0;
	luaL_checktype(L, arg, LUA_TSTRING);
	c.bytes = (char *)lua_tolstring(L, arg, &len);
	c.len = len;
	if (!s->sock)
		return -LUNATIK_EBADF;
	lunatik_socket_call(L, &c);
	luai_poll(L);
	return c.result;
}

/* sock:mcastif([ifname]) -> name, or nil without one; nil, err */
static int opt_mcastif(lua_State *L)
{
	struct lunatik_socket *s = lunatik_net_self(L);
	int is6 = s->family == LUNATIK_AF_INET6, index;
	int level = is6 ? IPPROTO_IPV6 : IPPROTO_IP, number = is6 ? IPV6_MULTICAST_IF : IP_MULTICAST_IF;
	/* struct ip_mreqn: group, address, index. */
	int mreqn[3] = { 0, 0, 0 };
	char name[16];
	long err;

	if (lua_isnoneornil(L, 2)) {
		struct lunatik_sockcall c = { .sock = s->sock, .op = LUNATIK_SOCK_IFNAME, .bytes = name, .len = sizeof(name) };

		err = get(L, s, level, number, &index);
		if (err < 0)
			return lunatik_net_failed(L, err);
		if (index == 0)
			return 0;
		c.value = index;
		lunatik_socket_call(L, &c);
		luai_poll(L);
		if (c.result < 0)
			return lunatik_net_failed(L, c.result);
		lua_pushlstring(L, name, (size_t)c.result);
		return 1;
	}
	err = interface(L, s, 2);
	if (err < 0)
		return lunatik_net_failed(L, err);
	mreqn[2] = (int)err;
	err = is6 ? set_bytes(L, s, level, number, &mreqn[2], sizeof(mreqn[2])) :
		    set_bytes(L, s, level, number, mreqn, sizeof(mreqn));
	if (err < 0)
		return lunatik_net_failed(L, err);
	lua_settop(L, 2);
	return 1;
}

/* struct group_source_req; without the source it is struct group_req. */
struct group {
	unsigned int interface;
	unsigned int padding;
	unsigned char group[128], source[128];
};

/* The numeric address, or addrinfo, at `arg`. */
static void check_address(lua_State *L, int arg, unsigned char *to)
{
	struct lunatik_addrinfo *ai = luaL_testudata(L, arg, LUNATIK_ADDRINFO_TYPE);
	struct lunatik_address address;
	size_t len;
	const char *text;

	if (ai) {
		memcpy(to, ai->address.raw, sizeof(ai->address.raw));
		return;
	}
	luaL_checktype(L, arg, LUA_TSTRING);
	text = lua_tolstring(L, arg, &len);
	luaL_argcheck(L, lunatik_address_numeric(&address, text, len) == 0, arg, "not a numeric address");
	memcpy(to, address.raw, sizeof(address.raw));
}

static int membership(lua_State *L, int number, int sourced)
{
	struct lunatik_socket *s = lunatik_net_self(L);
	struct group group;
	long err;

	memset(&group, 0, sizeof(group));
	check_address(L, 2, group.group);
	if (sourced)
		check_address(L, 3, group.source);
	err = interface(L, s, sourced ? 4 : 3);
	if (err >= 0) {
		group.interface = (unsigned int)err;
		err = set_bytes(L, s, s->family == LUNATIK_AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP, number, &group,
				sourced ? sizeof(group) : sizeof(group) - sizeof(group.source));
	}
	return lunatik_net_nothing(L, err);
}

#define MEMBERSHIP(name, number, sourced) \
	static int name(lua_State *L) { return membership(L, number, sourced); }

MEMBERSHIP(mcast_join, MCAST_JOIN_GROUP, 0)
MEMBERSHIP(mcast_leave, MCAST_LEAVE_GROUP, 0)
MEMBERSHIP(mcast_join_source, MCAST_JOIN_SOURCE_GROUP, 1)
MEMBERSHIP(mcast_leave_source, MCAST_LEAVE_SOURCE_GROUP, 1)
MEMBERSHIP(mcast_block_source, MCAST_BLOCK_SOURCE, 1)
MEMBERSHIP(mcast_unblock_source, MCAST_UNBLOCK_SOURCE, 1)

/* ============================================================================================ } */

const luaL_Reg lunatik_net_options[] = {
	{ "error", opt_error },
	{ "reuseport", opt_reuseport },
	{ "reuseaddr", opt_reuseaddr },
	{ "debug", opt_debug },
	{ "dontroute", opt_dontroute },
	{ "timestamp", opt_timestamp },
	{ "rcvbuf", opt_rcvbuf },
	{ "rcvlowat", opt_rcvlowat },
	{ "sndbuf", opt_sndbuf },
	{ "sndlowat", opt_sndlowat },
	{ "rcvtimeo", opt_rcvtimeo },
	{ "sndtimeo", opt_sndtimeo },
	{ NULL, NULL },
};

const luaL_Reg lunatik_stream_options[] = {
	{ "acceptconn", opt_acceptconn },
	{ "oobinline", opt_oobinline },
	{ "keepalive", opt_keepalive },
	{ "tcpnodelay", opt_tcpnodelay },
	{ "tcpcork", opt_tcpcork },
	{ "tcpkeepalive", opt_tcpkeepidle },
	{ "tcpintvl", opt_tcpkeepintvl },
	{ "tcpkeepintvl", opt_tcpkeepintvl },
	{ "tcpkeepcnt", opt_tcpkeepcnt },
	{ NULL, NULL },
};

const luaL_Reg lunatik_dgram_options[] = {
	{ "broadcast", opt_broadcast },
	{ "mcastloop", opt_mcastloop },
	{ "mcastttl", opt_mcastttl },
	{ "mcastif", opt_mcastif },
	{ "mcastjoin", mcast_join },
	{ "mcastleave", mcast_leave },
	{ "mcastjoinsrc", mcast_join_source },
	{ "mcastleavesrc", mcast_leave_source },
	{ "mcastblocksrc", mcast_block_source },
	{ "mcastunblocksrc", mcast_unblock_source },
	{ NULL, NULL },
};
