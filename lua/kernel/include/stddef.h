/* SPDX-License-Identifier: GPL-2.0-only */
/* Basic types, as the compiler knows them. */
#ifndef LUNATIK_INC_STDDEF_H
#define LUNATIK_INC_STDDEF_H

typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;

#ifndef NULL
#define NULL	((void *)0)
#endif
#ifndef offsetof
#define offsetof(type, member)	__builtin_offsetof(type, member)
#endif

#endif
