// SPDX-License-Identifier: GPL-2.0-only

//! Blocks up to [`SMALL_MAX`](super::SMALL_MAX) bytes: which chunk serves them, and what becomes
//! of chunks.
//!
//! Used only under the lock of the state that the heap serves, in any context; nothing sleeps.
//! What it leaves out: the inside of a chunk (`chunk.rs`), changes of size (`large.rs`).

use super::chunk::{self, Chunk, CLASSES, STEP};
use super::runs::Place;
use super::{Backing, Heap};
use core::ptr::{self, NonNull};

impl<B: Backing> Heap<B> {
    /// Takes a slot of `chunk`, the head of the list of `class`. The caller has charged it.
    ///
    /// # Safety
    ///
    /// The chunk is that head, so it has a free slot.
    #[inline(always)]
    pub(super) unsafe fn pop(&mut self, class: usize, chunk: *mut Chunk) -> Option<NonNull<u8>> {
        // SAFETY: as the caller promises.
        let (slot, last) = unsafe { Chunk::pop(chunk) };
        if last {
            // The next one, if any, is the head now.
            // SAFETY: lists link chunks.
            unsafe {
                let next = (*chunk).next;
                if !next.is_null() {
                    (*next).prev = ptr::null_mut();
                }
                if let Some(head) = self.partial.get_mut(class) {
                    *head = next;
                }
            }
        }
        NonNull::new(slot)
    }

    /// Puts a slot back and credits it. Returns null, as [`settle`](Self::settle) does.
    ///
    /// # Safety
    ///
    /// `ptr` is a block in `chunk` that nobody uses any more.
    #[inline(always)]
    pub(super) unsafe fn push(
        &mut self,
        chunk: *mut Chunk,
        ptr: NonNull<u8>,
        size: usize,
    ) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe {
            debug_assert!(
                Chunk::may_hold(chunk, ptr.as_ptr()),
                "free of what is no block"
            );
            debug_assert!(size <= Chunk::size(chunk), "free with a wrong size");
            let _ = size;
            self.meter.credit(Chunk::size(chunk));
            let (was_full, empty) = Chunk::push(chunk, ptr.as_ptr());
            if was_full || empty {
                return self.settle(chunk, was_full);
            }
        }
        ptr::null_mut()
    }

    /// Puts a chunk where it belongs after a slot came back. Returns null: what the C function
    /// returns for a free, so that this is a jump there and the short way needs no stack frame.
    ///
    /// # Safety
    ///
    /// `chunk` has a free slot; it is in the list of its class unless `was_full`.
    #[inline(never)]
    unsafe fn settle(&mut self, chunk: *mut Chunk, was_full: bool) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe {
            if was_full {
                self.link(Chunk::class(chunk), chunk);
                if (*chunk).used != 0 {
                    return ptr::null_mut();
                }
            }
            self.retire(chunk)
        }
    }

    /// Puts a chunk that is in no list first in the list of its class.
    ///
    /// # Safety
    ///
    /// `chunk` has a free slot and is in no list.
    #[inline]
    pub(super) unsafe fn link(&mut self, class: usize, chunk: *mut Chunk) {
        let Some(head) = self.partial.get_mut(class) else {
            return;
        };
        // SAFETY: `chunk` and the head are chunks.
        unsafe {
            let old = *head;
            (*chunk).prev = ptr::null_mut();
            (*chunk).next = old;
            *head = chunk;
            if !old.is_null() {
                (*old).prev = chunk;
                if (*old).used == 0 {
                    // INVARIANT: an empty chunk that was alone is not any longer.
                    self.retire(old);
                }
            }
        }
    }

    /// Gives an empty chunk up, unless it is alone in its list: the last one is kept, lest a
    /// class with one block makes and unmakes its chunk each time.
    ///
    /// # Safety
    ///
    /// `chunk` has no used slot and is in the list of its class.
    #[inline(never)]
    unsafe fn retire(&mut self, chunk: *mut Chunk) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe {
            if !((*chunk).next.is_null() && (*chunk).prev.is_null()) {
                self.unlink(Chunk::class(chunk), chunk);
                self.release(chunk);
            }
        }
        ptr::null_mut()
    }

    /// Takes a chunk out of the list of its class.
    ///
    /// # Safety
    ///
    /// `chunk` is in the list of `class`.
    pub(super) unsafe fn unlink(&mut self, class: usize, chunk: *mut Chunk) {
        let Some(head) = self.partial.get_mut(class) else {
            return;
        };
        // SAFETY: `chunk` and its neighbours are chunks.
        unsafe {
            let (next, prev) = ((*chunk).next, (*chunk).prev);
            if !next.is_null() {
                (*next).prev = prev;
            }
            if prev.is_null() {
                *head = next;
            } else {
                (*prev).next = next;
            }
        }
    }

    /// Gives the run of a chunk back.
    ///
    /// # Safety
    ///
    /// `chunk` has no used slot and is in no list.
    pub(super) unsafe fn release(&mut self, chunk: *mut Chunk) {
        if let Some(seg) = self.segs.locate(chunk.cast()) {
            // SAFETY: nobody uses the chunk, which is a used run of that segment.
            unsafe {
                let (at, len) = Chunk::run(chunk, seg);
                self.runs.give(seg, at, len);
            }
        }
    }

    /// Gives back the chunks that were kept empty; tells whether there were any.
    pub(super) fn give_up_empty_chunks(&mut self) -> bool {
        let mut any = false;
        for class in 1..=CLASSES {
            let head = self.partial[class];
            // SAFETY: heads of lists are chunks; an empty one is alone (invariant).
            unsafe {
                if !head.is_null() && (*head).used == 0 {
                    self.unlink(class, head);
                    self.release(head);
                    any = true;
                }
            }
        }
        any
    }

    /// Takes a run, if need be after giving up the chunks that were kept empty.
    pub(super) fn take_run(&mut self, granules: usize) -> Option<Place> {
        let found = self.runs.take(granules);
        if found.is_none() && self.give_up_empty_chunks() {
            return self.runs.take(granules);
        }
        found
    }

    /// Makes a chunk of `class` and puts it in the empty list of the class; null without room.
    pub(super) fn make_chunk(&mut self, class: usize) -> *mut Chunk {
        let usual = chunk::length(class, chunk::scale(self.limit()));
        let (at, len) = match self.runs.take(usual) {
            Some(at) => (at, usual),
            None => match self.take_short(class, usual) {
                Some(found) => found,
                None => return ptr::null_mut(),
            },
        };
        // SAFETY: the run is ours, and its length is between the least and the usual.
        unsafe {
            let made = Chunk::make(at, len, class, false);
            self.link(class, made);
            made
        }
    }

    /// Takes a run for a chunk where there is little room: a shorter one wastes more and may
    /// still do.
    #[cold]
    fn take_short(&mut self, class: usize, usual: usize) -> Option<(Place, usize)> {
        self.give_up_empty_chunks();
        let len = self.runs.longest().min(usual);
        if len < chunk::least_length(class) {
            return None;
        }
        self.runs.take(len).map(|at| (at, len))
    }

    /// A slot of exactly `class`, which the caller has charged; `None` if there is no room.
    #[inline]
    pub(super) fn exact_slot(&mut self, class: usize) -> Option<NonNull<u8>> {
        let mut chunk = self.partial[class.min(CLASSES)];
        if chunk.is_null() {
            chunk = self.make_chunk(class);
            if chunk.is_null() {
                return None;
            }
        }
        // SAFETY: a chunk in a list has a free slot.
        unsafe { self.pop(class, chunk) }
    }

    #[inline(never)]
    pub(super) fn alloc_slot_slow(&mut self, class: usize) -> Option<NonNull<u8>> {
        if class == 0 {
            return None;
        }
        let peak = self.peak();
        if !self.meter.charge(class * STEP) {
            return self.fail_limit();
        }
        let block = self.exact_slot(class);
        if block.is_some() {
            return block;
        }
        self.meter.undo(class * STEP, peak);
        self.alloc_larger_slot(class)
    }

    /// A slot of a larger class: better than none.
    #[cold]
    pub(super) fn alloc_larger_slot(&mut self, class: usize) -> Option<NonNull<u8>> {
        for larger in class + 1..=CLASSES {
            let chunk = self.partial[larger];
            if !chunk.is_null() {
                if !self.meter.charge(larger * STEP) {
                    break;
                }
                // SAFETY: a chunk in a list has a free slot.
                return unsafe { self.pop(larger, chunk) };
            }
        }
        self.fail_room(class * STEP)
    }
}
