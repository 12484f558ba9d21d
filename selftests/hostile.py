#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The hostile scripts: families of small scripts, each against one bound (hostile/*.py). Each runs in a state of its own;
what does not end by itself is signalled. Each must end as declared, and leave a state that answers."""
import collections
import glob
import importlib.util
import os
import select
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

ENDLESS = 0.15  # seconds before a script that never ends is signalled
PATIENCE = 30 if SCALE >= 1 else 150  # and before any other is
# Declared outcomes: the errno of the write (or done), and what the first line of the reply is like.
OUTCOMES = {
    "done": ("done", ""),
    "ended": ("EINTR", "interrupted|not enough memory"),
    "memory": ("ENOMEM", "^not enough memory"),
    "stack": ("EINVAL", "stack overflow|C levels|error in error handling"),
    "nesting": ("ENOEXEC", "C levels|overflow|limit is"),
    "limit": ("ENOEXEC", "too many|limit|too long|overflow|needs too many"),
    "budget": ("EINVAL", "time budget exceeded"),
    "syntax": ("ENOEXEC", "near|visible label|already defined|binary chunk|not inside"),
    "error": ("EINVAL", ""),
}


def families():
    """(family, bound, limit in bytes, outcomes, script) from the files of hostile/."""
    for path in sorted(glob.glob(HERE + "/hostile/*.py")):
        spec = importlib.util.spec_from_file_location("hostile_" + os.path.basename(path)[:-3], path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for family, bound, maxalloc, outcomes, scripts in module.FAMILIES:
            for script in scripts:
                yield family, bound, maxalloc, outcomes.split(), script


def write(name, script, out):
    """In a child: one `run` request; its errno and reply go to the pipe."""
    fd = os.open(CTL, os.O_RDWR)
    got = raw_write(fd, b"run %s %d\n%s" % (name.encode(), len(script), script))
    os.write(out, ("%s\n%s" % (got if isinstance(got, str) else "done", read_all(fd)[:60000])).encode())
    return 0


def outcome(name, script, patience):
    """(errno or done, first line of the reply), and the whole reply; signals the writer when it takes too long."""
    into, out = os.pipe()
    pid = child(write, name, script.encode(), out)
    os.close(out)
    signals, text = 0, b""
    while True:
        if select.select([into], [], [], patience if not signals else 1)[0]:
            text = os.read(into, 65536)
            break
        # The first may come before the script begins.
        os.kill(pid, signal.SIGINT if signals < 10 else signal.SIGKILL)
        if signals == 10:
            break
        signals += 1
    os.close(into)
    if ended(pid, 10) is None:
        return "a writer that cannot be killed", ""
    result, _, reply = text.decode("utf-8", "replace").partition("\n")
    return result or "hangs", reply


def answers(name):
    """True when the state runs a script, if need be after a while: timers may have filled it."""
    return soon(lambda: ask(name, "return 1") == (None, "1"), 10)


signal.signal(signal.SIGINT, lambda *_: None)
every = list(families())
plan(len(every) + 4)
pairs, counts, holds, began = set(), collections.Counter(), [], time.monotonic()
for family, bound, maxalloc, wanted, script in every:
    name = new_state(maxalloc)
    result, reply = outcome(name, script, ENDLESS if "ended" in wanted else PATIENCE)
    first = reply.split("\n")[0]
    got = [o for o in wanted if OUTCOMES[o][0] == result and re.search(OUTCOMES[o][1], first)]
    alive = answers(name)
    hold = int(stats(name)["longest_hold_ns"]) // 1000
    error_of(ctl, "destroy %s\n" % name)
    text = " ".join(script.split())
    text = text if len(text) <= 70 else text[:67] + "..."
    check(got and alive, "%s: %s -> %s, held %d us" % (family, text, got[0] if got else result, hold),
          "declared %s, came to %s: %s%s" % (" or ".join(wanted), result, first[:300], "" if alive else "; the state does not answer"))
    if got:
        pairs.add((bound, got[0]))
        counts[family] += 1
        holds.append(hold)
diag("%d scripts in %d families, %d distinct pairs of bound and outcome, %d s" % (len(every), len(counts), len(pairs), time.monotonic() - began))
diag("pairs: " + ", ".join("%s: %s" % pair for pair in sorted(pairs)))
diag("longest holds of a lock, in us: " + " ".join(map(str, sorted(holds)[-10:])))
check(len(every) >= 150, "at least 150 scripts", len(every))
check(len(counts) >= 15, "in at least 15 families", len(counts))
check(len(pairs) >= 15, "with at least 15 pairs of bound and outcome", pairs)
equal([name for name in states() if name.startswith(PREFIX)], [], "no state is left")
finished()
