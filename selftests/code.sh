#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# /sys/kernel/lunatik/NAME/code as people use it from a shell: all that is written until the last close is one script,
# it runs once, and the writer learns how it ended. Descriptors, signals and processes are in commit.py.

. "$(dirname "$0")/lib/lunatik.sh"
plan 56

new_state s
CODE=$SYS/$s/code
# executions: sets VALUE to how many scripts have run since the last call of `none_yet`.
none_yet() { stat_of "$s" executions; base=$VALUE; }
executions() { stat_of "$s" executions; VALUE=$((VALUE - base)); }

# --- one script ---

echo "local secret = 42" >"$TMP/a.lua"
echo "count = (count or 0) + 1 return secret, count" >"$TMP/b.lua"
said=$(cat "$TMP/b.lua" 2>&1 >"$CODE"); is "cat of a script" "$?:$said" "0:"
is "its results are read back" "$(cat "$CODE")" $'nil\t1'
is "by everyone, again and again" "$(cat "$CODE")" $'nil\t1'
none_yet
{ cat "$TMP/a.lua"; cat "$TMP/b.lua"; } >"$CODE"; status=$?
executions
is "two files in one redirection are one script" "$status:$VALUE:$(<"$CODE")" $'0:1:42\t2'
none_yet
cat "$TMP/a.lua" "$TMP/b.lua" | cat >"$CODE"; status=$?
executions
is "the end of a pipeline" "$status:$VALUE:$(<"$CODE")" $'0:1:42\t3'
none_yet
cat >"$CODE" <<'END'
local t = {}
for i = 1, 3 do t[i] = i * i end
return table.concat(t, ",")
END
executions
is "a here document" "$VALUE:$(<"$CODE")" "1:1,4,9"
none_yet
dd if="$TMP/b.lua" of="$CODE" bs=1 status=none; status=$?
executions
is "writes of one byte" "$status:$VALUE:$(<"$CODE")" $'0:1:nil\t4'
none_yet
tee "$CODE" <"$TMP/b.lua" >/dev/null; status=$?
executions
is "tee" "$status:$VALUE:$(<"$CODE")" $'0:1:nil\t5'
none_yet
echo "return 'by a builtin'" >"$CODE"
executions
is "a builtin's echo" "$VALUE:$(<"$CODE")" "1:by a builtin"
none_yet
printf 'return "no newline"' | cat >"$CODE"
executions
is "no newline at the end" "$VALUE:$(<"$CODE")" "1:no newline"
none_yet
exec 5>"$CODE"
echo "local x = 1" >&5
cat >&5 <<<"local y = 2"
executions; before=$VALUE
echo "return x + y" >&5
exec 5>&-
executions
is "a descriptor of the shell, used by several commands" "$before:$VALUE:$(<"$CODE")" "0:1:3"
none_yet
cp "$TMP/b.lua" "$CODE"; status=$?
executions
is "cp" "$status:$VALUE:$(<"$CODE")" $'0:1:nil\t6'
none_yet
for shell in dash "busybox sh"; do
	$shell -c "{ cat $TMP/a.lua; cat $TMP/b.lua; } >$CODE"; status=$?
	is "$shell: two files in one redirection" "$status:$(cut -f1 "$CODE")" "0:42"
done
executions
is "each ran once" "$VALUE" 2
lua5.3 -e "local f = assert(io.open('$CODE', 'w')) f:write('return ') f:write('1 + 1') assert(f:close())"
is "lua5.3: io.write and close" "$?:$(<"$CODE")" "0:2"
lua5.3 -e "local f = assert(io.open('$CODE', 'w')) f:write('error(1)') os.exit(f:close() == nil and 7 or 0)"
is "lua5.3: close fails when the script does" "$?" 7
none_yet
: >"$CODE"
executions
is "opened and closed, nothing written: nothing runs" "$VALUE" 0

# --- large ones ---

# big BYTES: a script of that size which counts its runs.
big() { echo "count = (count or 0) + 1"; head -c $(($1 - 38)) /dev/zero | tr '\0' ' '; echo "return count"; }
max=$(<$PARAMETERS/scriptmax)
ctl "execute $s count = 0"
big 307200 >"$TMP/big.lua"
is "the script has 300 KiB" "$(stat -c %s "$TMP/big.lua")" 307200
none_yet
cat "$TMP/big.lua" >"$CODE"; status=$?
executions
is "300 KiB through a state of 64 KiB" "$status:$VALUE:$(<"$CODE")" "0:1:1"
big "$max" >"$TMP/big.lua"
dd if="$TMP/big.lua" of="$CODE" bs="$max" status=none
is "a script of exactly scriptmax, in one write" "$?:$(<"$CODE")" "0:2"
big $((max + 1)) >"$TMP/big.lua"
none_yet
to "$CODE" "$(<"$TMP/big.lua")"
executions
is "one byte more" "$ERR:$VALUE" "EFBIG:0"
for bytes in $((max + 1)) $((max + 400000)); do
	none_yet
	errno_in "$(dd if="$TMP/big.lua" of="$CODE" bs=$bytes status=none 2>&1)"
	executions
	is "in writes of $bytes bytes" "$ERR:$VALUE" "EFBIG:0"
done
{ head -c $((max + 1)) "$TMP/big.lua"; echo "count = 1000"; } 2>/dev/null >"$CODE"
ask "execute $s return count"; is "nothing of it has run, nor what came after it" "$REPLY" 2

# --- what fails ---

log_mark
said=$( { cat >"$CODE"; } 2>&1 <<<$'touched = true\nlocal function inner() error("boom") end\ninner()'); status=$?
is "cat of a script that raises an error" "$status:$said" "1:cat: write error: Invalid argument"
like "the outcome is the message with its place" "$(<"$CODE")" "^$s/code:2: boom"$'\n'
like "and the traceback" "$(<"$CODE")" $'\nstack traceback:\n.*in (upvalue|local) .inner.\n.*in main chunk'
like "both are in the kernel log" "$(log_since)" "lunatik: $s: $s/code:2: boom"$'\n'"lunatik: $s: stack traceback:"
ask "execute $s return touched"; is "what it did before stays done" "$REPLY" true
to "$CODE" "return +"; is "what does not compile" "$ERR" ENOEXEC
like "its message" "$(<"$CODE")" "^$s/code:1: unexpected symbol near '\\+'"
to "$CODE" "return ('x'):rep(1e6)"; is "what takes too much memory" "$ERR:$(<"$CODE")" "ENOMEM:not enough memory"
to "$CODE" "return 'fine'"; is "the next one is well again" "$ERR:$(<"$CODE")" ":fine"
like "no such state, no such file" "$( (cat <<<x >"$SYS/$PREFIX.none/code") 2>&1)" "No such file or directory"

# --- odd texts ---

to "$CODE" $'#!/usr/bin/env lunatik\nreturn debug.getinfo(1, "l").currentline'
is "a first line that begins with # is skipped, and counted" "$ERR:$(<"$CODE")" ":2"
to "$CODE" $'\xef\xbb\xbfreturn "bom"'; is "a byte order mark is skipped" "$ERR:$(<"$CODE")" ":bom"
to "$CODE" $'\xef\xbb\xbf#!lua\nreturn "both"'; is "both" "$ERR:$(<"$CODE")" ":both"
to "$CODE" "#!only"; is "a first line and nothing else" "$ERR:$(<"$CODE")" ":"
to "$CODE" ""; is "a newline" "$ERR:$(<"$CODE")" ":"
printf 'return #"a\0b\0"' | cat >"$CODE"; is "zero bytes in a string" "$(<"$CODE")" 4
printf 'x = 1 \0 y = 2' >"$TMP/nul"
errno_in "$(cat "$TMP/nul" 2>&1 >"$CODE")"; is "zero bytes between words do not compile" "$ERR" ENOEXEC
printf 'return "a", 1\r\n' | cat >"$CODE"; is "carriage returns" "$(<"$CODE")" $'a\t1'
printf '\x1bLuaS\0\x19\x93\r\n\x1a\n\x04\x08\x04\x08\x08xV' >"$TMP/binary"
errno_in "$(cat "$TMP/binary" 2>&1 >"$CODE")"
is "a binary chunk" "$ERR" ENOEXEC
like "its message" "$(<"$CODE")" "attempt to load a binary chunk|unexpected symbol"
to "$CODE" "return 'Grüße', #'ü', '日本'"; is "UTF-8" "$(<"$CODE")" $'Grüße\t2\t日本'

# --- two at once ---

slow='for i = 1, 40 do order = order .. "NAME" local x = 0 for j = 1, 20000 do x = x + j end end'
ctl "execute $s order = ''"
none_yet
for who in a b c; do cat >"$CODE" <<<"${slow/NAME/$who}" & done
wait
executions
ask "execute $s return order"
is "three writers at once: all run" "$VALUE:${#REPLY}" "3:120"
is "one after another, whole" "$(fold -w40 <<<"$REPLY" | sort | tr -d '\n')" "$(printf 'a%.0s' {1..40})$(printf 'b%.0s' {1..40})$(printf 'c%.0s' {1..40})"

# --- stats ---

new_state t
stat_of "$t" status; is "status of one that has run nothing" "$VALUE" idle
stat_of "$t" script; is "its script" "$VALUE" -
before=$(date +%s)
to "$SYS/$t/code" "return 1"
stat_of "$t" status; is "status after a script" "$VALUE" idle
stat_of "$t" script; is "its script" "$VALUE" "$t/code"
stat_of "$t" loaded_at; check "when it was loaded" test "$VALUE" -ge "$before" -a "$VALUE" -le "$(date +%s)"
to "$SYS/$t/code" "error(1)"
stat_of "$t" status; is "status after one that failed" "$VALUE" failed
stat_of "$t" errors; is "errors" "$VALUE" 1
stat_of "$t" executions; is "executions" "$VALUE" 2

finished
