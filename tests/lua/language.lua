-- SPDX-License-Identifier: GPL-2.0-only
-- The language itself: expressions, control structures, scoping, varargs, integer and float arithmetic.

-- arithmetic
assert(7 // 2 == 3 and -7 // 2 == -4 and 7 // -2 == -4 and 7.0 // 2 == 3.0)
assert(7 % 3 == 1 and -7 % 3 == 2 and 7 % -3 == -2 and -7 % -3 == -1)
assert(5.5 % 2 == 1.5 and -5.5 % 2 == 0.5 and 5.5 % -2 == -0.5)
assert(2 ^ 10 == 1024.0 and 10 / 2 == 5.0 and math.type(10 / 2) == "float")
assert(math.maxinteger + 1 == math.mininteger and math.mininteger - 1 == math.maxinteger)
assert(1 < 1.5 and 1 <= 1.0 and 2^53 == 2^53 + 1)
assert((1 << 62) == 4611686018427387904 and 1 << 64 == 0 and 1 << -1 == 0 and -1 >> 60 == 15)
assert(0xff & 0x0f == 15 and 0xf0 | 0x0f == 255 and 0xff ~ 0x0f == 0xf0 and ~0 == -1)
assert("10" + 5 == 15 and "0x10" * 2 == 32 and "3.0" + 1 == 4.0 and 10 .. 20 == "1020")
assert(not pcall(function() return 1 // 0 end) and not pcall(function() return 1 % 0 end))
assert(1 / 0 == math.huge and -1 / 0 == -math.huge and 0 / 0 ~= 0 / 0)
assert(3 | 0 == 3 and 3.0 | 0 == 3 and not pcall(function() return 3.5 | 0 end))
assert(math.maxinteger // -1 == -math.maxinteger and math.mininteger // -1 == math.mininteger)
assert(1e308 * 10 == math.huge and 5e-324 > 0 and 5e-324 / 2 == 0)
assert(tostring(1e15) == "1e+15" and tostring(123456.0) == "123456.0" and tostring(-0.0) == "-0.0")
assert(tostring(2^63) == "9.2233720368548e+18" and math.tointeger(2^53) == 9007199254740992)

-- comparisons of integers and floats at the edge
assert(math.maxinteger < 2^63 and not (math.maxinteger >= 2^63) and math.mininteger == -2^63)
assert(not (math.maxinteger + 0.0 < math.maxinteger) and math.mininteger <= -2^63)

-- numeric for
local function collect(a, b, c)
  local t = {}
  for i = a, b, c or 1 do t[#t + 1] = i end
  return table.concat(t, " ")
end
print(collect(1, 5), collect(5, 1, -2), collect(1, 0), collect(1, 2, 0.25), collect(3, 3))
print(collect(1, 3.9), collect(-1, -3.9, -1))
assert(not pcall(collect, 1, {}) and not pcall(collect, "x", 1))

-- while, repeat, goto, break, nested closures over loop variables
local fs = {}
for i = 1, 5 do
  local j = i * 10
  fs[i] = function() j = j + i; return j end
end
print(fs[1](), fs[1](), fs[5](), fs[5]())
local n = 0
while true do
  n = n + 1
  if n % 2 == 0 then goto continue end
  if n > 20 then break end
  ::continue::
end
local m = 0
repeat local done = m >= 10; m = m + 1 until done
print(n, m)
do
  local k = 0
  ::top::
  local captured = k
  fs[k] = function() return captured end
  k = k + 1
  if k < 4 then goto top end
  print(fs[0](), fs[1](), fs[2](), fs[3]())
end

-- varargs and multiple results
local function va(...)
  local a, b = ...
  return select("#", ...), a, b, (...), ...
end
print(va())
print(va(nil, nil))
print((va(1, 2, 3)))
print(table.unpack({va(1, 2, 3)}))
local function tail(k, ...)
  if k == 0 then return ... end
  return tail(k - 1, k, ...)
end
print(select("#", tail(100)), (select(50, tail(100))))
print(pcall(select, 0))
local packed = table.pack(table.unpack({1, nil, 3}, 1, 3))
print(packed.n, packed[1], packed[2], packed[3])
local many = {}
for i = 1, 5000 do many[i] = i end
assert(select("#", table.unpack(many)) == 5000)
local function sum(...)
  local s = 0
  for i = 1, select("#", ...) do s = s + (select(i, ...)) end
  return s
end
print(sum(table.unpack(many, 1, 200)))

-- recursion, tail calls without growth, mutual recursion
local function fib(k) if k < 2 then return k end return fib(k - 1) + fib(k - 2) end
print(fib(18))
local even, odd
function even(k) if k == 0 then return true end return odd(k - 1) end
function odd(k) if k == 0 then return false end return even(k - 1) end
print(even(10000), odd(9999))
local function depth(k) if k == 0 then return 0 end return 1 + depth(k - 1) end
print(depth(5000))

-- assignment order, swaps, nested constructors
local a, b, c = 1, 2
a, b = b, a
print(a, b, c)
local t = {1, 2, x = {y = {z = 5}}, [10] = "ten", [1.0] = "one", f = function() return 7 end, nil, 4}
print(#t >= 2, t[1], t.x.y.z, t[10], t.f(), t[4])
local i = 1
i, t[i] = i + 1, 20
print(i, t[1])
local long = {va(1), va(2), va(3)}
print(#long)

-- logical operators and their jumps
local function truth(x) return x and "yes" or "no" end
print(truth(nil), truth(false), truth(0), truth(""), not nil, not 0)
local function lazy(flag, ...) return flag and ... or "default" end
print(lazy(true, 5), lazy(false, 5), lazy(true, nil))
local z = (nil or false) == false and (1 and 2) == 2 and (false or 3) == 3
print(z, 1 == 1.0, "1" == 1, 1 < 2 == true)
local cnt = 0
local function side(v) cnt = cnt + 1; return v end
local _ = side(false) and side(true) or side(1)
print(cnt)

-- integer division and conversion of floats in keys
local keys = {}
keys[1] = "int"; keys[1.0] = "float"; keys[2^53] = "big"; keys[1.5] = "half"
print(keys[1], keys[2^53 | 0], keys[1.5], next({}, nil))
for k = 1, 300 do keys[k + 0.5] = k end
local total = 0
for k = 1, 300 do total = total + keys[k + 0.5] end
print(total)

-- global environment tricks
do
  local _ENV = {print = print}
  x = 5
  print(x, y)
end
