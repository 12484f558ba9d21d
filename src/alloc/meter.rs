// SPDX-License-Identifier: GPL-2.0-only

//! What a heap has handed out, against its limit.
//!
//! Used only under the lock of the state that the heap serves. It counts charged bytes, that is
//! blocks rounded to what they take; what it leaves out: where the bytes are.

/// A limit below what is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// The account of one heap.
///
/// A charge has to be one subtraction and one branch, so the account is kept as the `room` left
/// below a `mark`, and only a charge that would pass the mark looks at limit and peak.
///
/// # Invariants
///
/// - `mark` is the smaller of `peak` and `limit`, and `room <= mark`; `mark - room` is in use.
/// - `peak <= limit`, unless the limit was lowered since.
#[derive(Clone, Copy)]
pub(super) struct Meter {
    room: usize,
    mark: usize,
    limit: usize,
    peak: usize,
}

impl Meter {
    pub(super) const fn new(limit: usize) -> Self {
        Meter {
            room: 0,
            mark: 0,
            limit,
            peak: 0,
        }
    }

    /// Bytes charged now.
    pub(super) fn used(&self) -> usize {
        self.mark.wrapping_sub(self.room)
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The most bytes that were ever charged at a time.
    pub(super) fn peak(&self) -> usize {
        self.peak
    }

    /// Changes the limit, which may not be below what is in use.
    pub(super) fn set_limit(&mut self, limit: usize) -> Result<(), Busy> {
        let used = self.used();
        if limit < used {
            return Err(Busy);
        }
        self.limit = limit;
        // INVARIANT: `peak` and `limit` are both at least `used`, and so is the new mark.
        self.mark = self.peak.min(limit);
        self.room = self.mark.wrapping_sub(used);
        Ok(())
    }

    /// Charges `bytes` if that stays below the mark.
    #[inline(always)]
    pub(super) fn charge_below_mark(&mut self, bytes: usize) -> bool {
        match self.room.checked_sub(bytes) {
            Some(room) => {
                self.room = room;
                true
            }
            None => false,
        }
    }

    /// Charges `bytes` if the limit allows; else changes nothing.
    #[inline]
    #[must_use]
    pub(super) fn charge(&mut self, bytes: usize) -> bool {
        if self.charge_below_mark(bytes) {
            return true;
        }
        match self.used().checked_add(bytes) {
            Some(used) if used <= self.limit => {
                // Past the mark and within the limit means past the old peak.
                self.peak = used;
                self.mark = used;
                self.room = 0;
                true
            }
            _ => false,
        }
    }

    /// Takes back the charge of a request that failed for another reason, and with it the peak
    /// it would have made; `peak` is what [`peak`](Self::peak) said before.
    #[cold]
    pub(super) fn undo(&mut self, bytes: usize, peak: usize) {
        let used = self.used().wrapping_sub(bytes);
        self.peak = peak;
        // INVARIANT: `used` was within both before, but for a move (see `uncredit`), where it
        // was less.
        self.mark = peak.min(self.limit);
        self.room = self.mark.wrapping_sub(used);
    }

    /// Takes a charge back.
    #[inline(always)]
    pub(super) fn credit(&mut self, bytes: usize) {
        self.room = self.room.wrapping_add(bytes);
    }

    /// Takes back a credit for a block that is about to be freed, and so credited again.
    ///
    /// Between the two the account may be negative: while a block moves, both copies exist, and
    /// only one is charged.
    #[inline(always)]
    pub(super) fn uncredit(&mut self, bytes: usize) {
        self.room = self.room.wrapping_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_to_the_limit_and_not_past_it() {
        let mut m = Meter::new(100);
        assert!(m.charge(60));
        assert!(!m.charge(41));
        assert_eq!((m.used(), m.peak()), (60, 60));
        assert!(m.charge(40));
        assert!(!m.charge(1));
        m.credit(70);
        assert_eq!((m.used(), m.peak()), (30, 100));
        assert!(m.charge(70));
        assert!(!m.charge(usize::MAX));
        m.credit(10);
        assert_eq!(m.set_limit(200), Ok(()));
        assert!(m.charge(90));
        m.undo(90, 100);
        assert_eq!((m.used(), m.peak()), (90, 100));
        assert!(m.charge(10));
        m.credit(100);
        assert_eq!((m.used(), m.peak()), (0, 100));
    }

    #[test]
    fn limit_moves_both_ways_but_not_below_use() {
        let mut m = Meter::new(100);
        assert!(m.charge(80));
        m.credit(30);
        assert_eq!(m.set_limit(49), Err(Busy));
        assert_eq!(m.limit(), 100);
        assert_eq!(m.set_limit(60), Ok(()));
        assert!(m.charge(10));
        assert!(!m.charge(1));
        // The peak is what was seen, though the limit is lower now.
        assert_eq!(m.peak(), 80);
        assert_eq!(m.set_limit(1000), Ok(()));
        assert!(m.charge(30));
        assert_eq!((m.used(), m.peak()), (90, 90));
        assert_eq!(m.set_limit(90), Ok(()));
        assert!(!m.charge(1));
    }

    #[test]
    fn a_move_is_charged_once() {
        let mut m = Meter::new(100);
        assert!(m.charge(60));
        // A block of 40 grows to 80 while 20 other bytes are in use.
        m.credit(40);
        assert!(m.charge(80));
        m.uncredit(40);
        m.credit(40);
        assert_eq!((m.used(), m.peak()), (100, 100));
        m.credit(80);
        assert_eq!(m.used(), 20);
    }
}
