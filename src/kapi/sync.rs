// SPDX-License-Identifier: GPL-2.0-only

//! Locks and waits. The lock order: sleeping locks as [`TurnClass`] lists them, then spinlocks as
//! [`Class`] does.

use crate::error::{Error, Result};
use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::sync::atomic::AtomicU32;
use kernel::bindings;
use kernel::prelude::*;
use kernel::types::Opaque;

extern "C" {
    fn lunatik_spin_init(lock: *mut bindings::spinlock_t, class: c_int);
    fn lunatik_spin_lock_bh(lock: *mut bindings::spinlock_t);
    fn lunatik_spin_trylock_bh(lock: *mut bindings::spinlock_t) -> bool;
    fn lunatik_spin_unlock_bh(lock: *mut bindings::spinlock_t);
    fn lunatik_mutex_init(lock: *mut bindings::mutex, class: c_int);
    fn lunatik_mutex_lock(lock: *mut bindings::mutex);
    fn lunatik_mutex_lock_killable(lock: *mut bindings::mutex) -> c_int;
    fn lunatik_mutex_trylock(lock: *mut bindings::mutex) -> bool;
    fn lunatik_mutex_unlock(lock: *mut bindings::mutex);
    fn lunatik_signal_ends() -> bool;
    fn lunatik_resched(cancels: *const u32, mark: u32);
    fn lunatik_nap();
    fn lunatik_may_sleep() -> bool;
    fn lunatik_may_execute() -> bool;
}

/// What a spinlock guards; locks are taken in this order.
#[derive(Clone, Copy)]
#[repr(i32)]
pub enum Class {
    /// The table of states.
    Registry = 0,
    /// One state's Lua.
    State = 1,
    /// The table of ports.
    Ports = 2,
    /// A queue; nothing is taken under it.
    Queue = 3,
}

/// A spinlock taken with bottom halves off, without data of its own. Any context but hard interrupt.
#[repr(transparent)]
pub struct Spin(Opaque<bindings::spinlock_t>);

// SAFETY: A spinlock is made to be used from everywhere.
unsafe impl Send for Spin {}
// SAFETY: As above.
unsafe impl Sync for Spin {}

impl Spin {
    /// An initialiser for an unlocked lock.
    pub fn new(class: Class) -> impl PinInit<Self> {
        // SAFETY: `slot` is a place for a lock, and the C side initialises it whole.
        unsafe {
            pin_init::pin_init_from_closure(move |slot: *mut Self| {
                lunatik_spin_init(slot.cast(), class as c_int);
                Ok::<(), core::convert::Infallible>(())
            })
        }
    }

    /// Waits for the lock.
    pub fn lock(&self) {
        // SAFETY: Initialised by `new`.
        unsafe { lunatik_spin_lock_bh(self.0.get()) }
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> bool {
        // SAFETY: Initialised by `new`.
        unsafe { lunatik_spin_trylock_bh(self.0.get()) }
    }

    /// Gives the lock back.
    ///
    /// # Safety
    ///
    /// The caller holds it.
    pub unsafe fn unlock(&self) {
        // SAFETY: Initialised by `new`; held by the caller.
        unsafe { lunatik_spin_unlock_bh(self.0.get()) }
    }
}

/// Data behind a spinlock, reached by short closures that do not sleep.
#[pin_data]
pub struct Locked<T> {
    #[pin]
    spin: Spin,
    data: UnsafeCell<T>,
}

// SAFETY: The data is reached by one at a time.
unsafe impl<T: Send> Send for Locked<T> {}
// SAFETY: As above.
unsafe impl<T: Send> Sync for Locked<T> {}

impl<T> Locked<T> {
    /// An initialiser.
    pub fn new(class: Class, data: T) -> impl PinInit<Self> {
        pin_init!(Self { spin <- Spin::new(class), data: UnsafeCell::new(data) })
    }

    /// Calls `f` with the data, under the lock: bottom halves off, no sleeping.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        self.spin.lock();
        // SAFETY: We hold the lock.
        let result = f(unsafe { &mut *self.data.get() });
        // SAFETY: As above.
        unsafe { self.spin.unlock() };
        result
    }
}

/// What a sleeping lock orders; they are taken in this order, and before any spinlock.
#[derive(Clone, Copy)]
#[repr(i32)]
pub enum TurnClass {
    /// The calls of one open file.
    File = 0,
    /// The readers of a mailbox.
    Mailbox = 1,
    /// The scripts of one state.
    Script = 2,
    /// What is remembered of a state.
    Record = 3,
    /// The writers of the log.
    Log = 4,
}

/// A turn: a sleeping lock by which things happen one after another. Process context.
#[repr(transparent)]
pub struct Turn(Opaque<bindings::mutex>);

// SAFETY: A mutex is made to be used from every task.
unsafe impl Send for Turn {}
// SAFETY: As above.
unsafe impl Sync for Turn {}

/// Someone's turn; it ends with this value.
pub struct TurnGuard<'a>(&'a Turn);

impl Turn {
    /// An initialiser.
    pub fn new(class: TurnClass) -> impl PinInit<Self> {
        // SAFETY: `slot` is a place for a mutex, and the C side initialises it whole.
        unsafe {
            pin_init::pin_init_from_closure(move |slot: *mut Self| {
                lunatik_mutex_init(slot.cast(), class as c_int);
                Ok::<(), core::convert::Infallible>(())
            })
        }
    }

    /// Waits however long it takes.
    pub fn take(&self) -> TurnGuard<'_> {
        // SAFETY: Initialised by `new`.
        unsafe { lunatik_mutex_lock(self.0.get()) };
        TurnGuard(self)
    }

    /// Waits until a fatal signal comes ([`Error::Interrupted`]), or not at all with `nonblock`
    /// ([`Error::WouldBlock`]).
    pub fn take_killable(&self, nonblock: bool) -> Result<TurnGuard<'_>> {
        if nonblock {
            // SAFETY: Initialised by `new`.
            return if unsafe { lunatik_mutex_trylock(self.0.get()) } {
                Ok(TurnGuard(self))
            } else {
                Err(Error::WouldBlock)
            };
        }
        // SAFETY: Initialised by `new`.
        match unsafe { lunatik_mutex_lock_killable(self.0.get()) } {
            0 => Ok(TurnGuard(self)),
            _ => Err(Error::Interrupted),
        }
    }
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: The guard stands for the lock held.
        unsafe { lunatik_mutex_unlock(self.0 .0.get()) }
    }
}

/// A value behind a [`Turn`].
#[pin_data]
pub struct Guarded<T> {
    #[pin]
    turn: Turn,
    data: UnsafeCell<T>,
}

// SAFETY: The data is reached by one at a time.
unsafe impl<T: Send> Send for Guarded<T> {}
// SAFETY: As above.
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    /// An initialiser.
    pub fn new(class: TurnClass, data: T) -> impl PinInit<Self> {
        pin_init!(Self { turn <- Turn::new(class), data: UnsafeCell::new(data) })
    }

    /// Calls `f` with the data; waits for its turn. Process context, may sleep.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let _turn = self.turn.take();
        // SAFETY: It is our turn.
        f(unsafe { &mut *self.data.get() })
    }

    /// As `with`, but a fatal signal ends the wait.
    pub fn with_killable<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R> {
        let _turn = self.turn.take_killable(false)?;
        // SAFETY: It is our turn.
        Ok(f(unsafe { &mut *self.data.get() }))
    }
}

/// True when the current task has a signal pending that ends a script. Process context.
pub fn signal_ends() -> bool {
    // SAFETY: No arguments; looks at the current task.
    unsafe { lunatik_signal_ends() }
}

/// Lets others run, and the machine be suspended, unless `cancels` is no longer `mark`. Process context, may
/// sleep.
pub fn resched(cancels: &AtomicU32, mark: u32) {
    // SAFETY: The caller may sleep; the other side only reads.
    unsafe { lunatik_resched(cancels.as_ptr(), mark) }
}

/// Waits a little for what the machine lacks now. Process context.
pub fn nap() {
    // SAFETY: The caller may sleep.
    unsafe { lunatik_nap() }
}

/// True in process context with nothing switched off.
pub fn may_sleep() -> bool {
    // SAFETY: No arguments.
    unsafe { lunatik_may_sleep() }
}

/// True in process context and softirq with interrupts enabled.
pub fn may_execute() -> bool {
    // SAFETY: No arguments.
    unsafe { lunatik_may_execute() }
}

/// Nanoseconds of the monotonic clock. Any context.
pub fn now() -> u64 {
    // SAFETY: Callable everywhere, NMI included.
    unsafe { bindings::ktime_get_mono_fast_ns() }
}
