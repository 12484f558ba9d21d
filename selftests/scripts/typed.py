# SPDX-License-Identifier: GPL-2.0-only
"""Runs a command on a terminal of its own, types what standard input holds, and prints what the terminal showed.

A line `~pattern` of the input waits until the output since the last key matches; other lines are keys, with Python's escapes.
usage: typed.py COMMAND [ARG...]
"""
import os
import pty
import re
import select
import sys
import time

script = sys.stdin.read().splitlines()
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
shown = b""
fresh = b""


def gather(seconds):
    """Takes what comes within a time; false at its end, or when the command is gone."""
    global shown, fresh
    if not select.select([terminal], [], [], seconds)[0]:
        return False
    try:
        part = os.read(terminal, 4096)
    except OSError:
        return False
    shown += part
    fresh += part
    return bool(part)


for line in script:
    if line.startswith("~"):
        end = time.monotonic() + 20
        while not re.search(line[1:].encode(), fresh, re.DOTALL) and time.monotonic() < end:
            gather(0.2)
        if not re.search(line[1:].encode(), fresh, re.DOTALL):
            print("never came: %s; but: %r" % (line[1:], fresh))
            break
        continue
    fresh = b""
    os.write(terminal, line.encode().decode("unicode_escape").encode("latin-1"))
while gather(5):
    pass
os.close(terminal)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(shown.decode("utf-8", "replace"))
print("exit status %d" % status)
