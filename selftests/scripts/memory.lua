-- SPDX-License-Identifier: GPL-2.0-only
-- The memory library: every function, its edges and its errors. Runs in a state of 1 MiB, and on the host; gives a
-- line `ok WHAT` or `not ok WHAT # GOT` for each thing looked at. What takes megabytes is left to the host.

local maxi, mini = math.maxinteger, math.mininteger
local lines = {}

local function result(good, what, why)
  local line = good and "ok " .. what or "not ok " .. what .. " # " .. tostring(why)
  lines[#lines + 1] = line:gsub("[^ -~]", ".")
end

local function text(...)
  local t = table.pack(...)
  for i = 1, t.n do t[i] = tostring(t[i]) end
  return table.concat(t, " ")
end

local function is(what, got, wanted)
  result(got == wanted and math.type(got) == math.type(wanted), what,
         "got " .. tostring(got) .. ", wanted " .. tostring(wanted))
end

-- f(...) must raise an error with all of `message` in it
local function raises(message, f, ...)
  local ok, got = pcall(f, ...)
  result(not ok and type(got) == "string" and got:find(message, 1, true) ~= nil, "raises " .. message,
         ok and "no error" or got)
end

local function resizable(s)
  local m = memory.create()
  if math.type(s) then m:resize(s) else m:resize(#s, s) end
  return m
end

-- what `f` returns for a fixed and for a resizable memory
local function both(what, f, wanted)
  for kind, new in pairs{fixed = memory.create, resizable = resizable} do
    local ok, got = pcall(f, new)
    if not ok or got ~= wanted then
      return result(false, what, kind .. ": got " .. tostring(got) .. ", wanted " .. tostring(wanted))
    end
  end
  result(true, what)
end

-- kinds
is("memory.type", text(memory.type(memory.create(3)), memory.type(memory.create("abc")), memory.type(memory.create())), "fixed fixed resizable")
is("memory.type of others", text(memory.type(nil), memory.type(), memory.type(0), memory.type("s"), memory.type({}), memory.type(print)), "nil nil nil nil nil nil")
is("a fixed memory's name", tostring(getmetatable(memory.create(1)).__name), "char[]")
is("a resizable memory's name", tostring(getmetatable(memory.create()).__name), "luamem_Ref")
is("methods", memory.create("abc"):get(2), 98)
is("identity", text(memory.create("a") == memory.create("a"), (function(m) return m == m end)(memory.create("a"))), "false true")
is("the library", (function() local t = {} for k in pairs(memory) do t[#t + 1] = k end table.sort(t) return table.concat(t, " ") end)(), "create diff fill find get len pack resize set tostring type unpack")

-- create
is("create()", text(#memory.create(), memory.create()), "0 ")
is("create(size) is zeros", tostring(memory.create(4)), "\0\0\0\0")
is("create(0)", text(#memory.create(0), memory.type(memory.create(0))), "0 fixed")
is("a numeric string is contents", tostring(memory.create("12")), "12")
is("a float with an integer value is a size", #memory.create(3.0), 3)
raises("number has no integer representation", memory.create, 1.5)
raises("bad argument #1 to 'create' (invalid size)", function() memory.create(-1) end)
raises("invalid size", memory.create, 2147483647)
raises("invalid size", memory.create, maxi)
raises("bad argument #1 to 'create' (string or memory expected, got nil)", function() memory.create(nil) end)
raises("string or memory expected, got table", memory.create, {})
raises("string or memory expected, got boolean", memory.create, true)
raises("number expected, got string", memory.create, "abc", "x")
for _, case in ipairs{
  {"", "", mini, maxi}, {"234", "123456789", 2, 4}, {"789", "123456789", 7}, {"", "123456789", 7, 6}, {"7", "123456789", 7, 7},
  {"", "123456789", 0, 0}, {"123456789", "123456789", -10, 10}, {"", "123456789", -10, -20}, {"9", "123456789", -1},
  {"6789", "123456789", -4}, {"456", "123456789", -6, -4}, {"123456", "123456789", mini, -4}, {"", "123456789", mini, mini},
  {"123456789", "123456789", mini, maxi}, {"", "123456789", maxi, mini}, {"", "123456789", 10}, {"234", "\000123456789", 3, 5},
} do
  local wanted, s, i, j = table.unpack(case, 1, 4)
  local name = text("slice", #s, i, j)
  both("create: " .. name, function(new) return tostring(memory.create(new(s), i, j)) .. tostring(memory.create(s, i, j)) end, wanted .. wanted)
  both("tostring: " .. name, function(new) return memory.tostring(new(s), i, j) .. memory.tostring(s, i, j) end, wanted .. wanted)
end

-- len, resize
both("len", function(new) return text(#new("abc"), memory.len(new("abcd")), new(5):len()) end, "3 4 5")
raises("bad argument #1 to 'len' (memory expected, got string)", function() memory.len("abc") end)
raises("memory expected, got no value", memory.len)
is("resize grows with zeros", (function() local m = memory.create() m:resize(3) m:fill("abc") m:resize(5) return tostring(m) end)(), "abc\0\0")
is("resize grows with a string", (function() local m = resizable("abcde") m:resize(10, "xyz") return tostring(m) end)(), "abcdexyzxy")
is("resize grows with a memory", (function() local m = resizable("abc") m:resize(6, memory.create("xy")) return tostring(m) end)(), "abcxyx")
is("resize grows with a number", (function() local m = resizable("abc") m:resize(6, 12) return tostring(m) end)(), "abc121")
is("resize grows with itself", (function() local m = resizable("abc") m:resize(8, m) return tostring(m) end)(), "abcabcab")
is("an empty string fills with zeros", (function() local m = resizable("ab") m:resize(4, "") return tostring(m) end)(), "ab\0\0")
is("empty, it fills itself with zeros", (function() local m = memory.create() m:resize(2, m) return tostring(m) end)(), "\0\0")
is("resize shrinks", (function() local m = resizable("abcde") m:resize(2, "123") return tostring(m) end)(), "ab")
is("resize to nothing and back", (function() local m = resizable("abcde") m:resize(0) m:resize(2) return tostring(m) end)(), "\0\0")
is("the same length looks at nothing else", (function() local m = resizable("abc") m:resize(3, {}) return tostring(m) end)(), "abc")
is("resize returns nothing", select("#", memory.resize(memory.create(), 3)), 0)
raises("bad argument #1 to 'resize' (resizable memory expected)", function() memory.resize(memory.create(3), 10) end)
raises("resizable memory expected", memory.resize, "abc", 10)
raises("resizable memory expected", memory.resize, nil, 10)
raises("bad argument #2 to 'resize' (invalid size)", function() memory.resize(nil, -1) end)
raises("invalid size", memory.resize, memory.create(), 2147483647)
raises("bad argument #3 to 'resize' (string or memory expected, got table)", function() memory.resize(memory.create(), 15, {}) end)
is("then nothing has changed", (function() local m = resizable("abc") return text(pcall(m.resize, m, 0, {}), #m, tostring(m)) end)(), "false 3 abc")
is("a large one grows in steps", (function() local m = memory.create() for n = 1000, 20000, 1000 do m:resize(n, "x") end return text(#m, m:get(1), m:get(-1)) end)(), "20000 120 120")

-- tostring
is("tostring of a string and a number", text(memory.tostring("abc", 2), memory.tostring(123, 2, 2)), "bc 2")
is("print and .. use the contents", string.format("%s", memory.create("abc")), "abc")
raises("bad argument #1 to 'tostring' (string or memory expected, got nil)", function() memory.tostring(nil) end)

-- diff
for _, case in ipairs{
  {"alo", "alo1", "4 true"}, {"", "a", "1 true"}, {"alo\0alo", "alo\0b", "5 true"}, {"alo\0alo\0\0", "alo\0alo\0", "9 false"},
  {"\0", "\1", "1 true"}, {"\1\0a\0a", "\1\0a\0a", "nil false"}, {"\0\0b", "\0\0a\0", "3 false"}, {"", "", "nil false"},
  {"\x7f", "\x80", "1 true"}, {"\xff", "\x01", "1 false"}, {"0123456789abcdeF", "0123456789abcdef", "16 true"},
} do
  local a, b, wanted = table.unpack(case)
  both("diff: " .. wanted, function(new) return text(memory.diff(new(a), b)) .. text(memory.diff(a, new(b))) .. text(memory.diff(new(a), new(b))) end, wanted .. wanted .. wanted)
end
is("diff of numbers", text(memory.diff(12, "13")), "2 true")
is("diff of large ones", text(memory.diff(("x"):rep(70000) .. "a", ("x"):rep(70000) .. "b")), "70001 true")
raises("bad argument #2 to 'diff' (string or memory expected, got no value)", function() memory.diff("a") end)

-- get, set
both("get", function(new) local m = new("abcde") return text(m:get()) .. "," .. text(m:get(2)) .. "," .. text(m:get(2, 4)) .. "," .. text(m:get(-2, maxi)) end, "97,98,98 99 100,100 101")
both("get of nothing", function(new) local m = new("abc") return text(select("#", m:get(0)), select("#", m:get(4)), select("#", m:get(3, 2)), select("#", m:get(mini)), select("#", m:get(0, 0))) end, "0 0 0 0 0")
both("get clamps", function(new) return text(new("abc"):get(mini, maxi)) end, "97 98 99")
both("all bytes", function(new) local m = new(256) for i = 1, 256 do m:set(i, 256 - i) end for i = 1, 256 do if m:get(i) ~= 256 - i then return i end end return #m end, 256)
both("set", function(new) local m = new("abcde") m:set(2, 88, 89) m:set(-1, 90) return tostring(m) end, "aXYdZ")
both("set beyond the end", function(new) local m = new("abc") m:set(3, 65, 66, "not looked at") return tostring(m) end, "abA")
both("set writes what is good", function(new) local m = new("abc") return text(pcall(m.set, m, 1, 65, 256)):match("value out of range") .. tostring(m) end, "value out of rangeAbc")
raises("bad argument #2 to 'set' (index out of bounds)", function() memory.set(memory.create(3), 4, 1) end)
raises("index out of bounds", memory.set, memory.create(3), 0, 1)
raises("index out of bounds", memory.set, memory.create(3), -4, 1)
raises("index out of bounds", memory.set, memory.create(), 1, 1)
raises("bad argument #2 to 'set' (number expected, got no value)", function() memory.set(memory.create(3)) end)
raises("bad argument #4 to 'set' (value out of range)", function() memory.set(memory.create(3), 1, 255, -1) end)
raises("memory expected, got string", memory.set, "abc", 1, 1)
raises("memory expected, got string", memory.get, "abc", 1, 1)

-- fill
for _, case in ipairs{
  {"abcabcabca"}, {"abcabcabca", 1, -1}, {" abc      ", 2, 4}, {"      abca", 7}, {"          ", 7, 6}, {"      a   ", 7, 7},
  {"abcabcabca", -10, 10}, {"          ", -10, -20}, {"abcabcabc ", 1, 9}, {"         a", -1}, {"    abc   ", -6, -4},
} do
  local wanted, i, j = table.unpack(case, 1, 3)
  both(text("fill", i, j), function(new)
    local out = {}
    for k, s in ipairs{"abc", memory.create("abc"), resizable("-abc"), 0x55, "xuxu", ""} do
      local m = new((" "):rep(10))
      m:fill(s, i, j, k == 3 and 2 or k == 5 and 5 or nil)
      out[k] = tostring(m)
    end
    return table.concat(out)
  end, wanted:rep(3) .. wanted:gsub("%S", "U") .. (" "):rep(20))
end
both("fill from the end of the source", function(new) local m = new("     ") m:fill("XYZ", 1, -1, -2) return tostring(m) end, "YZYZY")
both("fill with a large o", function(new) local m = new("abc") m:fill("XYZ", 1, -1, maxi) m:fill("XYZ", mini, maxi, 4) return tostring(m) end, "abc")
both("o below the beginning", function(new) local m = new("abc") m:fill("XYZ", 1, -1, mini) return tostring(m) end, "XYZ")
local full = "1234567890ABCDEF"
both("fill itself: all", function(new) local m = new(full) m:fill(m) return tostring(m) end, full)
both("fill itself: the end", function(new) local m = new(full) m:fill(m, 11, -1) return tostring(m) end, "1234567890123456")
both("fill itself: the beginning", function(new) local m = new(full) m:fill(m, 1, 6, 11) return tostring(m) end, "ABCDEF7890ABCDEF")
both("fill itself: moved down", function(new) local m = new(full) m:fill(m, 1, 10, 7) return tostring(m) end, "7890ABCDEFABCDEF")
both("fill itself: moved up", function(new) local m = new(full) m:fill(m, 7, -1) return tostring(m) end, "1234561234567890")
both("fill itself: again and again", function(new) local m = new("ab" .. ("."):rep(8)) m:fill(m, 2, -1, 9) return tostring(m) end, "a.........")
both("fill much", function(new) local m = new(50001) m:fill("abc") return text(#m, memory.tostring(m, 49999), m:find("cb"), m:find("ac")) end, "50001 abc nil")
raises("bad argument #3 to 'fill' (index out of bounds)", function() memory.fill(memory.create(10), "x", 0, 0) end)
raises("bad argument #4 to 'fill' (index out of bounds)", function() memory.fill(memory.create(10), "x", 3, maxi) end)
raises("index out of bounds", memory.fill, memory.create(10), "x", mini, -4)
raises("index out of bounds", memory.fill, memory.create(10), "x", mini, maxi)
raises("index out of bounds", memory.fill, memory.create(10), "x", mini, mini)
raises("index out of bounds", memory.fill, memory.create(10), "x", 11, 11)
raises("bad argument #2 to 'fill' (value out of range)", function() memory.fill(memory.create(1), 256) end)
raises("value out of range", memory.fill, memory.create(1), -1)
raises("bad argument #2 to 'fill' (string or memory expected, got no value)", function() memory.fill(memory.create(1)) end)
raises("bad argument #1 to 'fill' (memory expected, got string)", function() memory.fill("abc", 0) end)

-- find
local digits = "1234567890123456789"
for _, case in ipairs{
  {"3 5", "345"}, {"3 5", "345", 3}, {"13 15", "345", 4}, {"", "346", 4}, {"13 15", "345", -9}, {"", "345", 5, 1}, {"", "\0", 5},
  {"", "345", 1, -1, 4}, {"", "345", 20, 30}, {"", "345", -30, -20}, {"", ""}, {"3 4", "1234", 1, -1, 3}, {"4 5", "345", 1, 5, 2},
  {"", "345", 1, 4}, {"3 5", "345", mini, maxi, mini}, {"19 19", "9", 10}, {"1 19", digits}, {"", digits .. "0"},
} do
  local wanted, s, i, j, o = table.unpack(case, 1, 5)
  both(text("find", s, i, j, o), function(new) return text(memory.find(digits, s, i, j, o)) .. text(memory.find(new(digits), s, i, j, o)) .. text(memory.find(new(digits), new(s), i, j, o)) end, wanted:rep(3))
end
both("find in nothing", function(new) local m = new("") return text(m:find("a"), m:find("a", 1), m:find("a", 2), m:find("", mini, maxi), m:find("a", -1)) end, "nil nil nil nil")
is("find gives nothing", select("#", memory.find("abc", "x")), 0)
is("find of a number", text(memory.find(12345, 34)), "3 4")
both("find what recurs", function(new) return text(memory.find(new(("ab"):rep(300) .. "aab"), "baab")) end, "600 603")
both("find far away", function(new) local m = new(60000) m:set(59990, 1, 2, 3) return text(m:find("\1\2\3")) end, "59990 59992")
both("find what nearly is everywhere", function(new) local m = new(20000) m:fill("a") m:set(-1, 98) return text(m:find(("a"):rep(3000) .. "b")) end, "17000 20000")
raises("bad argument #2 to 'find' (string or memory expected, got nil)", function() memory.find("abc", nil) end)

-- pack and unpack: there and back, at three places, beside string.pack
local function packs(what, format, ...)
  local args = table.pack(...)
  both("pack " .. what, function(new)
    local wanted, values = string.pack(format, table.unpack(args)), text(table.unpack(args, 1, args.n))
    for _, before in ipairs{0, 16, 32} do
      local m = new(before + #wanted + 5)
      local ok, next = m:pack(format, before + 1, table.unpack(args))
      if not ok or next ~= before + #wanted + 1 then return text(ok, next) end
      if tostring(m) ~= ("\0"):rep(before) .. wanted .. ("\0"):rep(5) then return "wrong bytes at " .. before end
      local got = table.pack(m:unpack(format, before + 1))
      local from_string = table.pack(memory.unpack(tostring(m), format, before + 1))
      if got[got.n] ~= next or got.n ~= args.n + 1 or from_string[args.n] ~= got[args.n] then return text(got.n, got[got.n]) end
      if text(table.unpack(got, 1, args.n)) ~= values then return text(table.unpack(got)) end
    end
    return true
  end, true)
end
packs("bytes", "bBbB", -128, 255, 127, 0)
packs("shorts and longs", "<hHlLjJT>hHlLjJT", -1, 65535, mini, -1, maxi, 0, 1, -32768, 1, -2, 3, 4, 5, 6)
packs("integers of all sizes", "<i1i2i3i4i5i6i7i8i9i12i16>i1i2i3i4i5i6i7i8i9i12i16", -1, -2, -3, -4, -5, -6, -7, mini, maxi, -8, mini, 1, 2, 3, 4, 5, 6, 7, maxi, mini, 8, -9)
packs("unsigned ones", "<I1I3I7I8I16>I2I5I8I9", 255, 0xffffff, 0xffffffffffffff, -1, maxi, 65535, 1, -1, 77)
packs("floats", "<fdn>fdn=n", 1.5, 0.1, -1e20, -2000.25, 1e308, 5e-324, 1 / 0)
packs("strings", "s1s2>s4s", "", "alo", "\0x", ("abc"):rep(100))
packs("strings with a zero", "zBz", "hello", 247, "")
packs("strings of a size", "c0c3c1", "", "abc", "x")
packs("aligned ones", ">!8 bXh i4 i8 c1Xi8", -12, 100, 200, "\xEC")
packs("more of them", ">!4 c3 c4 c2 z i4 c5 c2XhXi4", "abc", "abcd", "xz", "hello", 5, "world", "xy")
packs("padding", " b bXd bXbx", 1, 2, 3)
both("a memory is a string", function(new) local m = new(20) local ok, next = m:pack("c3 s1 z", 1, memory.create("abc"), resizable("de"), new("fg")) return text(ok, next, (tostring(m):gsub("%c", "."))) end, "true 10 abc.defg............")
both("padding and alignment leave what is there", function(new) local m = new("ABCDEFGH") m:pack("!4 b x i4", 1, 97, 0) return tostring(m) end, "aBCD\0\0\0\0")
both("alignment counts from the beginning", function(new) local m = new(12) return text(m:pack("!4 i4", 3, 7)) .. " " .. text(m:unpack("!4 i4", 2)) end, "true 9 7 9")
both("alignment in front of nothing", function(new) local m = new("0123456701234567") return text(m:unpack("!8 xXi8"), m:unpack("!8 xXi2"), m:unpack("!2 xXi8"), m:unpack("!16 xXi16")) end, "9 3 3 17")
both("positions from the end", function(new) local m = new(string.pack("<i4i4", 1, 2)) return text(m:unpack("<i4", -4)) .. " " .. text(m:pack("<i4", -8, 9)) .. " " .. m:get(1) end, "2 9 true 5 9")
both("one behind the end", function(new) local m = new("abcd") return text(m:unpack("c0", 5)) .. text(m:pack("c0", 5, "")) .. text(new(""):pack("c0", 1, "")) end, " 5true 5true 1")

-- pack without room
both("no room: what is left comes back", function(new) local m = new(5) return text(m:pack("<i4 i4 z", 1, 1, 2, "x")) .. " " .. text(m:get(1, -1)) end, "false 5 2 x 1 0 0 0 0")
both("no room for a prefix", function(new) return text(new(3):pack("s4", 1, "abc")) end, "false 1 abc")
both("no room behind a prefix", function(new) local m = new(6) return text(m:pack("<s4", 1, "abc")) .. " " .. m:get(1) end, "false 5 abc 3")
both("no room for a string", function(new) return text(new(3):pack("b c3", 1, 1, "abc")) end, "false 2 abc")
both("no room for the text before a zero", function(new) return text(new(3):pack("z", 1, "abcd")) end, "false 1 abcd")
both("no room for the zero", function(new) local m = new(3) return text(m:pack("z", 1, "abc")) .. " " .. tostring(m) end, "false 4 abc abc")
both("no room behind an alignment", function(new) return text(new(6):pack("!4 b i4", 1, 1, 2)) end, "false 5 2")
both("no room for padding", function(new) return text(new(1):pack("b x i4", 1, 1, 2, 3)) end, "false 2 2 3")
both("no room and no value left", function(new) return text(new(1):pack("b x", 1, 1)) end, "false 2")

-- malformed formats and values
raises("bad argument #3 to 'pack' (index out of bounds)", function() memory.pack(memory.create(3), "b", 0, 1) end)
raises("index out of bounds", memory.pack, memory.create(3), "b", 5, 1)
raises("index out of bounds", memory.pack, memory.create(3), "b", -4, 1)
raises("number expected, got no value", memory.pack, memory.create(3), "b")
raises("bad argument #3 to 'unpack' (initial position out of bounds)", function() memory.unpack(memory.create(3), "c0", 0) end)
raises("initial position out of bounds", memory.unpack, memory.create(3), "c0", 5)
raises("initial position out of bounds", memory.unpack, memory.create(3), "c0", -4)
raises("integral size (0) out of limits [1,16]", memory.pack, memory.create(99), "i0", 1, 0)
raises("integral size (17) out of limits [1,16]", memory.pack, memory.create(99), "Xi17", 1)
raises("integral size (17) out of limits [1,16]", memory.unpack, memory.create(99), "!17")
raises("integral size (100) out of limits [1,16]", memory.pack, memory.create(199), "s100", 1, "alo")
raises("invalid format option 'r'", memory.pack, memory.create(99), "i3r", 1, 5, 0)
raises("invalid format option '5'", memory.unpack, memory.create(99), "c1 5")
raises("missing size for format option 'c'", memory.pack, memory.create(99), "c", 1, "")
raises("bad argument #1 to 'pack' (invalid next option for option 'X')", function() memory.pack(memory.create(9), "X", 1) end)
raises("invalid next option for option 'X'", memory.pack, memory.create(9), "Xc1", 1)
raises("invalid next option for option 'X'", memory.unpack, memory.create(9), "XXi")
raises("invalid next option for option 'X'", memory.unpack, memory.create(9), "X i")
raises("invalid next option for option 'X'", memory.unpack, memory.create(9), "Xz")
raises("bad argument #1 to 'pack' (format asks for alignment not power of 2)", function() memory.pack(memory.create(9), "!4i3", 1, 0) end)
raises("bad argument #4 to 'pack' (integer overflow)", function() memory.pack(memory.create(9), "i1", 1, 128) end)
raises("integer overflow", memory.pack, memory.create(9), "<i7", 1, -(1 << 55) - 1)
raises("bad argument #5 to 'pack' (unsigned overflow)", function() memory.pack(memory.create(9), "BB", 1, 1, 256) end)
raises("unsigned overflow", memory.pack, memory.create(9), "I7", 1, -1)
raises("string length does not fit in given size", memory.pack, memory.create(999), "s1", 1, ("x"):rep(256))
raises("string contains zeros", memory.pack, memory.create(9), "z", 1, "alo\0")
raises("wrong length", memory.pack, memory.create(2), "c3", 1, "ab")
raises("wrong length", memory.pack, memory.create(6), "c5", 1, "123456")
raises("number expected, got string", memory.pack, memory.create(6), "i4", 1, "x")
raises("string or memory expected, got no value", memory.pack, memory.create(6), "z", 1)
raises("memory expected, got string", memory.pack, "abc", "b", 1, 1)
raises("bad argument #1 to 'unpack' (data too short)", function() memory.unpack(memory.create(3), "i4") end)
raises("data too short", memory.unpack, memory.create("abcd"), "c5")
raises("data too short", memory.unpack, memory.create("abcd"), "!8 b Xi8")
raises("bad argument #2 to 'unpack' (data string too short)", function() memory.unpack(string.pack("s", "alo"):sub(1, -2), "s") end)
raises("data string too short", memory.unpack, memory.create("abc"), "z")
raises("data string too short", memory.unpack, memory.create(), "z")
raises("data string too short", memory.unpack, "\0abc", "z", 2)
raises("16-byte integer does not fit into Lua Integer", memory.unpack, memory.create(("U"):rep(16)), "i16")
raises("9-byte integer does not fit into Lua Integer", memory.unpack, memory.create(("\xff"):rep(9)), "I9")
raises("memory expected, got nil", memory.unpack, nil, "b")

-- what others do meanwhile
is("a finalizer may resize what is in use", (function()
  local m = resizable(("x"):rep(4000))
  for i = 1, 300 do
    setmetatable({}, {__gc = function() m:resize(i % 2 == 0 and 4000 or 10, "x") end})
    m:pack("s2z", 1, i, i)
    memory.create(m, 1, 4000)
    memory.diff(m, i)
    memory.find(m, i)
    pcall(m.unpack, m, "s2s2")
  end
  return memory.type(m)
end)(), "resizable")

if not lunatik then
  raises("string slice too long", function() memory.create(2000000):get(1, -1) end)
  raises("stack overflow", memory.unpack, memory.create(1), ("c0"):rep(1100000))
end

local all = table.concat(lines, "\n")
if not lunatik then print(all) end
return all
