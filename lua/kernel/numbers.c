// SPDX-License-Identifier: GPL-2.0-only
/*
 * Number text and square roots for Lua's macros, by way of functions that take doubles as their bits.
 *
 * Text is made by Rust code that has no floating-point registers (src/lua/text.rs), square roots by
 * soft-float arithmetic (softfloat/libcalls.c); either may be called in any context. Without
 * LUNATIK_LIBM there is no true power function, and exponents must be whole.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lua.h"
#include "math.h"

/* src/lua/text.rs */
uint64_t lunatik_strtod(const char *s, char **end);
uint64_t lunatik_strxtod(const char *s, char **end);
int lunatik_fmt_double(char *buf, size_t size, const char *spec, uint64_t bits);
int lunatik_fmt_int(char *buf, size_t size, const char *spec, long long value);
int lunatik_fmt_str(char *buf, size_t size, const char *spec, const char *s);
int lunatik_fmt_g14(char *buf, size_t size, uint64_t bits);

static double from_bits(uint64_t bits)
{
	double n;

	memcpy(&n, &bits, sizeof(n));
	return n;
}

/* A negative length is an error that no format which string.format lets through can cause. */
static int length(char *buf, int len)
{
	if (len < 0) {
		buf[0] = '\0';
		return 0;
	}
	return len;
}

int lunatik_format_int(char *buf, size_t size, const char *form, long long n)
{
	return length(buf, lunatik_fmt_int(buf, size, form, n));
}

int lunatik_format_double(char *buf, size_t size, const char *form, double n)
{
	return length(buf, lunatik_fmt_double(buf, size, form, lunatik_bits(n)));
}

int lunatik_format_str(char *buf, size_t size, const char *form, const char *s)
{
	return length(buf, lunatik_fmt_str(buf, size, form, s));
}

int lunatik_number2str(char *buf, size_t size, double n)
{
	return length(buf, lunatik_fmt_g14(buf, size, lunatik_bits(n)));
}

double lunatik_str2number(const char *s, char **end)
{
	const char *digits = s;

	while (*digits == ' ' || (*digits >= '\t' && *digits <= '\r'))
		digits++;
	if (*digits == '-' || *digits == '+')
		digits++;
	if (digits[0] == '0' && (digits[1] | 0x20) == 'x')
		return from_bits(lunatik_strxtod(s, end));
	return from_bits(lunatik_strtod(s, end));
}

#if defined(__KERNEL__)

/* softfloat/libcalls.c; the name is sqrt behind an empty prefix */
uint64_t lunatik_sqrt_bits(uint64_t bits) __asm__("sqrt");

double lunatik_sqrt(double x)
{
	return from_bits(lunatik_sqrt_bits(lunatik_bits(x)));
}

#ifndef LUNATIK_LIBM
double lunatik_pow(double x, double y)
{
	double result = 1;
	long long n;

	if (!lunatik_number2integer(y, &n) || (double)n != y)
		return from_bits(0x7ff8000000000000ULL);
	for (n = n < 0 ? -n : n; n > 0; n >>= 1) {
		if (n & 1)
			result *= x;
		x *= x;
	}
	return y < 0 ? 1 / result : result;
}
#endif

#endif
