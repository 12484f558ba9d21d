// SPDX-License-Identifier: GPL-2.0-only

//! The network namespace of a state (src/kapi/netns.c): where its hooks and sockets live.

use crate::error::{Error, Result};
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};

extern "C" {
    fn lunatik_netns_init() -> c_int;
    fn lunatik_netns_exit();
    fn lunatik_netfilter_init() -> c_int;
    fn lunatik_netfilter_exit();
    fn lunatik_netns_new(from: *mut c_void) -> *mut c_void;
    fn lunatik_netns_close(netns: *mut c_void);
    fn lunatik_netns_free(netns: *mut c_void);
}

/// That of the task or the state that made the state; unset until then.
pub struct Netns(AtomicPtr<c_void>);

impl Netns {
    /// Unset.
    pub const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// Takes that of another state, or of the current task. Process context, once; [`Error::NoMemory`].
    pub fn make(&self, from: Option<&Self>) -> Result {
        let from = from.map_or(core::ptr::null_mut(), Self::as_ptr);
        // SAFETY: Process context; `from` lives as long as the borrow.
        let netns = unsafe { lunatik_netns_new(from) };
        self.0.store(netns, Ordering::Release);
        if netns.is_null() { Err(Error::NoMemory) } else { Ok(()) }
    }

    /// Its address, for C.
    pub fn as_ptr(&self) -> *mut c_void {
        self.0.load(Ordering::Acquire)
    }

    /// Unhooks and closes what the state has in it, for good. Sleeps.
    pub fn close(&self) {
        let netns = self.as_ptr();
        if !netns.is_null() {
            // SAFETY: It lives as long as this value.
            unsafe { lunatik_netns_close(netns) };
        }
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // SAFETY: The state was closed, and this with it; a null pointer is none.
        unsafe { lunatik_netns_free(self.as_ptr()) };
    }
}

/// Before the first state. Process context.
pub fn init() -> Result {
    // SAFETY: Process context, once.
    if unsafe { lunatik_netns_init() } != 0 {
        return Err(Error::NoMemory);
    }
    // SAFETY: As above.
    if unsafe { lunatik_netfilter_init() } != 0 {
        // SAFETY: There is no state.
        unsafe { lunatik_netns_exit() };
        return Err(Error::NoMemory);
    }
    Ok(())
}

/// After the last state. Process context.
pub fn exit() {
    // SAFETY: No state is left.
    unsafe {
        lunatik_netfilter_exit();
        lunatik_netns_exit();
    }
}
