-- SPDX-License-Identifier: GPL-2.0-only
-- Coroutines: values in and out, errors, wrap, nesting, yields across pcall, metamethods and iterators.

local co = coroutine.create(function(...)
  local n, s = select("#", ...), ...
  for i = 1, 3 do n, s = n, coroutine.yield(n, s, i) end
  return "end", s
end)
print(coroutine.resume(co, "a", "b"))
print(coroutine.resume(co, "c"))
print(coroutine.status(co), coroutine.resume(co, "d"))
print(coroutine.resume(co, "e"))
print(coroutine.status(co), coroutine.resume(co))

-- generators, permutations, producers and filters
local function gen(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
local sum = 0
for v in gen(200) do sum = sum + v end
print(sum)
local function permgen(a, n)
  if n <= 1 then coroutine.yield(a) else
    for i = 1, n do
      a[n], a[i] = a[i], a[n]
      permgen(a, n - 1)
      a[n], a[i] = a[i], a[n]
    end
  end
end
local perms = {}
for p in coroutine.wrap(function() permgen({"a", "b", "c", "d"}, 4) end) do perms[#perms + 1] = table.concat(p) end
print(#perms, perms[1], perms[24])
local function filter(g, f) return coroutine.wrap(function() for v in g do if f(v) then coroutine.yield(v) end end end) end
local primes = {}
local source = coroutine.wrap(function() for i = 2, 60 do coroutine.yield(i) end end)
while true do
  local p = source()
  if not p then break end
  primes[#primes + 1] = p
  source = filter(source, function(v) return v % p ~= 0 end)
end
print(table.concat(primes, " "))

-- yields across pcall, xpcall, metamethods, iterators, sort is not yieldable
local function yielder(...) return coroutine.yield(...) end
local t = setmetatable({}, {
  __index = function(_, k) return yielder("index " .. k) end,
  __newindex = function(_, k, v) yielder("newindex " .. k) end,
  __add = function(a, b) return yielder("add") end, __call = function(_, x) return yielder("call " .. x) end,
  __eq = function() return yielder("eq") end, __lt = function() return yielder("lt") end, __le = function() return yielder("le") end,
  __concat = function() return yielder("concat") end, __len = function() return yielder("len") end, __unm = function() return yielder("unm") end,
})
local u = setmetatable({}, getmetatable(t))
local steps = {}
local worker = coroutine.wrap(function()
  local r = {}
  r[#r + 1] = t.x; t.y = 1; r[#r + 1] = t + 1; r[#r + 1] = t(5)
  r[#r + 1] = tostring(t == u); r[#r + 1] = tostring(t < u); r[#r + 1] = tostring(t <= u)
  r[#r + 1] = t .. "x" .. "y"; r[#r + 1] = #t; r[#r + 1] = -t
  local ok, v = pcall(function() local w = yielder("in pcall"); error("after " .. w, 0) end)
  r[#r + 1] = v
  local _, h = xpcall(function() yielder("in xpcall"); error("x", 0) end, function(m) return "handled " .. m end)
  r[#r + 1] = h
  for a in function(_, c) return yielder("iterator") and ((c or 0) < 2 and (c or 0) + 1 or nil) end do r[#r + 1] = a end
  return "result " .. table.concat(r, ",")
end)
local last = worker()
while not last:find("^result") do steps[#steps + 1] = last; last = worker(#steps) end
print(table.concat(steps, "; "))
print(last)
print(coroutine.wrap(function() return pcall(table.sort, {3, 2, 1}, function(a, b) coroutine.yield() end) end)())
print(coroutine.wrap(function() return pcall(string.gsub, "x", "x", coroutine.yield) end)())

-- errors, death, resuming oneself, running, isyieldable
local bad = coroutine.create(function() local x = nil; x() end)
print(coroutine.resume(bad), coroutine.status(bad))
print(coroutine.resume(bad))
print(coroutine.resume(coroutine.running()))
print(select(2, pcall(coroutine.wrap(function() error({code = 7}) end))).code)
print(pcall(coroutine.wrap(function() error("text") end)))
print(coroutine.isyieldable(), coroutine.wrap(function() return coroutine.isyieldable() end)())
print(pcall(coroutine.resume, 5), pcall(coroutine.create, 5))
local outer
outer = coroutine.create(function()
  local inner = coroutine.create(function() return coroutine.status(outer), coroutine.resume(outer) end)
  return coroutine.resume(inner)
end)
print(coroutine.resume(outer))
local w = coroutine.wrap(function() return 1 end)
w()
print(pcall(w))

-- coroutines inside coroutines, and many at once
local function level(n)
  if n == 0 then return "bottom" end
  return coroutine.wrap(function() coroutine.yield(); return n .. " " .. (function() local c = level(n - 1); if type(c) == "string" then return c end c(); return c() end)() end)
end
local l = level(12); l(); print(l())
local pool = {}
for i = 1, 100 do pool[i] = coroutine.create(function(x) while true do x = coroutine.yield(x * i) end end) end
local acc = 0
for round = 1, 5 do for i = 1, 100 do acc = acc + select(2, coroutine.resume(pool[i], round)) end end
print(acc)
pool = nil
collectgarbage()

-- deep stacks inside a coroutine, then shrink; upvalues survive
local function deep(n) if n == 0 then coroutine.yield("deep") return 0 end return 1 + deep(n - 1) end
local d = coroutine.create(function() local a = deep(1000); coroutine.yield("shallow"); return a end)
print(coroutine.resume(d)); collectgarbage()
print(coroutine.resume(d)); collectgarbage(); collectgarbage()
print(coroutine.resume(d))
local shared = 0
local inc = coroutine.wrap(function() local function f() shared = shared + 1; return shared end while true do coroutine.yield(f) end end)()
inc(); inc(); print(shared)
print(debug.traceback("keeps", 9), #debug.traceback(d) > 0, coroutine.status(d))
