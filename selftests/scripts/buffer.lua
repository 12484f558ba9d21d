-- SPDX-License-Identifier: GPL-2.0-only
-- The buffer library: every function, its edges and its errors. Runs in a state of 1 MiB; gives a line `ok WHAT` or
-- `not ok WHAT # GOT` for each thing looked at.

local buffer = require "buffer"
local lines = {}

local function text(...)
  local t = table.pack(...)
  for i = 1, t.n do t[i] = tostring(t[i]) end
  return table.concat(t, " ")
end

local function result(good, what, why)
  local line = good and "ok " .. what or "not ok " .. what .. " # " .. tostring(why)
  lines[#lines + 1] = line:gsub("[^ -~]", ".")
end

local function is(what, got, wanted)
  result(got == wanted and math.type(got) == math.type(wanted), what,
         "got " .. tostring(got) .. ", wanted " .. tostring(wanted))
end

local function raises(message, f, ...)
  local ok, got = pcall(f, ...)
  result(not ok and type(got) == "string" and got:find(message, 1, true) ~= nil, "raises " .. message,
         ok and "no error" or got)
end

local function released(s)
  local b = buffer.new(s)
  b:release()
  return b
end

-- new
is("it is not a global", _G.buffer, nil)
is("require gives it again", require "buffer", buffer)
is("the name", getmetatable(buffer.new()).__name, "class.buffer_t")
is("new()", text(buffer.new():length(), buffer.new():unfill(), buffer.new():valid()), "0 32 true")
is("new(nil)", text(buffer.new(nil), buffer.new(nil):unfill()), " 32")
is("new(string)", text(buffer.new("abc"), buffer.new("abc"):unfill()), "abc 32")
is("new(string) is binary", tostring(buffer.new("a\0b")), "a\0b")
is("new('')", text(buffer.new(""):length(), buffer.new(""):unfill()), "0 32")
is("new(capacity)", text(buffer.new(100):length(), buffer.new(100):unfill()), "0 100")
is("new(capacity, string)", text(buffer.new(100, "abc"), buffer.new(100, "abc"):unfill()), "abc 97")
is("new(capacity too small, string)", text(buffer.new(2, "abc"), buffer.new(2, "abc"):unfill()), "abc 0")
is("new(-1, string)", tostring(buffer.new(-1, "abc")), "abc")
is("new(0)", text(buffer.new(0):valid(), buffer.new(0):unfill()), "true 0")
is("new(a huge capacity)", text(buffer.new(0x7fffffff):valid(), buffer.new(math.maxinteger):valid()), "false false")
is("more than the limit", text(buffer.new(2 << 20):valid()), "false")
is("new(buffer)", text(buffer.new(buffer.new("abc")), buffer.new(buffer.new("abc")):valid()), "abc true")
is("new(an empty buffer)", text(buffer.new(buffer.new()):length(), buffer.new(buffer.new()):valid()), "0 true")
is("new(released)", buffer.new(released("abc")):valid(), false)
is("new(memory)", tostring(buffer.new(memory.create("abc"))), "abc")
raises("bad argument #1 to 'buffer.new' (unexpected argument type)", buffer.new, {})
raises("bad argument #1 to 'buffer.new' (unexpected argument type)", buffer.new, true)
raises("bad argument #2 to 'buffer.new' (unexpected argument type)", buffer.new, 1, {})
raises("number has no integer representation", buffer.new, 1.5)

-- append
local b = buffer.new()
is("append", text(b:append("abc"), b), "true abc")
is("append a number", text(b:append(12), b), "true abc12")
is("append a buffer", text(b:append(buffer.new("xyz")), b), "true abc12xyz")
is("append a memory", text(b:append(memory.create("m")), b), "true abc12xyzm")
is("append itself", text(b:append(b), b), "true abc12xyzmabc12xyzm")
is("append nothing", text(b:append(""), #b), "true 18")
is("append a released one", text(b:append(released("x")), #b), "true 18")
is("to a released one", released("x"):append("y"), false)
is("nothing to a released one", released("x"):append(""), false)
raises("bad argument #2 to 'buffer.append' (unexpected argument type)", b.append, b, {})
raises("unexpected argument type", buffer.append, b, nil)
raises("unexpected argument type", buffer.append, b)
raises("bad argument #1 to 'buffer.append' (class.buffer_t expected, got string)", buffer.append, "abc", "x")
raises("class.buffer_t expected, got no value", buffer.length)
raises("class.buffer_t expected, got char[]", buffer.length, memory.create(1))
is("room is used", (function() local b = buffer.new(8) b:append("12345") return b:unfill() end)(), 3)
is("then doubled", (function() local b = buffer.new(8) b:append("12345") b:append("6789") return text(b, b:unfill()) end)(), "123456789 9")
is("many", (function() local b = buffer.new() for i = 1, 2000 do b:append("0123456789") end return text(#b, b:find("90")) end)(), "20000 10")
is("past the limit", (function() local b, n = buffer.new(), 0 while b:append(("x"):rep(50000)) do n = n + 1 end
  return text(n > 5, #b == n * 50000, b:valid(), tostring(buffer.split(b, 3))) end)(), "true true true xxx")

-- sharing
local a = buffer.new("abc")
local c = buffer.new(a)
a:append("d")
is("a change separates", text(a, c), "abcd abc")
c:append("e")
is("either way", text(a, c), "abcd abce")
c = buffer.new(a)
a:clear()
is("clear separates", text(#a, c), "0 abcd")
is("clear of a shared one", a:unfill(), 4)
a:append("x")
is("and goes on", text(a, c), "x abcd")
a = buffer.new(100, "abc")
is("clear keeps the room", text(a:clear(), #a, a:unfill()), "true 0 100")
is("clear of released", text(released("a"):clear()), "true")
a:append("again")
is("and is appended to", tostring(a), "again")
a = buffer.new("0123456789")
c = buffer.new(a)
c:release()
is("release of a copy", text(a, c:valid(), #c), "0123456789 false 0")
a = nil
collectgarbage()
is("an error of the garbage", text(c, c:find("x"), c:unfill(), #c:split(), c:clear(), c:append("x")), " nil 0 0 true false")

-- split
a = buffer.new("hello world")
c = a:split(6)
is("split", text(c, a), "hello  world")
is("both are appended to", text(c:append("x"), a:append("y"), c, a), "true true hello x worldy")
is("split(0)", text(#a:split(0), a), "0 worldy")
is("split(-1)", text(#a:split(-1), a), "0 worldy")
is("split of more than all", text(a:split(100), #a, a:valid()), "worldy 0 true")
is("split of an empty one", text(#a:split(), a:split():valid()), "0 true")
a:append("abc")
is("split()", text(a:split(), #a, a:append("z"), a), "abc 0 true z")
is("in pieces", (function()
  local b, n = buffer.new(), 0
  for i = 1, 500 do
    b:append(("%04d"):format(i))
    if i % 3 == 0 then for _ = 1, 3 do n = n + 1 if tostring(b:split(4)) ~= ("%04d"):format(n) then return n end end end
  end
  return text(#b, n)
end)(), "8 498")
raises("number expected, got string", a.split, a, "x")

-- remove
a = buffer.new("0123456789")
is("remove from the front", text(a:remove(1, 2), a), "2 23456789")
is("from the middle", text(a:remove(3, 2), a), "2 236789")
is("from the end", text(a:remove(6), a), "1 23678")
is("more than there is", text(a:remove(5, 100), a), "1 2367")
is("beyond", text(a:remove(5), a:remove(1, 0), a), "0 0 2367")
c = buffer.new(a)
is("of a shared one", text(a:remove(2, 2), a, c), "2 27 2367")
is("all", text(a:remove(), #a, a:append("n"), a), "2 0 true n")
is("of a released one", released("abc"):remove(), 0)
raises("position out of bounds", a.remove, a, 0)
a = buffer.new("0123456789")
a:remove(6)
is("what was removed is not seen again", text(a:append("x"), a), "true 01234x")

-- length, find, tostring, valid, unpack
is("length", text(#buffer.new("abc"), buffer.new("abc"):length(), buffer.length(released("abc"))), "3 3 0")
is("unfill of released", released("abc"):unfill(), 0)
is("find", text(buffer.new("abcabc"):find("ca"), buffer.new("abc"):find("abc"), buffer.new("abc"):find("c")), "3 1 3")
is("find is binary", text(buffer.new("a\0b\0c"):find("\0c")), "4")
is("find of what is not there", select("#", buffer.new("abc"):find("d")), 0)
is("find of nothing", text(buffer.new("abc"):find(""), buffer.new("abc"):find()), "1 1")
is("find in an empty one", text(buffer.new():find(), select("#", buffer.new():find("a"))), "1 0")
is("find in a released one", select("#", released("abc"):find("a")), 0)
is("find of a buffer, a memory, a number", text(buffer.new("abc"):find(buffer.new("bc")), buffer.new("abc"):find(memory.create("c")), buffer.new("a1"):find(1)), "2 3 2")
raises("unexpected argument type", buffer.find, buffer.new("a"), {})
is("tostring", text(buffer.new("a\0b"):tostring() == "a\0b", tostring(buffer.new("abc")), released("abc"):tostring() == ""), "true abc true")
is("valid", text(buffer.new():valid(), released(""):valid()), "true false")
is("release twice", text(pcall(buffer.release, released("a"))), "true")
is("unpack", text(buffer.unpack(buffer.new("\1\2\0abc"), "<bI2c3")), "1 2 abc 7")
raises("data too short", buffer.unpack, buffer.new("a"), "I4")

-- wherever a string of bytes is
b = buffer.new("0123456789")
is("memory.create", tostring(memory.create(b, 3, 4)), "23")
is("memory.find", text(memory.find("xx0123456789", b)), "3 12")
is("memory.diff", text(memory.diff(b, "0123")), "5 false")
is("memory.tostring", memory.tostring(b, -2), "89")
is("memory.fill", (function() local m = memory.create(4) m:fill(b) return tostring(m) end)(), "0123")
is("memory.unpack", text(memory.unpack(b, "c2")), "01 3")
is("memory.type", memory.type(b), nil)
raises("memory expected, got class.buffer_t", memory.set, b, 1, 65)
is("lunatik.send", lunatik.send(b), 10)
is("netlink.send", netlink.send(b), 10)
raises("empty message", lunatik.send, buffer.new())
raises("empty message", lunatik.send, released("abc"))

return table.concat(lines, "\n")
