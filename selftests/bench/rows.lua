-- SPDX-License-Identifier: GPL-2.0-only
-- What lua.py counts: a script a row, each begun by a line `--- name`. They run in a state and in user-space Lua alike.

--- integer loop
local x = 0
for i = 1, 500000 do x = (x ~ i) + (i & 7) * 3 end
assert(x ~= 0)

--- while loop
local i, n = 0, 0
while i < 300000 do
	i = i + 1
	if i % 3 == 0 then n = n + 1 end
end
assert(n == 100000)

--- fib
local function fib(n)
	if n < 2 then return n end
	return fib(n - 1) + fib(n - 2)
end
assert(fib(22) == 17711)

--- table insert
for _ = 1, 10 do
	local t = {}
	for i = 1, 5000 do t[#t + 1] = i end
	for i = 1, 5000 do table.insert(t, i) end
	for _ = 1, 5000 do table.remove(t) end
end

--- table access
local t = {}
for i = 1, 1000 do t[i] = i end
local sum = 0
for _ = 1, 100 do
	for i = 1, 1000 do sum = sum + t[i]; t[i] = i end
end
assert(sum == 100 * 500500)

--- pairs
local t = {}
for i = 1, 500 do t[i] = i; t["k" .. i] = i end
local sum = 0
for _ = 1, 50 do
	for _, v in pairs(t) do sum = sum + v end
	for _, v in ipairs(t) do sum = sum + v end
end
assert(sum == 50 * 3 * 125250)

--- sort
local seed, t = 42, {}
for _ = 1, 3 do
	for i = 1, 10000 do
		seed = (seed * 1103515245 + 12345) & 0x7fffffff
		t[i] = seed
	end
	table.sort(t)
end
assert(t[1] <= t[2])

--- sort with comparator
local seed, t = 42, {}
for i = 1, 10000 do
	seed = (seed * 1103515245 + 12345) & 0x7fffffff
	t[i] = seed
end
table.sort(t, function(a, b) return a > b end)
assert(t[1] >= t[2])

--- hash
local t = {}
for i = 1, 20000 do
	local key = "key" .. (i % 1000)
	t[key] = (t[key] or 0) + 1
end
assert(t.key7 == 20)

--- fields
local p = { x = 1, y = 2, z = 3 }
for i = 1, 100000 do
	p.x = p.y + i
	p.y = p.z - i
	p.z = p.x
end

--- s = s .. "x"
local s = ""
for _ = 1, 5000 do s = s .. "x" end
assert(#s == 5000)

--- concat
for _ = 1, 20 do
	local t = {}
	for i = 1, 1000 do t[i] = "item " .. i end
	assert(#table.concat(t, ", ") > 9000)
end

--- gsub
local text = ("the quick brown fox jumps over the lazy dog "):rep(50)
for _ = 1, 10 do
	text:gsub("%w+", string.upper)
	text:gsub("o", "0")
	text:find("lazy cat", 1, true)
end

--- match
for i = 1, 3000 do
	local k, v = ("name" .. i .. " = value" .. i):match("^(%w+)%s*=%s*(%w+)$")
	assert(k and v)
end

--- format
for i = 1, 10000 do
	local _ = string.format("%d %s %5d %x", i, "text", i, i)
end

--- bytes and chars
local n = 0
for i = 1, 20000 do
	local c = string.char(i & 127, 65)
	n = n + c:byte(1) + #c:sub(2) + #c:rep(3)
end
assert(n > 0)

--- closures
local sum = 0
for i = 1, 30000 do
	local f = function(x) return x + i end
	sum = sum + f(1)
end
assert(sum > 0)

--- methods
local Point = {}
Point.__index = Point
function Point.new(x) return setmetatable({ x = x }, Point) end
function Point:add(n) self.x = self.x + n return self end
local p = Point.new(0)
for i = 1, 60000 do p:add(i) end
assert(p.x == 1800030000)

--- coroutines
local co = coroutine.wrap(function() for i = 1, 30000 do coroutine.yield(i) end end)
local sum = 0
for _ = 1, 30000 do sum = sum + co() end
assert(sum == 450015000)

--- pcall
local function f(x) return x end
local function g() error("no", 0) end
for i = 1, 20000 do pcall(f, i) end
for _ = 1, 2000 do pcall(g) end

--- varargs
local function f(...) return select("#", ...), ... end
local sum = 0
for i = 1, 20000 do sum = sum + f(i, i, i) end
assert(sum == 60000)

--- trees
local function tree(depth)
	if depth == 0 then return {} end
	return { tree(depth - 1), tree(depth - 1) }
end
for _ = 1, 4 do
	assert(tree(11))
end

--- float: mandelbrot
local n, inside = 24, 0
for py = 0, n - 1 do
	local ci = 2.0 * py / n - 1.0
	for px = 0, n - 1 do
		local cr, zr, zi, k = 2.0 * px / n - 1.5, 0.0, 0.0, 0
		while k < 50 and zr * zr + zi * zi < 4.0 do
			zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
			k = k + 1
		end
		if k == 50 then inside = inside + 1 end
	end
end
assert(inside > 0)

--- float: nbody
local bodies = {
	{ x = 0, y = 0, z = 0, vx = 0, vy = 0, vz = 0, m = 39.47841760435743 },
	{ x = 4.84143144246472, y = -1.16032004402742, z = -0.10362204447112, vx = 0.60632639299, vy = 2.81198684491,
	  vz = -0.02521836165, m = 0.037693674870389 },
	{ x = 8.34336671824457, y = 4.12479856412430, z = -0.40352341711432, vx = -1.01077434617, vy = 1.82566237123,
	  vz = 0.00841576137, m = 0.011286326131968 },
}
for _ = 1, 500 do
	for i = 1, #bodies do
		local a = bodies[i]
		for j = i + 1, #bodies do
			local b = bodies[j]
			local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
			local d2 = dx * dx + dy * dy + dz * dz
			local mag = 0.01 / (d2 * math.sqrt(d2))
			a.vx, a.vy, a.vz = a.vx - dx * b.m * mag, a.vy - dy * b.m * mag, a.vz - dz * b.m * mag
			b.vx, b.vy, b.vz = b.vx + dx * a.m * mag, b.vy + dy * a.m * mag, b.vz + dz * a.m * mag
		end
	end
	for _, b in ipairs(bodies) do b.x, b.y, b.z = b.x + 0.01 * b.vx, b.y + 0.01 * b.vy, b.z + 0.01 * b.vz end
end

--- float: format
for i = 1, 2000 do
	local _ = string.format("%.14g %f", i / 3, i / 7)
end
