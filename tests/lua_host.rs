// SPDX-License-Identifier: GPL-2.0-only

//! The Lua core of the module on the host: what scripts print, memory that runs out at every allocation, breaks at every
//! chance, errors at every break, the depth of the C stack and the size of a state.
//!
//! `tests/lua/build` compiles the core in several variants with `tests/lua/driver.c`, which does the work; see there.
//! Files in `tests/lua/expected/` hold what each script prints: the output of Lua 5.3.6 as released, but for the lines
//! that tell of the differences this port makes. Sanitizers have a script of their own, `tests/asan`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

/// Scripts that behave the same however often others use the state meanwhile.
const CALM: &[&str] = &[
    "all", "clock", "coroutines", "debugging", "errors", "finalizers", "gc", "language", "memory_small",
    "meta", "packages", "parser", "strings", "tables", "transfer",
];

/// Scripts small enough for a full collection at every allocation.
const SMALL: &[&str] = &[
    "all", "clock", "coroutines", "debugging", "memory_small", "meta", "packages",
];

/// Scripts whose outcome another entry's collector steps would change, or that would take too long with breaks.
const ALONE: &[&str] = &["gc_error", "overflow"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lua")
}

fn script(name: &str) -> PathBuf {
    folder().join(name).with_extension("lua")
}

/// The driver in one variant, built if need be.
fn driver(variant: &str) -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BUILDING.lock().unwrap_or_else(|broken| broken.into_inner());
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lua-{variant}"));
    let built = Command::new(folder().join("build"))
        .arg(variant)
        .arg(env!("LUNATIK_STAGE"))
        .arg(&out)
        .output()
        .expect("tests/lua/build runs");
    assert!(
        built.status.success(),
        "tests/lua/build {variant}:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    out.join("driver")
}

fn drive(variant: &str, command: &str, scripts: &[PathBuf]) -> Output {
    Command::new(driver(variant))
        .arg(command)
        .args(scripts)
        .output()
        .expect("the driver runs")
}

/// Runs a command of the driver, which must succeed; its last line is shown.
fn succeed(variant: &str, command: &str, scripts: &[PathBuf]) -> String {
    let output = drive(variant, command, scripts);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "driver {command} ({variant}): {}\n{}{text}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{variant}: {}", text.lines().last().unwrap_or(""));
    text
}

fn paths(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| script(name)).collect()
}

/// Compares what a script prints with the recorded output; `LUNATIK_BLESS=1` records anew.
fn prints_as_expected(variant: &str, name: &str) {
    let output = drive(variant, "run", &[script(name)]);
    let mut printed = output.stdout;
    let sum = b"ran 1 scripts, 0 failures\n";
    assert!(
        output.status.success() && printed.ends_with(sum),
        "{name}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    printed.truncate(printed.len() - sum.len());
    let file = folder().join("expected").join(name).with_extension("txt");
    if std::env::var_os("LUNATIK_BLESS").is_some() {
        std::fs::write(&file, &printed).expect("tests/lua/expected can be written");
    }
    let expected = std::fs::read(&file).expect("each script has an expected output");
    let (printed, expected) = (
        String::from_utf8_lossy(&printed).into_owned(),
        String::from_utf8_lossy(&expected).into_owned(),
    );
    for (number, (ours, theirs)) in printed.lines().zip(expected.lines()).enumerate() {
        assert_eq!(ours, theirs, "{name}, {variant}, line {}", number + 1);
    }
    assert_eq!(printed.lines().count(), expected.lines().count(), "{name}");
}

#[test]
fn scripts_print_what_lua_prints() {
    for name in CALM.iter().chain(ALONE) {
        prints_as_expected("plain", name);
    }
}

#[test]
fn scripts_pass_under_lua_assertions() {
    for name in CALM.iter().chain(ALONE) {
        prints_as_expected("check", name);
    }
}

#[test]
fn scripts_pass_with_a_collection_at_every_allocation() {
    for name in SMALL {
        prints_as_expected("hard", name);
    }
    succeed("hard", "storm", &paths(SMALL));
}

#[test]
fn every_allocation_may_fail() {
    succeed("check", "sweep", &paths(&["all"]));
    succeed("check", "sweep", &paths(&["memory_small"]));
    succeed("check", "sweep", &paths(&["transfer"]));
}

#[test]
fn every_allocation_may_fail_while_the_stack_moves() {
    succeed("hard", "sweep", &paths(&["meta_small"]));
}

/// The script that the kernel selftest runs, too.
#[test]
fn the_memory_library_does_what_its_documents_say() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("selftests/scripts/memory.lua");
    for variant in ["plain", "check"] {
        let text = succeed(variant, "run", std::slice::from_ref(&script));
        let wrong: Vec<&str> = text.lines().filter(|line| line.starts_with("not ok")).collect();
        let right = text.lines().filter(|line| line.starts_with("ok ")).count();
        assert!(wrong.is_empty() && right > 200, "{variant}: {right} good, {}", wrong.join("\n"));
    }
    succeed("check", "storm", &[script]);
    succeed("check", "lend", &[]);
}

/// Without end in sight the collector would turn in circles: the assertions of the variant see it first.
#[test]
fn the_collector_ends_though_time_is_up() {
    succeed("check", "late", &paths(&["finalizers"]));
    succeed("check", "late", &paths(CALM));
}

#[test]
fn breaks_change_nothing() {
    succeed("check", "storm", &paths(CALM));
}

#[test]
fn every_break_may_end_the_script() {
    succeed("check", "kill", &paths(&["all"]));
    succeed("check", "kill", &paths(&["memory_small"]));
    succeed("check", "kill", &paths(&["transfer"]));
}

#[test]
fn deep_recursion_stays_within_bounds() {
    let mut scripts: Vec<PathBuf> = std::fs::read_dir(folder().join("depth"))
        .expect("tests/lua/depth exists")
        .map(|entry| entry.expect("a folder entry").path())
        .collect();
    scripts.sort();
    let text = succeed("plain", "depth", &scripts);
    println!("{text}");
    // What src/kapi/stack.rs relies on: a side stack holds all levels, and little is used below a limit.
    let last = text.lines().last().unwrap_or("");
    let numbers: Vec<i64> = last
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(matches!(numbers[..], [deepest, below, 0] if deepest < 256 << 10 && below < 6 << 10), "{last}");
}

#[test]
fn a_new_state_is_small() {
    let text = succeed("plain", "memory", &[]);
    println!("{text}");
}
