#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# print and error messages in the kernel log: prefix, order, nothing lost, nothing that looks like somebody else's line.

. "$(dirname "$0")/lib/lunatik.sh"
plan 47

new_state s 128K
P="lunatik: $s: "
FAILED="${P}could not execute / load data!"
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
is "a syntax error is one line, and that the request failed another" "$(log_since)" "$P$s/execute:1: unexpected symbol near '+'
$FAILED"
log_mark
ctl "execute $s return ('x'):rep(1e7)"
is "not enough memory follows the limit" "$(log_since)" "${P}maxalloc limit 131072 reached on state $s
${P}not enough memory
$FAILED"
log_mark
new_state t
ctl "execute $t setmetatable({}, {__gc = function() print('the end') end})" "destroy $t"
is "finalizers print when the state is destroyed" "$(log_since)" "lunatik: $t: the end"

# --- requests that fail ---

# logs DESCRIPTION LINES REQUEST...: what these add to the log, in one session.
logs() { log_mark; ctl "${@:3}"; is "$1" "$(log_since)" "$2"; }
NOT_CREATED="lunatik: could not create new lua state"
NOT_EXECUTED="lunatik: could not execute / load data!"
NOT_FOUND=$'lunatik: lua state not found\n'"$NOT_EXECUTED"
logs "create of a name that is taken" "lunatik: state already exists: $s"$'\n'"$NOT_CREATED" "create $s"
logs "create under the minimum" "lunatik: maxalloc 32767 should be greater then MIN_ALLOC 32768"$'\n'"$NOT_CREATED" "create $PREFIX.none 32767"
logs "create past totalmax" "lunatik: max states limit reached or out of memory"$'\n'"$NOT_CREATED" "create $PREFIX.none 8388608G"
logs "destroy of what is not there" "lunatik: could not destroy lua state" "destroy $PREFIX.none"
logs "execute where no state is" "$NOT_FOUND" "execute $PREFIX.none return 1"
logs "run where no state is" "$NOT_FOUND" "run $PREFIX.none 3" "x=1"
logs "message where no state is" "$NOT_FOUND" "message $PREFIX.none 1" "x"
logs "message without a callback" "${P}couldn't find receive function: receive_callback"$'\n'"$FAILED" "message $s 1" "x"
log_mark
ctl "execute $s error('boom')"
is "a script that fails: message, traceback, and that the request failed" "$(log_since | sed -n '1p; 2p; $p')" "$P$s/execute:1: boom
${P}stack traceback:
$FAILED"
log_mark
run_in "$s" "assert(not pcall(string.rep, 'x', 1e7)) print('caught')"
is "memory that a script did without is not logged" "$(log_since)" "${P}caught"
log_mark
to "$SYS/$s/code" "return +"
is "a script that fails by code has its own message alone" "$(log_since)" "$P$s/code:1: unexpected symbol near '+'"
logs "cancel and mark of what is not there, and what is no request, are not logged" "" "cancel $PREFIX.none"
for request in "mark $PREFIX.none" "bogus" "create a/b" "execute"; do ctl "$request"; done
is "nor others" "$(log_since)" ""
new_name w
logs "requests that succeed are not logged" "" "create $w" "execute $w function receive_callback() end" "list" "run $w 3" "x=1" "destroy $w"
ctl "execute $s slow = true"
ctl "execute $s while slow do end" &
soon 10 eval 'stat_of "$s" status; [[ $VALUE == running ]]'
log_mark
is "one that must not wait, and would, is not logged" "$(python3 -c 'import os, sys
os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK), sys.argv[2].encode())' $CTL "execute $s return 1"$'\n' 2>&1 | grep -o Errno.11):$(log_since)" "Errno 11:"
ctl "cancel $s"
wait $!

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
