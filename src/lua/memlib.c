// SPDX-License-Identifier: GPL-2.0-only
/*
 * The `memory` library: blocks of bytes that a script may change, in the words of lua-memory.
 *
 * This half knows Lua: arguments, errors, the three kinds of userdata. What is done with the bytes is
 * Rust's (src/libs/memory, by way of memlib.rs); pack and unpack stand in mempack.c. The same files are part of the user-space module, on Lua's
 * own headers. Context: under the state's lock in the kernel. Whatever may take long gives way in between
 * (luai_poll), and any allocation may run finalizers: after either the bytes are looked up anew. Making,
 * resizing and converting to a string copy in one go, as Lua's own strings and tables do.
 */
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "memlib.h"
#include "memlib_parts.h"

/* {=== the three kinds ======================================================================= */

/*
 * A fixed memory is a userdata that is its bytes. The others are one that refers to them: a resizable
 * one owns its block, what C lends is somebody else's and has a larger userdata to be told apart by.
 */
enum kind { NONE, FIXED, RESIZABLE, OTHER };

/* The layout is that of a box (lua_newbox), which owns its block in the kernel. */
struct ref {
	char *block;
	size_t len;
};

struct lent {
	struct ref ref;
	lua_Integer reserved;
};

/* The registry's keys of the metatables. */
static const char fixed_key, ref_key;
const char lunatik_buffer_key;

static int has_metatable(lua_State *L, int arg, const void *key)
{
	int equal;

	if (lua_type(L, arg) != LUA_TUSERDATA || !lua_getmetatable(L, arg))
		return 0;
	lua_rawgetp(L, LUA_REGISTRYINDEX, key);
	equal = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return equal;
}

int lunatik_memory_is_buffer(lua_State *L, int arg)
{
	return has_metatable(L, arg, &lunatik_buffer_key);
}

static enum kind kind_of(lua_State *L, int arg)
{
	if (has_metatable(L, arg, &fixed_key))
		return FIXED;
	if (has_metatable(L, arg, &ref_key))
		return lua_rawlen(L, arg) == sizeof(struct ref) ? RESIZABLE : OTHER;
	return NONE;
}

static void set_metatable(lua_State *L, const void *key)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, key);
	lua_setmetatable(L, -2);
}

/* The bytes are the caller's to fill, before anything else is done with L. */
static char *push_fixed(lua_State *L, size_t len)
{
	char *bytes = lua_newuserdata(L, len);

	set_metatable(L, &fixed_key);
	return bytes;
}

#ifdef LUNATIK_PORT_H

static void push_resizable(lua_State *L)
{
	lua_newbox(L);
	set_metatable(L, &ref_key);
}

static int resize_box(lua_State *L)
{
	lua_resizebox(L, 1, (size_t)lua_tointeger(L, 2));
	return 0;
}

/* Changes the length of the resizable memory at index 1; returns the old one. */
static size_t set_length(lua_State *L, size_t len)
{
	size_t old = ((struct ref *)lua_touserdata(L, 1))->len;
	int status;

	lua_pushcfunction(L, resize_box);
	lua_pushvalue(L, 1);
	lua_pushinteger(L, (lua_Integer)len);
	status = lua_pcall(L, 2, 0, 0);
	if (status == LUA_ERRMEM)
		luaL_error(L, "out of memory");
	if (status != LUA_OK)
		lua_error(L);
	return old;
}

#else

/* Without boxes the block is the state's allocator's, and goes with a finalizer. */
static void push_resizable(lua_State *L)
{
	struct ref *m = lua_newuserdata(L, sizeof(*m));

	m->block = NULL;
	m->len = 0;
	set_metatable(L, &ref_key);
}

static size_t set_length(lua_State *L, size_t len)
{
	struct ref *m = lua_touserdata(L, 1);
	void *ud;
	lua_Alloc alloc = lua_getallocf(L, &ud);
	char *block = alloc(ud, m->block, m->len, len);
	size_t old;

	if (block == NULL && len > 0) {
		lua_gc(L, LUA_GCCOLLECT, 0);
		block = alloc(ud, m->block, m->len, len);
		if (block == NULL)
			luaL_error(L, "out of memory");
	}
	old = m->len;
	m->block = block;
	m->len = len;
	/* Should its finalizer have run already, it will again. */
	lua_pushvalue(L, 1);
	set_metatable(L, &ref_key);
	lua_pop(L, 1);
	return old;
}

static int mem_gc(lua_State *L)
{
	if (kind_of(L, 1) == RESIZABLE) {
		struct ref *m = lua_touserdata(L, 1);
		void *ud;
		lua_Alloc alloc = lua_getallocf(L, &ud);

		alloc(ud, m->block, m->len, 0);
		m->block = NULL;
		m->len = 0;
	}
	return 0;
}

#endif

void lunatik_memory_new(lua_State *L, size_t len)
{
	luai_room(L, len);
	memset(push_fixed(L, len), 0, len);
}

void *lunatik_memory_newref(lua_State *L, void *bytes, size_t len)
{
	struct lent *m = lua_newuserdata(L, sizeof(*m));

	m->ref.block = bytes;
	m->ref.len = len;
	set_metatable(L, &ref_key);
	return m;
}

void lunatik_memory_lend(void *handle, void *bytes, size_t len)
{
	struct lent *m = handle;

	m->ref.block = bytes;
	m->ref.len = len;
}

void lunatik_memory_withdraw(void *handle)
{
	lunatik_memory_lend(handle, NULL, 0);
}

/* ============================================================================================ }
 * {=== arguments ============================================================================= */

const char *lunatik_memory_mismatch(lua_State *L, int arg, const char *expected)
{
	const char *got;

	if (luaL_getmetafield(L, arg, "__name") == LUA_TSTRING)
		got = lua_tostring(L, -1);
	else if (lua_type(L, arg) == LUA_TLIGHTUSERDATA)
		got = "light userdata";
	else
		got = luaL_typename(L, arg);
	return lua_pushfstring(L, "%s expected, got %s", expected, got);
}

/* True if it is a memory; then its bytes, NULL if it has no block. */
static int bytes_of(lua_State *L, int arg, char **bytes, size_t *len)
{
	enum kind kind = kind_of(L, arg);

	if (kind == NONE)
		return 0;
	if (kind == FIXED) {
		*bytes = lua_touserdata(L, arg);
		*len = lua_rawlen(L, arg);
	} else {
		const struct ref *m = lua_touserdata(L, arg);

		*bytes = m->block;
		*len = m->len;
	}
	return 1;
}

char *lunatik_memory_check(lua_State *L, int arg, size_t *len)
{
	char *bytes = NULL;

	if (!bytes_of(L, arg, &bytes, len))
		luaL_argerror(L, arg, lunatik_memory_mismatch(L, arg, "memory"));
	return bytes;
}

const char *lunatik_memory_tobytes(lua_State *L, int arg, size_t *len)
{
	char *bytes;

	if (bytes_of(L, arg, &bytes, len))
		return bytes ? bytes : "";
	if (lunatik_memory_is_buffer(L, arg)) {
		const struct lunatik_buffer_view *b = lua_touserdata(L, arg);

		*len = b->len;
		return b->bytes ? b->bytes : "";
	}
	return lua_tolstring(L, arg, len);
}

const char *lunatik_memory_checkbytes(lua_State *L, int arg, size_t *len)
{
	const char *bytes = lunatik_memory_tobytes(L, arg, len);

	if (bytes == NULL)
		luaL_argerror(L, arg, lunatik_memory_mismatch(L, arg, "string or memory"));
	return bytes;
}

static size_t check_length(lua_State *L, int arg)
{
	lua_Integer len = luaL_checkinteger(L, arg);

	luaL_argcheck(L, 0 <= len && len < INT_MAX, arg, "invalid size");
	return (size_t)len;
}

/* ============================================================================================ }
 * {=== objects =============================================================================== */

/* memory.create() -> resizable; memory.create(size) or memory.create(s [, i [, j]]) -> fixed */
static int mem_create(lua_State *L)
{
	size_t len, start, count, there;
	lua_Integer i, j;
	const char *s;
	char *bytes;

	if (lua_gettop(L) == 0) {
		push_resizable(L);
		return 1;
	}
	if (lua_type(L, 1) == LUA_TNUMBER) {
		lunatik_memory_new(L, check_length(L, 1));
		return 1;
	}
	lunatik_memory_checkbytes(L, 1, &len);
	i = lunatik_mem_opt_position(L, 2, 1, len);
	j = lunatik_mem_opt_position(L, 3, -1, len);
	count = lunatik_mem_range(i, j, len, &start);
	if (count >= INT_MAX)
		return luaL_error(L, "string slice too long");
	bytes = push_fixed(L, count);
	/* Finalizers may have shortened the source. */
	s = lunatik_memory_tobytes(L, 1, &len);
	there = start < len ? len - start : 0;
	if (there > count)
		there = count;
	memcpy(bytes, lunatik_mem_at(s, start, len), there);
	memset(bytes + there, 0, count - there);
	return 1;
}

/* memory.type(value) -> "fixed", "resizable", "other", or nil for what is no memory */
static int mem_type(lua_State *L)
{
	static const char *const names[] = {
		[FIXED] = "fixed",
		[RESIZABLE] = "resizable",
		[OTHER] = "other",
	};

	lua_pushstring(L, names[kind_of(L, 1)]);
	return 1;
}

/* memory.len(m) -> bytes */
static int mem_len(lua_State *L)
{
	size_t len;

	lunatik_memory_check(L, 1, &len);
	lua_pushinteger(L, (lua_Integer)len);
	return 1;
}

/* memory.resize(m, size [, s]): new bytes are those of s again and again, or zeros */
static int mem_resize(lua_State *L)
{
	struct lunatik_fill fill = { .from = 0 };
	size_t len = check_length(L, 2), s_len = 0;
	const char *s = NULL;
	struct ref *m;

	luaL_argcheck(L, kind_of(L, 1) == RESIZABLE, 1, "resizable memory expected");
	m = lua_touserdata(L, 1);
	if (m->len == len)
		return 0;
	if (!lua_isnoneornil(L, 3))
		lunatik_memory_checkbytes(L, 3, &s_len);
	fill.begin = fill.to = set_length(L, len);
	if (len <= fill.begin)
		return 0;
	fill.end = len;
	if (!lua_isnoneornil(L, 3))
		s = lunatik_memory_tobytes(L, 3, &s_len);
	if (lua_rawequal(L, 1, 3))
		s_len = fill.begin;
	fill.unit = s_len;
	if (s_len == 0)
		memset(m->block + fill.begin, 0, len - fill.begin);
	/* In one go: nobody may see bytes that are not filled yet. */
	while (lunatik_mem_fill(&fill, m->block, len, s, s_len) == LUNATIK_STEP_MORE)
		;
	return 0;
}

/* memory.tostring(m [, i [, j]]) -> string; __tostring */
static int mem_tostring(lua_State *L)
{
	size_t len, start, count;
	const char *s = lunatik_memory_checkbytes(L, 1, &len);
	lua_Integer i = lunatik_mem_opt_position(L, 2, 1, len);
	lua_Integer j = lunatik_mem_opt_position(L, 3, -1, len);

	count = lunatik_mem_range(i, j, len, &start);
	lua_pushlstring(L, lunatik_mem_at(s, start, len), count);
	return 1;
}

/* ============================================================================================ }
 * {=== bytes ================================================================================= */

/* memory.diff(a, b) -> index of the first difference or nil, whether a is less */
static int mem_diff(lua_State *L)
{
	const char *a, *b;
	size_t a_len, b_len, index = 0;
	int less, step;

	/* Numbers become strings first: that may allocate. */
	lunatik_memory_checkbytes(L, 1, &a_len);
	lunatik_memory_checkbytes(L, 2, &b_len);
	for (;;) {
		a = lunatik_memory_tobytes(L, 1, &a_len);
		b = lunatik_memory_tobytes(L, 2, &b_len);
		step = lunatik_mem_differ(a, a_len, b, b_len, &index);
		if (step != LUNATIK_STEP_MORE)
			break;
		luai_poll(L);
	}
	if (step == LUNATIK_STEP_YES)
		less = (unsigned char)a[index] < (unsigned char)b[index];
	else
		less = a_len < b_len;
	if (step == LUNATIK_STEP_NO && a_len == b_len)
		lua_pushnil(L);
	else
		lua_pushinteger(L, (lua_Integer)index + 1);
	lua_pushboolean(L, less);
	return 2;
}

/* memory.get(m [, i [, j]]) -> the bytes as integers */
static int mem_get(lua_State *L)
{
	size_t len, start, count, n;
	const char *m = lunatik_memory_check(L, 1, &len);
	lua_Integer i = lunatik_mem_opt_position(L, 2, 1, len);
	lua_Integer j = lua_isnoneornil(L, 3) ? i : lunatik_mem_opt_position(L, 3, 0, len);

	count = lunatik_mem_range(i, j, len, &start);
	if (count > INT_MAX / 2)
		return luaL_error(L, "string slice too long");
	luaL_checkstack(L, (int)count, "string slice too long");
	for (n = 0; n < count && start + n < len; n++) {
		lua_pushinteger(L, (unsigned char)*lunatik_mem_at(m, start + n, len));
		if (n % 4096 == 4095) {
			luai_poll(L);
			m = lunatik_memory_check(L, 1, &len);
		}
	}
	return (int)n;
}

/* memory.set(m, i, ...): writes bytes from i on; what does not fit is ignored */
static int mem_set(lua_State *L)
{
	size_t len, index;
	char *m = lunatik_memory_check(L, 1, &len);
	lua_Integer i = lunatik_mem_position(luaL_checkinteger(L, 2), len);
	int arg, top = lua_gettop(L);

	luaL_argcheck(L, 1 <= i && (size_t)i <= len, 2, "index out of bounds");
	index = (size_t)i - 1;
	for (arg = 3; arg <= top && index < len; arg++, index++) {
		lua_Integer byte = luaL_checkinteger(L, arg);

		luaL_argcheck(L, 0 <= byte && byte <= 255, arg, "value out of range");
		*lunatik_mem_at(m, index, len) = (char)byte;
		if (arg % 4096 == 0) {
			luai_poll(L);
			m = lunatik_memory_check(L, 1, &len);
		}
	}
	return 0;
}

/* memory.fill(m, s [, i [, j [, o]]]): m[i..j] becomes a byte, or s[o..], again and again */
static int mem_fill(lua_State *L)
{
	struct lunatik_fill fill = { .from = 0 };
	size_t len, s_len = 1;
	char *m = lunatik_memory_check(L, 1, &len), byte = 0;
	const char *s = &byte;
	int is_number = lua_type(L, 2) == LUA_TNUMBER;
	lua_Integer i, j, o = 1;

	if (is_number) {
		lua_Integer value = luaL_checkinteger(L, 2);

		luaL_argcheck(L, 0 <= value && value <= 255, 2, "value out of range");
		byte = (char)value;
	} else {
		s = lunatik_memory_checkbytes(L, 2, &s_len);
		o = lunatik_mem_opt_position(L, 5, 1, s_len);
		if (o < 1)
			o = 1;
	}
	i = lunatik_mem_opt_position(L, 3, 1, len);
	j = lunatik_mem_opt_position(L, 4, -1, len);
	if (i > j || (size_t)o > s_len)
		return 0;
	luaL_argcheck(L, 1 <= i && (size_t)i <= len, 3, "index out of bounds");
	luaL_argcheck(L, 1 <= j && (size_t)j <= len, 4, "index out of bounds");
	fill.begin = fill.to = (size_t)i - 1;
	fill.end = (size_t)j;
	fill.from = (size_t)o - 1;
	fill.unit = s_len - fill.from;
	while (lunatik_mem_fill(&fill, m, len, s, s_len) == LUNATIK_STEP_MORE) {
		luai_poll(L);
		m = lunatik_memory_check(L, 1, &len);
		if (!is_number)
			s = lunatik_memory_tobytes(L, 2, &s_len);
	}
	return 0;
}

/* memory.find(m, s [, i [, j [, o]]]) -> first and last position of s[o..] in m[i..j], or nothing */
static int mem_find(lua_State *L)
{
	struct lunatik_find find;
	size_t len, s_len, start, count, from, found;
	const char *m, *s;
	lua_Integer i, j, o;
	int step;

	/* Numbers become strings first: that may allocate. */
	lunatik_memory_checkbytes(L, 1, &len);
	lunatik_memory_checkbytes(L, 2, &s_len);
	lunatik_memory_tobytes(L, 1, &len);
	i = lunatik_mem_opt_position(L, 3, 1, len);
	j = lunatik_mem_opt_position(L, 4, -1, len);
	o = lunatik_mem_opt_position(L, 5, 1, s_len);
	lunatik_mem_find_begin(&find);
	for (;;) {
		m = lunatik_memory_tobytes(L, 1, &len);
		s = lunatik_memory_tobytes(L, 2, &s_len);
		count = lunatik_mem_range(i, j, len, &start);
		s_len = lunatik_mem_range(o, LUA_MAXINTEGER, s_len, &from);
		step = lunatik_mem_find(&find, lunatik_mem_at(m, start, len), count, lunatik_mem_at(s, from, from + s_len), s_len, &found);
		if (step != LUNATIK_STEP_MORE)
			break;
		luai_poll(L);
	}
	if (step == LUNATIK_STEP_NO)
		return 0;
	lua_pushinteger(L, (lua_Integer)(start + found + 1));
	lua_pushinteger(L, (lua_Integer)(start + found + s_len));
	return 2;
}

/* ============================================================================================ }
 * {=== the library =========================================================================== */

static const luaL_Reg functions[] = {
	{ "create", mem_create },
	{ "type", mem_type },
	{ "len", mem_len },
	{ "resize", mem_resize },
	{ "tostring", mem_tostring },
	{ "diff", mem_diff },
	{ "get", mem_get },
	{ "set", mem_set },
	{ "fill", mem_fill },
	{ "find", mem_find },
	{ "pack", lunatik_mem_pack },
	{ "unpack", lunatik_mem_unpack },
	{ NULL, NULL },
};

/* With the library's table on top. */
static void new_metatable(lua_State *L, const void *key, const char *name)
{
	lua_createtable(L, 0, 4);
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__name");
	lua_pushvalue(L, -2);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, mem_len);
	lua_setfield(L, -2, "__len");
	lua_pushcfunction(L, mem_tostring);
	lua_setfield(L, -2, "__tostring");
#ifndef LUNATIK_PORT_H
	lua_pushcfunction(L, mem_gc);
	lua_setfield(L, -2, "__gc");
#endif
	lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

int lunatik_open_memory(lua_State *L)
{
	luaL_newlib(L, functions);
	new_metatable(L, &fixed_key, "char[]");
	new_metatable(L, &ref_key, "luamem_Ref");
	return 1;
}

/* ============================================================================================ } */
