/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Berkeley SoftFloat's configuration for the kernel: no state that CPUs could share. Included first by every SoftFloat file.
 *
 * SoftFloat keeps rounding mode, tininess detection and exception flags in global variables. Lua knows one rounding mode
 * and no flags, so here they are constants and a value that is dropped: the library has no data that is ever
 * written, may run on any CPU in any context, and the compiler removes what deals with other modes.
 */
#ifndef LUNATIK_SOFTFLOAT_PLATFORM_H
#define LUNATIK_SOFTFLOAT_PLATFORM_H

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LITTLEENDIAN 1
#endif

#define INLINE static inline __attribute__((unused))
#define INLINE_LEVEL 5
#define SOFTFLOAT_FAST_INT64 1
#define SOFTFLOAT_FAST_DIV32TO16 1
#define SOFTFLOAT_FAST_DIV64TO32 1
#define SOFTFLOAT_BUILTIN_CLZ 1
#define SOFTFLOAT_INTRINSIC_INT128 1
#define THREAD_LOCAL

/* The declarations of the globals come first; from here on the names mean something else. */
#include "softfloat.h"

#define softfloat_roundingMode ((uint_fast8_t)softfloat_round_near_even)
#define softfloat_detectTininess ((uint_fast8_t)softfloat_tininess_afterRounding)
/* A fresh temporary each time: setting a flag is allowed and has no effect. */
#define softfloat_exceptionFlags ((uint_fast8_t){ 0 })

#include "opts-GCC.h"

#endif
