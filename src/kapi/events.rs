// SPDX-License-Identifier: GPL-2.0-only

//! The events of a state (src/kapi/event.c): timers and operations whose outcome is handled one after another.

use crate::error::{Error, Result};
use crate::state::State;
use crate::world::WORLD;
use core::ffi::{c_uint, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::sync::{Arc, ArcBorrow};

extern "C" {
    fn lunatik_queue_new(
        state: *mut c_void,
        interpreter: c_uint,
        name: *const u8,
        handle: u64,
        parent: u64,
        context: bool,
    ) -> *mut c_void;
    fn lunatik_queue_call(queue: *mut c_void);
    fn lunatik_queue_is_waited_for(queue: *mut c_void) -> bool;
    fn lunatik_queue_collect(queue: *mut c_void);
    fn lunatik_queue_wake(queue: *mut c_void);
    fn lunatik_queue_stop(queue: *mut c_void);
    fn lunatik_queue_drain(queue: *mut c_void);
    fn lunatik_queue_free(queue: *mut c_void);
    fn lunatik_queue_open(queue: *mut c_void);
    fn lunatik_queue_begin(queue: *mut c_void, letter: *mut c_void);
    fn lunatik_queue_look(queue: *mut c_void);
    fn lunatik_queue_purge(queue: *mut c_void);
    fn lunatik_context_leave(queue: *mut c_void);
    fn lunatik_letter_free(letter: *mut c_void);
    fn lunatik_handle_new() -> u64;
    fn lunatik_handle_state(handle: u64) -> *mut c_void;
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

    /// Makes it, for one of the state's interpreters, with a handle of its own; a context ends when nothing is pending
    /// in it. Process context, once; [`Error::NoMemory`].
    pub fn make(&self, state: &Arc<State>, interpreter: u32) -> Result {
        let name = state.name().as_c_bytes().as_ptr();
        let handle = if interpreter == 0 { state.handle() } else { Handle::new() };
        let parent = state.creator().map_or(0, |creator| creator.handle().0);
        let context = state.creator().is_some();
        // The queue lies in the state: the pointer needs no reference of its own.
        let state = Arc::as_ptr(state).cast_mut().cast();
        // SAFETY: Process context; the name is copied.
        let queue = unsafe { lunatik_queue_new(state, interpreter, name, handle.0, parent, context) };
        self.0.store(queue, Ordering::Release);
        if queue.is_null() { Err(Error::NoMemory) } else { Ok(()) }
    }

    /// Its address, for C.
    pub fn as_ptr(&self) -> *mut c_void {
        self.0.load(Ordering::Acquire)
    }

    /// From now on the state takes letters: it is published. Process context.
    pub fn open(&self) {
        // SAFETY: The queue lives as long as this value.
        unsafe { lunatik_queue_open(self.as_ptr()) };
    }

    /// Has a new context begin. Any context.
    pub fn begin(&self, letter: Letter) {
        // SAFETY: As above; the letter becomes the queue's.
        unsafe { lunatik_queue_begin(self.as_ptr(), letter.give()) };
    }

    /// Has a context look whether anything is pending in it. Any context.
    pub fn look(&self) {
        // SAFETY: As above.
        unsafe { lunatik_queue_look(self.as_ptr()) };
    }

    /// Has the state end once the letters that it got are done. Any context.
    pub fn leave(&self) {
        // SAFETY: As above.
        unsafe { lunatik_context_leave(self.as_ptr()) };
    }

    /// The Lua is closed: queries go back, and who waits for the end is told. Process context.
    pub fn purge(&self) {
        let queue = self.as_ptr();
        if !queue.is_null() {
            // SAFETY: As above.
            unsafe { lunatik_queue_purge(queue) };
        }
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
        let queue = self.as_ptr();
        if !queue.is_null() {
            // SAFETY: The queue lives as long as this value.
            unsafe { lunatik_queue_wake(queue) };
        }
    }

    /// From now on no event begins. Process context.
    pub fn stop(&self) {
        let queue = self.as_ptr();
        if !queue.is_null() {
            // SAFETY: As above.
            unsafe { lunatik_queue_stop(queue) };
        }
    }

    /// After `stop`: waits until no event runs and no timer is left. Sleeps.
    pub fn drain(&self) {
        let queue = self.as_ptr();
        if !queue.is_null() {
            // SAFETY: As above.
            unsafe { lunatik_queue_drain(queue) };
        }
    }
}

/// By what states know each other; never given twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Handle(u64);

impl Handle {
    /// A new one. Any context.
    pub fn new() -> Self {
        // SAFETY: No preconditions.
        Self(unsafe { lunatik_handle_new() })
    }

    /// Its number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The state that has it, if that lives. Any context.
    pub fn state(self) -> Option<Arc<State>> {
        // SAFETY: No preconditions; the pointer, if any, comes with a reference.
        unsafe {
            let state = lunatik_handle_state(self.0);
            if state.is_null() { None } else { Some(Arc::from_raw(state.cast::<State>())) }
        }
    }
}

/// A letter that is in no queue (src/lua/letter.h).
pub struct Letter(*mut c_void);

impl Letter {
    /// # Safety
    ///
    /// The letter becomes the caller's.
    pub unsafe fn new(letter: *mut c_void) -> Self {
        Self(letter)
    }

    fn give(self) -> *mut c_void {
        let letter = self.0;
        core::mem::forget(self);
        letter
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        // SAFETY: By `new`.
        unsafe { lunatik_letter_free(self.0) };
    }
}

/// A letter in the hands of the work item.
#[derive(Clone, Copy)]
pub struct Came(pub *mut c_void);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: Nothing is queued in a state without references; a null pointer is none.
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

#[no_mangle]
unsafe extern "C" fn lunatik_state_letter(state: *mut c_void, interpreter: c_uint, letter: *mut c_void, mark: u32) {
    // SAFETY: The work item holds a reference.
    unsafe { ArcBorrow::from_raw(state.cast::<State>()) }.letter(interpreter, Came(letter), mark);
}

#[no_mangle]
unsafe extern "C" fn lunatik_state_start(state: *mut c_void, letter: *mut c_void, mark: u32) {
    // SAFETY: The work item holds a reference; so does it the letter, which is in no list.
    unsafe { ArcBorrow::from_raw(state.cast::<State>()) }.start(Came(letter), mark);
}

#[no_mangle]
unsafe extern "C" fn lunatik_state_is_over(state: *mut c_void) -> bool {
    // SAFETY: The work item holds a reference.
    unsafe { ArcBorrow::from_raw(state.cast::<State>()) }.is_over()
}

#[no_mangle]
unsafe extern "C" fn lunatik_state_end(state: *mut c_void) {
    // SAFETY: The job holds a reference.
    let state = unsafe { ArcBorrow::from_raw(state.cast::<State>()) };
    if let Some(world) = WORLD.get() {
        world.registry.end(&state);
    }
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
