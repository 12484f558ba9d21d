// SPDX-License-Identifier: GPL-2.0-only

//! What an open ctl file owns until it is closed: a port, and marks on states. Process context.

use crate::error::{Error, Result};
use crate::kapi::buffer::Bytes;
use crate::mailbox::Mailbox;
use crate::state::State;
use crate::world::WORLD;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel::alloc::flags::GFP_KERNEL_ACCOUNT;
use kernel::alloc::KVec;
use kernel::sync::Arc;

/// The number of the session that comes next.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// See the head of this file; dropping it gives all of it up.
pub struct Owned {
    /// By which states know the session.
    session: u64,
    marked: KVec<Arc<State>>,
    mailbox: Arc<Mailbox>,
    port: Option<u32>,
}

impl Owned {
    /// Nothing yet; a port's messages will come to `mailbox`.
    pub fn new(mailbox: Arc<Mailbox>) -> Self {
        let session = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { session, marked: KVec::new(), mailbox, port: None }
    }

    /// Makes room for one more mark; states that are gone are let go of.
    fn make_room(&mut self) -> Result {
        if self.marked.len() == self.marked.capacity() {
            self.marked.retain(|state| state.is_alive());
        }
        self.marked.reserve(1, GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)
    }

    /// Marks a state; [`Error::Busy`] when any session does, [`Error::NoMemory`].
    pub fn mark(&mut self, state: Arc<State>) -> Result {
        self.make_room()?;
        if !state.mark(self.session) {
            return Err(Error::Busy);
        }
        self.marked.push(state, GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)
    }

    /// Makes a state that is marked from the start, and so before anybody finds it.
    pub fn mark_new(&mut self, create: impl FnOnce(u64) -> Result<Arc<State>>) -> Result {
        self.make_room()?;
        self.marked.push(create(self.session)?, GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)
    }

    /// Takes the mark away; [`Error::Invalid`] when it is not this session's.
    pub fn unmark(&mut self, state: &State) -> Result {
        if !state.unmark(self.session) {
            return Err(Error::Invalid);
        }
        self.marked.retain(|marked| !core::ptr::eq(&raw const **marked, state));
        Ok(())
    }

    /// The port, if it has one.
    pub fn port(&self) -> Option<u32> {
        self.port
    }

    /// Makes a port the session's: its number. [`Error::Invalid`] when it has another, [`Error::PortTaken`],
    /// [`Error::NoMemory`].
    pub fn bind(&mut self, wanted: Option<u32>) -> Result<u32> {
        let port = match self.port {
            Some(port) if wanted == Some(port) => port,
            Some(_) => return Err(Error::Invalid),
            None => WORLD.get().ok_or(Error::Gone)?.ports.bind(&self.mailbox, wanted)?,
        };
        self.port = Some(port);
        Ok(port)
    }

    /// The next message to the port: a line with the sender and the length, and its bytes. [`Error::Invalid`]
    /// without a port, and as [`Mailbox::take`].
    pub fn receive(&self, nonblock: bool) -> Result<Bytes> {
        if self.port.is_none() {
            return Err(Error::Invalid);
        }
        self.mailbox.take(usize::MAX, nonblock, Bytes::copy_of)?.ok_or(Error::Gone)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        for state in self.marked.iter() {
            state.unmark(self.session);
        }
        if let (Some(port), Some(world)) = (self.port, WORLD.get()) {
            world.ports.release(port);
        }
    }
}
