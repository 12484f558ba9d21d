# SPDX-License-Identifier: GPL-2.0-only
"""The deepest use of a C stack that scripts came to in cstack.sh, which nests whatever can be nested without end.

The module must be loaded with stackwatch=1, with which no other figure is worth anything: a run of its own.
"""
import os
import subprocess

from lib import HERE, row, section
import lunatik


def main(_):
    if lunatik.slurp(lunatik.PARAMETERS + "/stackwatch").strip() != "Y":
        raise SystemExit("cstack: lunatik must be loaded with stackwatch=1")
    with open("/tmp/cstack.log", "w") as log:
        ended = subprocess.run([os.path.join(HERE, "..", "cstack.sh")], stdout=log, check=False)
    deepest, size = (int(word) for word in lunatik.slurp(lunatik.PARAMETERS + "/stackdeepest").split())
    section("C stack", "deepest", "size")
    row("scripts of cstack.sh", deepest, "bytes", size)
    return ended.returncode
