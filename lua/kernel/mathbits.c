// SPDX-License-Identifier: GPL-2.0-only
/*
 * floor, ceil, fabs and fmod of doubles on their bits: exact, by integers alone, in any context.
 *
 * Results, signs of zero included, are those of the C standard's Annex F. Square roots and everything
 * transcendental come from elsewhere (see include/math.h).
 */
#include "math.h"

#define SIGN		0x8000000000000000ULL
#define FRACTION	0x000fffffffffffffULL
#define HIDDEN		0x0010000000000000ULL
#define INFINITE	0x7ff0000000000000ULL
#define QUIET		0x0008000000000000ULL

typedef unsigned long long bits64;

static bits64 to_bits(double x)
{
	bits64 bits;

	__builtin_memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static double from_bits(bits64 bits)
{
	double x;

	__builtin_memcpy(&x, &bits, sizeof(x));
	return x;
}

/* Towards minus infinity if `down`, towards plus infinity otherwise. */
static bits64 round_bits(bits64 x, int down)
{
	int exponent = (int)((x >> 52) & 0x7ff) - 1023;
	int away = down == (x >> 63 != 0);	/* does the magnitude grow? */
	bits64 below;

	if (exponent >= 52)	/* no fraction, infinite, or not a number */
		return (x & ~SIGN) > INFINITE ? x | QUIET : x;
	if (exponent < 0) {
		if ((x & ~SIGN) == 0 || !away)
			return x & SIGN;
		return (x & SIGN) | 0x3ff0000000000000ULL;	/* 1 with the sign of x */
	}
	below = FRACTION >> exponent;
	if ((x & below) == 0)
		return x;
	if (away)
		x += below;	/* carries into the exponent where it should */
	return x & ~below;
}

double lunatik_floor(double x)
{
	return from_bits(round_bits(to_bits(x), 1));
}

double lunatik_ceil(double x)
{
	return from_bits(round_bits(to_bits(x), 0));
}

double lunatik_fabs(double x)
{
	return from_bits(to_bits(x) & ~SIGN);
}

/* The significand of a finite x that is not 0, normalised so that bit 52 is set; its exponent. */
static bits64 unpack(bits64 x, int *exponent)
{
	bits64 m = x & FRACTION;
	int e = (int)((x >> 52) & 0x7ff);

	if (e == 0) {
		int shift = __builtin_clzll(m) - 11;

		*exponent = 1 - shift;
		return m << shift;
	}
	*exponent = e;
	return m | HIDDEN;
}

double lunatik_fmod(double x, double y)
{
	bits64 a = to_bits(x), b = to_bits(y), sign = a & SIGN, m, n;
	int ea, eb, steps;

	a &= ~SIGN;
	b &= ~SIGN;
	if (a > INFINITE || b > INFINITE)	/* not a number: the first one, quiet */
		return from_bits(((a > INFINITE) ? to_bits(x) : to_bits(y)) | QUIET);
	if (a == INFINITE || b == 0)
		return from_bits(INFINITE | QUIET | SIGN);	/* what the processor makes for invalid */
	if (a < b)
		return x;
	if (a == b)
		return from_bits(sign);
	m = unpack(a, &ea);
	n = unpack(b, &eb);
	m %= n;
	/* Up to 2045 binary places of quotient, eleven at a time: 11 is what the upper bits of a word leave. */
	for (steps = ea - eb; steps > 0 && m != 0; ) {
		int now = steps < 11 ? steps : 11;

		m = (m << now) % n;
		steps -= now;
	}
	if (m == 0)
		return from_bits(sign);
	ea = __builtin_clzll(m) - 11;
	m <<= ea;
	eb -= ea;
	if (eb > 0)
		return from_bits(sign | ((bits64)eb << 52) | (m & FRACTION));
	return from_bits(sign | (m >> (1 - eb)));
}
