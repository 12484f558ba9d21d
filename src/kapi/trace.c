// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints as Rust calls them: a jump over a static branch while nobody listens. Contexts: trace.h.
 */
#include <linux/types.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

#include "kapi.h"

void lunatik_trace_script(const char *state, const char *script, int error, u64 ns)
{
	trace_script(state, script, error, ns);
}

void lunatik_trace_event(const char *state, int error, u64 ns)
{
	trace_event(state, error, ns);
}

void lunatik_trace_overrun(const char *state, u64 ns)
{
	trace_overrun(state, ns);
}
