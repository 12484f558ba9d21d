// SPDX-License-Identifier: GPL-2.0-only

//! Filling a range with repetitions of some bytes, which may be part of what is filled. Pure, any context.
//!
//! This decides what to copy from where, in which order; who has the addresses copies.

/// A range under way of being filled. C keeps it between two steps (`struct lunatik_fill`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// Where the range begins, in the target.
    pub begin: usize,
    /// Where the next repetition goes, or the rest of one.
    pub to: usize,
    /// Where the range ends.
    pub end: usize,
    /// Where the bytes to repeat begin, in the source, and their number.
    pub from: usize,
    pub unit: usize,
    /// How much of the repetition at `to` is done, when target and source overlap.
    pub done: usize,
}

/// `len` bytes to be moved as memmove does, from the source, or from the target itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub to: usize,
    pub from: usize,
    pub len: usize,
    /// True if `from` is an offset in the target.
    pub inside: bool,
}

impl Fill {
    /// The next piece of at most `most` bytes; `None` at the end. `distance` is the address of the source
    /// minus that of the target, in bytes.
    ///
    /// The outcome is that of one memmove a repetition, each from the same place of the source as it then
    /// is.
    pub fn next(&mut self, distance: isize, most: usize) -> Option<Piece> {
        let left = self.end.saturating_sub(self.to);
        if left == 0 || self.unit == 0 || most == 0 {
            return None;
        }
        // Where the source is, seen from the target; addresses are far below the limits of an isize.
        let source = distance.saturating_add_unsigned(self.from);
        let behind = source.saturating_add_unsigned(self.unit) <= signed(self.begin);
        if behind || source >= signed(self.end) {
            Some(self.apart(left, most))
        } else {
            Some(self.overlapping(left, most, source < signed(self.to)))
        }
    }

    /// Target and source have nothing in common: what is filled already serves as a larger source.
    fn apart(&mut self, left: usize, most: usize) -> Piece {
        let to = self.to;
        let filled = to.saturating_sub(self.begin);
        let piece = match filled.checked_rem(self.unit) {
            Some(over) if filled >= self.unit => {
                let back = filled - over;
                Piece { to, from: to - back, len: left.min(most).min(back), inside: true }
            }
            _ => {
                let from = self.from.saturating_add(filled);
                Piece { to, from, len: left.min(most).min(self.unit - filled), inside: false }
            }
        };
        self.to = to.saturating_add(piece.len);
        piece
    }

    /// The pieces of one repetition, in the order in which none overwrites what another has yet to read.
    fn overlapping(&mut self, left: usize, most: usize, backwards: bool) -> Piece {
        let whole = self.unit.min(left);
        let rest = whole.saturating_sub(self.done);
        let len = rest.min(most);
        let offset = if backwards { rest - len } else { self.done };
        let (to, from) = (self.to.saturating_add(offset), self.from.saturating_add(offset));
        self.done = self.done.saturating_add(len);
        if self.done >= whole {
            self.to = self.to.saturating_add(whole);
            self.done = 0;
        }
        Piece { to, from, len, inside: false }
    }
}

fn signed(offset: usize) -> isize {
    isize::try_from(offset).unwrap_or(isize::MAX)
}
