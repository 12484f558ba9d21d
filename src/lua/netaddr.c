// SPDX-License-Identifier: GPL-2.0-only
/*
 * The net library's addresses: addrinfo objects, getaddrinfo and getnameinfo.
 *
 * Names come from /etc/hosts and /etc/services, read anew at each call, and `localhost` is always known; there is no DNS.
 * Both files are read and searched in a call-out, so nothing of them is kept. Context: under the state's lock.
 */
#include <string.h>

#include "net.h"
#include "readfile.h"
#include "../../lua/kernel/file_status.h"

#define HOSTS		"/etc/hosts"
#define SERVICES	"/etc/services"

/* So many addresses of one host are used. */
#define MOST		8
/* The longest name of a host, and of a service. */
#define NAME		256

enum { NUMERICHOST = 1, NUMERICSERV = 2, NAMEREQD = 8, DGRAM = 16 };

static const char no_name[] = "Name or service not known";
static const char no_service[] = "Servname not supported for ai_socktype";

/* {=== addresses ============================================================================= */

int lunatik_address_family(const struct lunatik_address *address)
{
	return address->len >= 2 ? address->raw[0] | address->raw[1] << 8 : 0;
}

static int port_of(const struct lunatik_address *address)
{
	return address->raw[2] << 8 | address->raw[3];
}

static const unsigned char *ip_of(const struct lunatik_address *address)
{
	return address->raw + (lunatik_address_family(address) == LUNATIK_AF_INET6 ? 8 : 4);
}

static void set_ip(struct lunatik_address *address, int family, const unsigned char *ip, int port)
{
	memset(address, 0, sizeof(*address));
	address->raw[0] = (unsigned char)family;
	address->raw[2] = (unsigned char)(port >> 8);
	address->raw[3] = (unsigned char)port;
	address->len = family == LUNATIK_AF_INET6 ? 28 : 16;
	memcpy(address->raw + (family == LUNATIK_AF_INET6 ? 8 : 4), ip, family == LUNATIK_AF_INET6 ? 16 : 4);
}

int lunatik_address_numeric(struct lunatik_address *address, const char *host, size_t len)
{
	unsigned char ip[16];
	int family = lunatik_net_parse(host, len, ip);

	if (family == 0)
		return -LUNATIK_EINVAL;
	set_ip(address, family, ip, 0);
	return 0;
}

/* A struct sockaddr_un has room for this many bytes of path. */
#define PATH	108

int lunatik_address_unix(struct lunatik_address *address, const char *path, size_t len)
{
	int abstract = len > 0 && (path[0] == '@' || path[0] == '\0');

	if (len == 0)
		return -LUNATIK_EINVAL;
	if (len >= PATH || (!abstract && memchr(path, 0, len) != NULL))
		return len >= PATH ? -LUNATIK_ENAMETOOLONG : -LUNATIK_EINVAL;
	memset(address, 0, sizeof(*address));
	address->raw[0] = LUNATIK_AF_UNIX;
	memcpy(address->raw + 2, path, len);
	if (abstract)
		address->raw[2] = 0;
	/* A path ends with a zero, an abstract name with its length. */
	address->len = 2 + (int)len + !abstract;
	return 0;
}

/* ============================================================================================ }
 * {=== addrinfo ============================================================================== */

struct lunatik_addrinfo *lunatik_addrinfo_push(lua_State *L, const struct lunatik_address *address, int socktype)
{
	struct lunatik_addrinfo *ai = lua_newuserdata(L, sizeof(*ai));

	ai->address = *address;
	ai->socktype = socktype;
	ai->protocol = 0;
	if (lunatik_address_family(address) != LUNATIK_AF_UNIX)
		ai->protocol = socktype == LUNATIK_STREAM ? 6 : 17;
	luaL_setmetatable(L, LUNATIK_ADDRINFO_TYPE);
	return ai;
}

static struct lunatik_addrinfo *check_ai(lua_State *L)
{
	return luaL_checkudata(L, 1, LUNATIK_ADDRINFO_TYPE);
}

static int ai_family(lua_State *L)
{
	lua_pushinteger(L, lunatik_address_family(&check_ai(L)->address));
	return 1;
}

static int ai_socktype(lua_State *L)
{
	lua_pushinteger(L, check_ai(L)->socktype);
	return 1;
}

static int ai_protocol(lua_State *L)
{
	lua_pushinteger(L, check_ai(L)->protocol);
	return 1;
}

static int ai_canonname(lua_State *L)
{
	check_ai(L);
	return lua_getuservalue(L, 1) == LUA_TSTRING;
}

static void push_ip(lua_State *L, const struct lunatik_address *address)
{
	char text[LUNATIK_IP_TEXT];

	lua_pushlstring(L, text, lunatik_net_format(lunatik_address_family(address), ip_of(address), text));
}

static void push_path(lua_State *L, const struct lunatik_address *address)
{
	size_t len = address->len > 2 ? (size_t)address->len - 2 : 0;
	const char *path = (const char *)address->raw + 2;

	if (len > 0 && path[0] != '\0' && memchr(path, 0, len) != NULL)
		len = strlen(path);
	lua_pushlstring(L, path, len);
}

/* ai:addr() -> { ip =, port = } or { path = } */
static int ai_addr(lua_State *L)
{
	struct lunatik_addrinfo *ai = check_ai(L);
	int family = lunatik_address_family(&ai->address);

	lua_createtable(L, 0, 2);
	if (family == LUNATIK_AF_INET || family == LUNATIK_AF_INET6) {
		push_ip(L, &ai->address);
		lua_setfield(L, -2, "ip");
		lua_pushinteger(L, port_of(&ai->address));
		lua_setfield(L, -2, "port");
	} else {
		push_path(L, &ai->address);
		lua_setfield(L, -2, "path");
	}
	return 1;
}

static int ai_tostring(lua_State *L)
{
	lua_pushfstring(L, LUNATIK_ADDRINFO_TYPE ": %p", check_ai(L));
	return 1;
}

/* ============================================================================================ }
 * {=== files ================================================================================= */

/* A file with a short path, on the C stack. */
union text {
	struct lunatik_readfile file;
	char room[sizeof(struct lunatik_readfile) + 16];
};

/* Reads it; without it there is no text. Process context. */
static void read_text(union text *text, const char *path)
{
	memset(text, 0, sizeof(*text));
	memcpy(text->file.path, path, strlen(path) + 1);
	lunatik_readfile_run(&text->file);
}

static size_t copy_name(char *to, const char *name, size_t len)
{
	if (len > NAME)
		len = NAME;
	memcpy(to, name, len);
	return len;
}

/* ============================================================================================ }
 * {=== from names to addresses =============================================================== */

struct query {
	const char *host, *service;	/* to be looked up, or NULL */
	size_t host_len, service_len;
	int udp;
	int port;			/* -1: there is no such service */
	size_t count;
	struct lunatik_host found[MOST];
	char canonical[NAME];
	size_t canonical_len;
};

/* In process context, without the lock. */
static void look_up(void *arg)
{
	struct query *query = arg;
	union text text;

	if (query->host) {
		read_text(&text, HOSTS);
		query->count = lunatik_net_host(text.file.text, text.file.len, query->host, query->host_len, query->found,
						MOST);
		if (query->count > 0)
			query->canonical_len = copy_name(query->canonical, query->found[0].name, query->found[0].name_len);
		lunatik_readfile_free(&text.file);
	}
	if (query->service) {
		read_text(&text, SERVICES);
		query->port = lunatik_net_port(text.file.text, text.file.len, query->service, query->service_len, query->udp);
		lunatik_readfile_free(&text.file);
	}
}

static void add_found(struct query *query, int family, const unsigned char *ip)
{
	query->found[query->count].family = family;
	memcpy(query->found[query->count].address, ip, family == LUNATIK_AF_INET6 ? 16 : 4);
	query->count++;
}

static const unsigned char any6[16], loopback6[16] = { [15] = 1 };
static const unsigned char any4[4], loopback4[4] = { 127, 0, 0, 1 };

/* A decimal port; -1 when it is a name. */
static int decimal(const char *text, size_t len)
{
	int port = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || port > 65535)
			return -1;
		port = port * 10 + text[i] - '0';
	}
	return port > 65535 ? -1 : port;
}

/* What needs no file: numbers, no host at all. */
static void without_files(struct query *query, int flags)
{
	unsigned char ip[16];
	int family;

	if (!query->host) {
		/* The order of glibc. */
		if (flags & LUNATIK_AI_PASSIVE)
			add_found(query, LUNATIK_AF_INET, any4);
		add_found(query, LUNATIK_AF_INET6, flags & LUNATIK_AI_PASSIVE ? any6 : loopback6);
		if (!(flags & LUNATIK_AI_PASSIVE))
			add_found(query, LUNATIK_AF_INET, loopback4);
		return;
	}
	family = lunatik_net_parse(query->host, query->host_len, ip);
	if (family) {
		add_found(query, family, ip);
		query->canonical_len = copy_name(query->canonical, query->host, query->host_len);
		query->host = NULL;
	}
}

static void know_localhost(struct query *query)
{
	static const char name[] = "localhost";

	if (query->count || query->host_len != sizeof(name) - 1 || memcmp(query->host, name, sizeof(name) - 1) != 0)
		return;
	add_found(query, LUNATIK_AF_INET6, loopback6);
	add_found(query, LUNATIK_AF_INET, loopback4);
	query->canonical_len = copy_name(query->canonical, name, sizeof(name) - 1);
}

/* Pushes the addresses found, those of IPv6 before those of IPv4 when a name has both. */
static void push_found(lua_State *L, const struct query *query, int flags, int socktype, int sorted)
{
	struct lunatik_address address;
	int n = 0, family;
	size_t i;

	lua_createtable(L, (int)query->count, 0);
	for (family = LUNATIK_AF_INET6; family; family = family == LUNATIK_AF_INET6 ? LUNATIK_AF_INET : 0) {
		for (i = 0; i < query->count; i++) {
			if (sorted && query->found[i].family != family)
				continue;
			set_ip(&address, query->found[i].family, query->found[i].address, query->port);
			lunatik_addrinfo_push(L, &address, socktype);
			if (n == 0 && (flags & LUNATIK_AI_CANONNAME) && query->canonical_len) {
				lua_pushlstring(L, query->canonical, query->canonical_len);
				lua_setuservalue(L, -2);
			}
			lua_rawseti(L, -2, ++n);
		}
		if (!sorted)
			break;
	}
}

const char *lunatik_net_resolve(lua_State *L, int host, int service, int flags, int socktype)
{
	struct query query = { .udp = socktype == LUNATIK_DGRAM };
	int named;

	if (lua_isnil(L, host) && lua_isnil(L, service))
		return no_name;
	if (!lua_isnil(L, host))
		query.host = lua_tolstring(L, host, &query.host_len);
	if (!lua_isnil(L, service)) {
		query.service = lua_tolstring(L, service, &query.service_len);
		query.port = decimal(query.service, query.service_len);
		if (query.port >= 0)
			query.service = NULL;
	}
	without_files(&query, flags);
	named = query.host != NULL;
	if (named && (flags & LUNATIK_AI_NUMERICHOST))
		return no_name;
	if (query.host || query.service) {
		/* The strings stay on the stack. */
		luai_poll(L);
		if (!lunatik_call_out(lunatik_vm_of(L), look_up, &query))
			luaL_error(L, "cannot wait here");
		luai_poll(L);
	}
	if (named)
		know_localhost(&query);
	if (query.count == 0)
		return no_name;
	if (query.port < 0)
		return no_service;
	push_found(L, &query, flags, socktype, named);
	return NULL;
}

/* ============================================================================================ }
 * {=== from addresses to names =============================================================== */

struct reverse {
	const struct lunatik_address *address;
	int flags;
	char host[NAME], service[NAME];
	size_t host_len, service_len;
};

/* In process context, without the lock. */
static void look_back(void *arg)
{
	struct reverse *reverse = arg;
	union text text;
	const char *name;
	size_t len;

	if (!(reverse->flags & NUMERICHOST)) {
		read_text(&text, HOSTS);
		name = lunatik_net_host_name(text.file.text, text.file.len, lunatik_address_family(reverse->address),
					     ip_of(reverse->address), &len);
		if (name)
			reverse->host_len = copy_name(reverse->host, name, len);
		lunatik_readfile_free(&text.file);
	}
	if (!(reverse->flags & NUMERICSERV)) {
		read_text(&text, SERVICES);
		name = lunatik_net_service(text.file.text, text.file.len, port_of(reverse->address), reverse->flags & DGRAM,
					   &len);
		if (name)
			reverse->service_len = copy_name(reverse->service, name, len);
		lunatik_readfile_free(&text.file);
	}
}

/* ai:getnameinfo(flags...) -> { host =, service = } */
static int ai_getnameinfo(lua_State *L)
{
	struct lunatik_addrinfo *ai = check_ai(L);
	struct reverse reverse = { .address = &ai->address };
	int i, top = lua_gettop(L), family = lunatik_address_family(&ai->address);

	for (i = 2; i <= top; i++)
		reverse.flags |= (int)luaL_checkinteger(L, i);
	lua_createtable(L, 0, 2);
	if (family == LUNATIK_AF_UNIX) {
		lua_pushliteral(L, "localhost");
		lua_setfield(L, -2, "host");
		push_path(L, &ai->address);
		lua_setfield(L, -2, "service");
		return 1;
	}
	if (family != LUNATIK_AF_INET && family != LUNATIK_AF_INET6) {
		lua_pushnil(L);
		lua_pushliteral(L, "ai_family not supported");
		return 2;
	}
	if ((reverse.flags & (NUMERICHOST | NUMERICSERV)) != (NUMERICHOST | NUMERICSERV)) {
		luai_poll(L);
		if (!lunatik_call_out(lunatik_vm_of(L), look_back, &reverse))
			return luaL_error(L, "cannot wait here");
		luai_poll(L);
	}
	if (reverse.host_len == 0 && (reverse.flags & NAMEREQD)) {
		lua_pushnil(L);
		lua_pushstring(L, no_name);
		return 2;
	}
	if (reverse.host_len)
		lua_pushlstring(L, reverse.host, reverse.host_len);
	else
		push_ip(L, &ai->address);
	lua_setfield(L, -2, "host");
	if (reverse.service_len)
		lua_pushlstring(L, reverse.service, reverse.service_len);
	else
		lua_pushfstring(L, "%d", port_of(&ai->address));
	lua_setfield(L, -2, "service");
	return 1;
}

static const luaL_Reg methods[] = {
	{ "family", ai_family },
	{ "socktype", ai_socktype },
	{ "protocol", ai_protocol },
	{ "cannoname", ai_canonname },
	{ "canonname", ai_canonname },
	{ "addr", ai_addr },
	{ "getnameinfo", ai_getnameinfo },
	{ NULL, NULL },
};

void lunatik_net_open_addresses(lua_State *L)
{
	if (luaL_newmetatable(L, LUNATIK_ADDRINFO_TYPE)) {
		luaL_newlib(L, methods);
		lua_setfield(L, -2, "__index");
		lua_pushcfunction(L, ai_tostring);
		lua_setfield(L, -2, "__tostring");
		lua_pushinteger(L, 1);
		lua_setfield(L, -2, "__metatable");
	}
	lua_pop(L, 1);
}

/* ============================================================================================ } */
