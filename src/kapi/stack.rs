// SPDX-License-Identifier: GPL-2.0-only

//! Side stacks: Lua never runs on its caller's stack.
//!
//! Process context borrows one from a pool of at most `stackcap`; who finds none waits killably.
//! Softirq, and whoever may not sleep, uses the CPU's own. A stack is used with preemption off.

use super::params;
use super::sync::{Class, Locked};
use crate::error::{Error, Result};
use core::cell::Cell;
use core::ffi::{c_int, c_uint, c_void};
use core::ptr::NonNull;
use kernel::bindings;
use kernel::prelude::*;
use kernel::types::Opaque;

/// Bytes of a side stack of the pool: Lua's own limit of 200 C levels is reached before its end, in
/// the parser too (`tests/lua/build plain STAGE OUT && OUT/driver depth overflow.lua` prints the depth).
const SIZE: usize = 384 * 1024;
/// Bytes of a CPU's stack; what runs there has a time budget, and gets its "C stack overflow" earlier.
const CPU_SIZE: usize = 128 * 1024;
/// Below so many bytes left, Lua raises "C stack overflow".
const RESERVE: usize = 12 * 1024;
/// Below so many bytes left, error handling ends too.
const RED: usize = 8 * 1024;
/// Idle stacks that the pool keeps.
const KEEP: usize = 4;

extern "C" {
    fn lunatik_stack_alloc(size: usize) -> *mut c_void;
    fn lunatik_stack_free(stack: *mut c_void);
    fn lunatik_stack_look(stack: *const c_void, size: usize);
    fn lunatik_cpu_stack_take() -> *mut c_void;
    fn lunatik_cpu_stack_give();
    fn lunatik_cpu_stacks_init(size: usize) -> c_int;
    fn lunatik_cpu_stacks_exit();
    fn lunatik_segments_exit();
    fn lunatik_sema_init(sema: *mut bindings::semaphore, n: c_int);
    fn lunatik_down_killable(sema: *mut bindings::semaphore) -> c_int;
    fn lunatik_run_on_side(arg: *mut c_void, top: *mut c_void);
    fn lunatik_run_on_task(arg: *mut c_void, top: *mut c_void);
    fn lunatik_guard_init(period_us: c_uint) -> c_int;
    fn lunatik_guard_exit();
    fn lunatik_port_init();
}

/// The addresses of a stack that Lua is told.
#[derive(Clone, Copy)]
pub struct Span {
    /// The word at its top, 16-byte aligned: holds the caller's stack pointer while in use.
    pub top: *mut usize,
    /// The lowest address that Lua may use.
    pub limit: *const u8,
    /// The lowest address that error handling may use.
    pub red: *const u8,
}

fn span_of(base: *mut c_void, size: usize) -> Span {
    let base: *mut u8 = base.cast();
    Span {
        top: base.wrapping_add(size.saturating_sub(16)).cast(),
        limit: base.wrapping_add(RESERVE),
        red: base.wrapping_add(RED),
    }
}

/// Idle stacks.
struct Idle([Option<NonNull<c_void>>; KEEP]);

impl Idle {
    fn take(&mut self) -> Option<NonNull<c_void>> {
        self.0.iter_mut().find_map(Option::take)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        while let Some(base) = self.take() {
            // SAFETY: It came from `lunatik_stack_alloc`, and nobody else has it.
            unsafe { lunatik_stack_free(base.as_ptr()) };
        }
    }
}

/// The pool.
#[pin_data]
pub struct Pool {
    #[pin]
    free: Locked<Idle>,
    #[pin]
    places: Opaque<bindings::semaphore>,
}

// SAFETY: The pointers in it are owned memory.
unsafe impl Send for Pool {}
// SAFETY: As above, behind locks.
unsafe impl Sync for Pool {}

impl Pool {
    /// An initialiser for an empty pool of at most `cap` stacks.
    pub fn new(cap: usize) -> impl PinInit<Self> {
        pin_init!(Self {
            free <- Locked::new(Class::Queue, Idle([None; KEEP])),
            // SAFETY: The C side initialises the semaphore whole.
            places <- Opaque::ffi_init(move |slot| unsafe {
                lunatik_sema_init(slot, cap.clamp(1, 1 << 20) as c_int)
            }),
        })
    }

    /// Borrows a stack. Process context; waits while all are out, until a fatal signal
    /// ([`Error::Interrupted`]); [`Error::NoMemory`].
    pub fn borrow(&self) -> Result<Borrowed<'_>> {
        // SAFETY: Initialised by `new`.
        if unsafe { lunatik_down_killable(self.places.get()) } != 0 {
            return Err(Error::Interrupted);
        }
        let kept = self.free.with(Idle::take);
        // SAFETY: Process context.
        match kept.or_else(|| NonNull::new(unsafe { lunatik_stack_alloc(SIZE) })) {
            Some(base) => Ok(Borrowed { pool: Cell::new(self), base }),
            None => {
                // SAFETY: We took a place above.
                unsafe { bindings::up(self.places.get()) };
                Err(Error::NoMemory)
            }
        }
    }

    fn put(&self, base: NonNull<c_void>) {
        // SAFETY: It is a stack of `SIZE` bytes that nobody uses any more.
        unsafe { lunatik_stack_look(base.as_ptr(), SIZE) };
        let surplus = self.free.with(|free| match free.0.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(base);
                None
            }
            None => Some(base),
        });
        if let Some(base) = surplus {
            // SAFETY: It came from `lunatik_stack_alloc`, and nobody else has it.
            unsafe { lunatik_stack_free(base.as_ptr()) };
        }
        // SAFETY: Initialised by `new`; `borrow` took a place for this stack.
        unsafe { bindings::up(self.places.get()) };
    }
}

/// A stack on loan; dropping it returns it. Process context.
pub struct Borrowed<'a> {
    pool: Cell<&'a Pool>,
    base: NonNull<c_void>,
}

impl<'a> Borrowed<'a> {
    /// Its addresses.
    pub fn span(&self) -> Span {
        span_of(self.base.as_ptr(), SIZE)
    }

    /// From now on it counts as a stack of `pool`, if that has a place left. Process context.
    pub fn charge(&self, pool: &'a Pool) {
        let before = self.pool.get();
        // SAFETY: Initialised by `new`.
        if !core::ptr::eq(before, pool) && unsafe { bindings::down_trylock(pool.places.get()) } == 0 {
            self.pool.set(pool);
            // SAFETY: As above; the loan had a place there.
            unsafe { bindings::up(before.places.get()) };
        }
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        self.pool.get().put(self.base);
    }
}

/// The stack of this CPU; bottom halves stay off until it is dropped.
pub struct CpuStack(NonNull<c_void>);

impl CpuStack {
    /// Takes it; `None` when Lua runs on it already.
    ///
    /// # Safety
    ///
    /// Bottom halves are off, and stay so until the value is dropped.
    pub unsafe fn take() -> Option<Self> {
        // SAFETY: By the caller.
        NonNull::new(unsafe { lunatik_cpu_stack_take() }).map(Self)
    }

    /// Its addresses.
    pub fn span(&self) -> Span {
        span_of(self.0.as_ptr(), CPU_SIZE)
    }
}

impl Drop for CpuStack {
    fn drop(&mut self) {
        // SAFETY: Taken by `take`, still on the same CPU.
        unsafe { lunatik_cpu_stack_give() };
    }
}

/// Calls `lunatik_side_main(arg)` on the stack.
///
/// # Safety
///
/// Preemption is off, the stack is the caller's own, and `arg` is what `lunatik_side_main` expects.
pub unsafe fn run_on_side(arg: *mut c_void, span: &Span) {
    // SAFETY: By the caller.
    unsafe { lunatik_run_on_side(arg, span.top.cast()) };
}

/// Calls `lunatik_task_main(arg)` on the stack from which `span` was entered, below what lies there.
///
/// # Safety
///
/// The caller runs on `span`, and `arg` is what `lunatik_task_main` expects.
pub unsafe fn run_on_task(arg: *mut c_void, span: &Span) {
    // SAFETY: The word at the top holds the stack pointer of the task, by the caller.
    let task = unsafe { span.top.read() };
    let top = task.wrapping_sub(64) & !15;
    // SAFETY: Below the task's stack pointer its stack is free; kernel code has no red zone.
    unsafe { lunatik_run_on_task(arg, top as *mut c_void) };
}

/// Makes the stacks of the CPUs and the guard timers. Process context, once.
pub fn init() -> Result {
    // SAFETY: Process context, nothing runs yet.
    unsafe {
        if lunatik_cpu_stacks_init(CPU_SIZE) != 0 {
            return Err(Error::NoMemory);
        }
        lunatik_guard_init((params::slice_us() / 2) as c_uint);
        lunatik_port_init();
    }
    Ok(())
}

/// Undoes [`init`], and frees what was kept of the memory of states. No Lua runs any more.
pub fn exit() {
    // SAFETY: Process context, nothing runs any more.
    unsafe {
        lunatik_guard_exit();
        lunatik_cpu_stacks_exit();
        lunatik_segments_exit();
    }
}
