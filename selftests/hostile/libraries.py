# SPDX-License-Identifier: GPL-2.0-only
"""Against what the libraries hold: numbers, text, time, the debug library, the log, timers, the environment itself."""
K64, M1 = 64 << 10, 1 << 20
LOOP = "while true do end"

FAMILIES = (
    ("number text", "buffers of formats", K64, "done", (
        "return #('%99.99f'):format(-1e308)", "return #('%99.99a'):format(1e-320)", "return ('%.99g'):format(5e-324)", "return tonumber(('9'):rep(5000))", "return tonumber('0x' .. ('f'):rep(5000) .. '.8p1')", "return tonumber(('z'):rep(5000), 36)",
        "for i = 1, 300 do local s = tostring(2.0 ^ i) .. tostring(2.0 ^ -i) end", "return ('%99d'):format(math.mininteger)", "return ('%q'):format(('\\0\\r\\n\\\\'):rep(1000))", "return #('%5.99s'):format(('x'):rep(50))")),
    ("arithmetic", "what the processor traps", K64, "done", (
        "return math.mininteger // -1", "return math.mininteger % -1", "return 1 << 64, 1 >> 64, 1 << math.mininteger", "return 0/0 == 0/0, 1//0.0, 1%0.0", "return math.tointeger(2^63), math.ult(-1, 1)",
        "return math.fmod(math.mininteger, -1), math.abs(math.mininteger)", "return math.floor(-1e308), math.ceil(1e308)", "return string.unpack('<i16', string.pack('<i16', -1))", "return 1e308 * 10, -1e308 * 10, 5e-324 / 2")),
    ("wrong numbers", "argument checks", K64, "error", (
        "return 1 // 0", "return 1 % 0", "return 1 << 1.5", "return math.random(0, -1)", "return math.random(math.mininteger, math.maxinteger, 1)", "return ('%1000d'):format(1)", "return ('%'):format(1)", "return ('%d'):format(1e300)",
        "return math.fmod(1, 0)", "return string.pack('i17', 1)", "return string.pack('i1', 300)", "return string.unpack('s8', ('\\255'):rep(8))", "return ('x'):rep(1e10, 'y')")),
    ("utf8", "argument checks", K64, "error", (
        "return utf8.char(-1)", "return utf8.char(1 << 31)", "return utf8.codepoint('\\255')", "for _ in utf8.codes('\\xf4\\x90\\x80\\x80') do end", "return utf8.offset('x', 1, 1 << 62)", "return utf8.len('x', 5)", "return utf8.codepoint('x', 1, math.maxinteger)")),
    ("dates", "buffers of formats", K64, "done error memory", (
        "return #os.date(('%c'):rep(1000))", "return os.date('%Ez')", "return os.date('*t', math.maxinteger)", "return os.date('%c', math.mininteger)", "return os.time{year = 1 << 40, month = 1, day = 1}", "return os.time{year = 2000, month = 1 << 31, day = -(1 << 31)}",
        "return os.date('%')", "return os.date(('x'):rep(20000))")),
    ("debug hooks", "time slices", K64, "ended", (
        "debug.sethook(function() end, 'crl', 1) " + LOOP, "debug.sethook(function() %s end, 'l')\nlocal x = 1" % LOOP, "debug.sethook(function() debug.sethook() end, '', 1) " + LOOP,
        "coroutine.wrap(function() debug.sethook(function() coroutine.wrap(function() %s end)() end, 'c') print() end)()" % LOOP, "debug.sethook(function() debug.traceback() end, 'l') " + LOOP)),
    ("debug", "isolation", K64, "done error", (
        "local n = 0 for i = 0, 100 do for j = -50, 50 do pcall(debug.getlocal, i, j) pcall(debug.setlocal, i, j, {}) end end", "for i = 1, 300 do pcall(debug.setupvalue, print, i, {}) pcall(debug.getupvalue, string.gsub, i) end",
        "for _, f in pairs(debug) do pcall(f) pcall(f, 1) pcall(f, print, 1) pcall(f, 1, 1, 1) end", "for i = -10, 100 do pcall(debug.getinfo, i, 'nSltufrL') end return debug.getinfo(1, '>')", "debug.upvaluejoin(print, 1, print, 1)",
        "local function f() end debug.upvaluejoin(f, 1, f, 2)", "return #debug.traceback(('x'):rep(10000), 1 << 30)", "return debug.upvalueid(print, 1)", "for i = 1, 1000 do debug.traceback() end")),
    ("the log", "its queue", K64, "ended", (
        "while true do print('x') end", "while true do print(('x'):rep(5000)) end", "local s = ('x\\n'):rep(2000) while true do print(s) end", "while true do print(('\\0'):rep(500)) end", "while true do print(table.unpack({}, 1, 200)) end")),
    ("long messages", "the log", K64, "error memory", (
        "error(('x'):rep(10000))", "error(('x\\n'):rep(3000))", "error(('\\0'):rep(1000), 0)", "error(setmetatable({}, {__tostring = function() return ('y'):rep(20000) end}))", "error()", "error(nil)", "error({}, 1 << 40)", "local function f(n) if n == 0 then error('deep') end f(n - 1) end f(100)")),
    ("timer storms", "the executor", K64, "done", (
        "timer.loop(1e-9, 1e-9, function() end)", "for i = 1, 20 do timer.loop(1e-6, 1e-6, function() end) end", "timer.loop(1e-6, 1e-6, function() error('x') end)", "timer.loop(1e-6, 1e-6, function() print('x') end)",
        "local function f() timer.create(0, f) end f()", "for i = 1, 50 do timer.create(0, function() for j = 1, 1e4 do end end) end", "local id id = timer.loop(1e-6, 1e-6, function() timer.close(id) id = timer.loop(1e-6, 1e-6, function() end) end)",
        "timer.sleep(0) while true do timer.sleep(0) end", "timer.loop(1e-6, 1e-6, function() coroutine.wrap(timer.sleep)(1e-6) end)", "timer.create(0, function() %s end)" % LOOP, "timer.sleep(0) while true do pcall(timer.sleep, 0) end")),
    ("timer bombs", "maxalloc", K64, "done memory", (
        "local function f() timer.create(0, f) timer.create(0, f) end f()", "local function f() timer.timeout(0.001, f) timer.timeout(0.001, f) timer.sleep(0.01) end f()", "for i = 1, 50 do timer.timeout(0, function() timer.sleep(0.2) end) end",
        "timer.loop(1e-4, 1e-4, function() local t = {} for i = 1, 1e6 do t[i] = i end end)")),
    ("the environment", "isolation", K64, "done error", (
        "for k in pairs(_G) do _G[k] = nil end", "getmetatable('').__index = nil", "setmetatable(_G, {__index = error, __newindex = error})", "_ENV = nil", "string.format, tostring, error, type = nil", "for k, v in pairs(_G) do if type(v) == 'table' then for n in pairs(v) do v[n] = error end end end",
        "getmetatable('').__gc = error getmetatable('').__tostring = error", "coroutine.resume, coroutine.wrap, pcall = nil", "lunatik.atomic = nil timer.sleep = nil", "return load(('x'):rep(100), ('n'):rep(5000))", "load('error(1)', '=' .. ('n'):rep(5000))()",
        "load('\\27Lua')()", "return require, io, package, dofile, loadfile, string.dump, debug.getregistry")),
)
