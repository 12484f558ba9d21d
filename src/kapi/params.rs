// SPDX-License-Identifier: GPL-2.0-only

//! Module parameters (src/kapi/params.c): fixed once the module is loaded. Any context.

use core::ffi::{c_uint, c_ulong};

extern "C" {
    static lunatik_maxstates: c_uint;
    static lunatik_defaultmaxalloc: c_uint;
    static lunatik_minalloc: c_uint;
    static mut lunatik_totalmax: c_ulong;
    static lunatik_scriptmax: c_uint;
    static lunatik_slice_us: c_uint;
    static lunatik_hookbudget_us: c_uint;
    static lunatik_hookmaxalloc: c_uint;
    static lunatik_stackcap: c_uint;
    static lunatik_queuebytes: c_uint;
    fn lunatik_ram_pages() -> c_ulong;
}

macro_rules! param {
    ($(#[$doc:meta] $name:ident = $symbol:ident;)*) => {$(
        #[$doc]
        pub fn $name() -> usize {
            // SAFETY: The word is written only while the module's parameters are parsed or in `init`.
            unsafe { $symbol as usize }
        }
    )*};
}

param! {
    /// States at most.
    maxstates = lunatik_maxstates;
    /// Limit of a state made without one, in bytes.
    defaultmaxalloc = lunatik_defaultmaxalloc;
    /// The smallest limit, in bytes.
    minalloc = lunatik_minalloc;
    /// Limit of all states together, in bytes.
    totalmax = lunatik_totalmax;
    /// The longest script, in bytes.
    scriptmax = lunatik_scriptmax;
    /// The longest slice, in microseconds.
    slice_us = lunatik_slice_us;
    /// Time budget of what cannot be sliced, in microseconds.
    hookbudget_us = lunatik_hookbudget_us;
    /// The largest limit of a state with hooks, in bytes.
    hookmaxalloc = lunatik_hookmaxalloc;
    /// Side stacks in the pool at most.
    stackcap = lunatik_stackcap;
}

/// Bytes that a queue of messages holds at most; it has room for the longest message.
pub fn queuebytes() -> usize {
    // SAFETY: As above.
    let bytes = unsafe { lunatik_queuebytes as usize };
    bytes.clamp(2 * crate::messages::DATA_MAX, 1 << 30)
}

/// Fills in what depends on the machine: `totalmax` is an eighth of RAM unless it was given.
/// Called once, before anything else runs.
pub fn init() {
    // SAFETY: Nothing else runs yet.
    unsafe {
        if lunatik_totalmax == 0 {
            let pages = lunatik_ram_pages();
            lunatik_totalmax = pages.saturating_mul(kernel::page::PAGE_SIZE as c_ulong) / 8;
        }
    }
}
