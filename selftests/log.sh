#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# print and error messages in the kernel log: prefix, order, nothing lost, nothing that looks like somebody else's line.

. "$(dirname "$0")/lib/lunatik.sh"
plan 33

new_state s 128K
P="lunatik: $s: "
# prints SCRIPT: sets LOG to what running it adds to the log, without the prefix of this state.
prints() {
	log_mark
	run_in "$s" "$1"
	printf -v LOG '%b' "$(log_since | sed "s/^$P//")"  # dmesg writes \\xNN for what is not ASCII
}
# foreign: how many lines there are since the mark that do not begin with the prefix.
foreign() { log_since | grep -vc "^lunatik: $s: "; }

# --- form ---

log_mark
run_in "$s" 'print("hello")'
is "a line with the module's and the state's name" "$(log_since)" "${P}hello"
prints 'print(1, 1.5, nil, true, "x", setmetatable({}, {__tostring = function() return "me" end}))'
is "values are separated by tabs" "$LOG" $'1\t1.5\tnil\ttrue\tx\tme'
prints 'print("%s %d 100% %n %p")'; is "per cent signs mean nothing" "$LOG" "%s %d 100% %n %p"
prints 'print("Grüße, 日本, €")'; is "UTF-8" "$LOG" "Grüße, 日本, €"
prints 'print()'; is "a line of nothing" "$LOG" ""
is "is a line" "$(log_since | grep -c '')" 1
prints 'print("first\nsecond\n\nthird")'
is "a newline in it: every line has its prefix" "$(foreign)" 0
like "and none is lost" "$LOG" "first.*second.*third"
prints "print('x\\nlunatik: other: forged') print('x\\nforged')"
is "so nothing can be forged" "$(foreign)" 0
prints 'print("before\0after")'
like "a zero byte does not cut the line" "$LOG" "before.*after"
prints 'print("\27[2J\r\8bell\7")'
is "control characters do not break the line" "$(foreign):$(log_since | grep -c bell)" "0:1"
prints 'print(("z"):rep(5000) .. "!")'
is "a line of 5,000 bytes arrives whole, if in pieces" "$(log_since | tr -dc 'z!' | wc -c):$(log_since | tail -c 3)" "5001:z!"
is "each with its prefix" "$(foreign)" 0
prints 'print(("ü"):rep(2000))'
is "a long line of UTF-8 is whole" "$(grep -o ü <<<"$LOG" | wc -l)" 2000
is "and not cut within a character" "$(LC_ALL=C.UTF-8 grep -avc '^.*$' <<<"$LOG")" 0

# --- order ---

for ((i = 0; i < 10; i++)); do
	log_mark
	run_in "$s" "print('line $i')"
	[[ $(log_since) == "${P}line $i" ]] || break
done
is "a line is in the log when its request returns, ten times" "$i" 10
prints 'print("one") print("two") error("three", 0)'
is "prints come before the error, the error before the traceback" "$(head -4 <<<"$LOG")" $'one\ntwo\nthree\nstack traceback:'
log_mark
{ echo 'print("from code")'; } | cat >"$SYS/$s/code"
is "a script by code, too" "$(log_since)" "${P}from code"
log_mark
ctl "execute $s print('a')" "execute $s print('b')" "execute $s print('c')"
is "requests in one write" "$(log_since | sed "s/^$P//" | tr -d '\n')" abc
prints 'local co = coroutine.wrap(function() print("in a coroutine") end) co() setmetatable({}, {__gc = function() print("in a finalizer") end}) collectgarbage() print("at the end")'
is "coroutines and finalizers" "$LOG" $'in a coroutine\nin a finalizer\nat the end'

# --- levels ---

log_mark
run_in "$s" 'print("a print") error("an error", 0)'
is "prints are informational, errors are errors" "$(dmesg -r | sed "1,/$LOG_MARK/d; s/\[.*\] ${P}//" | head -2)" $'<6>a print\n<3>an error'
prints 'error("line 1\nline 2", 0)'
is "an error of several lines" "$(head -2 <<<"$LOG"):$(foreign)" $'line 1\nline 2:0'
log_mark
ctl "execute $s return +"
is "a syntax error is one line" "$(log_since)" "$P$s/execute:1: unexpected symbol near '+'"
log_mark
ctl "execute $s return ('x'):rep(1e7)"
is "and so is not enough memory" "$(log_since)" "${P}not enough memory"
log_mark
ctl "destroy $PREFIX.none"
is "a request that is refused is not logged" "$(log_since)" ""
log_mark
new_state t
ctl "execute $t setmetatable({}, {__gc = function() print('the end') end})" "destroy $t"
is "finalizers print when the state is destroyed" "$(log_since)" "lunatik: $t: the end"

# --- much ---

# A reader that follows, for the kernel's buffer may be smaller than all this.
dmesg -t -W >"$TMP/follow" &
reader=$!
reads() { echo "<5>$PREFIX ready" >/dev/kmsg; grep -q "$PREFIX ready" "$TMP/follow"; }
check "a reader follows the log" soon 10 reads
run_in "$s" 'for i = 1, 2000 do print("line", i) end print("last")'
is "2,000 lines" "$ERR" ""
soon 20 grep -q "^${P}last" "$TMP/follow"
is "none is lost" "$(grep -c "^${P}line"$'\t' "$TMP/follow")" 2000
is "nor out of order" "$(sed -n "s/^${P}line\t//p" "$TMP/follow" | sort -nc 2>&1)" ""
new_state u
for name in "$s" "$u"; do ctl "execute $name for i = 1, 100 do print(('$name '):rep(20)) end print('done')" & done
wait %2 %3
soon 20 grep -q "^lunatik: $s: done" "$TMP/follow"
soon 20 grep -q "^lunatik: $u: done" "$TMP/follow"
is "two states at once: all lines are whole" "$(for name in "$s" "$u"; do grep -cx "lunatik: $name: \($name \)\{20\}" "$TMP/follow"; done | tr '\n' ' ')" "100 100 "
run_in "$s" 'for i = 1, 20 do print(("y"):rep(3000)) end print("last of them")'
soon 20 grep -q "^${P}last of them" "$TMP/follow"
is "60 KB in 20 lines: not a byte is lost" "$(grep -v "$PREFIX ready" "$TMP/follow" | grep -o 'yy*' | tr -d '\n' | wc -c)" 60000
kill "$reader"
is "the reader lost nothing either" "$(grep -ci 'overrun\|lost' "$TMP/follow")" 0

finished
