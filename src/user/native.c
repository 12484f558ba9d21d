// SPDX-License-Identifier: GPL-2.0-only
/*
 * lunatik.native: what the user-space libraries need and Lua's io library cannot do. User space; no locks.
 *
 * Descriptors, objects that are full userdata, functions that check their arguments as C libraries do, line editing, and
 * `memory`. All that can raise a Lua error is here; the work on bytes is Rust's (see native.rs). A call that fails returns nil,
 * strerror(3) and the negative errno. A call that a signal interrupts is not tried again: Lua's own hook must get to run.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <lua.h>
#include <lauxlib.h>

#include "../lua/memlib.h"
#include "native.h"

/* The longest message, `datamaxsize`. */
#define MESSAGE_MAX	32768
/* Parts of one write. */
#define PARTS		4

/* Its address, returned first by a method, makes the call raise: then follow the number of an argument and a message. */
static char fail;

static int failure(lua_State *L)
{
	int error = errno;

	lua_pushnil(L);
	lua_pushstring(L, strerror(error));
	lua_pushinteger(L, -error);
	return 3;
}

/* strerror(errno) -> nil, message, -errno */
static int errno_failure(lua_State *L)
{
	errno = (int)luaL_checkinteger(L, 1);
	return failure(L);
}

/* --- descriptors --- */

/* open(path) -> fd: to read and write, closed on exec. */
static int fd_open(lua_State *L)
{
	int fd = open(luaL_checkstring(L, 1), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return failure(L);
	lua_pushinteger(L, fd);
	return 1;
}

/* close(fd) -> true */
static int fd_close(lua_State *L)
{
	if (close((int)luaL_checkinteger(L, 1)) != 0)
		return failure(L);
	lua_pushboolean(L, 1);
	return 1;
}

/* write(fd, part...) -> true: all of the strings and memories, in one write(2) where the file takes it whole. */
static int fd_write(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1), count = lua_gettop(L) - 1, i;
	struct iovec parts[PARTS], *part = parts;
	size_t left = 0;

	luaL_argcheck(L, count >= 1 && count <= PARTS, 2, "one to four parts");
	for (i = 0; i < count; i++) {
		parts[i].iov_base = (char *)lunatik_memory_checkbytes(L, i + 2, &parts[i].iov_len);
		left += parts[i].iov_len;
	}
	do {
		ssize_t done = writev(fd, part, count);

		if (done < 0)
			return failure(L);
		if (done == 0 && left > 0) {
			errno = EIO;
			return failure(L);
		}
		left -= (size_t)done;
		while (count > 0 && (size_t)done >= part->iov_len) {
			done -= (ssize_t)part->iov_len;
			part++;
			count--;
		}
		if (count > 0) {
			part->iov_base = (char *)part->iov_base + done;
			part->iov_len -= (size_t)done;
		}
	} while (left > 0);
	lua_pushboolean(L, 1);
	return 1;
}

/* reply(fd) -> string: the file from its beginning to its end. */
static int fd_reply(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1);
	size_t size = LUAL_BUFFERSIZE;
	luaL_Buffer reply;
	off_t at = 0;
	ssize_t got;

	luaL_buffinit(L, &reply);
	for (;;) {
		got = pread(fd, luaL_prepbuffsize(&reply, size), size, at);
		if (got < 0)
			return failure(L);
		luaL_addsize(&reply, (size_t)got);
		at += got;
		if ((size_t)got < size)
			break;
		size = 2 * MESSAGE_MAX;
	}
	luaL_pushresult(&reply);
	return 1;
}

/* message(fd) -> memory, or nil at the end of the file: the next message of a `data` file. */
static int fd_message(lua_State *L)
{
	char bytes[MESSAGE_MAX];
	ssize_t got = pread((int)luaL_checkinteger(L, 1), bytes, sizeof(bytes), 0);
	size_t len;

	if (got < 0)
		return failure(L);
	if (got == 0) {
		lua_pushnil(L);
		return 1;
	}
	lunatik_memory_new(L, (size_t)got);
	memcpy(lunatik_memory_check(L, lua_gettop(L), &len), bytes, (size_t)got);
	return 1;
}

/* poll(fd, msecs [, "w"]) -> whether it is readable (writable) within that time; -1: waits for ever. */
static int fd_poll(lua_State *L)
{
	struct pollfd one = { .fd = (int)luaL_checkinteger(L, 1) };
	int msecs = (int)luaL_checkinteger(L, 2), ready;

	one.events = *luaL_optstring(L, 3, "r") == 'w' ? POLLOUT : POLLIN;
	ready = poll(&one, 1, msecs);
	if (ready < 0)
		return failure(L);
	lua_pushboolean(L, ready > 0);
	return 1;
}

/* nonblock(fd, on) -> true */
static int fd_nonblock(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1), flags = fcntl(fd, F_GETFL);

	luaL_checkany(L, 2);
	flags = lua_toboolean(L, 2) ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	if (flags == -1 || fcntl(fd, F_SETFL, flags) != 0)
		return failure(L);
	lua_pushboolean(L, 1);
	return 1;
}

/* --- objects --- */

/* class(name) -> the metatable of objects of that name; its fields are their methods. */
static int class_new(lua_State *L)
{
	luaL_newmetatable(L, luaL_checkstring(L, 1));
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	return 1;
}

/* object(name, fields) -> a full userdata of that class, which holds the table `fields`. */
static int object_new(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	luaL_checktype(L, 2, LUA_TTABLE);
	lua_newuserdata(L, 0);
	lua_pushvalue(L, 2);
	lua_setuservalue(L, -2);
	luaL_setmetatable(L, name);
	return 1;
}

/* Raises when an argument is not of its kind; the kinds stand at method_new. Leaves the stack as it was. */
static void check(lua_State *L, char kind, int arg, const char *class)
{
	size_t len;

	switch (kind) {
	case 'o':
	case 'O':
		luaL_checkudata(L, arg, class);
		lua_getuservalue(L, arg);
		lua_getfield(L, -1, "fd");
		if (kind == 'O' && lua_isnil(L, -1))
			luaL_argerror(L, arg, "socket closed");
		lua_pop(L, 2);
		break;
	case 'S':
		if (lua_isnoneornil(L, arg))
			break;
		/* fall through */
	case 's':
		luaL_checkstring(L, arg);
		break;
	case 'I':
		if (lua_isnoneornil(L, arg))
			break;
		/* fall through */
	case 'i':
		lua_pushinteger(L, luaL_checkinteger(L, arg));
		lua_replace(L, arg);
		break;
	case 'm':
		luaL_argcheck(L, lunatik_memory_check(L, arg, &len), arg, "expected non NULL memory object");
		break;
	}
}

/* A method: checks its arguments, calls its Lua function, and raises what that returns as failure. */
static int call(lua_State *L)
{
	const char *kinds = lua_tostring(L, lua_upvalueindex(2)), *class = lua_tostring(L, lua_upvalueindex(3));
	int count = (int)strlen(kinds), i;

	/* Before anything is pushed, so that an absent argument is seen to be absent. */
	for (i = 1; i <= count; i++)
		check(L, kinds[i - 1], i, class);
	lua_settop(L, count);
	luaL_checkstack(L, count + 4, NULL);
	lua_pushvalue(L, lua_upvalueindex(1));
	for (i = 1; i <= count; i++) {
		if (kinds[i - 1] == 'o' || kinds[i - 1] == 'O')
			lua_getuservalue(L, i);
		else
			lua_pushvalue(L, i);
	}
	lua_call(L, count, LUA_MULTRET);
	if (lua_islightuserdata(L, count + 1) && lua_touserdata(L, count + 1) == &fail) {
		int arg = (int)lua_tointeger(L, count + 2);
		const char *message = lua_tostring(L, count + 3);

		return arg ? luaL_argerror(L, arg, message) : luaL_error(L, "%s", message);
	}
	return lua_gettop(L) - count;
}

/*
 * method(kinds, f [, class]) -> a C function that checks its arguments and calls f with them.
 *
 * One letter an argument: `o` an object of that class, given to f as its fields; `O` the same, whose field fd must not be nil;
 * `s` string, `i` integer, `m` memory that has a block; `S`, `I` the same or nil; `a` anything. It being a C function, errors are
 * luaL_argerror's, with its names and positions. f returns its results, or `fail`, the number of an argument (0: none) and
 * a message.
 */
static int method_new(lua_State *L)
{
	luaL_checktype(L, 2, LUA_TFUNCTION);
	luaL_checkstring(L, 1);
	luaL_optstring(L, 3, NULL);
	lua_settop(L, 3);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 3);
	lua_pushcclosure(L, call, 3);
	return 1;
}

/* --- the terminal --- */

/* isatty(fd) -> boolean */
static int tty_is(lua_State *L)
{
	lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
	return 1;
}

/* width(fd) -> columns; 80 where there is no terminal. */
static int tty_width(lua_State *L)
{
	struct winsize size;
	int known = ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;

	lua_pushinteger(L, known ? size.ws_col : 80);
	return 1;
}

static void nothing(int signal)
{
	(void)signal;
}

/* interruptible(): from now on SIGINT ends the call that waits, and nothing else. */
static int tty_interruptible(lua_State *L)
{
	struct sigaction action = { .sa_handler = nothing };

	(void)L;
	sigaction(SIGINT, &action, NULL);
	return 0;
}

static const luaL_Reg functions[] = {
	{ "class", class_new },
	{ "close", fd_close },
	{ "failure", errno_failure },
	{ "interruptible", tty_interruptible },
	{ "isatty", tty_is },
	{ "message", fd_message },
	{ "method", method_new },
	{ "nonblock", fd_nonblock },
	{ "object", object_new },
	{ "open", fd_open },
	{ "poll", fd_poll },
	{ "readline", lunatik_readline },
	{ "reply", fd_reply },
	{ "width", tty_width },
	{ "write", fd_write },
	{ NULL, NULL }
};

__attribute__((visibility("default"))) int luaopen_lunatik_native(lua_State *L)
{
	luaL_checkversion(L);
	luaL_newlib(L, functions);
	lua_pushlightuserdata(L, &fail);
	lua_setfield(L, -2, "fail");
	lunatik_open_memory(L);
	lua_setfield(L, -2, "memory");
	return 1;
}
