// SPDX-License-Identifier: GPL-2.0-only
/*
 * Long copies of the Lua core (include/string.h). Any context.
 */
#include <string.h>

#if defined(memcpy)

/* From here on one string instruction; its start costs some tens of cycles, which a short copy has not got. */
#define STRING_MIN	512

static void move8(char *to, const char *from)
{
	unsigned long long word;

	__builtin_memcpy(&word, from, 8);
	__builtin_memcpy(to, &word, 8);
}

void *lunatik_copy_long(void *dest, const void *source, size_t n)
{
	char *to = dest;
	const char *from = source;
	size_t words;

	if (n >= STRING_MIN) {
		words = n / 8;
		__asm__ volatile("rep movsq" : "+D" (to), "+S" (from), "+c" (words) : : "memory");
		/* The last word once more, as far as it is whole. */
		move8((char *)dest + n - 8, (const char *)source + n - 8);
		return dest;
	}
	/* More than 16 bytes, so the last 16 are there; the loop leaves 1 to 32 of them and of those before. */
	for (; n > 32; n -= 32, to += 32, from += 32) {
		move8(to, from);
		move8(to + 8, from + 8);
		move8(to + 16, from + 16);
		move8(to + 24, from + 24);
	}
	if (n > 16) {
		move8(to, from);
		move8(to + 8, from + 8);
	}
	move8(to + n - 16, from + n - 16);
	move8(to + n - 8, from + n - 8);
	return dest;
}

#endif
