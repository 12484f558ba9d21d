-- SPDX-License-Identifier: GPL-2.0-only
-- Source of every shape through load: pieces, long lines, many constants, deep nesting, comments.

-- one character at a time
local function slowly(s) local i = 0; return function() i = i + 1; if i <= #s then return s:sub(i, i) end end end
print(load(slowly("local a, b = 1, 2; local function f(...) return ..., a + b end return f('x', 'long string')"))())
print(load(slowly("-- comment\nreturn [==[\nlong ]] text]==], '\\65\\x42\\u{43}\\z   \n  D', 0x.8p1, 1e-2, 3 --[[ block ]] + 4"))())

-- big functions: many constants (LOADKX is not reached, but long tables are), many lines, many upvalues
local t = {"return {"}
for i = 1, 2000 do t[#t + 1] = ("%d, 's%d', k%d = %d.5,\n"):format(i, i, i, i) end
t[#t + 1] = "}"
local big = load(table.concat(t))()
print(#big, big[3999], big[4000], big.k2000)
local code = {"local x = 0\n"}
for i = 1, 800 do code[#code + 1] = ("if x == %d then x = x + 1 elseif x < 0 then x = -x else x = x end\n"):format(i - 1) end
code[#code + 1] = "return x"
print(load(table.concat(code, ""))())
local chain = {"local x, n = ..., 0\nif x == 0 then n = 0 "}
for i = 1, 300 do chain[#chain + 1] = ("elseif x == %d then n = %d "):format(i, i * i) end
chain[#chain + 1] = "else n = -1 end return n"
local pick = load(table.concat(chain))
print(pick(0), pick(150), pick(300), pick(301))

-- nested functions with upvalues through many levels
local function tower(n)
  local s = "return v0"
  for i = 1, n do s = s .. " + v" .. i end
  for i = n, 1, -1 do s = ("local v%d = %d; return (function() %s end)()"):format(i, i, s) end
  return load("local v0 = 0; " .. s)()
end
print(tower(40))
local names = {}
for i = 1, 190 do names[i] = "n" .. i end
print(load("local " .. table.concat(names, ",") .. " = ...; return function() return n1, n190 end")(1, 2)())
print(select("#", load("return " .. ("1,"):rep(250) .. "1")()))
print(load("local a <close> = 1") == nil, load("a.b:c'd'.e[f]{g}(h)") ~= nil, load("return function() end") ~= nil)
print(load("goto done; do ::inner:: end ::done:: return 'jumped'")())
print(load("local t = {f = function(self, x) return x * 2 end} return t:f(21), t:f'3', #t, t.f(t, 1)")())
print(load("return 1 + 2 * 3 ^ 2 .. 'x' == '19.0x' and not (1 > 2) or nil")())
print(load("return 2^-3^2, -2^2, not 1 == 2, 1 .. 2 .. 3, 5 - 3 - 1, 2^2^3, 7 // 2 * 2, 1 << 2 + 1, 'a' < 'b' == true")())
print(load("return ...", "=v")(1, 2, 3), load("_ENV = {}; x = 1; return x")())
print(load("\n\n\nerror('line four')", "@file.lua") and pcall(load("\n\n\nerror('line four')", "@file.lua")))
print(pcall(load("error('in a string chunk')", "local x = 1 -- first line of a long chunk name that is cut somewhere near sixty characters")))
for _, s in ipairs({"0x7fffffffffffffff", "0xffffffffffffffffff", "9223372036854775807", "9223372036854775808", "1e308", "1e309", "0x1p-1074", ".5", "5e+2", "3."}) do
  print(s, load("return " .. s)())
end
