// SPDX-License-Identifier: GPL-2.0-only

//! A queue of messages: byte strings, first in first out, in pages that come and go with them.
//!
//! Pure: any context; the lock is the owner's. Pages are had without sleeping, one at a time, for a
//! message may be queued in softirq, where larger blocks are not to be relied on.

use crate::error::{Error, Result};
use core::marker::PhantomData;
use core::ops::DerefMut;

/// The longest message, in bytes.
pub const DATA_MAX: usize = 32768;
/// Bytes of a page.
pub const PAGE: usize = 4096;
/// What a message counts beside its bytes.
pub const OVERHEAD: usize = 64;
/// Pages that an empty queue keeps: a message of a page lies in two.
const SPARE: usize = 2;
/// Bytes of the length that stands before each message in the pages.
const HEADER: usize = 4;

/// Memory for [`PAGE`] bytes.
pub trait Page: Sized {
    /// An empty page; `None` when there is no memory at once.
    fn new() -> Option<Self>;
    /// What was appended.
    fn bytes(&self) -> &[u8];
    /// Appends; what goes past [`PAGE`] bytes is the caller's mistake and is lost.
    fn append(&mut self, bytes: &[u8]);
    /// Empties it.
    fn clear(&mut self);
}

/// How many places for pages a queue of at most `limit` bytes needs.
pub const fn places(limit: usize) -> usize {
    limit / PAGE + 2
}

/// The queue; `S` is a slice-like store of [`places`] places.
///
/// # Invariants
///
/// The `pages` places from `first` on, around the end, are taken, and no others. The bytes in them
/// from `start` of the first page on are whole messages, each behind its length.
pub struct Queue<P, S> {
    store: S,
    first: usize,
    pages: usize,
    start: usize,
    messages: usize,
    used: usize,
    limit: usize,
    /// Kept for the next messages, so that a queue that is emptied each time asks for memory once.
    spare: [Option<P>; SPARE],
    kind: PhantomData<P>,
}

impl<P: Page, S: DerefMut<Target = [Option<P>]>> Queue<P, S> {
    /// A queue of at most `limit` bytes, each message counted with [`OVERHEAD`]; `store` is empty.
    pub fn new(store: S, limit: usize) -> Self {
        Self { store, first: 0, pages: 0, start: 0, messages: 0, used: 0, limit, spare: [None, None], kind: PhantomData }
    }

    /// Bytes queued, overhead included.
    pub fn used(&self) -> usize {
        self.used
    }

    /// True when a message of `len` bytes finds room.
    pub fn fits(&self, len: usize) -> bool {
        self.used.saturating_add(len).saturating_add(OVERHEAD) <= self.limit
    }

    /// Queues the concatenation of `parts`.
    ///
    /// Errors: [`Error::MessageSize`] past 2^32, [`Error::Full`], [`Error::NoMemory`]; then nothing of it is queued.
    pub fn push(&mut self, parts: &[&[u8]]) -> Result {
        let len = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        let header = u32::try_from(len).map_err(|_| Error::MessageSize)?.to_le_bytes();
        if !self.fits(len) {
            return Err(Error::Full);
        }
        let before = self.pages;
        let room = self.last().map_or(0, |page| PAGE.saturating_sub(page.bytes().len()));
        let lack = (len + HEADER).saturating_sub(room).div_ceil(PAGE);
        for _ in 0..lack {
            if let Err(error) = self.add_page() {
                self.drop_last(self.pages - before);
                return Err(error);
            }
        }
        let mut at = if room > 0 { before.saturating_sub(1) } else { before };
        for mut part in core::iter::once(&header[..]).chain(parts.iter().copied()) {
            while !part.is_empty() {
                let Some(page) = self.page_mut(at) else { return Err(Error::Invalid) };
                let room = PAGE.saturating_sub(page.bytes().len());
                let (now, later) = part.split_at_checked(room).unwrap_or((part, &[]));
                page.append(now);
                part = later;
                if now.len() == room {
                    at += 1;
                }
            }
        }
        self.messages += 1;
        self.used += len + OVERHEAD;
        Ok(())
    }

    /// The length of the oldest message.
    pub fn front_len(&self) -> Option<usize> {
        if self.messages == 0 {
            return None;
        }
        let mut header = [0; HEADER];
        let mut left = header.iter_mut();
        self.read(0, HEADER, |part| left.by_ref().zip(part).for_each(|(to, from)| *to = *from));
        usize::try_from(u32::from_le_bytes(header)).ok()
    }

    /// Gives the oldest message out, in parts.
    pub fn front(&self, put: impl FnMut(&[u8])) {
        self.read(HEADER, self.front_len().unwrap_or(0), put);
    }

    /// Removes the oldest message.
    pub fn pop(&mut self) {
        let Some(len) = self.front_len() else { return };
        self.start += len + HEADER;
        self.messages -= 1;
        self.used = self.used.saturating_sub(len + OVERHEAD);
        while self.start >= PAGE || (self.messages == 0 && self.pages > 0) {
            let first = self.first;
            let page = self.store.get_mut(first).and_then(Option::take);
            if let (Some(place), Some(mut page)) = (self.spare.iter_mut().find(|place| place.is_none()), page) {
                page.clear();
                *place = Some(page);
            }
            self.first = self.wrap(first + 1);
            self.pages = self.pages.saturating_sub(1);
            self.start = self.start.saturating_sub(PAGE);
        }
        if self.pages == 0 {
            self.start = 0;
        }
    }

    fn wrap(&self, place: usize) -> usize {
        let places = self.store.len();
        if place < places { place } else { place - places }
    }

    fn page(&self, index: usize) -> Option<&P> {
        self.store.get(self.wrap(self.first + index))?.as_ref()
    }

    fn page_mut(&mut self, index: usize) -> Option<&mut P> {
        let place = self.wrap(self.first + index);
        self.store.get_mut(place)?.as_mut()
    }

    fn last(&self) -> Option<&P> {
        self.page(self.pages.checked_sub(1)?)
    }

    fn add_page(&mut self) -> Result {
        let place = self.wrap(self.first + self.pages);
        let page = self.spare.iter_mut().find_map(Option::take).or_else(P::new).ok_or(Error::NoMemory)?;
        match self.store.get_mut(place) {
            Some(free @ None) => *free = Some(page),
            // `places` is more than the limit allows to be in use.
            _ => return Err(Error::Full),
        }
        self.pages += 1;
        Ok(())
    }

    fn drop_last(&mut self, count: usize) {
        for _ in 0..count {
            self.pages -= 1;
            let place = self.wrap(self.first + self.pages);
            if let Some(page) = self.store.get_mut(place) {
                *page = None;
            }
        }
    }

    /// Gives `len` bytes out from `skip` behind the start of the oldest message on.
    fn read(&self, skip: usize, mut len: usize, mut put: impl FnMut(&[u8])) {
        let (mut index, mut from) = ((self.start + skip) / PAGE, (self.start + skip) % PAGE);
        while len > 0 {
            let Some(bytes) = self.page(index).and_then(|page| page.bytes().get(from..)) else { return };
            let part = bytes.get(..len).unwrap_or(bytes);
            put(part);
            len -= part.len();
            index += 1;
            from = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::collections::VecDeque;

    thread_local! {
        /// Pages alive, and how many more may be had.
        static PAGES: Cell<(usize, usize)> = const { Cell::new((0, usize::MAX)) };
    }

    struct Counted(Vec<u8>);

    impl Page for Counted {
        fn new() -> Option<Self> {
            let (alive, left) = PAGES.get();
            let left = left.checked_sub(1)?;
            PAGES.set((alive + 1, left));
            Some(Self(Vec::new()))
        }
        fn bytes(&self) -> &[u8] {
            &self.0
        }
        fn append(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
            assert!(self.0.len() <= PAGE);
        }
        fn clear(&mut self) {
            self.0.clear();
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            let (alive, left) = PAGES.get();
            PAGES.set((alive - 1, left));
        }
    }

    fn queue(limit: usize) -> Queue<Counted, Vec<Option<Counted>>> {
        Queue::new((0..places(limit)).map(|_| None).collect(), limit)
    }

    fn front(queue: &Queue<Counted, Vec<Option<Counted>>>) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        queue.front_len()?;
        queue.front(|part| bytes.extend_from_slice(part));
        Some(bytes)
    }

    fn random(seed: &mut u64) -> usize {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        (*seed >> 16) as usize
    }

    /// Against a plain list of messages, with memory failing now and then.
    #[test]
    fn as_a_list_of_messages() {
        let mut seed = 88172645463325252;
        for limit in [200, PAGE, 5 * PAGE + 17, 131072] {
            let mut queue = queue(limit);
            let mut model: VecDeque<Vec<u8>> = VecDeque::new();
            let (mut full, mut failed, mut taken) = (0, 0, 0);
            for round in 0..200_000_usize {
                let used: usize = model.iter().map(|message| message.len() + OVERHEAD).sum();
                assert_eq!(queue.used(), used);
                if random(&mut seed) % 100 < 52 {
                    let len = match random(&mut seed) % 10 {
                        0 => random(&mut seed) % (DATA_MAX + 1),
                        1 => PAGE - HEADER + random(&mut seed) % 9 - 4,
                        2 => 0,
                        _ => random(&mut seed) % 300,
                    };
                    let message: Vec<u8> = (0..len).map(|i| (round + i * 7) as u8).collect();
                    let cut = random(&mut seed) % (len + 1);
                    let starved = random(&mut seed) % 50 == 0;
                    PAGES.set((PAGES.get().0, if starved { random(&mut seed) % 3 } else { usize::MAX }));
                    let pushed = queue.push(&[&message[..cut], &message[cut..]]);
                    PAGES.set((PAGES.get().0, usize::MAX));
                    match pushed {
                        Ok(()) => {
                            assert!(used + len + OVERHEAD <= limit);
                            model.push_back(message);
                        }
                        Err(Error::Full) => {
                            assert!(used + len + OVERHEAD > limit);
                            full += 1;
                        }
                        Err(error) => {
                            assert!(starved && error == Error::NoMemory, "{error:?}");
                            failed += 1;
                        }
                    }
                } else {
                    assert_eq!(front(&queue), model.front().cloned());
                    queue.pop();
                    taken += usize::from(model.pop_front().is_some());
                }
            }
            assert!(full > 1000 && taken > 10_000, "{full} {taken}");
            // Two pages are kept once they were had, and then nothing fails.
            assert!(failed > 0 || limit <= 2 * PAGE, "{failed}");
        }
        assert_eq!(PAGES.get().0, 0, "no page is left behind");
    }

    /// A queue costs what is in it, and two pages.
    #[test]
    fn memory_goes_with_the_messages() {
        let mut queue = queue(131072);
        for _ in 0..3 {
            queue.push(&[&[1; DATA_MAX]]).unwrap();
        }
        assert_eq!(PAGES.get().0, (3 * (DATA_MAX + HEADER)).div_ceil(PAGE));
        for _ in 0..3 {
            queue.pop();
        }
        assert_eq!(PAGES.get().0, SPARE);
        drop(queue);
        assert_eq!(PAGES.get().0, 0);
    }
}
