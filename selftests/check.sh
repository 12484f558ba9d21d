#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `lunatik check`: scripts outside the kernel with the limits they have in it; tests in scripts; captures of packets. It needs no
# module: that is here only to compare with.

. "$(dirname "$0")/lib/lunatik.sh"
. "$HERE/lib/user.sh"
export LUNATIK_CHECK=$NATIVE/check
[[ -x $LUNATIK_CHECK ]] || skip_all "the program behind it is not built: make user"
plan 32

check_script() { lua5.3 "$USER_LUA/bin/lunatik" check "$@"; }
# says DESCRIPTION STATUS REGEX SCRIPT OPTION...: exit status and both outputs for a script.
says() {
	local text
	printf '%s\n' "$4" >"$TMP/script.lua"
	text=$(check_script "${@:5}" "$TMP/script.lua" 2>&1 </dev/null)
	like "$1" "$? ${text//"$TMP/"/}" "^$2 $3"
}

# --- running ---

says "a script runs, and what it took is said" 0 'script: 3'$'\n''script: peak [0-9]+ of 65536 bytes, [0-9]+ VM instructions, 0 hooks, 0 timers$' 'print(1 + 2)'
says "one that does not compile" 1 'script.lua:2: .*near <eof>' 'x ='
says "one that fails, with its traceback" 1 'script.lua:1: boom.*stack traceback:.*script.lua:2: in main chunk' $'local function f() error("boom") end\nf()'
says "the limit holds" 1 'not enough memory' 'return ("x"):rep(1e6)'
says "and is what -m says" 0 'script: peak [12][0-9]{6} of 4194304 bytes' 'return ("x"):rep(1e6)' -m 4M
says "a limit that no state may have" 2 'usage:' '' -m 1K
says "precompiled code is refused" 1 '.*attempt to load a binary chunk' $'\x1bLua'
says "no io, as in the kernel" 1 "script.lua:1: .*global 'io'" 'io.open "/etc/passwd"'
says "a first line that begins with #" 0 'script: peak' $'#!/usr/bin/env lunatik\nreturn 1'
says "doubles, integers, memory" 0 'script: 0.33333333333333 9007199254740993 abc' 'print(1 / 3 .. " " .. 9007199254740993 .. " " .. memory.create("abc"):tostring())'
says "lunatik.limits" 0 'script: 131072 true' 'local m, c = lunatik.limits() print(m .. " " .. tostring(c > 10000 and c < 30000))' -m 128K
says "the budget holds, whatever catches its error" 1 '.*time budget exceeded' 'lunatik.atomic(function() pcall(function() while true do end end) while true do end end)'
says "and is what -b says" 0 'script: peak' 'lunatik.atomic(function() for i = 1, 200000 do end end)' -b 1000000
says "timer.sleep takes no time" 0 'script: peak' 'timer.sleep(3600)'
says "but cannot be where it cannot in the kernel" 1 '.*cannot wait here' 'table.sort({2, 1}, function() timer.sleep(1) end)'
says "timers and hooks are counted" 0 'script: peak .* 1 hook, 2 timers$' 'timer.create(5, print) timer.loop(1, 1, print)
	require "netfilter".register { family = "inet", hook = "input", priority = 0, onerror = "drop", call = print }'
says "a registration without onerror" 1 ".*register: 'onerror' is missing" 'require "netfilter".register { family = "inet", hook = "input", priority = 0, call = print }'
says "messages are as long as in the kernel" 1 '.*message too long' 'lunatik.send(("x"):rep(32769))' -m 1M
says "shared counters" 0 'script: 5' 'local c = lunatik.shared "a" c:add() lunatik.shared("a"):add(4) print(tostring(c))'
mkdir "$TMP/lib"
echo 'return { answer = 42 }' >"$TMP/lib/deep.lua"
says "require, from -l" 0 'script: 42' 'print(require "deep".answer)' -l "$TMP/lib"
says "an endless script is ended" 1 '.*still running after 10 s' 'while true do end'

# --- the same in the kernel ---

new_name s
ctl "create $s 256K"
script='local t = {} for i = 1, 500 do t[i] = ("%d"):format(i) end collectgarbage() return #table.concat(t)'
run_in "$s" "$script"
is "the kernel runs it, too" "$REPLY" 1392
stat_of "$s" peak
printf '%s\n' "$script" >"$TMP/script.lua"
peak=$(check_script -m 256K "$TMP/script.lua" | sed -n 's/.*peak \([0-9]*\) of.*/\1/p')
diag "peak in the kernel $VALUE, outside $peak bytes"
check "and takes a like amount of memory: within a quarter" test $((peak * 4)) -gt $((VALUE * 3)) -a $((peak * 4)) -lt $((VALUE * 5))

# --- tests ---

says "--test without tests" 1 'script: no global function is called test_\*' 'return 1' --test
says "--test" 1 'KTAP version 1.1\.\.2.ok 1 test_a.not ok 2 test_b.# script.lua:2: no.*1 passed, 1 failed$' \
	$'function test_a() assert(1 == 1) end\nfunction test_b() error("no") end' --test
says "--test: one that takes all memory spoils no other" 1 '.*not ok 1 test_a.*ok 2 test_b.1 passed, 1 failed$' \
	$'function test_a() local t = {} while true do t[#t + 1] = {} end end\nfunction test_b() return ("x"):rep(10000) end' --test

# --- captures ---

python3 - "$TMP" <<'END'
import struct, sys
frames = [bytes(12) + struct.pack(">H", 0x0800) + bytes([0x45]) + bytes(n - 1) for n in (40, 600, 60)]
frames.append(bytes(12) + struct.pack(">H", 0x86DD) + bytes([0x60]) + bytes(49))
with open(sys.argv[1] + "/traffic.pcap", "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    for frame in frames:
        f.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
END
hook() { printf 'require "netfilter".register { family = "%s", hook = "input", priority = 0, onerror = "drop", call = function(p) %s end }' "$1" "$2"; }
says "--pcap: verdicts, and the dearest packet" 0 '4 packets: 3 accepted, 1 dropped, 0 other; 0 errors.the dearest: packet 2, [0-9]+ VM instructions' \
	"$(hook inet 'if #p > 500 then for i = 1, 10 do end return "drop" end')" --pcap "$TMP/traffic.pcap"
says "--pcap: families are told apart" 0 '4 packets: 3 accepted, 1 dropped' "$(hook ipv6 'return "drop"')" --pcap "$TMP/traffic.pcap"
says "--pcap: an error gives onerror's verdict, and is told" 1 'packet 1: script.lua:1: .*onerror: drop.*4 packets: 1 accepted, 3 dropped, 0 other; 3 errors' \
	"$(hook ipv4 'error "x"')" --pcap "$TMP/traffic.pcap"
says "--pcap: past the budget" 1 'packet 1: .*time budget exceeded' "$(hook inet 'while true do end')" --pcap "$TMP/traffic.pcap"
says "--pcap: no capture" 1 '.*is no capture' "$(hook inet '')" --pcap "$TMP/script.lua"
head -c 300 "$TMP/traffic.pcap" >"$TMP/cut.pcap"
says "--pcap: one that is cut short" 1 '.*is cut short' "$(hook inet '')" --pcap "$TMP/cut.pcap"

finished
