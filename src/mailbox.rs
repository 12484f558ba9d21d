// SPDX-License-Identifier: GPL-2.0-only

//! A queue of messages for readers: `data` of a state has one, and each port of ctl.
//!
//! Queueing: any context, under a state's lock too; the queue's lock is innermost. Reading: process
//! context, one reader at a time, who takes a message off only when he has it: a fault or a signal loses
//! nothing. It is bounded by the parameter `queuebytes`.

use crate::error::{Error, Result};
use crate::kapi::buffer::{AtomicPage, Bytes};
use crate::kapi::params;
use crate::kapi::sync::{Class, Locked, Turn, TurnClass};
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
    #[pin]
    turn: Turn,
}

impl Mailbox {
    /// An initialiser; nothing can be queued before [`Mailbox::make`].
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- Locked::new(Class::Queue, Inner { queue: None, closed: false }),
            readers <- WaitQueue::new(),
            turn <- Turn::new(TurnClass::Mailbox),
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
    pub fn take<R>(&self, room: usize, nonblock: bool, give: impl FnOnce(Bytes) -> Result<R>) -> Result<Option<R>> {
        loop {
            let turn = self.turn.take_killable(false)?;
            let (front, closed) = self.inner.with(|inner| (inner.front_len(), inner.closed));
            if let Some(len) = front {
                if len > room {
                    return Err(Error::MessageSize);
                }
                let mut message = Bytes::zeroed(len)?;
                self.inner.with(|inner| inner.queue.as_ref().map(|queue| queue.copy_front(message.bytes_mut())));
                let given = give(message)?;
                self.inner.with(|inner| inner.queue.as_mut().map(Queue::pop));
                return Ok(Some(given));
            }
            drop(turn);
            if closed {
                return Ok(None);
            }
            if nonblock {
                return Err(Error::Empty);
            }
            self.readers.wait(|| self.inner.with(|inner| inner.closed || inner.front_len().is_some()))?;
        }
    }
}

impl Inner {
    fn front_len(&self) -> Option<usize> {
        self.queue.as_ref()?.front_len()
    }
}
