#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The language itself, as scripts/language.lua walks through it, loaded as a user would.

. "$(dirname "$0")/lib/lunatik.sh"
plan $(($(grep -c '^is(' "$HERE/scripts/language.lua") + 6))

new_state s 256K
ctl "execute $s STATE = '$s'"
errno_in "$(cat "$HERE/scripts/language.lua" 2>&1 >"$SYS/$s/code")"
is "the script runs" "$ERR" ""
results "$(<"$SYS/$s/code")"

# Each state has globals, a random generator and string hashes of its own.
new_state t
ask "execute $t return STATE, x"; is "another state knows nothing of it" "$REPLY" $'nil\tnil'
ctl "execute $t string.upper = nil string.x = 1"
ask "execute $s return ('a'):upper(), string.x"; is "nor does what it does to a library" "$REPLY" $'A\tnil'
ask "execute $s return math.random(1 << 60)"; first=$REPLY
ask "execute $t return math.random(1 << 60)"
check "random numbers differ between states" test "$first" != "$REPLY"
ask "execute $t return tostring(print), tostring({})"
like "addresses are printed" "$REPLY" $'^function: (builtin: )?0x[0-9a-f]+\ttable: 0x[0-9a-f]+$'
check "but not the kernel's own" test -z "$(grep -E '0xffff[89a-f][0-9a-f]{11}' <<<"$REPLY")"

finished
