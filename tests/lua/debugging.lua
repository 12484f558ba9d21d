-- SPDX-License-Identifier: GPL-2.0-only
-- The debug library as far as it is there, hooks, and what is missing on purpose.

for _, name in ipairs({"debug", "getregistry", "getuservalue", "setuservalue"}) do
  assert(debug[name] == nil, name)
end
assert(io == nil and package.loadlib == nil and package.cpath == nil and dofile == nil and loadfile == nil and string.dump == nil)
assert(os.execute == nil and os.exit == nil and os.getenv == nil and os.remove == nil and os.tmpname == nil)

local function f(a, b, ...)
  local c = a + b
  local info = debug.getinfo(1, "nSlutf")
  return info, c
end
local info = f(1, 2, 3)
print(info.name, info.namewhat, info.what, info.nparams, info.isvararg, info.nups, info.istailcall, info.func == f, info.short_src)
print(info.currentline - info.linedefined, info.lastlinedefined - info.linedefined, debug.getinfo(print).what, debug.getinfo(1, "S").what)
local active = debug.getinfo(f, "L").activelines
local lines = 0
for line in pairs(active) do lines = lines + 1 end
print(lines, debug.getinfo(100), pcall(debug.getinfo, 1, "x"), pcall(debug.getinfo, 1, ">"))

local co = coroutine.create(function(x) local y = x * 2; coroutine.yield(y); return y end)
coroutine.resume(co, 21)
print(debug.getlocal(co, 1, 1), debug.getlocal(co, 1, 2), debug.getlocal(co, 1, 9), debug.getinfo(co, 1, "l").currentline > 0)
print(next(debug.getinfo(co, 1, "L").activelines) ~= nil, debug.getinfo(co, 0, "S").what, debug.getlocal(co, 0, 1))
print((debug.traceback(co, "trace"):gsub("\n%s*", " | ")))
print(debug.setlocal(co, 1, 2, 50), coroutine.resume(co))

-- locals: by name only; what belongs to the interpreter or to C stays out of reach
do
  local one, two = 1, 2
  print(debug.getlocal(1, 1), debug.getlocal(f, 1), debug.getlocal(f, 2), debug.getlocal(f, 3))
  for i = 1, 1 do
    local found, set = {}, {}
    for n = 1, 30 do
      local name, value = debug.getlocal(1, n)
      if name == "(for limit)" then found[1] = value; set[1] = tostring(debug.setlocal(1, n, {})) end
    end
    print(found[1], set[1])
  end
end
local function inside() return debug.getlocal(3, 1), debug.setlocal(3, 1, nil) end
print((("x"):gsub("x", function() return tostring((inside())) .. tostring(select(2, inside())) end)))
print(debug.getlocal(0, 1), debug.getlocal(0, 2), debug.getlocal(0, 3))
local function other() return debug.setlocal(2, 3, 10), 20 end
local function sum(a, b) return (a + 1) + select(2, other()) end
print(sum(0, 0))
local function filled() return debug.setlocal(2, 2, 5) end
(function() print(#{filled(), 2}) end)()
local function va(...) return debug.getlocal(1, -1), debug.setlocal(1, -1, "set"), ... end
print(va("first"))

-- upvalues
local up1, up2 = 10, 20
local function g() return up1 end
local function h() return up2 end
print(debug.getupvalue(g, 1), debug.setupvalue(g, 1, 11), up1, debug.getupvalue(g, 5), debug.getupvalue(print, 1))
print(debug.upvalueid(g, 1) ~= debug.upvalueid(h, 1), pcall(debug.upvaluejoin, print, 1, g, 1))
debug.upvaluejoin(g, 1, h, 1)
print(g(), debug.upvalueid(g, 1) == debug.upvalueid(h, 1), pcall(debug.upvalueid, g, 9))
print(debug.setupvalue(("a b"):gmatch("%a"), 3, nil), debug.setupvalue(coroutine.wrap(print), 1, nil))

-- metatables of types: of a script's own, but not of userdata
debug.setmetatable(10, {__index = function(n, k) return k .. n end, __call = function(n, x) return n + x end})
print((5).x, (3)(4), debug.getmetatable(1).__index ~= nil)
debug.setmetatable(10, nil)
print(pcall(function() return (5).x end))
print(debug.getmetatable("").__index == string, debug.getmetatable({}), debug.setmetatable({}, nil) ~= nil)
print(debug.getmetatable(setmetatable({}, {__metatable = "hidden"})).__metatable)
print(pcall(debug.getmetatable, debug.upvalueid(g, 1)), pcall(debug.setmetatable, debug.upvalueid(g, 1), {}))

-- hooks
local events = {}
debug.sethook(function(event, line) events[#events + 1] = event end, "cr")
math.floor(1.5)
debug.sethook()
print(table.concat(events, " "), debug.gethook())
local counted = 0
debug.sethook(function() counted = counted + 1 end, "", 100)
for i = 1, 2000 do local x = i * 2 end
debug.sethook()
print(counted > 20, counted < 200)
local visited = {}
debug.sethook(function(_, line) visited[#visited + 1] = line end, "l")
local x = 1
x = x + 1
debug.sethook()
print(#visited, visited[2] - visited[1])
local hooked = coroutine.create(function() for i = 1, 3 do coroutine.yield(i) end end)
local n = 0
debug.sethook(hooked, function() n = n + 1 end, "l")
while coroutine.resume(hooked) and coroutine.status(hooked) ~= "dead" do end
print(n > 3, debug.gethook(hooked) ~= nil)
local ok, m = pcall(function()
  debug.sethook(function() debug.sethook(); error("from the hook", 0) end, "l")
  local a = 1
  return a
end)
print(ok, m)
print((debug.traceback("message", 1):gsub("\n.*", "")), debug.traceback(nil) ~= nil, debug.traceback({}) ~= nil)
local function deep(n) if n == 0 then return debug.traceback("deep") end return (deep(n - 1)) end
print(select(2, deep(100):gsub("\n", "")))
