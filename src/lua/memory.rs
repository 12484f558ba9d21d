// SPDX-License-Identifier: GPL-2.0-only

//! A state's memory: the heap that Lua allocates from, and the reserve it is kept supplied with.
//!
//! The heap is used under the state's lock, in any context, and never calls an allocator that
//! sleeps. Segments are made and freed in process context, without the lock: when the state is made,
//! when its limit is raised, and at every break.
//!
//! A state of up to [`WHOLE`] bytes has all that its limit promises in reserve; only such states may
//! have hooks. A larger one, which runs in process context alone, is kept ahead of its use.

use crate::alloc::{Backing, Heap, BACKING_MIN};
use core::ffi::c_void;
use core::ptr::NonNull;

/// States up to this limit, in bytes, have their whole memory in reserve.
pub const WHOLE: usize = 1 << 20;
/// How much more a larger state has in reserve than it may need until the next break, in bytes.
const AHEAD: usize = 1 << 20;

extern "C" {
    fn lunatik_block_alloc(size: usize) -> *mut c_void;
    fn lunatik_block_free(block: *mut c_void);
    fn lunatik_segment_alloc(size: usize) -> *mut c_void;
    fn lunatik_segment_free(segment: *mut c_void, size: usize);
    fn lunatik_each_block() -> bool;
}

/// The kernel's own allocator, without sleeping: for large blocks that no segment has room for, and
/// under KASAN, which must see each block, for all (unless the parameter `eachblock` says otherwise).
pub struct Slab {
    each: bool,
}

impl Slab {
    /// As the parameter says now. Any context.
    pub fn new() -> Self {
        // SAFETY: It only reads the parameter.
        Self { each: unsafe { lunatik_each_block() } }
    }
}

// SAFETY: kmalloc's blocks are as large as asked for, aligned to 16 bytes from 16 bytes on, and
// nobody else's.
unsafe impl Backing for Slab {
    const EACH_BLOCK: bool = cfg!(CONFIG_KASAN);

    #[inline(always)]
    fn each_block(&self) -> bool {
        Self::EACH_BLOCK && self.each
    }

    fn alloc_large(&mut self, size: usize) -> Option<NonNull<u8>> {
        // SAFETY: Any context.
        NonNull::new(unsafe { lunatik_block_alloc(size) }.cast())
    }

    unsafe fn free_large(&mut self, ptr: NonNull<u8>, _size: usize) {
        // SAFETY: It came from `alloc_large`.
        unsafe { lunatik_block_free(ptr.as_ptr().cast()) }
    }
}

/// The heap of a state.
pub type StateHeap = Heap<Slab>;

/// A segment that no heap has; dropping it frees it. Process context.
pub struct Segment {
    base: NonNull<u8>,
    len: usize,
}

impl Segment {
    /// `len` bytes; `None` when memory is out. Process context, may sleep.
    pub fn new(len: usize) -> Option<Self> {
        // SAFETY: Process context.
        let base = NonNull::new(unsafe { lunatik_segment_alloc(len) }.cast())?;
        Some(Self { base, len })
    }

    /// Gives it to a heap; back when the heap does not take it. Under the state's lock.
    pub fn give(self, heap: &mut StateHeap) -> Option<Self> {
        // SAFETY: The region is ours; the heap gives it back through `take_spare` or `take_all`.
        match unsafe { heap.add_segment(self.base, self.len) } {
            Ok(()) => {
                core::mem::forget(self);
                None
            }
            Err(_) => Some(self),
        }
    }

    /// One that a heap can do without. Under the state's lock.
    pub fn take_spare(heap: &mut StateHeap) -> Option<Self> {
        heap.take_surplus_segment(slack(heap)).map(|(base, len)| Self { base, len })
    }

    /// One that is empty, as all are after the Lua state was closed.
    pub fn take_empty(heap: &mut StateHeap) -> Option<Self> {
        heap.take_free_segment().map(|(base, len)| Self { base, len })
    }

    /// One with all that is in it.
    ///
    /// # Safety
    ///
    /// Those of [`Heap::take_any_segment`].
    pub unsafe fn take_any(heap: &mut StateHeap) -> Option<Self> {
        // SAFETY: By the caller.
        unsafe { heap.take_any_segment() }.map(|(base, len)| Self { base, len })
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: It came from `lunatik_segment_alloc`, and no heap has it.
        unsafe { lunatik_segment_free(self.base.as_ptr().cast(), self.len) };
    }
}

/// True when three quarters of the limit are in use: then garbage is collected where there is time.
pub fn wants_collection(heap: &StateHeap) -> bool {
    heap.used() >= heap.limit() / 4 * 3
}

/// What may be freed, and so become holes, between two looks at the reserve: an eighth of the limit.
fn slack(heap: &StateHeap) -> usize {
    heap.limit() / 8
}

/// Bytes of the segment that the heap should get now, 0 for none.
pub fn shortfall(heap: &StateHeap) -> usize {
    if heap.each_block() {
        return 0;
    }
    let whole = heap.reserve_shortfall_with(slack(heap));
    if heap.limit() <= WHOLE || whole == 0 {
        return whole;
    }
    // A table that grows takes twice its old size while it still has that: twice of what is in use
    // is the most that a single step can ask for.
    let left = heap.limit().saturating_sub(heap.used());
    let step = heap.used().saturating_mul(2).saturating_add(AHEAD).min(left);
    if heap.largest_free() >= step.saturating_sub(AHEAD / 2).max(BACKING_MIN) {
        return 0;
    }
    crate::alloc::segment_for(step)
}
