// SPDX-License-Identifier: GPL-2.0-only

//! The crate as the user-space libraries have it: the Rust in `lunatik.native`, which `user/native.c` binds to Lua.
//!
//! User space, without Rust's standard library: no locks, no allocation of its own.

#![no_std]
#![deny(unsafe_code)]

/// The libraries of both.
pub mod libs {
    pub mod memory;
}
/// What only user space has.
pub mod user {
    pub mod line;
}
/// What C calls.
#[allow(unsafe_code)]
pub mod lua {
    pub mod line;
    pub mod memlib;
}

/// Nothing here panics; the compiler wants to know what if.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
