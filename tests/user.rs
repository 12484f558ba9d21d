// SPDX-License-Identifier: GPL-2.0-only

//! The user-space libraries on the host, in Lua as released: the native module, and what `make install-user` puts where.
//! What needs the module in the kernel is in `selftests/user.sh` and `selftests/command.sh`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{text}");
    text.into_owned()
}

/// A folder with the native module and an interpreter of unmodified Lua, built once.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("user");
        succeeds(Command::new(root().join("src/user/build")).arg(env!("LUNATIK_STAGE")).arg(&out));
        let lua = Path::new(env!("LUNATIK_STAGE")).join("lua-user");
        let sources = std::fs::read_dir(&lua).expect("the stage has Lua").map(|entry| entry.expect("an entry").path());
        let cc = std::env::var("CC").unwrap_or_else(|_| "cc".into());
        succeeds(
            Command::new(cc)
                .args(["-O1", "-DLUA_USE_LINUX", "-DLUA_COMPAT_5_2", "-I"])
                .arg(&lua)
                .args(sources.filter(|path| path.extension().is_some_and(|extension| extension == "c")))
                .arg(root().join("tests/user/main.c"))
                .args(["-Wl,-E", "-lm", "-ldl", "-o"])
                .arg(out.join("main")),
        );
        out
    })
}

/// The interpreter, which finds libraries below `libraries` and native modules below `native`.
fn lua(libraries: &Path, native: &Path) -> Command {
    let mut command = Command::new(built().join("main"));
    command.env("LUA_PATH", libraries.join("?.lua")).env("LUA_CPATH", native.join("?.so"));
    command.env_remove("LUA_PATH_5_3").env_remove("LUA_CPATH_5_3");
    command
}

/// Runs a script in `tests/user` that prints lines `ok ...` and `not ok ...`, at least so many.
fn all_ok(script: &str, args: &[&Path], least: usize) {
    let text = succeeds(lua(&root().join("lua/user"), built()).arg(root().join("tests/user").join(script)).args(args));
    let failed: Vec<_> = text.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(text.lines().count() >= least, "{text}");
}

#[test]
fn native_module() {
    all_ok("native.lua", &[Path::new(env!("CARGO_TARGET_TMPDIR")), &root().join("selftests/lib/check.lua")], 40);
}

#[test]
fn memory_library() {
    all_ok("memory.lua", &[&root().join("selftests/scripts/memory.lua")], 200);
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        found.extend(if path.is_dir() { files(&path) } else { BTreeSet::from([path]) });
    }
    found
}

#[test]
fn install_and_uninstall() {
    let dest = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dest");
    drop(std::fs::remove_dir_all(&dest));
    let make = |target: &str| {
        let dest = format!("DESTDIR={}", dest.display());
        succeeds(Command::new("make").arg("-C").arg(root()).args([target, &dest, "PREFIX=/usr/local"]).env_remove("MAKEFLAGS"))
    };
    make("install-user");
    let share = dest.join("usr/local/share/lua/5.3");
    let script = dest.join("works.lua");
    std::fs::write(&script, "assert(require 'lunatik'.session and require 'nflua'.control and memory.create)").expect("a script");
    succeeds(lua(&share, &dest.join("usr/local/lib/lua/5.3")).arg(&script));
    std::fs::remove_file(&script).expect("the script goes");
    assert!(files(&dest).len() >= 10, "{:?}", files(&dest));
    make("uninstall-user");
    assert_eq!(files(&dest), BTreeSet::new());
}
