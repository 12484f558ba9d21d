// SPDX-License-Identifier: GPL-2.0-only

//! The heap of one Lua state: a bounded allocator over memory that was reserved beforehand.
//!
//! It is used only under the lock of its state, in process context or softirq: it takes no lock,
//! never sleeps, never calls the kernel's allocator, and every operation takes a bounded number
//! of steps (see [`Heap`]). Memory comes in *segments* that the owner adds while it may sleep.
//! What it leaves out: where segments come from, and when to add or take them.
//!
//! Two tiers. Blocks over [`SMALL_MAX`] bytes are runs of 32-byte granules without a header,
//! found through bins of free runs by length and merged with free neighbours at once (`runs.rs`).
//! Blocks up to [`SMALL_MAX`] are slots of a *chunk*, a run of about 512 bytes that serves one
//! size in steps of 8 (`chunk.rs`). A free tells the size, so it tells the tier; the chunk knows
//! the size it serves, so a block may lie in a chunk of a larger size when nothing else is left.
//!
//! What is charged against the limit is the slot or run that the block takes, and never the
//! overhead: one byte a granule, one header a chunk, and free memory that does not fit.

mod backing;
mod chunk;
mod large;
mod lua_alloc;
mod meter;
mod runs;
mod small;

pub use backing::{Backing, NoBacking};
pub use lua_alloc::{lunatik_lua_alloc, lunatik_lua_alloc_failing};
pub use meter::Busy;
pub use runs::MAX_SEGMENTS;

use chunk::{class_of, Chunk, CLASSES, STEP};
use core::mem::size_of;
use core::ptr::{self, NonNull};
use meter::Meter;
use runs::{Runs, Segment, Segments, GRANULE, SHIFT, SURE};

/// The largest block, in bytes, that is served by a size class.
pub const SMALL_MAX: usize = chunk::SMALL_MAX;
/// Alignment, in bytes, of every block. Those over [`SMALL_MAX`] have 16 or more.
pub const ALIGN: usize = STEP;
/// Blocks over this many bytes may come from the [`Backing`]; up to it the reserve of
/// [`Heap::reserve_shortfall`] holds good.
pub const BACKING_MIN: usize = 4096;
/// Alignment, in bytes, that a [`Backing`] has to give.
pub const BACKING_ALIGN: usize = 16;
/// The shortest segment that [`Heap::reserve_shortfall`] asks for, in bytes.
pub const SEGMENT_MIN: usize = 16 << 10;
/// Segments are asked for in multiples of this many bytes.
const PAGE: usize = 4096;

/// Why a region was not taken as a segment. It stays the owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Not aligned to a granule, shorter than a page, or longer than 64 GiB.
    Shape,
    /// The heap has [`MAX_SEGMENTS`] already.
    Full,
}

/// Figures about a heap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes charged now.
    pub used: usize,
    /// The most bytes ever charged at a time.
    pub peak: usize,
    /// The limit in bytes.
    pub limit: usize,
    /// Segments owned.
    pub segments: usize,
    /// Bytes in all segments.
    pub reserved: usize,
    /// Bytes in free runs, that is neither in blocks nor in chunks.
    pub free: usize,
    /// Bytes of blocks that lie in the backing.
    pub outside: usize,
    /// Requests that failed because of the limit.
    pub failed_limit: u64,
    /// Requests that failed although the limit allowed them.
    pub failed_room: u64,
    /// Frees of what was no block of the heap; each is ignored and its memory lost.
    pub bad_frees: u64,
}

/// The heap of one Lua state.
///
/// It may be moved, and dropping it frees nothing: whoever gave the segments takes them back, with
/// [`take_free_segment`](Self::take_free_segment) or by just ending all use.
///
/// # Worst cases
///
/// | operation | steps |
/// |---|---|
/// | `alloc`, up to 128 bytes | usually a pop; else find a run, make a chunk (at most 240 slots), give up 16 empty chunks, look at 16 larger classes |
/// | `alloc`, larger | look at no more than 16 runs of one bin; once more after giving up 16 empty chunks |
/// | `free` | usually a push; else unlink and merge with two neighbours; finding the segment takes at most 16 steps |
/// | `realloc` | one of each, and copying the block where it has to move |
/// | `add_segment`, `take_free_segment` | 16 |
///
/// None depends on how many blocks or free runs there are.
///
/// # Invariants
///
/// - `partial[c]` heads the list of all chunks of class `c` with a free slot; a chunk with no
///   used slot is in it only if it is alone.
/// - Every granule of the segments but the maps belongs to one free run, chunk or block.
/// - `meter` has the sum of the slots and runs of all blocks.
pub struct Heap<B: Backing = NoBacking> {
    meter: Meter,
    segs: Segments,
    partial: [*mut Chunk; CLASSES + 1],
    runs: Runs,
    reserved: usize,
    outside: usize,
    wanted: usize,
    injection: lua_alloc::Injection,
    failed_limit: u64,
    failed_room: u64,
    bad_frees: u64,
    backing: B,
}

const _: () = assert!(size_of::<Heap>() < 1024);

// SAFETY: the pointers lead only into memory that the heap alone owns, and go with it.
unsafe impl<B: Backing + Send> Send for Heap<B> {}

impl<B: Backing> Heap<B> {
    /// A heap without memory.
    ///
    /// `limit`: bytes that may be charged at a time. `backing`: where blocks over
    /// [`BACKING_MIN`] bytes may come from when the segments have no room.
    pub const fn new(limit: usize, backing: B) -> Self {
        Heap {
            meter: Meter::new(limit),
            segs: Segments::new(),
            partial: [ptr::null_mut(); CLASSES + 1],
            runs: Runs::new(),
            reserved: 0,
            outside: 0,
            wanted: 0,
            injection: lua_alloc::Injection::NONE,
            failed_limit: 0,
            failed_room: 0,
            bad_frees: 0,
            backing,
        }
    }

    /// Whether every block comes from the backing.
    #[inline(always)]
    pub fn each_block(&self) -> bool {
        self.backing.each_block()
    }

    // ---- segments -------------------------------------------------------------------------

    /// Gives the heap a region to allocate from. Constant time.
    ///
    /// `ptr` has to be aligned to 32 bytes (a page, usually), `len` is in bytes, a page or more;
    /// what exceeds a multiple of 32 is left alone.
    ///
    /// # Errors
    ///
    /// See [`Refused`]; the region then stays with the caller.
    ///
    /// # Safety
    ///
    /// The region is valid for reads and writes and nobody else uses it until
    /// [`take_free_segment`](Self::take_free_segment) returns it, or the heap and all its blocks
    /// are no longer used.
    pub unsafe fn add_segment(&mut self, ptr: NonNull<u8>, len: usize) -> Result<(), Refused> {
        if ptr.as_ptr() as usize & (GRANULE - 1) != 0 || len < PAGE || len >> SHIFT >= 1 << 31 {
            return Err(Refused::Shape);
        }
        let seg = Segment { base: ptr, len };
        if !self.segs.push(seg) {
            return Err(Refused::Full);
        }
        self.reserved = self.reserved.wrapping_add(len);
        // SAFETY: the region is the heap's now, aligned, and a page is longer than its map.
        unsafe { self.runs.adopt(seg) };
        if self.largest_free() >= self.wanted {
            self.wanted = 0;
        }
        Ok(())
    }

    /// Takes back a segment with no block in it, as it was added. At most 16 steps a segment.
    pub fn take_free_segment(&mut self) -> Option<(NonNull<u8>, usize)> {
        self.give_up_empty_chunks();
        let seg = self.segs.iter().find(|&s| self.runs.is_whole(s))?;
        self.take(seg)
    }

    /// Takes back a segment with no block in it, if
    /// [`reserve_shortfall_with`](Self::reserve_shortfall_with)`(slack)` stays 0 without it.
    pub fn take_surplus_segment(&mut self, slack: usize) -> Option<(NonNull<u8>, usize)> {
        // The only one is never without a block while there is a Lua state.
        if self.segs.count() < 2 && self.used() > 0 {
            return None;
        }
        self.give_up_empty_chunks();
        let spare = self.runs.usable().checked_sub(self.needed(slack))?;
        let seg = self
            .segs
            .iter()
            .find(|&s| self.runs.is_whole(s) && Runs::share(s) <= spare)?;
        self.take(seg)
    }

    /// True when no block lies in the backing: then the segments hold all there is.
    pub fn is_whole_in_segments(&self) -> bool {
        self.outside == 0 && !self.each_block()
    }

    /// Takes back a segment with whatever is in it; when none is left, the heap is as a new one with its limit.
    ///
    /// # Safety
    ///
    /// No block of the heap is used any more, and none is freed; between the first call and the one that gives `None`
    /// there is no other.
    pub unsafe fn take_any_segment(&mut self) -> Option<(NonNull<u8>, usize)> {
        let first = self.segs.iter().next();
        match first {
            Some(seg) => {
                self.segs.remove(seg.base);
                Some((seg.base, seg.len))
            }
            None => {
                self.runs = Runs::new();
                self.partial = [ptr::null_mut(); CLASSES + 1];
                self.reserved = 0;
                let used = self.meter.used();
                self.meter.credit(used);
                None
            }
        }
    }

    fn take(&mut self, seg: Segment) -> Option<(NonNull<u8>, usize)> {
        // SAFETY: the caller found it whole, and nothing was taken since.
        unsafe { self.runs.disown(seg) };
        self.segs.remove(seg.base);
        self.reserved = self.reserved.wrapping_sub(seg.len);
        Some((seg.base, seg.len))
    }

    /// Granules that blocks may take at worst until the limit is reached and `slack` bytes were
    /// freed: see [`reserve_shortfall_with`](Self::reserve_shortfall_with).
    fn needed(&self, slack: usize) -> usize {
        let rest = self.meter.limit().saturating_sub(self.meter.used());
        let rest = rest.saturating_add(slack);
        let bytes = rest
            .saturating_add(rest / 14)
            .saturating_add((chunk::ONE_OF_EACH << chunk::scale(self.limit())) + GRANULE);
        bytes >> SHIFT
    }

    /// Length in bytes of the segment that should be added now, if nothing is freed before the
    /// next look: [`reserve_shortfall_with`](Self::reserve_shortfall_with)`(0)`.
    pub fn reserve_shortfall(&self) -> usize {
        self.reserve_shortfall_with(0)
    }

    /// Length in bytes of the segment that should be added now; 0 if the reserve suffices.
    ///
    /// If it is 0, no request of up to [`BACKING_MIN`] bytes fails for lack of room below the
    /// limit until blocks charged more than `slack` bytes have been freed (one that moves counts),
    /// whatever the sizes and their order. For of each free run, all but the last 4064 bytes can be given to such
    /// requests; of chunks, at least 14 parts in 15 are slots; when a chunk is made, all others of
    /// its class are full; and what is freed leaves a hole no longer than itself. Without a bound
    /// on what is freed, no allocator that does not move blocks can promise that with less than
    /// several times the limit (J. M. Robson, Bounds for some functions concerning dynamic storage
    /// allocation, 1974). So call it whenever sleeping is possible.
    ///
    /// A new segment is at least 16 KiB and an eighth of what there is, so that
    /// [`MAX_SEGMENTS`] lasts.
    pub fn reserve_shortfall_with(&self, slack: usize) -> usize {
        let lack = self.needed(slack).saturating_sub(self.runs.usable());
        if lack == 0 {
            return 0;
        }
        segment_for(lack.saturating_mul(GRANULE))
            .max(SEGMENT_MIN)
            .max(round_up(self.reserved / 8, PAGE))
    }

    /// Bytes of the longest block that can surely be had without the backing, limit aside.
    pub fn largest_free(&self) -> usize {
        self.runs.longest() << SHIFT
    }

    /// Bytes of the largest request that failed for lack of room since the last segment that
    /// would have held it was added; 0 if none. [`segment_for`] tells how long a segment it wants.
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    // ---- the account ----------------------------------------------------------------------

    /// Bytes charged now: 0 exactly when every block was freed.
    pub fn used(&self) -> usize {
        self.meter.used()
    }

    /// The most bytes ever charged at a time.
    pub fn peak(&self) -> usize {
        self.meter.peak()
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.meter.limit()
    }

    /// How many requests failed because of the limit.
    pub fn refusals(&self) -> u64 {
        self.failed_limit
    }

    /// Changes the limit.
    ///
    /// # Errors
    ///
    /// [`Busy`] if more than `limit` bytes are in use; the limit then stays as it was.
    pub fn set_limit(&mut self, limit: usize) -> Result<(), Busy> {
        self.meter.set_limit(limit)
    }

    /// All figures.
    pub fn stats(&self) -> Stats {
        Stats {
            used: self.used(),
            peak: self.peak(),
            limit: self.limit(),
            segments: self.segs.count(),
            reserved: self.reserved,
            free: self.runs.free() << SHIFT,
            outside: self.outside,
            failed_limit: self.failed_limit,
            failed_room: self.failed_room,
            bad_frees: self.bad_frees,
        }
    }

    /// The backing.
    pub fn backing(&mut self) -> &mut B {
        &mut self.backing
    }

    // ---- blocks ---------------------------------------------------------------------------

    /// Returns a block of `size` bytes (1 or more), aligned to [`ALIGN`], or `None` if the limit
    /// or the room does not allow it. The bytes are not initialised.
    #[inline]
    pub fn alloc(&mut self, size: usize) -> Option<NonNull<u8>> {
        if self.each_block() {
            return self.alloc_outside(size);
        }
        if size > SMALL_MAX {
            return self.alloc_run(size);
        }
        let class = class_of(size);
        let chunk = self.partial[class];
        if chunk.is_null() || !self.meter.charge_below_mark(class * STEP) {
            return self.alloc_slot_slow(class);
        }
        // SAFETY: a chunk in the list of a class has a free slot (invariant).
        unsafe { self.pop(class, chunk) }
    }

    /// Frees a block.
    ///
    /// # Safety
    ///
    /// `ptr` is a block of this heap, `size` is the size it was last given, and nobody uses it
    /// any more.
    #[inline]
    pub unsafe fn free(&mut self, ptr: NonNull<u8>, size: usize) {
        // SAFETY: as the caller promises.
        unsafe { self.free_to_null(ptr, size) };
    }

    /// Frees a block and returns null.
    ///
    /// # Safety
    ///
    /// As [`free`](Self::free).
    #[inline(always)]
    unsafe fn free_to_null(&mut self, ptr: NonNull<u8>, size: usize) -> *mut u8 {
        let seg = self.segs.hot;
        if !self.each_block() && size <= SMALL_MAX {
            if let Some(off) = seg.offset(ptr.as_ptr()) {
                let granule = off >> SHIFT;
                // SAFETY: the map has a byte for each granule of the segment.
                let mark = unsafe { *seg.base.as_ptr().wrapping_add(granule) };
                if let Some(chunk) = Chunk::at(seg.base.as_ptr(), granule, mark) {
                    // SAFETY: the map says that the block lies in that chunk.
                    return unsafe { self.push(chunk, ptr, size) };
                }
            }
        }
        // SAFETY: as the caller promises.
        unsafe { self.free_slow(ptr, size) }
    }

    /// Changes the size of a block to `new` bytes (1 or more), keeping the bytes that both sizes
    /// have; the block may move. `None` if it has to grow and the limit or the room does not
    /// allow it; it is then as it was.
    ///
    /// A block that shrinks or keeps its size is always returned. Only the difference is charged,
    /// also while a moving block exists twice.
    ///
    /// # Safety
    ///
    /// `ptr` is a block of this heap, `old` is the size it was last given; if the result is not
    /// `None`, `ptr` is no longer used.
    #[inline]
    pub unsafe fn realloc(
        &mut self,
        ptr: NonNull<u8>,
        old: usize,
        new: usize,
    ) -> Option<NonNull<u8>> {
        if !self.each_block() && old <= SMALL_MAX && new <= SMALL_MAX && class_of(old) == class_of(new)
        {
            return Some(ptr);
        }
        // SAFETY: as the caller promises.
        unsafe { self.realloc_slow(ptr, old, new) }
    }

    // ---- failures -------------------------------------------------------------------------

    #[cold]
    fn fail_limit(&mut self) -> Option<NonNull<u8>> {
        self.failed_limit = self.failed_limit.wrapping_add(1);
        None
    }

    #[cold]
    fn fail_room(&mut self, size: usize) -> Option<NonNull<u8>> {
        self.failed_room = self.failed_room.wrapping_add(1);
        self.wanted = self.wanted.max(size);
        None
    }

    #[cold]
    fn bad_free(&mut self) -> *mut u8 {
        debug_assert!(false, "free of what is no block");
        self.bad_frees = self.bad_frees.wrapping_add(1);
        ptr::null_mut()
    }

    /// Compares all that the heap knows with itself. Its time is not bounded: for tests.
    ///
    /// # Errors
    ///
    /// The first thing found wrong, in words.
    pub fn check(&self) -> Result<(), &'static str> {
        self.runs.check(&self.segs)?;
        for (class, &head) in self.partial.iter().enumerate() {
            let (mut prev, mut chunk) = (ptr::null_mut(), head);
            while !chunk.is_null() {
                // SAFETY: lists link chunks (invariant).
                unsafe {
                    if Chunk::class(chunk) != class || (*chunk).prev != prev {
                        return Err("chunk badly linked");
                    }
                    if (*chunk).free.is_null() {
                        return Err("full chunk in a list");
                    }
                    if (*chunk).used == 0 && !((*chunk).next.is_null() && prev.is_null()) {
                        return Err("empty chunk is not alone");
                    }
                    Chunk::check(chunk)?;
                    prev = chunk;
                    chunk = (*chunk).next;
                }
            }
        }
        Ok(())
    }
}

/// Granules that a block of `size` bytes takes; `None` if no heap could have so many.
#[inline(always)]
fn granules(size: usize) -> Option<usize> {
    (size <= isize::MAX as usize).then(|| size.div_ceil(GRANULE))
}

/// What a block of `size` bytes is charged, where it has all it wants.
fn charge_of(size: usize) -> Option<usize> {
    if size <= SMALL_MAX {
        return Some(class_of(size) * STEP);
    }
    granules(size).map(|n| n << SHIFT)
}

const fn round_up(n: usize, to: usize) -> usize {
    // `to` is a power of two.
    n.saturating_add(to.wrapping_sub(1)) & !to.wrapping_sub(1)
}

/// Length in bytes, in whole pages, of a segment that surely holds one block of `size` bytes, or
/// blocks of up to [`BACKING_MIN`] bytes that are charged `size` together.
pub const fn segment_for(size: usize) -> usize {
    // One byte of map for each granule of 32, and less than one block left over.
    let payload = size.saturating_add(SURE * GRANULE);
    round_up(
        payload
            .saturating_add(payload / (GRANULE - 1))
            .saturating_add(2 * GRANULE),
        PAGE,
    )
}
