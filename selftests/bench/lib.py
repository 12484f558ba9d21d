# SPDX-License-Identifier: GPL-2.0-only
"""What the sections of the bench share: lines of the table, and repeated measuring. Runs as root in the guest."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
HERE = os.path.dirname(os.path.abspath(__file__))

now = time.monotonic_ns


def section(title, figure, beside=""):
    """A heading: what the figures and those beside them are."""
    print("\n%-38s %14s %-6s %14s %7s" % (title, figure, "", beside, "ratio" if beside else ""), flush=True)


def row(name, figure, unit, beside=None):
    """A line: name, figure, unit, what it is compared with, ratio."""
    line = "%-38s %14s %-6s" % (name, "{:,}".format(figure), unit)
    if beside is not None:
        line += " %14s %7.2f" % ("{:,}".format(beside), figure / beside if beside else float("nan"))
    print(line.rstrip(), flush=True)


def least(times, f, *args):
    """The least time in ns that one call of f takes."""
    best = None
    for _ in range(times):
        begun = now()
        f(*args)
        took = now() - begun
        best = took if best is None else min(best, took)
    return best


def each(times, f, *args):
    """The time in ns of one call of f, as the mean of many; the loop's own time, measured on an empty function, is taken off."""
    def loop(g):
        begun = now()
        for _ in range(times):
            g(*args)
        return now() - begun
    for g in (f, _nothing):
        loop(g)
    return max(0, loop(f) - loop(_nothing)) // times


def _nothing(*_):
    pass
