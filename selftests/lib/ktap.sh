# SPDX-License-Identifier: GPL-2.0-only
# KTAP for test scripts; sourced by bash. A script calls `plan N` first and `finished` last, and in between N of the
# checks below; a check that did not come counts as failed. A test that cannot run here says so with `skip_all`.
# shellcheck shell=bash

ktap_plan=0 ktap_count=0 ktap_failed=0

# plan N: so many results follow.
plan() { ktap_plan=$1; printf 'KTAP version 1\n1..%d\n' "$1"; }

# diag TEXT: one or more lines that are no result.
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

# pass DESCRIPTION, fail DESCRIPTION [WHY]: one result.
pass() { printf 'ok %d %s\n' $((++ktap_count)) "${1//#/}"; }
fail() {
	printf 'not ok %d %s\n' $((++ktap_count)) "${1//#/}"
	ktap_failed=$((ktap_failed + 1))
	[[ -z ${2-} ]] || diag "$2"
}

# check DESCRIPTION COMMAND [ARG...]: the command must succeed.
check() {
	local text=$1
	shift
	if "$@"; then pass "$text"; else fail "$text" "failed: $*"; fi
}

# is DESCRIPTION GOT WANTED: equal as strings.
is() {
	if [[ $2 == "$3" ]]; then pass "$1"; else fail "$1" "got    [${2:0:900}]"$'\n'"wanted [${3:0:900}]"; fi
}

# like DESCRIPTION GOT REGEX: an extended regular expression, anywhere in it.
like() {
	if [[ $2 =~ $3 ]]; then pass "$1"; else fail "$1" "got         [${2:0:900}]"$'\n'"wanted like [$3]"; fi
}

# less DESCRIPTION GOT BOUND: whole numbers, GOT < BOUND.
less() {
	if [[ $2 =~ ^-?[0-9]+$ ]] && (($2 < $3)); then pass "$1"; else fail "$1" "got [$2], wanted less than [$3]"; fi
}

# results TEXT: lines `ok WHAT` and `not ok WHAT # WHY`, as the scripts in scripts/ return them, one result each.
results() {
	local line
	while IFS= read -r line; do
		case $line in
		"ok "*) pass "${line#ok }" ;;
		"not ok "*) line=${line#not ok }; fail "${line%% # *}" "${line#* # }" ;;
		?*) diag "$line" ;;
		esac
	done <<<"$1"
}

# skip_all REASON: ends the script with the exit status of a skipped kselftest.
skip_all() { printf 'KTAP version 1\n1..0 # SKIP %s\n' "$*"; exit 4; }

# finished: the sum, and the exit status.
finished() {
	if ((ktap_count != ktap_plan)); then
		diag "planned $ktap_plan results, came to $ktap_count"
		ktap_failed=$((ktap_failed + 1))
	fi
	printf '# Totals: pass:%d fail:%d\n' $((ktap_count - ktap_failed)) "$ktap_failed"
	((ktap_failed == 0))
	exit
}
