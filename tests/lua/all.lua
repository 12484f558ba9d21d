-- SPDX-License-Identifier: GPL-2.0-only
-- Uses every library a little: the script of the failing-allocation sweep. No pcall around what allocates, so
-- that a failure shows.

local out = {}
local function put(...)
  out[#out + 1] = table.concat({...}, " ")
end

-- base
put(type(nil), tostring(12), tostring(1.5), tonumber("0x10"), tonumber("z", 36), select("#", 1, nil, 3))
for k, v in pairs({a = 1}) do put(k, v) end
for i, v in ipairs({10, 20}) do put(i, v) end
put(tostring(rawequal(out, out)), rawlen({1, 2}), rawget({5}, 1), #rawset({}, 1, 2))
local env = {print = print}
put(assert(load("x = 1; return 1 + 2", "=chunk", "t", env))(), env.x)
local pieces = {"return ", "'from", " a reader'"}
put(assert(load(function() return table.remove(pieces, 1) end))())
put(tostring(setmetatable({}, {__tostring = function() return "mine" end})))
put(next({}) == nil and "empty" or "full", collectgarbage("count") > 0 and "some" or "none")
collectgarbage()
collectgarbage("step", 10)

-- functions, closures, varargs, goto
local function counter(start)
  return function(step) start = start + step; return start end
end
local c = counter(10)
c(1); c(2)
put(c(3))
local function va(...) local a, b = ...; return select("#", ...), a, b, ... end
put(va(1, 2, 3))
do
  local i = 1
  ::again::
  if i < 4 then i = i + 1; goto again end
  put(i)
end
local deep = {}
for i = 1, 60 do deep = {deep, tostring(i)} end

-- string
put(("x"):rep(300, ","):len(), ("abc"):upper():lower():reverse(), ("abc"):byte(1, -1))
put(string.char(65, 66, 67), ("hello world"):find("o w"), ("hello"):match("(h)(.)"), ("key = value"):match("^(%w+)%s*=%s*(%w+)$"))
put((("hello world"):gsub("o", "0")), (("hello"):gsub(".", {h = "H"})), (("hello"):gsub("l+", function(s) return #s end)))
for w in ("one two three"):gmatch("%a+") do put(w) end
put(string.format("%5d|%-8s|%08.3f|%x|%q|%g|%a|%c|%i|%s", 42, "left", 3.14159, 255, 'a "quoted"\n\0 text', 1e15, 1.0, 66, 7, {} and "table"))
put(#string.pack("<i4z s2 d", 1, "abc", "de", 2.5), string.unpack("<i4", "\1\2\3\4"), string.packsize("i4i8"))
put(("long "):rep(400):sub(-20, -1))

-- table
local t = {5, 2, 8, 1, 9, 3}
table.sort(t)
put(table.concat(t, ","))
table.sort(t, function(a, b) return a > b end)
table.insert(t, 4)
table.insert(t, 1, 7)
put(table.concat(t, ","), table.remove(t), table.remove(t, 1), table.unpack({1, 2, 3}))
put(#table.pack(1, 2, 3), table.concat(table.move({1, 2, 3}, 1, 3, 2), ","))
local big = {}
for i = 1, 200 do big[i] = i end
for i = 1, 200 do big["k" .. i] = i end
for i = 1, 200 do big[i] = nil end

-- math, utf8, os
put(math.floor(3.7), math.ceil(3.2), math.max(1, 5, 3), math.min(2, 0), math.tointeger(3.0), math.type(1), math.abs(-4))
put(math.fmod(7, 3), math.sqrt(16), math.ult(1, -1) and "less" or "more", math.pi > 3 and "pi", math.random(10) <= 10 and "random")
put(utf8.char(228, 8364, 128512), utf8.len("äö"), utf8.codepoint("€"), utf8.offset("aäb", 3))
for p, code in utf8.codes("aä") do put(p, code) end
put(os.date("!%Y-%m-%d %H:%M:%S", 86400), os.time({year = 2000, month = 1, day = 1, hour = 0}), os.date("*t", 0).year)
put(os.difftime(10, 4), os.clock() >= 0 and "clock")

-- coroutine
local co = coroutine.create(function(a)
  local b = coroutine.yield(a + 1)
  local ok, message = pcall(error, {code = b})
  coroutine.yield(message.code)
  return "done"
end)
put(tostring(select(2, coroutine.resume(co, 1))), tostring(select(2, coroutine.resume(co, 42))), coroutine.status(co))
put(select(2, coroutine.resume(co)), coroutine.status(co), tostring(coroutine.isyieldable()))
local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
put(gen(), gen(), gen())

-- metatables, inheritance, finalizers, weak tables
local Class = {}
Class.__index = Class
Class.__add = function(a, b) return setmetatable({v = a.v + b.v}, Class) end
Class.__eq = function(a, b) return a.v == b.v end
Class.__lt = function(a, b) return a.v < b.v end
Class.__le = function(a, b) return a.v <= b.v end
Class.__len = function(a) return a.v end
Class.__call = function(a, x) return a.v * x end
Class.__concat = function(a, b) return "concat" end
Class.__close = nil
function Class.new(v) return setmetatable({v = v}, Class) end
local a, b = Class.new(3), Class.new(4)
put((a + b).v, tostring(a == b), tostring(a < b), tostring(a <= b), #a, a(5), a .. b)
local finalized = 0
for i = 1, 5 do setmetatable({}, {__gc = function() finalized = finalized + 1 end}) end
collectgarbage()
collectgarbage()
put(finalized)
local weak = setmetatable({}, {__mode = "k"})
weak[{}] = 1
collectgarbage()
put(next(weak) == nil and "gone" or "kept")

-- debug
put(debug.getinfo(1, "l").currentline > 0 and "line", #debug.traceback("trace") > 10 and "trace")
put(debug.getinfo(put, "S").what, (debug.getlocal(1, 1)), (debug.getupvalue(put, 1)))
local lines = 0
debug.sethook(function() lines = lines + 1 end, "l")
local x = 1
x = x + 1
debug.sethook()
put(lines > 0 and "hooked")

-- errors
put(tostring(select(2, pcall(error, "plain"))), tostring(select(2, pcall(function() local n; return n.field end))))
put((select(2, xpcall(function() error("inner", 0) end, function(m) return "handled " .. m end))))

for i = 1, #out do print(out[i]) end
