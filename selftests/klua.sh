#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# klua_createstate, klua_deletestate, klua_liststates, klua_execute (src/klua.h) as another module calls them: every
# errno, in process context and in softirq, on states that are busy. klua_test.ko (selftests/klua) does the calls.

. "$(dirname "$0")/lib/lunatik.sh"
MODULE=
for file in ${KLUA_TEST_KO-} /add/klua/klua_test.ko /vm/modules/klua_test.ko; do [[ -e $file ]] && MODULE=$file && break; done
[[ $MODULE ]] || skip_all "no klua_test.ko: build it (selftests/klua/build) and name it in KLUA_TEST_KO"
DEBUGFS=/sys/kernel/debug TEST=$DEBUGFS/klua_test
plan 72
# A machine without KVM takes long for what a hook does in its millisecond, so the budget is another here.
BUDGET_US=$((DEBUG ? 300000 : 30000))
LUNATIK_KO=${LUNATIK_KO:-/vm/modules/lunatik.ko}
reload() {
	rmmod lunatik || return
	if [[ -e $LUNATIK_KO ]]; then insmod "$LUNATIK_KO" "$@"; else modprobe lunatik "$@"; fi
}
check "lunatik is loaded with a larger hook budget" reload hookbudget_us=$BUDGET_US
insmod "$MODULE" || exit
trap 'rmmod klua_test 2>/dev/null; cleanup; reload' EXIT

# klua WORD...: one call; sets ERR to "" or the name of the errno.
klua() { errno_in "$( { echo "$*" >$TEST; } 2>&1)"; }
# outcomes: sets GOOD, BUSY and OTHER to how often the last spin or timer got 0, EBUSY and anything else.
outcomes() {
	local number count
	GOOD=0 BUSY=0 OTHER=0
	while read -r number count; do
		case $number in
		0) GOOD=$count ;;
		16) BUSY=$count ;;
		*) OTHER=$((OTHER + count)); diag "errno $number: $count times" ;;
		esac
	done <$TEST
}
is_gone() { [[ ! -d $SYS/$1 ]]; }
idle() { stat_of "$1" status; [[ $VALUE != running ]]; }
runs() { stat_of "$1" status; [[ $VALUE == running ]]; }

# --- create, delete, list ---

new_name s
klua create "$s"; is "klua_createstate" "$ERR" ""
check "the state is seen in sysfs" test -d "$SYS/$s"
is "with the default limit" "$(<"$SYS/$s/maxalloc")" "$(<$PARAMETERS/defaultmaxalloc)"
ask "execute $s x = 'from ctl' return 1"; is "and runs scripts of ctl" "$ERR:$REPLY" ":1"
klua create "$s"; is "klua_createstate of one that exists" "$ERR" EEXIST
klua create "a/b"; is "of a bad name" "$ERR" EINVAL
klua create ".."; is "of two dots" "$ERR" EINVAL
klua create "$(printf 'n%063d' 0)"; is "of a name of 64 bytes" "$ERR" ENAMETOOLONG
klua delete "$PREFIX.none"; is "klua_deletestate of one that is not there" "$ERR" ENOENT
klua delete "a/b"; is "of a bad name" "$ERR" EINVAL
klua null; is "null pointers give -EINVAL" "$ERR" ""
log_mark
klua list
like "klua_liststates writes a line for each state" "$(log_since)" "lunatik: State name: $s"
klua softirq-create "$PREFIX.soft"; is "klua_createstate in softirq" "$ERR" EPERM
check "makes nothing" is_gone "$PREFIX.soft"
klua softirq-delete "$s"; is "klua_deletestate in softirq" "$ERR" EPERM
check "deletes nothing" test -d "$SYS/$s"

# --- execute: every errno, in both contexts ---

for how in execute softirq-execute; do
	klua $how "$s" "y = (y or 0) + 1 assert(x == 'from ctl')"; is "$how" "$ERR" ""
	klua $how "$s"; is "$how of an empty chunk" "$ERR" ""
	klua $how "$PREFIX.none" "x = 1"; is "$how where no state is" "$ERR" ENOENT
	klua $how "a/b" "x = 1"; is "$how of a bad name" "$ERR" EINVAL
	klua $how "$s" "return +"; is "$how of what does not compile" "$ERR" ENOEXEC
	log_mark
	klua $how "$s" "error('raised in a hook')"; is "$how of what raises an error" "$ERR" EINVAL
	in_log() { log_since | grep -q "lunatik: $s: $1"; }
	check "$how: the message is in the log" soon 20 in_log "$s/klua:1: raised in a hook"
	klua $how "$s" "return ('x'):rep(1e7)"; is "$how of what takes too much memory" "$ERR" ENOMEM
	stat_of "$s" overruns; before=$VALUE
	log_mark
	klua $how "$s" "while true do end"; is "$how of a loop ends" "$ERR" EINVAL
	stat_of "$s" overruns; is "$how: the overrun is counted" "$VALUE" $((before + 1))
	check "$how: and logged" soon 20 in_log ".*time budget exceeded"
	klua $how "$s" "while true do pcall(function() while true do end end) end"; is "$how of a loop that swallows errors ends" "$ERR" EINVAL
	klua $how "$s" "local function f() return coroutine.wrap(f)() end f()"; like "$how of endless nesting" "$ERR" "^(EINVAL|ENOMEM)$"
	for ((i = 0; i < 10; i++)); do klua $how "$s" "x = x"; [[ $ERR ]] || break; done
	is "$how: after that the state works on, within ten calls" "$ERR" ""
	((i == 0)) || diag "after $i calls that gave an error"
	log_mark
	klua $how "$s" "print('printed in a hook')"; is "$how of print" "$ERR" ""
	check "$how: the line is in the log" soon 20 in_log "printed in a hook"
done
ask "execute $s return y"; is "both contexts worked on the same globals" "$REPLY" 2
stat_of "$s" events; check "events are counted" test "$VALUE" -ge 18

# --- busy states ---

new_state b
cat >"$SYS/$b/code" <<'END'
total, hooks = 0, 0
END
# A script that runs meanwhile: at its breaks others may enter, in between they find the lock held.
rounds=$(scaled 200000)
((rounds > 200000)) || rounds=200000
ctl "execute $b for i = 1, $rounds do total = total + 1 end ended = true" &
soon 20 runs "$b"
klua timer "$b" "$(scaled 100)" 3 "total = total + 1 hooks = hooks + 1"
outcomes; good=$GOOD busy=$BUSY other=$OTHER
wait $!
ask "execute $b return ended, total - hooks"
is "a script and a timer count into one variable: nothing is lost" "$REPLY" "true	$rounds"
ask "execute $b return hooks"
# One whose time was up after it had counted says EINVAL.
check "the timer counted each of its own" test "$good" -le "$REPLY" -a "$REPLY" -le $((good + other))
check "and did so while the script ran" test "$good" -gt 0
diag "timer: $good executed, $busy found the state busy, $other were out of time"

ctl "execute $b stop = nil while not stop do end" &
soon 20 runs "$b"
klua spin "$b" "$(scaled 3000)" "hooks = hooks + 1"
outcomes; good=$GOOD busy=$BUSY
check "in process context a busy state gives EBUSY" test "$busy" -gt 0
is "and nothing else but 0" "$OTHER" 0
diag "process: $good executed, $busy found the state busy"
klua softirq-execute "$b" "error('fails', 0)"
like "an error in a hook" "$ERR" "^(EINVAL|EBUSY)$"
check "does not end the script that it interrupts" runs "$b"
# Its lock is free for a few of two hundred microseconds, and not always when anybody looks: it takes many tries.
klua until "$b" 100000 "stop = true"
outcomes
check "a hook ends the script by a variable" test "$GOOD" -gt 0
check "and so it does" soon 20 idle "$b"
ctl "cancel $b"
wait

# --- delete while busy ---

new_name d
klua create "$d"
ctl "execute $d while true do end" &
soon 20 runs "$d"
klua delete "$d"; is "klua_deletestate of a state whose script loops" "$ERR" ""
check "it is gone" is_gone "$d"
wait
klua create "$d"; is "its name is free" "$ERR" ""
klua spin "$d" 1 "error()"  # no success is left from before
klua timer "$d" 100000 3 "x = 1" &
found() { outcomes; ((GOOD > 0)); }
soon 20 found
klua delete "$d"; is "klua_deletestate of a state that a timer runs in" "$ERR" ""
check "it is gone" is_gone "$d"
wait
outcomes
check "the timer found it there, and then no more" test "$GOOD" -gt 0 -a "$OTHER" -gt 0

# --- lines from the background are bounded ---

new_state l
log_mark
began=$EPOCHREALTIME
klua timer "$l" 100 20 "print('from the background')"
seconds=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000000 + 1))
outcomes
lines() { log_since | grep -c "lunatik: $l: from the background"; }
some() { (($(lines) > 20)); }
soon 20 some
sleep 0.5
lines=$(lines)
diag "$GOOD prints in less than $seconds s, $lines of them logged"
check "some lines of 2,000 are logged" test "$lines" -gt 20
check "at most 100 a second" test "$lines" -le $((100 * (seconds + 1)))
sleep 1
klua execute "$l" "print('one more')"
said() { log_since | grep "lunatik: $l:" | grep -qE '[0-9]+ .*(dropped|suppressed|lost)'; }
check "and the next line says how many were dropped" soon 20 said
ask "execute $l for i = 1, 300 do print('answered') end"
is "lines that answer a writer are not bounded" "$(log_since | grep -c "lunatik: $l: answered")" 300

for name in "$s" "$b" "$l"; do klua delete "$name"; [[ -z $ERR ]] || break; done
is "klua_deletestate of states that ctl made" "$ERR" ""
check "klua_test.ko unloads" rmmod klua_test

finished
