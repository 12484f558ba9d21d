#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The requests of /proc/lunatik/ctl, their errors, names and sizes; and that every usual writer delivers them whole,
# however it cuts them. What a session remembers is in session.py.

. "$(dirname "$0")/lib/lunatik.sh"
plan 101

# refused DESCRIPTION ERRNO REQUEST
refused() { ctl "$3"; is "$1: $2" "$ERR" "$2"; }
exists() { [[ -d $SYS/$1 ]]; }
listed() { ask list; sed -n "s/^$1 //p" <<<"$REPLY"; }

# --- create, list, destroy ---

new_name s
ctl "create $s"; is "create" "$ERR" ""
check "its directory exists" exists "$s"
like "list has name, limit and use" "$(listed "$s")" "^$(<$PARAMETERS/defaultmaxalloc) [1-9][0-9]*\$"
refused "create of one that exists" EEXIST "create $s"
ask "execute $s return 6*7"; is "execute gives the result" "$ERR:$REPLY" ":42"
ctl "destroy $s"; is "destroy" "$ERR" ""
check "its directory is gone" test ! -e "$SYS/$s"
is "list has it no more" "$(listed "$s")" ""
refused "destroy of one that is not there" ENOENT "destroy $s"
refused "execute where no state is" ENOENT "execute $s return 1"
refused "run where no state is" ENOENT "run $s 3"
refused "cancel where no state is" ENOENT "cancel $s"
ask "execute $s return 1"; is "its reply says so" "$REPLY" "no such state"
ctl "create $s" "destroy $s" "create $s 65536"; is "a name is free again at once" "$ERR" ""
ctl "cancel $s"; is "cancel where nothing runs" "$ERR" ""
ctl "" "   " $'\t' "execute $s x = 1" ""; is "blank lines are skipped" "$ERR" ""
ctl $'execute\t'"$s"$' x = 2\r' "  execute   $s   y = 3  "; is "blanks may be tabs, several, or a carriage return" "$ERR" ""
ask "execute $s return x, y"; is "and both lines were run" "$REPLY" $'2\t3'

# --- what is no request ---

new_name n
while IFS='|' read -r what request; do
	refused "$what" EINVAL "${request//NAME/$n}"
done <<'END'
an unknown request|bogus
a request in capitals|CREATE NAME
create without a name|create
create with a slash in the name|create a/b
create of .|create .
create of ..|create ..
create with a colon|create a:b
create with a byte beyond ASCII|create naïve
create with a third word|create NAME 65536 x
a size of letters|create NAME big
a size with a letter after it|create NAME 64X
a size with two letters|create NAME 64KB
a unit without a number|create NAME K
a negative size|create NAME -65536
a fraction|create NAME 1.5M
a hexadecimal size|create NAME 0x10000
a size past 2^64|create NAME 18446744073709551616
a size whose unit takes it past 2^64|create NAME 17179869184G
a size of zero|create NAME 0
list with a word|list NAME
destroy without a name|destroy
destroy with two names|destroy NAME NAME
cancel without a name|cancel
run without a length|run NAME
run with a length of letters|run NAME ten
run with a negative length|run NAME -1
execute without a name|execute
END
check "none of them made a state" test ! -e "$SYS/$n"
ask bogus; is "the reply to what is no request" "$REPLY" "malformed request"
refused "a size of one byte under the minimum" EINVAL "create $n $(($(<$PARAMETERS/minalloc) - 1))"
refused "more memory than all states may have" ENOMEM "create $n 8388608G"
refused "a line too long for any request but execute" EINVAL "list $(printf '%600s' '')"

# --- names ---

long=$(printf 'n%062d' $RANDOM)
ctl "create $long"; is "a name of 63 bytes" "$ERR" ""
check "has a directory" exists "$long"
ask "execute $long error('x')"; like "which messages show as far as LUA_IDSIZE goes" "$REPLY" "^${long:0:59}:1: x"
ctl "destroy $long"
refused "a name of 64 bytes" ENAMETOOLONG "create ${long}x"
refused "a name of 64 bytes in execute" ENAMETOOLONG "execute ${long}x return 1"
odd=-._Zz9.$PREFIX
ctl "create $odd"; is "a name of all kinds of characters" "$ERR" ""
ctl "destroy $odd"
ctl "create ..."; is "a name of three dots" "$ERR" ""; ctl "destroy ..."

for name in "$PREFIX.b" "$PREFIX.a" "$PREFIX.B" "$PREFIX.aa" "$PREFIX.-"; do ctl "create $name 32K"; done
is "list is sorted by the bytes of the names" "$(grep -oE "^$PREFIX\.(b|a|B|aa|-) " <$CTL | tr -d '\n')" \
	"$PREFIX.- $PREFIX.B $PREFIX.a $PREFIX.aa $PREFIX.b "

# --- sizes ---

while read -r size bytes; do
	new_name n
	ctl "create $n $size"
	is "$size is $bytes bytes" "$ERR:$(cat "$SYS/$n/maxalloc" 2>&1)" ":$bytes"
	ctl "destroy $n"
done <<'END'
32768 32768
32K 32768
64k 65536
100000 100000
2M 2097152
3m 3145728
END
new_name n
ctl "create $n 1G"
if (($(<$PARAMETERS/totalmax) >= 1 << 30)); then wanted=; else wanted=ENOMEM; fi
is "1G, as totalmax allows it" "$ERR" "$wanted"

# --- scripts that fail ---

ask "execute $s local function f() error('boom') end f()"
is "an error raised" "$ERR" EINVAL
like "its message has the chunk's name and line" "$REPLY" "^$s/execute:1: boom"
like "and a traceback" "$REPLY" $'\nstack traceback:\n.*in local .f.'
ask "execute $s return 1 +"
is "what does not compile" "$ERR" ENOEXEC
like "its message" "$REPLY" "^$s/execute:1: unexpected symbol near <eof>"
ask "execute $s return string.rep('x', 1e6)"
is "more memory than the limit" "$ERR" ENOMEM
is "its message" "$REPLY" "not enough memory"
ask "execute $s error({})"
is "an error that is a table" "$ERR:${REPLY%%$'\n'*}" "EINVAL:(error object is a table value)"
ask "execute $s error(setmetatable({}, {__tostring = function() return 'mine' end}))"
is "an error with __tostring" "$ERR:${REPLY%%$'\n'*}" "EINVAL:mine"
ask "execute $s error()"
like "an error that is nil" "$ERR:$REPLY" "EINVAL:.*nil"
ask "execute $s return 1, nil, true, 'x', 1.5, 2.0"
is "results are separated by tabs" "$ERR:$REPLY" $':1\tnil\ttrue\tx\t1.5\t2.0'
run_in "$s" "error('x')" " lua in  kernel "
is "a script's name may have blanks" "$ERR:${REPLY%%$'\n'*}" 'EINVAL:[string "lua in  kernel"]:1: x'
ask "execute $s"; is "an empty chunk" "$ERR:$REPLY" ":"
max=$(<$PARAMETERS/scriptmax)
refused "a run longer than scriptmax" EFBIG "run $s $((max + 1))"
is "an execute longer than scriptmax" "$( { printf 'execute %s --' "$s"; head -c "$max" /dev/zero | tr '\0' x; echo; } 2>&1 >$CTL | grep -o 'File too large')" \
	"File too large"

# --- every writer ---

# A script of many lines, longer than stdio's buffers, that says whether it ran twice.
script="count = (count or 0) + 1"$'\n'
for ((i = 0; i < 150; i++)); do script+="local s = 'line $i: some text that makes the script longer than a buffer of stdio'"$'\n'; done
script="do $script end"$'\n'
failing=$script"error('fails at its end')"$'\n'
printf '%s' "$script" >"$TMP/good.lua"; printf '%s' "$failing" >"$TMP/bad.lua"

cat >"$TMP/sh" <<'END'
printf 'run %s %d\n%s\n' "$1" "$2" "$(cat "$3")" >/proc/lunatik/ctl
END
cat >"$TMP/lua" <<'END'
local f = assert(io.open(arg[3])); local text = f:read("a"); f:close()
local ctl = assert(io.open("/proc/lunatik/ctl", "w"))
local good, why = ctl:write("run ", arg[1], " ", arg[2], "\n", text)
if good then good, why = ctl:flush() end
local closed, last = ctl:close()
if not (good and closed) then io.stderr:write(why or last, "\n") os.exit(1) end
END
cat >"$TMP/python" <<'END'
import sys
try:
    with open("/proc/lunatik/ctl", "w") as ctl, open(sys.argv[3]) as script:
        ctl.write("run %s %s\n" % (sys.argv[1], sys.argv[2]))
        for line in script:
            ctl.write(line)
except OSError as error:
    sys.exit(error.strerror)
END
cat >"$TMP/cat" <<'END'
{ echo "run $1 $2"; cat "$3"; } >/proc/lunatik/ctl
END
cat >"$TMP/dd" <<'END'
{ echo "run $1 $2"; cat "$3"; } | dd bs=113 iflag=fullblock status=none of=/proc/lunatik/ctl
END
while IFS='|' read -r writer command says; do
	ctl "execute $s count = nil"
	said=$($command "$s" ${#script} "$TMP/good.lua" 2>&1)
	ask "execute $s return count"
	is "$writer: a script of $((${#script} / 1024)) KiB runs once" "$?:$said:$REPLY" "0::1"
	said=$($command "$s" ${#failing} "$TMP/bad.lua" 2>&1); status=$?
	ask "execute $s return count"
	like "$writer: one that fails says so" "$status:$said" "$says"
	is "$writer: and runs once" "$REPLY" "2"
done <<END
bash|bash $TMP/sh|^1:.*Invalid argument
dash|dash $TMP/sh|^1:.*I/O error
busybox|busybox sh $TMP/sh|^1:
lua5.3|lua5.3 $TMP/lua|^1:Invalid argument
python3|python3 $TMP/python|^1:Invalid argument
cat|bash $TMP/cat|^1:cat: .*Invalid argument
dd|bash $TMP/dd|^1:dd: .*Invalid argument
END

finished
