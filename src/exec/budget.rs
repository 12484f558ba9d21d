// SPDX-License-Identifier: GPL-2.0-only

//! The time budget of what cannot be sliced: a hook, a `__gc`, `lunatik.atomic`.
//!
//! Pure: any context, no locks. The clock is read only when the guard has seen the entry run for a whole
//! period, so a short entry costs nothing; the guard's first tick comes one to two periods late, which the
//! budget takes into account. All times in nanoseconds.

/// What is left of a budget; see the head of this file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// When it ends; 0 while nothing was seen to run.
    deadline: u64,
    /// Which `__gc` or `atomic` it is for.
    section: i32,
}

impl Budget {
    /// Another one begins when something runs next.
    pub fn reset(&mut self) {
        self.deadline = 0;
    }

    /// `section` runs now: true when it is another than before, with a budget of its own.
    pub fn enter(&mut self, section: i32) -> bool {
        let other = self.section != section;
        if other {
            *self = Self { deadline: 0, section };
        }
        other
    }

    /// When what runs was seen to have begun, if `budget` and `period` are what [`Self::is_spent`] was given.
    pub fn began(&self, budget: u64, period: u64) -> Option<u64> {
        (self.deadline != 0).then(|| self.deadline.saturating_sub(budget.saturating_sub(period)).saturating_sub(period))
    }

    /// The guard, which ticks each `period`, found it running at `now`: true when `budget` is spent.
    pub fn is_spent(&mut self, now: u64, budget: u64, period: u64) -> bool {
        if self.deadline == 0 {
            self.deadline = now.saturating_add(budget.saturating_sub(period)).max(1);
        }
        now >= self.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn spent_after_its_time_counted_from_the_tick() {
        let mut b = Budget::default();
        assert!(!b.is_spent(5_000, 1_000, 100));
        assert!(!b.is_spent(5_899, 1_000, 100));
        assert!(b.is_spent(5_900, 1_000, 100));
        b.reset();
        assert!(!b.is_spent(6_000, 1_000, 100));
    }

    #[test]
    fn it_began_a_period_before_it_was_seen() {
        let mut b = Budget::default();
        assert_eq!(b.began(1_000, 100), None);
        b.is_spent(5_000, 1_000, 100);
        assert_eq!(b.began(1_000, 100), Some(4_900));
        b.reset();
        assert_eq!(b.began(1_000, 100), None);
    }

    #[test]
    fn a_budget_shorter_than_a_period_is_spent_at_the_first_tick() {
        assert!(Budget::default().is_spent(7, 100, 100));
        assert!(Budget::default().is_spent(0, 0, 100) || Budget::default().is_spent(1, 0, 100));
    }

    #[test]
    fn every_section_has_its_own() {
        let mut b = Budget::default();
        assert!(b.enter(1));
        assert!(!b.is_spent(1_000, 500, 0));
        assert!(!b.enter(1));
        assert!(b.is_spent(1_500, 500, 0));
        assert!(b.enter(2));
        assert!(!b.is_spent(1_500, 500, 0));
    }
}
