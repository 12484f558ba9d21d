#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The user-space libraries with Debian's lua5.3: `lunatik` and `nflua`, each function and failure, and programs that use
# both; then processes that exchange messages with ten states, processes that are killed, and one without the right.

. "$(dirname "$0")/lib/lunatik.sh"
. "$HERE/lib/user.sh"
plan 430

for library in lunatik nflua; do
	results "$(lua5.3 "$HERE/user_$library.lua" "$PREFIX.$library" 2>&1 || echo "not ok user_$library.lua ends # status $?")"
done
many=$(scaled 904)   # there is room for no more than maxstates
results "$(lua5.3 "$HERE/user_programs.lua" "$PREFIX.programs" "$((many < 904 ? many : 904))" 2>&1 || echo "not ok user_programs.lua ends # status $?")"

# --- two processes, ten states ---

count=$(scaled 1000) ten=()
for ((i = 0; i < 10; i++)); do
	new_state name
	ten+=("$name")
	run_in "$name" "function __receive_callback(port, m) netlink.send(port, 0, m) end"
done
pids=()
for who in 1 2; do
	lua5.3 "$HERE/scripts/exchange.lua" "$who" "$count" "${ten[@]}" >"$TMP/exchange.$who" 2>&1 &
	pids+=($!)
done
new_name name
lua5.3 "$HERE/scripts/stream.lua" "$count" "$name" >"$TMP/stream" 2>&1 &
wait "${pids[@]}" $!
for who in 1 2; do
	is "process $who: $((count * 10)) messages to ten states and back, once and in order" "$(<"$TMP/exchange.$who")" "done $((count * 10))"
done
is "another: $count messages through a state object, two answers each" "$(<"$TMP/stream")" "done $count"

# --- killed processes ---

cat >"$TMP/receiver.lua" <<'END'
local data = assert(require "nflua".data(789))
io.open(arg[1], "w"):close()
data:receive(memory.create(32768), 0)
END
cat >"$TMP/holder.lua" <<'END'
local lunatik = require "lunatik"
local state = assert(lunatik.session():getstate(arg[2]))
io.open(arg[1], "w"):close()
state:receive()
END
# killed SCRIPT ARG...: starts it, kills it when it has made its file.
killed() {
	rm -f "$TMP/ready"
	lua5.3 "$TMP/$1" "$TMP/ready" "${@:2}" &
	soon 10 test -e "$TMP/ready" || return 1
	"${meanwhile[@]}"
	kill -9 $! && wait $! 2>/dev/null
	[[ $? == 137 ]]
}
sends() { ask "execute ${ten[0]} return pcall(netlink.send, 789, 0, 'x')"; }
meanwhile=(:)
check "a process that waits at a port is killed" killed receiver.lua
sends; is "its port is nobody's" "$REPLY" $'false\tfailed to send message. Return code -111'
refused_meanwhile() { taken "${ten[1]}" && touch "$TMP/wrong"; true; }
cat >"$TMP/taken.lua" <<'END'
os.exit(require "lunatik".session():getstate(arg[1]) and 0 or 1)
END
taken() { lua5.3 "$TMP/taken.lua" "$1"; }
meanwhile=(refused_meanwhile)
check "a process that holds a state is killed" killed holder.lua "${ten[1]}"
check "while it lived nobody else got the state" test ! -e "$TMP/wrong"
check "now somebody does" taken "${ten[1]}"

for moment in 0.05 0.1 0.2 0.4; do
	lua5.3 "$HERE/scripts/exchange.lua" 3 1000000 "${ten[@]}" >"$TMP/exchange.3" 2>&1 &
	sleep "$moment"
	kill -9 $!
	wait $! 2>/dev/null
done
is "after four more, killed amid their messages, another has all of its own" "$(lua5.3 "$HERE/scripts/exchange.lua" 4 10 "${ten[@]}" 2>&1)" \
	"done 100"

# --- without the right ---

cat >"$TMP/open.lua" <<'END'
print(require "lunatik".session())
print(require "nflua".control())
print(require "nflua".data(1))
END
is "a user who is not root" "$(setpriv --reuid 65534 --regid 65534 --clear-groups lua5.3 - <"$TMP/open.lua" 2>&1)" \
	"$(printf 'nil\tPermission denied\t-13\n%.0s' 1 2 3)"
finished
