# SPDX-License-Identifier: GPL-2.0-only
"""KTAP and lunatik's files for the tests in Python, where a test is about descriptors, signals or processes.

A test calls plan(n) first and finished() last, and in between n checks. Runs as root; the module is loaded. States
made by new_state() go when the test ends.
"""
import atexit
import ctypes
import errno
import os
import random
import re
import signal
import subprocess
import sys
import time

CTL = "/proc/lunatik/ctl"
SYS = "/sys/kernel/lunatik"
PARAMETERS = "/sys/module/lunatik/parameters"
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The debug kernel takes ten to fifty times as long for the same.
DEBUG = os.path.exists("/sys/kernel/debug/kmemleak")
SCALE = float(os.environ.get("LUNATIK_TEST_SCALE", "0.1" if DEBUG else "1"))
PREFIX = "p%dx%d" % (os.getpid(), random.randrange(10000))
_pid = os.getpid()
_planned = _count = _failed = _names = 0


# --- KTAP -----------------------------------------------------------------------------------------------------------

def say(line):
    print(line, flush=True)


def plan(n):
    """So many results follow."""
    global _planned
    _planned = n
    say("KTAP version 1\n1..%d" % n)


def diag(text):
    for line in str(text).splitlines():
        say("# " + line)


def check(good, text, why=""):
    """One result."""
    global _count, _failed
    _count += 1
    _failed += not good
    say("%s %d %s" % ("ok" if good else "not ok", _count, text.replace("#", "")))
    if not good and why:
        diag(why)
    return bool(good)


def equal(got, wanted, text):
    return check(got == wanted, text, "got    %.900r\nwanted %.900r" % (got, wanted))


def like(got, pattern, text):
    if isinstance(got, bytes):
        got = got.decode("utf-8", "replace")
    return check(isinstance(got, str) and re.search(pattern, got), text, "got         %.900r\nwanted like %r" % (got, pattern))


def skip_all(reason):
    say("KTAP version 1\n1..0 # SKIP " + reason)
    sys.exit(4)


def finished():
    global _failed
    if _count != _planned:
        diag("planned %d results, came to %d" % (_planned, _count))
        _failed += 1
    say("# Totals: pass:%d fail:%d" % (_count - _failed, _failed))
    sys.exit(1 if _failed else 0)


# --- errno ----------------------------------------------------------------------------------------------------------

def error_of(f, *args):
    """The name of the errno that a call raises; None when it raises none."""
    try:
        f(*args)
    except OSError as e:
        return errno.errorcode[e.errno]
    return None


libc = ctypes.CDLL(None, use_errno=True)


def raw_write(fd, data):
    """write(2) once, without Python's own retries: the count, or the name of the errno."""
    n = libc.write(fd, data, len(data))
    return n if n >= 0 else errno.errorcode[ctypes.get_errno()]


def raw_close(fd):
    """close(2): None, or the name of the errno."""
    return None if libc.close(fd) == 0 else errno.errorcode[ctypes.get_errno()]


# --- lunatik --------------------------------------------------------------------------------------------------------

def new_name():
    global _names
    _names += 1
    return "%s.%d" % (PREFIX, _names)


def new_state(maxalloc=None):
    name = new_name()
    ctl("create %s %s\n" % (name, maxalloc or ""))
    return name


def code(name):
    return "%s/%s/code" % (SYS, name)


def read_all(fd):
    parts = []
    while True:
        part = os.read(fd, 65536)
        if not part:
            return b"".join(parts).decode("utf-8", "replace")
        parts.append(part)


def slurp(path):
    with open(path) as f:
        return f.read()


def ctl(text):
    """Writes requests in a session of their own; returns the reply to the last, raises OSError."""
    fd = os.open(CTL, os.O_RDWR)
    try:
        data = text.encode()
        while data:
            data = data[os.write(fd, data):]
        return read_all(fd)
    finally:
        os.close(fd)


def execute(name, chunk):
    """Runs one line of Lua; returns its results as text."""
    return ctl("execute %s %s\n" % (name, chunk)).rstrip("\n")


def ask(name, script, script_name=""):
    """Runs a script by `run`: (None or the name of the errno, reply)."""
    fd = os.open(CTL, os.O_RDWR)
    try:
        data = script.encode()
        written = raw_write(fd, b"run %s %d %s\n%s" % (name.encode(), len(data), script_name.encode(), data))
        return (written if isinstance(written, str) else None), read_all(fd).rstrip("\n")
    finally:
        os.close(fd)


def load(name, script):
    """Loads a script through `code` with one write: None, or the name of the errno of close(2)."""
    fd = os.open(code(name), os.O_WRONLY)
    os.write(fd, script.encode())
    return raw_close(fd)


def stats(name):
    """The lines of `stats` as a dictionary."""
    return dict(line.split(" ", 1) for line in slurp("%s/%s/stats" % (SYS, name)).splitlines())


def curralloc(name):
    return int(slurp("%s/%s/curralloc" % (SYS, name)))


def states():
    """The names of all states, from a fresh list."""
    return [line.split()[0] for line in ctl("list\n").splitlines()]


def soon(condition, seconds=30):
    """Tries until it holds; false when it did not in that time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def child(f, *args):
    """Runs f in a process of its own; returns its pid. Its exit status is what f returns, or 99."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 99
    try:
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            # What the test itself handles its children do, too.
            if signal.getsignal(ending) in (signal.default_int_handler, signal.SIG_IGN):
                signal.signal(ending, signal.SIG_DFL)
        status = f(*args) or 0
    except BaseException as e:  # pylint: disable=broad-except
        diag("in a child: %r" % (e,))
    finally:
        os._exit(status)


def ended(pid, seconds=30):
    """Waits for a child: its exit status, minus the signal that killed it, or None while it still runs."""
    end = time.monotonic() + seconds
    while True:
        got, status = os.waitpid(pid, os.WNOHANG)
        if got:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            return None
        time.sleep(0.01)


_budget = None


def unload():
    """Unloads the module: "" or what rmmod says."""
    global _budget
    if os.path.exists(PARAMETERS):
        _budget = slurp(PARAMETERS + "/hookbudget_us").strip()
    return subprocess.run(["rmmod", "lunatik"], capture_output=True, text=True).stderr


def insert(*parameters):
    """Loads the module, from the file that LUNATIK_KO names or as modprobe finds it: "" or what that says. Time budgets
    are what they were before, for they are of the machine."""
    if _budget and not any(parameter.startswith("hookbudget_us=") for parameter in parameters):
        parameters = ("hookbudget_us=" + _budget, *parameters)
    file = os.environ.get("LUNATIK_KO", "/vm/modules/lunatik.ko")
    how = ["insmod", file] if os.path.exists(file) else ["modprobe", "lunatik"]
    return subprocess.run([*how, *parameters], capture_output=True, text=True).stderr


class Log:
    """The kernel log from its creation on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def lines(self):
        """The lines that came since the last call, as they are after the prefix of /dev/kmsg."""
        out = []
        while True:
            try:
                record = os.read(self.fd, 8192)
            except BlockingIOError:
                return out
            except BrokenPipeError:
                out.append("(lost)")
                continue
            head, _, text = record.decode("utf-8", "replace").partition(";")
            if not int(head.split(",")[0]) >> 3:
                out.append(text.split("\n")[0])


def _cleanup():
    if os.getpid() != _pid or not os.path.exists(CTL):
        return
    for name in states():
        if name.startswith(PREFIX):
            error_of(ctl, "destroy %s\n" % name)


if os.geteuid() != 0:
    skip_all("needs root")
if not os.path.exists(CTL):
    skip_all("lunatik is not loaded")
atexit.register(_cleanup)
