-- Values packed for another state and unpacked again: src/lua/transfer.c, by way of tests/lua/transfer.c.
local transfer = require 'transfer'

local function same(a, b)
  if type(a) ~= type(b) or math.type(a) ~= math.type(b) then return false end
  if type(a) ~= 'table' then return a == b or (a ~= a and b ~= b) end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

local function check(...)
  local sent, got = table.pack(...), table.pack(transfer.copy(...))
  return sent.n == got.n and same(sent, got)
end

print(check())
print(check(nil, true, false, nil))
print(check(0, -1, math.maxinteger, math.mininteger, 1.0, -0.5, 1 / 0, 0 / 0))
print(check('', 'a\0b', ('x'):rep(23), ('y'):rep(24), ('z'):rep(25), ('long '):rep(300)))
print(check({}, {{}}, {1, 2, 3}, {n = 1}, {1, 2, nil, 4}, {nil, 2}))
print(check({[1] = 1, [1.5] = 2, ['1'] = 3, [true] = 4, [false] = 5, [-1] = 6, [''] = 7, [1 << 60] = 8}))
local deep = {}
for i = 1, 127 do deep = {deep, i} end
print(check(deep))
print(pcall(transfer.copy, {deep}))
local circle = {}
circle.circle = circle
print(pcall(transfer.copy, circle))
print(pcall(transfer.copy, print))
print(pcall(transfer.copy, {{{[print] = 1}}}))
print(pcall(transfer.copy, coroutine.create(print)))
print(getmetatable(transfer.copy(setmetatable({}, {}))))
local shared = {}
local twice = transfer.copy({shared, shared})
print(twice[1] == twice[2])
local wide = {}
for i = 1, 60 do wide[i] = i end
print(check(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), check(wide))

print(transfer.size(400, ('x'):rep(1000)))
print(transfer.size(400, {('x'):rep(100), ('x'):rep(100), ('x'):rep(100), ('x'):rep(100)}))
local bomb = {'b'}
for i = 1, 20 do bomb = {bomb, bomb} end
print(transfer.size(400, bomb))

-- Random values there and back, and parcels with random mistakes: an error or another value, and no harm.
local seed = 42
local function random(n)
  seed = (seed * 1103515245 + 12345) & 0x7fffffff
  return (seed >> 8) % n + 1
end
local make
local function key()
  local kind = random(5)
  if kind == 1 then return random(10) end
  if kind == 2 then return random(1000) / 4 end
  if kind == 3 then return random(2) == 1 end
  return ('k'):rep(random(40)) .. random(100)
end
function make(depth)
  local kind = random(depth < 4 and 8 or 5)
  if kind == 1 then return random(2) == 1 end
  if kind == 2 then return random(1000) - 500 end
  if kind == 3 then return random(1000) / 7 end
  if kind <= 5 then return ('s'):rep(random(60)) end
  local t = {}
  for i = 1, random(6) - 1 do t[i] = make(depth + 1) end
  for _ = 1, random(4) - 1 do t[key()] = make(depth + 1) end
  return t
end
local good, raised, rounds = 0, 0, 40
for i = 1, rounds do
  local a, b = make(0), make(0)
  if check(a, nil, b) then good = good + 1 end
  for j = 1, 3 do
    local ok, err = transfer.broken(i * 7 + j, a, b)
    if not ok then
      raised = raised + 1
      assert(type(err) == 'string', err)
    end
  end
end
print(good == rounds, raised > 0)
