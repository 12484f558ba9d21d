// SPDX-License-Identifier: GPL-2.0-only

//! The events of a state (src/kapi/event.c): timers and operations whose outcome is handled one after another.

use crate::error::{Error, Result};
use crate::state::State;
use crate::world::WORLD;
use core::ffi::{c_uint, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::sync::{Arc, ArcBorrow};

extern "C" {
    fn lunatik_queue_new(state: *mut c_void, interpreter: c_uint) -> *mut c_void;
    fn lunatik_queue_call(queue: *mut c_void);
    fn lunatik_queue_is_waited_for(queue: *mut c_void) -> bool;
    fn lunatik_queue_collect(queue: *mut c_void);
    fn lunatik_queue_wake(queue: *mut c_void);
    fn lunatik_queue_stop(queue: *mut c_void);
    fn lunatik_queue_drain(queue: *mut c_void);
    fn lunatik_queue_free(queue: *mut c_void);
}

/// An event that is due, in the hands of the work item.
#[derive(Clone, Copy)]
pub struct Due(pub *mut c_void);

/// The queue of a state; unset until the state is made.
pub struct Queue(AtomicPtr<c_void>);

impl Queue {
    /// Unset.
    pub const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// Makes it, for one of the state's interpreters. Process context, once; [`Error::NoMemory`].
    pub fn make(&self, state: &Arc<State>, interpreter: u32) -> Result {
        // The queue lies in the state: the pointer needs no reference of its own.
        let state = Arc::as_ptr(state).cast_mut().cast();
        // SAFETY: Process context.
        let queue = unsafe { lunatik_queue_new(state, interpreter) };
        self.0.store(queue, Ordering::Release);
        if queue.is_null() { Err(Error::NoMemory) } else { Ok(()) }
    }

    /// Its address, for C.
    pub fn as_ptr(&self) -> *mut c_void {
        self.0.load(Ordering::Acquire)
    }

    /// Has the first that is parked go on, unless one is on its way. Any context.
    pub fn call(&self) {
        // SAFETY: The queue lives as long as this value.
        unsafe { lunatik_queue_call(self.as_ptr()) };
    }

    /// True when something is parked, or on its way from there. Any context.
    pub fn is_waited_for(&self) -> bool {
        // SAFETY: As above.
        unsafe { lunatik_queue_is_waited_for(self.as_ptr()) }
    }

    /// Has garbage collected soon. Under the state's lock, any context.
    pub fn collect(&self) {
        // SAFETY: The queue lives as long as this value.
        unsafe { lunatik_queue_collect(self.as_ptr()) };
    }

    /// Wakes every waiting coroutine, to be ended. Process context.
    pub fn wake(&self) {
        // SAFETY: The queue lives as long as this value.
        unsafe { lunatik_queue_wake(self.as_ptr()) };
    }

    /// From now on no event begins. Process context.
    pub fn stop(&self) {
        // SAFETY: As above.
        unsafe { lunatik_queue_stop(self.as_ptr()) };
    }

    /// After `stop`: waits until no event runs and no timer is left. Sleeps.
    pub fn drain(&self) {
        // SAFETY: As above.
        unsafe { lunatik_queue_drain(self.as_ptr()) };
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: Nothing is queued in a state without references.
        unsafe { lunatik_queue_free(self.as_ptr()) };
    }
}

#[no_mangle]
unsafe extern "C" fn lunatik_state_get(state: *mut c_void) {
    // SAFETY: The queue lies in a living state.
    let state = unsafe { ArcBorrow::from_raw(state.cast::<State>()) };
    let _ = Arc::into_raw(Arc::from(state));
}

#[no_mangle]
unsafe extern "C" fn lunatik_state_mark(state: *mut c_void, interpreter: c_uint) -> u32 {
    // SAFETY: The work item holds a reference.
    unsafe { ArcBorrow::from_raw(state.cast::<State>()) }.interpreter(interpreter).mark()
}

#[no_mangle]
unsafe extern "C" fn lunatik_state_collect(state: *mut c_void, interpreter: c_uint, mark: u32) {
    // SAFETY: The work item holds a reference.
    unsafe { ArcBorrow::from_raw(state.cast::<State>()) }.interpreter(interpreter).collect(mark);
}

#[no_mangle]
unsafe extern "C" fn lunatik_state_event(state: *mut c_void, interpreter: c_uint, event: *mut c_void, mark: u32) {
    // SAFETY: The work item holds a reference.
    unsafe { ArcBorrow::from_raw(state.cast::<State>()) }.event(interpreter, Due(event), mark);
}

/// A part of `totalmax` for what an operation brings.
#[no_mangle]
unsafe extern "C" fn lunatik_lend(size: usize) -> bool {
    WORLD.get().is_some_and(|world| world.lend(size).is_ok())
}

#[no_mangle]
unsafe extern "C" fn lunatik_give_back(size: usize) {
    if let Some(world) = WORLD.get() {
        world.give_back(size);
    }
}
