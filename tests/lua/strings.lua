-- SPDX-License-Identifier: GPL-2.0-only
-- The string and utf8 libraries: patterns, formats, packing, long strings, limits.

local acc = nil

-- find, match, captures, anchors, frontiers, balance
print(("hello world"):find("wor"), ("hello"):find("l", 1, true), ("a.b"):find(".", 1, true), ("abc"):find("b", -1))
print(("  trim  "):match("^%s*(.-)%s*$"), ("2024-02-29"):match("(%d+)-(%d+)-(%d+)"))
print(("f(a(b)c)d"):match("%b()"), ("THE (quick) fox"):find("%f[%a]%a+%f[%A]"), ("x=1, y=2"):gsub("(%w)=(%w)", "%2=%1"))
print(("abcabc"):match("(a)(b)(c)%1%2%3"), ("[[x]]"):match("%[%[(.-)%]%]"), ("a-b"):match("[%a-]+"), ("]"):match("[]]"))
print(("äöü"):len(), ("\0a\0"):find("a"), ("a\0b"):match("%z"), ("x"):rep(0) == "", ("ab"):rep(3, "-"))
print(("abc"):gsub("", "."), ("abc"):gsub("%w", "%0%0"), ("abc"):gsub("b", {b = false}), ("abc"):gsub("b", function() end))
print(("hello world from lua"):gsub("(%w+) (%w+)", "%2 %1", 1))
for k, v in ("a=1, b=2, c=3"):gmatch("(%w+)=(%w+)") do acc = (acc or "") .. k .. v end
print(acc); acc = nil
for p in ("abc"):gmatch("()") do acc = (acc or "") .. p end
print(acc); acc = nil
print(pcall(string.rep, "x", 1 << 40))
print(pcall(string.find, "a", "[a"), pcall(string.find, "a", "%"), pcall(string.gsub, "a", "(", "x"))
print(pcall(string.gsub, "a", "a", "%2"), pcall(string.match, "a", "%1"), pcall(string.find, "a", "a%f"))
print(("a" .. ("b"):rep(2000)):match("a(b*)"):len(), ("x"):rep(3000):match(".-(x?)$"))
print((("ab"):rep(500)):gsub("a", "A"):sub(1, 20))

-- many iterators alive at once
local its = {}
for i = 1, 10 do its[i] = ("one two three four five"):gmatch("%a+") end
for round = 1, 3 do
  local line = {}
  for i = 1, 10 do line[i] = its[i]() end
  print(table.concat(line, " "))
end

-- nested gsub with callbacks
local function nest(n)
  if n == 0 then return "end" end
  return (("x"):gsub("x", function() return n .. nest(n - 1) end))
end
print(nest(20))

-- format
print(string.format("%d %5d %-5d| %05d %+d % d", 1, 2, 3, 4, 5, 6))
print(string.format("%x %X %#x %o %c %u", 255, 255, 255, 8, 65, 42))
print(string.format("%f %.2f %10.3f %-10.1f| %e %.3E %g %G", 1.5, 2.345, 3.14159, 4.0, 12345.678, 0.00012, 1e20, 1e-10))
print(string.format("%a %.3a %A", 1.0, 1/3, 255.5))
print(string.format("%s %10s %-10s| %.2s %q", "str", "right", "left", "cut", "quo\"te\n\0\1\r9"))
print(string.format("%q %q %q %q", 1, 1.5, math.mininteger, true))
print(string.format("%s %s %s", nil, true, 12), string.format("%%"), string.format("%5s|%-5s|", 1, 2))
print(string.format("%.99f", 1/3):len(), string.format("%.14g", 0.1), string.format("%99.99f", -1e308):len(), string.format("%.99e", 1e-308):len())
print(string.format("%i", 3.0), pcall(string.format, "%d", 3.5))
print(pcall(string.format, "%y", 1), pcall(string.format, "%", 1), pcall(string.format, "%d"))
print(pcall(string.format, "%0123d", 1), pcall(string.format, "%.123d", 1), pcall(string.format, "%-+ #00d", 1))
print(string.format("%s", setmetatable({}, {__tostring = function() return "object" end})))
print(#string.format("%s", ("x"):rep(5000)), #string.format(("%s"):rep(50), table.unpack((function() local t = {} for i = 1, 50 do t[i] = i end return t end)())))

-- tostring and tonumber
print(tonumber("10"), tonumber("0x1p4"), tonumber("  12  "), tonumber("1e1"), tonumber(".5"), tonumber("5."), tonumber("1e"), tonumber("0x"))
print(tonumber("inf"), tonumber("nan"), tonumber("1 2"), tonumber(""), tonumber("1e400"), tonumber("-0x10"), tonumber("9223372036854775808"))
print(tonumber("ff", 16), tonumber("zz", 36), tonumber("8", 8), tonumber("-101", 2), tonumber("7fffffffffffffff", 16), pcall(tonumber, "1", 99))
print(1e100, 0.1, 1/3, 100, 1e14, 1e15, 123456789012.5, -1.5e-7, 2^-1074)
print(#tostring(print), tostring(print):match("^function: 0x%x+$") ~= nil, tostring({}):match("^table: 0x%x+$") ~= nil)

-- pack and unpack
local p = string.pack("<bBhHiIlLjJTfdn", -1, 255, -2, 65535, -3, 4294967295, -4, 5, -6, 7, 8, 1.5, 2.5, 3.5)
print(#p, string.unpack("<bBhHiIlLjJTfdn", p))
print(string.pack(">I3 i5 s1 z", 1, -2, "abc", "zero"):byte(1, -1))
print(string.unpack("!4 <i1 !4 i4", string.pack("!4 <i1 !4 i4", 1, 2)), string.packsize("!8 b d"), string.pack("c5", "ab"):byte(1, -1))
print(pcall(string.pack, "i1", 300), pcall(string.unpack, "i4", "abc"), pcall(string.pack, "i17", 1), pcall(string.pack, "z", "a\0b"))
print(#string.pack("c20000", "x"), #string.pack(("b"):rep(400), table.unpack((function() local t = {} for i = 1, 400 do t[i] = i % 100 end return t end)())))

-- utf8
print(utf8.char(72, 228, 8364, 128512), utf8.len("häß€😀"), utf8.codepoint("ä€", 1, -1))
print(utf8.len("\xff"), utf8.offset("aä€", 3), utf8.offset("aä€", -1), utf8.offset("aä€", 0, 3), utf8.charpattern == "[\0-\x7F\xC2-\xF4][\x80-\xBF]*")
for pos, code in utf8.codes("aä€") do acc = (acc or "") .. pos .. ":" .. code .. " " end
print(acc); acc = nil
print(pcall(utf8.codepoint, "\xff"), utf8.len(("ä"):rep(3000)), utf8.offset(("ä"):rep(3000), 2500))

-- building long strings
local s = ""
for i = 1, 300 do s = s .. i .. "," end
print(#s, s:sub(-12), s:reverse():sub(1, 12), s:upper() == s, #s:rep(20))
local parts = {}
for i = 1, 1500 do parts[i] = ("%d:%s"):format(i, ("y"):rep(i % 7)) end
print(#table.concat(parts, ";"), table.concat(parts, ";"):sub(-20))
print(("a"):byte(10), ("abc"):sub(2), ("abc"):sub(-2, -2), ("abc"):sub(0), ("abc"):sub(5), ("abc"):sub(math.mininteger, math.maxinteger))
print(("A-Z a-z"):lower(), ("x"):rep(10000):len(), ("\228"):upper() == "\228")
print("a" < "b", "a" < "B", "" < "a", "a\0b" < "a\0c", "a" < "a\0", "Z" < "a", "abc" <= "abc", "\xff" > "a")
