// SPDX-License-Identifier: GPL-2.0-only

//! The Rust half of the `memory` library as a library for the driver, which is C. `build` compiles it.

#![no_std]

#[path = "../../src/lua/memlib.rs"]
pub mod memlib;

#[path = "../../src/libs/mod.rs"]
mod libs;

extern "C" {
    fn abort() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: the C library's, callable at any time.
    unsafe { abort() }
}
