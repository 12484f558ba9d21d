/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions over doubles: mathbits.c has the exact ones, a libm the others. */
#ifndef LUNATIK_INC_MATH_H
#define LUNATIK_INC_MATH_H

#define HUGE_VAL	__builtin_huge_val()

/* mathbits.c */
#define floor		lunatik_floor
#define ceil		lunatik_ceil
#define fabs		lunatik_fabs
#define fmod		lunatik_fmod
double lunatik_floor(double x);
double lunatik_ceil(double x);
double lunatik_fabs(double x);
double lunatik_fmod(double x, double y);

/* softfloat (numbers.c) */
#define sqrt		lunatik_sqrt
double lunatik_sqrt(double x);

#ifdef LUNATIK_LIBM
/* A libm, by its own names: the libm crate in the module, the C library on a host. */
#define LUNATIK_MATH(name)	__asm__(name)
#else
/* numbers.c, for whole exponents. */
#define LUNATIK_MATH(name)
#endif
#define pow		lunatik_pow
#define sin		lunatik_sin
#define cos		lunatik_cos
#define tan		lunatik_tan
#define asin		lunatik_asin
#define acos		lunatik_acos
#define atan2		lunatik_atan2
#define exp		lunatik_exp
#define log		lunatik_log
#define log2		lunatik_log2
#define log10		lunatik_log10
double lunatik_pow(double x, double y) LUNATIK_MATH("pow");
double lunatik_sin(double x) LUNATIK_MATH("sin");
double lunatik_cos(double x) LUNATIK_MATH("cos");
double lunatik_tan(double x) LUNATIK_MATH("tan");
double lunatik_asin(double x) LUNATIK_MATH("asin");
double lunatik_acos(double x) LUNATIK_MATH("acos");
double lunatik_atan2(double y, double x) LUNATIK_MATH("atan2");
double lunatik_exp(double x) LUNATIK_MATH("exp");
double lunatik_log(double x) LUNATIK_MATH("log");
double lunatik_log2(double x) LUNATIK_MATH("log2");
double lunatik_log10(double x) LUNATIK_MATH("log10");

#endif
