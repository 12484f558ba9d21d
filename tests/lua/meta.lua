-- SPDX-License-Identifier: GPL-2.0-only
-- Metamethods of every kind, inheritance chains, and errors inside them.

local V = {}
V.__index = V
local function vec(x, y) return setmetatable({x = x, y = y}, V) end
local function num(a) return type(a) == "number" and vec(a, a) or a end
for name, f in pairs({
  add = function(a, b) return a + b end, sub = function(a, b) return a - b end, mul = function(a, b) return a * b end,
  div = function(a, b) return a / b end, mod = function(a, b) return a % b end, pow = function(a, b) return a ^ b end,
  idiv = function(a, b) return a // b end, band = function(a, b) return a & b end, bor = function(a, b) return a | b end,
  bxor = function(a, b) return a ~ b end, shl = function(a, b) return a << b end, shr = function(a, b) return a >> b end,
}) do
  V["__" .. name] = function(a, b) a, b = num(a), num(b); return vec(f(a.x, b.x), f(a.y, b.y)) end
end
V.__unm = function(a) return vec(-a.x, -a.y) end
V.__bnot = function(a) return vec(~a.x, ~a.y) end
V.__eq = function(a, b) return a.x == b.x and a.y == b.y end
V.__lt = function(a, b) return a.x < b.x end
V.__le = function(a, b) return a.x <= b.x end
V.__len = function(a) return 2 end
V.__concat = function(a, b) return tostring(a) .. "&" .. tostring(b) end
V.__tostring = function(a) return ("(%s,%s)"):format(a.x, a.y) end
V.__call = function(self, ...) return select("#", ...), self.x end
V.__name = "vector"
local a, b = vec(7, 9), vec(2, 4)
print(tostring(a + b), tostring(a - b), tostring(a * 2), tostring(2 * a), tostring(a / b), tostring(a % b), tostring(b ^ 2))
print(tostring(a // b), tostring(a & b), tostring(a | 1), tostring(1 ~ a), tostring(a << 2), tostring(a >> 1), tostring(-a), tostring(~a))
print(a == b, a == vec(7, 9), a < b, a <= b, a > b, a >= b, a ~= b, #a, a .. b, a .. "s", 1 .. a, a(1, 2, 3))
print(a .. b .. "x" .. 1 .. b)

-- __index and __newindex: functions, tables, chains
local base = {color = "red"}
local mid = setmetatable({size = 3}, {__index = base})
local top = setmetatable({}, {__index = mid, __newindex = mid})
top.extra = "kept in mid"
print(top.color, top.size, rawget(top, "extra"), mid.extra)
local computed = setmetatable({}, {__index = function(t, k) return k .. "!" end})
print(computed.anything, computed[1], rawget(computed, "anything"))
local chain = {}
for i = 1, 50 do chain = setmetatable({}, {__index = chain}) end
print(chain.missing)
local loop = setmetatable({}, {})
getmetatable(loop).__index = loop
print(pcall(function() return loop.x end))
local callable = print
for i = 1, 15 do callable = setmetatable({}, {__call = callable}) end
print(select("#", pcall(callable, "through 15 calls")))

-- __pairs, __metatable, __gc order, __mode
print((function() local s = "" for k, v in pairs(setmetatable({}, {__pairs = function(t) return function(_, k) if not k then return 1, "one" end end, t end})) do s = s .. k .. v end return s end)())
local locked = setmetatable({}, {__metatable = "locked"})
print(getmetatable(locked), pcall(setmetatable, locked, {}), getmetatable("x").__index == string)
local order = {}
local together = {}
for i = 1, 5 do together[i] = setmetatable({}, {__gc = function() order[#order + 1] = i end}) end
together = nil
collectgarbage()
print(table.concat(order, " "))
local resurrected
do
  local o = setmetatable({name = "lazarus"}, {__gc = function(o) resurrected = o end})
  o = nil
end
collectgarbage()
print(resurrected and resurrected.name)
local weak, strong = setmetatable({}, {__mode = "v"}), {}
for i = 1, 10 do local o = {i}; weak[i] = o; if i % 2 == 0 then strong[i] = o end end
collectgarbage()
local alive = 0
for _ in pairs(weak) do alive = alive + 1 end
print(alive)
local eph = setmetatable({}, {__mode = "k"})
do
  local k1, k2 = {}, {}
  eph[k1] = k2; eph[k2] = k1
end
collectgarbage()
print(next(eph))

-- errors in metamethods leave everything usable
local bad = setmetatable({}, {__add = function() error("no sum", 0) end, __index = function(_, k) error({key = k}) end, __eq = function() error("eq") end, __concat = 5})
print(pcall(function() return bad + 1 end))
print(select(2, pcall(function() return bad.field end)).key)
print(pcall(function() return bad .. "x" end))
print(pcall(function() return {} < {} end), pcall(function() return {} < 1 end), pcall(function() return #5 end), pcall(function() return -{} end))
print(pcall(function() local t = {}; t.x.y = 1 end), pcall(function() undefinedglobal() end), pcall(function() return ("x").y.z end))
print(pcall(function() local t = {f = {}}; t.f.g() end), pcall(function() return 1 & 1.5 end), pcall(function() return "a" | 1 end))
print(pcall(setmetatable({}, {__call = function(_, x) return x end}), 42))

-- inheritance with methods and tostring through many levels
local Animal = {} Animal.__index = Animal
function Animal.new(name) return setmetatable({name = name}, Animal) end
function Animal:speak() return self.name .. " makes " .. self:sound() end
function Animal:sound() return "a sound" end
local Dog = setmetatable({}, {__index = Animal}) Dog.__index = Dog
function Dog.new(name) local d = Animal.new(name); return setmetatable(d, Dog) end
function Dog:sound() return "woof" end
for i = 1, 50 do assert(Dog.new("d" .. i):speak() == "d" .. i .. " makes woof") end
print(Dog.new("rex"):speak(), Animal.new("it"):speak())
