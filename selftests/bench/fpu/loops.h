/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loops that are measured, with doubles; included once by a file for each way of arithmetic, which says LOOP(name).
 * Any context that has such arithmetic. table.py has the same in Lua.
 */
#include "loops_names.h"

/* The bits of the sum; each step needs the one before it. */
unsigned long long LOOP(muladd)(unsigned int steps)
{
	union { double number; unsigned long long bits; } x = { .number = 0.5 };

	while (steps--)
		x.number = x.number * 0.999 + 0.001;
	return x.bits;
}

/* How often z = z * z + c is done for a square of points, 100 times each at most. */
unsigned long long LOOP(mandelbrot)(unsigned int side)
{
	unsigned long long steps = 0;
	unsigned int i, j, n;

	for (i = 0; i < side; i++) {
		double ci = 2.0 * i / side - 1.0;

		for (j = 0; j < side; j++) {
			double cr = 3.0 * j / side - 2.0, zr = 0, zi = 0, rr = 0, ii = 0;

			for (n = 0; n < 100 && rr + ii <= 4.0; n++) {
				zi = 2.0 * zr * zi + ci;
				zr = rr - ii + cr;
				rr = zr * zr;
				ii = zi * zi;
			}
			steps += n;
		}
	}
	return steps;
}
