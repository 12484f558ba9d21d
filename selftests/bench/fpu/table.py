#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The table of selftests/bench/fpu/run, in guest instructions: FPU sections, and loops on doubles with the FPU and without
it, in C (fpu_bench.ko) and in Lua (a state against user space). Runs as root in the guest; fails when results differ."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../../lib")
from lunatik import *  # noqa

FILE = "/sys/kernel/debug/fpu_bench"
MULADDS = 1000000
# As in loops.h; each returns its result.
MULADD = "local x = 0.5 for i = 1, %d do x = x * 0.999 + 0.001 end return x" % MULADDS
MANDELBROT = """local steps, side = 0, 64 for i = 0, side - 1 do local ci = 2.0 * i / side - 1.0
for j = 0, side - 1 do local cr, zr, zi, rr, ii, n = 3.0 * j / side - 2.0, 0.0, 0.0, 0.0, 0.0, 0
while n < 100 and rr + ii <= 4.0 do zi = 2.0 * zr * zi + ci zr = rr - ii + cr rr = zr * zr ii = zi * zi n = n + 1 end
steps = steps + n end end return steps""".replace("\n", " ")
INTEGERS = "local x = 5 for i = 1, %d do x = x * 999 + 1 end return x" % MULADDS
state = new_state(65536)


def least(f, *args):
    """The least nanoseconds of three calls, and what the last returned."""
    best = None
    for _ in range(3):
        begun = time.monotonic_ns()
        got = f(*args)
        took = time.monotonic_ns() - begun
        best = took if best is None else min(best, took)
    return best, got


def in_user_space(script):
    text = "local function f() %s end local best for i = 1, 3 do local b = os.clock() r = f() b = os.clock() - b best = best and math.min(best, b) or b end print(math.floor(best * 1e9), r)" % script
    took, got = subprocess.run(["lua5.3", "-e", text], capture_output=True, text=True, check=True).stdout.split("\t")
    return int(took), got.strip()


def system_call(sections):
    """Nanoseconds of a write that does so many sections, at best."""
    def many():
        for _ in range(200):
            os.write(fd, sections)
    return least(many)[0] / 200


c = {}
for line in slurp(FILE).splitlines():
    name, took, got = line.split()
    c[name] = int(took), got
fd = os.open(FILE, os.O_RDWR)
plain, one = system_call(b"0"), system_call(b"1")
os.close(fd)
sections = c["sections"][0] / 1000
print("kernel_fpu_begin and kernel_fpu_end, after the first in a system call: %9.1f" % sections)
print("a system call with one section, more than one without:                %9.1f" % (one - plain))
print("\n%-32s %10s %10s %7s" % ("a step of", "FPU", "soft-float", "ratio"))
same = True
steps = int(c["hard_mandelbrot"][1])
for what, loop, count, script in (("multiply-add", "muladd", MULADDS, MULADD), ("mandelbrot", "mandelbrot", steps, MANDELBROT)):
    hard, soft = c["hard_" + loop], c["soft_" + loop]
    here, there = least(execute, state, script), in_user_space(script)
    same = same and hard[1] == soft[1] and here[1] == there[1]
    for where, fast, slow in (("in C", hard[0], soft[0]), ("in Lua (FPU: user space)", there[0], here[0])):
        print("%-32s %10.1f %10.1f %7.2f" % ("%s %s" % (what, where), fast / count, slow / count, slow / fast))
here, there = least(execute, state, INTEGERS), in_user_space(INTEGERS)
same = same and here[1] == there[1]
print("%-32s %10.1f %10.1f %7.2f" % ("the same on integers in Lua", there[0] / MULADDS, here[0] / MULADDS, here[0] / there[0]))
if not same:
    print("The results differ.")
sys.exit(not same)
