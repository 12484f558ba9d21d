# SPDX-License-Identifier: GPL-2.0-only
"""Against the time slices: what never ends, wherever it loops."""
K64, M1 = 64 << 10, 1 << 20
LOOP = "while true do end"
USE = {"add": "x = t + 1", "sub": "x = t - 1", "unm": "x = -t", "index": "x = t.x", "newindex": "t.x = 1", "call": "t()", "concat": "x = t .. 'x'", "len": "x = #t",
       "lt": "x = t < u", "le": "x = t <= u", "eq": "x = t == u", "idiv": "x = t // 1"}

FAMILIES = (
    ("loops", "time slices", K64, "ended", (
        LOOP, "repeat until false", "::a:: goto a", "for i = 1, math.huge do end", "for i = math.mininteger, math.maxinteger do end", "for x = 0.0, 1, 1e-300 do end",
        "local n = 0 while n < 1e308 do n = n + 1 end", "while true do local function f() end end", "while true do for _ in pairs{} do end end", "for i = 1, 2 do i = 1 while i do end end")),
    ("calls", "time slices", K64, "ended", (
        "local function f() return f() end f()", "local f, g function f() return g() end function g() return f() end f()", "local t = {} function t:m() return self:m() end t:m()",
        "local function f(...) return f(...) end f(1, 2, 3)", "while true do pcall(type) end", "for _ in function() return 1 end do end", "while true do select('#', 1, 2) end",
        "local function f() pcall(f) return f() end f()")),
    ("metamethods", "time slices", K64, "ended", tuple(
        "local m = {__%s = function() %s end} local t, u, x = setmetatable({}, m), setmetatable({}, m) %s" % (event, LOOP, USE[event]) for event in USE)),
    ("callbacks", "time slices", K64, "ended", (
        "table.sort({3, 2, 1}, function() %s end)" % LOOP,
        "local t = {} for i = 1, 400 do t[i] = i end while true do table.sort(t, function(a, b) return (a * 7) % 13 < (b * 7) % 13 end) end",
        "return (('x'):gsub('x', function() %s end))" % LOOP, "return (('x'):gsub('x', setmetatable({}, {__index = function() %s end})))" % LOOP,
        "load(function() %s end)" % LOOP, "load(function() return ' ' end)", "while true do load(function() return 'x = 1 ' end) end", "xpcall(error, function() %s end)" % LOOP,
        "return tostring(setmetatable({}, {__tostring = function() %s end}))" % LOOP, "for _ in pairs(setmetatable({}, {__pairs = function() %s end})) do end" % LOOP,
        "return ('%%s'):format(setmetatable({}, {__tostring = function() %s end}))" % LOOP, "return table.concat(setmetatable({}, {__index = function() return 'x' end, __len = function() %s end}))" % LOOP,
        "error(setmetatable({}, {__tostring = function() %s end}))" % LOOP, "while true do (('x'):rep(200)):gsub('x', function() return 'y' end) end")),
    ("patterns", "long C loops", K64, "ended", tuple(
        "while true do (('a'):rep(%d)):find(%s) end" % (n, pattern) for n, pattern in (
            (40, "('a*'):rep(20) .. 'b'"), (60, "('a-'):rep(15) .. 'b'"), (30, "('a?'):rep(30) .. ('a'):rep(30) .. 'b'"), (2000, "'.-b'"), (2000, "'(.-)(.-)b'"), (3000, "'%f[b]'"),
            (50, "'^(a*)*b' .. ('a*'):rep(20) .. 'c'"), (20000, "('a'):rep(5000) .. 'b', 1, true"), (200, "('[a-z]*'):rep(9) .. '1'"))) + (
        "while true do ('('):rep(3000):find('%b()') end", "while true do for _ in ('x'):rep(5000):gmatch('') do end end", "while true do (('ab'):rep(3000)):gsub('b', '%0%0') end")),
    ("coroutines", "time slices", K64, "ended", (
        "coroutine.wrap(function() %s end)()" % LOOP, "for _ in coroutine.wrap(function() while true do coroutine.yield(1) end end) do end",
        "while true do coroutine.wrap(function() coroutine.yield() end)() end", "while true do coroutine.resume(coroutine.create(function() %s end)) end" % LOOP,
        "local co = coroutine.create(print) while true do coroutine.resume(co) end", "while true do coroutine.wrap(function() pcall(coroutine.yield) end)() end",
        "local a, b a = coroutine.wrap(function() while true do coroutine.yield(b()) end end) b = coroutine.wrap(function() while true do coroutine.yield() end end) while true do a() end")),
    ("errors", "ends that are swallowed", K64, "ended", (
        "while true do pcall(error) end", "while true do pcall(function() %s end) end" % LOOP, "while true do xpcall(error, function() %s end) end" % LOOP,
        "local function h(m) xpcall(error, h, m) error(m) end while true do xpcall(error, h, 'x') end", "while true do pcall(pcall, pcall, function() %s end) end" % LOOP,
        "local function f() local ok, e = pcall(function() %s end) return f() end f()" % LOOP, "while true do pcall(load, ('('):rep(500)) end",
        "setmetatable(_G, {__index = function() while true do pcall(error) end end}) return x")),
    ("builtins", "long C loops", M1, "ended", (
        "while true do pcall(string.rep, 'x', 1e9) end", "local t = {} for i = 1, 3000 do t[i] = 'x' end while true do table.concat(t) end", "while true do collectgarbage() end",
        "while true do collectgarbage('step', 0) end", "local t = {} for i = 1, 9000 do t[i] = i end while true do table.move(t, 1, 9000, 2) end", "while true do string.pack('z', ('x'):rep(5000)) end",
        "table.move(setmetatable({}, {__index = function() return 1 end, __newindex = function() end}), 1, math.maxinteger - 1, 2, setmetatable({}, {__newindex = function() end}))",
        "table.concat(setmetatable({}, {__index = function() return '' end}), '', 1, math.maxinteger)", "local t = {} for i = 1, 9000 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end",
        "table.insert(setmetatable({}, {__len = function() return 1 << 60 end, __index = function() return 1 end, __newindex = function() end}), 1, 1)",
        "local t = {} for i = 1, 5000 do t[i] = i end while true do select(-1, table.unpack(t)) end", "while true do (('x'):rep(50000)):upper():reverse():lower() end",
        "table.sort(setmetatable({}, {__len = function() return 1 << 30 end, __index = function(_, i) return i end, __newindex = function() end}))")),
    ("finalizers", "the budget of __gc", K64, "done budget ended", (
        "setmetatable({}, {__gc = function() %s end}) collectgarbage()" % LOOP, "setmetatable({}, {__gc = function() while true do pcall(error) end end}) collectgarbage()",
        "for i = 1, 20 do setmetatable({}, {__gc = function() for j = 1, 2000 do end end}) end collectgarbage()", "local function f() setmetatable({}, {__gc = f}) end f() for i = 1, 200 do pcall(collectgarbage) end",
        "setmetatable({}, {__gc = function() coroutine.wrap(function() %s end)() end}) collectgarbage()" % LOOP, "setmetatable({}, {__gc = function() (('a'):rep(40)):find(('a*'):rep(20) .. 'b') end}) collectgarbage()",
        "setmetatable({}, {__gc = function() error('x') end}) pcall(collectgarbage)", "kept = setmetatable({}, {__gc = function() %s end})" % LOOP)),
    ("atomic", "the budget of lunatik.atomic", K64, "budget done", (
        "lunatik.atomic(function() %s end)" % LOOP, "lunatik.atomic(lunatik.atomic, function() %s end)" % LOOP, "lunatik.atomic(function() while true do pcall(error) end end)",
        "lunatik.atomic(function() while true do pcall(function() %s end) end end)" % LOOP, "lunatik.atomic(coroutine.wrap(function() %s end))" % LOOP,
        "lunatik.atomic(string.find, ('a'):rep(40), ('a*'):rep(20) .. 'b')", "lunatik.atomic(load, function() return ' ' end)", "lunatik.atomic(table.sort, {3, 2, 1}, function() %s end)" % LOOP)),
    ("atomic again and again", "the budget of lunatik.atomic", K64, "ended", (
        "while true do pcall(lunatik.atomic, function() %s end) end" % LOOP, "while true do lunatik.atomic(type, 1) end")),
)
