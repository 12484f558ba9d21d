// SPDX-License-Identifier: GPL-2.0-only

//! The tracepoints (src/kapi/trace.h). Any context that the event names there.

use crate::error::Result;
use crate::name::StateName;
use core::ffi::{c_int, CStr};

extern "C" {
    fn lunatik_trace_script(state: *const u8, script: *const u8, error: c_int, ns: u64);
    fn lunatik_trace_event(state: *const u8, error: c_int, ns: u64);
    fn lunatik_trace_overrun(state: *const u8, ns: u64);
}

fn errno(outcome: Result) -> c_int {
    outcome.map_or_else(|error| -error.errno(), |()| 0)
}

/// A script ended, or waits for the first time, `ns` nanoseconds after it began.
pub fn script(state: &StateName, script: &CStr, outcome: Result, ns: u64) {
    // SAFETY: Both names are terminated.
    unsafe { lunatik_trace_script(state.as_c_bytes().as_ptr(), script.as_ptr().cast(), errno(outcome), ns) };
}

/// A callback, a coroutine that had waited, or a call by another module is over.
pub fn event(state: &StateName, outcome: Result, ns: u64) {
    // SAFETY: The name is terminated.
    unsafe { lunatik_trace_event(state.as_c_bytes().as_ptr(), errno(outcome), ns) };
}

/// A time budget was spent, after `ns` nanoseconds.
pub fn overrun(state: &StateName, ns: u64) {
    // SAFETY: The name is terminated.
    unsafe { lunatik_trace_overrun(state.as_c_bytes().as_ptr(), ns) };
}
