// SPDX-License-Identifier: GPL-2.0-only

//! Blocks over [`SMALL_MAX`] bytes, blocks that lie in the backing, and changes of size.
//!
//! Used only under the lock of the state that the heap serves, in any context; nothing sleeps.
//! What it leaves out: how runs are found and merged (`runs.rs`).

use super::chunk::{self, class_of, Chunk, CLASSES, STEP};
use super::runs::{self, place, Place, Segment, SHIFT};
use super::{charge_of, granules, Backing, Heap, BACKING_ALIGN, BACKING_MIN, SMALL_MAX};
use core::mem::size_of;
use core::ptr::{self, NonNull};

/// What precedes a block in the backing.
#[repr(align(16))]
struct Outside {
    /// Bytes asked of the backing, without this header.
    size: usize,
    /// The complement of `size`.
    check: usize,
}

const OUTSIDE: usize = size_of::<Outside>();
const _: () = assert!(OUTSIDE == BACKING_ALIGN);

impl<B: Backing> Heap<B> {
    /// A block that is a run, or lies in the backing.
    #[inline(never)]
    pub(super) fn alloc_run(&mut self, size: usize) -> Option<NonNull<u8>> {
        if let Some(granules) = granules(size) {
            if self.meter.charge_below_mark(granules << SHIFT) {
                if let Some(at) = self.runs.take(granules) {
                    return NonNull::new(at.addr());
                }
                self.meter.credit(granules << SHIFT);
            }
        }
        self.alloc_run_slow(size)
    }

    /// The same where the account makes a new peak, or the room is scarce.
    #[inline(never)]
    fn alloc_run_slow(&mut self, size: usize) -> Option<NonNull<u8>> {
        let Some(granules) = granules(size) else {
            return self.fail_limit();
        };
        let peak = self.peak();
        if !self.meter.charge(granules << SHIFT) {
            return self.fail_limit();
        }
        if let Some(at) = self.take_run(granules) {
            return NonNull::new(at.addr());
        }
        self.meter.undo(granules << SHIFT, peak);
        if size > BACKING_MIN {
            return self.alloc_outside(size);
        }
        self.fail_room(size)
    }

    // ---- blocks of the backing ------------------------------------------------------------

    #[cold]
    pub(super) fn alloc_outside(&mut self, size: usize) -> Option<NonNull<u8>> {
        let (Some(charge), Some(total)) = (charge_of(size), size.checked_add(OUTSIDE)) else {
            return self.fail_limit();
        };
        if size == 0 {
            return None;
        }
        let peak = self.peak();
        if !self.meter.charge(charge) {
            return self.fail_limit();
        }
        let Some(start) = self.backing.alloc_large(total) else {
            self.meter.undo(charge, peak);
            return self.fail_room(size);
        };
        self.outside = self.outside.wrapping_add(total);
        // SAFETY: the block has room for the header and is aligned for it.
        unsafe {
            start
                .as_ptr()
                .cast::<Outside>()
                .write(Outside { size, check: !size });
            NonNull::new(start.as_ptr().add(OUTSIDE))
        }
    }

    /// The size that the backing was asked for, of a block that lies in no segment; `None` if
    /// it is no block.
    ///
    /// # Safety
    ///
    /// `ptr` is a block of this heap and lies in no segment.
    pub(super) unsafe fn outside_size(&self, ptr: NonNull<u8>) -> Option<usize> {
        // SAFETY: a block in no segment came from `alloc_outside`, which wrote the header.
        let header = unsafe { &*ptr.as_ptr().sub(OUTSIDE).cast::<Outside>() };
        (header.size == !header.check).then_some(header.size)
    }

    /// Frees and credits a block that lies in no segment. Returns null.
    ///
    /// # Safety
    ///
    /// `ptr` is such a block, and nobody uses it any more.
    pub(super) unsafe fn free_outside(&mut self, ptr: NonNull<u8>) -> *mut u8 {
        // SAFETY: as the caller promises.
        let Some(size) = (unsafe { self.outside_size(ptr) }) else {
            return self.bad_free();
        };
        self.meter.credit(charge_of(size).unwrap_or(0));
        let total = size.wrapping_add(OUTSIDE);
        self.outside = self.outside.wrapping_sub(total);
        // SAFETY: the block starts with the header, and is what `alloc_large` returned.
        unsafe {
            let start = ptr.as_ptr().sub(OUTSIDE);
            // A second free of the block would find this, if anything.
            start.cast::<Outside>().write(Outside { size: 0, check: 0 });
            self.backing
                .free_large(NonNull::new_unchecked(start), total);
        }
        ptr::null_mut()
    }

    // ---- the slow paths -------------------------------------------------------------------

    /// Frees any block. Returns null.
    ///
    /// # Safety
    ///
    /// As [`free`](Self::free).
    pub(super) unsafe fn free_slow(&mut self, ptr: NonNull<u8>, size: usize) -> *mut u8 {
        let seg = if self.each_block() {
            None
        } else {
            self.segs.locate(ptr.as_ptr())
        };
        let Some(seg) = seg else {
            // SAFETY: as the caller promises.
            return unsafe { self.free_outside(ptr) };
        };
        let at = place(seg, ptr);
        // SAFETY: the map has a byte for each granule.
        let mark = unsafe { *at.map(0) };
        if let Some(chunk) = Chunk::at(at.base.as_ptr(), at.first, mark) {
            if size <= SMALL_MAX {
                // SAFETY: the map says that the block lies in that chunk.
                return unsafe { self.push(chunk, ptr, size) };
            }
        }
        let len = match granules(size) {
            Some(len) if mark == runs::HEAD && size > SMALL_MAX => len,
            _ => return self.bad_free(),
        };
        // SAFETY: a block of that size is a used run of that length.
        unsafe {
            debug_assert!(*at.map(len - 1) == runs::TAIL, "free with a wrong size");
            self.meter.credit(len << SHIFT);
            self.runs.give(seg, at, len);
        }
        ptr::null_mut()
    }

    /// Changes the size of any block.
    ///
    /// # Safety
    ///
    /// As [`realloc`](Self::realloc).
    pub(super) unsafe fn realloc_slow(
        &mut self,
        ptr: NonNull<u8>,
        old: usize,
        new: usize,
    ) -> Option<NonNull<u8>> {
        let seg = if self.each_block() {
            None
        } else {
            self.segs.locate(ptr.as_ptr())
        };
        let Some(seg) = seg else {
            // SAFETY: as the caller promises.
            return unsafe { self.realloc_outside(ptr, old, new) };
        };
        let at = place(seg, ptr);
        // SAFETY: the map has a byte for each granule.
        let mark = unsafe { *at.map(0) };
        // SAFETY: the map tells which of the two the block is; else as the caller promises.
        unsafe {
            match Chunk::at(at.base.as_ptr(), at.first, mark) {
                Some(chunk) => self.realloc_slot(chunk, ptr, old, new),
                None => self.realloc_run(seg, at, ptr, old, new),
            }
        }
    }

    /// Changes the size of a block in a chunk.
    ///
    /// # Safety
    ///
    /// As [`realloc`](Self::realloc), and the block lies in `chunk`.
    pub(super) unsafe fn realloc_slot(
        &mut self,
        chunk: *mut Chunk,
        ptr: NonNull<u8>,
        old: usize,
        new: usize,
    ) -> Option<NonNull<u8>> {
        // SAFETY: as the caller promises.
        let size = unsafe { Chunk::size(chunk) };
        if new > size {
            // SAFETY: as the caller promises.
            return unsafe { self.move_block(ptr, old, new, size) };
        }
        let class = class_of(new);
        if new < old && class * STEP < size {
            // To a smaller slot, if there is one; else it stays, and stays charged as what it is.
            if let Some(block) = self.exact_slot(class) {
                // The charge is part of what the old slot gives back.
                self.meter.uncredit(class * STEP);
                // SAFETY: two blocks, both of at least `new` bytes.
                unsafe {
                    ptr::copy_nonoverlapping(ptr.as_ptr(), block.as_ptr(), new);
                    self.push(chunk, ptr, old);
                }
                return Some(block);
            }
        }
        Some(ptr)
    }

    /// Changes the size of a block that is a run.
    ///
    /// # Safety
    ///
    /// As [`realloc`](Self::realloc), and the block is a run at `at` in `seg`.
    pub(super) unsafe fn realloc_run(
        &mut self,
        seg: Segment,
        at: Place,
        ptr: NonNull<u8>,
        old: usize,
        new: usize,
    ) -> Option<NonNull<u8>> {
        let Some(had) = granules(old) else {
            return self.fail_limit();
        };
        if new <= SMALL_MAX {
            // SAFETY: as the caller promises.
            return Some(unsafe { self.shrink_to_slot(seg, at, ptr, had, new) });
        }
        let Some(len) = granules(new) else {
            return self.fail_limit();
        };
        if len == had {
            return Some(ptr);
        }
        if len < had {
            // SAFETY: it is a used run of `had` granules, of which the end is no longer used.
            unsafe { self.runs.trim(seg, at, had, len) };
            self.meter.credit((had - len) << SHIFT);
            return Some(ptr);
        }
        let peak = self.peak();
        if !self.meter.charge((len - had) << SHIFT) {
            return self.fail_limit();
        }
        // SAFETY: it is a used run of `had` granules.
        if unsafe { self.runs.extend(seg, at, had, len) } {
            return Some(ptr);
        }
        self.meter.undo((len - had) << SHIFT, peak);
        // SAFETY: as the caller promises.
        unsafe { self.move_block(ptr, old, new, had << SHIFT) }
    }

    /// Shrinks a run of `had` granules to a small block, which cannot fail: it goes to a free
    /// slot of its class, or else its own start becomes a chunk with the block in the first slot.
    ///
    /// # Safety
    ///
    /// As [`realloc`](Self::realloc), and the block is a run of `had` granules at `at` in `seg`.
    pub(super) unsafe fn shrink_to_slot(
        &mut self,
        seg: Segment,
        at: Place,
        ptr: NonNull<u8>,
        had: usize,
        new: usize,
    ) -> NonNull<u8> {
        let class = class_of(new).clamp(1, CLASSES);
        let chunk = self.partial[class];
        // What it is charged shrinks from its run to a slot, which is less.
        self.meter.credit((had << SHIFT).wrapping_sub(class * STEP));
        // SAFETY: the run is the block's; its granules past the chunk are no longer used. A run
        // is over 128 bytes, so at least 160, which is a slot of any class and a header.
        unsafe {
            if !chunk.is_null() {
                if let Some(block) = self.pop(class, chunk) {
                    ptr::copy_nonoverlapping(ptr.as_ptr(), block.as_ptr(), new);
                    self.runs.give(seg, at, had);
                    return block;
                }
            }
            let len = chunk::length(class, 0).min(had);
            if len < had {
                self.runs.trim(seg, at, had, len);
            }
            let made = Chunk::make(at, len, class, true);
            if !(*made).free.is_null() {
                self.link(class, made);
            }
        }
        ptr
    }

    /// Changes the size of a block that lies in no segment.
    ///
    /// # Safety
    ///
    /// As [`realloc`](Self::realloc), and the block lies in no segment.
    pub(super) unsafe fn realloc_outside(
        &mut self,
        ptr: NonNull<u8>,
        old: usize,
        new: usize,
    ) -> Option<NonNull<u8>> {
        // SAFETY: as the caller promises.
        let Some(size) = (unsafe { self.outside_size(ptr) }) else {
            self.bad_free();
            return None;
        };
        let charge = charge_of(size).unwrap_or(0);
        let keep = new <= size;
        if keep && new == size {
            return Some(ptr);
        }
        let failed = self.failed_room;
        // SAFETY: as the caller promises.
        let moved = unsafe { self.move_block(ptr, old, new, charge) };
        if keep && moved.is_none() {
            // It stays where it is, charged as what it is; that is no failure.
            self.failed_room = failed;
            return Some(ptr);
        }
        moved
    }

    /// Moves a block that is charged with `charge` to a new place of `new` bytes.
    ///
    /// # Safety
    ///
    /// As [`realloc`](Self::realloc).
    pub(super) unsafe fn move_block(
        &mut self,
        ptr: NonNull<u8>,
        old: usize,
        new: usize,
        charge: usize,
    ) -> Option<NonNull<u8>> {
        self.meter.credit(charge);
        let found = self.alloc(new);
        self.meter.uncredit(charge);
        let block = found?;
        // SAFETY: two blocks, of at least `old` and `new` bytes.
        unsafe {
            ptr::copy_nonoverlapping(ptr.as_ptr(), block.as_ptr(), old.min(new));
            self.free(ptr, old);
        }
        Some(block)
    }
}
