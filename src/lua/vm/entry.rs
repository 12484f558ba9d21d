// SPDX-License-Identifier: GPL-2.0-only

//! One entry into a state: from taking the lock to giving it back, with its breaks.
//!
//! `lunatik_side_main` runs on the side stack, `lunatik_task_main` on the task's own, called from the side
//! stack: the break. Both are narrated in src/exec/mod.rs. An entry lives on its caller's frame; everything
//! here but a break runs under the state's lock, with bottom halves off.

use super::{message, Vm};
use crate::alloc::lunatik_lua_alloc;
use crate::error::{Error, Result};
use crate::exec::budget::Budget;
use crate::kapi::events::Due;
use crate::kapi::stack::{self, Borrowed, Span};
use crate::kapi::{params, sync, trace};
use crate::log;
use crate::lua::ffi::{self, end, wants, why, RawChunk, RawMessage, RawVm};
use crate::lua::memory::{self, Slab};
use crate::world::WORLD;
use core::ffi::{c_int, c_void};

extern "C" {
    fn lunatik_guard_enter(flag: *mut c_int) -> *mut c_int;
    fn lunatik_guard_leave(outer: *mut c_int);
    fn lunatik_op_run(event: *mut c_void);
}

/// After so many breaks an event is as long as a script, and its stack counts as one of theirs.
const LONG: u32 = 100;

/// How an entry runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// From process context, in slices; signals (of a writer) and `cancel` end it.
    Script,
    /// From process context, in slices, to its end: opening and closing.
    Service,
    /// Under a time budget.
    Hook,
}

/// What an entry does.
pub(super) enum Job {
    Open,
    Close,
    Chunk(*mut RawChunk),
    Message(*mut RawMessage, *mut RawChunk),
    Event(Due, *mut RawChunk),
    Collect,
}

/// One entry into a state; it lives on its caller's own stack.
pub(super) struct Entry {
    vm: *const Vm,
    kind: Kind,
    job: Job,
    pub(super) span: Span,
    /// Of a sliced entry: the loan of the stack.
    stack: *const Borrowed<'static>,
    /// How often it gave way.
    breaks: u32,
    pub(super) thread: *mut ffi::LuaState,
    /// Why it must end, `why::GO_ON` as long as it need not.
    pub(super) why: c_int,
    /// `Vm::cancels` when it began.
    pub(super) cancels: u32,
    /// What the guard of this CPU watched before.
    outer: *mut c_int,
    /// When it took the lock, in nanoseconds.
    since: u64,
    /// The time budget of a hook, a `__gc` or an `atomic`.
    budget: Budget,
    /// What its task does at this break, if anything.
    call: Option<unsafe extern "C" fn(*mut c_void)>,
    arg: *mut c_void,
    pub(super) ended: c_int,
}

impl Entry {
    /// True for what somebody waits for; its lines are not throttled.
    pub(super) fn is_request(&self) -> bool {
        self.kind == Kind::Script && !matches!(self.job, Job::Event(..))
    }
}

impl Vm {
    pub(super) fn entry(&self, kind: Kind, job: Job, span: Span, mark: u32) -> Entry {
        Entry {
            vm: self,
            kind,
            job,
            span,
            stack: core::ptr::null(),
            breaks: 0,
            thread: core::ptr::null_mut(),
            why: why::GO_ON,
            cancels: mark,
            outer: core::ptr::null_mut(),
            since: 0,
            budget: Budget::default(),
            call: None,
            arg: core::ptr::null_mut(),
            ended: end::DONE,
        }
    }

    /// Runs a job in slices on a stack from the pool: how it ended, why it was ended, its thread.
    pub(super) fn enter_sliced(&self, kind: Kind, job: Job, mark: u32) -> Result<(c_int, c_int, *mut ffi::LuaState)> {
        let world = WORLD.get().ok_or(Error::Gone)?;
        // All but scripts and messages have stacks of their own: what writers run may never end.
        let pool = if matches!(job, Job::Chunk(_) | Job::Message(..)) { &world.stacks } else { &world.executor_stacks };
        let stack = pool.borrow()?;
        let mut entry = self.entry(kind, job, stack.span(), mark);
        entry.stack = &raw const stack;
        self.spin.lock();
        // SAFETY: We hold the lock.
        if kind == Kind::Script && unsafe { memory::shortfall(&(*self.inner.get()).heap) } != 0 {
            // SAFETY: Taken above.
            unsafe { self.spin.unlock() };
            // Without memory the state goes on with what it has.
            let _ = self.supply();
            self.spin.lock();
        }
        self.begin(&mut entry);
        // SAFETY: The spinlock keeps preemption off, the stack is ours, the entry outlives the call.
        unsafe { stack::run_on_side((&raw mut entry).cast(), &entry.span) };
        self.end(&mut entry);
        if let Job::Chunk(chunk) | Job::Message(_, chunk) | Job::Event(_, chunk) = entry.job {
            // SAFETY: We hold the lock, and the caller keeps the chunk. What it waits for may be due at once after it.
            unsafe {
                if (*chunk).end == end::WAITS {
                    (*self.inner.get()).waiting += 1;
                }
            }
        }
        // SAFETY: Taken above, or taken again after each break.
        unsafe { self.spin.unlock() };
        if kind == Kind::Script && entry.cancels != self.mark() {
            // Cancelled after its last break: should it wait now, whoever cancelled it saw it too early.
            self.queue.wake();
        }
        Ok((entry.ended, entry.why, entry.thread))
    }

    /// `entry` runs Lua from now on. The lock is held.
    pub(super) fn begin(&self, entry: &mut Entry) {
        let inner = self.inner.get();
        // SAFETY: We hold the lock; bottom halves are off for the guard.
        unsafe {
            (*inner).entry = entry;
            (*inner).raw.top = entry.thread;
            let ext = &raw mut (*inner).raw.ext;
            (*ext).stack_limit = entry.span.limit.cast();
            (*ext).stack_red = entry.span.red.cast();
            // A full collection does not fit a hook's budget.
            (*ext).nogc = c_int::from(entry.kind == Kind::Hook);
            (&raw mut (*ext).timeup).write_volatile(c_int::from(entry.why != why::GO_ON));
            entry.outer = lunatik_guard_enter(&raw mut (*ext).timeup);
        }
        entry.since = sync::now();
    }

    /// `entry` runs no Lua any more: for how many nanoseconds it did. The lock is held.
    pub(super) fn end(&self, entry: &mut Entry) -> u64 {
        let inner = self.inner.get();
        let held = sync::now().saturating_sub(entry.since);
        // SAFETY: As in `begin`.
        unsafe {
            lunatik_guard_leave(entry.outer);
            (*inner).entry = core::ptr::null_mut();
            let stats = &mut (*inner).stats;
            stats.longest_hold = stats.longest_hold.max(held);
        }
        held
    }
}

/// On the side stack, under the lock: does what the entry is for.
#[no_mangle]
unsafe extern "C" fn lunatik_side_main(arg: *mut c_void) {
    let entry: *mut Entry = arg.cast();
    // SAFETY: `run_on_side` was given an entry that lives until it returns; its state's lock is held
    // whenever this code runs.
    unsafe {
        let inner = (*(*entry).vm).inner.get();
        let raw = &raw mut (*inner).raw;
        match (*entry).job {
            Job::Open => {
                let ud = (&raw mut (*inner).heap).cast();
                (*entry).ended = ffi::lunatik_vm_open(raw, lunatik_lua_alloc::<Slab>, ud);
            }
            Job::Close => ffi::lunatik_vm_close(raw),
            Job::Chunk(chunk) => {
                let thread = ffi::lunatik_thread_new(raw);
                if !thread.is_null() {
                    ffi::lunatik_thread_top(thread, (*entry).cancels);
                    (*entry).thread = thread;
                    (*raw).top = thread;
                    ffi::lunatik_chunk_run(thread, chunk, c_int::from((*entry).kind == Kind::Script));
                }
            }
            Job::Message(message, chunk) => {
                let thread = ffi::lunatik_thread_new(raw);
                if !thread.is_null() {
                    ffi::lunatik_thread_top(thread, (*entry).cancels);
                    (*entry).thread = thread;
                    (*raw).top = thread;
                    ffi::lunatik_message_run(thread, chunk, message);
                    message::delivered((*entry).vm, message, chunk);
                }
            }
            Job::Event(event, chunk) => side_event(entry, event.0, chunk),
            Job::Collect => {
                let thread = ffi::lunatik_thread_new(raw);
                if !thread.is_null() {
                    ffi::lunatik_thread_top(thread, (*entry).cancels);
                    (*entry).thread = thread;
                    (*raw).top = thread;
                    ffi::lunatik_collect(thread);
                }
            }
        }
    }
}

/// On the side stack, under the lock: does what a due event wants.
///
/// # Safety
///
/// As for `lunatik_side_main`; `event` is in the hands of this entry.
unsafe fn side_event(entry: *mut Entry, event: *mut c_void, chunk: *mut RawChunk) {
    // SAFETY: By the caller.
    unsafe {
        let vm = (*entry).vm;
        let inner = (*vm).inner.get();
        let raw = &raw mut (*inner).raw;
        let mut thread = core::ptr::null_mut();
        let mark = ffi::lunatik_event_mark(event);
        let wanted = ffi::lunatik_event_take(raw, event, &mut thread);
        (*entry).thread = thread;
        (*raw).top = thread;
        match wanted {
            wants::VOID => {
                (*chunk).end = end::DONE;
                (*chunk).result_len = 0;
            }
            wants::RESUME => {
                (*inner).waiting = (*inner).waiting.saturating_sub(1);
                (*entry).cancels = mark;
                (*entry).why = match (mark != (*vm).mark(), ffi::lunatik_thread_withdrawn(thread) != 0) {
                    (true, _) => why::CANCELLED,
                    (_, true) => why::REPLACED,
                    _ => why::GO_ON,
                };
                if (*entry).why != why::GO_ON {
                    // Its next poll raises, and so does every further one.
                    (&raw mut (*raw).ext.timeup).write_volatile(1);
                }
                ffi::lunatik_chunk_resume(thread, chunk);
            }
            wants::CALL => {
                ffi::lunatik_thread_top(thread, (*entry).cancels);
                ffi::lunatik_chunk_call(thread, chunk);
            }
            // No memory for the callback: that is what `chunk` says from the start.
            _ => {}
        }
    }
}

/// On the task's own stack, called from the side stack: the break between two slices.
#[no_mangle]
unsafe extern "C" fn lunatik_task_main(arg: *mut c_void) {
    let entry: *mut Entry = arg.cast();
    // SAFETY: The entry lives on the frame from which the side stack was entered, above this one.
    let entry = unsafe { &mut *entry };
    // SAFETY: The caller of the entry borrows the state until the entry is over.
    let vm = unsafe { &*entry.vm };
    vm.end(entry);
    // SAFETY: The entry held the lock.
    unsafe {
        (*vm.inner.get()).stats.slices += u64::from(entry.call.is_none());
        vm.spin.unlock();
    }
    log::drain();
    if let Some(call) = entry.call {
        // SAFETY: Process context, no lock; whoever breaks keeps the argument.
        unsafe { call(entry.arg) };
    }
    sync::resched(&vm.cancels, entry.cancels);
    entry.breaks = entry.breaks.saturating_add(1);
    if entry.breaks >= LONG {
        if let Some(world) = WORLD.get() {
            // SAFETY: The loan lies on the frame from which the side stack was entered, too.
            unsafe { (*entry.stack).charge(&world.stacks) };
        }
    }
    // Without memory the state goes on with what it has.
    let _ = vm.supply();
    if entry.kind == Kind::Script && entry.why == why::GO_ON {
        if sync::signal_ends() {
            entry.why = why::SIGNAL;
        } else if entry.cancels != vm.mark() {
            entry.why = why::CANCELLED;
        }
    }
    vm.spin.lock();
    vm.begin(entry);
}

/// Called by `lunatik_break` on the side stack, under the lock.
#[no_mangle]
unsafe extern "C" fn lunatik_slice_over(raw: *mut RawVm) -> c_int {
    // SAFETY: `owner` is the state whose lock is held; an entry is what runs the caller.
    unsafe {
        let inner = (*(*raw).owner.cast::<Vm>()).inner.get();
        let entry = (*inner).entry;
        let timeup = &raw mut (*inner).raw.ext.timeup;
        let unbroken = (*inner).raw.ext.nobreak > 0;
        if entry.is_null() {
            timeup.write_volatile(0);
            return why::GO_ON;
        }
        if (*entry).kind != Kind::Hook && !unbroken {
            if (*entry).why == why::OVERRUN {
                // The budget was that of a `__gc` or of `lunatik.atomic`, which is over.
                (*entry).why = why::GO_ON;
            }
            (*entry).budget.reset();
            if (*entry).why == why::GO_ON {
                timeup.write_volatile(0);
                stack::run_on_task(entry.cast(), &(*entry).span);
            }
            return (*entry).why;
        }
        if (*entry).kind != Kind::Hook
            && (*entry).budget.enter((*inner).raw.ext.sections)
            && (*entry).why == why::OVERRUN
        {
            (*entry).why = why::GO_ON;
        }
        if (*entry).why != why::GO_ON {
            return (*entry).why;
        }
        let now = sync::now();
        let (budget, period) = (params::hookbudget_us() as u64 * 1000, params::slice_us() as u64 * 500);
        if !(*entry).budget.is_spent(now, budget, period) {
            // In a `__gc` the flag stays: the finalizers after this one wait for a break.
            timeup.write_volatile(c_int::from(unbroken));
            return why::GO_ON;
        }
        (*entry).why = why::OVERRUN;
        trace::overrun(&(*(*entry).vm).name, now.saturating_sub((*entry).since));
        if unbroken {
            (*inner).stats.overruns += 1;
        }
        why::OVERRUN
    }
}

/// Has the task wait for an operation at a break, if somebody waits for the outcome of what runs: then 1. A
/// null pointer only asks.
#[no_mangle]
unsafe extern "C" fn lunatik_wait_here(raw: *mut RawVm, operation: *mut c_void) -> c_int {
    // SAFETY: As in `lunatik_slice_over`; the operation's userdata is on the stack of the thread that breaks.
    unsafe {
        let entry = (*(*(*raw).owner.cast::<Vm>()).inner.get()).entry;
        if entry.is_null() || !(*entry).is_request() {
            return 0;
        }
        call_out(raw, if operation.is_null() { None } else { Some(lunatik_op_run) }, operation)
    }
}

/// Calls `f(arg)` at a break: see shim.h.
#[no_mangle]
unsafe extern "C" fn lunatik_call_out(
    raw: *mut RawVm,
    f: Option<unsafe extern "C" fn(*mut c_void)>,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: As in `lunatik_slice_over`.
    unsafe { call_out(raw, f, arg) }
}

/// # Safety
///
/// As for `lunatik_slice_over`; `f`, if any, can be called with `arg` while the lock is dropped.
unsafe fn call_out(raw: *mut RawVm, f: Option<unsafe extern "C" fn(*mut c_void)>, arg: *mut c_void) -> c_int {
    // SAFETY: By the caller.
    unsafe {
        let inner = (*(*raw).owner.cast::<Vm>()).inner.get();
        let entry = (*inner).entry;
        if entry.is_null()
            || (*entry).kind == Kind::Hook
            || (*inner).raw.ext.nobreak > 0
            || (*entry).why != why::GO_ON
        {
            return 0;
        }
        if f.is_some() {
            (*entry).call = f;
            (*entry).arg = arg;
            (*entry).budget.reset();
            stack::run_on_task(entry.cast(), &(*entry).span);
            (*entry).call = None;
        }
        1
    }
}
