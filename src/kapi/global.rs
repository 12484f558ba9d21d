// SPDX-License-Identifier: GPL-2.0-only

//! The one object that callbacks from C reach without being given it.

use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::prelude::*;

/// A pointer set while the module lives.
pub struct Global<T>(AtomicPtr<T>);

impl<T> Global<T> {
    /// Unset.
    pub const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// Sets it for good: `value` lives until [`Global::take`].
    pub fn set(&self, value: Pin<KBox<T>>) {
        // SAFETY: The object is not moved out of; `take` pins it again.
        let raw = KBox::into_raw(unsafe { Pin::into_inner_unchecked(value) });
        self.0.store(raw, Ordering::Release);
    }

    /// The object, while it is set. Any context.
    pub fn get(&self) -> Option<&T> {
        // SAFETY: Set by `set` and valid until `take`, whose caller sees to it that nobody is left.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// Unsets it.
    ///
    /// # Safety
    ///
    /// Nobody uses what `get` gave any more.
    pub unsafe fn take(&self) -> Option<Pin<KBox<T>>> {
        let raw = self.0.swap(core::ptr::null_mut(), Ordering::AcqRel);
        if raw.is_null() {
            return None;
        }
        // SAFETY: It came from a `KBox` in `set`, pinned; nobody else has it.
        Some(unsafe { Pin::new_unchecked(KBox::from_raw(raw)) })
    }
}
