// SPDX-License-Identifier: GPL-2.0-only

//! Work for the module's workqueue (src/kapi/defer.c).

use crate::error::{Error, Result};
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use kernel::prelude::*;

extern "C" {
    fn lunatik_job_alloc() -> *mut c_void;
    fn lunatik_job_free(job: *mut c_void);
    fn lunatik_job_queue(job: *mut c_void, run: unsafe extern "C" fn(*mut c_void), arg: *mut c_void);
    fn lunatik_log_kick();
    fn lunatik_defer_init() -> c_int;
    fn lunatik_defer_exit();
}

/// What can be done later.
pub trait Deferred: Send {
    /// Does it; process context, may sleep.
    fn run(self: KBox<Self>);
}

/// A reserved place in the workqueue, so that queueing cannot fail.
pub struct Job(NonNull<c_void>);

// SAFETY: It is memory that nobody else has.
unsafe impl Send for Job {}

impl Job {
    /// Process context; [`Error::NoMemory`].
    pub fn new() -> Result<Self> {
        // SAFETY: Process context.
        NonNull::new(unsafe { lunatik_job_alloc() }).map(Self).ok_or(Error::NoMemory)
    }

    /// Has `what` done in process context. Any context.
    pub fn queue<T: Deferred>(self, what: KBox<T>) {
        unsafe extern "C" fn run<T: Deferred>(arg: *mut c_void) {
            // SAFETY: `arg` is the box that `queue` gave away.
            unsafe { KBox::from_raw(arg.cast::<T>()) }.run();
        }
        let job = self.0.as_ptr();
        core::mem::forget(self);
        // SAFETY: The job is ours and not queued; it frees itself.
        unsafe { lunatik_job_queue(job, run::<T>, KBox::into_raw(what).cast()) };
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // SAFETY: It was never queued.
        unsafe { lunatik_job_free(self.0.as_ptr()) };
    }
}

/// Has the queued log lines written soon. Any context.
pub fn kick_log() {
    // SAFETY: The workqueue lives as long as anything that logs.
    unsafe { lunatik_log_kick() };
}

/// Makes the workqueue. Process context, once.
pub fn init() -> Result {
    // SAFETY: Process context.
    if unsafe { lunatik_defer_init() } == 0 { Ok(()) } else { Err(Error::NoMemory) }
}

/// Waits until everything queued is done and ends the workqueue.
pub fn exit() {
    // SAFETY: Process context; nothing queues any more.
    unsafe { lunatik_defer_exit() };
}

/// The work item that writes the log out.
#[no_mangle]
extern "C" fn lunatik_log_drain() {
    crate::log::drain();
}
