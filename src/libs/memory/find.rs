// SPDX-License-Identifier: GPL-2.0-only

//! Searching bytes in bytes: in steps, in linear time at worst, without memory of its own. Pure, any context.
//!
//! The two-way algorithm (M. Crochemore and D. Perrin, "Two-way string-matching", 1991), and a set of the
//! needle's bytes to leap over what cannot match. The caller gives both slices anew at each step; when the
//! needle's length has changed, its examination begins again. What others write between two steps may or
//! may not be seen.

/// Comparisons in one step.
const STEP: usize = 1 << 12;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The offset of the first match.
    At(usize),
    /// There is none.
    Nowhere,
    /// Another step is needed.
    NotYet,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Looking for the needle's largest suffix, in the usual order of bytes or in the opposite one.
    Suffix { opposite: bool },
    /// Looking whether what is left of the cut recurs one period later.
    Period,
    /// Collecting the needle's bytes.
    Bytes,
    /// Comparing the needle right of the cut, at `pos`.
    Right,
    /// Comparing it left of the cut, downwards.
    Left,
}

/// A search under way; one begins with [`Find::new`].
#[derive(Clone, Copy, Debug)]
pub struct Find {
    phase: Phase,
    /// The needle's length that all below is about.
    len: usize,
    /// Where the needle is cut, and the period of its right part.
    cut: usize,
    period: usize,
    /// The needle as a whole has this period: after a match of its right part alone something is known.
    periodic: bool,
    /// Bit `byte % 64` for each byte of the needle.
    bytes: u64,
    /// Of the suffix that competes with the one at `cut`: its offset, and how many bytes are like it.
    rival: usize,
    alike: usize,
    /// The result for the usual order, kept while the opposite one is looked at.
    first: (usize, usize),
    /// Where the needle now lies in the haystack, how many of its first bytes are known to match there, and
    /// how far the phase has come.
    pos: usize,
    known: usize,
    at: usize,
}

impl Find {
    /// A search from the beginning.
    pub const fn new() -> Self {
        Self {
            phase: Phase::Suffix { opposite: false },
            len: 0,
            cut: 0,
            period: 1,
            periodic: false,
            bytes: 0,
            rival: 1,
            alike: 0,
            first: (0, 1),
            pos: 0,
            known: 0,
            at: 0,
        }
    }

    /// Goes on for a bounded number of comparisons. An empty needle is nowhere.
    pub fn step(&mut self, hay: &[u8], needle: &[u8]) -> Found {
        if needle.is_empty() || needle.len() > hay.len() {
            return Found::Nowhere;
        }
        if needle.len() != self.len {
            *self = Self { len: needle.len(), pos: self.pos, ..Self::new() };
        }
        let mut left = STEP;
        while left > 0 {
            match self.phase {
                Phase::Suffix { opposite } => self.suffix(needle, opposite, &mut left),
                Phase::Period => self.check_period(needle, &mut left),
                Phase::Bytes => self.collect(needle, &mut left),
                Phase::Right | Phase::Left => match self.search(hay, needle, &mut left) {
                    Found::NotYet => (),
                    end => return end,
                },
            }
        }
        Found::NotYet
    }

    /// Two suffixes compete; the smaller one falls, and whatever begins within what was alike with it.
    fn suffix(&mut self, needle: &[u8], opposite: bool, left: &mut usize) {
        while *left > 0 {
            *left -= 1;
            let Some(theirs) = needle.get(self.rival.saturating_add(self.alike)) else {
                return self.suffix_found(opposite);
            };
            let ours = needle.get(self.cut.saturating_add(self.alike)).unwrap_or(theirs);
            if ours == theirs {
                self.alike += 1;
                if self.alike == self.period {
                    self.rival += self.alike;
                    self.alike = 0;
                }
            } else if (theirs < ours) != opposite {
                self.rival = self.rival.saturating_add(self.alike).saturating_add(1);
                self.alike = 0;
                self.period = self.rival.saturating_sub(self.cut);
            } else {
                self.cut = self.rival;
                self.rival = self.rival.saturating_add(1);
                self.alike = 0;
                self.period = 1;
            }
        }
    }

    fn suffix_found(&mut self, opposite: bool) {
        if !opposite {
            self.first = (self.cut, self.period);
            (self.cut, self.period, self.rival, self.alike) = (0, 1, 1, 0);
            self.phase = Phase::Suffix { opposite: true };
            return;
        }
        // The shorter of the two suffixes begins at a critical cut.
        if self.first.0 > self.cut {
            (self.cut, self.period) = self.first;
        }
        self.phase = Phase::Period;
        self.at = 0;
    }

    fn check_period(&mut self, needle: &[u8], left: &mut usize) {
        let count = self.cut.saturating_sub(self.at).min(*left);
        let here = slice(needle, self.at, count);
        let later = slice(needle, self.at.saturating_add(self.period), count);
        *left = left.saturating_sub(count.max(1));
        self.periodic = here == later;
        self.at = self.at.saturating_add(count);
        if self.periodic && self.at < self.cut {
            return;
        }
        if !self.periodic {
            // No two matches are nearer to each other than the longer part.
            self.period = self.cut.max(self.len.saturating_sub(self.cut)).saturating_add(1);
        }
        self.phase = Phase::Bytes;
        self.at = 0;
    }

    fn collect(&mut self, needle: &[u8], left: &mut usize) {
        let count = self.len.saturating_sub(self.at).min(*left);
        self.bytes = slice(needle, self.at, count).iter().fold(self.bytes, |set, byte| set | bit(*byte));
        self.at = self.at.saturating_add(count);
        *left = left.saturating_sub(count.max(1));
        if self.at >= self.len {
            self.phase = Phase::Right;
            self.at = self.cut;
        }
    }

    /// One position of the needle, or as much of it as can be looked at.
    fn search(&mut self, hay: &[u8], needle: &[u8], left: &mut usize) -> Found {
        let Some(window) = hay.get(self.pos..).and_then(|rest| rest.get(..self.len)) else {
            return Found::Nowhere;
        };
        *left = left.saturating_sub(1);
        if self.phase == Phase::Right {
            if self.at <= self.cut.max(self.known) && window.last().is_some_and(|last| self.bytes & bit(*last) == 0) {
                self.go_to(self.pos.saturating_add(self.len), 0);
                return Found::NotYet;
            }
            let count = self.len.saturating_sub(self.at).min(*left);
            let pairs = slice(window, self.at, count).iter().zip(slice(needle, self.at, count));
            let same = pairs.take_while(|(a, b)| a == b).count();
            *left = left.saturating_sub(same);
            self.at = self.at.saturating_add(same);
            if same < count {
                let shift = self.at.saturating_sub(self.cut).saturating_add(1);
                self.go_to(self.pos.saturating_add(shift), 0);
                return Found::NotYet;
            }
            if self.at < self.len {
                return Found::NotYet;
            }
            self.phase = Phase::Left;
            self.at = self.cut;
        }
        let count = self.at.saturating_sub(self.known).min(*left);
        let from = self.at.saturating_sub(count);
        let pairs = slice(window, from, count).iter().zip(slice(needle, from, count));
        let same = pairs.rev().take_while(|(a, b)| a == b).count();
        *left = left.saturating_sub(same);
        self.at = self.at.saturating_sub(same);
        if same < count {
            let known = if self.periodic { self.len.saturating_sub(self.period) } else { 0 };
            self.go_to(self.pos.saturating_add(self.period), known);
            Found::NotYet
        } else if self.at <= self.known {
            Found::At(self.pos)
        } else {
            Found::NotYet
        }
    }

    fn go_to(&mut self, pos: usize, known: usize) {
        self.pos = pos;
        self.known = known;
        self.phase = Phase::Right;
        self.at = self.cut.max(known);
    }
}

impl Default for Find {
    fn default() -> Self {
        Self::new()
    }
}

fn bit(byte: u8) -> u64 {
    1 << (byte & 63)
}

/// `count` bytes from `at` on, or none.
fn slice(bytes: &[u8], at: usize, count: usize) -> &[u8] {
    bytes.get(at..).and_then(|rest| rest.get(..count)).unwrap_or(&[])
}
