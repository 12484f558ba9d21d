// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages: the state's callback for those that come, lunatik.send and netlink.send for those that go.
 *
 * A message is lent to its callback as a memory, where it lies, and taken back when the callback ends, however it
 * does. Who sends into a full queue waits, parked in the executor, and tries again when called: one after another,
 * in the order in which they came. Context: under the state's lock, on a side stack.
 */
#include "lua.h"

#include "lauxlib.h"
#include "memlib.h"
#include "shim.h"

/* The errno values that are interface here. */
#define NO_MEMORY	12
#define WOULD_BLOCK	11
#define TOO_LONG	90

/* {=== messages that come ===================================================================== */

/* Stack: the message handler, the memory lent. */
static int callback_ended(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_message *message = (struct lunatik_message *)ctx;

	lunatik_memory_withdraw(message->handle);
	lunatik_message_over(lunatik_vm_of(L), message);
	return lunatik_callback_ended(L, status);
}

static int run_message(lua_State *L)
{
	struct lunatik_message *message = lua_touserdata(L, 1);
	const char *name = message->port < 0 ? "receive_callback" : "__receive_callback";

	lua_settop(L, 0);
	lua_pushcfunction(L, lunatik_message_handler);
	if (lua_getglobal(L, name) == LUA_TNIL) {
		lua_pushinteger(L, LUNATIK_RAISED);
		lua_pushfstring(L, "couldn't find receive function: %s", name);
		return 2;
	}
	message->handle = lunatik_memory_newref(L, message->bytes, message->len);
	/* Nothing raises from here to the call. */
	lua_pushvalue(L, -1);
	lua_insert(L, 2);
	if (message->port >= 0) {
		lua_pushinteger(L, message->port);
		lua_insert(L, -2);
	}
	return callback_ended(L, lua_pcallk(L, message->port < 0 ? 1 : 2, 0, 1, (lua_KContext)message, callback_ended),
			      (lua_KContext)message);
}

void lunatik_message_run(lua_State *thread, struct lunatik_chunk *chunk, struct lunatik_message *message)
{
	lua_pushcfunction(thread, run_message);
	lua_pushlightuserdata(thread, message);
	lunatik_take_outcome(thread, lua_resume(thread, NULL, 1), chunk);
}

/* ============================================================================================ }
 * {=== messages that go ======================================================================= */

static int send_again(lua_State *L, int status, lua_KContext ctx);

/* Sends the payload at index 1; with `called`, it has waited for its turn. */
static int send_data(lua_State *L, int may_wait, int called)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	size_t len;
	const char *bytes = lunatik_memory_checkbytes(L, 1, &len);
	int err;

	luaL_argcheck(L, len > 0, 1, "empty message");
	err = lunatik_data_send(vm, bytes, len, called);
	if (err == -WOULD_BLOCK && may_wait) {
		int waits = lunatik_park(L, called, 0, send_again);

		/* The readers may have made room before they saw anybody wait. */
		if (lunatik_data_fits(vm, len))
			lunatik_queue_call(vm->queue);
		return waits;
	}
	if (called)
		lunatik_queue_call(vm->queue);
	if (err == -TOO_LONG)
		return luaL_error(L, "message too long");
	if (err != 0) {
		lua_pushnil(L);
		lua_pushstring(L, err == -NO_MEMORY ? "not enough memory" : "queue full");
		lua_pushinteger(L, err);
		return 3;
	}
	lua_pushinteger(L, (lua_Integer)len);
	return 1;
}

/* Called: it is our turn, and the next one's when we are through. */
static int send_again(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	size_t len;

	(void)status;
	(void)ctx;
	lunatik_threadbits(L) &= ~LUNATIK_WAITING;
	lua_settop(L, 1);
	if (lunatik_is_ending(vm)) {
		lunatik_queue_call(vm->queue);
		luai_poll(L);
	}
	/* A memory may have lost its bytes meanwhile, and then this raises. */
	if (lunatik_memory_tobytes(L, 1, &len) == NULL || len == 0)
		lunatik_queue_call(vm->queue);
	return send_data(L, 1, 1);
}

/* lunatik.send(payload) -> size; waits while the queue is full, where that is possible */
int lunatik_send(lua_State *L)
{
	lua_settop(L, 1);
	return send_data(L, lunatik_may_wait(L), 0);
}

static unsigned int check_port(lua_State *L, int arg)
{
	lua_Integer port = luaL_checkinteger(L, arg);

	luaL_argcheck(L, port >= -0x80000000LL && port <= 0xffffffffLL, arg, "not a port");
	return (unsigned int)port;
}

/* netlink.send(payload), or netlink.send(port, groups, payload) -> size; never waits */
static int netlink_send(lua_State *L)
{
	unsigned int port;
	const char *bytes;
	size_t len;
	int err;

	if (lua_gettop(L) <= 1)
		return send_data(L, 0, 0);
	port = check_port(L, 1);
	luaL_argcheck(L, luaL_optinteger(L, 2, 0) == 0, 2, "there are no groups");
	bytes = lunatik_memory_checkbytes(L, 3, &len);
	err = lunatik_port_send(lunatik_vm_of(L), port, bytes, len);
	if (err != 0)
		return luaL_error(L, "failed to send message. Return code %d", err);
	lua_pushinteger(L, (lua_Integer)len);
	return 1;
}

static const luaL_Reg netlink_functions[] = {
	{ "send", netlink_send },
	{ NULL, NULL },
};

int lunatik_open_netlink(lua_State *L)
{
	luaL_newlib(L, netlink_functions);
	return 1;
}

/* ============================================================================================ } */
