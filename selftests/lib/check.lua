-- SPDX-License-Identifier: GPL-2.0-only
-- Results for tests in user-space Lua, as lines that ktap.sh's `results` reads: `ok WHAT` and `not ok WHAT # WHY`.

local check = {}

local function shown(...)
	local parts = table.pack(...)
	for i = 1, parts.n do
		parts[i] = type(parts[i]) == "string" and ("%q"):format(parts[i]):gsub("\n", "n") or tostring(parts[i])
	end
	return table.concat(parts, ", ", 1, parts.n)
end

local function result(good, what, why)
	print(good and "ok " .. what or ("not ok %s # %s"):format(what, why:gsub("[\n#]", " ")))
end

function check.that(what, good, why)
	result(good, what, tostring(why or "it does not hold"))
end

-- gives(what, { wanted... }, got...): as many values, equal one by one.
function check.gives(what, wanted, ...)
	local got, count = table.pack(...), #wanted
	if wanted.n then count = wanted.n end
	local good = got.n == count
	for i = 1, count do good = good and rawequal(got[i], wanted[i]) and math.type(got[i]) == math.type(wanted[i]) end
	result(good, what, "got " .. shown(...) .. "; wanted " .. shown(table.unpack(wanted, 1, count)))
end

-- raises(what, message, f, ...): the call raises exactly this.
function check.raises(what, message, f, ...)
	local good, why = pcall(f, ...)
	result(not good and why == message, what, good and "it raised nothing" or "got " .. shown(why) .. "; wanted " .. shown(message))
end

return check
