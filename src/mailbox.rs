// SPDX-License-Identifier: GPL-2.0-only

//! A queue of messages for readers: `data` of a state has one, and each port of ctl.
//!
//! Queueing: any context, under a state's lock too; the queue's lock is innermost. Reading: process
//! context, one reader at a time, who takes a message off only when he has it: a fault or a signal loses
//! nothing. It is bounded by the parameter `queuebytes`.

use crate::ctl::grammar::Buffer;
use crate::error::{Error, Result};
use crate::kapi::buffer::{AtomicPage, Bytes};
use crate::kapi::params;
use crate::kapi::sync::{Class, Guarded, Locked, TurnClass};
use crate::kapi::wait::{Poll, WaitQueue};
use crate::messages::{places, Queue};
use kernel::alloc::flags::GFP_KERNEL_ACCOUNT;
use kernel::alloc::KVec;
use kernel::prelude::*;

type Places = KVec<Option<AtomicPage>>;

struct Inner {
    /// Its place is made before the first message comes.
    queue: Option<Queue<AtomicPage, Places>>,
    closed: bool,
}

/// See the head of this file.
#[pin_data]
pub struct Mailbox {
    #[pin]
    inner: Locked<Inner>,
    #[pin]
    readers: WaitQueue,
    /// Whose turn it is to read, and the message that he takes.
    #[pin]
    turn: Guarded<Bytes>,
}

impl Mailbox {
    /// An initialiser; nothing can be queued before [`Mailbox::make`].
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- Locked::new(Class::Queue, Inner { queue: None, closed: false }),
            readers <- WaitQueue::new(),
            turn <- Guarded::new(TurnClass::Mailbox, Bytes::new()),
        })
    }

    /// Makes the queue. Process context; [`Error::NoMemory`].
    pub fn make(&self) -> Result {
        let limit = params::queuebytes();
        let mut store = KVec::with_capacity(places(limit), GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)?;
        for _ in 0..places(limit) {
            store.push(None, GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)?;
        }
        let made = Queue::new(store, limit);
        // A second one is dropped outside of the lock.
        let _surplus = self.inner.with(|inner| match inner.queue {
            None => inner.queue.replace(made),
            Some(_) => Some(made),
        });
        Ok(())
    }

    /// Queues the concatenation of `parts` and wakes the readers. [`Error::Full`], [`Error::NoMemory`]. Any context.
    pub fn push(&self, parts: &[&[u8]]) -> Result {
        self.inner.with(|inner| inner.queue.as_mut().ok_or(Error::Full)?.push(parts))?;
        self.readers.wake();
        Ok(())
    }

    /// True when a message of `len` bytes finds room. Any context.
    pub fn fits(&self, len: usize) -> bool {
        self.inner.with(|inner| inner.queue.as_ref().is_some_and(|queue| queue.fits(len)))
    }

    /// Bytes queued.
    pub fn used(&self) -> usize {
        self.inner.with(|inner| inner.queue.as_ref().map_or(0, |queue| queue.used()))
    }

    /// No more messages come; readers get what is there, and then the end.
    pub fn close(&self) {
        self.inner.with(|inner| inner.closed = true);
        self.readers.wake();
    }

    /// Has those in poll(2) look again. Any context.
    pub fn wake(&self) {
        self.readers.wake();
    }

    /// Whether a message is there, and whether no more come; with `poll` set, poll(2) waits for a change.
    pub fn poll(&self, poll: &Poll) -> (bool, bool) {
        self.readers.poll(poll);
        self.inner.with(|inner| (inner.front_len().is_some(), inner.closed))
    }

    /// Takes the oldest message: `give` gets it, and only when it succeeds the message is gone. Waits for one,
    /// unless `nonblock`; at the end `None`.
    ///
    /// Errors: those of `give`; [`Error::MessageSize`] when it is longer than `room`; [`Error::Empty`];
    /// [`Error::Restart`], [`Error::Interrupted`]; [`Error::NoMemory`]. Process context, may sleep.
    pub fn take<R>(&self, room: usize, nonblock: bool, give: impl FnOnce(&[u8]) -> Result<R>) -> Result<Option<R>> {
        let mut give = Some(give);
        loop {
            let looked = self.turn.with_killable(|message| {
                message.clear();
                let mut front = self.inner.with(|inner| inner.look(room, message));
                if let Front::Lacks(len) = front {
                    *message = Bytes::with_capacity(len)?;
                    // The front is the same, for it is our turn.
                    front = self.inner.with(|inner| inner.look(room, message));
                }
                match front {
                    Front::Copied => {}
                    Front::TooLong => return Err(Error::MessageSize),
                    Front::Lacks(_) => return Err(Error::NoMemory),
                    Front::Nothing { closed } => return Ok(Err(closed)),
                }
                let Some(give) = give.take() else { return Ok(Err(true)) };
                let given = give(message.bytes())?;
                self.inner.with(|inner| inner.queue.as_mut().map(Queue::pop));
                message.clear();
                Ok(Ok(given))
            })?;
            match looked? {
                Ok(given) => return Ok(Some(given)),
                Err(true) => return Ok(None),
                Err(false) if nonblock => return Err(Error::Empty),
                Err(false) => {
                    self.readers.wait(|| self.inner.with(|inner| inner.closed || inner.front_len().is_some()))?;
                }
            }
        }
    }
}

/// What a reader finds.
enum Front {
    /// A message, which he has now.
    Copied,
    /// A message for which he needs so many bytes.
    Lacks(usize),
    /// A message longer than he takes.
    TooLong,
    /// Nothing, and, when `closed`, nothing will come.
    Nothing { closed: bool },
}

impl Inner {
    fn front_len(&self) -> Option<usize> {
        self.queue.as_ref()?.front_len()
    }

    /// Copies the oldest message to `message`, if it is at most `room` long and that has the memory.
    fn look(&self, room: usize, message: &mut Bytes) -> Front {
        let Some(queue) = &self.queue else { return Front::Nothing { closed: self.closed } };
        match queue.front_len() {
            None => Front::Nothing { closed: self.closed },
            Some(len) if len > room => Front::TooLong,
            Some(len) if len > message.capacity() => Front::Lacks(len),
            Some(_) => {
                // There is room: nothing is allocated.
                queue.front(|part| {
                    let _ = message.append(part);
                });
                Front::Copied
            }
        }
    }
}
