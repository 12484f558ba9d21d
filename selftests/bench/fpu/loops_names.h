/* SPDX-License-Identifier: GPL-2.0-only */
/* The loops of loops.h, without a floating-point type: hard_* inside kernel_fpu_begin/end only, soft_* in any context. */
unsigned long long hard_muladd(unsigned int steps);
unsigned long long hard_mandelbrot(unsigned int side);
unsigned long long soft_muladd(unsigned int steps);
unsigned long long soft_mandelbrot(unsigned int side);
