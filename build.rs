// SPDX-License-Identifier: GPL-2.0-only

//! Host builds: stages the third-party C source and compiles the soft-float arithmetic for its tests.
//!
//! The Lua core itself is built for the host by `tests/lua/build`, in several variants.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(variable("OUT_DIR"));
    let stage = out.join("stage");
    let kernel = root.join("lua/kernel");
    println!("cargo::rerun-if-changed={}", kernel.display());
    println!("cargo::rerun-if-changed={}", root.join("Cargo.lock").display());

    let status = Command::new(kernel.join("stage")).arg(&stage).status();
    if !status.as_ref().is_ok_and(|status| status.success()) {
        println!("cargo::error=lua/kernel/stage failed ({status:?}); its message stands above");
        return;
    }
    // Where tests find the staged source.
    println!("cargo::rustc-env=LUNATIK_STAGE={}", stage.display());
    softfloat(&kernel.join("softfloat"), &stage.join("softfloat"), &out);
    println!("cargo::rustc-check-cfg=cfg(lunatik_debug_alloc)");
    println!("cargo::rustc-check-cfg=cfg(CONFIG_KASAN)");
}

/// The libcalls under a prefix, so that they do not clash with the host's own.
fn softfloat(own: &Path, staged: &Path, out: &Path) {
    cc::Build::new()
        .file(own.join("libcalls.c"))
        .include(own)
        .include(own.join("include"))
        .include(staged.join("8086-SSE"))
        .include(staged.join("include"))
        .include(staged)
        .define("LUNATIK_LIBCALL_PREFIX", "lunatik_sf_")
        .opt_level(2)
        .cargo_metadata(false)
        .compile("lunatik_softfloat");
    println!("cargo::rustc-link-search=native={}", out.display());
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
