/* SPDX-License-Identifier: GPL-2.0-only */
/* Character classes of the C locale, for values of unsigned char. */
#ifndef LUNATIK_INC_CTYPE_H
#define LUNATIK_INC_CTYPE_H

static inline int lunatik_in(int c, int first, int last)
{
	return (unsigned int)c - (unsigned int)first <= (unsigned int)last - (unsigned int)first;
}

#define isdigit(c)	lunatik_in((c), '0', '9')
#define islower(c)	lunatik_in((c), 'a', 'z')
#define isupper(c)	lunatik_in((c), 'A', 'Z')
#define isalpha(c)	lunatik_in((c) | 0x20, 'a', 'z')
#define isalnum(c)	lunatik_isalnum(c)
#define isxdigit(c)	lunatik_isxdigit(c)
#define isgraph(c)	lunatik_in((c), 0x21, 0x7e)
#define iscntrl(c)	lunatik_iscntrl(c)
#define ispunct(c)	lunatik_ispunct(c)
#define isspace(c)	lunatik_isspace(c)
#define tolower(c)	lunatik_tolower(c)
#define toupper(c)	lunatik_toupper(c)

static inline int lunatik_isalnum(int c) { return isdigit(c) || isalpha(c); }
static inline int lunatik_isxdigit(int c) { return isdigit(c) || lunatik_in(c | 0x20, 'a', 'f'); }
static inline int lunatik_iscntrl(int c) { return lunatik_in(c, 0, 0x1f) || c == 0x7f; }
static inline int lunatik_ispunct(int c) { return isgraph(c) && !lunatik_isalnum(c); }
static inline int lunatik_isspace(int c) { return c == ' ' || lunatik_in(c, '\t', '\r'); }
static inline int lunatik_tolower(int c) { return isupper(c) ? c | 0x20 : c; }
static inline int lunatik_toupper(int c) { return islower(c) ? c & ~0x20 : c; }

#endif
