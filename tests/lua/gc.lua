-- SPDX-License-Identifier: GPL-2.0-only
-- The collector: full cycles, steps, stop and restart, finalizers that allocate, fail, resurrect; weak tables.

print(collectgarbage("isrunning"), type(collectgarbage("count")), collectgarbage("collect"))
local function garbage(n) for i = 1, n do local t = {i, {i}, tostring(i)} end end
garbage(2000)
collectgarbage()
local before = collectgarbage("count")
garbage(3000)
collectgarbage()
print(collectgarbage("count") - before < 64)

-- what died before the call is gone after it, finalizers called
for round = 1, 5 do
  local called, kept = 0, {}
  for i = 1, 40 do
    local o = setmetatable({}, {__gc = function() called = called + 1 end})
    if i % 4 == 0 then kept[#kept + 1] = o end
  end
  collectgarbage()
  assert(called == 30, called)
end
print("finalized")

collectgarbage("stop")
print(collectgarbage("isrunning"))
local cycles = 0
repeat garbage(5); cycles = cycles + 1 until collectgarbage("step", 20)
print(cycles >= 1, collectgarbage("step", 100000))
local small = 0
repeat small = small + 1 until collectgarbage("step", 0) or small > 500
print(small > 1)
collectgarbage("restart")
print(collectgarbage("isrunning"))
local pause, mul = collectgarbage("setpause", 150), collectgarbage("setstepmul", 400)
print(collectgarbage("setpause", pause), collectgarbage("setstepmul", mul))
print(pcall(collectgarbage, "nonsense"))

-- finalizers: order, allocation, errors, resurrection, a collection inside one
local log = {}
for i = 1, 3 do setmetatable({}, {__gc = function() log[#log + 1] = i; garbage(50) end}) end
setmetatable({}, {__gc = function() collectgarbage(); log[#log + 1] = "collected" end})
collectgarbage()
table.sort(log, function(a, b) return tostring(a) < tostring(b) end)
print(table.concat(log, " "))
local saved = {}
local mt = {__gc = function(o) saved[#saved + 1] = o end}
for i = 1, 5 do setmetatable({n = i}, mt) end
collectgarbage()
print(#saved, getmetatable(saved[1]) == mt)
for i = 1, #saved do setmetatable(saved[i], mt) end
saved = {}
collectgarbage()
print(#saved)
local chain = 0
local function link() chain = chain + 1; if chain < 20 then setmetatable({}, {__gc = link}) end end
setmetatable({}, {__gc = link})
for i = 1, 25 do collectgarbage() end
print(chain)
print((pcall(setmetatable, {}, {__gc = true})))

-- weak tables
local cache = setmetatable({}, {__mode = "v"})
for i = 1, 100 do cache[i] = {i}; cache["s" .. i] = "string stays" end
collectgarbage()
local numbers, strings = 0, 0
for k in pairs(cache) do if type(k) == "number" then numbers = numbers + 1 else strings = strings + 1 end end
print(numbers, strings)
local registry = setmetatable({}, {__mode = "k"})
local keys = {}
for i = 1, 50 do local k = {}; registry[k] = {k}; if i % 5 == 0 then keys[#keys + 1] = k end end
collectgarbage()
local n = 0
for k, v in pairs(registry) do n = n + 1; assert(v[1] == k) end
print(n)
local both = setmetatable({}, {__mode = "kv"})
both[1] = {}; both[{}] = 1; both[2] = keys
collectgarbage()
print(both[1], both[2] == keys, #keys)

-- closures, upvalues and coroutines that die in every state
for i = 1, 200 do
  local up = {i}
  local co = coroutine.wrap(function() local x = up; coroutine.yield(x); return x end)
  if i % 3 ~= 0 then co() end
  if i % 3 == 2 then co() end
end
collectgarbage()
local list = nil
for i = 1, 3000 do list = {next = list, value = i} end
local total = 0
while list do total = total + list.value; list = list.next end
collectgarbage()
print(total)
local text = {}
for i = 1, 500 do text[#text + 1] = ("string number %d"):format(i) end
print(#table.concat(text))
