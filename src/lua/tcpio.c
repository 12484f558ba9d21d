// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tcp library: reading and writing.
 *
 * What is received goes from the socket into a block by one copy, made by the kernel, and the block becomes a buffer. With
 * framing, the messages of a chunk are parts of one block; one that comes in several chunks is put together by a
 * second copy of those after its first. A buffer that is written goes to the socket as pages, without a copy, or, when it
 * is small, by one. Context: under the state's lock.
 */
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "buffer.h"
#include "memlib.h"
#include "operation.h"
#include "tcp.h"

/* The most that is received at once; and what is tried first, with the head of a block a KiB of kmalloc's. */
#define CHUNK	(65536 - 128)
#define FIRST	896
#define SMALLEST 256
#define FOREVER	(~0ULL)

/* {=== reading =============================================================================== */

/* A call that receives into a block of its own. */
struct receive {
	struct lunatik_sockcall call;	/* first */
	struct lunatik_block *block;	/* what came, or NULL */
	struct lunatik_tcp *framed;	/* to be put away by one reader at a time */
	unsigned long first, most;
};

static void receive_into(struct receive *r, unsigned long size, unsigned long want)
{
	struct lunatik_sockcall *c = &r->call;

	r->block = lunatik_block_new(size, 1);
	if (r->block == NULL) {
		c->result = -LUNATIK_ENOMEM;
		return;
	}
	c->bytes = r->block->bytes;
	c->len = size;
	c->want = want;
	lunatik_sock_run(c);
	if (c->result > 0) {
		r->block->used = (unsigned long)c->result;
		return;
	}
	lunatik_block_put(r->block);
	r->block = NULL;
}

/* On the task's own stack, without the state's lock. */
static void receive(void *arg)
{
	struct receive *r = arg;

	if (r->framed && __atomic_exchange_n(&r->framed->reading, 1, __ATOMIC_ACQUIRE)) {
		lunatik_sock_busy(r);
		return;
	}
	receive_into(r, r->first, r->most);
	/* More may have come meanwhile: that is for the next read. */
	if (r->call.result == -LUNATIK_ENOBUFS)
		receive_into(r, r->call.need, r->call.need);
	/* Who got something puts it away under the state's lock. */
	if (r->framed && r->call.result <= 0)
		__atomic_store_n(&r->framed->reading, 0, __ATOMIC_RELEASE);
}

static int fail(lua_State *L, int error)
{
	lua_pushboolean(L, 0);
	lua_pushinteger(L, error);
	return 2;
}

/* Takes a whole message out of what was received; 0 if there is none, -1 if its length is not allowed. */
static int take_message(lua_State *L, struct lunatik_tcp *s)
{
	const struct lunatik_buffer_view *kept = lua_touserdata(L, 4);
	const unsigned char *head;
	size_t len = 0, bytes = s->read.bytes, i;

	/* Without framing there is nothing at index 4. */
	if (bytes == 0 || kept->len < bytes)
		return 0;
	head = (const unsigned char *)kept->bytes;
	for (i = 0; i < bytes; i++)
		len |= (size_t)head[i] << 8 * (s->read.big ? bytes - 1 - i : i);
	if (len > s->read.most)
		return -1;
	if (kept->len - bytes < len)
		return 0;
	lunatik_buffer_move(L, 4, 3, bytes, len);
	return 1;
}

/* How long what is kept will be when its message is whole. */
static size_t whole_message(lua_State *L, const struct lunatik_tcp *s)
{
	const struct lunatik_buffer_view *kept = lua_touserdata(L, 4);
	const unsigned char *head = (const unsigned char *)kept->bytes;
	size_t len = 0, bytes = s->read.bytes, i;

	if (kept->len < bytes)
		return bytes;
	for (i = 0; i < bytes; i++)
		len |= (size_t)head[i] << 8 * (s->read.big ? bytes - 1 - i : i);
	return len + bytes;
}

/* Puts a chunk behind what is kept; it was charged. 0 without memory. */
static int keep_chunk(lua_State *L, struct lunatik_tcp *s, struct lunatik_block *block)
{
	const struct lunatik_buffer_view *kept = lua_touserdata(L, 4);
	int good = 1;

	if (kept->len == 0) {
		lunatik_buffer_set(L, 4, block, block->used);
		return 1;
	}
	good = lunatik_buffer_add(L, 4, block->bytes, block->used, whole_message(L, s));
	lunatik_vm_credit(lunatik_vm_of(L), block->cost);
	lunatik_block_put(block);
	return good;
}

/* Charges for a chunk that is to come, as large as the limit allows: its size, 0 if it allows none. */
static size_t charge_chunk(lua_State *L)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	size_t size;

	for (size = CHUNK; size >= SMALLEST; size /= 4)
		if (lunatik_vm_charge(vm, lunatik_block_cost(size)))
			return size;
	return lunatik_buffer_charge(L, lunatik_block_cost(SMALLEST)) ? SMALLEST : 0;
}

/* Ends a read; who waits behind it may find a message that is there already. */
static int end_read(lua_State *L, struct lunatik_tcp *s, int n)
{
	const struct lunatik_buffer_view *kept = lua_touserdata(L, 4);

	if (s->read.bytes && kept->len > 0 && s->base.sock)
		lunatik_sock_pass(s->base.sock, LUNATIK_SOCK_IN);
	luai_poll(L);
	return n;
}

int lunatik_tcp_read(lua_State *L, int status, lua_KContext ctx)
{
	struct lunatik_tcp *s = lua_touserdata(L, 1);
	struct lunatik_vm *vm = lunatik_vm_of(L);
	unsigned long long deadline = (unsigned long long)lua_tointeger(L, 2), timeout = 0;
	struct receive r;
	int message, again = status == LUA_YIELD;

	if (again && lunatik_is_ending(vm)) {
		lunatik_threadbits(L) &= ~LUNATIK_WAITING;
		lunatik_sock_pass(s->base.sock, LUNATIK_SOCK_IN);
		luai_poll(L);
	}
	for (;;) {
		message = s->closed || s->error ? 0 : take_message(L, s);
		if (message < 0)
			s->error = LUNATIK_NODE_EMSGSIZE;
		if (message != 0 || s->closed || s->error) {
			if (status == LUA_YIELD) {
				lunatik_threadbits(L) &= ~LUNATIK_WAITING;
				lua_settop(L, 4);
			}
			if (s->closed || s->error) {
				/* So it is for everybody who waits. */
				if (s->base.sock)
					lunatik_sock_pass(s->base.sock, LUNATIK_SOCK_IN);
				luai_poll(L);
				return fail(L, s->closed ? LUNATIK_NODE_CLOSED : s->error);
			}
			lua_pushboolean(L, 1);
			lua_pushvalue(L, 3);
			return end_read(L, s, 2);
		}
		memset(&r, 0, sizeof(r));
		r.call.sock = s->base.sock;
		r.call.op = LUNATIK_SOCK_RECV;
		r.call.run = receive;
		r.call.wait = LUNATIK_SOCK_IN;
		r.call.again = again;
		r.call.keeper = s->stored ? 0 : 1;
		r.framed = s->read.bytes ? s : NULL;
		r.most = charge_chunk(L);
		r.first = r.most < FIRST ? r.most : FIRST;
		if (r.most == 0) {
			/* What is there stays there. */
			if (status == LUA_YIELD) {
				lunatik_threadbits(L) &= ~LUNATIK_WAITING;
				lua_settop(L, 4);
				lunatik_sock_pass(s->base.sock, LUNATIK_SOCK_IN);
			}
			luai_poll(L);
			return fail(L, LUNATIK_NODE_ENOMEM);
		}
		if (deadline != 0) {
			timeout = lunatik_sock_clock();
			timeout = timeout < deadline ? deadline - timeout : 1;
		}
		/* Charged again when it is known how much came. */
		lunatik_vm_credit(vm, lunatik_block_cost(r.most));
		if (!lunatik_tcp_try(L, status, &r.call, timeout))
			return lunatik_wait(L, ctx, lunatik_tcp_read);
		status = LUA_OK;
		again = 1;
		if (r.call.result > 0) {
			int good = lunatik_buffer_charge(L, r.block->cost);

			if (!good)
				lunatik_block_put(r.block);
			else if (r.framed)
				good = keep_chunk(L, s, r.block);
			else
				lunatik_buffer_set(L, 3, r.block, r.block->used);
			if (r.framed)
				__atomic_store_n(&s->reading, 0, __ATOMIC_RELEASE);
			if (!good)
				s->error = LUNATIK_NODE_ENOMEM;
			else if (!r.framed) {
				lua_pushboolean(L, 1);
				lua_pushvalue(L, 3);
				return end_read(L, s, 2);
			}
			luai_poll(L);
			continue;
		}
		luai_poll(L);
		if (r.call.result == -LUNATIK_EAGAIN)
			return fail(L, LUNATIK_NODE_TIMEOUT);
		if (r.call.result == -LUNATIK_ENOMEM)
			return fail(L, LUNATIK_NODE_ENOMEM);
		if (r.call.result == 0)
			s->error = LUNATIK_NODE_EOF;
		else if (r.call.result != -LUNATIK_EBADF)
			s->error = lunatik_node_error(r.call.result);
		else
			s->closed = 1;
	}
}

/* ============================================================================================ }
 * {=== writing =============================================================================== */

/* A write that may wait: a userdata. */
struct pending {
	lua_Release release;
	struct lunatik_piece *piece;	/* with a reference; NULL: the result is there */
	long result;
};

static void free_pending(lua_State *L, void *u)
{
	struct pending *p = u;

	(void)L;
	if (p->piece)
		lunatik_piece_put(p->piece);
	p->piece = NULL;
}

/* Writes the bytes at index 2; *result as struct lunatik_write has it. A break. */
static void write_bytes(lua_State *L, struct lunatik_tcp *s, struct pending *p, int bounded, long *result)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_write w = { .bounded = bounded, .keep = p != NULL, .queue = vm->queue };
	size_t len = 0;

	if (s)
		w.out = s->out;
	else
		w.fd = (int)lua_tointeger(L, 1);
	/* A string stays where it is; what could change meanwhile goes as a block. */
	if (lua_type(L, 2) == LUA_TSTRING && lunatik_call_out(vm, NULL, NULL)) {
		w.bytes = lua_tolstring(L, 2, &len);
	} else {
		w.block = lunatik_buffer_block(L, 2, &len);
		if (w.block == NULL) {
			*result = -LUNATIK_ENOMEM;
			return;
		}
		w.bytes = w.block->bytes;
	}
	w.len = len;
	w.result = 0;
	/* The socket may have been closed, or the bytes gone, in a break just now. */
	if (s && s->closed)
		w.result = -LUNATIK_EBADF;
	else if (len > 0 && !lunatik_call_out(vm, lunatik_outbox_write, &w)) {
		if (w.block == NULL)
			w.block = lunatik_buffer_block(L, 2, &len);
		w.result = -LUNATIK_ENOMEM;
		if (w.block != NULL) {
			w.bytes = w.block->bytes;
			lunatik_outbox_post(&w);
		}
	}
	if (w.block)
		lunatik_block_put(w.block);
	if (p) {
		p->piece = w.piece;
		p->result = w.result;
	}
	*result = w.result;
}

/* True when a write is through; its result. */
static int is_written(struct pending *p)
{
	if (p->piece == NULL)
		return 1;
	if (!lunatik_piece_done(p->piece, &p->result))
		return 0;
	lunatik_piece_put(p->piece);
	p->piece = NULL;
	return 1;
}

/* Waits for the piece of the pending write at index 1; to be returned from a C function. */
static int wait_written(lua_State *L, struct pending *p, lua_KContext ctx, lua_KFunction k)
{
	struct lunatik_vm *vm = lunatik_vm_of(L);
	struct lunatik_waiter *w = lua_newuserdata(L, sizeof(*w) + lunatik_watch_size());
	unsigned long long deadline = FOREVER;

	lunatik_registration_init(&w->registration, &lunatik_waiter_ops);
	w->thread = vm->top;
	w->period = 0;
	w->id = 0;
	w->live = 0;
	lunatik_watch_init(lunatik_waiter_event(w), vm->queue);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, w);
	w->live = 1;
	if (lunatik_registration_add(vm, &w->registration, 1) == LUNATIK_IS_WITHDRAWN) {
		lunatik_threadbits(w->thread) |= LUNATIK_WITHDRAWN;
		deadline = 0;
	}
	lunatik_piece_watch(p->piece, lunatik_waiter_event(w));
	if (!lunatik_watch_arm(lunatik_waiter_event(w), deadline))
		lunatik_waiter_let_go(L, w);
	return lunatik_wait(L, ctx, k);
}

/* Stack: 1 what is written to, 2 the bytes, 3 the pending write. `ctx`: whether the caller wants results. */
static int written(lua_State *L, int status, lua_KContext ctx)
{
	struct pending *p = lua_touserdata(L, 3);
	int error;

	if (status == LUA_YIELD) {
		lunatik_threadbits(L) &= ~LUNATIK_WAITING;
		lua_settop(L, 3);
		luai_poll(L);
	}
	if (!is_written(p))
		return wait_written(L, p, ctx, written);
	if (!ctx)
		return 0;
	error = lunatik_node_error(p->result);
	lua_pushboolean(L, error == 0);
	lua_pushinteger(L, error);
	return 2;
}

static int called_back(lua_State *L, int status, lua_KContext ctx)
{
	(void)L;
	(void)status;
	(void)ctx;
	return 0;
}

/* The same for a callback. Stack: 1 what is written to, 2 the bytes, 3 the pending write, 4 the callback. */
static int written_callback(lua_State *L, int status, lua_KContext ctx)
{
	struct pending *p = lua_touserdata(L, 3);
	int error;

	if (status == LUA_YIELD) {
		lunatik_threadbits(L) &= ~LUNATIK_WAITING;
		lua_settop(L, 4);
		luai_poll(L);
	}
	if (!is_written(p))
		return wait_written(L, p, ctx, written_callback);
	error = lunatik_node_error(p->result);
	lua_pushboolean(L, error == 0);
	lua_pushinteger(L, error);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	lua_callk(L, 4, 0, 0, called_back);
	return 0;
}

static int call_written(lua_State *L)
{
	return written_callback(L, LUA_OK, 0);
}

static struct pending *push_pending(lua_State *L)
{
	return lua_newforeign(L, sizeof(struct pending), free_pending);
}

/* Raises, or gives the error of a number, if so many bytes are not to be written. */
static int check_length(lua_State *L, const struct lunatik_tcp *s, size_t len)
{
	if (s && s->write.bytes && len > s->write.most)
		return luaL_error(L, "attempt to send data(length %I) too long(max %I)", (lua_Integer)len,
				  (lua_Integer)s->write.most);
	return 0;
}

int lunatik_tcp_write(lua_State *L)
{
	enum { PLAIN, SAFE, CALLBACK } mode = PLAIN;
	struct lunatik_tcp *s = NULL;
	struct pending *p;
	long result;
	size_t len;

	if (lua_isinteger(L, 1)) {
		lua_Integer fd = lua_tointeger(L, 1);

		if (fd <= 0 || fd > 0x7fffffff)
			return luaL_argerror(L, 1, "invalid shared socket fd");
	} else {
		s = lunatik_tcp_test(L, 1, 0);
		if (s == NULL)
			return luaL_argerror(L, 1, lunatik_memory_mismatch(L, 1, "class.tcp_socket_handle_t"));
		if (s->closed)
			return luaL_error(L, "attempt to send data on a invalid or closed socket");
	}
	if (lunatik_memory_tobytes(L, 2, &len) == NULL)
		return luaL_argerror(L, 2, "string expected");
	if (lua_isfunction(L, 3))
		mode = CALLBACK;
	else if (!lua_isnoneornil(L, 3)) {
		luaL_checktype(L, 3, LUA_TBOOLEAN);
		mode = lua_toboolean(L, 3) ? SAFE : PLAIN;
	}
	check_length(L, s, len);
	if (s)
		s->write_frozen = 1;
	if (mode == PLAIN) {
		lua_settop(L, 2);
		if (len == 0)
			return 0;
		write_bytes(L, s, NULL, 1, &result);
		luai_poll(L);
		if (result != -LUNATIK_EAGAIN)
			return 0;
		/* Too much waits: this one does, too, where that is possible. */
		if (!lunatik_may_wait(L)) {
			if (s)
				lunatik_outbox_fail(s->out, -LUNATIK_ENOBUFS);
			return 0;
		}
		p = push_pending(L);
		write_bytes(L, s, p, 0, &result);
		return written(L, LUA_OK, 0);
	}
	lua_settop(L, 3);
	p = push_pending(L);
	lua_insert(L, 3);
	if (mode == SAFE) {
		lua_settop(L, 3);
		if (!lunatik_may_wait(L))
			return lunatik_tcp_no_yield(L);
	}
	if (len > 0)
		write_bytes(L, s, p, 0, &result);
	if (mode == SAFE) {
		luai_poll(L);
		return written(L, LUA_OK, 1);
	}
	lua_pushcfunction(L, call_written);
	lunatik_spawn(L, 4);
	luai_poll(L);
	return 0;
}

/* ============================================================================================ } */
