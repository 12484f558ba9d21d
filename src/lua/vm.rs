// SPDX-License-Identifier: GPL-2.0-only

//! One Lua state behind its lock: entered from process context in slices, from a hook in one go.
//!
//! Whoever holds the lock may run Lua, on a side stack, with bottom halves off; nothing sleeps under
//! it. A sliced entry whose time is up calls back onto its task's own stack (`vm/entry.rs`), where the
//! lock is dropped, the task may sleep, and the lock is taken again. Entries stop and resume in any order, so nothing that belongs to an entry is kept in the
//! state across a break but through [`Entry`].
//!
//! No Rust reference into [`Inner`] lives across a call into Lua: all access is by raw pointer, for
//! as long as a statement.

use super::ffi::{self, end, why, RawChunk, RawVm};
use super::memory::{self, Segment, Slab, StateHeap};
use crate::ctl::grammar::Buffer;
use crate::error::{Error, Result};
use crate::kapi::buffer::Bytes;
use crate::kapi::events::{Came, Due, Handle, Queue};
use crate::kapi::netns::Netns;
use crate::kapi::params;
use crate::kapi::stack::{self, CpuStack};
use crate::kapi::sync::{self, Class, Spin};
use crate::kapi::trace;
use crate::kapi::wait::WaitQueue;
use crate::mailbox::Mailbox;
use crate::log::{self, Source, Throttle};
use crate::name::StateName;
use crate::state::State;
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use kernel::prelude::*;
use kernel::sync::Arc;
use entry::{Entry, Job, Kind};
use message::Kept;

mod context;
mod entry;
mod hook;
mod message;

pub use message::Message;

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
    /// Packets that functions saw.
    pub packets: u64,
    /// Packets that they dropped.
    pub drops: u64,
    /// Packets that got the verdict for errors.
    pub hook_errors: u64,
}

impl Stats {
    /// Adds those of another interpreter, which had the same scripts; of the longest hold the longer one counts.
    pub fn add(&mut self, other: &Self) {
        let Self { executions: _, events, errors, slices, overruns, longest_hold, messages_in, messages_out, packets, drops, hook_errors } = other;
        self.events += events;
        self.errors += errors;
        self.slices += slices;
        self.overruns += overruns;
        self.longest_hold = self.longest_hold.max(*longest_hold);
        self.messages_in += messages_in;
        self.messages_out += messages_out;
        self.packets += packets;
        self.drops += drops;
        self.hook_errors += hook_errors;
    }
}

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
    /// Bytes in use after the last collection on behalf of hooks.
    collected: usize,
    /// Packets are to do a part of the next one.
    pressed: bool,
    /// Messages whose callbacks wait.
    kept: Kept,
    open: bool,
    /// It was closed, and its blocks were not freed.
    forgotten: bool,
}

/// A Lua state with its lock.
#[pin_data]
pub struct Vm {
    #[pin]
    spin: Spin,
    inner: UnsafeCell<Inner>,
    queue: Queue,
    netns: Netns,
    #[pin]
    outbox: Mailbox,
    /// Writers of messages that wait until `kept` is less.
    #[pin]
    room: WaitQueue,
    cancels: AtomicU32,
    /// Packets that came where no function could see them.
    missed: AtomicU64,
    /// Of a state with several: the first interpreter, which has the messages; null for that one itself.
    first: AtomicPtr<Vm>,
    name: StateName,
    handle: Handle,
}

// SAFETY: `inner` is reached under the lock alone.
unsafe impl Send for Vm {}
// SAFETY: As above.
unsafe impl Sync for Vm {}

impl Inner {
    /// True when hooks, which have no time for a collection, may soon find no room, and one would make some.
    fn wants_collection(&mut self) -> bool {
        let (used, limit) = (self.heap.used(), self.heap.limit());
        self.collected = self.collected.min(used);
        let more = (limit / 16).min(limit.saturating_sub(self.collected) / 2);
        memory::wants_collection(&self.heap) && used >= self.collected.saturating_add(more)
    }

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
    /// When what it registers takes effect.
    pub staged: Staged,
}

/// When what a chunk registers takes effect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Staged {
    /// At once.
    No = 0,
    /// When it ends without error or first waits, and not before.
    Yes = 1,
    /// The same, but with [`Vm::settle`], when the other interpreters are as far.
    Held = 2,
}

impl Vm {
    /// An initialiser for a state that is not open yet, with a memory limit in bytes.
    pub fn new(name: StateName, handle: Handle, limit: usize) -> impl PinInit<Self> {
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
                spare: core::ptr::null_mut(),
                waiting: core::ptr::null_mut(),
                queue: core::ptr::null_mut(),
                netns: core::ptr::null_mut(),
                contexts: core::ptr::null_mut(),
                shared: core::ptr::null_mut(),
                interpreter: 0,
                interpreters: 1,
                timers: 0,
                handling: 0,
                staging: core::ptr::null_mut(),
                staged: core::ptr::null_mut(),
                live: core::ptr::null_mut(),
                generation: 0,
                replaced: 0,
                replaces: 0,
                hooks: core::ptr::null_mut(),
                packets: core::ptr::null_mut(),
                packet: core::ptr::null_mut(),
                functions: 0,
                packet_meta: core::ptr::null_mut(),
                packet_store: core::ptr::null_mut(),
                owner: core::ptr::null(),
            },
            heap: StateHeap::new(limit, Slab::new()),
            entry: core::ptr::null_mut(),
            stats: Stats::default(),
            waiting: 0,
            throttle: Throttle::default(),
            collected: 0,
            pressed: false,
            kept: Kept::new(),
            open: false,
            forgotten: false,
        };
        pin_init!(Self {
            spin <- Spin::new(Class::State),
            inner: UnsafeCell::new(inner),
            queue: Queue::new(),
            netns: Netns::new(),
            outbox <- Mailbox::new(),
            room <- WaitQueue::new(),
            cancels: AtomicU32::new(0),
            missed: AtomicU64::new(0),
            first: AtomicPtr::new(core::ptr::null_mut()),
            name,
            handle,
        })
    }

    /// The state's name.
    pub fn name(&self) -> &StateName {
        &self.name
    }

    /// Makes the Lua state with its libraries, as one of so many `interpreters`, in the network namespace of `creator`
    /// or of the current task. Process context. [`Error::NoMemory`], [`Error::Interrupted`] while it waits for a stack.
    pub fn open(
        &self,
        state: &Arc<State>,
        interpreter: u32,
        interpreters: u32,
        creator: Option<&Self>,
    ) -> Result {
        self.queue.make(state, interpreter)?;
        self.netns.make(creator.map(|creator| &creator.netns))?;
        self.outbox.make()?;
        if interpreter > 0 {
            self.first.store(core::ptr::from_ref(state.vm()).cast_mut(), Ordering::Release);
        }
        self.with(|inner| {
            inner.raw.owner = core::ptr::from_ref(self).cast();
            inner.raw.queue = self.queue.as_ptr();
            inner.raw.netns = self.netns.as_ptr();
            inner.raw.shared = state.shared().as_ptr();
            inner.raw.interpreter = interpreter;
            inner.raw.interpreters = interpreters;
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
        while self
            .with(|inner| match inner.forgotten {
                // SAFETY: The Lua state is closed: nobody uses a block of its any more.
                true => unsafe { Segment::take_any(&mut inner.heap) },
                false => Segment::take_empty(&mut inner.heap),
            })
            .is_some()
        {}
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
        let mut raw = raw_chunk(chunk);
        let (_, entry_why, thread) = self.enter_sliced(Kind::Script, Job::Chunk(&mut raw), mark)?;
        let ran = self.take_result(&raw, entry_why, thread, |inner, _| inner.stats.executions += 1);
        self.free_surplus();
        Ok(ran)
    }

    /// What a chunk that was held back has registered takes effect now, or goes. Process context.
    pub fn settle(&self, good: bool) {
        self.with(|inner| {
            // SAFETY: Under the lock; nothing of it runs Lua, raises or allocates.
            unsafe { ffi::lunatik_generation_settle(&raw mut inner.raw, c_int::from(good)) };
        });
    }

    /// Does what a due event wants, in slices: goes on with a thread that waited, or calls a callback.
    /// Process context, from the state's work item.
    pub fn event(&self, event: Due, mark: u32) -> Ran {
        self.handle(mark, |chunk| Job::Event(event, chunk))
    }

    /// The same for what a letter of another state wants.
    pub fn letter(&self, letter: Came, mark: u32) -> Ran {
        self.handle(mark, |chunk| Job::Letter(letter, chunk))
    }

    /// Runs what a context begins with, in slices, until it ends or first waits; the same.
    pub fn start(&self, letter: Came, mark: u32) -> Ran {
        self.handle(mark, |chunk| Job::Start(letter, chunk))
    }

    fn handle(&self, mark: u32, job: impl Fn(*mut RawChunk) -> Job) -> Ran {
        let mut raw = raw_chunk(&Chunk { text: &[], name: &[0], staged: Staged::No });
        let (_, entry_why, thread) = loop {
            // Nothing is lost: without memory for a stack it comes later.
            match self.enter_sliced(Kind::Script, job(&raw mut raw), mark) {
                Ok(entered) => break entered,
                Err(_) => sync::nap(),
            }
        };
        self.take_result(&raw, entry_why, thread, |inner, ran| {
            if entry_why == why::REPLACED {
                // That it ends is what was asked for.
                ran.outcome = Ok(());
                ran.text = Bytes::new();
            }
            inner.stats.events += 1;
        })
    }

    /// Collects garbage in slices, so that hooks, which have no time for it, find room. Process context,
    /// from the state's work item.
    pub fn collect(&self, mark: u32) {
        if let Ok((_, _, thread)) = self.enter_sliced(Kind::Script, Job::Collect, mark) {
            let raw = raw_chunk(&Chunk { text: &[], name: &[0], staged: Staged::No });
            let _ = self.take_result(&raw, why::GO_ON, thread, |_, ran| ran.outcome = Ok(()));
            self.with(|inner| inner.collected = inner.heap.used());
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

    /// True when nothing is pending: no thread waits, and nothing is registered that could have it act. Any context.
    pub fn is_over(&self) -> bool {
        self.with(|inner| inner.waiting == 0 && inner.raw.live.is_null() && inner.raw.staged.is_null())
    }

    /// What is due in it, and what came from other states.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// From now on no event begins; those that run are to be cancelled.
    pub fn stop_events(&self) {
        self.queue.stop();
    }

    /// Unhooks and closes what the state has in its network namespace. Sleeps.
    pub fn leave_netns(&self) {
        self.netns.close();
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
        if entry.ends {
            self.queue.leave();
        }
        let outcome = outcome_of(&raw, entry.why);
        trace::event(&self.name, outcome, held);
        // SAFETY: We hold the lock.
        if unsafe { (*inner).wants_collection() } {
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

    /// How often the limit refused memory so far.
    pub fn refusals(&self) -> u64 {
        self.with(|inner| inner.heap.refusals())
    }

    /// Sets the limit; [`Error::Busy`] when more is in use, [`Error::NoMemory`] when the machine has
    /// not that much. Process context.
    pub fn set_limit(&self, limit: usize) -> Result {
        let before = self.with(|inner| {
            if inner.raw.functions != 0 && limit > params::hookmaxalloc() {
                return Err(Error::Busy);
            }
            let before = inner.heap.limit();
            inner.heap.set_limit(limit).map(|()| before).map_err(|_| Error::Busy)
        });
        let before = before?;
        self.supply().inspect_err(|_| {
            // What is in use may have grown past the old limit meanwhile; then the new one stays.
            let _ = self.with(|inner| inner.heap.set_limit(before));
        })
    }

    /// Sets the limit to what others need not be asked for; [`Error::Busy`] when more is in use. Process context.
    pub fn move_limit(&self, limit: usize) -> Result {
        self.with(|inner| inner.heap.set_limit(limit)).map_err(|_| Error::Busy)?;
        // What cannot be had now is tried again at the next break.
        let _ = self.supply();
        self.free_surplus();
        Ok(())
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        let mut stats = self.with(|inner| inner.stats);
        stats.hook_errors += self.missed.load(Ordering::Relaxed);
        stats
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

    /// Copies the text of a finished chunk and lets its thread go; `count` has the last word, and failures are counted
    /// after it. Process context.
    fn take_result(
        &self,
        raw: &RawChunk,
        entry_why: c_int,
        thread: *mut ffi::LuaState,
        count: impl FnOnce(&mut Inner, &mut Ran),
    ) -> Ran {
        let mut outcome = outcome_of(raw, entry_why);
        // The memory is had outside of the lock; the text stays on the thread's stack until then. One more: a newline.
        let text = match raw.result_len {
            0 => Bytes::new(),
            len => Bytes::with_capacity(len.saturating_add(1)).unwrap_or_else(|error| {
                outcome = outcome.and(Err(error));
                Bytes::new()
            }),
        };
        let mut ran = Ran { outcome, text };
        self.with(|inner| {
            // SAFETY: We hold the lock; the thread keeps the text alive until it is freed.
            unsafe {
                let text = result_bytes(raw);
                if text.len() < ran.text.capacity() {
                    // There is room: nothing is allocated.
                    let _ = ran.text.append(text);
                }
                if raw.end != end::WAITS && !thread.is_null() {
                    ffi::lunatik_thread_free(&raw mut inner.raw, thread);
                }
            }
            count(inner, &mut ran);
            inner.stats.errors += u64::from(ran.outcome.is_err());
        });
        ran
    }
}

fn raw_chunk(chunk: &Chunk<'_>) -> RawChunk {
    RawChunk {
        text: chunk.text.as_ptr().cast(),
        len: chunk.text.len(),
        pos: 0,
        name: chunk.name.as_ptr().cast(),
        staged: chunk.staged as c_int,
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

/// True when a break would make room for a block of so many bytes.
#[no_mangle]
unsafe extern "C" fn lunatik_vm_wants(raw: *mut RawVm, size: usize) -> bool {
    // SAFETY: `owner` is the state whose lock is held.
    unsafe {
        let inner = (*(*raw).owner.cast::<Vm>()).inner.get();
        memory::wants(&mut (*inner).heap, size)
    }
}

/// True when the segments can be given back with all that is in them.
#[no_mangle]
unsafe extern "C" fn lunatik_vm_forget(raw: *mut RawVm) -> bool {
    // SAFETY: `owner` is the state that is being closed.
    unsafe {
        let inner = (*(*raw).owner.cast::<Vm>()).inner.get();
        let heap = &raw const (*inner).heap;
        (*inner).forgotten = (*heap).is_whole_in_segments();
        (*inner).forgotten
    }
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

/// Charges memory outside of the heap: false when the limit has no room.
#[no_mangle]
unsafe extern "C" fn lunatik_vm_charge(raw: *mut RawVm, size: usize) -> bool {
    // SAFETY: `owner` is the state whose lock is held; no Lua runs meanwhile.
    unsafe { &mut (*(*(*raw).owner.cast::<Vm>()).inner.get()).heap }.charge_foreign(size)
}

/// Takes such a charge back.
#[no_mangle]
unsafe extern "C" fn lunatik_vm_credit(raw: *mut RawVm, size: usize) {
    // SAFETY: As above.
    unsafe { &mut (*(*(*raw).owner.cast::<Vm>()).inner.get()).heap }.credit_foreign(size);
}
