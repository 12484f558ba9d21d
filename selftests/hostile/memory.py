# SPDX-License-Identifier: GPL-2.0-only
"""Against the memory limit and the stacks: what grows without end, and what recurses."""
K64, M1, M4 = 64 << 10, 1 << 20, 4 << 20

FAMILIES = (
    ("strings", "maxalloc", K64, "memory", (
        "return ('x'):rep(1e8)", "local s = 'x' while true do s = s .. s end", "local t = {} for i = 1, 1e9 do t[i] = 's' .. i end", "return ('x'):rep(1000):gsub('x', ('y'):rep(1000))",
        "local t = {} for i = 1, 300 do t[i] = ('x'):rep(100) end local u = {} for i = 1, 100 do u[i] = table.concat(t) end", "local t = {} while true do t[#t + 1] = string.format('%099d', #t) end",
        "local s = '' while true do s = s .. string.pack('s', s .. 'x') end", "local s = 'x' while true do s = s:upper() .. s:lower() end", "return ('x'):rep(60000):reverse():rep(2)",
        "return table.concat({('x'):rep(20000), ('y'):rep(20000)}, ('z'):rep(20000))", "return ('%s'):rep(200):format(table.unpack({}, 1, 200)):rep(1000)",
        "local s = ('x'):rep(30000) return s:gsub('x', '%0%0%0%0')", "load('return \"' .. ('x'):rep(30000) .. '\"')() return ('y'):rep(1e6)")),
    ("long strings", "the length of a string", K64, "error memory", (
        "return ('x'):rep(math.maxinteger)", "return ('xx'):rep(1 << 62)", "return ('x'):rep(1 << 40, ('y'):rep(100))", "return string.pack('s8', 'x'):rep(1 << 61)")),
    ("tables", "maxalloc", K64, "memory", (
        "local t = {} for i = 1, 1e9 do t[i] = i end", "local t = {} while true do t = {t} end", "local t = {} for i = 1, 1e9 do t[i * 1.5] = i end", "local t = setmetatable({}, {__mode = 'v'}) for i = 1, 1e9 do t[i] = i end",
        "local t = setmetatable({}, {__mode = 'k'}) local k = {} while true do k = {k} t[k] = k end", "local t = {} for i = 1, 1e9 do t[-i] = true end", "local t = {} while true do table.insert(t, 1, {}) end",
        "local t = {} while true do t[#t + 1] = table.pack(table.unpack({}, 1, 100)) end", "local t = {} for i = 1, 1e9 do t[i] = table.pack(i, i) end", "for i = 1, 1e9 do _G['g' .. i] = i end",
        "local t = {} for i = 1, 1e9 do t[i] = setmetatable({}, {__index = t}) end")),
    ("objects", "maxalloc", K64, "memory", (
        "local t = {} while true do local u = t t = function() return u end end", "local t = {} while true do t[#t + 1] = coroutine.create(print) end", "local t = {} while true do t[#t + 1] = coroutine.wrap(function() coroutine.yield() end) t[#t]() end",
        "local t = {} for i = 1, 1e9 do t[i] = timer.create(300, type) end", "while true do timer.timeout(0.3, type, 1, type) end", "while true do timer.timeout(0.3, ('x'):rep(1000), type) end",
        "local f = print while true do local g = f f = function(...) return g(...) end end",
        "local t = {} while true do t[#t + 1] = setmetatable({}, {__gc = function() end}) end", "setmetatable({}, {__gc = function() local t = {} for i = 1, 1e9 do t[i] = i end end}) local t = {} for i = 1, 1e9 do t[i] = i end")),
    ("garbage", "maxalloc", K64, "done", (
        "for i = 1, 2000 do local s = ('x'):rep(4000) .. i end", "for i = 1, 5000 do local t = {i, {}} end", "for i = 1, 200 do coroutine.wrap(function() coroutine.yield() end)() end",
        "for i = 1, 1000 do setmetatable({}, {__gc = function() end}) end", "for i = 1, 500 do timer.close(timer.timeout(60, print)) end", "for i = 1, 300 do pcall(string.rep, 'x', 1e6) end",
        "collectgarbage('setpause', 1000000) for i = 1, 5000 do local t = {i, {}} end", "collectgarbage('stop') for i = 1, 5000 do local t = {i, {}} end", "collectgarbage('setstepmul', 0) for i = 1, 5000 do local t = {i, {}} end",
        "local t = setmetatable({}, {__mode = 'kv'}) for i = 1, 5000 do t[i % 100] = {} end")),
    ("C stack", "200 C levels", M4, "stack", (
        "local function f() return (('x'):gsub('x', f)) end f()", "local function f() table.sort({1, 2, 3}, function(a, b) f() return a < b end) end f()", "local function f() assert(load(function() f() end)) end f()",
        "local function f() local ok, why = pcall(f) error(why, 0) end f()", "local function f() return coroutine.wrap(f)() end f()", "local function f() local ok, why = coroutine.resume(coroutine.create(f)) error(why, 0) end f()",
        "local t = setmetatable({}, {__tostring = function(t) return tostring(t) end}) return tostring(t)", "local t = setmetatable({}, {__index = function(t, k) return t[k] end}) return t.x",
        "local t t = setmetatable({}, {__concat = function() return t .. 'x' end}) return t .. 'x'", "local m = {} m.__eq = function(a, b) return a == b end return setmetatable({}, m) == setmetatable({}, m)",
        "local t t = setmetatable({}, {__pairs = function() for _ in pairs(t) do end end}) for _ in pairs(t) do end", "local function f() return xpcall(f, f) end error(select(2, xpcall(error, function(m) error(m) end)), 0)",
        "local t = setmetatable({}, {__tostring = function(t) return ('%s'):format(t) end}) return ('%s'):format(t)")),
    ("Lua stack", "memory, or a million slots", M1, "stack memory", (
        "local function f() return 1 + f() end return f()", "local function f(...) return f(1, ...) end return f()", "local function f(...) local a = f(...) return a end return f(1, 2, 3)",
        "local t t = setmetatable({}, {__call = function() t() return 1 end}) t()", "local function f(a, b, c, d, e, g, h, i) f(a, b, c, d, e, g, h, i) return 1 end f()")),
    ("many values", "a million slots", M1, "error memory", (
        "return table.unpack({}, 1, 1e7)", "return table.unpack({}, math.mininteger, math.maxinteger)", "return ('x'):rep(500000):byte(1, -1)", "return string.char(table.unpack({}, 1, 1e6))",
        "return select('#', table.unpack({}, 1, 999999))", "return math.max(table.unpack({}, 1, 1e6))", "return coroutine.wrap(function(...) return coroutine.yield(...) end)(table.unpack({}, 1, 1e6))",
        "return string.pack(('b'):rep(1e5), table.unpack({}, 1, 1e5))", "return utf8.char(table.unpack({}, 1, 1e6))", "return utf8.codepoint(('x'):rep(1e6), 1, -1)")),
)
