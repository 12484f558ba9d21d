# SPDX-License-Identifier: GPL-2.0-only
"""The longest time that Lua holds a state's lock, and with it keeps softirqs off its CPU, in what cannot give way anywhere.

Each script attacks one builtin, in fresh states of three limits; what counts is `longest_hold_ns` of `stats`. Errors (the
limit, mostly) are a script's own affair. Beside it: the slice. LUNATIK_BENCH_LIMITS=3 takes states of 64 MiB, too.
"""
import os

from lib import now, row, section
import lunatik

LIMITS = ("64K", "1M", "64M")

# name, script; N is a tenth of the limit in bytes
ATTACKS = [
    ("pattern that backtracks", 'local s = ("a"):rep(150) s:find(".-.-.-b")'),
    ("pattern, long subject", 'local s = ("a"):rep(N) s:find("a*", 1) s:gsub("a", "b")'),
    ("string.rep", 'for _ = 1, 4 do local s = ("x"):rep(N * 4) end for _ = 1, 4 do local s = ("xy"):rep(N, ",") end'),
    ("sort, hostile comparator", "local t = {} for i = 1, N // 32 do t[i] = i end pcall(table.sort, t, function() return true end) "
     "pcall(table.sort, t, function(a, b) return a % 7 < b % 5 end)"),
    ("sort", "local t = {} for i = 1, N // 16 do t[i] = -i end table.sort(t)"),
    ("concat of many", 'local t = {} for i = 1, N // 32 do t[i] = "x" end for _ = 1, 4 do local s = table.concat(t, ",") end'),
    ("concat of large", 'local s = ("x"):rep(N) local t = s .. s .. s local u = table.concat({s, s, s})'),
    ("table.move", "local t = {} for i = 1, N // 16 do t[i] = i end table.move(t, 1, #t, 2) table.move(t, 1, #t, 1, {})"),
    ("table.unpack", "local t = {} for i = 1, math.min(N // 64, 200000) do t[i] = i end local n = select('#', table.unpack(t))"),
    ("string.pack", 'local s = ("x"):rep(N * 2) for _ = 1, 4 do local p = string.pack("s8", s) p = string.unpack("s8", p) end'),
    ("string.format", 'local s = ("x"):rep(N * 2) for _ = 1, 4 do local p = string.format("%s", s) p = string.format("%q", s:sub(1, N // 2)) end'),
    ("string.byte, reverse, upper", 'local s = ("x"):rep(N * 2) s:reverse() s:upper() s:byte(1, math.min(#s, 200000))'),
    ("tostring of a huge string", 'local s = ("x"):rep(N * 2) print(#tostring(setmetatable({}, {__tostring = function() return s end})))'),
    ("tonumber of a long text", 'local s = ("1"):rep(N * 2) tonumber(s) tonumber(s, 10) tonumber("0x" .. s) tonumber("0x." .. s) '
     'tonumber("0." .. s) tonumber(("0"):rep(N * 2)) tonumber((" "):rep(N * 2)) tonumber("1e" .. s) local n = s + 1'),
    ("table rehash", "local t = {} for i = 1, N // 8 do t[i] = i end local u = {} for i = 1, N // 16 do u[-i] = i end"),
    ("full collection", "local t = {} for i = 1, N // 20 do t[i] = {} end for _ = 1, 3 do collectgarbage() end"),
    ("chain of finalizers", "for _ = 1, N // 200 do setmetatable({}, {__gc = function(o) setmetatable({}, getmetatable(o)) end}) end collectgarbage()"),
    ("finalizer that loops", "setmetatable({}, {__gc = function() while true do end end}) collectgarbage()"),
    ("lunatik.atomic that loops", "pcall(lunatik.atomic, function() while true do end end)"),
    ("load of a long text", 'load("return " .. ("1+"):rep(N // 8) .. "1")'),
    ("deep recursion", "local function f(n) return n == 0 and 0 or 1 + f(n - 1) end pcall(f, N // 40)"),
    ("many upvalues closed", "local t = {} for i = 1, N // 100 do local a, b = i, i t[i] = function() return a, b end end"),
    ("coroutines", "local t = {} for i = 1, N // 1500 do t[i] = coroutine.wrap(function() coroutine.yield() end) t[i]() end t = nil collectgarbage()"),
    ("utf8", 'local s = ("x"):rep(N) utf8.len(s) utf8.offset(s, -1) for _ in utf8.codes(s:sub(1, 4096)) do end'),
]


def size(limit):
    return int(limit[:-1]) << {"K": 10, "M": 20}[limit[-1]]


def main(wanted):
    slice_ns = 1000 * int(lunatik.slurp(lunatik.PARAMETERS + "/slice_us"))
    largest = LIMITS[:int(os.environ.get("LUNATIK_BENCH_LIMITS", 2))]
    section("Longest time with softirqs off", "held", "slice")
    for name, script in ATTACKS:
        for limit in largest:
            if wanted and not any(word in name for word in wanted):
                continue
            state = lunatik.new_state(limit)
            lunatik.ask(state, "local N = %d %s" % (size(limit) // 10, script))
            row("%s, %s" % (name, limit), int(lunatik.stats(state)["longest_hold_ns"]), "ns", slice_ns)
            lunatik.ctl("destroy %s\n" % state)
    for limit in largest:
        if wanted and "destroy" not in wanted:
            continue
        state = lunatik.new_state(limit)
        lunatik.ask(state, "t = {} for i = 1, %d do t[i] = {} end" % (size(limit) // 100))
        begun = now()
        lunatik.ctl("destroy %s\n" % state)
        row("destroy a full state, %s (no lock)" % limit, now() - begun, "ns", slice_ns)
