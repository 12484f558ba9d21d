/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets for libraries in C (socket.c): net and tcp are built on this.
 *
 * What is done with a socket is a struct lunatik_sockcall (sock.h), filled in on the C stack and done in a call-out: by
 * lunatik_socket_call when it never waits, by lunatik_socket_try when the coroutine may have to. A function that may wait has
 * one shape, with its arguments at fixed indices of the stack:
 *
 *	static int receive(lua_State *L, int status, lua_KContext ctx)
 *	{
 *		struct lunatik_socket *s = lua_touserdata(L, 1);
 *		struct lunatik_sockcall c = { .sock = s->sock, .op = LUNATIK_SOCK_RECV, .wait = LUNATIK_SOCK_IN, ... };
 *
 *		if (!lunatik_socket_try(L, status, &c, s->rcvtimeo))
 *			return lunatik_wait(L, ctx, receive);
 *		luai_poll(L);
 *		... c.result is a count, 0 or a negative errno; -EAGAIN: the time is over ...
 *	}
 *
 * called at first as receive(L, LUA_OK, 0). With `.keeper = 1` the userdata at index 1, whose user value then is this layer's,
 * keeps what one wait has made for the next one: a wait allocates nothing. Between its entry and lunatik_socket_try nothing may raise once it has waited
 * (others wait behind it), and nothing between that and lunatik_wait. Whether a socket is still open is found out by the
 * call: it is -EBADF then.
 *
 * Context: under the state's lock.
 */
#ifndef LUNATIK_SOCKET_H
#define LUNATIK_SOCKET_H

#include "lua.h"

#include "shim.h"
#include "sock.h"

/* The errno values that libraries tell apart. */
enum {
	LUNATIK_EINTR = 4, LUNATIK_EBADF = 9, LUNATIK_EAGAIN = 11, LUNATIK_ENOMEM = 12, LUNATIK_EINVAL = 22,
	LUNATIK_EPIPE = 32, LUNATIK_ENAMETOOLONG = 36, LUNATIK_EOPNOTSUPP = 95, LUNATIK_EMSGSIZE = 90,
	LUNATIK_ECONNABORTED = 103, LUNATIK_ECONNRESET = 104, LUNATIK_ENOBUFS = 105, LUNATIK_ENOTCONN = 107,
	LUNATIK_EALREADY = 114, LUNATIK_EINPROGRESS = 115, LUNATIK_EAFNOSUPPORT = 97, LUNATIK_ENOPROTOOPT = 92,
};

enum { LUNATIK_AF_UNIX = 1, LUNATIK_AF_INET = 2, LUNATIK_AF_INET6 = 10 };
enum { LUNATIK_STREAM = 1, LUNATIK_DGRAM = 2 };

/* How a userdata of a socket begins; it owns a reference. */
struct lunatik_socket {
	struct lunatik_sock *sock;	/* NULL: not made yet, or closed */
	unsigned long long rcvtimeo, sndtimeo;	/* in nanoseconds; 0: for ever */
	unsigned char family, type;
	unsigned char nonblock, cloexec;
};

/*
 * Pushes a userdata of `size` bytes, zeroed, that begins with a struct lunatik_socket; its metatable is that of the
 * registry under `metatable`, whose __gc must be lunatik_socket_collect.
 */
struct lunatik_socket *lunatik_socket_push(lua_State *L, size_t size, const char *metatable);
int lunatik_socket_collect(lua_State *L);

/* Takes over the socket that a call made (`made` or `other`). Never raises. */
void lunatik_socket_take(struct lunatik_socket *s, struct lunatik_sock *sock, int family, int type);

/* Does `c`, which cannot wait. Raises "cannot wait here" where there is no call-out; poll after it. */
void lunatik_socket_call(lua_State *L, struct lunatik_sockcall *c);

/* CREATE and PAIR: the same, into the userdata `s` (and `t`). 0 or a negative errno. */
int lunatik_socket_create(lua_State *L, struct lunatik_socket *s, int family, int type, int protocol);
int lunatik_socket_pair(lua_State *L, struct lunatik_socket *s, struct lunatik_socket *t, int type);

/* Closes it, if it is open; who waits for it goes on with -EBADF. 0 or -EBADF. */
int lunatik_socket_close(lua_State *L, struct lunatik_socket *s);

/*
 * Tries `c`: 1 when it is done, in time or not, with the stack as it was; 0 when the coroutine must wait, as shown above. It
 * waits for at most `timeout` nanoseconds in all, 0 for ever, and not at all if c->wait is 0. Raises "cannot wait here".
 */
int lunatik_socket_try(lua_State *L, int status, struct lunatik_sockcall *c, unsigned long long timeout);

/* The text of an errno, negative or not, as glibc has it. */
const char *lunatik_strerror(int err);

#endif
