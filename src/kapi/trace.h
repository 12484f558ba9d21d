/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, for perf, bpftrace and tracefs: what ran in which state, how it ended, how long it took.
 *
 * `error` is 0 or a negative errno, as write(2) would give it; `ns` the time from its begin to its end, or
 * to its first wait, breaks included. script: process context; event: process context or softirq, and
 * under the state's lock for klua_execute; overrun: under the state's lock, on a side stack.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM lunatik

#if !defined(LUNATIK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LUNATIK_TRACE_H

#include <linux/trace_events.h>
#include <linux/tracepoint.h>

/* What the macros below make of the name `event` is the kernel's own already. */
#define register_trace_event register_trace_lunatik_event
#define unregister_trace_event unregister_trace_lunatik_event

TRACE_EVENT(script,
	TP_PROTO(const char *state, const char *script, int error, u64 ns),
	TP_ARGS(state, script, error, ns),
	TP_STRUCT__entry(
		__string(state, state)
		__string(script, script)
		__field(int, error)
		__field(u64, ns)
	),
	TP_fast_assign(
		__assign_str(state);
		__assign_str(script);
		__entry->error = error;
		__entry->ns = ns;
	),
	TP_printk("state=%s script=%s error=%d ns=%llu", __get_str(state), __get_str(script), __entry->error, __entry->ns)
);

TRACE_EVENT(event,
	TP_PROTO(const char *state, int error, u64 ns),
	TP_ARGS(state, error, ns),
	TP_STRUCT__entry(
		__string(state, state)
		__field(int, error)
		__field(u64, ns)
	),
	TP_fast_assign(
		__assign_str(state);
		__entry->error = error;
		__entry->ns = ns;
	),
	TP_printk("state=%s error=%d ns=%llu", __get_str(state), __entry->error, __entry->ns)
);

TRACE_EVENT(overrun,
	TP_PROTO(const char *state, u64 ns),
	TP_ARGS(state, ns),
	TP_STRUCT__entry(
		__string(state, state)
		__field(u64, ns)
	),
	TP_fast_assign(
		__assign_str(state);
		__entry->ns = ns;
	),
	TP_printk("state=%s ns=%llu", __get_str(state), __entry->ns)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
