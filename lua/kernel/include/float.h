/* SPDX-License-Identifier: GPL-2.0-only */
/* Limits of floating-point types, as the compiler knows them. */
#ifndef LUNATIK_INC_FLOAT_H
#define LUNATIK_INC_FLOAT_H

#define FLT_MANT_DIG	__FLT_MANT_DIG__
#define DBL_MANT_DIG	__DBL_MANT_DIG__
#define DBL_MAX_EXP	__DBL_MAX_EXP__
#define DBL_MAX_10_EXP	__DBL_MAX_10_EXP__
#define DBL_MAX		__DBL_MAX__

#endif
