-- SPDX-License-Identifier: GPL-2.0-only
-- Nested syntax of every kind: parentheses, tables, functions, blocks, assignments, operators.

local function try(...) for _, s in ipairs({...}) do print(pcall(load, s)) end end
for _, n in ipairs({50, 90, 150, 190, 250}) do
  try("x = " .. ("("):rep(n) .. "1" .. (")"):rep(n), "x = " .. ("{"):rep(n) .. ("}"):rep(n),
    ("do "):rep(n) .. ("end "):rep(n), ("if x then "):rep(n) .. ("end "):rep(n), ("while x do "):rep(n) .. ("end "):rep(n),
    "x = " .. ("function() return "):rep(n) .. "y " .. ("end "):rep(n), ("local function f() "):rep(n) .. "y() " .. ("end "):rep(n),
    "x = " .. ("-"):rep(n):gsub("%-", "- ") .. "1", "x = " .. ("not "):rep(n) .. "1", "x = " .. ("1 .. "):rep(n) .. "1", "x = " .. ("2 ^ "):rep(n) .. "1",
    ("a,"):rep(n) .. "a = 1", ("a[1],"):rep(n) .. "a = 1", ("a{"):rep(n) .. ("}"):rep(n), "x = " .. ("a("):rep(n) .. (")"):rep(n),
    "x = " .. ("{a = {[1] = "):rep(n // 2) .. "1" .. ("}}"):rep(n // 2), ("for i = 1, 2 do repeat "):rep(n // 2) .. ("until x end "):rep(n // 2),
    "x = " .. ("a[function() for k in f(function() "):rep(n // 3) .. " y = z " .. (") do end end]"):rep(n // 3))
end
