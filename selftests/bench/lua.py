# SPDX-License-Identifier: GPL-2.0-only
"""The speed of Lua: the scripts of rows.lua in a state and in user-space lua5.3, each a request to an interpreter that runs already.

Both are timed from outside by the same clock: around the write of `run` to ctl, and around a line to the other's standard
input and its answer. What that costs is in both figures, and small beside them. Each runs three times; the least is counted.
"""
import os
import subprocess
import tempfile

from lib import HERE, least, row, section
import lunatik

LIMIT = "1M"
SERVER = "for path in io.lines() do dofile(path) io.write('done\\n') io.flush() end"


def scripts():
    parts = lunatik.slurp(os.path.join(HERE, "rows.lua")).split("\n--- ")[1:]
    return [part.split("\n", 1) for part in parts]


def in_state(text):
    name = lunatik.new_state(LIMIT)
    fd = os.open(lunatik.CTL, os.O_RDWR)
    request = b"run %s %d\n%s" % (name.encode(), len(text), text.encode())

    def once():
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, request)
    try:
        return least(3, once)
    finally:
        os.close(fd)
        lunatik.ctl("destroy %s\n" % name)


def in_user_space(text):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(text)
        file.flush()
        with subprocess.Popen(["lua5.3", "-e", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as lua:
            def once():
                lua.stdin.write(file.name.encode() + b"\n")
                if lua.stdout.readline() != b"done\n":
                    raise RuntimeError("lua5.3 ended")
            took = least(3, once)
            lua.stdin.close()
            return took


def main(wanted):
    section("Lua", "in a state", "lua5.3")
    for name, text in scripts():
        if not wanted or any(word in name for word in wanted):
            row(name, in_state(text), "instr", in_user_space(text))
