/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Number text for the interpreter, in place of strtod and snprintf; pure, for any context. The functions are in
 * src/lua/text.rs.
 *
 * They take and give doubles as their 64 bits, since compilers without an FPU and compilers with one pass a double
 * differently; the wrappers at the end have doubles and are right for both. There is no locale and no errno.
 */
#ifndef LUNATIK_TEXT_H
#define LUNATIK_TEXT_H

#include <stddef.h>

/*
 * The number at the start of s after white space and sign, rounded to nearest, as bits; *end (if end is not NULL) is set to
 * the first byte after it, or to s when there is none. strtod reads decimal, strxtod hexadecimal numbers (0x1.8p3). The
 * names inf and nan are none.
 */
unsigned long long lunatik_strtod(const char *s, char **end);
unsigned long long lunatik_strxtod(const char *s, char **end);

/*
 * Writes one item by a whole conversion specification ("%-8.3f"; length modifiers have no effect, * is not known), and a zero
 * byte. Returns the length without the zero byte; -1, and an empty string, when the specification is not of the
 * function's kind or the item does not fit size bytes. A double at %99.99f takes 410 bytes at most.
 *
 * double: e E f F g G a A, int: d i u o x X c (all 64 bits), str: s, ptr: p (the keyed hash of the address).
 */
int lunatik_fmt_double(char *buffer, size_t size, const char *spec, unsigned long long bits);
int lunatik_fmt_int(char *buffer, size_t size, const char *spec, long long value);
int lunatik_fmt_str(char *buffer, size_t size, const char *spec, const char *s);
int lunatik_fmt_ptr(char *buffer, size_t size, const char *spec, const void *address);

/* The same for "%.14g" and "%d", which tostring uses, without a specification to read. 23 and 21 bytes are enough. */
int lunatik_fmt_g14(char *buffer, size_t size, unsigned long long bits);
int lunatik_fmt_decimal(char *buffer, size_t size, long long value);

/* To be given by the module: a keyed hash of an address, the same for the same address as long as the module is loaded. */
unsigned long long lunatik_hash_ptr(const void *address);

static inline unsigned long long lunatik_double_bits(double value)
{
	unsigned long long bits;

	__builtin_memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static inline double lunatik_bits_double(unsigned long long bits)
{
	double value;

	__builtin_memcpy(&value, &bits, sizeof(value));
	return value;
}

/* lua_str2number(s, p) */
static inline double lunatik_str2number(const char *s, char **end)
{
	return lunatik_bits_double(lunatik_strtod(s, end));
}

/* lua_strx2number(s, p) */
static inline double lunatik_strx2number(const char *s, char **end)
{
	return lunatik_bits_double(lunatik_strxtod(s, end));
}

/* lua_number2str(s, sz, n) */
static inline int lunatik_number2str(char *buffer, size_t size, double value)
{
	return lunatik_fmt_g14(buffer, size, lunatik_double_bits(value));
}

/* lua_number2strx(L, b, sz, f, n), and every other format of a double */
static inline int lunatik_number2strx(char *buffer, size_t size, const char *spec, double value)
{
	return lunatik_fmt_double(buffer, size, spec, lunatik_double_bits(value));
}

/* lua_integer2str(s, sz, n) */
static inline int lunatik_integer2str(char *buffer, size_t size, long long value)
{
	return lunatik_fmt_decimal(buffer, size, value);
}

/* lua_pointer2str(buff, sz, p) */
static inline int lunatik_pointer2str(char *buffer, size_t size, const void *address)
{
	return lunatik_fmt_ptr(buffer, size, "%p", address);
}

/* l_sprintf(s, sz, f, i): one item, whose type chooses the function. Every other type converts to long long. */
#define lunatik_sprintf(buffer, size, spec, item)                             \
	_Generic((item),                                                      \
		double: lunatik_number2strx,                                  \
		float: lunatik_number2strx,                                   \
		char *: lunatik_fmt_str,                                      \
		const char *: lunatik_fmt_str,                                \
		void *: lunatik_fmt_ptr,                                      \
		const void *: lunatik_fmt_ptr,                                \
		default: lunatik_fmt_int)(buffer, size, spec, item)

#endif
