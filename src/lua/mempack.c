// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory.pack and memory.unpack: values to bytes and back, by the formats of string.pack. Context as memlib.c's.
 */
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "memlib.h"
#include "memlib_parts.h"

/* The next item of the format at index 2; raises if it is malformed. */
static int next_item(lua_State *L, struct lunatik_format *format, size_t offset, struct lunatik_item *item)
{
	size_t len;
	const char *text = lua_tolstring(L, 2, &len);
	int kind = lunatik_mem_format_next(format, text, len, offset, item);

	switch (kind) {
	case LUNATIK_ITEM_BAD_OPTION:
		return luaL_error(L, "invalid format option '%c'", (int)item->size);
	case LUNATIK_ITEM_BAD_SIZE:
		return luaL_error(L, "integral size (%d) out of limits [1,16]", (int)item->size);
	case LUNATIK_ITEM_NO_SIZE:
		return luaL_error(L, "missing size for format option 'c'");
	case LUNATIK_ITEM_BAD_NEXT:
		return luaL_argerror(L, 1, "invalid next option for option 'X'");
	case LUNATIK_ITEM_BAD_POWER:
		return luaL_argerror(L, 1, "format asks for alignment not power of 2");
	default:
		return kind;
	}
}

static unsigned long long float_to_bits(lua_Number n, size_t size)
{
	unsigned long long bits;
	double d = (double)n;
	float f = (float)n;
	unsigned int half;

	memcpy(&half, &f, sizeof(half));
	memcpy(&bits, &d, sizeof(bits));
	return size == sizeof(half) ? half : bits;
}

static lua_Number float_from_bits(unsigned long long bits, size_t size)
{
	unsigned int half = (unsigned int)bits;
	double d;
	float f;

	memcpy(&f, &half, sizeof(f));
	memcpy(&d, &bits, sizeof(d));
	return size == sizeof(f) ? (lua_Number)f : (lua_Number)d;
}

static const struct lunatik_source memory_source = {
	.bytes = lunatik_memory_checkbytes,
	.bad_position = "initial position out of bounds",
	.too_short = "data too short",
	.string_too_short = "data string too short",
};

/* The length up to the first zero byte from `offset` on in the bytes at `arg`; 0 if there is none. */
static int find_zero(lua_State *L, const struct lunatik_source *source, int arg, size_t offset, size_t *found)
{
	size_t len, seen = 0;

	for (;;) {
		const char *s = source->bytes(L, arg, &len), *zero;
		size_t left = offset < len ? len - offset : 0;

		left = seen < left ? left - seen : 0;
		if (left > STEP)
			left = STEP;
		if (left == 0)
			return 0;
		zero = memchr(s + offset + seen, 0, left);
		if (zero) {
			*found = (size_t)(zero - (s + offset));
			return 1;
		}
		seen += left;
		luai_poll(L);
	}
}

/* The value of an item, checked. */
struct value {
	unsigned long long bits;
	int fill;		/* of an integer beyond 8 bytes */
	const char *text;	/* of a string */
	size_t len;
};

static void check_value(lua_State *L, int arg, int kind, size_t size, struct value *value)
{
	lua_Integer n = 0;
	size_t zero;

	switch (kind) {
	case LUNATIK_ITEM_SIGNED:
	case LUNATIK_ITEM_UNSIGNED:
		n = luaL_checkinteger(L, arg);
		luaL_argcheck(L, lunatik_mem_fits(n, size, kind == LUNATIK_ITEM_SIGNED), arg,
			      kind == LUNATIK_ITEM_SIGNED ? "integer overflow" : "unsigned overflow");
		value->bits = (unsigned long long)n;
		value->fill = kind == LUNATIK_ITEM_SIGNED && n < 0 ? 0xff : 0;
		break;
	case LUNATIK_ITEM_FLOAT:
		value->bits = float_to_bits(luaL_checknumber(L, arg), size);
		break;
	case LUNATIK_ITEM_CHARS:
		lunatik_memory_checkbytes(L, arg, &value->len);
		luaL_argcheck(L, value->len == size, arg, "wrong length");
		break;
	case LUNATIK_ITEM_COUNTED:
		lunatik_memory_checkbytes(L, arg, &value->len);
		luaL_argcheck(L, lunatik_mem_fits((lua_Integer)value->len, size, 0), arg,
			      "string length does not fit in given size");
		value->bits = value->len;
		break;
	case LUNATIK_ITEM_TERMINATED:
		lunatik_memory_checkbytes(L, arg, &value->len);
		luaL_argcheck(L, !find_zero(L, &memory_source, arg, 0, &zero), arg, "string contains zeros");
		break;
	}
}

/* Appends `count` bytes to what is written, if there is room for them. */
static int append(char *m, size_t len, size_t *offset, const char *from, size_t count)
{
	if (*offset > len || count > len - *offset)
		return 0;
	if (count > 0)
		memmove(lunatik_mem_at(m, *offset, len), from, count);
	*offset += count;
	return 1;
}

/* Writes an item of the value at `arg` to the memory; 0 if there is no room for it, or for the rest of it. */
static int put_item(lua_State *L, int arg, int kind, const struct lunatik_item *item, size_t little, size_t *offset)
{
	struct value value = { .fill = 0 };
	char *m, packed[16];
	size_t len;

	check_value(L, arg, kind, item->size, &value);
	m = lunatik_memory_check(L, 1, &len);
	if (*offset > len || item->skip > len - *offset)
		return 0;
	*offset += item->skip;
	if (item->size > len - *offset)
		return 0;
	switch (kind) {
	case LUNATIK_ITEM_SIGNED:
	case LUNATIK_ITEM_UNSIGNED:
	case LUNATIK_ITEM_FLOAT:
	case LUNATIK_ITEM_COUNTED:
		lunatik_mem_put(packed, item->size, value.bits, value.fill, little);
		append(m, len, offset, packed, item->size);
		break;
	case LUNATIK_ITEM_PADDING:
		*offset += item->size;
		break;
	}
	if (kind != LUNATIK_ITEM_CHARS && kind != LUNATIK_ITEM_COUNTED && kind != LUNATIK_ITEM_TERMINATED)
		return 1;
	value.text = lunatik_memory_tobytes(L, arg, &value.len);
	return append(m, len, offset, value.text, value.len) &&
	       (kind != LUNATIK_ITEM_TERMINATED || append(m, len, offset, "", 1));
}

/* memory.pack(m, format, i, ...) -> true and the next position, or false, the position, what was not written */
int lunatik_mem_pack(lua_State *L)
{
	struct lunatik_format format;
	struct lunatik_item item;
	size_t len, offset;
	lua_Integer i;
	int kind, arg = 4, top = lua_gettop(L);

	lunatik_memory_check(L, 1, &len);
	luaL_checkstring(L, 2);
	i = lunatik_mem_position(luaL_checkinteger(L, 3), len);
	luaL_argcheck(L, 1 <= i && (size_t)i <= len + 1, 3, "index out of bounds");
	offset = (size_t)i - 1;
	lunatik_mem_format_begin(&format);
	while ((kind = next_item(L, &format, offset, &item)) != LUNATIK_ITEM_END) {
		if (!put_item(L, arg, kind, &item, format.little, &offset)) {
			/* The two places before the first value that is left are free. */
			lua_pushboolean(L, 0);
			lua_replace(L, arg - 2);
			lua_pushinteger(L, (lua_Integer)offset + 1);
			lua_replace(L, arg - 1);
			return top - arg + 3;
		}
		if (kind != LUNATIK_ITEM_PADDING && kind != LUNATIK_ITEM_NOTHING)
			arg++;
		luai_poll(L);
	}
	lua_pushboolean(L, 1);
	lua_pushinteger(L, (lua_Integer)offset + 1);
	return 2;
}

static unsigned long long get_bits(lua_State *L, const char *from, size_t size, int is_signed, size_t little)
{
	unsigned long long bits = 0;

	if (!lunatik_mem_get(from, size, is_signed, little, &bits))
		luaL_error(L, "%d-byte integer does not fit into Lua Integer", (int)size);
	return bits;
}

/* Pushes the value of the item at `*offset`, if it has one; the number of values. */
static int get_item(lua_State *L, const struct lunatik_source *source, int kind, const struct lunatik_item *item, size_t little, size_t *offset)
{
	unsigned long long bits;
	size_t len, count;
	const char *m = source->bytes(L, 1, &len);

	if (*offset > len || item->skip > len - *offset || item->size > len - *offset - item->skip)
		return luaL_argerror(L, 1, source->too_short);
	*offset += item->skip;
	m = lunatik_mem_at(m, *offset, len);
	len -= *offset;
	switch (kind) {
	case LUNATIK_ITEM_SIGNED:
	case LUNATIK_ITEM_UNSIGNED:
		bits = get_bits(L, m, item->size, kind == LUNATIK_ITEM_SIGNED, little);
		lua_pushinteger(L, (lua_Integer)bits);
		break;
	case LUNATIK_ITEM_FLOAT:
		bits = get_bits(L, m, item->size, 0, little);
		lua_pushnumber(L, float_from_bits(bits, item->size));
		break;
	case LUNATIK_ITEM_CHARS:
		lua_pushlstring(L, m, item->size);
		break;
	case LUNATIK_ITEM_COUNTED:
		bits = get_bits(L, m, item->size, 0, little);
		luaL_argcheck(L, bits <= len - item->size, 2, source->string_too_short);
		lua_pushlstring(L, m + item->size, (size_t)bits);
		*offset += (size_t)bits;
		break;
	case LUNATIK_ITEM_TERMINATED:
		luaL_argcheck(L, find_zero(L, source, 1, *offset, &count), 2, source->string_too_short);
		/* Whoever ran meanwhile may have written there, or made it shorter. */
		m = source->bytes(L, 1, &len);
		luaL_argcheck(L, *offset < len && count < len - *offset, 2, source->string_too_short);
		lua_pushlstring(L, lunatik_mem_at(m, *offset, len), count);
		*offset += count + 1;
		break;
	default:
		*offset += item->size;
		return 0;
	}
	*offset += item->size;
	return 1;
}

int lunatik_unpack_source(lua_State *L, const struct lunatik_source *source)
{
	struct lunatik_format format;
	struct lunatik_item item;
	size_t len, offset;
	lua_Integer i;
	int kind, n = 0;

	source->bytes(L, 1, &len);
	luaL_checkstring(L, 2);
	i = lunatik_mem_opt_position(L, 3, 1, len);
	luaL_argcheck(L, 1 <= i && (size_t)i <= len + 1, 3, source->bad_position);
	offset = (size_t)i - 1;
	lunatik_mem_format_begin(&format);
	while ((kind = next_item(L, &format, offset, &item)) != LUNATIK_ITEM_END) {
		luaL_checkstack(L, 2, "too many results");
		n += get_item(L, source, kind, &item, format.little, &offset);
		luai_poll(L);
	}
	lua_pushinteger(L, (lua_Integer)offset + 1);
	return n + 1;
}

/* memory.unpack(m, format [, i]) -> the values, the next position */
int lunatik_mem_unpack(lua_State *L)
{
	return lunatik_unpack_source(L, &memory_source);
}
