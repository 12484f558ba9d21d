# SPDX-License-Identifier: GPL-2.0-only
#
# The files of Berkeley SoftFloat 3e that libcalls.c includes, relative to the crate's berkeley-softfloat-3/source.
# Build rules name them as prerequisites; a header of SoftFloat's is any *.h in source/include and 8086-SSE.

SOFTFLOAT_FILES := \
	f32_to_f64.c \
	f64_add.c \
	f64_div.c \
	f64_mul.c \
	f64_sqrt.c \
	f64_sub.c \
	f64_to_f32.c \
	s_addMagsF64.c \
	s_approxRecipSqrt32_1.c \
	s_approxRecipSqrt_1Ks.c \
	s_normRoundPackToF64.c \
	s_normSubnormalF32Sig.c \
	s_normSubnormalF64Sig.c \
	s_roundPackToF32.c \
	s_roundPackToF64.c \
	s_subMagsF64.c \
	8086-SSE/s_commonNaNToF32UI.c \
	8086-SSE/s_commonNaNToF64UI.c \
	8086-SSE/s_f32UIToCommonNaN.c \
	8086-SSE/s_f64UIToCommonNaN.c \
	8086-SSE/s_propagateNaNF64UI.c \
	8086-SSE/softfloat_raiseFlags.c
