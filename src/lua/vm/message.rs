// SPDX-License-Identifier: GPL-2.0-only

//! Messages to a state's callback, and from its scripts (src/lua/message.c).
//!
//! A message is lent to its callback where it lies, in kernel memory. When the callback waits, the writer goes on
//! and the state keeps the message until the callback ends. What a state keeps so is bounded by `queuebytes`; past
//! it, and while scripts wait for the readers of `data` to make room, further writers wait. Contexts: delivery in
//! process context, sending under the state's lock.

use super::{raw_chunk, Chunk, Job, Kind, Ran, Staged, Vm};
use crate::ctl::grammar::Buffer;
use crate::error::{Error, Result};
use crate::kapi::buffer::Bytes;
use crate::kapi::params;
use crate::lua::ffi::{end, RawChunk, RawMessage, RawVm};
use crate::mailbox::Mailbox;
use crate::messages::{DATA_MAX, OVERHEAD};
use crate::state::Wait;
use crate::world::WORLD;
use core::ffi::{c_char, c_int};
use core::fmt::Write;
use core::sync::atomic::Ordering;
use kernel::alloc::flags::GFP_KERNEL_ACCOUNT;
use kernel::prelude::*;

/// A message on its way to a callback; its fields are guarded by the state's lock once it is there.
#[repr(C)]
struct Letter {
    /// First: C knows the letter by it.
    raw: RawMessage,
    bytes: Bytes,
    /// The state's: its callback waits.
    kept: bool,
    before: *mut Letter,
    after: *mut Letter,
}

/// A message that is not yet delivered.
pub struct Message(KBox<Letter>);

/// The messages that a state keeps for callbacks that wait.
pub(super) struct Kept {
    first: *mut Letter,
    bytes: usize,
    /// For the next message, so that one after the other asks for memory once.
    spare: Option<KBox<Letter>>,
}

impl Kept {
    pub(super) const fn new() -> Self {
        Self { first: core::ptr::null_mut(), bytes: 0, spare: None }
    }

    /// # Safety
    ///
    /// The state's lock is held, and the letter becomes the state's.
    unsafe fn add(&mut self, letter: *mut Letter) {
        // SAFETY: By the caller; so are all letters of the list.
        unsafe {
            (*letter).kept = true;
            (*letter).after = self.first;
            if !self.first.is_null() {
                (*self.first).before = letter;
            }
            self.bytes += (*letter).raw.len + OVERHEAD;
        }
        self.first = letter;
    }

    /// # Safety
    ///
    /// The state's lock is held, and the letter is in the list.
    unsafe fn remove(&mut self, letter: *mut Letter) -> KBox<Letter> {
        // SAFETY: By the caller; a letter came from the box of a `Message`.
        unsafe {
            let (before, after) = ((*letter).before, (*letter).after);
            if before.is_null() {
                self.first = after;
            } else {
                (*before).after = after;
            }
            if !after.is_null() {
                (*after).before = before;
            }
            self.bytes = self.bytes.saturating_sub((*letter).raw.len + OVERHEAD);
            KBox::from_raw(letter)
        }
    }
}

impl Vm {
    /// What the state's scripts sent, for the readers of `data`.
    pub fn outbox(&self) -> &Mailbox {
        // SAFETY: The first interpreter lives as long as the state, and the others no longer.
        unsafe { self.first.load(Ordering::Acquire).as_ref() }.map_or(&self.outbox, |first| &first.outbox)
    }

    /// The outbox may have room again: has the first of the scripts that wait for it try. Process context.
    pub fn call_sender(&self) {
        self.queue.call();
    }

    /// A message of `len` bytes, as `fill` makes them in an empty buffer; through `port`, if any. [`Error::Invalid`] for
    /// none, [`Error::MessageSize`], [`Error::NoMemory`], and what `fill` gives. Process context.
    pub fn new_message(
        &self,
        len: usize,
        port: Option<u32>,
        fill: impl FnOnce(&mut Bytes) -> Result,
    ) -> Result<Message> {
        if len == 0 {
            return Err(Error::Invalid);
        }
        if len > DATA_MAX {
            return Err(Error::MessageSize);
        }
        let mut letter = match self.with(|inner| inner.kept.spare.take()) {
            Some(letter) => letter,
            None => {
                let raw = RawMessage { bytes: core::ptr::null_mut(), len: 0, port: -1, handle: core::ptr::null_mut() };
                let (before, after) = (core::ptr::null_mut(), core::ptr::null_mut());
                KBox::new(Letter { raw, bytes: Bytes::new(), kept: false, before, after }, GFP_KERNEL_ACCOUNT)
                    .map_err(|_| Error::NoMemory)?
            }
        };
        fill(&mut letter.bytes)?;
        letter.raw = RawMessage {
            len: letter.bytes.bytes().len(),
            bytes: letter.bytes.bytes_mut().as_mut_ptr().cast(),
            port: port.map_or(-1, i64::from),
            handle: core::ptr::null_mut(),
        };
        Ok(Message(letter))
    }

    /// Calls the state's callback with a message, in slices, until it ends or first waits. Process context; the
    /// caller took the `mark` before it made sure that the state lives.
    ///
    /// Errors of the callback are in [`Ran`]; `Err` means that it could not begin.
    pub fn message(&self, message: Message, mark: u32, wait: Wait) -> Result<Ran> {
        let size = message.0.raw.len + OVERHEAD;
        let has_room = || {
            let kept = self.with(|inner| inner.kept.bytes);
            kept == 0 || (kept + size <= params::queuebytes() && !self.queue.is_waited_for())
        };
        if !has_room() {
            if wait == Wait::No {
                return Err(Error::Full);
            }
            self.room.wait(|| has_room() || self.mark() != mark)?;
            if self.mark() != mark {
                return Err(Error::Interrupted);
            }
        }
        let mut raw = raw_chunk(&Chunk { text: &[], name: &[0], staged: Staged::No });
        let letter = KBox::into_raw(message.0);
        let entered = self.enter_sliced(Kind::Script, Job::Message(letter.cast(), &mut raw), mark);
        let mut over = None;
        if entered.is_err() || raw.end != end::WAITS {
            // SAFETY: The callback did not begin or has ended; the box is the one from above.
            let mut letter = unsafe { KBox::from_raw(letter) };
            letter.bytes.clear();
            over = Some(letter);
        }
        let (_, entry_why, thread) = entered?;
        let ran = self.take_result(&raw, entry_why, thread, |inner, _| {
            if inner.kept.spare.is_none() {
                inner.kept.spare = over.take();
            }
            inner.stats.messages_in += 1;
            inner.stats.events += 1;
        });
        Ok(ran)
    }

    /// Frees what is kept; the Lua is closed. Process context.
    pub(super) fn free_kept(&self) {
        let _spare = self.with(|inner| inner.kept.spare.take());
        loop {
            // SAFETY: Under the lock; no callback is left.
            let letter = self.with(|inner| match inner.kept.first {
                first if first.is_null() => None,
                first => Some(unsafe { inner.kept.remove(first) }),
            });
            if letter.is_none() {
                return;
            }
        }
    }
}

/// On the side stack, under the lock, after the entry that delivered a message: the callback may wait.
///
/// # Safety
///
/// `message` is the letter of that entry, and `chunk` its outcome.
pub(super) unsafe fn delivered(vm: *const Vm, message: *mut RawMessage, chunk: *const RawChunk) {
    // SAFETY: By the caller.
    unsafe {
        if (*chunk).end == end::WAITS {
            let inner = (*vm).inner.get();
            let kept = &mut (*inner).kept;
            kept.add(message.cast());
        }
    }
}

/// The callback of a message has ended.
#[no_mangle]
unsafe extern "C" fn lunatik_message_over(raw: *mut RawVm, message: *mut RawMessage) {
    let letter: *mut Letter = message.cast();
    // SAFETY: `owner` is the state whose lock is held; the message is the entry's own, or kept.
    unsafe {
        if !(*letter).kept {
            return;
        }
        let vm = &*(*raw).owner.cast::<Vm>();
        let inner = vm.inner.get();
        let kept = &mut (*inner).kept;
        drop(kept.remove(letter));
        vm.room.wake();
    }
}

fn to_int(result: Result) -> c_int {
    result.map_or_else(|error| -error.errno(), |()| 0)
}

/// Queues a message for the readers of `data`. Behind scripts that wait for room there is none, except for the one
/// whose turn it is (`called`). 0 or a negative errno.
#[no_mangle]
unsafe extern "C" fn lunatik_data_send(raw: *mut RawVm, bytes: *const c_char, len: usize, called: bool) -> c_int {
    // SAFETY: `owner` is the state whose lock is held; `bytes` are a Lua value's.
    let (vm, bytes) = unsafe { (&*(*raw).owner.cast::<Vm>(), core::slice::from_raw_parts(bytes.cast(), len)) };
    if len > DATA_MAX {
        return to_int(Err(Error::MessageSize));
    }
    if !called && vm.queue.is_waited_for() {
        return to_int(Err(Error::Full));
    }
    let sent = vm.outbox().push(&[bytes]);
    if called && sent.is_ok() {
        vm.room.wake();
    }
    // SAFETY: We hold the lock.
    unsafe { (*vm.inner.get()).stats.messages_out += u64::from(sent.is_ok()) };
    to_int(sent)
}

/// True when the readers of `data` have made room for so many bytes.
#[no_mangle]
unsafe extern "C" fn lunatik_data_fits(raw: *mut RawVm, len: usize) -> bool {
    // SAFETY: `owner` is the state whose lock is held.
    unsafe { &*(*raw).owner.cast::<Vm>() }.outbox().fits(len)
}

/// Queues a message for the owner of a port, behind a line that names the state and the length. 0 or a negative
/// errno.
#[no_mangle]
unsafe extern "C" fn lunatik_port_send(raw: *mut RawVm, port: u32, bytes: *const c_char, len: usize) -> c_int {
    // SAFETY: `owner` is the state whose lock is held; `bytes` are a Lua value's.
    let (vm, bytes) = unsafe { (&*(*raw).owner.cast::<Vm>(), core::slice::from_raw_parts(bytes.cast(), len)) };
    if len > DATA_MAX {
        return to_int(Err(Error::MessageSize));
    }
    let Some(world) = WORLD.get() else { return to_int(Err(Error::NoPort)) };
    let mut line = Line { text: [0; LINE], len: 0 };
    let _ = writeln!(line, "{} {len}", vm.name.as_str());
    let sent = world.ports.send(port, &[line.text.get(..line.len).unwrap_or(&[]), bytes]);
    // SAFETY: We hold the lock.
    unsafe { (*vm.inner.get()).stats.messages_out += u64::from(sent.is_ok()) };
    to_int(sent)
}

/// A state's name, a blank, a length, a newline.
const LINE: usize = 72;

struct Line {
    text: [u8; LINE],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.as_bytes() {
            *self.text.get_mut(self.len).ok_or(core::fmt::Error)? = *byte;
            self.len += 1;
        }
        Ok(())
    }
}

/// True when what runs is to end: its next poll raises.
#[no_mangle]
unsafe extern "C" fn lunatik_is_ending(raw: *mut RawVm) -> bool {
    // SAFETY: `owner` is the state whose lock is held; an entry is what runs the caller.
    unsafe {
        let entry = (*(*(*raw).owner.cast::<Vm>()).inner.get()).entry;
        !entry.is_null() && (*entry).why != super::why::GO_ON
    }
}
