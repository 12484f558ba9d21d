-- SPDX-License-Identifier: GPL-2.0-only
-- Errors: messages and positions, levels, handlers, error values, limits of nesting.

local function message(f, ...) local ok, m = pcall(f, ...); assert(not ok); return m end
print(message(error), message(error, nil), message(error, "text"), message(error, "text", 0), message(error, {}) ~= nil)
print(message(function() error("here") end))
print(message(function() error("above", 2) end))
local function inner() error("level 2", 2) end
print(message(function() inner() end))
print(message(function() local a = {}; a.b.c = 1 end))
print(message(function() local a; a.b = 1 end))
print(message(function() undefined.field = 1 end))
print(message(function() return 1 + {} end))
print(message(function() return "a" + 1 end))
print(message(function() return {} .. "x" end))
print(message(function() return 2^53 | 1.5 end))
print(message(function() local t = setmetatable({}, {__index = function() error("in index") end}); return t.x end))
print(message(string.rep), message(string.rep, "x", {}), message(setmetatable, 1, {}), message(("x").rep, "x", "y"))
print(message(function() ("x"):bad() end), message(function() string.format("%d", "x") end), message(math.floor, {}))
print(message(assert, false), message(assert, nil, "given"), message(assert, false, {1})[1], message(assert))
print(message(ipairs), message(load), message(select, -5, 1), message(tostring))
-- names of things in messages, however they were reached
local t = {}
print(message(function() t.x.y() end), message(function() t["a b"]() end), message(function() t.m(1) end), message(function() t:method() end))
local up = nil
print(message(function() up() end), message(function() return up.x end), message(function() return t[up] .. "x" end))
print(message(function() local k = "key"; return t[k].z end), message(function() return t.a.b.c end))
do  -- a long chain of indices by a register: the search for a name must not recurse along it
  local code = {"local t = {}; t[1] = t; local x = 1\n"}
  for i = 1, 3000 do code[#code + 1] = "x = t[x]\n" end
  code[#code + 1] = "x = x[t]; x = t[x]; x()\n"
  print(select("#", pcall(load(table.concat(code)))))
end

-- xpcall, handlers that fail, nested pcalls, errors in handlers
print(xpcall(function(a, b) return a + b end, print, 1, 2))
print(xpcall(function() error("e", 0) end, function(m) return m .. " handled" end))
print(xpcall(function() local x = nil + 1 end, function(m) return type(m) end))
print(xpcall(function() error("first", 0) end, function(m) error("second", 0) end))
print(xpcall(function() error() end, function(m) return m end))
print(pcall(pcall), pcall(pcall, error, "x"), pcall(xpcall, error))
print(select("#", pcall(function() return nil, nil end)))
local function nested(n) if n == 0 then error("bottom", 0) end local ok, m = pcall(nested, n - 1); error(m .. n, 0) end
print(pcall(nested, 30))
print(pcall(error, setmetatable({}, {__tostring = function() return "object" end})))

-- syntax errors
local function syntax(s) local f, m = load(s, "=s"); assert(not f); return m end
print(syntax("x ="), syntax("x = = 1"), syntax("for"), syntax("local function"), syntax("return return"))
print(syntax("x = 'unfinished"), syntax("x = [[unfinished"), syntax("--[[ unfinished"), syntax("x = '\\q'"), syntax("x = 0x"), syntax("goto nowhere"))
print(syntax("break"), syntax("::a:: ::a::"), syntax("local x <const> = 1"), syntax("x = }"), syntax("f("), syntax("x = 1e"), syntax("'\\u{110000}'"))
print(syntax("local t = {} t.x:y = 1"), syntax("(a) = (b) = 1"), syntax("f() = 1"), syntax("local a.b = 1"), syntax("if x then else elseif"))
print(syntax("\27Lua"), load("return 1", "=s", "b"), load(function() error("in reader", 0) end))
print(load(function() return {} end))
local vars = {}
for i = 1, 201 do vars[i] = "v" .. i end
print(syntax("local " .. table.concat(vars, ",")))
print((syntax("x = " .. ("("):rep(300) .. "1" .. (")"):rep(300)):gsub("%d+ ", "")))
print((syntax(("do "):rep(300) .. ("end "):rep(300)):gsub("%d+ ", "")))
print((syntax("local a; a" .. (".b"):rep(10) .. " = " .. ("{"):rep(300))))
print((syntax(("a,"):rep(300) .. "a = 1")))
print((syntax("x = " .. ("a.."):rep(300) .. "a")))
print((syntax("x = " .. ("-"):rep(301) .. "1")))
print(#vars, load("return " .. ("("):rep(90) .. "7" .. (")"):rep(90))())
