#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The memory limit of a state: enforced, survived, changed while the state lives, and never hit without cause.

. "$(dirname "$0")/lib/lunatik.sh"
plan 76

MINIMUM=32768
# After a script ended, some garbage may be left; a full collection must bring the use back to within this.
SLACK=2048
used() { USED=$(<"$SYS/$1/curralloc"); }

# --- what a state costs ---

new_state small $MINIMUM
used "$small"
diag "a new state with all default libraries uses $USED of $MINIMUM bytes"
less "a new state takes less than 24 KiB" "$USED" 24576
check "but not nothing" test "$USED" -gt 4096
ask list; like "list shows the same" "$REPLY" "(^|"$'\n'")$small $MINIMUM $USED("$'\n'"|\$)"
log_mark
run_in "$small" 'function double(x) return 2 * x end print("hello from a small state") return double(21)'
is "at the minimum: a function is defined and called" "$ERR:$REPLY" ":42"
like "and prints" "$(log_since)" "lunatik: $small: hello from a small state"
{ printf -- '--[['; head -c 51200 /dev/zero | tr '\0' x; echo ']] return double(4)'; } >"$TMP/comment.lua"
to "$SYS/$small/code" "$(<"$TMP/comment.lua")"; is "a chunk behind a comment of 50 KiB" "$ERR:$(<"$SYS/$small/code")" ":8"
for ((i = 0; i < 1000; i++)); do echo "-- line $i of a comment as people write them"; done >"$TMP/comment.lua"
echo "return double(5)" >>"$TMP/comment.lua"
to "$SYS/$small/code" "$(<"$TMP/comment.lua")"; is "and behind 1,000 lines of comment" "$ERR:$(<"$SYS/$small/code")" ":10"
run_in "$small" 'return #string.rep("a", 32 * 1024)'; is "a string of 32 KiB does not fit" "$ERR:$REPLY" "ENOMEM:not enough memory"
new_state large 131072
run_in "$large" 'return #string.rep("a", 32 * 1024)'; is "in a state of 128 KiB it does" "$ERR:$REPLY" ":32768"

# --- the limit holds, and the state lives on ---

new_state s 65536
# Once grown, the table of strings stays within twice what it was.
ctl "execute $s local t = {} for i = 1, 600 do t[i] = 's' .. i end" "execute $s collectgarbage()"
used "$s"; idle=$USED
while IFS='|' read -r what script; do
	run_in "$s" "$script"
	is "$what: ENOMEM" "$ERR:$REPLY" "ENOMEM:not enough memory"
	run_in "$s" "collectgarbage() return 1 + 1"
	is "$what: the state works on" "$ERR:$REPLY" ":2"
	used "$s"
	less "$what: and uses what it did" "$USED" $((idle + SLACK))
done <<'END'
a string too long|return string.rep("x", 1e8)
a growing table|local t = {} for i = 1, 1e7 do t[i] = i end
a table of tables|local t = {} while true do t = {t} end
a growing string|local s = "x" while true do s = s .. s end
many strings|local t = {} for i = 1, 1e7 do t["key" .. i] = true end
table.concat|local t = {} for i = 1, 400 do t[i] = ("x"):rep(100) end local u = {} for i = 1, 100 do u[i] = table.concat(t) end
many closures|local t = {} while true do local u = t t = function() return u end end
many coroutines|local t = {} while true do t[#t + 1] = coroutine.create(print) end
deep recursion|local function f() return 1 + f() end return f()
a giant format|local t = {} for i = 1, 1e4 do t[i] = string.format("%099d", i) end
END
run_in "$s" "keep = {} for i = 1, 1e7 do keep[i] = i end"; is "a global table grows until the limit" "$ERR" ENOMEM
used "$s"
less "which is not passed" "$USED" 65537
run_in "$s" "local n = #keep keep = nil collectgarbage() return n > 1000"; is "it can be dropped again" "$ERR:$REPLY" ":true"
run_in "$s" 'local good, why = pcall(string.rep, "x", 1e8) return good, why'
is "a script catches the error like any other" "$ERR:$REPLY" $':false\tnot enough memory'
run_in "$s" 'local n = 0 for i = 1, 200 do if not pcall(string.rep, "x", 1e6) then n = n + 1 end end return n'
is "200 times" "$ERR:$REPLY" ":200"
to "$SYS/$s/code" "local function f(...) return f(1, ...) end f()"
like "an error of the stack's size" "$ERR:$(<"$SYS/$s/code")" "^(ENOMEM:not enough memory|EINVAL:.*stack overflow)"
for ((i = 0; i < 4000; i++)); do printf 'x%d = %d\n' $i $i; done >"$TMP/globals.lua"
to "$SYS/$s/code" "$(<"$TMP/globals.lua")"; is "a script too large to compile" "$ERR:$(<"$SYS/$s/code")" "ENOMEM:not enough memory"
run_in "$s" "for i = 0, 3999 do _G['x' .. i] = nil end collectgarbage() collectgarbage() return 1"; is "is survived" "$ERR:$REPLY" ":1"

# --- nothing fails below the limit ---

run_in "$s" 'local n = 0 for i = 1, 3000 do local s = ("x"):rep(4000) .. i n = n + #s end return n'
is "12 MB of garbage, four KiB a piece" "$ERR:$REPLY" ":12010893"
run_in "$s" 'for i = 1, 20000 do local t = {i, tostring(i), function() return i end} end return "fine"'
is "garbage of tables, strings and closures" "$ERR:$REPLY" ":fine"
run_in "$s" 'for i = 1, 5000 do setmetatable({}, {__gc = function() end}) end return "fine"'
is "garbage with finalizers" "$ERR:$REPLY" ":fine"
run_in "$s" 'for i = 1, 300 do local co = coroutine.wrap(function() coroutine.yield(i) end) co() end return "fine"'
is "abandoned coroutines" "$ERR:$REPLY" ":fine"
run_in "$s" 'collectgarbage() local limit, used = lunatik.limits() local t = {} for i = 1, (limit - used) // 1024 - 8 do t[i] = i .. ("x"):rep(900) end
	local l, u = lunatik.limits() return l == limit and u > limit * 3 // 4'
is "three quarters of the limit can be filled" "$ERR:$REPLY" ":true"
for ((i = 0; i < 100; i++)); do ask "execute $s return $i"; done
ctl "execute $s collectgarbage()"
used "$s"
less "after all this the state uses what it did" "$USED" $((idle + SLACK))
stat_of "$s" peak
check "the peak is between" test "$VALUE" -gt 49152 -a "$VALUE" -le 65536

# --- maxalloc ---

set_limit() { errno_in "$( { echo "$1" >"$SYS/$s/maxalloc"; } 2>&1)"; }
is "maxalloc is read" "$(<"$SYS/$s/maxalloc")" 65536
set_limit 1M; is "and raised" "$ERR:$(<"$SYS/$s/maxalloc")" ":1048576"
run_in "$s" 'big = ("x"):rep(200000) return #big'; is "then more fits" "$ERR:$REPLY" ":200000"
set_limit 65536; is "below what is in use it cannot be set" "$ERR:$(<"$SYS/$s/maxalloc")" "EBUSY:1048576"
ctl "execute $s big = nil collectgarbage()"
used "$s"; diag "after that it uses $USED bytes"
set_limit 65536; is "it can when the memory is free again" "$ERR:$(<"$SYS/$s/maxalloc")" ":65536"
run_in "$s" 'return #("x"):rep(200000)'; is "and holds" "$ERR" ENOMEM
for bad in abc -1 1.5M 32767 0 "65536 x" 18446744073709551616; do set_limit "$bad"; is "maxalloc $bad" "$ERR:$(<"$SYS/$s/maxalloc")" "EINVAL:65536"; done
set_limit 32K; is "maxalloc 32K" "$ERR:$(<"$SYS/$s/maxalloc")" ":32768"
set_limit 8388608G; is "more than all states may have" "$ERR:$(<"$SYS/$s/maxalloc")" "ENOMEM:32768"
errno_in "$( (echo 1 >"$SYS/$s/curralloc") 2>&1)"; check "curralloc is not written" test -n "$ERR"

# --- large states: the memory comes as it is asked for, and goes again ---

# With KASAN blocks come one by one from kmalloc, which has none of this size.
EACH=$PARAMETERS/eachblock
[ ! -e "$EACH" ] || echo N >"$EACH"
# What the module has of the kernel in large pieces, in bytes.
reserved() { RESERVED=$(awk '/\[lunatik\]/ { sum += $2 } END { print sum + 0 }' /proc/vmallocinfo); }
reserved; before=$RESERVED
new_state big 64M
run_in "$big" 'return #("x"):rep(20000000)'; is "20 MB in one piece, at once" "$ERR:$REPLY" ":20000000"
run_in "$big" 'return #table.concat({("x"):rep(6000000), ("y"):rep(6000000)})'; is "a string of large ones" "$ERR:$REPLY" ":12000000"
run_in "$big" 'm = memory.create(12000000) return #m'; is "a memory" "$ERR:$REPLY" ":12000000"
reserved
check "all this is reserved" test "$RESERVED" -gt $((before + 12000000))
run_in "$big" 'm = nil collectgarbage() collectgarbage() return "free"'; is "it is free again" "$ERR:$REPLY" ":free"
# What the script itself left lies somewhere, too, until the next one has ended.
run_in "$big" 'collectgarbage()'
reserved
less "then the kernel has it back" "$RESERVED" $((before + 4000000))
[ ! -e "$EACH" ] || echo Y >"$EACH"

finished
