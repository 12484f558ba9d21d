// SPDX-License-Identifier: GPL-2.0-only

//! Wait queues, for blocking calls and poll(2), and gates, by which one waits until all others have left
//! (src/kapi/wait.c).

use crate::error::{Error, Result};
use core::ffi::{c_int, c_void};
use kernel::bindings;
use kernel::prelude::*;
use kernel::types::Opaque;

extern "C" {
    fn lunatik_wait_init(queue: *mut bindings::wait_queue_head);
    fn lunatik_wait_until(
        queue: *mut bindings::wait_queue_head,
        ready: unsafe extern "C" fn(*const c_void) -> bool,
        arg: *const c_void,
    ) -> c_int;
    fn lunatik_wait_wake(queue: *mut bindings::wait_queue_head);
    fn lunatik_wait_poll(queue: *mut bindings::wait_queue_head, file: *mut c_void, table: *mut c_void);
    fn lunatik_gate_init(gate: *mut bindings::rw_semaphore);
    fn lunatik_gate_enter(gate: *mut bindings::rw_semaphore) -> c_int;
    fn lunatik_gate_leave(gate: *mut bindings::rw_semaphore);
    fn lunatik_gate_drain(gate: *mut bindings::rw_semaphore);
}

/// A queue of those who wait for a condition.
#[repr(transparent)]
pub struct WaitQueue(Opaque<bindings::wait_queue_head>);

// SAFETY: A wait queue is made to be used from everywhere.
unsafe impl Send for WaitQueue {}
// SAFETY: As above.
unsafe impl Sync for WaitQueue {}

/// What poll(2) hands on: the file and its table.
pub struct Poll {
    /// `struct file`
    pub file: *mut c_void,
    /// `struct poll_table_struct`
    pub table: *mut c_void,
}

impl WaitQueue {
    /// An initialiser.
    pub fn new() -> impl PinInit<Self> {
        // SAFETY: `slot` is a place for a wait queue, and the C side initialises it whole.
        unsafe {
            pin_init::pin_init_from_closure(move |slot: *mut Self| {
                lunatik_wait_init(slot.cast());
                Ok::<(), core::convert::Infallible>(())
            })
        }
    }

    /// Waits until `ready` says so; [`Error::Restart`] when a signal comes first. Process context, may sleep.
    pub fn wait<F: Fn() -> bool>(&self, ready: F) -> Result {
        unsafe extern "C" fn call<F: Fn() -> bool>(arg: *const c_void) -> bool {
            // SAFETY: `arg` is the closure below, which lives until the wait is over.
            unsafe { (*arg.cast::<F>())() }
        }
        // SAFETY: Initialised by `new`; the closure outlives the call.
        match unsafe { lunatik_wait_until(self.0.get(), call::<F>, (&raw const ready).cast()) } {
            0 => Ok(()),
            _ => Err(Error::Restart),
        }
    }

    /// Has all who wait look again, those in poll(2) too. Any context.
    pub fn wake(&self) {
        // SAFETY: Initialised by `new`.
        unsafe { lunatik_wait_wake(self.0.get()) };
    }

    /// Lets poll(2) wait here. The queue outlives the file.
    pub fn poll(&self, poll: &Poll) {
        // SAFETY: Initialised by `new`; the pointers come from the kernel's call of our poll.
        unsafe { lunatik_wait_poll(self.0.get(), poll.file, poll.table) };
    }
}

/// Many may be inside; who ends things waits until they have left.
#[repr(transparent)]
pub struct Gate(Opaque<bindings::rw_semaphore>);

// SAFETY: A semaphore is made to be used from every task.
unsafe impl Send for Gate {}
// SAFETY: As above.
unsafe impl Sync for Gate {}

/// Someone inside; dropping it leaves.
pub struct Visit<'a>(&'a Gate);

impl Gate {
    /// An initialiser.
    pub fn new() -> impl PinInit<Self> {
        // SAFETY: `slot` is a place for a semaphore, and the C side initialises it whole.
        unsafe {
            pin_init::pin_init_from_closure(move |slot: *mut Self| {
                lunatik_gate_init(slot.cast());
                Ok::<(), core::convert::Infallible>(())
            })
        }
    }

    /// Goes in; waits killably ([`Error::Interrupted`]) while somebody drains. Process context.
    pub fn enter(&self) -> Result<Visit<'_>> {
        // SAFETY: Initialised by `new`.
        match unsafe { lunatik_gate_enter(self.0.get()) } {
            0 => Ok(Visit(self)),
            _ => Err(Error::Interrupted),
        }
    }

    /// Waits until everybody has left. Process context.
    pub fn drain(&self) {
        // SAFETY: Initialised by `new`.
        unsafe { lunatik_gate_drain(self.0.get()) };
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        // SAFETY: The visit stands for the semaphore held.
        unsafe { lunatik_gate_leave(self.0 .0.get()) };
    }
}
