/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Comparisons and conversions of doubles short enough to stand where they are used, without a call and without an FPU; pure.
 *
 * The first part works on the 64 bits and has no floating-point type; libcalls.c gives the same under the compiler's names,
 * which is how they are tested. The second part is for code that has doubles: Lua's number macros in luaconf.h. Both parts
 * give what the hardware gives, on any build.
 */
#ifndef LUNATIK_SOFTFLOAT_INLINE_H
#define LUNATIK_SOFTFLOAT_INLINE_H

#define LUNATIK_F64_SIGN 0x8000000000000000ULL
#define LUNATIK_F64_INFINITY 0x7ff0000000000000LL

/*
 * A number with the order of the double: negative ones are turned round, and the two zeros become one. What is beyond the
 * infinities is NaN.
 */
static inline long long lunatik_f64_key(unsigned long long a)
{
	return (long long)a < 0 ? (long long)(LUNATIK_F64_SIGN - a) : (long long)a;
}

static inline int lunatik_f64_isnan(unsigned long long a)
{
	return a << 1 > (unsigned long long)LUNATIK_F64_INFINITY << 1;
}

/* Less, and less or equal: between two numbers in order one bound each is enough to keep NaN out. */
static inline int lunatik_f64_lt(unsigned long long a, unsigned long long b)
{
	long long x = lunatik_f64_key(a), y = lunatik_f64_key(b);

	return x < y && x >= -LUNATIK_F64_INFINITY && y <= LUNATIK_F64_INFINITY;
}

static inline int lunatik_f64_le(unsigned long long a, unsigned long long b)
{
	long long x = lunatik_f64_key(a), y = lunatik_f64_key(b);

	return x <= y && x >= -LUNATIK_F64_INFINITY && y <= LUNATIK_F64_INFINITY;
}

static inline int lunatik_f64_eq(unsigned long long a, unsigned long long b)
{
	return a == b ? !lunatik_f64_isnan(a) : (a | b) << 1 == 0;
}

/*
 * The integer part of a double, rounded towards zero. Returns 1 and stores it; 0 when it does not fit 64 bits, infinities and
 * NaN included, and then nothing is stored.
 */
static inline int lunatik_f64_to_integer(unsigned long long a, long long *result)
{
	unsigned int exp = (unsigned int)(a >> 52) & 0x7ff;
	unsigned long long size;

	if (exp < 1023) {
		*result = 0;
		return 1;
	}
	if (__builtin_expect(exp >= 1023 + 63, 0)) {
		/* Of these only -2^63 fits. */
		if (a != 0xc3e0000000000000ULL)
			return 0;
		*result = (long long)LUNATIK_F64_SIGN;
		return 1;
	}
	size = ((a | 1ULL << 52) << 11) >> (1023 + 63 - exp);
	*result = (long long)((long long)a < 0 ? -size : size);
	return 1;
}

#ifndef LUNATIK_NO_DOUBLE

static inline unsigned long long lunatik_f64_bits(double a)
{
	unsigned long long bits;

	__builtin_memcpy(&bits, &a, sizeof(bits));
	return bits;
}

static inline double lunatik_f64_from_bits(unsigned long long bits)
{
	double a;

	__builtin_memcpy(&a, &bits, sizeof(a));
	return a;
}

/* For Lua's luai_numlt, luai_numle, luai_numeq, luai_numisnan, luai_numunm and lua_numbertointeger. */
#define lunatik_numlt(a, b) lunatik_f64_lt(lunatik_f64_bits(a), lunatik_f64_bits(b))
#define lunatik_numle(a, b) lunatik_f64_le(lunatik_f64_bits(a), lunatik_f64_bits(b))
#define lunatik_numeq(a, b) lunatik_f64_eq(lunatik_f64_bits(a), lunatik_f64_bits(b))
#define lunatik_numisnan(a) lunatik_f64_isnan(lunatik_f64_bits(a))
#define lunatik_numunm(a) lunatik_f64_from_bits(lunatik_f64_bits(a) ^ LUNATIK_F64_SIGN)
#define lunatik_numbertointeger(a, p) lunatik_f64_to_integer(lunatik_f64_bits(a), (p))

#endif

#endif
