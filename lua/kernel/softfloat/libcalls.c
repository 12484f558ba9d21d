/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What compilers call for arithmetic on doubles without an FPU, on integer registers; pure functions for any context.
 *
 * Normal numbers take a short way here, written out so that it is one call without branches into others; what is left
 * (subnormal numbers, infinities, NaN, division, square root) goes to Berkeley SoftFloat, which is included below. Left
 * out: exception flags, other rounding modes, arithmetic in single precision. See README.
 */
#include <stdbool.h>
#include <stdint.h>

#include "platform.h"
#include "internals.h"
#include "specialize.h"

/* No floating-point type is to appear here. */
#define LUNATIK_NO_DOUBLE
#include "inline.h"

/* What a caller's warnings say about SoftFloat is nothing that could be mended here. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-label"
#pragma GCC diagnostic ignored "-Wunused-value"

#include "8086-SSE/softfloat_raiseFlags.c"
#include "8086-SSE/s_commonNaNToF32UI.c"
#include "8086-SSE/s_commonNaNToF64UI.c"
#include "8086-SSE/s_f32UIToCommonNaN.c"
#include "8086-SSE/s_f64UIToCommonNaN.c"
#include "8086-SSE/s_propagateNaNF64UI.c"
#include "s_normSubnormalF32Sig.c"
#include "s_normSubnormalF64Sig.c"
#include "s_roundPackToF32.c"
#include "s_roundPackToF64.c"
#include "s_normRoundPackToF64.c"
#include "s_approxRecipSqrt_1Ks.c"
#include "s_approxRecipSqrt32_1.c"
#include "s_addMagsF64.c"
#include "s_subMagsF64.c"
#include "f64_add.c"
#include "f64_sub.c"
#include "f64_mul.c"
#include "f64_div.c"
#include "f64_sqrt.c"
#include "f64_to_f32.c"
#include "f32_to_f64.c"

#pragma GCC diagnostic pop

#ifdef LUNATIK_LIBCALL_PREFIX
#define COMPARE_WITH_HARDWARE
#else
#define LUNATIK_LIBCALL_PREFIX
#endif
#define STRING_(...) #__VA_ARGS__
#define STRING(...) STRING_(__VA_ARGS__)

/*
 * Declares and opens the definition of a function that the linker knows by its own name behind the prefix. In C it has
 * another, because compilers have ideas of their own about the arguments of floor and the like.
 */
#define LIBCALL(type, name, args)                                             \
	type lunatik_libcall_##name args __asm__(                             \
		STRING(LUNATIK_LIBCALL_PREFIX) #name);                        \
	type lunatik_libcall_##name args

#define unlikely_(x) __builtin_expect(!!(x), 0)

#define SIGN UINT64_C(0x8000000000000000)
#define INFINITY_BITS UINT64_C(0x7ff0000000000000)
#define FRACTION UINT64_C(0x000fffffffffffff)
#define HIDDEN UINT64_C(0x0010000000000000)
#define BIAS 1023
#define EXPONENT_MAX 0x7ff

static inline uint64_t bits(float64_t a)
{
	return a.v;
}

static inline float64_t f64(uint64_t a)
{
	return (float64_t){ a };
}

static inline unsigned int exponent(uint64_t a)
{
	return (unsigned int)(a >> 52) & EXPONENT_MAX;
}

/* Neither zero nor subnormal, infinite or NaN. */
static inline bool normal(unsigned int exp)
{
	return exp - 1 < EXPONENT_MAX - 1;
}

/*
 * Rounds a significand with its highest bit at 62 and puts it under a sign and a biased exponent that is at least 1. What
 * is too great becomes infinity: no carry and no exponent up to 4094 can reach the sign.
 */
static inline uint64_t round_pack(uint64_t sign, unsigned int exp, uint64_t sig)
{
	uint64_t z = (sig + 0x1ff + (sig >> 10 & 1)) >> 10;

	/* The highest bit of the significand counts one into the exponent. */
	z += (uint64_t)(exp - 1) << 52;
	if (unlikely_(z > INFINITY_BITS))
		z = INFINITY_BITS;
	return z | sign;
}

static inline uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t high = a, low = b, x, y, z;
	unsigned int exp, shift;

	if (a << 1 < b << 1) {
		high = b;
		low = a;
	}
	exp = exponent(high);
	shift = exponent(low);
	if (unlikely_(exp == EXPONENT_MAX || shift == 0))
		return bits(f64_add(f64(a), f64(b)));

	shift = exp - shift;
	/* Less than a quarter of the last bit, and so less than half of it one exponent lower: nothing changes. */
	if (shift > 54)
		return high;
	x = ((high & FRACTION) | HIDDEN) << 10;
	y = ((low & FRACTION) | HIDDEN) << 10;
	/* Bits shifted out leave one behind that says so. */
	z = y >> shift;
	y = z | (z << shift != y);

	if ((int64_t)(a ^ b) >= 0) {
		z = x + y;
		if (z >> 63) {
			z = z >> 1 | (z & 1);
			exp++;
		}
	} else {
		z = x - y;
		if (z == 0)
			return 0;
		shift = __builtin_clzll(z) - 1;
		if (unlikely_(shift >= exp))
			return bits(f64_add(f64(a), f64(b)));
		z <<= shift;
		exp -= shift;
	}
	return round_pack(high & SIGN, exp, z);
}

LIBCALL(uint64_t, __adddf3, (uint64_t a, uint64_t b))
{
	return add(a, b);
}

LIBCALL(uint64_t, __subdf3, (uint64_t a, uint64_t b))
{
	/* A NaN keeps its sign: SoftFloat's subtraction sees the operand as it was. */
	if (unlikely_(lunatik_f64_isnan(b)))
		return bits(f64_sub(f64(a), f64(b)));
	return add(a, b ^ SIGN);
}

LIBCALL(uint64_t, __muldf3, (uint64_t a, uint64_t b))
{
	unsigned int exp_a = exponent(a), exp_b = exponent(b);
	unsigned __int128 product;
	uint64_t z, low;
	int exp;

	if (unlikely_(!normal(exp_a) || !normal(exp_b)))
		return bits(f64_mul(f64(a), f64(b)));

	product = (unsigned __int128)((a | HIDDEN) << 11) * ((b | HIDDEN) << 11);
	z = product >> 64;
	low = (uint64_t)product;
	exp = (int)(exp_a + exp_b) - BIAS;
	if (z >> 63) {
		low |= z & 1;
		z >>= 1;
		exp++;
	}
	if (unlikely_(exp <= 0))
		return bits(f64_mul(f64(a), f64(b)));
	return round_pack((a ^ b) & SIGN, exp, z | (low != 0));
}

LIBCALL(uint64_t, __divdf3, (uint64_t a, uint64_t b))
{
	return bits(f64_div(f64(a), f64(b)));
}

LIBCALL(uint64_t, __negdf2, (uint64_t a))
{
	return a ^ SIGN;
}

/*
 * The compiler compares the result with 0 by the operator that is in the name, and only so. Where there is a NaN the outcome
 * must be false, or true for __nedf2.
 */
LIBCALL(int, __eqdf2, (uint64_t a, uint64_t b))
{
	return !lunatik_f64_eq(a, b);
}

LIBCALL(int, __nedf2, (uint64_t a, uint64_t b))
{
	return !lunatik_f64_eq(a, b);
}

LIBCALL(int, __ltdf2, (uint64_t a, uint64_t b))
{
	return -lunatik_f64_lt(a, b);
}

LIBCALL(int, __ledf2, (uint64_t a, uint64_t b))
{
	return !lunatik_f64_le(a, b);
}

LIBCALL(int, __gtdf2, (uint64_t a, uint64_t b))
{
	return lunatik_f64_lt(b, a);
}

LIBCALL(int, __gedf2, (uint64_t a, uint64_t b))
{
	return -!lunatik_f64_le(b, a);
}

LIBCALL(int, __unorddf2, (uint64_t a, uint64_t b))
{
	return lunatik_f64_isnan(a) | lunatik_f64_isnan(b);
}

/* A double from its sign and its size as an integer. */
static inline uint64_t from_integer(uint64_t sign, uint64_t size)
{
	unsigned int zeros;
	uint64_t sig;

	if (size == 0)
		return 0;
	zeros = __builtin_clzll(size);
	sig = size << zeros;
	return round_pack(sign, BIAS + 63 - zeros, sig >> 1 | (sig & 1));
}

LIBCALL(uint64_t, __floatdidf, (int64_t a))
{
	return from_integer(a & SIGN, a < 0 ? -(uint64_t)a : (uint64_t)a);
}

LIBCALL(uint64_t, __floatundidf, (uint64_t a))
{
	return from_integer(0, a);
}

LIBCALL(uint64_t, __floatsidf, (int32_t a))
{
	return from_integer(a < 0 ? SIGN : 0, a < 0 ? -(uint64_t)a : (uint64_t)a);
}

LIBCALL(uint64_t, __floatunsidf, (uint32_t a))
{
	return from_integer(0, a);
}

/* The size rounded towards zero, for doubles below 2^64 in size. */
static inline uint64_t truncate(uint64_t a)
{
	int exp = (int)exponent(a) - BIAS;

	if (exp < 0)
		return 0;
	return ((a | HIDDEN) << 11) >> (63 - exp);
}

/* The integer conversions round towards zero; what the type cannot hold gives its least value, as SSE2 does. */
LIBCALL(int64_t, __fixdfdi, (uint64_t a))
{
	long long result;

	return lunatik_f64_to_integer(a, &result) ? result : INT64_C(-0x7fffffffffffffff) - 1;
}

LIBCALL(int32_t, __fixdfsi, (uint64_t a))
{
	uint64_t size;

	if (unlikely_(exponent(a) >= BIAS + 31))
		return -0x7fffffff - 1;
	size = truncate(a);
	return (int32_t)(a >> 63 ? -size : size);
}

/* The unsigned ones give zero for negative numbers, and the greatest value for what is too great or NaN. */
LIBCALL(uint64_t, __fixunsdfdi, (uint64_t a))
{
	if (unlikely_(a >> 63))
		return 0;
	if (unlikely_(exponent(a) >= BIAS + 64))
		return ~UINT64_C(0);
	return truncate(a);
}

LIBCALL(uint32_t, __fixunsdfsi, (uint64_t a))
{
	if (unlikely_(a >> 63))
		return 0;
	if (unlikely_(exponent(a) >= BIAS + 32))
		return ~(uint32_t)0;
	return (uint32_t)truncate(a);
}

LIBCALL(uint32_t, __truncdfsf2, (uint64_t a))
{
	return f64_to_f32(f64(a)).v;
}

static inline uint64_t extend(uint32_t a)
{
	return bits(f32_to_f64((float32_t){ a }));
}

LIBCALL(uint64_t, __extendsfdf2, (uint32_t a))
{
	return extend(a);
}

/* Compilers compare doubles that came from floats as floats, and no other arithmetic of floats occurs. */
LIBCALL(int, __eqsf2, (uint32_t a, uint32_t b))
{
	return !lunatik_f64_eq(extend(a), extend(b));
}

LIBCALL(int, __nesf2, (uint32_t a, uint32_t b))
{
	return !lunatik_f64_eq(extend(a), extend(b));
}

LIBCALL(int, __ltsf2, (uint32_t a, uint32_t b))
{
	return -lunatik_f64_lt(extend(a), extend(b));
}

LIBCALL(int, __lesf2, (uint32_t a, uint32_t b))
{
	return !lunatik_f64_le(extend(a), extend(b));
}

LIBCALL(int, __gtsf2, (uint32_t a, uint32_t b))
{
	return lunatik_f64_lt(extend(b), extend(a));
}

LIBCALL(int, __gesf2, (uint32_t a, uint32_t b))
{
	return -!lunatik_f64_le(extend(b), extend(a));
}

LIBCALL(int, __unordsf2, (uint32_t a, uint32_t b))
{
	return lunatik_f64_isnan(extend(a)) | lunatik_f64_isnan(extend(b));
}

LIBCALL(uint64_t, fabs, (uint64_t a))
{
	return a & ~SIGN;
}

/*
 * The next integer towards minus infinity, or towards plus infinity: away from zero for numbers with the sign given, towards
 * zero for the others. Adding all bits below the point to the number's own carries into the exponent when it must.
 */
static inline uint64_t round_away(uint64_t a, uint64_t sign)
{
	int exp = (int)exponent(a) - BIAS;
	uint64_t below;

	if (exp >= 52)
		/* An integer, infinity or NaN, which comes out quiet. */
		return lunatik_f64_isnan(a) ? a | HIDDEN >> 1 : a;
	if (exp < 0) {
		if (a << 1 == 0)
			return a;
		if ((a & SIGN) == sign)
			return sign | (uint64_t)BIAS << 52;
		return a & SIGN;
	}
	below = FRACTION >> exp;
	if ((a & SIGN) == sign)
		a += below;
	return a & ~below;
}

LIBCALL(uint64_t, floor, (uint64_t a))
{
	return round_away(a, SIGN);
}

LIBCALL(uint64_t, ceil, (uint64_t a))
{
	return round_away(a, 0);
}

LIBCALL(uint64_t, sqrt, (uint64_t a))
{
	return bits(f64_sqrt(f64(a)));
}

/* The significand with its highest bit at 52, and the exponent that belongs to it: subnormal numbers get one below 1. */
static inline uint64_t normalize(uint64_t a, int *exp)
{
	uint64_t sig = a & FRACTION;
	int shift;

	*exp = (int)exponent(a);
	if (*exp != 0)
		return sig | HIDDEN;
	shift = __builtin_clzll(sig) - 11;
	*exp = 1 - shift;
	return sig << shift;
}

/*
 * The remainder of a division that rounds towards zero, which is always a double: long division of the significands, eleven
 * bits of the quotient at a step.
 */
LIBCALL(uint64_t, fmod, (uint64_t a, uint64_t b))
{
	uint64_t sign = a & SIGN, x = a << 1, y = b << 1, rest;
	int exp_a, exp_b, shift;

	if (unlikely_(x >= INFINITY_BITS << 1 || y > INFINITY_BITS << 1 || y == 0)) {
		if (x > INFINITY_BITS << 1 || y > INFINITY_BITS << 1)
			return softfloat_propagateNaNF64UI(a, b);
		return defaultNaNF64UI;
	}
	if (x < y)
		return a;

	x = normalize(a, &exp_a);
	y = normalize(b, &exp_b);
	shift = exp_a - exp_b;
	rest = x % y;
	while (shift > 0 && rest != 0) {
		int step = shift < 11 ? shift : 11;

		rest = (rest << step) % y;
		shift -= step;
	}
	if (rest == 0)
		return sign;

	/* Put the highest bit back to 52, as far as the least exponent allows. */
	shift = __builtin_clzll(rest) - 11;
	exp_b -= shift;
	rest <<= shift;
	if (exp_b < 1)
		return sign | rest >> (1 - exp_b);
	return sign | ((rest & FRACTION) + ((uint64_t)exp_b << 52));
}

/* A fraction in [1/2, 1) and an exponent of two; zero, infinity and NaN come back with the exponent 0. */
LIBCALL(uint64_t, frexp, (uint64_t a, int *exp))
{
	uint64_t sig;

	if (a << 1 == 0 || exponent(a) == EXPONENT_MAX) {
		*exp = 0;
		return lunatik_f64_isnan(a) ? a | HIDDEN >> 1 : a;
	}
	sig = normalize(a, exp);
	*exp -= BIAS - 1;
	return (a & SIGN) | (sig & FRACTION) | (uint64_t)(BIAS - 1) << 52;
}

/* a * 2^n, rounded where it becomes subnormal. */
LIBCALL(uint64_t, ldexp, (uint64_t a, int n))
{
	uint64_t sig;
	int exp;

	if (a << 1 == 0 || exponent(a) == EXPONENT_MAX)
		return lunatik_f64_isnan(a) ? a | HIDDEN >> 1 : a;
	sig = normalize(a, &exp);
	/* Beyond these every result is zero or infinity. */
	if (n > 3000)
		n = 3000;
	if (n < -3000)
		n = -3000;
	exp += n;
	if (exp >= 1 && exp < EXPONENT_MAX)
		return (a & SIGN) | (sig & FRACTION) | (uint64_t)exp << 52;
	return bits(softfloat_roundPackToF64(a >> 63, exp - 1, sig << 10));
}

#ifdef COMPARE_WITH_HARDWARE

/* The inline conversion with its verdict, which no function above passes on. */
LIBCALL(int, to_integer, (uint64_t a, int64_t *result))
{
	long long integer = 0;
	int fits = lunatik_f64_to_integer(a, &integer);

	*result = integer;
	return fits;
}

#endif
