-- SPDX-License-Identifier: GPL-2.0-only
-- The table library and tables themselves: sort, insert, remove, move, concat, length, next under change.

local function list(n, f) local t = {} for i = 1, n do t[i] = f(i) end return t end
local function sorted(t, lt)
  for i = 2, #t do
    if lt then assert(not lt(t[i], t[i - 1])) else assert(not (t[i] < t[i - 1])) end
  end
  return true
end

-- a generator of our own, so that the output is the same everywhere
local seed = 42
local function random(n) seed = (seed * 1103515245 + 12345) % 2147483648; return seed // 65536 % n + 1 end

for _, n in ipairs({0, 1, 2, 3, 10, 100, 1500}) do
  local t = list(n, function() return random(1000) end)
  table.sort(t); assert(sorted(t))
  t = list(n, function() return random(10) end)
  table.sort(t, function(a, b) return a > b end)
  assert(sorted(t, function(a, b) return a > b end))
  t = list(n, function(i) return i end); table.sort(t); assert(sorted(t))
  t = list(n, function(i) return -i end); table.sort(t); assert(sorted(t))
end
local words = list(200, function() return ("%c%c%c"):format(96 + random(26), 96 + random(26), 96 + random(26)) end)
table.sort(words)
print(sorted(words), words[1] <= words[200], #words)
local objects = list(300, function(i) return setmetatable({v = random(500)}, {}) end)
for _, o in ipairs(objects) do getmetatable(o).__lt = function(a, b) return a.v < b.v end end
table.sort(objects)
print(sorted(objects))
print(pcall(table.sort, {3, 1, "x"}))
print((pcall(table.sort, list(100, function(i) return i end), function() return true end)))
print(pcall(table.sort, {1, 2}, 5))

-- insert, remove, move, unpack
local t = {}
for i = 1, 100 do table.insert(t, 1, i) end
for i = 1, 50 do table.insert(t, 50, -i) end
print(#t, t[1], t[50], t[150], table.remove(t), table.remove(t, 1), #t)
while #t > 0 do table.remove(t, (#t + 1) // 2) end
print(#t, table.remove(t), table.remove(t, 0), table.remove({}, 0))
print(pcall(table.insert, {1, 2}, 5, 3), pcall(table.insert, {}, 1, 2, 3), pcall(table.remove, {1, 2}, 7))
print(table.concat(table.move({1, 2, 3, 4, 5}, 2, 5, 1), " "), table.concat(table.move({1, 2, 3}, 1, 3, 3), " "), table.concat(table.move({1, 2}, 1, 2, 3, {9, 9}), " "))
local wide = table.move(list(2500, function(i) return i end), 1, 2500, 2)
print(#wide, wide[1], wide[2], wide[2501])
for i = 1, 3 do table.insert(wide, 1, i); table.remove(wide, 2) end
print(#wide, wide[1], wide[2], wide[3])
print(table.unpack({1, 2, 3}, -1, 1), select("#", table.unpack({}, 1, 300)), pcall(table.unpack, {}, 1, 1 << 40))
print(table.concat({}), table.concat({1, 2.5, "x"}, "-"), table.concat({1, 2, 3}, ",", 2, 3), pcall(table.concat, {1, {}, 3}))

-- proxies: the library works through metamethods
local log = {}
local proxy = setmetatable({}, {
  __index = function(_, k) log[#log + 1] = "r" .. k; return k <= 3 and k * 10 or nil end,
  __newindex = function(_, k, v) log[#log + 1] = "w" .. k .. "=" .. tostring(v) end,
  __len = function() return 3 end,
})
table.insert(proxy, "new"); table.remove(proxy, 1); print(table.concat(proxy, "+"), table.unpack(proxy))
print(table.concat(log, " "))
print(table.concat(table.move(proxy, 1, 3, 1, {}), " "))

-- hash part: growth, shrinking, deletion while traversing, mixed keys
local h = {}
for i = 1, 1000 do h["k" .. i] = i; h[i * 1.5] = i end
local count, total = 0, 0
for k, v in pairs(h) do
  count, total = count + 1, total + v
  if type(k) == "string" then h[k] = nil end
end
print(count, total)
local left = 0
for _ in pairs(h) do left = left + 1 end
print(left, h.k1, h[3.0], rawlen(h))
for i = 1, 1000 do h["x" .. i] = true end
local n = 0
for k in next, h do n = n + 1 end
print(n)
print(pcall(next, {}, "nope"), pcall(rawset, {}, nil, 1), pcall(function() ({})[0/0] = 1 end))
local sparse = {}
sparse[1 << 40] = 1; sparse[-5] = 2; sparse[0] = 3
print(#sparse, sparse[1 << 40], sparse[-5], sparse[0])
local holes = {1, 2, nil, 4}
print(#holes == 4 or #holes == 2, select("#", table.unpack(holes, 1, 4)))
local matrix = list(30, function(i) return list(30, function(j) return i * j end) end)
local trace = 0
for i = 1, 30 do trace = trace + matrix[i][i] end
print(trace)
