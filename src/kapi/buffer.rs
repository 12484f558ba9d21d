// SPDX-License-Identifier: GPL-2.0-only

//! Byte buffers in kernel memory, accounted to the writer. Process context, but for pages.

use crate::ctl::grammar::Buffer;
use crate::error::{Error, Result};
use crate::messages::PAGE;
use kernel::alloc::flags::{__GFP_NOWARN, GFP_ATOMIC, GFP_KERNEL_ACCOUNT};
use kernel::alloc::{KVVec, KVec};
use kernel::iov::IovIterSource;

/// An empty buffer keeps up to so many bytes for what comes next.
const KEPT: usize = 4096;

/// A growable buffer; large ones are made of scattered pages.
pub struct Bytes(KVVec<u8>);

impl Bytes {
    /// An empty buffer without memory.
    pub const fn new() -> Self {
        Self(KVVec::new())
    }

    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Result<Self> {
        let mut copy = Self::new();
        copy.append(bytes)?;
        Ok(copy)
    }

    /// An empty buffer with room for `len` bytes.
    pub fn with_capacity(len: usize) -> Result<Self> {
        KVVec::with_capacity(len, GFP_KERNEL_ACCOUNT).map(Self).map_err(|_| Error::NoMemory)
    }

    /// How many bytes it holds before it asks for memory.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Becomes the next user bytes, at most `len` of them: how many came before a fault. [`Error::NoMemory`].
    pub fn refill(&mut self, from: &mut IovIterSource<'_>, len: usize) -> Result<usize> {
        self.0.clear();
        let wanted = len.min(from.len());
        self.0.reserve(wanted, GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)?;
        let room = self.0.spare_capacity_mut().get_mut(..wanted).unwrap_or(&mut []);
        let got = from.copy_from_iter_raw(room).len();
        // SAFETY: So many bytes of the spare capacity were written.
        unsafe { self.0.inc_len(got) };
        Ok(got)
    }

    /// `len` zero bytes.
    pub fn zeroed(len: usize) -> Result<Self> {
        KVVec::from_elem(0, len, GFP_KERNEL_ACCOUNT).map(Self).map_err(|_| Error::NoMemory)
    }

    /// The contents, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Buffer for Bytes {
    fn append(&mut self, bytes: &[u8]) -> Result {
        let (length, capacity) = (self.0.len(), self.0.capacity());
        if capacity.saturating_sub(length) < bytes.len() {
            // Doubling keeps the copying of a script that comes in small writes linear.
            let more = bytes.len().max(length.min(1 << 18));
            self.0.reserve(more, GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)?;
        }
        self.0.extend_from_slice(bytes, GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)
    }

    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn clear(&mut self) {
        if self.0.capacity() > KEPT {
            self.0 = KVVec::new();
        } else {
            self.0.clear();
        }
    }
}

impl core::fmt::Write for Bytes {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.append(text.as_bytes()).map_err(|_| core::fmt::Error)
    }
}

/// A page of a queue of messages, had without sleeping.
pub struct AtomicPage(KVec<u8>);

impl crate::messages::Page for AtomicPage {
    fn new() -> Option<Self> {
        KVec::with_capacity(PAGE, GFP_ATOMIC | __GFP_NOWARN).ok().map(Self)
    }

    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.0.len().saturating_add(bytes.len()) <= PAGE {
            // There is room: nothing is allocated.
            let _ = self.0.extend_from_slice(bytes, GFP_ATOMIC);
        }
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl crate::ring::Store for Bytes {
    fn slice_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
