// SPDX-License-Identifier: GPL-2.0-only

//! The outside source of memory a heap may fall back on: the trait, and the one that has none.
//!
//! Called under the lock of the state that the heap serves, in whatever context Lua runs there
//! (process context or softirq), so an implementation never sleeps. What it leaves out: the
//! kernel's allocators themselves, which only the owner of the heap knows.

use core::ptr::NonNull;

/// A source of memory outside a heap's segments.
///
/// The heap asks it for blocks over [`BACKING_MIN`](super::BACKING_MIN) bytes that no segment has
/// room for; with [`EACH_BLOCK`](Backing::EACH_BLOCK) it asks for every block. The heap has
/// charged the block against its limit before it asks.
///
/// # Safety
///
/// A block that `alloc_large` returned holds at least `size` bytes, is aligned to
/// [`BACKING_ALIGN`](super::BACKING_ALIGN) bytes, belongs to nobody else until `free_large` is
/// called with it, and lies in none of the heap's segments.
pub unsafe trait Backing {
    /// Whether every block comes from here one by one and the segments stay unused.
    ///
    /// A debug kernel wants this: KASAN then knows the bounds and the life of each block. It
    /// follows `--cfg lunatik_debug_alloc` unless an implementation says otherwise.
    const EACH_BLOCK: bool = cfg!(lunatik_debug_alloc);

    /// [`EACH_BLOCK`](Backing::EACH_BLOCK), of this one; it never changes.
    #[inline(always)]
    fn each_block(&self) -> bool {
        Self::EACH_BLOCK
    }

    /// Returns `size` bytes (at least 1), or `None`. Must not sleep.
    fn alloc_large(&mut self, size: usize) -> Option<NonNull<u8>>;

    /// Takes back a block. Must not sleep.
    ///
    /// # Safety
    ///
    /// `ptr` came from `alloc_large(size)` of the same object with the same `size`, has not been
    /// freed since, and nobody uses it any more.
    unsafe fn free_large(&mut self, ptr: NonNull<u8>, size: usize);
}

/// No memory but the segments.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoBacking;

// SAFETY: it never returns a block.
unsafe impl Backing for NoBacking {
    // Without blocks of its own it cannot serve each one, whatever the build says.
    const EACH_BLOCK: bool = false;

    fn alloc_large(&mut self, _size: usize) -> Option<NonNull<u8>> {
        None
    }

    unsafe fn free_large(&mut self, _ptr: NonNull<u8>, _size: usize) {}
}
