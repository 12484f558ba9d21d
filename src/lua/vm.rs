// SPDX-License-Identifier: GPL-2.0-only

//! One Lua state behind its lock: entered from process context in slices, from a hook in one go.
//!
//! Whoever holds the lock may run Lua, on a side stack, with bottom halves off; nothing sleeps under
//! it. A sliced entry whose time is up calls back onto its task's own stack
//! ([`lunatik_task_main`]), where the lock is dropped, the task may sleep, and the lock is taken
//! again. Entries stop and resume in any order, so nothing that belongs to an entry is kept in the
//! state across a break but through [`Entry`].
//!
//! No Rust reference into [`Inner`] lives across a call into Lua: all access is by raw pointer, for
//! as long as a statement.

use super::ffi::{self, end, wants, why, RawChunk, RawMessage, RawVm};
use super::memory::{self, Segment, Slab, StateHeap};
use crate::alloc::lunatik_lua_alloc;
use crate::error::{Error, Result};
use crate::kapi::buffer::Bytes;
use crate::kapi::events::{Due, Queue};
use crate::kapi::stack::{self, Borrowed, CpuStack, Span};
use crate::kapi::sync::{self, Class, Spin};
use crate::kapi::{params, trace};
use crate::kapi::wait::WaitQueue;
use crate::mailbox::Mailbox;
use crate::log::{self, Source, Throttle};
use crate::name::StateName;
use crate::state::State;
use crate::world::WORLD;
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicU32, Ordering};
use kernel::prelude::*;
use kernel::sync::Arc;
use message::Kept;

mod message;

pub use message::Message;

extern "C" {
    fn lunatik_guard_enter(flag: *mut c_int) -> *mut c_int;
    fn lunatik_guard_leave(outer: *mut c_int);
    fn lunatik_op_run(event: *mut c_void);
}

/// What an operator reads in `stats`.
#[derive(Clone, Copy, Default)]
pub struct Stats {
    /// Chunks run.
    pub executions: u64,
    /// Entries that were not scripts (hooks, `klua_execute`).
    pub events: u64,
    /// Chunks and events that failed.
    pub errors: u64,
    /// Breaks of sliced entries.
    pub slices: u64,
    /// Time budgets spent.
    pub overruns: u64,
    /// Longest hold of the lock by Lua, in nanoseconds.
    pub longest_hold: u64,
    /// Messages that the callback got.
    pub messages_in: u64,
    /// Messages that scripts queued.
    pub messages_out: u64,
}

/// After so many breaks an event is as long as a script, and its stack counts as one of theirs.
const LONG: u32 = 100;

/// What is guarded by the lock.
struct Inner {
    raw: RawVm,
    heap: StateHeap,
    entry: *mut Entry,
    stats: Stats,
    /// Threads that wait for an event.
    waiting: usize,
    /// Bounds what is logged on nobody's request.
    throttle: Throttle,
    /// Messages whose callbacks wait.
    kept: Kept,
    open: bool,
}

/// A Lua state with its lock.
#[pin_data]
pub struct Vm {
    #[pin]
    spin: Spin,
    inner: UnsafeCell<Inner>,
    queue: Queue,
    #[pin]
    outbox: Mailbox,
    /// Writers of messages that wait until `kept` is less.
    #[pin]
    room: WaitQueue,
    cancels: AtomicU32,
    name: StateName,
}

// SAFETY: `inner` is reached under the lock alone.
unsafe impl Send for Vm {}
// SAFETY: As above.
unsafe impl Sync for Vm {}

/// How an entry runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// From process context, in slices; signals (of a writer) and `cancel` end it.
    Script,
    /// From process context, in slices, to its end: opening and closing.
    Service,
    /// Under a time budget.
    Hook,
}

/// What an entry does.
enum Job {
    Open,
    Close,
    Chunk(*mut RawChunk),
    Message(*mut RawMessage, *mut RawChunk),
    Event(Due, *mut RawChunk),
    Collect,
}

/// One entry into a state; it lives on its caller's own stack.
struct Entry {
    vm: *const Vm,
    kind: Kind,
    job: Job,
    span: Span,
    /// Of a sliced entry: the loan of the stack.
    stack: *const Borrowed<'static>,
    /// How often it gave way.
    breaks: u32,
    thread: *mut ffi::LuaState,
    /// Why it must end, `why::GO_ON` as long as it need not.
    why: c_int,
    /// `Vm::cancels` when it began.
    cancels: u32,
    /// What the guard of this CPU watched before.
    outer: *mut c_int,
    /// When it took the lock, in nanoseconds.
    since: u64,
    /// When the time budget of a hook, a `__gc` or an `atomic` ends; 0 while none was seen to run.
    deadline: u64,
    /// Which `__gc` or `atomic` the deadline is for.
    section: c_int,
    /// What its task waits for at this break.
    operation: *mut c_void,
    ended: c_int,
}

impl Entry {
    /// True for what somebody waits for; its lines are not throttled.
    fn is_request(&self) -> bool {
        self.kind == Kind::Script && !matches!(self.job, Job::Event(..))
    }
}

impl Inner {
    /// Queues lines that nobody waits for, throttled. Under the lock.
    fn log(&mut self, name: &StateName, text: &[u8]) {
        for line in text.split(|b| *b == b'\n') {
            self.throttle.log(name, line, sync::now());
        }
    }
}

/// How a chunk ended, and its results or its message.
pub struct Ran {
    /// `Ok`, or why it failed.
    pub outcome: Result,
    /// Results separated by tabs, or the message with its traceback; nothing while it waits.
    pub text: Bytes,
}

/// A chunk to run.
pub struct Chunk<'a> {
    /// Its source.
    pub text: &'a [u8],
    /// Its name as `load` takes it, with a terminating zero.
    pub name: &'a [u8],
    /// What it registers takes effect when it ends without error or first waits, and not before.
    pub staged: bool,
}

impl Vm {
    /// An initialiser for a state that is not open yet, with a memory limit in bytes.
    pub fn new(name: StateName, limit: usize) -> impl PinInit<Self> {
        let inner = Inner {
            raw: RawVm {
                ext: ffi::Ext {
                    timeup: 0,
                    nobreak: 0,
                    nogc: 0,
                    sections: 0,
                    stack_limit: core::ptr::null(),
                    stack_red: core::ptr::null(),
                    random: [0; 2],
                },
                main: core::ptr::null_mut(),
                aux: core::ptr::null_mut(),
                top: core::ptr::null_mut(),
                waiting: core::ptr::null_mut(),
                queue: core::ptr::null_mut(),
                timers: 0,
                handling: 0,
                staging: core::ptr::null_mut(),
                staged: core::ptr::null_mut(),
                live: core::ptr::null_mut(),
                generation: 0,
                replaced: 0,
                replaces: 0,
                owner: core::ptr::null(),
            },
            heap: StateHeap::new(limit, Slab),
            entry: core::ptr::null_mut(),
            stats: Stats::default(),
            waiting: 0,
            throttle: Throttle::default(),
            kept: Kept::new(),
            open: false,
        };
        pin_init!(Self {
            spin <- Spin::new(Class::State),
            inner: UnsafeCell::new(inner),
            queue: Queue::new(),
            outbox <- Mailbox::new(),
            room <- WaitQueue::new(),
            cancels: AtomicU32::new(0),
            name,
        })
    }

    /// The state's name.
    pub fn name(&self) -> &StateName {
        &self.name
    }

    /// Makes the Lua state with its libraries. Process context. [`Error::NoMemory`],
    /// [`Error::Interrupted`] while it waits for a stack.
    pub fn open(&self, state: &Arc<State>) -> Result {
        self.queue.make(state)?;
        self.outbox.make()?;
        self.with(|inner| {
            inner.raw.owner = core::ptr::from_ref(self).cast();
            inner.raw.queue = self.queue.as_ptr();
        });
        self.supply()?;
        let ended = self.enter_sliced(Kind::Service, Job::Open, self.mark())?.0;
        if ended != end::DONE {
            self.free_segments();
            return Err(Error::NoMemory);
        }
        self.with(|inner| inner.open = true);
        Ok(())
    }

    /// Adds segments until the reserve is what it should be. Process context; [`Error::NoMemory`].
    fn supply(&self) -> Result {
        loop {
            let lack = self.with(|inner| memory::shortfall(&inner.heap));
            if lack == 0 {
                return Ok(());
            }
            let segment = Segment::new(lack).ok_or(Error::NoMemory)?;
            // Given back, it is freed here, outside of the lock.
            if self.with(|inner| segment.give(&mut inner.heap)).is_some() {
                return Err(Error::NoMemory);
            }
        }
    }

    /// Frees what the heap can do without. Process context.
    fn free_surplus(&self) {
        while self.with(|inner| Segment::take_spare(&mut inner.heap)).is_some() {}
    }

    /// Frees all segments; no block is left. Process context.
    fn free_segments(&self) {
        while self.with(|inner| Segment::take_empty(&mut inner.heap)).is_some() {}
    }

    /// Runs the finalizers and frees all. Process context; no entry is under way and none can begin.
    /// Without a stack to run on it waits, killed or not.
    pub fn close(&self) {
        if !self.with(|inner| core::mem::replace(&mut inner.open, false)) {
            return;
        }
        while self.enter_sliced(Kind::Service, Job::Close, self.mark()).is_err() {
            sync::nap();
        }
        self.free_kept();
        self.free_segments();
    }

    /// Runs a chunk in slices, until it ends or first waits. Process context; the caller has the
    /// state's turn, and took the `mark` before it made sure that the state lives.
    ///
    /// Errors of the chunk are in [`Ran`]; `Err` means that it could not begin.
    pub fn run(&self, chunk: &Chunk<'_>, mark: u32) -> Result<Ran> {
        let _ = self.supply();
        let mut raw = raw_chunk(chunk);
        let (_, entry_why, thread) = self.enter_sliced(Kind::Script, Job::Chunk(&mut raw), mark)?;
        let ran = self.take_result(&raw, entry_why, thread);
        self.free_surplus();
        self.with(|inner| {
            inner.stats.executions += 1;
            inner.stats.errors += u64::from(ran.outcome.is_err());
        });
        Ok(ran)
    }

    /// Does what a due event wants, in slices: goes on with a thread that waited, or calls a callback.
    /// Process context, from the state's work item.
    pub fn event(&self, event: Due, mark: u32) -> Ran {
        let _ = self.supply();
        let mut raw = raw_chunk(&Chunk { text: &[], name: &[0], staged: false });
        let (_, entry_why, thread) = loop {
            // An event is never lost: without memory for a stack it comes later.
            match self.enter_sliced(Kind::Script, Job::Event(event, &mut raw), mark) {
                Ok(entered) => break entered,
                Err(_) => sync::nap(),
            }
        };
        let mut ran = self.take_result(&raw, entry_why, thread);
        if entry_why == why::REPLACED {
            // That it ends is what was asked for.
            ran = Ran { outcome: Ok(()), text: Bytes::new() };
        }
        self.with(|inner| {
            inner.stats.events += 1;
            inner.stats.errors += u64::from(ran.outcome.is_err());
        });
        ran
    }

    /// Collects garbage in slices, so that hooks, which have no time for it, find room. Process context,
    /// from the state's work item.
    pub fn collect(&self, mark: u32) {
        if let Ok((_, _, thread)) = self.enter_sliced(Kind::Script, Job::Collect, mark) {
            let raw = raw_chunk(&Chunk { text: &[], name: &[0], staged: false });
            let _ = self.take_result(&raw, why::GO_ON, thread);
        }
    }

    /// Logs lines that nobody waits for, throttled. Any context.
    pub fn log(&self, text: &[u8]) {
        self.with(|inner| inner.log(&self.name, text));
    }

    /// Threads that wait now.
    pub fn waiting(&self) -> usize {
        self.with(|inner| inner.waiting)
    }

    /// From now on no event begins; those that run are to be cancelled.
    pub fn stop_events(&self) {
        self.queue.stop();
    }

    /// Waits until no event runs and no timer is left. Sleeps.
    pub fn drain_events(&self) {
        self.queue.drain();
    }

    /// Runs a chunk in one go, under the time budget, without waiting: [`Error::Busy`] when the lock
    /// is held. Process context or softirq, interrupts enabled. The message of an error goes to the
    /// log.
    pub fn execute(&self, chunk: &Chunk<'_>) -> Result {
        if !self.spin.try_lock() {
            return Err(Error::Busy);
        }
        let outcome = self.execute_locked(chunk);
        // SAFETY: Taken above.
        unsafe { self.spin.unlock() };
        outcome
    }

    fn execute_locked(&self, chunk: &Chunk<'_>) -> Result {
        let inner = self.inner.get();
        // SAFETY: We hold the lock.
        if !unsafe { (*inner).open } {
            return Err(Error::NotFound);
        }
        // SAFETY: The spinlock keeps bottom halves off.
        let stack = unsafe { CpuStack::take() }.ok_or(Error::Busy)?;
        let mut raw = raw_chunk(chunk);
        let mut entry = self.entry(Kind::Hook, Job::Chunk(&mut raw), stack.span(), self.mark());
        self.begin(&mut entry);
        // SAFETY: Preemption is off, the stack is ours, and the entry outlives the call.
        unsafe { stack::run_on_side((&raw mut entry).cast(), &entry.span) };
        let held = self.end(&mut entry);
        let outcome = outcome_of(&raw, entry.why);
        trace::event(&self.name, outcome, held);
        // SAFETY: We hold the lock.
        if unsafe { memory::wants_collection(&(*inner).heap) } {
            self.queue.collect();
        }
        // SAFETY: We hold the lock; the statements do not run Lua.
        let stats = unsafe { &mut (*inner).stats };
        stats.events += 1;
        if entry.why == why::OVERRUN {
            stats.overruns += 1;
        }
        if outcome.is_err() {
            stats.errors += 1;
            // SAFETY: The text is on the thread's stack until the thread is freed below.
            let text = unsafe { result_bytes(&raw) };
            // SAFETY: As above.
            unsafe { (*inner).log(&self.name, text) };
        }
        if !entry.thread.is_null() {
            // SAFETY: We hold the lock; the thread was made by this entry.
            unsafe { ffi::lunatik_thread_free(&raw mut (*inner).raw, entry.thread) };
        }
        outcome
    }

    /// Ends everything that runs in slices now, at its next break, and everything that waits. Process
    /// context.
    pub fn cancel(&self) {
        self.cancels.fetch_add(1, Ordering::SeqCst);
        self.queue.wake();
        self.room.wake();
    }

    /// Counts the cancellations: what began before one is ended by it. Any context.
    pub fn mark(&self) -> u32 {
        self.cancels.load(Ordering::SeqCst)
    }

    /// The limit, what is in use of it, and the most that ever was, in bytes.
    pub fn memory(&self) -> (usize, usize, usize) {
        self.with(|inner| (inner.heap.limit(), inner.heap.used(), inner.heap.peak()))
    }

    /// Sets the limit; [`Error::Busy`] when more is in use, [`Error::NoMemory`] when the machine has
    /// not that much. Process context.
    pub fn set_limit(&self, limit: usize) -> Result {
        let before = self.with(|inner| {
            let before = inner.heap.limit();
            inner.heap.set_limit(limit).map(|()| before).map_err(|_| Error::Busy)
        });
        let before = before?;
        self.supply().inspect_err(|_| {
            // What is in use may have grown past the old limit meanwhile; then the new one stays.
            let _ = self.with(|inner| inner.heap.set_limit(before));
        })
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.with(|inner| inner.stats)
    }

    /// Short work on the inside that does not run Lua.
    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        self.spin.lock();
        // SAFETY: We hold the lock, and no Lua runs while `f` does.
        let result = f(unsafe { &mut *self.inner.get() });
        // SAFETY: Taken above.
        unsafe { self.spin.unlock() };
        result
    }

    fn entry(&self, kind: Kind, job: Job, span: Span, mark: u32) -> Entry {
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
            deadline: 0,
            section: 0,
            operation: core::ptr::null_mut(),
            ended: end::DONE,
        }
    }

    /// Runs a job in slices on a stack from the pool: how it ended, why it was ended, its thread.
    fn enter_sliced(&self, kind: Kind, job: Job, mark: u32) -> Result<(c_int, c_int, *mut ffi::LuaState)> {
        let world = WORLD.get().ok_or(Error::Gone)?;
        // All but scripts and messages have stacks of their own: what writers run may never end.
        let pool = if matches!(job, Job::Chunk(_) | Job::Message(..)) { &world.stacks } else { &world.executor_stacks };
        let stack = pool.borrow()?;
        let mut entry = self.entry(kind, job, stack.span(), mark);
        entry.stack = &raw const stack;
        self.spin.lock();
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
    fn begin(&self, entry: &mut Entry) {
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
    fn end(&self, entry: &mut Entry) -> u64 {
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

    /// Copies the text of a finished chunk and lets its thread go. Process context.
    fn take_result(&self, raw: &RawChunk, entry_why: c_int, thread: *mut ffi::LuaState) -> Ran {
        let mut outcome = outcome_of(raw, entry_why);
        // The memory is had outside of the lock; the text stays on the thread's stack until then.
        let mut text = match Bytes::zeroed(raw.result_len) {
            Ok(bytes) => bytes,
            Err(error) => {
                outcome = outcome.and(Err(error));
                Bytes::new()
            }
        };
        let inner = self.inner.get();
        self.spin.lock();
        // SAFETY: We hold the lock; the thread keeps the text alive until it is freed.
        unsafe {
            for (to, from) in text.bytes_mut().iter_mut().zip(result_bytes(raw)) {
                *to = *from;
            }
            if raw.end != end::WAITS && !thread.is_null() {
                ffi::lunatik_thread_free(&raw mut (*inner).raw, thread);
            }
            self.spin.unlock();
        }
        Ran { outcome, text }
    }
}

fn raw_chunk(chunk: &Chunk<'_>) -> RawChunk {
    RawChunk {
        text: chunk.text.as_ptr().cast(),
        len: chunk.text.len(),
        pos: 0,
        name: chunk.name.as_ptr().cast(),
        staged: c_int::from(chunk.staged),
        end: end::NOMEM,
        result: c"not enough memory".as_ptr().cast(),
        result_len: c"not enough memory".count_bytes(),
    }
}

/// # Safety
///
/// The chunk's thread was not freed, and the state's lock is held.
unsafe fn result_bytes(raw: &RawChunk) -> &[u8] {
    // SAFETY: `result` is a Lua string of that length on a live thread, or a literal.
    unsafe { core::slice::from_raw_parts(raw.result.cast(), raw.result_len) }
}

fn outcome_of(raw: &RawChunk, entry_why: c_int) -> Result {
    match (raw.end, entry_why) {
        (end::DONE | end::WAITS, _) => Ok(()),
        (_, why::SIGNAL | why::CANCELLED | why::REPLACED) => Err(Error::Interrupted),
        (end::SYNTAX, _) => Err(Error::Syntax),
        (end::NOMEM, _) => Err(Error::NoMemory),
        _ => Err(Error::Raised),
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
        (*vm.inner.get()).stats.slices += 1;
        vm.spin.unlock();
    }
    log::drain();
    if !entry.operation.is_null() {
        // SAFETY: The operation's userdata is on the stack of the thread that breaks.
        unsafe { lunatik_op_run(entry.operation) };
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
            (*entry).deadline = 0;
            if (*entry).why == why::GO_ON {
                timeup.write_volatile(0);
                stack::run_on_task(entry.cast(), &(*entry).span);
            }
            return (*entry).why;
        }
        let sections = (*inner).raw.ext.sections;
        if (*entry).kind != Kind::Hook && (*entry).section != sections {
            (*entry).section = sections;
            (*entry).deadline = 0;
            if (*entry).why == why::OVERRUN {
                (*entry).why = why::GO_ON;
            }
        }
        if (*entry).why != why::GO_ON {
            return (*entry).why;
        }
        // The guard's first tick comes up to two periods late; what is left of the budget is timed.
        let now = sync::now();
        let period = params::slice_us() as u64 * 500;
        let budget = params::hookbudget_us() as u64 * 1000;
        if (*entry).deadline == 0 {
            (*entry).deadline = now + budget.saturating_sub(period);
        }
        if now < (*entry).deadline {
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
    // SAFETY: As in `lunatik_slice_over`.
    unsafe {
        let inner = (*(*raw).owner.cast::<Vm>()).inner.get();
        let entry = (*inner).entry;
        if entry.is_null() || !(*entry).is_request() || (*inner).raw.ext.nobreak > 0 || (*entry).why != why::GO_ON {
            return 0;
        }
        if !operation.is_null() {
            (*entry).operation = operation;
            (*entry).deadline = 0;
            stack::run_on_task(entry.cast(), &(*entry).span);
            (*entry).operation = core::ptr::null_mut();
        }
        1
    }
}

/// `print`: lines for the kernel log; 1 when a break is to make room for them first.
#[no_mangle]
unsafe extern "C" fn lunatik_print_text(raw: *mut RawVm, text: *const c_char, len: usize) -> c_int {
    // SAFETY: `owner` is the state whose lock is held; `text` is part of a Lua string, of that length.
    unsafe {
        let vm = &*(*raw).owner.cast::<Vm>();
        let inner = vm.inner.get();
        let entry = (*inner).entry;
        let text = core::slice::from_raw_parts(text.cast(), len);
        if entry.is_null() || !(*entry).is_request() {
            (*inner).log(&vm.name, text);
            return 0;
        }
        let queued = log::queue(&vm.name, text, Source::Writer);
        c_int::from(!queued && (*inner).raw.ext.nobreak == 0)
    }
}

/// The state's name.
#[no_mangle]
unsafe extern "C" fn lunatik_vm_name(raw: *mut RawVm) -> *const c_char {
    // SAFETY: `owner` is the state whose lock is held.
    unsafe { (*(*raw).owner.cast::<Vm>()).name.as_c_bytes().as_ptr().cast() }
}

/// The limit in bytes.
#[no_mangle]
unsafe extern "C" fn lunatik_vm_limit(raw: *mut RawVm) -> usize {
    // SAFETY: `owner` is the state whose lock is held.
    unsafe { (*(*(*raw).owner.cast::<Vm>()).inner.get()).heap.limit() }
}

/// Bytes in use.
#[no_mangle]
unsafe extern "C" fn lunatik_vm_used(raw: *mut RawVm) -> usize {
    // SAFETY: `owner` is the state whose lock is held.
    unsafe { (*(*(*raw).owner.cast::<Vm>()).inner.get()).heap.used() }
}
