// SPDX-License-Identifier: GPL-2.0-only

//! Segments and the runs of granules in them: the lower tier of the heap.
//!
//! Used only under the lock of the state that the heap serves, in any context; nothing here
//! sleeps, and every operation but [`Segments::locate`] (at most [`MAX_SEGMENTS`] steps) and
//! [`Runs::find`] (at most [`PROBES`] steps) takes constant time. What it leaves out: limits and
//! charges (`mod.rs`) and the small blocks that share a run (`chunk.rs`).
//!
//! A segment is cut into granules of [`GRANULE`] bytes. Its first granules hold the *map*, one
//! byte for each granule; the rest are runs. A used run has no header: its owner knows its
//! length. A free run describes itself in its own first and last bytes ([`Run`]), and is linked
//! into the bin of its length.
//!
//! Arithmetic on granule numbers wraps: the invariants bound them, and a check would be a way to
//! panic in the middle of somebody's interrupt.
//!
//! # Invariants
//!
//! - The map bytes of the first and last granule of every run are right: both [`FREE`] for a
//!   free run; [`HEAD`] and then [`TAIL`] for a used one ([`HEAD`] alone if it is one granule
//!   long). Of a chunk, all bytes are right: the distance in granules to the chunk's end. Bytes
//!   in the middle of other runs are stale and never read.
//! - No two free runs touch.
//! - `bitmap` has the bit of a bin set exactly when the bin is not empty; `free` and `usable`
//!   are the sums over all free runs.

use core::mem::size_of;
use core::ptr::{self, NonNull};

/// log2 of [`GRANULE`].
pub(super) const SHIFT: usize = 5;
/// Bytes in a granule, the unit of the lower tier.
pub(super) const GRANULE: usize = 1 << SHIFT;
/// The most segments a heap can own at a time.
pub const MAX_SEGMENTS: usize = 16;
/// The longest block, in granules, that `usable` speaks of: 4 KiB.
pub(super) const SURE: usize = super::BACKING_MIN >> SHIFT;
/// How many runs of a bin are looked at before a longer bin is taken.
const PROBES: usize = 16;

/// Map byte of the first and last granule of a free run.
pub(super) const FREE: u8 = 0;
/// Map byte of the first granule of a used run. Chunks have 1..=127.
pub(super) const HEAD: u8 = 0xff;
/// Map byte of the last granule of a used run of two granules or more.
pub(super) const TAIL: u8 = 0xfe;

/// Runs up to this length have a bin for each length.
const EXACT: usize = 16;
/// Number of bins: one for each length below [`EXACT`], then four for each doubling.
const BINS: usize = 64;

/// What a free run holds in its first bytes; its last four repeat `len`.
struct Run {
    next: *mut Run,
    prev: *mut Run,
    /// The segment it lies in.
    base: NonNull<u8>,
    /// Length in granules.
    len: u32,
}

const _: () =
    assert!(size_of::<Run>() <= GRANULE && size_of::<Run>() - size_of::<u32>() + 4 <= GRANULE);
const _: () = assert!(
    3 * 8 + 4 + 4 <= GRANULE,
    "head and tail of a one-granule run overlap"
);

/// A region that the owner gave.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    pub(super) base: NonNull<u8>,
    /// Bytes.
    pub(super) len: usize,
}

impl Segment {
    const NONE: Segment = Segment {
        base: NonNull::dangling(),
        len: 0,
    };

    /// Whole granules in the segment.
    fn granules(self) -> usize {
        self.len >> SHIFT
    }

    /// Granules that the map takes, which is also the number of the first run.
    pub(super) const fn map_granules(len: usize) -> usize {
        (len >> SHIFT).wrapping_add(GRANULE - 1) >> SHIFT
    }

    /// Granules that runs may use.
    fn payload(self) -> usize {
        self.granules().wrapping_sub(Self::map_granules(self.len))
    }

    /// Byte offset of `addr` in the segment, if it lies there.
    #[inline(always)]
    pub(super) fn offset(self, addr: *const u8) -> Option<usize> {
        let off = (addr as usize).wrapping_sub(self.base.as_ptr() as usize);
        (off < self.len).then_some(off)
    }
}

/// The segments of a heap. `hot` is a copy of the one used last (or empty).
pub(super) struct Segments {
    pub(super) hot: Segment,
    list: [Segment; MAX_SEGMENTS],
    count: usize,
}

impl Segments {
    pub(super) const fn new() -> Self {
        Segments {
            hot: Segment::NONE,
            list: [Segment::NONE; MAX_SEGMENTS],
            count: 0,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Segment> + '_ {
        self.list.iter().take(self.count).copied()
    }

    /// The segment that holds `addr`, which becomes the hot one. At most [`MAX_SEGMENTS`] steps.
    #[inline(always)]
    pub(super) fn locate(&mut self, addr: *const u8) -> Option<Segment> {
        if self.hot.offset(addr).is_some() {
            return Some(self.hot);
        }
        self.search(addr)
    }

    #[inline(never)]
    fn search(&mut self, addr: *const u8) -> Option<Segment> {
        let found = self.iter().find(|s| s.offset(addr).is_some())?;
        self.hot = found;
        Some(found)
    }

    /// Enters a segment; false if the table is full.
    pub(super) fn push(&mut self, seg: Segment) -> bool {
        match self.list.get_mut(self.count) {
            Some(slot) => {
                *slot = seg;
                self.count = self.count.wrapping_add(1);
                self.hot = seg;
                true
            }
            None => false,
        }
    }

    /// Forgets the segment at `base`.
    pub(super) fn remove(&mut self, base: NonNull<u8>) {
        let last = self.count.saturating_sub(1);
        let moved = self.list.get(last).copied().unwrap_or(Segment::NONE);
        if let Some(slot) = self.list.iter_mut().find(|s| s.base == base) {
            *slot = moved;
            self.count = last;
            if let Some(slot) = self.list.get_mut(last) {
                *slot = Segment::NONE;
            }
        }
        self.hot = self.list[0];
    }
}

/// Where a run begins: its segment and the number of its first granule.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) base: NonNull<u8>,
    pub(super) first: usize,
}

impl Place {
    /// The address of the first granule.
    #[inline(always)]
    pub(super) fn addr(self) -> *mut u8 {
        // A run lies inside its segment, so the offset cannot leave it.
        self.base.as_ptr().wrapping_add(self.first << SHIFT)
    }

    /// The last word of the `len` granules here, where a free run repeats its length.
    #[inline(always)]
    fn last_word(self, len: usize) -> *mut u32 {
        self.addr()
            .wrapping_add(len << SHIFT)
            .wrapping_sub(size_of::<u32>())
            .cast()
    }

    /// The place `granules` further on.
    #[inline(always)]
    fn after(self, granules: usize) -> Place {
        Place {
            base: self.base,
            first: self.first.wrapping_add(granules),
        }
    }

    /// The map byte of granule `first + at`.
    #[inline(always)]
    pub(super) fn map(self, at: usize) -> *mut u8 {
        self.base.as_ptr().wrapping_add(self.first.wrapping_add(at))
    }
}

/// The free runs of all segments.
pub(super) struct Runs {
    bitmap: u64,
    bins: [*mut Run; BINS],
    /// Granules in free runs.
    free: usize,
    /// Granules that blocks of up to [`SURE`] granules can surely have: of a run of `n`, all but
    /// what may be left at its end, which is less than one such block.
    usable: usize,
}

/// What a run of `len` granules adds to `usable`.
const fn surely(len: usize) -> usize {
    len.saturating_sub(SURE - 1)
}

/// The bin that a free run of `len` granules (1 or more) belongs in.
#[inline(always)]
fn bin_of(len: usize) -> usize {
    if len < EXACT {
        return len;
    }
    // The three highest bits: which doubling, and which quarter of it.
    let log = (len | EXACT).ilog2() as usize;
    let quarter = (len >> log.wrapping_sub(2)) & 3;
    let bin = (log.wrapping_sub(4) << 2).wrapping_add(EXACT + quarter);
    bin.min(BINS - 1)
}

impl Runs {
    pub(super) const fn new() -> Self {
        Runs {
            bitmap: 0,
            bins: [ptr::null_mut(); BINS],
            free: 0,
            usable: 0,
        }
    }

    /// Granules in free runs.
    pub(super) fn free(&self) -> usize {
        self.free
    }

    /// Granules that blocks of up to 4 KiB can surely have.
    pub(super) fn usable(&self) -> usize {
        self.usable
    }

    /// Length in granules of a run that a request for it would surely get: the head of the
    /// highest bin.
    pub(super) fn longest(&self) -> usize {
        if self.bitmap == 0 {
            return 0;
        }
        let head = self.bins[(self.bitmap.ilog2() as usize).min(BINS - 1)];
        // SAFETY: the bit is set, so the bin holds a free run (invariant).
        unsafe { (*head).len as usize }
    }

    /// Writes head, tail and map edges of a free run and links it.
    ///
    /// # Safety
    ///
    /// The `len` granules at `at` belong to nobody, and no free run touches them.
    unsafe fn insert(&mut self, at: Place, len: usize) {
        let run = at.addr().cast::<Run>();
        let bin = bin_of(len);
        let next = self.bins[bin];
        // SAFETY: the granules belong to nobody and are inside the segment, so head, tail and
        // map bytes may be written; `next` is a free run or null (invariant).
        unsafe {
            run.write(Run {
                next,
                prev: ptr::null_mut(),
                base: at.base,
                len: len as u32,
            });
            at.last_word(len).write(len as u32);
            if !next.is_null() {
                (*next).prev = run;
            }
            *at.map(0) = FREE;
            *at.map(len.wrapping_sub(1)) = FREE;
        }
        self.bins[bin] = run;
        self.bitmap |= 1 << bin;
        self.free = self.free.wrapping_add(len);
        self.usable = self.usable.wrapping_add(surely(len));
    }

    /// Unlinks a free run and returns its length. Head, tail and map bytes stay as they are.
    ///
    /// # Safety
    ///
    /// `run` is a free run of these.
    unsafe fn unlink(&mut self, run: *mut Run) -> usize {
        // SAFETY: it is a linked free run, and so are its neighbours in the list.
        unsafe {
            let Run {
                next, prev, len, ..
            } = run.read();
            let len = len as usize;
            if !next.is_null() {
                (*next).prev = prev;
            }
            if prev.is_null() {
                let bin = bin_of(len);
                self.bins[bin] = next;
                if next.is_null() {
                    self.bitmap &= !(1 << bin);
                }
            } else {
                (*prev).next = next;
            }
            self.free = self.free.wrapping_sub(len);
            self.usable = self.usable.wrapping_sub(surely(len));
            len
        }
    }

    /// A free run of at least `len` granules, or null. Looks at no more than [`PROBES`] runs of
    /// the bin of `len`, then takes the head of the next bin that is not empty.
    fn find(&self, len: usize) -> *mut Run {
        let bin = bin_of(len);
        let mut above = self.bitmap & (!0u64 << bin);
        if len >= EXACT && above & (1 << bin) != 0 {
            let mut run = self.bins[bin];
            for _ in 0..PROBES {
                if run.is_null() {
                    break;
                }
                // SAFETY: what a bin links is a free run (invariant).
                unsafe {
                    if (*run).len as usize >= len {
                        return run;
                    }
                    run = (*run).next;
                }
            }
            above &= !(1 << bin);
        }
        if above == 0 {
            return ptr::null_mut();
        }
        self.bins[(above.trailing_zeros() as usize).min(BINS - 1)]
    }

    /// Takes `len` granules (1 or more) out of a free run and marks them used.
    pub(super) fn take(&mut self, len: usize) -> Option<Place> {
        let run = self.find(len);
        if run.is_null() {
            return None;
        }
        // SAFETY: `run` is a free run of at least `len` granules; what is left of it borders on
        // a used run and on whatever bordered on it before, which is not free (invariant).
        unsafe {
            let base = (*run).base;
            let first = (run as usize).wrapping_sub(base.as_ptr() as usize) >> SHIFT;
            let at = Place { base, first };
            let had = self.unlink(run);
            if had > len {
                self.insert(at.after(len), had.wrapping_sub(len));
            }
            mark_used(at, len);
            Some(at)
        }
    }

    /// Gives back a used run, merging it with free neighbours.
    ///
    /// # Safety
    ///
    /// The `len` granules at `at` are a used run, or the end of one whose rest the caller has
    /// marked, in `seg`, and nobody uses them any more.
    pub(super) unsafe fn give(&mut self, seg: Segment, at: Place, len: usize) {
        let mut at = at;
        let mut len = len;
        // SAFETY: the bytes of the map on both sides of a run are edges of the runs there, or
        // of the map itself (`first` is at least 1); a free edge is that of a free run, whose
        // head or tail tells the other end.
        unsafe {
            if at.after(len).first < seg.granules() && *at.map(len) == FREE {
                len = len.wrapping_add(self.unlink(at.after(len).addr().cast()));
            }
            if *at.map(usize::MAX) == FREE {
                let before = at.last_word(0).read() as usize;
                at.first = at.first.wrapping_sub(before);
                len = len.wrapping_add(self.unlink(at.addr().cast()));
            }
            self.insert(at, len);
        }
    }

    /// Cuts a used run to its first `new` granules (1 or more, fewer than `old`).
    ///
    /// # Safety
    ///
    /// The `old` granules at `at` are a used run in `seg`, and nobody uses those after `new`.
    pub(super) unsafe fn trim(&mut self, seg: Segment, at: Place, old: usize, new: usize) {
        // SAFETY: as the caller promises; the first part stays used and gets its edges.
        unsafe {
            mark_used(at, new);
            self.give(seg, at.after(new), old.wrapping_sub(new));
        }
    }

    /// Lengthens a used run in place if the run after it is free and long enough.
    ///
    /// # Safety
    ///
    /// The `old` granules at `at` are a used run in `seg`; `new` is more than `old`.
    pub(super) unsafe fn extend(
        &mut self,
        seg: Segment,
        at: Place,
        old: usize,
        new: usize,
    ) -> bool {
        let more = new.wrapping_sub(old);
        if at.after(old).first >= seg.granules() {
            return false;
        }
        // SAFETY: the byte after a run is the edge of the next one; a free edge is that of a
        // free run, which is ours to cut.
        unsafe {
            if *at.map(old) != FREE {
                return false;
            }
            let run = at.after(old).addr().cast::<Run>();
            if ((*run).len as usize) < more {
                return false;
            }
            let had = self.unlink(run);
            if had > more {
                self.insert(at.after(new), had.wrapping_sub(more));
            }
            mark_used(at, new);
        }
        true
    }

    /// Makes all of a new segment but its map one free run.
    ///
    /// # Safety
    ///
    /// The region is valid for reads and writes, belongs to the heap alone, is aligned to
    /// [`GRANULE`] and has room for more than its map.
    pub(super) unsafe fn adopt(&mut self, seg: Segment) {
        let first = Segment::map_granules(seg.len);
        // SAFETY: the region is ours. The map's last granule counts as used, so that the first
        // run never merges with the map.
        unsafe {
            *seg.base.as_ptr().wrapping_add(first.wrapping_sub(1)) = TAIL;
            self.insert(
                Place {
                    base: seg.base,
                    first,
                },
                seg.payload(),
            );
        }
    }

    /// Whether all of `seg` is one free run.
    pub(super) fn is_whole(&self, seg: Segment) -> bool {
        let at = Place {
            base: seg.base,
            first: Segment::map_granules(seg.len),
        };
        // SAFETY: the first run of a segment has its edge there; a free edge is that of a free
        // run.
        unsafe { *at.map(0) == FREE && (*at.addr().cast::<Run>()).len as usize == seg.payload() }
    }

    /// Unlinks the one free run of a segment.
    ///
    /// # Safety
    ///
    /// [`is_whole`](Self::is_whole) holds for `seg`.
    pub(super) unsafe fn disown(&mut self, seg: Segment) {
        let at = Place {
            base: seg.base,
            first: Segment::map_granules(seg.len),
        };
        // SAFETY: the first run is free.
        unsafe {
            self.unlink(at.addr().cast());
        }
    }

    /// What `usable` loses when a whole segment goes, in granules.
    pub(super) fn share(seg: Segment) -> usize {
        surely(seg.payload())
    }

    /// Walks all bins and compares them with the map and the sums. Takes as long as there are
    /// free runs: for tests.
    pub(super) fn check(&self, segs: &Segments) -> Result<(), &'static str> {
        let (mut free, mut usable) = (0, 0);
        for (bin, &head) in self.bins.iter().enumerate() {
            if ((self.bitmap >> bin) & 1 == 1) == head.is_null() {
                return Err("bitmap and bins differ");
            }
            let mut prev = ptr::null_mut();
            let mut run = head;
            while !run.is_null() {
                let Some(seg) = segs.iter().find(|s| s.offset(run.cast()).is_some()) else {
                    return Err("free run outside the segments");
                };
                // SAFETY: a linked run in a segment (just checked).
                unsafe {
                    let Run {
                        next,
                        prev: back,
                        base,
                        len,
                    } = run.read();
                    let len = len as usize;
                    let first = ((run as usize) - (base.as_ptr() as usize)) >> SHIFT;
                    let at = Place { base, first };
                    if base != seg.base || back != prev || bin_of(len) != bin {
                        return Err("free run badly linked");
                    }
                    if len == 0
                        || first + len > seg.granules()
                        || first < Segment::map_granules(seg.len)
                    {
                        return Err("free run out of bounds");
                    }
                    if at.last_word(len).read() as usize != len {
                        return Err("head and tail of a free run differ");
                    }
                    if *at.map(0) != FREE || *at.map(len - 1) != FREE {
                        return Err("free run not marked");
                    }
                    if *at.map(usize::MAX) == FREE
                        || (first + len < seg.granules() && *at.map(len) == FREE)
                    {
                        return Err("free runs touch");
                    }
                    free += len;
                    usable += surely(len);
                    prev = run;
                    run = next;
                }
            }
        }
        if free != self.free || usable != self.usable {
            return Err("sums of the free runs are wrong");
        }
        Ok(())
    }
}

/// Writes the map edges of a used run.
///
/// # Safety
///
/// The `len` granules at `at` belong to the caller.
#[inline(always)]
unsafe fn mark_used(at: Place, len: usize) {
    // SAFETY: the map bytes of the caller's granules; the first is written last so that a run of
    // one granule is a HEAD.
    unsafe {
        *at.map(len.wrapping_sub(1)) = TAIL;
        *at.map(0) = HEAD;
    }
}

/// The pointer's place in `seg`, for a pointer to the start of a run.
#[inline(always)]
pub(super) fn place(seg: Segment, ptr: NonNull<u8>) -> Place {
    let off = (ptr.as_ptr() as usize).wrapping_sub(seg.base.as_ptr() as usize);
    Place {
        base: seg.base,
        first: off >> SHIFT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_of_a_higher_bin_is_long_enough() {
        let lengths = || (1..5000).chain((5000..3_000_000).step_by(997));
        let mut last = 0;
        for len in lengths() {
            let bin = bin_of(len);
            assert!(bin >= last && bin < BINS, "{len} granules");
            last = bin;
        }
        assert_eq!(last, BINS - 1, "the last bin is in use");
        // A bin begins at 4 KiB: a run of that length serves each request up to it.
        assert!(bin_of(SURE - 1) < bin_of(SURE));
        assert!((1..EXACT).all(|len| bin_of(len) == len));
    }

    #[test]
    fn the_map_is_outside_the_runs() {
        for len in [4096, 4128, 16 << 10, 1 << 20, 64 << 20] {
            let map = Segment::map_granules(len);
            assert!(map << SHIFT >= len >> SHIFT, "a byte for each granule");
            assert!((map - 1) << SHIFT < len >> SHIFT, "and no granule too many");
        }
    }

    #[test]
    fn a_pointer_is_found_in_its_segment_or_none() {
        let mut segs = Segments::new();
        let at = |n: usize| NonNull::new((n << 20) as *mut u8).unwrap();
        let near = |n, off: isize| at(n).as_ptr().wrapping_offset(off).cast_const();
        assert!(segs.locate(near(1, 0)).is_none());
        for n in 1..=MAX_SEGMENTS {
            assert!(segs.push(Segment {
                base: at(n),
                len: 4096
            }));
        }
        assert!(!segs.push(Segment {
            base: at(99),
            len: 4096
        }));
        for n in (1..=MAX_SEGMENTS).chain([3, 3, 7]) {
            assert_eq!(segs.locate(near(n, 4095)).unwrap().base, at(n));
            assert!(segs.locate(near(n, 4096)).is_none());
            assert!(segs.locate(near(n, -1)).is_none());
        }
        segs.remove(at(7));
        segs.remove(at(7));
        assert!(segs.locate(near(7, 0)).is_none());
        assert_eq!(segs.count(), MAX_SEGMENTS - 1);
        assert!((1..=MAX_SEGMENTS)
            .filter(|&n| n != 7)
            .all(|n| segs.locate(near(n, 0)).is_some()));
    }
}
