// SPDX-License-Identifier: GPL-2.0-only

//! A hash table of fixed capacity: open addressing with linear probing and backward-shift deletion.
//!
//! Pure: it allocates nothing after it was made, so it can be changed under a spinlock in any
//! context; the lock is the owner's business.

use crate::name::StateName;
use core::marker::PhantomData;

/// What a [`Table`] holds: a handle that knows the name it is filed under.
pub trait Named {
    /// The key; it must not change while the handle is in a table.
    fn name(&self) -> &StateName;
}

/// A table over slots that the caller provides (`S` is a slice-like store of `Option<T>`).
///
/// # Invariants
///
/// At least half of the slots are empty, and no empty slot lies between an entry and the slot its
/// hash names: a probe that meets an empty slot may stop.
pub struct Table<T, S> {
    slots: S,
    used: usize,
    entries: PhantomData<T>,
}

impl<T: Named, S: AsRef<[Option<T>]> + AsMut<[Option<T>]>> Table<T, S> {
    /// A table over `slots`, all of them `None`. It holds at most half as many entries as there
    /// are slots.
    pub fn new(slots: S) -> Self {
        // INVARIANT: all slots are empty.
        Self { slots, used: 0, entries: PhantomData }
    }

    /// Entries now in the table.
    pub fn count(&self) -> usize {
        self.used
    }

    /// The entry of that name.
    pub fn get(&self, name: &StateName) -> Option<&T> {
        let index = self.find(name).ok()?;
        self.slots.as_ref().get(index)?.as_ref()
    }

    /// Adds an entry; gives it back when its name is taken or the table is full.
    pub fn insert(&mut self, entry: T) -> Result<(), T> {
        if self.used >= self.slots.as_ref().len() / 2 {
            return Err(entry);
        }
        match self.find(entry.name()) {
            Ok(_) => Err(entry),
            Err(free) => match self.slots.as_mut().get_mut(free) {
                Some(slot) => {
                    // INVARIANT: `free` is the first empty slot from the entry's own on, and half
                    // of the slots stay empty by the check above.
                    *slot = Some(entry);
                    self.used += 1;
                    Ok(())
                }
                None => Err(entry),
            },
        }
    }

    /// Takes the entry of that name out.
    pub fn remove(&mut self, name: &StateName) -> Option<T> {
        let mut hole = self.find(name).ok()?;
        let size = self.slots.as_ref().len();
        let entry = self.slots.as_mut().get_mut(hole)?.take()?;
        self.used -= 1;
        // INVARIANT: every entry of the run behind the hole that may not stay behind an empty slot
        // moves into it, which makes the next hole.
        let mut next = (hole + 1) % size;
        while let Some(home) = self.slots.as_ref().get(next).and_then(Option::as_ref).map(|e| slot_of(e.name(), size)) {
            let distance = |from: usize, to: usize| (to + size - from) % size;
            if distance(home, next) >= distance(hole, next) {
                self.slots.as_mut().swap(hole, next);
                hole = next;
            }
            next = (next + 1) % size;
        }
        Some(entry)
    }

    /// All entries, in no order.
    pub fn iter<'a>(&'a self) -> impl Iterator<Item = &'a T>
    where
        T: 'a,
    {
        self.slots.as_ref().iter().flatten()
    }

    /// `Ok` the slot that holds `name`, or `Err` the empty slot where it would go.
    fn find(&self, name: &StateName) -> Result<usize, usize> {
        let slots = self.slots.as_ref();
        let mut index = slot_of(name, slots.len());
        for _ in 0..slots.len() {
            match slots.get(index) {
                Some(Some(entry)) if entry.name() == name => return Ok(index),
                Some(Some(_)) => index = (index + 1) % slots.len(),
                _ => return Err(index),
            }
        }
        Err(slots.len())
    }
}

/// The slot where the probe for `name` starts: FNV-1a. Names come from CAP_SYS_ADMIN alone, so the
/// hash need not withstand an adversary.
fn slot_of(name: &StateName, slots: usize) -> usize {
    let hash = name.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash ^ (hash >> 32)) as usize % slots.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    struct Entry(StateName, u32);
    impl Named for Entry {
        fn name(&self) -> &StateName {
            &self.0
        }
    }
    type Slots = Vec<Option<Entry>>;

    fn name(n: u32) -> StateName {
        StateName::new(format!("s{n}").as_bytes()).unwrap()
    }

    #[test]
    fn agrees_with_a_map() {
        let slots: Slots = (0..64).map(|_| None).collect();
        let mut table = Table::new(slots);
        let mut model = BTreeMap::new();
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        for round in 0..200_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let n = (seed % 48) as u32;
            if seed & (1 << 40) != 0 {
                let full = model.len() >= 32;
                let added = table.insert(Entry(name(n), round)).is_ok();
                assert_eq!(added, !full && !model.contains_key(&n));
                if added {
                    model.insert(n, round);
                }
            } else {
                assert_eq!(table.remove(&name(n)).map(|e| e.1), model.remove(&n));
            }
            assert_eq!(table.count(), model.len());
            for k in 0..48 {
                assert_eq!(table.get(&name(k)).map(|e| e.1), model.get(&k).copied());
            }
        }
        assert_eq!(table.iter().count(), model.len());
    }

    #[test]
    fn refuses_a_second_entry_of_a_name() {
        let mut table = Table::new((0..8).map(|_| None).collect::<Slots>());
        assert!(table.insert(Entry(name(1), 1)).is_ok());
        assert_eq!(table.insert(Entry(name(1), 2)).err().map(|e| e.1), Some(2));
        assert_eq!(table.get(&name(1)).map(|e| e.1), Some(1));
    }
}
