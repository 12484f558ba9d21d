#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What an installation consists of, as far as it needs no package: the script behind lunatik@.service, `lunatik unload` and
# `upgrade`, and what kernel-tree says of kernels that cannot take the module. systemctl, modprobe, rmmod, dpkg-query and rustc are
# stand-ins here that record or claim things; selftests/package has the real ones.

. "$(dirname "$0")/lib/lunatik.sh"
. "$HERE/lib/user.sh"
DIST=$(cd "$HERE/../lua/dist" && pwd)
plan 39

mkdir "$TMP/bin"
# stand_in NAME BODY: a command of that name comes first in PATH.
stand_in() { printf '#!/bin/bash\n%s\n' "$2" >"$TMP/bin/$1"; chmod +x "$TMP/bin/$1"; }
export PATH=$TMP/bin:$PATH TMP
stand_in lunatik "exec lua5.3 '$USER_LUA/bin/lunatik' \"\$@\""

# --- lunatik@.service ---

new_name s
mkdir -p /etc/lunatik
trap 'rm -f /etc/lunatik/$PREFIX*; rmdir --ignore-fail-on-non-empty /etc/lunatik; cleanup' EXIT
script=/etc/lunatik/$s.lua
unit() { said=$(MAXALLOC=${LIMIT-} sh "$DIST/systemd/unit" "$@" 2>&1); status=$?; }
# unit_is DESCRIPTION STATUS REGEX: of the last one.
unit_is() { like "$1" "$status $said" "^$2 ?$3"; }

unit start "$s"
unit_is "start without a script fails" 1 "lunatik@$s: there is no script $script"
check "and makes no state" test ! -e "$SYS/$s"
printf 'count = (count or 0) + 1\n' >"$script"
LIMIT=256K unit start "$s"
unit_is "start" 0 '$'
is "has the limit of its configuration" "$(<"$SYS/$s/maxalloc")" 262144
unit reload "$s"
unit_is "reload" 0 '$'
ask "execute $s return count"
is "runs the script in the same state" "$REPLY" 2
printf 'local function rule() error("broken") end\nrule()\n' >"$script"
unit reload "$s"
unit_is "reload of a broken script fails with its traceback" 1 "lunatik@$s: $script failed:.*code:1: broken.*stack traceback.*what ran before goes on"
ask "execute $s return count"
is "what was there stays" "$REPLY" 2
LIMIT=1 unit reload "$s"
unit_is "reload with an impossible limit fails" 1 ".*the limit cannot be 1"
unit start "$s"
unit_is "start of a state that is there already fails" 1 'lunatik: state already exists'
unit stop "$s"
unit_is "stop" 0 '$'
check "destroys the state" test ! -e "$SYS/$s"
unit stop "$s"
unit_is "a second stop does no harm" 0 '$'
unit start "$s"
unit_is "start of a broken script fails with its traceback" 1 "lunatik@$s: $script failed:.*code:1: broken.*stack traceback"
check "and leaves no state" test ! -e "$SYS/$s"
LIMIT=12x unit start "$s"
unit_is "start with a limit that is none" 1 'lunatik: malformed request'
printf 'return 1\n' >"$script"
said=$(PERCPU=yes sh "$DIST/systemd/unit" start "$s" 2>&1)
stat_of "$s" interpreters
is "start with an interpreter for each processor" "$said$VALUE" "$(nproc)"
unit stop "$s"
check "lost: the state of a unit that failed to start is" env MONITOR_UNIT="lunatik@$s.service" sh "$DIST/systemd/unit" lost
check "lost: and so is whatever somebody means who asks by hand" sh "$DIST/systemd/unit" lost
ctl "create $s"
check "lost: that of a unit that failed to reload is not" eval '! MONITOR_UNIT="lunatik@$s.service" sh "$DIST/systemd/unit" lost'
unit stop "$s"
unit dance "$s"
unit_is "an unknown action" 2 'usage: '

# --- unload and upgrade ---

# record NAME STATUS [OUTPUT]: a stand-in that tells of its call.
record() { stand_in "$1" "echo \"$1 \$*\" >>\"\$TMP/calls\"; ${3-:}; exit $2"; : >"$TMP/calls"; }
calls() { tr '\n' ';' <"$TMP/calls"; }
command() { said=$(lunatik "$@" 2>&1); status=$?; }
record rmmod 0; record modprobe 0; record insmod 0
record systemctl 0
new_name t
ctl "create $t"
command unload
unit_is "unload without hooks" 0 '$'
is "removes the module" "$(calls)" "rmmod lunatik;"
run_in "$t" 'local nf = require "netfilter" nf.register { family = "ipv4", hook = "input", priority = 0, onerror = "accept", call = function() end }'
if [[ $REPLY == *"module 'netfilter' not found"* ]]; then
	diag "this module has no netfilter library: hooks cannot be seen"
	pass "unload with a hook is refused"; pass "and leaves the module"; pass "unless forced"
else
	record rmmod 0
	command unload
	unit_is "unload with a hook is refused" 1 'lunatik: 1 hook is registered'
	is "and leaves the module" "$(calls)" ""
	command unload --force
	is "unless forced" "$status $(calls)" "0 rmmod lunatik;"
fi
record rmmod 0
command upgrade
unit_is "upgrade with a state that no unit brings back is refused" 1 "lunatik: state $t would be lost"
is "and does nothing" "$(grep -v list-units "$TMP/calls")" ""
record systemctl 0 "[[ \$1 != list-units ]] || echo 'lunatik@$t.service loaded active exited'"
command upgrade
is "upgrade: units stop, the module changes, units start" "$status $(grep -v list-units "$TMP/calls" | tr '\n' ';')" \
	"0 systemctl stop lunatik@$t.service;rmmod lunatik;modprobe lunatik;systemctl start lunatik@$t.service;"
record rmmod 1
command upgrade
is "upgrade of a module that is in use: units are brought back" "$status $(grep -v list-units "$TMP/calls" | tr '\n' ';')" \
	"1 systemctl stop lunatik@$t.service;rmmod lunatik;systemctl start lunatik@$t.service;"
record rmmod 0
record systemctl 0 "[[ \$1 != list-units ]] || echo 'lunatik@$t.service loaded active exited'; [[ \$1 != start ]] || exit 1"
command upgrade
unit_is "upgrade: a unit that does not come back is told" 1 "lunatik: failed: lunatik@$t.service"
rm -f "$TMP"/bin/{rmmod,modprobe,insmod,systemctl}

# --- kernel-tree ---

export LUNATIK_MODULES=$TMP/modules LUNATIK_SOURCES=$TMP/src LUNATIK_TREES=$TMP/trees
mkdir -p "$LUNATIK_MODULES"/{a,7.3.4+x}/build "$LUNATIK_SOURCES"
stand_in rustc 'echo "rustc 1.85.1 (4eb161250 2025-03-15) (built from a source tarball)"'
for tool in bindgen clang flex bison bc xz make pahole; do stand_in $tool ''; done
# config LINE...: of kernel 7.3.4+x.
config() { printf '%s\n' CONFIG_X86_64=y 'CONFIG_RUSTC_VERSION_TEXT="rustc 1.85.1 (4eb161250 2025-03-15) (built from a source tarball)"' "$@" >"$LUNATIK_MODULES/7.3.4+x/build/.config"; }
refuses() { like "kernel-tree: $1" "$("$DIST/kernel/kernel-tree" check "${3-7.3.4+x}" 2>&1); $?" "$2"; }
refuses "a kernel that is not installed" '^lunatik: kernel b: it is not installed; 1$' b
refuses "without headers" 'kernel a: its headers are missing: apt install linux-headers-a; 1$' a
config
refuses "without Rust" 'built without CONFIG_RUST .*apt install -t trixie-backports linux-image-amd64 .*; 1$'
config CONFIG_RUST=y CONFIG_PREEMPT_RT=y
refuses "real-time" 'a real-time kernel .*; 1$'
config CONFIG_RUST=y
stand_in dpkg-query "case \${@: -1} in linux-headers-*) printf 7.3.4-1 ;; linux-source-*) [[ ! -e \$TMP/old ]] || printf 7.3.3-1 ;; esac"
refuses "without its source" 'apt install linux-source-7.3=7.3.4-1; 1$'
touch "$TMP/old" "$LUNATIK_SOURCES/linux-source-7.3.tar.xz"
refuses "with another source" 'linux-source-7.3 here is 7.3.3-1: apt install linux-source-7.3=7.3.4-1; 1$'
sed -i 's/1\.85\.1 (/1.80.0 (/' "$LUNATIK_MODULES/7.3.4+x/build/.config"
refuses "another rustc" "built with rustc 1.80.0, and its modules have to be; here is rustc 1.85.1: apt install 'rustc=1.80.0\\*' .*; 1\$"
config CONFIG_RUST=y
mkdir "$LUNATIK_MODULES/7.3.4+x/build/rust"
touch "$LUNATIK_MODULES/7.3.4+x/build/rust/libkernel.rmeta"
refuses "headers that carry the metadata will do" '^; 0$'

finished
