/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the net library share: net.c (classes and constructors), netsock.c (methods), netopt.c (options),
 * netaddr.c (addresses and names), and src/lua/netnames.rs.
 *
 * Context: under the state's lock.
 */
#ifndef LUNATIK_NET_H
#define LUNATIK_NET_H

#include <stddef.h>

#include "lua.h"

#include "lauxlib.h"
#include "socket.h"

/* Classes of their userdata. */
#define LUNATIK_SOCKET_TYPE	"llsocket.socket"
#define LUNATIK_ADDRINFO_TYPE	"llsocket.addrinfo"

/* Classes of instances, and the registry's keys of their metatables. */
#define LUNATIK_NET_SOCKET	"net.Socket"
#define LUNATIK_STREAM_SOCKET	"net.stream.Socket"
#define LUNATIK_STREAM_SERVER	"net.stream.Server"

/* {=== addresses (netaddr.c) ================================================================= */

struct lunatik_addrinfo {
	struct lunatik_address address;
	int socktype, protocol;
};

/* Makes the type known; may raise. */
void lunatik_net_open_addresses(lua_State *L);

int lunatik_address_family(const struct lunatik_address *address);

/* Pushes an addrinfo; its user value is the canonical name, if it has one. */
struct lunatik_addrinfo *lunatik_addrinfo_push(lua_State *L, const struct lunatik_address *address, int socktype);

/* Makes the address of a path, "\0" or "@" before an abstract name; 0, or -ENAMETOOLONG or -EINVAL (empty). */
int lunatik_address_unix(struct lunatik_address *address, const char *path, size_t len);

/* Makes the address of a numeric host without a port; 0, or -EINVAL. */
int lunatik_address_numeric(struct lunatik_address *address, const char *host, size_t len);

enum { LUNATIK_AI_PASSIVE = 1, LUNATIK_AI_CANONNAME = 2, LUNATIK_AI_NUMERICHOST = 4 };

/*
 * getaddrinfo: `host` and `service` are indices of a string, or nil (of the service also an integer). Pushes an array of
 * addrinfos and returns NULL, or returns the text of the error. It is a break, unless both are numeric.
 */
const char *lunatik_net_resolve(lua_State *L, int host, int service, int flags, int socktype);

/* ============================================================================================ }
 * {=== methods (netsock.c, netopt.c) ========================================================= */

/* The registry's key of the metatable of sockets. */
extern const char lunatik_net_key;

/* Replaces an instance at index 1 by its socket; raises when it is closed. */
struct lunatik_socket *lunatik_net_self(lua_State *L);

/* Pushes what a method returns: nothing or the error's text; nil and the error's text; nil, nil, true. */
int lunatik_net_failed(lua_State *L, long result);
int lunatik_net_nothing(lua_State *L, long result);
int lunatik_net_again(lua_State *L);

/* Makes a socket in `s` and binds or connects it nowhere; 0 or a negative errno. */
int lunatik_net_create(lua_State *L, struct lunatik_socket *s, const struct lunatik_addrinfo *ai);

/* Sets an option with an integer; 0 or a negative errno. */
int lunatik_net_set(lua_State *L, struct lunatik_socket *s, int level, int option, int value);

extern const luaL_Reg lunatik_net_methods[];	/* of every socket */
extern const luaL_Reg lunatik_net_options[];
extern const luaL_Reg lunatik_stream_options[];
extern const luaL_Reg lunatik_server_methods[];
extern const luaL_Reg lunatik_dgram_methods[];
extern const luaL_Reg lunatik_dgram_options[];

/* ============================================================================================ }
 * {=== the library (net.c) =================================================================== */

int lunatik_open_net(lua_State *L);
int lunatik_open_net_stream(lua_State *L);
int lunatik_open_net_stream_inet(lua_State *L);
int lunatik_open_net_stream_unix(lua_State *L);
int lunatik_open_net_dgram(lua_State *L);
int lunatik_open_net_dgram_inet(lua_State *L);
int lunatik_open_net_dgram_unix(lua_State *L);

/* ============================================================================================ }
 * {=== what Rust provides (netnames.rs): it never raises ====================================== */

/* The longest text of a numeric address. */
#define LUNATIK_IP_TEXT	46

int lunatik_net_parse(const char *text, size_t len, unsigned char *to);
size_t lunatik_net_format(int family, const unsigned char *from, char *to);

struct lunatik_host {
	int family;
	unsigned char address[16];
	const char *name;
	size_t name_len;
};
size_t lunatik_net_host(const char *text, size_t len, const char *name, size_t name_len, struct lunatik_host *to,
			size_t most);
const char *lunatik_net_host_name(const char *text, size_t len, int family, const unsigned char *from, size_t *name_len);
int lunatik_net_port(const char *text, size_t len, const char *name, size_t name_len, int udp);
const char *lunatik_net_service(const char *text, size_t len, int port, int udp, size_t *name_len);

/* ============================================================================================ } */

#endif
