// SPDX-License-Identifier: GPL-2.0-only

//! The counters that the interpreters of a state share (src/kapi/shared.c).

use crate::error::{Error, Result};
use core::ffi::{c_uint, c_void};
use core::ptr::NonNull;

extern "C" {
    fn lunatik_shared_new(interpreters: c_uint) -> *mut c_void;
    fn lunatik_shared_free(shared: *mut c_void);
    fn lunatik_online_cpus() -> c_uint;
}

/// Those of one state.
pub struct Shared(NonNull<c_void>);

// SAFETY: The C side has a lock of its own.
unsafe impl Send for Shared {}
// SAFETY: As above.
unsafe impl Sync for Shared {}

impl Shared {
    /// None yet, for so many interpreters. Process context; [`Error::NoMemory`].
    pub fn new(interpreters: u32) -> Result<Self> {
        // SAFETY: Process context.
        NonNull::new(unsafe { lunatik_shared_new(interpreters) }).map(Self).ok_or(Error::NoMemory)
    }

    /// Their address, for C.
    pub fn as_ptr(&self) -> *mut c_void {
        self.0.as_ptr()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: No interpreter is left.
        unsafe { lunatik_shared_free(self.0.as_ptr()) };
    }
}

/// Interpreters of a state that has one for each processor.
pub fn online_cpus() -> u32 {
    // SAFETY: Only reads a number.
    unsafe { lunatik_online_cpus() }
}
