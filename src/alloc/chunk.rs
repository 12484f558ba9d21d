// SPDX-License-Identifier: GPL-2.0-only

//! Chunks: runs of granules cut into small blocks of one size.
//!
//! Used only under the lock of the state that the heap serves, in any context; nothing sleeps.
//! Taking and giving a slot are a few instructions; making a chunk writes at most
//! [`MOST_SLOTS`] slots. What it leaves out: which chunk serves a request (`mod.rs`).
//!
//! A chunk has its slots at the start and its header in the last granule, so that the first slot
//! begins where the run does: a large block can become a chunk without moving, which is what
//! makes a shrink unable to fail. The map says for each granule of a chunk how far it is to the
//! end, hence to the header. Blocks carry nothing of their own.

use super::runs::{Place, Segment, GRANULE, SHIFT};
use core::mem::size_of;
use core::ptr;

/// Bytes between the sizes of small blocks, and the alignment of a block.
pub(super) const STEP: usize = 8;
/// The largest block, in bytes, that lies in a chunk.
pub(super) const SMALL_MAX: usize = 128;
/// The number of sizes: class `c` has blocks of `8 * c` bytes. Class 0 is not used.
pub(super) const CLASSES: usize = SMALL_MAX / STEP;
/// No chunk has more slots than this.
const MOST_SLOTS: usize = 240;
/// No chunk has more granules than this: what a positive map byte can tell.
const LONGEST: usize = 127;

/// A free slot: the next one of its chunk.
pub(super) struct Slot {
    next: *mut Slot,
}

/// The header of a chunk, in its last granule.
///
/// # Invariants
///
/// `free` links the free slots; `used` is the number of the others. The chunk is in the list of
/// its class exactly when `free` is not null.
pub(super) struct Chunk {
    pub(super) free: *mut Slot,
    pub(super) next: *mut Chunk,
    pub(super) prev: *mut Chunk,
    pub(super) used: u16,
    /// Bytes in a slot.
    size: u16,
    granules: u8,
}

const _: () = assert!(size_of::<Chunk>() <= GRANULE);
const _: () = assert!(size_of::<Slot>() <= STEP);

/// The class that serves `size` bytes, 1 to [`SMALL_MAX`].
#[inline(always)]
pub(super) const fn class_of(size: usize) -> usize {
    size.wrapping_add(STEP - 1) / STEP
}

/// Slots that a chunk of `granules` has in class `class`.
const fn slots(granules: usize, class: usize) -> usize {
    match (granules.wrapping_sub(1) << SHIFT).checked_div(class.wrapping_mul(STEP)) {
        Some(n) => n,
        None => 0,
    }
}

/// The usual length in granules of a chunk of each class: the shortest of at least 384 bytes of
/// which slots take 14 parts in 15 or more.
const LENGTH: [u8; CLASSES + 1] = {
    let mut table = [0; CLASSES + 1];
    let mut class = 1;
    while class <= CLASSES {
        let mut n = 384 / GRANULE;
        while n * GRANULE * 14 > slots(n, class) * class * STEP * 15 {
            n += 1;
        }
        assert!(n << MOST_SCALE <= LONGEST && slots(n << MOST_SCALE, class) <= MOST_SLOTS);
        table[class] = n as u8;
        class += 1;
    }
    table
};

/// Bytes in one chunk of every class, at scale 0.
pub(super) const ONE_OF_EACH: usize = {
    let mut sum = 0;
    let mut class = 1;
    while class <= CLASSES {
        sum += LENGTH[class] as usize * GRANULE;
        class += 1;
    }
    sum
};

/// The largest [`scale`].
const MOST_SCALE: usize = 2;

/// How much longer chunks are in a heap with this limit (bytes), as a power of two: what one
/// started chunk of each class may take stays about a thirtieth of the limit or less.
#[inline]
pub(super) fn scale(limit: usize) -> usize {
    usize::from(limit >= 512 << 10) + usize::from(limit >= 2 << 20)
}

/// The usual length in granules of a chunk of `class`, at `scale`.
#[inline]
pub(super) fn length(class: usize, scale: usize) -> usize {
    (LENGTH[class.min(CLASSES)] as usize) << scale
}

/// The map bytes of the longest chunk; those of a shorter one are its end.
static MAP: [u8; LONGEST] = {
    let mut map = [0; LONGEST];
    let mut g = 0;
    while g < LONGEST {
        map[g] = (LONGEST - g) as u8;
        g += 1;
    }
    map
};

/// The least length in granules of a chunk of `class`: one slot.
pub(super) const fn least_length(class: usize) -> usize {
    class.wrapping_mul(STEP).div_ceil(GRANULE).wrapping_add(1)
}

impl Chunk {
    /// The header of the chunk that granule `granule` of the segment at `base` belongs to, if
    /// that is what `mark`, its map byte, says.
    #[inline(always)]
    pub(super) fn at(base: *mut u8, granule: usize, mark: u8) -> Option<*mut Chunk> {
        ((mark as i8) > 0).then(|| {
            let end = granule.wrapping_add(mark as usize) << SHIFT;
            base.wrapping_add(end.wrapping_sub(GRANULE)).cast()
        })
    }

    /// Makes the `granules` at `at` a chunk of `class` and returns its header, not yet in any
    /// list. With `taken` the first slot is in use and its bytes stay.
    ///
    /// # Safety
    ///
    /// The granules are a used run of the caller's, [`least_length`] or longer and at most 127,
    /// and of a length that gives no more than [`MOST_SLOTS`] slots.
    pub(super) unsafe fn make(at: Place, granules: usize, class: usize, taken: bool) -> *mut Chunk {
        let size = class.wrapping_mul(STEP);
        let start = at.addr();
        // From the last slot down to the first free one, so that they are taken upwards.
        let mut free: *mut Slot = ptr::null_mut();
        let all = slots(granules, class);
        let mut left = all.saturating_sub(usize::from(taken));
        let mut slot = start.wrapping_add(all.wrapping_mul(size));
        while left != 0 {
            left = left.wrapping_sub(1);
            slot = slot.wrapping_sub(size);
            // SAFETY: the slot is inside the caller's run and aligned to its size's factor 8.
            unsafe { slot.cast::<Slot>().write(Slot { next: free }) };
            free = slot.cast();
        }
        let chunk = start
            .wrapping_add(granules.wrapping_sub(1) << SHIFT)
            .cast::<Chunk>();
        // SAFETY: header and map bytes are of the caller's run, whose length is within the table.
        unsafe {
            ptr::copy_nonoverlapping(
                MAP.as_ptr().wrapping_add(LONGEST.wrapping_sub(granules)),
                at.map(0),
                granules,
            );
            chunk.write(Chunk {
                free,
                next: ptr::null_mut(),
                prev: ptr::null_mut(),
                used: u16::from(taken),
                size: size as u16,
                granules: granules as u8,
            });
        }
        chunk
    }

    /// Bytes in a slot of the chunk.
    ///
    /// # Safety
    ///
    /// `this` is a chunk.
    #[inline(always)]
    pub(super) unsafe fn size(this: *mut Chunk) -> usize {
        // SAFETY: as the caller promises.
        unsafe { (*this).size as usize }
    }

    /// The class of the chunk.
    ///
    /// # Safety
    ///
    /// `this` is a chunk.
    pub(super) unsafe fn class(this: *mut Chunk) -> usize {
        // SAFETY: as the caller promises.
        unsafe { Self::size(this) / STEP }
    }

    /// Takes a free slot; also tells whether it was the last.
    ///
    /// # Safety
    ///
    /// `this` is a chunk with a free slot.
    #[inline(always)]
    pub(super) unsafe fn pop(this: *mut Chunk) -> (*mut u8, bool) {
        // SAFETY: a free slot holds the link to the next (invariant).
        unsafe {
            let slot = (*this).free;
            let next = (*slot).next;
            (*this).free = next;
            (*this).used = (*this).used.wrapping_add(1);
            (slot.cast(), next.is_null())
        }
    }

    /// Puts back a slot; tells whether there was no free one before, and whether all are free.
    ///
    /// # Safety
    ///
    /// `slot` is a used slot of the chunk `this` that nobody uses any more.
    #[inline(always)]
    pub(super) unsafe fn push(this: *mut Chunk, slot: *mut u8) -> (bool, bool) {
        // SAFETY: the slot is the chunk's, at least 8 bytes long and aligned to 8.
        unsafe {
            let slot = slot.cast::<Slot>();
            let old = (*this).free;
            slot.write(Slot { next: old });
            (*this).free = slot;
            let used = (*this).used.wrapping_sub(1);
            (*this).used = used;
            (old.is_null(), used == 0)
        }
    }

    /// The place and length in granules of the run that the chunk is.
    ///
    /// # Safety
    ///
    /// `this` is a chunk in `seg`.
    pub(super) unsafe fn run(this: *mut Chunk, seg: Segment) -> (Place, usize) {
        // SAFETY: as the caller promises.
        let granules = unsafe { (*this).granules as usize };
        let header = (this as usize).wrapping_sub(seg.base.as_ptr() as usize) >> SHIFT;
        (
            Place {
                base: seg.base,
                first: header.wrapping_add(1).wrapping_sub(granules),
            },
            granules,
        )
    }

    /// Whether `slot` may be one of the chunk's slots: for debug assertions.
    ///
    /// # Safety
    ///
    /// `this` is a chunk.
    pub(super) unsafe fn may_hold(this: *mut Chunk, slot: *const u8) -> bool {
        // SAFETY: as the caller promises.
        unsafe {
            let len = ((*this).granules as usize - 1) << SHIFT;
            let start = (this as usize).wrapping_sub(len);
            let off = (slot as usize).wrapping_sub(start);
            off < len
                && off.checked_rem(Self::size(this)) == Some(0)
                && (*this).used > 0
                && (*this).free.cast_const().cast() != slot
        }
    }

    /// Compares the free list with the counts, for tests.
    ///
    /// # Safety
    ///
    /// `this` is a chunk.
    pub(super) unsafe fn check(this: *mut Chunk) -> Result<(), &'static str> {
        // SAFETY: as the caller promises; free slots link free slots.
        unsafe {
            let total = slots((*this).granules as usize, Self::class(this));
            let mut free = 0;
            let mut slot = (*this).free;
            while !slot.is_null() {
                free += 1;
                if free > total {
                    return Err("free list of a chunk is too long");
                }
                slot = (*slot).next;
            }
            if free + (*this).used as usize != total {
                return Err("free list and count of a chunk differ");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_waste_no_more_than_the_reserve_counts_on() {
        for class in 1..=CLASSES {
            for scale in 0..=MOST_SCALE {
                let len = length(class, scale);
                let payload = slots(len, class) * class * STEP;
                assert!(
                    payload * 15 >= len * GRANULE * 14,
                    "class {class} at scale {scale}"
                );
            }
            assert_eq!(slots(least_length(class) - 1, class), 0);
            assert!(slots(least_length(class), class) >= 1);
        }
        assert_eq!(
            ONE_OF_EACH,
            (1..=CLASSES).map(|c| length(c, 0) * GRANULE).sum()
        );
    }

    #[test]
    fn any_run_over_the_small_sizes_can_become_a_chunk() {
        let shortest = (SMALL_MAX + 1).div_ceil(GRANULE);
        assert!((1..=CLASSES).all(|class| least_length(class) <= shortest));
    }

    #[test]
    fn sizes_have_the_class_that_holds_them() {
        for size in 1..=SMALL_MAX {
            let class = class_of(size);
            assert!(class * STEP >= size && class * STEP < size + STEP);
        }
        assert_eq!((class_of(0), class_of(SMALL_MAX)), (0, CLASSES));
    }

    #[test]
    fn the_map_leads_to_the_header() {
        let base = 0x1000 as *mut u8;
        for granule in [3, 50] {
            for (at, &mark) in MAP.iter().enumerate() {
                let header = Chunk::at(base, granule + at, mark).unwrap() as usize;
                assert_eq!(header, 0x1000 + (granule + LONGEST - 1) * GRANULE);
            }
        }
        for mark in [
            super::super::runs::FREE,
            super::super::runs::HEAD,
            super::super::runs::TAIL,
        ] {
            assert!(Chunk::at(base, 3, mark).is_none());
        }
    }
}
