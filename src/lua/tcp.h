/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the tcp library share (tcp.c: objects, calls, callbacks; tcpio.c: reading and writing; tcpopt.c: options).
 */
#ifndef LUNATIK_TCP_H
#define LUNATIK_TCP_H

#include "lua.h"

#include "outbox.h"
#include "socket.h"

/* A socket of the library, listening or not: a userdata that the collector frees (lua_newforeign). */
struct lunatik_tcp {
	lua_Release release;
	struct lunatik_socket base;
	struct lunatik_outbox *out;
	unsigned char listens;
	unsigned char closed;
	unsigned char read_frozen, write_frozen;
	unsigned char reading;		/* somebody has received, and not put away yet, what belongs to a message */
	unsigned char stored;		/* its user value is a table (tcp.c), else a watch that waits for the next wait */
	int error;			/* of a read: every later one has it; 0: none */
	unsigned int loop;		/* counts the continuous callbacks: only the last is called */
	struct lunatik_framing read, write;
};

/* Error numbers of node-lua. */
enum {
	LUNATIK_NODE_OK = 0, LUNATIK_NODE_UNKNOWN = -1, LUNATIK_NODE_EOF = 1, LUNATIK_NODE_EMSGSIZE = 21,
	LUNATIK_NODE_ENOBUFS = 25, LUNATIK_NODE_ENOMEM = 26,
	LUNATIK_NODE_CLOSED = 203, LUNATIK_NODE_LISTEN_CLOSED = 204, LUNATIK_NODE_NO_CONTEXT = 205,
	LUNATIK_NODE_BAD_DATA = 206, LUNATIK_NODE_NO_REPLY = 207, LUNATIK_NODE_TIMEOUT = 208,
	LUNATIK_NODE_UNSHARED = 209, LUNATIK_NODE_TOO_LONG = 210,
};

int lunatik_open_tcp(lua_State *L);

/* The number for a negative errno, or a result of a write. */
int lunatik_node_error(long err);

/* node-lua's words for a wait where none is possible. */
int lunatik_tcp_no_yield(lua_State *L);

/* Does `c` as lunatik_socket_try does; what cannot wait raises in node-lua's words. */
int lunatik_tcp_try(lua_State *L, int status, struct lunatik_sockcall *c, unsigned long long timeout);

/*
 * Reads a chunk or a message. Stack: 1 the socket, 2 the time-out in nanoseconds (0: none), 3 an empty buffer that gets the
 * bytes, 4 what is kept for messages (a buffer). A continuation; gives `true, buffer` or `false, number`.
 */
int lunatik_tcp_read(lua_State *L, int status, lua_KContext ctx);

/* tcp.write(socket or number, bytes [, true or callback]) */
int lunatik_tcp_write(lua_State *L);

/* set_rwopt and so on (tcpopt.c). */
extern const struct luaL_Reg lunatik_tcp_options[];

/* The socket at index 1, or it raises. */
struct lunatik_tcp *lunatik_tcp_check(lua_State *L, int listens);

/* The socket at `arg`, or NULL. */
struct lunatik_tcp *lunatik_tcp_test(lua_State *L, int arg, int listens);

#endif
