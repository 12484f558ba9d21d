/* SPDX-License-Identifier: GPL-2.0-only */
/* Limits of integer types, as the compiler knows them. */
#ifndef LUNATIK_INC_LIMITS_H
#define LUNATIK_INC_LIMITS_H

#define CHAR_BIT	__CHAR_BIT__
#define UCHAR_MAX	255
#define SHRT_MAX	__SHRT_MAX__
#define USHRT_MAX	(__SHRT_MAX__ * 2 + 1)
#define INT_MAX		__INT_MAX__
#define INT_MIN		(-__INT_MAX__ - 1)
#define UINT_MAX	(__INT_MAX__ * 2U + 1U)
#define LONG_MAX	__LONG_MAX__
#define LONG_MIN	(-__LONG_MAX__ - 1L)
#define LLONG_MAX	__LONG_LONG_MAX__
#define LLONG_MIN	(-__LONG_LONG_MAX__ - 1LL)

#endif
