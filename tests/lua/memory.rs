// SPDX-License-Identifier: GPL-2.0-only

//! The Rust half of the `memory` library as a library for the driver, which is C. `build` compiles it.

#[path = "../../src/lua/memlib.rs"]
pub mod memlib;

#[path = "../../src/libs/mod.rs"]
mod libs;
