// SPDX-License-Identifier: GPL-2.0-only

//! A state: its Lua, its directory, whose turn it is to run a script, and the last outcome.
//!
//! Life: made (not yet found by anyone), published (its directory exists, it is found), condemned
//! (found no more; what runs in it is cancelled), ended (directory gone, Lua closed). The memory goes
//! with the last reference: open files hold one. Process context but for the look at its phase.

use crate::ctl::grammar::Buffer;
use crate::error::{Error, Result};
use crate::kapi::buffer::Bytes;
use crate::kapi::events::Due;
use crate::kapi::files::Directory;
use crate::kapi::shared::{online_cpus, Shared};
use crate::kapi::{params, sync, trace};
use crate::kapi::sync::{Guarded, Turn, TurnClass};
use crate::kapi::wait::Gate;
use crate::log;
use crate::lua::vm::{Chunk, Message, Ran, Staged, Vm};
use crate::name::{StateName, SCRIPT_NAME_MAX};
use crate::world::{Promise, WORLD};
use core::ffi::CStr;
use core::fmt::Write;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicU8, Ordering};
use kernel::alloc::flags::GFP_KERNEL_ACCOUNT;
use kernel::alloc::KVVec;
use kernel::prelude::*;
use kernel::sync::Arc;

const MADE: u8 = 0;
const ALIVE: u8 = 1;
const CONDEMNED: u8 = 2;

/// Whether a script may wait for its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Killably.
    Killable,
    /// Not at all: [`Error::WouldBlock`].
    No,
}

/// Where a script comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The file `code`: what it registers is staged (src/lua/generation.c).
    Code,
    /// A request: what it registers takes effect at once.
    Request,
}

/// See the head of this file.
#[pin_data]
pub struct State {
    #[pin]
    vm: Vm,
    /// Of a state with an interpreter for each processor: all but the first.
    siblings: KVVec<Pin<KBox<Vm>>>,
    shared: Shared,
    #[pin]
    turn: Turn,
    /// The writers of messages, who do not wait for the turn.
    #[pin]
    writers: Gate,
    #[pin]
    last: Guarded<Last>,
    #[pin]
    directory: Guarded<Option<Directory>>,
    phase: AtomicU8,
    /// Scripts and events that run.
    running: AtomicU32,
    /// The session that marks it as in use, 0 for none.
    marked_by: AtomicU64,
    promise: Promise,
}

/// What is remembered of the last script.
struct Last {
    /// Its outcome: results or error text.
    text: Bytes,
    /// Its chunk name.
    script: Bytes,
    failed: bool,
    /// Seconds since the epoch.
    loaded_at: i64,
}

/// What became of a script: the errno for its writer, the text for its reader.
pub struct Outcome {
    /// `Ok`, or why it failed.
    pub result: Result,
    /// Its results, tab-separated, or its error with traceback; with a newline unless empty.
    pub text: Bytes,
}

impl State {
    /// Makes a state with a limit in bytes, with an interpreter for each processor, of that limit each, if
    /// `percpu`; it is not found by anyone yet. [`Error::NoMemory`].
    pub fn new(name: &StateName, limit: usize, percpu: bool) -> Result<Arc<Self>> {
        let world = WORLD.get().ok_or(Error::Gone)?;
        let interpreters = if percpu { online_cpus() } else { 1 };
        let total = limit.checked_mul(interpreters as usize).ok_or(Error::NoMemory)?;
        let promise = world.promise(total)?;
        let mut siblings = KVVec::new();
        for _ in 1..interpreters {
            let vm = KBox::pin_init(Vm::new(*name, limit), GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)?;
            siblings.push(vm, GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)?;
        }
        let shared = Shared::new(interpreters)?;
        let last = Last { text: Bytes::new(), script: Bytes::new(), failed: false, loaded_at: 0 };
        let made = Arc::pin_init(
            pin_init!(Self {
                vm <- Vm::new(*name, limit),
                siblings,
                shared,
                turn <- Turn::new(TurnClass::Script),
                writers <- Gate::new(),
                last <- Guarded::new(TurnClass::Record, last),
                directory <- Guarded::new(TurnClass::Record, None),
                phase: AtomicU8::new(MADE),
                running: AtomicU32::new(0),
                marked_by: AtomicU64::new(0),
                promise,
            }),
            GFP_KERNEL_ACCOUNT,
        );
        let state = made.map_err(|_| Error::NoMemory)?;
        for (index, vm) in (0..).zip(state.interpreters()) {
            if let Err(error) = vm.open(&state, index, interpreters) {
                state.close();
                return Err(error);
            }
        }
        Ok(state)
    }

    /// Its name.
    pub fn name(&self) -> &StateName {
        self.vm.name()
    }

    /// Its Lua; of several interpreters the first, which has the messages.
    pub fn vm(&self) -> &Vm {
        &self.vm
    }

    /// All its interpreters, the first one first.
    pub fn interpreters(&self) -> impl Iterator<Item = &Vm> {
        Iterator::chain(core::iter::once(&self.vm), self.siblings.iter().map(|vm| &**vm))
    }

    /// One of them, the first if there is no such.
    pub fn interpreter(&self, index: u32) -> &Vm {
        let sibling = (index as usize).checked_sub(1).and_then(|index| self.siblings.get(index));
        sibling.map_or(&self.vm, |vm| &**vm)
    }

    /// The counters of all of them.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The limit of each interpreter, and the most that one of them uses, in bytes.
    pub fn memory(&self) -> (usize, usize) {
        let (limit, _, _) = self.vm.memory();
        (limit, self.interpreters().map(|vm| vm.memory().1).max().unwrap_or(0))
    }

    /// The readers of `data` may have made room: has the first of the scripts that wait for it try. Process context.
    pub fn call_senders(&self) {
        self.interpreters().for_each(Vm::call_sender);
    }

    /// Ends everything that runs in slices now, at its next break, and everything that waits. Process context.
    pub fn cancel(&self) {
        // The first one first: whoever goes on to another looks at it once more.
        self.interpreters().for_each(Vm::cancel);
    }

    /// True between publication and condemnation. Any context.
    pub fn is_alive(&self) -> bool {
        self.phase.load(Ordering::Acquire) == ALIVE
    }

    /// Makes its directory and lets it be found.
    pub fn publish(self: &Arc<Self>) -> Result {
        let directory = Directory::add(self.clone())?;
        self.directory.with(|place| *place = Some(directory));
        self.phase.store(ALIVE, Ordering::Release);
        Ok(())
    }

    /// Lets it be found no more; false when someone else did so before.
    pub fn condemn(&self) -> bool {
        self.phase.compare_exchange(ALIVE, CONDEMNED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Cancels what runs, takes the directory away, closes the Lua. It was condemned.
    pub fn end(&self) {
        self.interpreters().for_each(Vm::stop_events);
        self.cancel();
        // Scripts that wait for their turn find the state condemned when they get it.
        let turn = self.turn.take();
        self.writers.drain();
        self.interpreters().for_each(Vm::leave_netns);
        self.interpreters().for_each(Vm::drain_events);
        if let Some(directory) = self.directory.with(Option::take) {
            directory.remove();
        }
        self.interpreters().for_each(Vm::close);
        drop(turn);
        self.vm.outbox().close();
        // The last reference may go in softirq: what may sleep when freed goes now.
        let none = Last { text: Bytes::new(), script: Bytes::new(), failed: false, loaded_at: 0 };
        let _before = self.last.with(|last| core::mem::replace(last, none));
        log::drain();
    }

    /// Closes the Lua of a state that was never published.
    pub fn close(&self) {
        self.phase.store(CONDEMNED, Ordering::Release);
        self.interpreters().for_each(Vm::leave_netns);
        self.interpreters().for_each(Vm::close);
    }

    /// Runs a script, staged if its origin is `code`: one after another, in slices. Its prints and its error are in the log when this
    /// returns.
    ///
    /// `Err` when it could not begin: [`Error::NotFound`] (destroyed meanwhile),
    /// [`Error::WouldBlock`], [`Error::Interrupted`], [`Error::NoMemory`].
    pub fn run(&self, text: &[u8], name: &ChunkName, origin: Origin, wait: Wait) -> Result<Outcome> {
        let turn = self.turn.take_killable(wait == Wait::No)?;
        // Before the look at the phase: who condemns the state cancels after it.
        let mark = self.vm.mark();
        if !self.is_alive() {
            return Err(Error::NotFound);
        }
        self.running.fetch_add(1, Ordering::Relaxed);
        let began = sync::now();
        let refusals = self.vm.refusals();
        let staged = match origin {
            Origin::Code if !self.siblings.is_empty() => Staged::Held,
            Origin::Code => Staged::Yes,
            Origin::Request => Staged::No,
        };
        let chunk = Chunk { text: without_shebang(text), name: name.as_c_bytes(), staged };
        let mut ran = self.vm.run(&chunk, mark);
        if staged == Staged::Held {
            ran = self.run_on_siblings(&chunk, mark, ran);
        }
        self.running.fetch_sub(1, Ordering::Relaxed);
        drop(turn);
        let ran = ran?;
        trace::script(self.name(), name.shown(), ran.outcome, sync::now().saturating_sub(began));
        self.told(ran, refusals)
    }

    /// Runs a script that the first interpreter has `ran` on the others, too: what it registered takes effect on all
    /// or, if it failed on one, on none.
    fn run_on_siblings(&self, chunk: &Chunk<'_>, mark: u32, mut ran: Result<Ran>) -> Result<Ran> {
        let good = |ran: &Result<Ran>| matches!(ran, Ok(Ran { outcome: Ok(()), .. }));
        let mut done = 1;
        for vm in self.siblings.iter() {
            // Before the look at the first, which is cancelled before all others.
            let own = vm.mark();
            if self.vm.mark() != mark {
                ran = Err(Error::Interrupted);
            }
            if !good(&ran) {
                break;
            }
            done += 1;
            let here = vm.run(chunk, own);
            if !good(&here) {
                ran = here;
            }
        }
        let publish = good(&ran);
        self.interpreters().take(done).for_each(|vm| vm.settle(publish));
        ran
    }

    /// Hands a message to the state's callback, in slices, between those of scripts. Its prints and its error
    /// are in the log when this returns, when it ends or first waits.
    ///
    /// `Err` when it could not begin: [`Error::NotFound`] (destroyed meanwhile), [`Error::Full`] (with
    /// [`Wait::No`]: callbacks that wait hold as many messages as they may), [`Error::Interrupted`],
    /// [`Error::Restart`], [`Error::NoMemory`].
    pub fn message(&self, message: Message, wait: Wait) -> Result<Outcome> {
        let visit = self.writers.enter()?;
        // Before the look at the phase: who condemns the state cancels after it.
        let mark = self.vm.mark();
        if !self.is_alive() {
            return Err(Error::NotFound);
        }
        let began = sync::now();
        let refusals = self.vm.refusals();
        let ran = self.vm.message(message, mark, wait);
        drop(visit);
        let ran = ran?;
        trace::event(self.name(), ran.outcome, sync::now().saturating_sub(began));
        self.told(ran, refusals)
    }

    /// What ran for a writer who waits, with what is to be logged in the log. The limit had refused memory
    /// `refusals` times before.
    fn told(&self, mut ran: Ran, refusals: u64) -> Result<Outcome> {
        if ran.outcome == Err(Error::NoMemory) && self.vm.refusals() != refusals {
            log::drain();
            let (name, limit) = (self.name().as_str(), self.vm.memory().0);
            pr_warn!("{name}: maxalloc limit {limit} reached on state {name}\n");
        }
        if ran.outcome.is_err() {
            log::write_lines(self.name(), ran.text.bytes());
        } else {
            log::drain();
        }
        if !ran.text.bytes().is_empty() {
            ran.text.append(b"\n")?;
        }
        Ok(Outcome { result: ran.outcome, text: ran.text })
    }

    /// Marks it as in use by a session; false when one does so already. Any context.
    pub fn mark(&self, session: u64) -> bool {
        self.marked_by.compare_exchange(0, session, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Takes a session's mark away; false when it has none. Any context.
    pub fn unmark(&self, session: u64) -> bool {
        self.marked_by.compare_exchange(session, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Does what a due event of an interpreter wants; an error is logged and kept for the reader of `code`.
    pub fn event(&self, interpreter: u32, event: Due, mark: u32) {
        // From before it no longer counts as waiting, until it does again.
        self.running.fetch_add(1, Ordering::Relaxed);
        let began = sync::now();
        let vm = self.interpreter(interpreter);
        let mut ran = vm.event(event, mark);
        trace::event(self.name(), ran.outcome, sync::now().saturating_sub(began));
        self.running.fetch_sub(1, Ordering::Relaxed);
        if ran.outcome.is_err() {
            vm.log(ran.text.bytes());
            let _ = ran.text.append(b"\n");
            self.remember(&ChunkName::of_file(self.name(), "event"), ran.outcome, ran.text.bytes());
        }
        log::drain();
    }

    /// Keeps the outcome of a `code` script for later readers.
    pub fn remember(&self, name: &ChunkName, result: Result, text: &[u8]) {
        let (Ok(text), Ok(script)) = (Bytes::copy_of(text), Bytes::copy_of(name.bytes())) else { return };
        let last = Last { text, script, failed: result.is_err(), loaded_at: crate::kapi::files::wall_clock() };
        // The one before is dropped outside of the turn.
        let _before = self.last.with(|kept| core::mem::replace(kept, last));
    }

    /// The outcome of the last `code` script.
    pub fn last_outcome(&self) -> Result<Bytes> {
        self.last.with(|last| Bytes::copy_of(last.text.bytes()))
    }

    /// Sets the limit, in bytes. [`Error::Invalid`] below `minalloc`, [`Error::Busy`] below what is in
    /// use, [`Error::NoMemory`] past `totalmax`.
    pub fn set_maxalloc(&self, limit: usize) -> Result {
        if limit < params::minalloc() {
            return Err(Error::Invalid);
        }
        let world = WORLD.get().ok_or(Error::Gone)?;
        // Two writers at once: the turn of `last` serves as theirs.
        self.last.with(|_| {
            let before = self.promise.bytes();
            let (limit_before, _, _) = self.vm.memory();
            let total = limit.checked_mul(self.siblings.len() + 1).ok_or(Error::NoMemory)?;
            self.promise.grow(world, total)?;
            if let Some(error) = self.interpreters().find_map(|vm| vm.set_limit(limit).err()) {
                // What was in use before fits the limit before.
                for vm in self.interpreters() {
                    let _ = vm.set_limit(limit_before);
                }
                self.promise.shrink(world, before);
                return Err(error);
            }
            self.promise.shrink(world, total);
            Ok(())
        })
    }

    /// The lines of `stats`.
    pub fn write_stats(&self, to: &mut dyn Write) -> core::fmt::Result {
        let (mut stats, mut peak, mut waiting) = (self.vm.stats(), self.vm.memory().2, self.vm.waiting());
        for vm in self.siblings.iter() {
            stats.add(&vm.stats());
            peak = peak.max(vm.memory().2);
            waiting += vm.waiting();
        }
        self.last.with(|last| {
            let status = match (self.running.load(Ordering::Relaxed), waiting, last.failed) {
                (1.., _, _) => "running",
                (_, 1.., _) => "waiting",
                (_, _, true) => "failed",
                _ => "idle",
            };
            writeln!(to, "status {status}")?;
            let script = core::str::from_utf8(last.script.bytes()).unwrap_or("");
            writeln!(to, "script {}", if script.is_empty() { "-" } else { script })?;
            writeln!(to, "loaded_at {}", last.loaded_at)
        })?;
        writeln!(to, "executions {}", stats.executions)?;
        writeln!(to, "events {}", stats.events)?;
        writeln!(to, "errors {}", stats.errors)?;
        writeln!(to, "slices {}", stats.slices)?;
        writeln!(to, "overruns {}", stats.overruns)?;
        writeln!(to, "longest_hold_ns {}", stats.longest_hold)?;
        writeln!(to, "peak {peak}")?;
        writeln!(to, "messages_in {}", stats.messages_in)?;
        writeln!(to, "messages_out {}", stats.messages_out)?;
        writeln!(to, "queued_bytes {}", self.vm.outbox().used())?;
        writeln!(to, "interpreters {}", self.siblings.len() + 1)
    }
}

/// The name of a chunk as `load` takes it, terminated.
pub struct ChunkName {
    bytes: [u8; SCRIPT_NAME_MAX + 1],
    len: usize,
}

impl ChunkName {
    /// `=STATE/what`, which messages show as `STATE/what:LINE:`.
    pub fn of_file(state: &StateName, what: &str) -> Self {
        Self::from_parts(&[b"=", state.as_bytes(), b"/", what.as_bytes()])
    }

    /// A name that the writer gave, as it is.
    pub fn given(name: &[u8]) -> Self {
        Self::from_parts(&[name])
    }

    fn from_parts(parts: &[&[u8]]) -> Self {
        let mut bytes = [0; SCRIPT_NAME_MAX + 1];
        let mut len = 0;
        for part in parts {
            let part = part.get(..SCRIPT_NAME_MAX - len).unwrap_or(part);
            if let Some(to) = bytes.get_mut(len..len + part.len()) {
                to.copy_from_slice(part);
                len += part.len();
            }
        }
        Self { bytes, len }
    }

    fn bytes(&self) -> &[u8] {
        let shown = self.bytes.get(..self.len).unwrap_or(&[]);
        shown.strip_prefix(b"=").unwrap_or(shown)
    }

    /// As messages show it.
    fn shown(&self) -> &CStr {
        let shown = self.bytes.strip_prefix(b"=").unwrap_or(&self.bytes);
        CStr::from_bytes_until_nul(shown).unwrap_or(c"")
    }

    /// With the terminating zero.
    pub fn as_c_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A first line that begins with `#` is for the shell, as everywhere in Lua; its newline stays, for
/// the line numbers.
fn without_shebang(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.first() != Some(&b'#') {
        return text;
    }
    let end = text.iter().position(|b| *b == b'\n').unwrap_or(text.len());
    text.get(end..).unwrap_or(&[])
}
