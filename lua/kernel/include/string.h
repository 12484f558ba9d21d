/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions over memory and text, which the kernel exports under their usual names. */
#ifndef LUNATIK_INC_STRING_H
#define LUNATIK_INC_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
void *memchr(const void *s, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strspn(const char *s, const char *accept);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strpbrk(const char *s, const char *accept);
char *strstr(const char *s, const char *what);

/*
 * Copies of a length that is only known when they run are many and mostly short; the kernel's own memcpy is one string
 * instruction where processors have a fast one, which costs more to start than these copies do. Under KASAN it is the
 * kernel's, which looks at all of both.
 */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(LUNATIK_PLAIN_COPY)
#if !defined(__has_feature)
#define __has_feature(x)	0
#endif
#if !__has_feature(address_sanitizer) && !__has_feature(kernel_address_sanitizer)

/* More than 16 bytes; see copy.c. */
void *lunatik_copy_long(void *to, const void *from, size_t n);

static inline void *lunatik_copy(void *to, const void *from, size_t n)
{
	if (n > 16)
		return lunatik_copy_long(to, from, n);
	if (n >= 8) {
		unsigned long long head, tail;

		/* Both ends, which overlap. */
		__builtin_memcpy(&head, from, 8);
		__builtin_memcpy(&tail, (const char *)from + n - 8, 8);
		__builtin_memcpy(to, &head, 8);
		__builtin_memcpy((char *)to + n - 8, &tail, 8);
	} else if (n >= 4) {
		unsigned int head, tail;

		__builtin_memcpy(&head, from, 4);
		__builtin_memcpy(&tail, (const char *)from + n - 4, 4);
		__builtin_memcpy(to, &head, 4);
		__builtin_memcpy((char *)to + n - 4, &tail, 4);
	} else if (n != 0) {
		char *t = to;
		const char *f = from;

		t[0] = f[0];
		if (n > 1) {
			t[1] = f[1];
			t[n - 1] = f[n - 1];
		}
	}
	return to;
}

#define memcpy(to, from, n) \
	(__builtin_constant_p(n) ? __builtin_memcpy(to, from, n) : lunatik_copy(to, from, n))

#endif
#endif

/* The order of the C locale is that of the bytes. */
#define strcoll(a, b)	strcmp(a, b)

static inline char *lunatik_strcpy(char *to, const char *from)
{
	return (char *)memcpy(to, from, strlen(from) + 1);
}
#define strcpy(to, from)	lunatik_strcpy(to, from)

#endif
