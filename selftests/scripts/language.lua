-- SPDX-License-Identifier: GPL-2.0-only
-- A walk through the language and its libraries as the Lua 5.3 manual has them. Runs inside a state of 256 KiB; returns
-- a line `ok WHAT` or `not ok WHAT # GOT` for each statement.

local lines = {}

local function is(what, got, wanted)
  local same = got == wanted and math.type(got) == math.type(wanted)
  if got ~= got and wanted ~= wanted then same = true end
  lines[#lines + 1] = same and "ok " .. what
    or "not ok " .. what .. " # got " .. tostring(got) .. ", wanted " .. tostring(wanted)
end

local function text(...)
  local t = table.pack(...)
  for i = 1, t.n do t[i] = tostring(t[i]) end
  return table.concat(t, " ")
end

-- numbers
is("_VERSION", _VERSION, "Lua 5.3")
is("integers are 64 bits wide", math.maxinteger, 9223372036854775807)
is("and wrap around", math.maxinteger + 1, math.mininteger)
is("0.1 + 0.2", string.format("%.17g", 0.1 + 0.2), "0.30000000000000004")
is("and its equal", 0.1 + 0.2, 0.30000000000000004)
is("1/3", string.format("%.17g", 1 / 3), "0.33333333333333331")
is("1e308 * 10", 1e308 * 10, math.huge)
is("-1e308 * 10", -1e308 * 10, -math.huge)
is("the smallest number", 5e-324 / 2, 0.0)
is("5e-324", string.format("%.17g", 5e-324), "4.9406564584124654e-324")
is("nan", 0 / 0 == 0 / 0, false)
is("inf - inf", math.huge - math.huge, 0 / 0)
is("negative zero", 1 / -0.0, -math.huge)
is("2^53", 2 ^ 53, 9007199254740992.0)
is("2^53 + 1 rounds to even", 2 ^ 53 + 1.0, 9007199254740992.0)
is("2^0.5", string.format("%.15g", 2 ^ 0.5), "1.4142135623731")
is("7 // 2", 7 // 2, 3)
is("-7 // 2", -7 // 2, -4)
is("7.5 // 2", 7.5 // 2, 3.0)
is("-7 // 2.0", -7 // 2.0, -4.0)
is("7 % -3", 7 % -3, -2)
is("-7 % 3", -7 % 3, 2)
is("5.5 % -2", 5.5 % -2, -0.5)
is("-6 % math.huge", -6 % math.huge, math.huge)
is("1 // 0.0", 1 // 0.0, math.huge)
is("1 // 0", text(pcall(function() return 1 // 0 end)):match("attempt.*"), "attempt to divide by zero")
is("1 % 0", text(pcall(function() return 1 % 0 end)):match("attempt.*"), "attempt to perform 'n%0'")
is("7 / 2", 7 / 2, 3.5)
is("6 / 2 is a float", 6 / 2, 3.0)
is("1 == 1.0", 1 == 1.0, true)
is("2^53 == 2^53 + 1 as integer and float", 9007199254740993 == 2 ^ 53, false)
is("math.maxinteger < 2^63", math.maxinteger < 2 ^ 63, true)
is("math.mininteger <= -2^63", math.mininteger <= -2 ^ 63, true)
is("1 < nan", 1 < 0 / 0, false)
is("bits", text(0xF0 & 0x3C, 0xF0 | 0x0F, 0xF0 ~ 0xFF, ~0, 1 << 63, -1 >> 60, 1 << 64), text(0x30, 0xFF, 0x0F, -1, math.mininteger, 15, 0))
is("bits of floats with integer values", 3.0 | 4, 7)
is("bits of others", text(pcall(function() return 1.5 | 1 end)):match("number has.*"), "number has no integer representation")
is("hexadecimal", text(0xff, 0xA.8p0, 0x1p-2), "255 10.5 0.25")
is("tostring", text(1, 1.0, -0.0, 1e15, 1e100, 123456.789, 2 ^ 63, 1e14, 0.1), "1 1.0 -0.0 1e+15 1e+100 123456.789 9.2233720368548e+18 1e+14 0.1")
is("tonumber", text(tonumber("10"), tonumber(" 0x10 "), tonumber("1e1"), tonumber(".5"), tonumber("5."), tonumber("1e"), tonumber("z", 36), tonumber("8", 8)), "10 16 10.0 0.5 5.0 nil 35 nil")
is("tonumber of the longest", tonumber("9223372036854775808"), 9223372036854775808.0)
is("arithmetic on strings", text("10" + 5, "3" * "4", "0x10" + 0, "1.5" + 1, 10 .. 20), "15.0 12.0 16.0 2.5 1020")
is("an integer loop", (function() local s = "" for i = 3, 1, -1 do s = s .. i end return s end)(), "321")
is("a float loop", (function() local n = 0 for x = 0, 1, 0.125 do n = n + x end return n end)(), 4.5)
is("a loop to infinity and a break", (function() for i = 1, math.huge do if i == 10 then return i end end end)(), 10)

-- math
is("math.floor, ceil", text(math.floor(3.7), math.floor(-3.2), math.ceil(3.2), math.floor(1e300)), "3 -4 4 1e+300")
is("math.tointeger", text(math.tointeger(3.0), math.tointeger(3.5), math.tointeger(2 ^ 63)), "3 nil nil")
is("math.type", text(math.type(1), math.type(1.0), math.type("1")), "integer float nil")
is("math.abs, max, min", text(math.abs(-5), math.abs(-0.5), math.max(1, 2.5, 2), math.min(3, 1)), "5 0.5 2.5 1")
is("math.fmod", text(math.fmod(7, -3), math.fmod(-7, 3), math.fmod(5.5, 2)), "1 -1 1.5")
is("math.modf", text(math.modf(3.25)), "3 0.25")
is("math.ult", text(math.ult(1, -1), math.ult(-1, 1)), "true false")
is("math.sqrt", math.sqrt(2) and string.format("%.17g", math.sqrt(2)), "1.4142135623730951")
is("math.pi", string.format("%.15f", math.pi), "3.141592653589793")
is("math.random", (function() for _ = 1, 100 do local n = math.random(10) if n < 1 or n > 10 or math.type(n) ~= "integer" then return n end local x = math.random() if x < 0 or x >= 1 then return x end end return "in range" end)(), "in range")
is("math.randomseed repeats", (function() math.randomseed(7) local a = math.random(1 << 40) math.randomseed(7) return a == math.random(1 << 40) end)(), true)

-- strings
is("string.format of integers", ("%d %5d|%-5d|%05d %x %X %o %c %i"):format(1, 2, 3, 4, 255, 255, 8, 65, -1), "1     2|3    |00004 ff FF 10 A -1")
is("string.format of floats", ("%.3f %g %e %10.2f %.0f %G"):format(3.14159, 1e20, 12345.678, -1.005, 0.5, 1e-10), "3.142 1e+20 1.234568e+04      -1.00 0 1E-10")
is("string.format %a", ("%a"):format(1.5), "0x1.8p+0")
is("string.format of strings", ("%s %10s|%-5s|%.2s %q"):format("a", "b", "c", "def", 'q"\n\0'), 'a          b|c    |de "q\\"\\\n\\0"')
is("string.format %q of numbers", ("%q %q"):format(1, math.mininteger), "1 0x8000000000000000")
is("string.rep, reverse, upper, lower, len", text(("ab"):rep(3, "-"), ("abc"):reverse(), ("aB"):upper(), ("aB"):lower(), #"\0\0"), "ab-ab-ab cba AB ab 2")
is("string.sub, byte, char", text(("hello"):sub(2, -2), ("A"):byte(), string.char(72, 105)), "ell 65 Hi")
is("string.find", text(("hello"):find("l"), ("hello"):find("xyz"), ("a.b"):find(".", 2, true)), "3 nil 2 2")
is("string.match", text(("key = value"):match("^(%w+)%s*=%s*(%w+)$")), "key value")
is("string.gmatch", (function() local t = {} for k, v in ("a=1, b=2"):gmatch("(%w)=(%w)") do t[#t + 1] = k .. v end return table.concat(t) end)(), "a1b2")
is("string.gsub", text(("hello world"):gsub("o", "0"), (("abc"):gsub("%w", "%0%0")), (("$x $y"):gsub("%$(%w)", {x = 1}))), "hell0 w0rld aabbcc 1 $y")
is("patterns", text(("[[x]]"):match("%[%[(.-)%]%]"), ("f(a(b)c)"):match("%b()"), ("THE (quick) fox"):find("%f[%a]%a+%f[%A]")), "x (a(b)c) 1 3")
is("string.pack", string.unpack("<i4", string.pack("<i4", -2)), -2)
is("string.pack of all kinds", text(string.unpack(">I2 d s1 z", string.pack(">I2 d s1 z", 513, 0.1, "abc", "zero"))), "513 0.1 abc zero 20")
is("string.packsize", string.packsize("<i4 i8 !8 d"), 24)
is("comparison of strings", text("a" < "b", "a" < "B", "" < "a", "a\0b" < "a\0c", "Z" < "a"), "true false true true true")
is("long strings and escapes", [[
x]] .. "\x41\65\u{20AC}\z
      end", "xAA€end")

-- utf8
is("utf8.char, len, codepoint", text(utf8.char(72, 228, 8364, 128512), utf8.len("aé€"), utf8.codepoint("€")), "Hä€😀 3 8364")
is("utf8.codes", (function() local t = {} for p, c in utf8.codes("aé") do t[#t + 1] = p .. ":" .. c end return table.concat(t, " ") end)(), "1:97 2:233")
is("utf8.len of what is not", text(utf8.len("a\xff")), "nil 2")
is("utf8.offset", utf8.offset("aé€", 3), 4)

-- tables
is("table.sort", (function() local t = {3, 1, 2} table.sort(t) return table.concat(t, ",") end)(), "1,2,3")
is("table.sort with a comparator, 500 values", (function()
  local t = {} for i = 1, 500 do t[i] = (i * 7919) % 501 end
  table.sort(t, function(a, b) return a > b end)
  for i = 2, 500 do if t[i - 1] < t[i] then return i end end
  return "sorted"
end)(), "sorted")
is("table.insert, remove", (function() local t = {1, 3} table.insert(t, 2, 2) table.insert(t, 4) return table.remove(t, 1) .. table.concat(t) end)(), "1234")
is("table.concat, unpack, pack", text(table.concat({1, 2, 3}, "-", 2, 3), table.unpack({1, 2, 3}, 2)) .. table.pack(1, nil).n, "2-3 2 32")
is("table.move", table.concat(table.move({1, 2, 3}, 2, 3, 1), ","), "2,3,3")
is("ipairs, pairs, next", (function() local n = 0 for _, v in ipairs({1, 2, nil, 4}) do n = n + v end for _ in pairs({a = 1, b = 2}) do n = n + 1 end return text(n, next({})) end)(), "5 nil")
is("# of a table", #{1, 2, 3, n = 4}, 3)
is("float keys are integers", ({[1] = "a"})[1.0], "a")
is("weak tables", (function() local t = setmetatable({}, {__mode = "k"}) t[{}] = 1 collectgarbage() return next(t) end)(), nil)

-- functions, metatables, errors
is("varargs", (function(...) return select("#", ...) .. select(-1, ...) end)(1, nil, 3), "33")
is("closures share", (function() local n = 0 local function a() n = n + 1 end local function b() return n end a() a() return b() end)(), 2)
is("goto", (function() local i = 1 ::again:: if i < 5 then i = i + 1 goto again end return i end)(), 5)
is("tail calls do not grow the stack", (function() local function f(n) if n == 0 then return "end" end return f(n - 1) end return f(20000) end)(), "end")
is("__index, __newindex, __call, __len", (function()
  local t = setmetatable({}, {__index = function(_, k) return k .. "!" end, __newindex = function(t, k, v) rawset(t, k, v * 2) end,
    __call = function(_, x) return x + 1 end, __len = function() return 99 end})
  t.x = 4
  return text(t.y, t.x, t(1), #t)
end)(), "y! 8 2 99")
is("__eq, __lt, __le, __concat, __unm", (function()
  local m = {__eq = function() return true end, __lt = function() return true end, __le = function() return false end, __concat = function() return "cat" end, __unm = function() return "neg" end}
  local a, b = setmetatable({}, m), setmetatable({}, m)
  return text(a == b, a < b, a <= b, a .. 1, -a)
end)(), "true true false cat neg")
is("__idiv, __band, __shl, __bnot", (function()
  local a = setmetatable({}, {__idiv = function() return 1 end, __band = function() return 2 end, __shl = function() return 3 end, __bnot = function() return 4 end})
  return text(a // 1, a & 1, 1 << a, ~a)
end)(), "1 2 3 4")
is("__tostring, __name, __metatable", text(tostring(setmetatable({}, {__tostring = function() return "me" end})), tostring(setmetatable({}, {__name = "Kind"})):match("^Kind: "), getmetatable(setmetatable({}, {__metatable = "no"}))), "me Kind:  no")
is("__gc", (function() local done = false setmetatable({}, {__gc = function() done = true end}) collectgarbage() return done end)(), true)
is("__pairs", (function() for k, v in pairs(setmetatable({}, {__pairs = function() return function(_, k) if not k then return 1, 2 end end end})) do return k + v end end)(), 3)
is("pcall, error with levels", text(pcall(error, "x", 0)), "false x")
is("error with a table", select(2, pcall(error, {code = 7})).code, 7)
is("xpcall with a handler and arguments", text(xpcall(function(a, b) return a + b end, print, 1, 2)) .. text(xpcall(error, function(m) return m .. "!" end, "x")), "true 3false x!")
is("assert", text(pcall(assert, false, "why")) .. text(pcall(assert, nil)), "false whyfalse assertion failed!")
is("messages name variables", text(pcall(function() local t = {} t.field.x = 1 end)):match("attempt.*"), "attempt to index a nil value (field 'field')")
is("and globals", text(pcall(function() undefined_function() end)):match("attempt.*"), "attempt to call a nil value (global 'undefined_function')")
is("traceback", debug.traceback("m"):match("^m\nstack traceback:\n") ~= nil, true)
is("debug.getinfo", debug.getinfo(1, "l").currentline, 153)

-- coroutines
is("coroutine.wrap", (function() local g = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2 end) return text(g(1), g(10)) end)(), "2 20")
is("coroutine status", (function() local co co = coroutine.create(function() return coroutine.status(co) end) local s = coroutine.status(co) local _, r = coroutine.resume(co) return text(s, r, coroutine.status(co)) end)(), "suspended running dead")
is("resume of a dead one", text(coroutine.resume(coroutine.create(function() error("x", 0) end))), "false x")
is("yield across pcall", (function() local g = coroutine.wrap(function() return pcall(function() coroutine.yield(1) error("e", 0) end) end) return text(g(), g()) end)(), "1 false e")
is("yield across metamethods and iterators", (function()
  local t = setmetatable({}, {__add = function() return coroutine.yield("add") end})
  local g = coroutine.wrap(function() local n = t + 1 for v in function() return coroutine.yield("iter") end do n = n + v end return n end)
  return text(g(), g(5), g(2), g(nil))
end)(), "add iter iter 7")
is("isyieldable, running", text(coroutine.wrap(function() return coroutine.isyieldable(), select(2, coroutine.running()) end)()), "true false")
is("a generator of 10,000 values", (function() local n = 0 for v in coroutine.wrap(function() for i = 1, 10000 do coroutine.yield(i) end end) do n = n + v end return n end)(), 50005000)

-- load: text only; the rest of base
is("load", load("return 1 + ...")(2), 3)
is("load with an environment", load("return x", "c", "t", {x = 5})(), 5)
is("load of pieces", (function() local parts = {"return ", "4", "2"} local i = 0 return load(function() i = i + 1 return parts[i] end)() end)(), 42)
is("load names what is wrong", text(load("return =", "=chunk")), "nil chunk:1: unexpected symbol near '='")
is("load refuses binary chunks", text(load("\27LuaS")):match("^nil .*binary chunk") ~= nil, true)
is("load refuses them in mode b, too", load("\27LuaS", "c", "b"), nil)
is("string.dump", string.dump == nil or not pcall(string.dump, print), true)
is("rawget, rawset, rawequal, rawlen", text(rawget(setmetatable({}, {__index = error}), 1), rawset({}, 1, 2)[1], rawequal("a", "a"), rawlen({1})), "nil 2 true 1")
is("collectgarbage", math.type(collectgarbage("count")), "float")
is("select beyond", text(pcall(select, 0)):match("index out of range"), "index out of range")
is("_G", _G._G == _G, true)
is("what files need is not there", text(io, dofile, loadfile, os and os.execute, package and package.loadlib), "nil nil nil nil nil")
is("debug without holes", text(debug.getregistry, debug.debug, debug.setuservalue, pcall(debug.getmetatable, timer.create(0, print))), "nil nil nil false bad argument #1 to 'debug.getmetatable' (userdata)")
is("lunatik.name is the state's", lunatik.name(), STATE)

return table.concat(lines, "\n")
