#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a state's limit promises is there: scripts and callbacks fill nine tenths of it over and over while every
allocation of the kernel fails, in all tasks and in interrupts (on a kernel with fault injection), and never see "not enough
memory". The same without the reserve, and past the limit, does fail."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

EACH_BLOCK = PARAMETERS + "/eachblock"  # Y on kernels with KASAN: each block from kmalloc, no reserve
FAULTS = "/sys/kernel/debug/%s/%s"
if not os.path.exists(FAULTS % ("failslab", "probability")):
    skip_all("this kernel has no fault injection")

# Pages of processes are spared, since no Lua lies there: with ignore-gfp-highmem off others would be killed.
COMMON = {"probability": "0", "times": "-1", "interval": "1", "space": "0", "verbose": "0", "task-filter": "N", "ignore-gfp-wait": "N"}
KNOBS = {"failslab": COMMON, "fail_page_alloc": {**COMMON, "min-order": "0", "ignore-gfp-highmem": "Y"}}
switches = []
for attribute, knobs in KNOBS.items():
    for knob, value in knobs.items():
        with open(FAULTS % (attribute, knob), "w") as f:
            f.write(value)
    switches.append(os.open(FAULTS % (attribute, "probability"), os.O_WRONLY))
libc.mlockall(3)  # MCL_CURRENT | MCL_FUTURE: no page tables are wanted while nothing can be had


def meanwhile(call, *args):
    """What a call gives while no allocation of the kernel works: the name of the errno if that is -1."""
    for fd in switches:
        os.write(fd, b"100")
    try:
        got = call(*args)
        return errno.errorcode[ctypes.get_errno()] if got == -1 else got
    finally:
        for fd in switches:
            os.write(fd, b"0")


def reserve(on):
    """Whether the states made from now on have a reserve; kernels without KASAN know no other."""
    if os.path.exists(EACH_BLOCK):
        with open(EACH_BLOCK, "w") as f:
            f.write("N" if on else "Y")


atexit.register(reserve, False)
# work(part): fills `part` tenths of the limit with what scripts make, frees every other piece, fills again, frees all; in
# rounds. It leaves the rounds done, the most bytes in use and the error in globals. Blocks stay within the 4 KiB of the promise.
WORK = """
local function piece(n)
    local kind = n % 8
    if kind == 0 then return ('s'):rep(n * 37 % 3000) .. n
    elseif kind == 1 then return {n, n + 1, n + 2, [n] = n}
    elseif kind == 2 then return function() return n end
    elseif kind == 3 then return {name = 'n' .. n, value = n / 7}
    elseif kind == 4 then local t = {} for i = 1, n % 200 do t[i] = i end return t
    elseif kind == 5 then local c = coroutine.wrap(function() coroutine.yield(n) end) c() return c
    elseif kind == 6 then return setmetatable({}, {__index = function() return n end})
    else return (('a,b,c,' .. n):gsub('%w', '<%0>')) .. table.concat({n, 'x', n * 2}, ';') end
end
local function fill(chain, goal)
    local n = 0
    repeat
        n = n + 1
        chain = {chain, piece(n)}
        local limit, used = lunatik.limits()
        if used >= goal then collectgarbage() limit, used = lunatik.limits() end
        if used > most then most = used end
    until used >= goal
    return chain
end
local function rounds(part)
    local goal = lunatik.limits() * part // 10
    for round = 1, ROUNDS do
        local chain = fill(nil, goal)
        local at = chain
        while at do at[2] = nil at = at[1] and at[1][1] end
        collectgarbage()
        chain = fill(chain, goal)
        chain, at = nil
        collectgarbage()
        done = round
    end
end
function work(part)
    done, most, failure = 0, 0, 'none'
    local good, message = pcall(rounds, part)
    if not good then failure = message end
end
"""
ROUNDS = max(10, int(100 * SCALE))
probe = new_state()


def by_script(name, part):
    """Runs work(part) as a script while all fails: what fsync gave, and the seconds it took."""
    fd = os.open(code(name), os.O_WRONLY)
    os.write(fd, b"work(%d)" % part)
    began = time.monotonic()
    got = meanwhile(libc.fsync, fd)
    took = time.monotonic() - began
    os.close(fd)
    return got, took


def by_callback(name, part, seconds):
    """Runs work(part) as a callback, in a worker of the kernel, while all fails for so long."""
    execute(name, "timer.create(200, function() work(%d) end)" % part)
    meanwhile(time.sleep, seconds)


def in_softirq(name, part):
    """Has klua_test.ko call work(part) in softirq, once a jiffy, while all fails: its count of outcomes by errno."""
    def calls():
        with open(KLUA_FILE, "w") as f:
            f.write("timer %s 200 1 ROUNDS = 1 work(%d) if failure ~= 'none' then error(failure) end" % (name, part))
    pid = child(calls)
    time.sleep(0.3)
    meanwhile(time.sleep, 1)
    ended(pid)
    return slurp(KLUA_FILE)


def outcome(name):
    """(rounds done, tenths of the limit that were in use at most, error)."""
    error, reply = ask(name, "return done, most * 10 // lunatik.limits(), failure")
    if error:
        return 0, 0, reply
    done, most, failure = reply.split("\t")
    return int(done), int(most), failure


def prepared(size):
    name = new_state(size)
    ask(name, "ROUNDS = %d\n%s" % (ROUNDS, WORK))
    return name


KLUA_FILE = "/sys/kernel/debug/klua_test"
klua = next((path for path in (os.environ.get("KLUA_TEST_KO", ""), "/add/klua/klua_test.ko") if os.path.exists(path)), None)
if klua:
    subprocess.run(["insmod", klua], check=True)
    atexit.register(subprocess.run, ["rmmod", "klua_test"])
else:
    diag("without klua_test.ko (selftests/klua/build) nothing runs in softirq")
plan(2 * 7 + (2 if os.path.exists(EACH_BLOCK) else 0) + (1 if klua else 0) + 1)
for size in (64 << 10, 1 << 20):
    text = "%d KiB: " % (size >> 10)
    reserve(True)
    state = prepared(size)
    failed, took = by_script(state, 9)
    equal(failed, 0, text + "a script runs while all allocations fail")
    equal(outcome(state), (ROUNDS, 9, "none"), text + "it fills nine tenths of the limit in each round, without an error")
    by_callback(state, 9, 2 + 3 * took)
    equal(outcome(state), (ROUNDS, 9, "none"), text + "so does a callback in the background")
    if klua and size == 64 << 10:
        equal(in_softirq(state, 9), "0 200\n", text + "and so do calls in softirq")
        execute(state, "ROUNDS = %d" % ROUNDS)
    by_script(state, 11)
    like(outcome(state)[2], "not enough memory", text + "past the limit there is an error")
    check(outcome(state)[1] >= 9, text + "and not before", outcome(state))
    equal(meanwhile(libc.open, CTL.encode(), os.O_RDWR), "ENOMEM", text + "meanwhile not even ctl can be opened")
    equal(execute(state, "work(9) return done, failure"), "%d\tnone" % ROUNDS, text + "the state is as good as before")
    diag("%s%d rounds in %d ms" % (text, ROUNDS, took * 1000))
    ctl("destroy %s\n" % state)
    if os.path.exists(EACH_BLOCK):
        reserve(False)
        state = prepared(size)
        equal(by_script(state, 9)[0], "ENOMEM", text + "without the reserve the same script sees the faults")
        ctl("destroy %s\n" % state)
equal(execute(probe, "return 'fine'"), "fine", "a state made before works on")
finished()
