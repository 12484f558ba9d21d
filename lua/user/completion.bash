# SPDX-License-Identifier: GPL-2.0-only
# Completion of lunatik(8) for bash: its commands, the states, files. Sourced by bash-completion.
# shellcheck shell=bash

_lunatik() {
	local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words=
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		words="list create destroy cancel run eval repl start send receive watch load unload upgrade check help"
	elif [[ $word == -* ]]; then
		case $command in
		list) words=--json ;;
		create) words=--percpu ;;
		start) words=-m ;;
		receive) words="-f -r -t" ;;
		watch) words="-i -n" ;;
		unload|upgrade) words=--force ;;
		check) words="-m -b -l --test --pcap" ;;
		esac
		words+=" --help"
	elif [[ $command =~ ^(destroy|receive)$ ]] || { ((COMP_CWORD == 2)) && [[ $command =~ ^(cancel|run|eval|repl|send)$ ]]; }; then
		words=$(cd /sys/kernel/lunatik 2>/dev/null && compgen -d)
	elif [[ $command == help ]]; then
		words="list create destroy cancel run eval repl start send receive watch load unload upgrade check"
	elif [[ $command == run || $command == start || $command == load || $command == upgrade || $command == check ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o filenames -F _lunatik lunatik
