#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Nesting of every kind ends in a Lua error long before the C stack does, and the state works on. Reasonable depths work.

. "$(dirname "$0")/lib/lunatik.sh"
plan 106

new_state s 4M
overflow='stack overflow|error in error handling'

# ends DESCRIPTION ERRNO REGEX SCRIPT: the error, and that the state lives.
ends() {
	run_in "$s" "$4"
	like "$1" "$ERR:$REPLY" "^$2:.*($3)"
	ask "execute $s collectgarbage() return 1 + 1"
	is "$1: the state works on" "$ERR:$REPLY" ":2"
}
# works DESCRIPTION RESULT SCRIPT
works() { run_in "$s" "$3"; is "$1" "$ERR:$REPLY" ":$2"; }

# --- callbacks of library functions ---

gsub='local function f(n) return (("x"):gsub("x", function() if n == 1 then return "end" end return f(n - 1) end)) end return f(N)'
works "150 nested gsub callbacks" end "${gsub/N/150}"
ends "300 nested gsub callbacks" EINVAL "$overflow" "${gsub/N/300}"
ends "gsub callbacks without end" EINVAL "$overflow" "${gsub/N/math.huge}"
ends "sort comparators" EINVAL "$overflow" 'local function f() table.sort({1, 2, 3}, function(a, b) f() return a < b end) end f()'
ends "load readers" EINVAL "$overflow" 'local function f() assert(load(function() f() end)) end f()'
ends "pcall chains" EINVAL "$overflow" 'local function f() local ok, why = pcall(f) error(why, 0) end f()'
works "pcall of pcall" "false" 'local function f() return pcall(f) end local t = {f()} return t[#t - 1]'
works "100 nested pcalls" true 'local function f(n) if n == 0 then return true end return select(2, pcall(f, n - 1)) end return f(100)'
ends "handlers that raise errors" EINVAL "$overflow" 'local function h(m) error(m) end local ok, why = xpcall(error, h, "x") error(why, 0)'
ends "tostring" EINVAL "$overflow" 'local t = setmetatable({}, {__tostring = function(t) return tostring(t) end}) return tostring(t)'
ends "results that print themselves" EINVAL "$overflow" 'return setmetatable({}, {__tostring = function(t) return tostring(t) end})'
ends "error objects that print themselves" EINVAL "" 'error(setmetatable({}, {__tostring = function(t) return tostring(t) end}))'
ends "format" EINVAL "$overflow" 'local t = setmetatable({}, {__tostring = function(t) return ("%s"):format(t) end}) return ("%s"):format(t)'
ends "table.concat by __index" EINVAL "$overflow" 'local t t = setmetatable({}, {__index = function() return table.concat(t, ",", 1, 1) end}) return table.concat(t, ",", 1, 1)'
ends "next by __pairs" EINVAL "$overflow" 'local t t = setmetatable({}, {__pairs = function() for _ in pairs(t) do end end}) for _ in pairs(t) do end'

# --- metamethods ---

for event in index:local_=t.x newindex:t.x=1 eq:local_=t==u lt:local_=t\<u le:local_=t\<=u concat:local_=t..1 add:local_=t+1 unm:local_=-t len:local_=#t idiv:local_=t//1 band:local_=t\&1; do
	what=${event%%:*} use=${event#*:} use=${use/local_/local _ }
	ends "__$what" EINVAL "$overflow" "local t, u = {}, {} local m = {__$what = function() $use return true end} setmetatable(t, m) setmetatable(u, m) $use"
done
ends "a ring of __index" EINVAL "loop|$overflow" 'local t = {} setmetatable(t, {__index = t}) return t.x'
ends "a ring of __newindex" EINVAL "loop|$overflow" 'local t = {} setmetatable(t, {__newindex = t}) t.x = 1'
ends "a ring of __call" EINVAL "" 'local t = {} setmetatable(t, {__call = t}) t()'
ends "a long chain of __call" EINVAL "" 'local t = {} for i = 1, 10000 do t = setmetatable({}, {__call = t}) end t()'
works "a long chain of __index" found 'local t = {x = "found"} for i = 1, 1000 do t = setmetatable({}, {__index = t}) end return t.x'

# --- coroutines ---

ends "coroutines inside coroutines" EINVAL "$overflow" 'local function f() return coroutine.wrap(f)() end f()'
works "100 coroutines inside coroutines" 100 'local function f(n) if n == 0 then return 0 end return 1 + coroutine.wrap(f)(n - 1) end return f(100)'
ends "resume inside resume" EINVAL "$overflow" 'local function f() local ok, why = coroutine.resume(coroutine.create(f)) error(why, 0) end f()'
ends "coroutines, callbacks and metamethods in turn" EINVAL "$overflow" 'local t local function f() return coroutine.wrap(function() return (("x"):gsub("x", function() return t.x end)) end)() end
	t = setmetatable({}, {__index = f}) return f()'

# --- the parser ---

# nested DESCRIPTION TEXT BEGIN END: 300 and, by load inside a script, 50,000 levels.
nested() {
	local text
	printf -v text '%300s' ''
	text=${text// /"$3"}$2${text// /"$4"}
	ends "300 $1" ENOEXEC "overflow|too many C levels|limit" "${5-}$text"
}
nested "parentheses" 1 "(" ")" "return "
nested "tables" 1 "{" "}" "return "
nested "functions" "return 1" "return function() " " end "
nested "blocks" "local x" "do " " end "
nested "loops" "break" "while true do " " end "
nested "unary operators" 1 "- " "" "return "
nested "powers" 1 "1 ^ " "" "return "
nested "concatenations" 1 "1 .. " "" "return "
nested "calls" 1 "f(" ")" "return "
nested "indices" 1 "t[" "]" "return "
ends "50,000 parentheses by load" EINVAL "overflow|too many C levels|limit" 'assert(load("return " .. ("("):rep(50000)))'
works "100 parentheses" 1 "return $(printf '(%.0s' {1..100})1$(printf ')%.0s' {1..100})"
ends "10,000 lines that index by what they set" EINVAL "attempt to index a nil value" \
	'assert(load("local t, x = {} " .. ("x = t[x or 1]\n"):rep(5000) .. "x = t[x] return x.y.z"))()'

# --- patterns ---

works "199 optional characters" 199 'return #("a"):rep(199):match(("a?"):rep(199))'
ends "250 optional characters" EINVAL "pattern too complex" 'return #("a"):rep(250):match(("a?"):rep(250))'
ends "a pattern of parentheses" EINVAL "too many captures" 'return ("x"):find(("("):rep(50000))'
ends "a pattern of 50,000 optional characters" EINVAL "pattern too complex" 'return ("a"):rep(50000):find(("a?"):rep(50000))'

# --- finalizers, and Lua's own stack (a million values, 16 MiB) ---

# A stack that shrinks gives back a block a call in one step; on the debug kernel 200,000 of them take twenty seconds.
ctl "destroy $s" "create $s $( [[ $DEBUG ]] && echo 4M || echo 48M)"; is "a state with room for them" "$ERR" ""

works "finalizers that make finalizers" ok 'local n = 0 local function make() setmetatable({}, {__gc = function() n = n + 1 make() end}) end make()
	for i = 1, 50 do pcall(collectgarbage) end return n >= 10 and "ok" or n'
ends "finalizers in a deep stack" EINVAL "$overflow" 'local function f() setmetatable({}, {__gc = function() local x = ("x"):gsub("x", "y") end}) return (("x"):gsub("x", f)) end f()'
ends "__call" "(EINVAL|ENOMEM)" "$overflow|not enough memory" 'local t t = setmetatable({}, {__call = function() t() return true end}) t()'
ends "Lua calls without end" "(EINVAL|ENOMEM)" "stack overflow|not enough memory" 'local function f() return 1 + f() end return f()'
works "10,000 Lua calls" 10000 'local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return f(10000)'

finished
