// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small things the Lua core needs and no kernel function offers: integers, addresses and escapes as
 * text, and each state's random numbers.
 *
 * Any context, with the state's lock held. Doubles as text are not here: see lunatik_text.h.
 */
#include "lua.h"

/* {=== text ================================================================================== */

int lunatik_integer2str(char *buf, size_t size, long long n)
{
	unsigned long long rest = n < 0 ? 0 - (unsigned long long)n : (unsigned long long)n;
	char digits[24];
	size_t at = sizeof(digits), len;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (n < 0)
		digits[--at] = '-';
	len = sizeof(digits) - at;
	if (len >= size)
		len = size - 1;		/* cannot be: every caller has 50 bytes or more */
	__builtin_memcpy(buf, digits + at, len);
	buf[len] = '\0';
	return (int)len;
}

int lunatik_pointer2str(char *buf, size_t size, const void *p)
{
	unsigned long hash = p ? lunatik_hash_ptr(p) : 0;
	int shift, len = 0;

	if (size < 19)
		return 0;
	buf[len++] = '0';
	buf[len++] = 'x';
	for (shift = 60; shift >= 0; shift -= 4)
		buf[len++] = "0123456789abcdef"[(hash >> shift) & 15];
	buf[len] = '\0';
	return len;
}

void lunatik_escape(char *buf, unsigned int c, int full)
{
	*buf++ = '\\';
	if (full || c >= 100)
		*buf++ = (char)('0' + c / 100);
	if (full || c >= 10)
		*buf++ = (char)('0' + c / 10 % 10);
	*buf++ = (char)('0' + c % 10);
	*buf = '\0';
}

/* ============================================================================================ }
 * {=== random numbers ======================================================================== */

/* Xorshift128+ (S. Vigna, "Further scramblings of Marsaglia's xorshift generators", 2014). */
unsigned long long lunatik_random(lua_State *L)
{
	unsigned long long *state = lunatik_ext(L)->random;
	unsigned long long a, b;

	if (state[0] == 0 && state[1] == 0)
		lunatik_randomseed(L, lunatik_random_seed());
	a = state[0];
	b = state[1];
	state[0] = b;
	a ^= a << 23;
	state[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
	return state[1] + b;
}

/* Masks to the bits that `max` needs and tries again while the result is above it. */
unsigned long long lunatik_randomupto(lua_State *L, unsigned long long max)
{
	unsigned long long mask = max, value;
	int shift;

	for (shift = 1; shift < 64; shift *= 2)
		mask |= mask >> shift;
	do {
		/* The upper bits are the better ones. */
		value = lunatik_random(L);
		value = (value ^ (value >> 32)) & mask;
	} while (value > max);
	return value;
}

/* Spreads the seed over the state by SplitMix64 (G. Steele et al., 2014). */
void lunatik_randomseed(lua_State *L, unsigned long long seed)
{
	unsigned long long *state = lunatik_ext(L)->random;
	int i;

	for (i = 0; i < 2; i++) {
		unsigned long long z = seed += 0x9e3779b97f4a7c15ULL;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
		state[i] = z ^ (z >> 31);
	}
	if (state[0] == 0 && state[1] == 0)
		state[1] = 1;
}

/* ============================================================================================ } */
