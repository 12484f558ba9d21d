# SPDX-License-Identifier: GPL-2.0-only
# What bash tests do with lunatik's files: states of their own, requests with the name of the errno they got, the
# kernel log since a mark. Sourced by bash as root; the module is loaded. States made here go when the script ends.
# shellcheck shell=bash

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$HERE/lib/ktap.sh"
export LC_ALL=C
CTL=/proc/lunatik/ctl SYS=/sys/kernel/lunatik PARAMETERS=/sys/module/lunatik/parameters
# The debug kernel takes ten to fifty times as long for the same.
DEBUG= ; [[ ! -e /sys/kernel/debug/kmemleak ]] || DEBUG=1
SCALE=${LUNATIK_TEST_SCALE:-$( [[ $DEBUG ]] && echo 0.1 || echo 1)}
# scaled N: prints N times the scale, a whole number above 0.
scaled() {
	local whole=${SCALE%%.*} part=${SCALE#"${SCALE%%.*}"} n
	part=${part#.}000
	n=$(($1 * (10#${whole:-0} * 1000 + 10#${part:0:3}) / 1000))
	echo $((n > 0 ? n : 1))
}
TMP=$(mktemp -d)
PREFIX=t$$x$RANDOM
states=0

[[ -e $CTL ]] || skip_all "lunatik is not loaded"
((EUID == 0)) || skip_all "needs root"

cleanup() {
	local name rest
	while read -r name rest; do
		[[ $name != "$PREFIX"* ]] || echo "destroy $name" >$CTL
	done <<<"$(<$CTL)"
	rm -rf "$TMP"
}
trap cleanup EXIT

declare -A ERRNO=(
	["Operation not permitted"]=EPERM ["No such file or directory"]=ENOENT ["Interrupted system call"]=EINTR
	["Exec format error"]=ENOEXEC ["Resource temporarily unavailable"]=EAGAIN ["Cannot allocate memory"]=ENOMEM
	["Permission denied"]=EACCES ["Bad address"]=EFAULT ["Device or resource busy"]=EBUSY ["File exists"]=EEXIST
	["No such device"]=ENODEV ["Invalid argument"]=EINVAL ["File too large"]=EFBIG ["No space left on device"]=ENOSPC
	["File name too long"]=ENAMETOOLONG ["Message too long"]=EMSGSIZE
)

# errno_in TEXT: sets ERR to the errno that a program's message ends in, to the text itself if it ends in none.
errno_in() {
	local last=${1##*: }
	ERR=$1
	[[ -z $last ]] || ERR=${ERRNO[$last]-$1}
}

# ctl LINE...: writes request lines in one session; sets ERR to "" or the name of the errno.
ctl() { errno_in "$( { printf '%s\n' "$@" >$CTL; } 2>&1)"; }

# ask REQUEST: writes it, then reads its reply in the same session; sets ERR, and REPLY without its last newline.
ask() {
	local fd
	exec {fd}<>$CTL || return
	errno_in "$(printf '%s\n' "$1" 2>&1 >&"$fd")"
	IFS= read -r -d '' REPLY <&"$fd"
	exec {fd}>&-
	REPLY=${REPLY%$'\n'}
}

# run_in STATE SCRIPT [NAME]: runs a script of any shape by `run`; sets ERR and REPLY.
run_in() {
	local fd LC_ALL=C
	exec {fd}<>$CTL || return
	errno_in "$(printf 'run %s %d %s\n%s' "$1" ${#2} "${3-}" "$2" 2>&1 >&"$fd")"
	IFS= read -r -d '' REPLY <&"$fd"
	exec {fd}>&-
	REPLY=${REPLY%$'\n'}
}

# to FILE TEXT: writes a text by cat, with its exit status in STATUS and its errno in ERR.
to() {
	errno_in "$( { cat >"$1"; } 2>&1 <<<"$2")"
}

# new_name VARIABLE: a state name that nobody has.
new_name() { printf -v "$1" '%s.%d' "$PREFIX" $((++states)); }

# new_state VARIABLE [MAXALLOC]: makes a state of that name; ends the test when that fails.
new_state() {
	new_name "$1"
	ctl "create ${!1}${2+ $2}"
	[[ -z $ERR ]] || { diag "create ${!1} ${2-}: $ERR"; exit 1; }
}

# log_mark: from now on; log_since: the kernel log since then, without time stamps.
log_mark() { LOG_MARK="$PREFIX mark $((++states))"; echo "<5>$LOG_MARK" >/dev/kmsg; }
log_since() { dmesg -t | sed "1,/^$LOG_MARK\$/d"; }

# soon SECONDS COMMAND...: tries until it succeeds; false when it did not in that time.
soon() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}

# stat_of STATE NAME: sets VALUE to a line of its stats.
stat_of() { VALUE=$(sed -n "s/^$2 //p" "$SYS/$1/stats"); }
