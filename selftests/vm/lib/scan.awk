# SPDX-License-Identifier: GPL-2.0-only
# Finds reports of trouble in a kernel log from the line "lunatik-vm: judged from here" on (the whole log if there is none),
# and prints each with its line number. A report starts a line: text that a script printed has the state's name before it.
# Stack dumps that fault injection prints of its own accord are none.

{
	line = $0
	sub(/\r$/, "", line)
	sub(/^<[0-9]+>/, "", line)
	sub(/^\[ *[0-9]+\.[0-9]+\] ?(\[ *[TC][0-9]+\] ?)?/, "", line)
	text[NR] = line
	if (line ~ /^lunatik-vm: judged from here/) from = NR
	if (line ~ /^lunatik-vm: still running after/) { to = NR; exit }
}

function report(i) { printf "%d: %s\n", i, text[i] }

END {
	if (!to) to = NR + 1
	for (i = from + 1; i < to; i++) {
		if (text[i] ~ /^FAULT_INJECTION: forcing a failure/) injected = i
		if (text[i] ~ /^ ?Call Trace:/) {
			if (!(injected && i - injected < 12)) report(i)
		} else if (text[i] ~ /^(-+\[ cut here \]-+|(watchdog: |workqueue: )?BUG:? |kernel BUG at |WARNING: |Oops: |Kernel panic |UBSAN: |ODEBUG: |INFO: task |INFO: possible |INFO: rcu|INFO: trying |rcu: INFO: |rcu: .*(stall|kthread starved)|NMI watchdog: |general protection fault|Unable to handle |unable to handle |refcount_t: |list_(add|del) corruption|percpu ref .* <= 0|unregister_netdevice: waiting for |Slab .*: |Object .*: .*Poison|kobject: .*(is not initialized|tried to init)|sysfs: cannot create duplicate|proc_dir_entry .* already registered|Kernel stack overflow|lockdep: .*(imbalance|turning off)|INFO: lockdep is turned off|Modules with .* leaked|kmem_cache_destroy |page_owner|bad_page|Out of memory: |Segfault with )/) {
			report(i)
		}
	}
}
