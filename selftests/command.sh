#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The command `lunatik`: each of its commands, what it prints, its exit status and its messages; on a terminal, too; at last
# what it says without the module and without the right.

. "$(dirname "$0")/lib/lunatik.sh"
. "$HERE/lib/user.sh"
plan 76

lunatik() { lua5.3 "$USER_LUA/bin/lunatik" "$@"; }
# says DESCRIPTION STATUS REGEX ARG...: the command's exit status, and what both its outputs show.
says() {
	local text
	text=$(lunatik "${@:4}" 2>&1 </dev/null)
	like "$1" "$? $text" "^$2 $3"
}

# --- help and usage ---

says "help lists the commands" 0 'usage: lunatik COMMAND.*create .*STATE.*watch' help
says "no command shows it and fails" 2 'usage: lunatik COMMAND'
says "an unknown command" 2 "lunatik: no command 'dance'; 'lunatik help' shows them" dance
for command in list create destroy cancel run eval repl start send receive watch load unload upgrade check; do
	says "help of $command" 0 "usage: lunatik $command" "$command" --help
done
for wrong in "create" "create a 1 2" "destroy" "cancel" "run a" "eval a" "repl" "start" "send" "receive" "receive a b" "watch x" "list x"; do
	# shellcheck disable=SC2086
	says "wrong usage: $wrong" 2 "lunatik: usage: lunatik ${wrong%% *}" $wrong
done

# --- states ---

new_name s; new_name t
says "create" 0 '$' create "$s"
says "create with a limit" 0 '$' create "$t" 1M
is "the limit is set" "$(<"$SYS/$t/maxalloc")" 1048576
says "create of one that exists" 1 'lunatik: state already exists$' create "$s"
says "create with a size that is none" 1 'lunatik: malformed request$' create "$PREFIX.x" big
says "create with two words for a name" 1 'lunatik: malformed request$' create "$PREFIX.x y"
says "list" 0 "NAME +MAXALLOC +CURRALLOC +USED"$'\n'".*$t +1048576 +[0-9]+ +[0-9]+%" list
python3 -c 'import json, sys; print(*sorted((s["name"], s["maxalloc"]) for s in json.load(sys.stdin)))' \
	<<<"$(lunatik list --json)" >"$TMP/json" 2>&1
is "list --json" "$(<"$TMP/json")" "('$s', $(<"$PARAMETERS/defaultmaxalloc")) ('$t', 1048576)"

# --- completion ---

. "$USER_LUA/completion.bash"
completed() { COMP_WORDS=(lunatik "$@") COMP_CWORD=$#; _lunatik; echo "${COMPREPLY[*]}"; }
is "completion of a command" "$(completed re)" "repl receive"
is "completion of a state" "$(completed run "${s:0:5}" | grep -o "$s")" "$s"

# --- scripts ---

printf 'count = (count or 0) + 1\nreturn count, "two"\n' >"$TMP/good.lua"
printf 'local function f() error("boom") end\nf()\n' >"$TMP/bad.lua"
says "run" 0 $'1\ttwo$' run "$s" "$TMP/good.lua"
is "run from standard input" "$(lunatik run "$s" - <"$TMP/good.lua")" $'2\ttwo'
says "a script that fails, with its traceback" 1 "lunatik: $TMP/bad.lua:1: boom.*stack traceback:.*:2: in main chunk" run "$s" "$TMP/bad.lua"
says "one from standard input" 1 'lunatik: ' run "$s" "$TMP/none.lua"
says "run where no state is" 1 'lunatik: no such state$' run "$PREFIX.none" "$TMP/good.lua"
says "eval of an expression" 0 $'3\t7$' eval "$s" count + 1, 3 + 4
says "eval of a statement" 0 '$' eval "$s" count = 10
says "which was done" 0 '10$' eval "$s" count
says "eval of what does not compile" 1 'lunatik: eval:1: .*near <eof>' eval "$s" 'x ='
says "eval past the limit" 1 'lunatik: not enough memory$' eval "$s" 'string.rep("x", 1e6)'

lunatik eval "$s" 'while true do end' >"$TMP/loop" 2>&1 &
running() { stat_of "$s" status; [[ $VALUE == running ]]; }
check "a loop runs" soon 10 running
says "cancel" 0 '$' cancel "$s"
wait $!
like "which ends it" "$? $(<"$TMP/loop")" '^130 lunatik: .*cancelled'

# --- start ---

printf '#!x\nprint(#arg) return lunatik.name(), arg[0], arg[1], (select(2, ...))\n' >"$TMP/my script.lua"
says "start: a state of its own, with arguments" 0 $'my_script\t.*/my script.lua\ta b\t\'c"$' start "$TMP/my script.lua" "a b" $'\'c"\n'
printf 'timer.sleep(0.3) for i = 1, 1000000 do end print("slept")\n' >"$TMP/sleeps.lua"
log_mark
says "start: a script that waits" 0 '$' start -m 128K "$TMP/sleeps.lua"
like "runs to its end" "$(log_since)" 'lunatik: sleeps: slept'
printf 'timer.sleep(0.1) error("late")\n' >"$TMP/late.lua"
says "start: a later error" 1 'lunatik: .*late.lua:1: late' start "$TMP/late.lua"
says "start: an error" 1 'lunatik: .*boom' start "$TMP/bad.lua"
printf 'while true do end\n' >"$TMP/forever.lua"
text=$(timeout --foreground -s INT 3 lua5.3 "$USER_LUA/bin/lunatik" start "$TMP/forever.lua" 2>&1); status=$?
like "start: Control-C ends it" "$status $text" '^(124|130) lunatik: .*interrupted'
check "no state is left of these" test "$(lunatik list | grep -cE '^(my_script|sleeps|late|bad|forever)')" = 0

# --- repl ---

repl=$(printf 'x = 5\nx + 1\n=x\nfunction f()\nreturn "in f"\nend\nf()\nerror("no")\n' | lunatik repl "$s" 2>&1); status=$?
like "repl from a pipe" "$status $repl" $'^1 6\n5\nin f\nstdin:1: no\nstack traceback:'
says "repl where no state is" 1 'lunatik: no such state$' repl "$PREFIX.none"
# typed KEYS...: what a terminal shows when these are typed to repl.
typed() { printf '%s\n' "$@" | python3 "$HERE/scripts/typed.py" lua5.3 "$USER_LUA/bin/lunatik" repl "$s" 2>&1; }
shown=$(typed '~> ' '6 * 8\x7f7\r' '~42\r\n.*> ' '\x1b[A + 1\r' '~43\r\n.*> ' 'do\r' '~>> ' 'y = 9 end\r' '~> ' 'y\r' '~9\r\n.*> ' \
	'while true do end\r' '~\n' '\x03' '~interrupted.*> ' 'dropped\x03' '~> ' 'y + 1\r' '~10\r\n.*> ' '\x04')
like "repl on a terminal: editing, history, lines that go on, Control-C, Control-D" "$shown" 'exit status 0$'
lunatik destroy "$t"

# --- messages ---

says "send where nobody listens" 1 'lunatik: the state has no function receive_callback' send "$s" hello
lunatik eval "$s" 'function receive_callback(m) lunatik.send("got " .. memory.tostring(m)) end'
says "send" 0 '$' send "$s" hello there
says "receive" 0 'got hello there$' receive "$s"
printf 'a\nb' | lunatik send "$s"
is "send of standard input, receive as it is" "$(lunatik receive -r "$s"; echo .)" $'got a\nb.'
says "receive that waits in vain" 1 'lunatik: no message came$' receive -t 0.2 "$s"
says "send of too much" 1 'lunatik: 40000 bytes are too long a message' send "$s" "$(printf '%040000d' 0)"
says "send of nothing" 1 'lunatik: an empty message cannot be sent$' send "$s"
says "receive where no state is" 1 'lunatik: no such state$' receive "$PREFIX.none"
lunatik receive -f "$s" >"$TMP/followed" 2>&1 &
for i in 1 2 3; do lunatik send "$s" $i; done
soon 10 grep -q 'got 3' "$TMP/followed"

# --- watch ---

(sleep 0.3; for i in 1 2 3 4; do lunatik eval "$s" 1 >/dev/null; done) &
like "watch" "$(lunatik watch -i 2 -n 2)" "STATE +STATUS +MEMORY.*$s +[a-z]+ +\[#*\.*\] +[0-9]+[BK] of 64K +0\.0.*$s .* (0\.[1-9]|[1-9][0-9.]*) +0\.0 +0\.0"
says "destroy of what is not there" 1 'lunatik: no such state$' destroy "$PREFIX.none"
new_state t
says "destroy of two" 0 '$' destroy "$s" "$t"
wait
is "receive -f ends with the state" "$(<"$TMP/followed")" $'got 1\ngot 2\ngot 3'

finished
