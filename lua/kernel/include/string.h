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

/* The order of the C locale is that of the bytes. */
#define strcoll(a, b)	strcmp(a, b)

static inline char *lunatik_strcpy(char *to, const char *from)
{
	return (char *)memcpy(to, from, strlen(from) + 1);
}
#define strcpy(to, from)	lunatik_strcpy(to, from)

#endif
