// SPDX-License-Identifier: GPL-2.0-only

//! A ring of short records, each a state's name and some bytes. Pure; the lock is the owner's.

use crate::ctl::grammar::Buffer;

/// A name as records carry it: 64 bytes, zero-terminated.
pub type Name = [u8; 64];

/// The ring; a record takes 66 bytes and its text.
pub struct Ring<B> {
    bytes: B,
    start: usize,
    used: usize,
}

/// A place that can be written to.
pub trait Store {
    /// All of it.
    fn slice_mut(&mut self) -> &mut [u8];
}

impl<B: Buffer + Store> Ring<B> {
    /// A ring over the whole of `bytes`.
    pub fn new(bytes: B) -> Self {
        Self { bytes, start: 0, used: 0 }
    }

    /// True when there is no record.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Bytes free, headers included.
    pub fn room(&self) -> usize {
        self.bytes.bytes().len().saturating_sub(self.used)
    }

    /// Adds a record; false when there is no room for it. At most 65535 bytes of text.
    pub fn push(&mut self, name: &Name, text: &[u8]) -> bool {
        let Ok(length) = u16::try_from(text.len()) else { return false };
        if self.room() < text.len().saturating_add(name.len() + 2) {
            return false;
        }
        self.put(&length.to_le_bytes());
        self.put(name);
        self.put(text);
        true
    }

    /// Takes the oldest record: its name, and how many bytes of its text were put into `text` (what
    /// does not fit is lost).
    pub fn pop(&mut self, text: &mut [u8]) -> Option<(Name, usize)> {
        if self.used == 0 {
            return None;
        }
        let mut length = [0; 2];
        let mut name = [0; 64];
        self.take(&mut length);
        self.take(&mut name);
        let length = usize::from(u16::from_le_bytes(length));
        let fits = length.min(text.len());
        self.take(text.get_mut(..fits)?);
        for _ in fits..length {
            self.take(&mut [0]);
        }
        Some((name, fits))
    }

    fn put(&mut self, from: &[u8]) {
        let size = self.bytes.bytes().len();
        let at = (self.start + self.used) % size.max(1);
        let ring = self.bytes.slice_mut();
        for (i, byte) in from.iter().enumerate() {
            if let Some(to) = ring.get_mut((at + i) % size.max(1)) {
                *to = *byte;
            }
        }
        self.used += from.len();
    }

    fn take(&mut self, to: &mut [u8]) {
        let size = self.bytes.bytes().len();
        for (i, byte) in to.iter_mut().enumerate() {
            *byte = self.bytes.bytes().get((self.start + i) % size.max(1)).copied().unwrap_or(0);
        }
        self.start = (self.start + to.len()) % size.max(1);
        self.used = self.used.saturating_sub(to.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Store for Vec<u8> {
        fn slice_mut(&mut self) -> &mut [u8] {
            self
        }
    }

    #[test]
    fn first_in_first_out_around_the_end() {
        let mut ring = Ring::new(vec![0_u8; 1000]);
        let mut name = [0; 64];
        let (mut pushed, mut popped) = (0_u32, 0_u32);
        let mut text = [0; 300];
        for round in 0..10_000_u32 {
            name[0] = (pushed % 251) as u8;
            let line = vec![(pushed % 256) as u8; (round * 7 % 300) as usize];
            if ring.push(&name, &line) {
                pushed += 1;
            }
            if round % 3 != 0 {
                if let Some((name, len)) = ring.pop(&mut text) {
                    assert_eq!(name[0], (popped % 251) as u8);
                    assert!(text[..len].iter().all(|b| *b == (popped % 256) as u8));
                    popped += 1;
                }
            }
        }
        while ring.pop(&mut text).is_some() {
            popped += 1;
        }
        assert_eq!(pushed, popped);
        assert!(ring.is_empty() && ring.room() == 1000);
    }

    #[test]
    fn a_full_ring_refuses_and_keeps_what_it_has() {
        let mut ring = Ring::new(vec![0_u8; 200]);
        assert!(ring.push(&[1; 64], b"first"));
        assert!(!ring.push(&[2; 64], &[0; 100]));
        let mut text = [0; 3];
        assert_eq!(ring.pop(&mut text), Some(([1; 64], 3)));
        assert_eq!(&text, b"fir");
        assert_eq!(ring.pop(&mut text), None);
    }
}
