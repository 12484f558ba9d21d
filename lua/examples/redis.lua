-- SPDX-License-Identifier: GPL-2.0-only
-- A key-value store that speaks the protocol of Redis (RESP2), on 127.0.0.1, port 6379, or what the global `port` says:
-- strings, counters, lists, hashes and times to live. The keys are in the global table `store`, which other scripts of the state use as well.
--
--	echo "create store 16M" > /proc/lunatik/ctl
--	cat redis.lua > /sys/kernel/lunatik/store/code
--	redis-cli set greeting hello
--	echo 'execute store return store.greeting' > /proc/lunatik/ctl

local tcp = require "tcp"

store, expires = store or {}, expires or {}

-- The longest command, in bytes.
local COMMAND_MAX = 1 << 20

local OK, NIL, EMPTY = "+OK\r\n", "$-1\r\n", "*0\r\n"
local WRONG = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
local NOT_INTEGER = "-ERR value is not an integer or out of range\r\n"

local function bulk(s) return ("$%d\r\n%s\r\n"):format(#s, s) end
local function integer(n) return (":%d\r\n"):format(n) end

local function array(t)
  local out = { ("*%d\r\n"):format(#t) }
  for i, s in ipairs(t) do out[i + 1] = s and bulk(s) or NIL end
  return table.concat(out)
end

-- The value of a key whose time has not come.
local function get(key)
  local value = store[key]
  if value and expires[key] and expires[key] <= os.time() then
    store[key], expires[key] = nil, nil
    return nil
  end
  return value
end

local function put(key, value, seconds)
  store[key], expires[key] = value, seconds and os.time() + seconds or nil
end

local function add(key, n)
  local value, by = get(key) or "0", math.tointeger(tonumber(n))
  if type(value) ~= "string" then return WRONG end
  value = math.tointeger(tonumber(value))
  if not value or not by then return NOT_INTEGER end
  store[key] = ("%d"):format(value + by)
  return integer(value + by)
end

-- A list: elements from `first` to `last`.
local function push(key, left, ...)
  local list = get(key)
  if not list then
    list = { first = 1, last = 0, kind = "list" }
    put(key, list)
  elseif list.kind ~= "list" then
    return WRONG
  end
  for i = 1, select("#", ...) do
    if left then
      list.first = list.first - 1
      list[list.first] = select(i, ...)
    else
      list.last = list.last + 1
      list[list.last] = select(i, ...)
    end
  end
  return integer(list.last - list.first + 1)
end

local function pop(key, left)
  local list = get(key)
  if not list then return NIL end
  if list.kind ~= "list" then return WRONG end
  local at = left and list.first or list.last
  local value = list[at]
  list[at] = nil
  if left then list.first = at + 1 else list.last = at - 1 end
  if list.first > list.last then put(key, nil) end
  return bulk(value)
end

local function hash(key, make)
  local h = get(key)
  if h then return h.kind == "hash" and h.fields, true end
  if not make then return nil end
  put(key, { kind = "hash", fields = {} })
  return store[key].fields, true
end

-- A pattern of Redis as one of Lua's.
local function pattern(glob)
  return "^" .. glob:gsub("[%^%$%(%)%%%.%+%-%[%]]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".") .. "$"
end

local function count(f, ...)
  local n = 0
  for i = 1, select("#", ...) do if f((select(i, ...))) then n = n + 1 end end
  return integer(n)
end

-- name -> least number of arguments, function
local commands = {
  PING = { 0, function(s) return s and bulk(s) or "+PONG\r\n" end },
  ECHO = { 1, bulk },
  SELECT = { 1, function(n) return n == "0" and OK or "-ERR DB index is out of range\r\n" end },
  COMMAND = { 0, function() return EMPTY end },
  CLIENT = { 0, function() return OK end },
  CONFIG = { 0, function() return EMPTY end },
  INFO = { 0, function()
    local limit, used = lunatik.limits()
    return bulk(("redis_version:0.0.0\r\nused_memory:%d\r\nmaxmemory:%d\r\n"):format(used, limit))
  end },
  GET = { 1, function(key)
    local value = get(key)
    if value and type(value) ~= "string" then return WRONG end
    return value and bulk(value) or NIL
  end },
  SET = { 2, function(key, value, ...)
    local seconds, only
    local options, i = { ... }, 1
    while options[i] do
      local name = options[i]:upper()
      if name == "EX" or name == "PX" then
        i = i + 1
        seconds = math.tointeger(tonumber(options[i]))
        if not seconds or seconds <= 0 then return NOT_INTEGER end
        if name == "PX" then seconds = (seconds + 999) // 1000 end
      elseif name == "NX" or name == "XX" then
        only = name
      else
        return "-ERR syntax error\r\n"
      end
      i = i + 1
    end
    if only and (get(key) ~= nil) == (only == "NX") then return NIL end
    put(key, value, seconds)
    return OK
  end },
  SETNX = { 2, function(key, value)
    if get(key) then return integer(0) end
    put(key, value)
    return integer(1)
  end },
  MGET = { 1, function(...)
    local out = { ... }
    for i, key in ipairs(out) do
      local value = get(key)
      out[i] = type(value) == "string" and value or false
    end
    return array(out)
  end },
  MSET = { 2, function(...)
    if select("#", ...) % 2 ~= 0 then return "-ERR wrong number of arguments for 'mset' command\r\n" end
    local t = { ... }
    for i = 1, #t, 2 do put(t[i], t[i + 1]) end
    return OK
  end },
  DEL = { 1, function(...) return count(function(key) local had = get(key) put(key, nil) return had end, ...) end },
  EXISTS = { 1, function(...) return count(get, ...) end },
  INCR = { 1, function(key) return add(key, 1) end },
  DECR = { 1, function(key) return add(key, -1) end },
  INCRBY = { 2, add },
  DECRBY = { 2, function(key, n) return add(key, math.tointeger(tonumber(n)) and -tonumber(n)) end },
  APPEND = { 2, function(key, s)
    local value = get(key) or ""
    if type(value) ~= "string" then return WRONG end
    store[key] = value .. s
    return integer(#store[key])
  end },
  STRLEN = { 1, function(key)
    local value = get(key) or ""
    return type(value) == "string" and integer(#value) or WRONG
  end },
  EXPIRE = { 2, function(key, n)
    n = math.tointeger(tonumber(n))
    if not n then return NOT_INTEGER end
    if not get(key) then return integer(0) end
    expires[key] = os.time() + n
    return integer(1)
  end },
  TTL = { 1, function(key)
    if not get(key) then return integer(-2) end
    return integer(expires[key] and expires[key] - os.time() or -1)
  end },
  TYPE = { 1, function(key)
    local value = get(key)
    return ("+%s\r\n"):format(value == nil and "none" or type(value) == "table" and value.kind or "string")
  end },
  KEYS = { 1, function(glob)
    local out, p = {}, pattern(glob)
    for key in pairs(store) do if key:find(p) then out[#out + 1] = key end end
    return array(out)
  end },
  DBSIZE = { 0, function()
    local n = 0
    for _ in pairs(store) do n = n + 1 end
    return integer(n)
  end },
  FLUSHALL = { 0, function() store, expires = {}, {} return OK end },
  LPUSH = { 2, function(key, ...) return push(key, true, ...) end },
  RPUSH = { 2, function(key, ...) return push(key, false, ...) end },
  LPOP = { 1, function(key) return pop(key, true) end },
  RPOP = { 1, function(key) return pop(key, false) end },
  LLEN = { 1, function(key)
    local list = get(key)
    if list and list.kind ~= "list" then return WRONG end
    return integer(list and list.last - list.first + 1 or 0)
  end },
  LRANGE = { 3, function(key, from, to)
    local list = get(key)
    from, to = math.tointeger(tonumber(from)), math.tointeger(tonumber(to))
    if not from or not to then return NOT_INTEGER end
    if not list then return EMPTY end
    if list.kind ~= "list" then return WRONG end
    local n, out = list.last - list.first + 1, {}
    if from < 0 then from = math.max(from + n, 0) end
    if to < 0 then to = to + n end
    for i = list.first + from, list.first + math.min(to, n - 1) do out[#out + 1] = list[i] end
    return array(out)
  end },
  HSET = { 3, function(key, ...)
    if select("#", ...) % 2 ~= 0 then return "-ERR wrong number of arguments for 'hset' command\r\n" end
    local h, t, n = hash(key, true), { ... }, 0
    if not h then return WRONG end
    for i = 1, #t, 2 do
      if h[t[i]] == nil then n = n + 1 end
      h[t[i]] = t[i + 1]
    end
    return integer(n)
  end },
  HGET = { 2, function(key, field)
    local h, is = hash(key)
    if is and not h then return WRONG end
    return h and h[field] and bulk(h[field]) or NIL
  end },
  HGETALL = { 1, function(key)
    local h, is = hash(key)
    if is and not h then return WRONG end
    local out = {}
    for field, value in pairs(h or {}) do out[#out + 1] = field out[#out + 1] = value end
    return array(out)
  end },
}
commands.UNLINK, commands.HMSET = commands.DEL, commands.HSET

local function run(args)
  local name = args[1]:upper()
  local command = commands[name]
  if not command then return ("-ERR unknown command '%s'\r\n"):format(args[1]:sub(1, 64):gsub("%c", "?")) end
  if #args - 1 < command[1] then return ("-ERR wrong number of arguments for '%s' command\r\n"):format(name:lower()) end
  return command[2](table.unpack(args, 2))
end

-- The command that begins at `at`: its words and the position behind it; nil if it is not whole; false if it is none.
local function parse(s, at)
  if s:byte(at) ~= 42 then	-- *
    local line, behind = s:match("^([^\r\n]*)\r?\n()", at)
    if not line then return nil end
    local words = {}
    for word in line:gmatch("%S+") do words[#words + 1] = word end
    return words, behind
  end
  local n, p = s:match("^(%d+)\r\n()", at + 1)
  if not n then return not s:find("\n", at, true) and #s - at < 16 and nil end
  n = tonumber(n)
  if n > 100000 then return false end
  local words = {}
  for i = 1, n do
    local len, q = s:match("^%$(%d+)\r\n()", p)
    if not len then return not s:find("\n", p, true) and #s - p < 16 and nil end
    len = tonumber(len)
    if len > COMMAND_MAX then return false end
    if q + len + 1 > #s then return nil end
    words[i] = s:sub(q, q + len - 1)
    p = q + len + 2
  end
  return words, p
end

local function serve(peer)
  local have = ""
  while true do
    local ok, data = peer:read()
    if not ok then break end
    have = have == "" and data:tostring() or have .. data:tostring()
    data:release()
    local at, out, n, bad = 1, {}, 0, false
    while at <= #have do
      local words, behind = parse(have, at)
      if words == false then
        bad = true
        n = n + 1
        out[n] = "-ERR Protocol error\r\n"
        break
      end
      if not words then break end
      at = behind
      if words[1] then
        n = n + 1
        local good, reply = pcall(run, words)
        out[n] = good and reply or "-ERR out of memory\r\n"
        if words[1]:upper() == "QUIT" then bad, out[n] = true, OK break end
      end
    end
    have = at > #have and "" or have:sub(at)
    if n > 0 then peer:write(n == 1 and out[1] or table.concat(out)) end
    if bad or #have > 2 * COMMAND_MAX then break end
  end
  peer:close()
end

local ok, server = tcp.listen("127.0.0.1", port or 6379)
if not ok then error("redis: cannot listen: " .. server, 0) end

server:accept(function(ok, peer)
  if not ok then return end
  peer:set_nodelay(true)
  serve(peer)
end)
