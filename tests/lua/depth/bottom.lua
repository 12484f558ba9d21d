-- SPDX-License-Identifier: GPL-2.0-only
-- What a function does with the last of the stack: each library function, from the deepest call that still works.

local work = {
  function() return string.format("%99.99f %s %q %g %a", 1e300, {}, "a\nb", 0.1, 0.2) end,
  function() return ("a b c"):gsub("(%w) ", "%1-") end, function() return (("x"):rep(500)):find(("x?"):rep(20)) end,
  function() local t = {3, 1, 2, 5, 4}; table.sort(t); return t end, function() return table.concat({1, 2, 3}, ("s"):rep(300)) end,
  function() return string.pack("i4zs8d", 1, "a", ("b"):rep(300), 2.5) end, function() return os.date("%c %x %X %p") end,
  function() return load("local a = {1, 2, {x = function(...) return ... end}} return a[3].x(a)")() end,
  function() return tostring(1e100) .. 1.5 .. 2 end, function() return tonumber("0x1.8p10") + tonumber("1e-300") end,
  function() return debug.traceback("x") end, function() return utf8.char(1, 200, 3000, 65536) end,
  function() collectgarbage() end, function() error("message " .. ("long"):rep(50)) end, function() return nil + 1 end,
  function() return setmetatable({}, {__gc = function() local x = ("f"):rep(600):upper() end}) end,
  function() local t = {} for i = 1, 100 do t[i] = {i} t["k" .. i] = i end return t end,
  function() return 2 ^ 0.5, 7 // 0.3, 5.5 % 2.1, math.sin and math.sin(1), math.exp and math.exp(1), math.fmod(7.5, 2) end,
}
for i = 1, #work do
  local function deep(n)
    local ok, m = pcall(work[i])
    return pcall(deep, n + 1)
  end
  pcall(deep, 1)
  local function viagsub() pcall(work[i]) return (("x"):gsub("x", viagsub)) end
  pcall(viagsub)
end
print("done")
