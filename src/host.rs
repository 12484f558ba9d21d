// SPDX-License-Identifier: GPL-2.0-only

//! The crate as host builds see it: the pure parts of the module, for `cargo test`.
//!
//! The root of the module itself is `lunatik.rs`; Kbuild compiles it against the kernel's own
//! prebuilt `kernel` crate.

pub mod alloc;
/// `lunatik check`, as far as it is pure.
pub mod check {
    pub mod pcap;
}
pub mod error;
/// The executor, as far as it is pure.
pub mod exec {
    pub mod budget;
}
pub mod libs;
pub mod messages;
pub mod name;
pub mod ring;
pub mod softfloat;
pub mod table;
/// The interface of `/proc/lunatik/ctl`, as far as it is pure.
pub mod ctl {
    pub mod grammar;
}
/// What Lua's C code calls in Rust, as far as it is pure.
pub mod lua {
    pub mod memlib;
    pub mod packet;
    pub mod netnames;
    pub mod text;
}
/// What only the user-space libraries have.
pub mod user {
    pub mod line;
}
