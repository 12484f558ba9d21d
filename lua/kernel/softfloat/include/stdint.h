/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The integer types Berkeley SoftFloat asks the C library for; the kernel has no such header. Pure declarations.
 * The fast types are as wide as a register handles cheaply, not as wide as glibc makes them.
 */
#ifndef LUNATIK_SOFTFLOAT_STDINT_H
#define LUNATIK_SOFTFLOAT_STDINT_H

typedef __INT8_TYPE__ int8_t;
typedef __INT16_TYPE__ int16_t;
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;

typedef uint8_t uint_least8_t;

typedef int int_fast8_t;
typedef int int_fast16_t;
typedef int int_fast32_t;
typedef int64_t int_fast64_t;
typedef unsigned int uint_fast8_t;
typedef unsigned int uint_fast16_t;
typedef unsigned int uint_fast32_t;
typedef uint64_t uint_fast64_t;

#define INT64_C(c) __INT64_C(c)
#define UINT64_C(c) __UINT64_C(c)

#ifndef __INT64_C
/* clang gives the suffix as a macro of its own. */
#define LUNATIK_JOIN_(c, suffix) c##suffix
#define LUNATIK_JOIN(c, suffix) LUNATIK_JOIN_(c, suffix)
#define __INT64_C(c) LUNATIK_JOIN(c, __INT64_C_SUFFIX__)
#define __UINT64_C(c) LUNATIK_JOIN(c, __UINT64_C_SUFFIX__)
#endif

#endif
