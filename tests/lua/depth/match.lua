-- SPDX-License-Identifier: GPL-2.0-only
-- Patterns that recurse: optional items, captures, both kinds of repetition.

print(pcall(string.match, ("a"):rep(199), ("a?"):rep(199)))
print(pcall(string.match, ("a"):rep(250), ("a?"):rep(250)))
print(pcall(string.match, ("a"):rep(210), ("a*"):rep(210)))
print(pcall(string.match, ("a"):rep(210), ("a-"):rep(210)))
print(pcall(string.match, ("a"):rep(40), ("(a)"):rep(32)))
print(pcall(string.match, ("a"):rep(200), ("()"):rep(31) .. ("a?"):rep(180)))
local function f() return (("a"):rep(200):gsub("^" .. ("a?"):rep(180) .. "()", function() return f() end)) end
print(pcall(f))
