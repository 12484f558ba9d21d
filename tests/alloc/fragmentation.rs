// SPDX-License-Identifier: GPL-2.0-only

//! Patterns made to fragment a heap, how much memory they need, and what its reserve promises.
//!
//! Runs on the host. `cargo test --test alloc fragmentation -- --nocapture` prints the figures.
//! What it leaves out: correctness of single operations, which the parent file tests.

use super::bench::*;
use lunatik::alloc::{NoBacking, BACKING_MIN, MAX_SEGMENTS};

/// Sizes that are hard on the reserve, by a number; `made` blocks were made before.
fn awkward(kind: usize, made: usize, rng: &mut Rng) -> usize {
    match kind {
        0 => BACKING_MIN,
        1 => 1,
        2 => 64,
        3 => 8 * (1 + rng.below(16)),
        4 => 129,
        5 => [BACKING_MIN, 8, 2049, 120][rng.below(4)],
        6 => 1 + rng.below(BACKING_MIN),
        7 => 2 * KIB + 1,
        8 => [104, 3000][rng.below(2)],
        // Starts a chunk of each class, then wants whole pages.
        9 if made < 16 => 8 * (made + 1),
        9 => BACKING_MIN,
        _ => rng.skewed(BACKING_MIN),
    }
}

#[test]
fn a_full_reserve_means_no_failure_below_the_limit() {
    let mut least_left = usize::MAX;
    for limit in [32 * KIB, 64 * KIB, 256 * KIB, 600 * KIB, 3 << 20] {
        for kind in 0..11 {
            for before in 0..4 {
                // Large limits differ in the length of chunks alone: a part of the cases will do.
                let one_in = match limit / KIB {
                    _ if cfg!(miri) && limit > 32 * KIB => continue,
                    _ if cfg!(miri) => 7,
                    0..=299 => 1,
                    300..=999 => 4,
                    _ => 15,
                };
                if (kind * 4 + before) % one_in != one_in - 1 {
                    continue;
                }
                let mut rng = Rng((limit + kind * 10 + before) as u64);
                let mut bench = Bench::new(limit, NoBacking);
                bench.top_up();
                // A past that left holes everywhere.
                for _ in 0..before {
                    let shape = rng.below(11);
                    while bench.heap.used() + 3 * BACKING_MIN / 2 < limit
                        && bench.alloc(awkward(shape, bench.live.len(), &mut rng))
                    {
                    }
                    for at in (0..bench.live.len()).rev() {
                        if rng.below(8) != 0 {
                            bench.free(at);
                        }
                    }
                }
                bench.top_up();
                let failed = bench.heap.stats().failed_room;
                for made in 0.. {
                    let size = awkward(kind, made, &mut rng);
                    if bench.heap.used() + charge(size) > limit {
                        break;
                    }
                    assert!(
                        bench.alloc(size),
                        "{size} bytes at {} of {limit}, kind {kind}",
                        bench.heap.used()
                    );
                }
                // And the rest of it in the smallest pieces.
                while bench.heap.used() + 8 <= limit {
                    assert!(bench.alloc(8));
                }
                assert_eq!(bench.heap.stats().failed_room, failed);
                least_left = least_left.min(bench.heap.stats().free);
                bench.finish();
            }
        }
    }
    println!("least free memory left at the limit: {least_left} bytes");
}

#[test]
fn a_slack_covers_what_is_freed_meanwhile() {
    if cfg!(miri) {
        return;
    }
    let limit = 64 * KIB;
    for slack in [0, 8 * KIB, 64 * KIB] {
        for kind in 0..11 {
            let mut rng = Rng((slack + kind) as u64);
            let mut bench = Bench::new(limit, NoBacking);
            // Slices, each from a reserve that was looked after, each freeing what the slack
            // allows where it hurts most: a few blocks here and there, then other sizes.
            for slice in 0..30 {
                let len = bench.heap.reserve_shortfall_with(slack);
                if len != 0 {
                    bench.add(len);
                }
                let mut freed = 0;
                loop {
                    let size = awkward((kind + slice) % 11, bench.live.len(), &mut rng);
                    if bench.heap.used() + charge(size) <= limit {
                        assert!(bench.alloc(size), "{size} bytes, {freed} of {slack} freed");
                        continue;
                    }
                    let at = rng.below(bench.live.len());
                    freed += charge(bench.live[at].size);
                    if freed > slack {
                        break;
                    }
                    bench.free(at);
                }
                // Between slices much may be freed.
                free_where(&mut bench, |_| rng.below(3) == 0);
            }
            assert_eq!(bench.heap.stats().failed_room, 0);
            bench.finish();
        }
    }
}

/// What a pattern needs: the reserve at which nothing of up to 4 KiB fails for lack of room.
fn least_reserve(limit: usize, pattern: impl Fn(&mut Bench<NoBacking>)) -> usize {
    let (mut low, mut high) = (PAGE, 16 * limit);
    while low + PAGE < high {
        let middle = (low + high) / 2 / PAGE * PAGE;
        let mut bench = Bench::new(limit, NoBacking);
        bench.add(middle);
        pattern(&mut bench);
        bench.check();
        if bench.heap.stats().failed_room == 0 {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// Allocates until `size()` no longer fits under the limit, or the room is at an end.
fn to_the_limit(bench: &mut Bench<NoBacking>, mut size: impl FnMut() -> usize) {
    loop {
        let size = size();
        if bench.heap.used() + charge(size) > bench.heap.limit() || !bench.alloc(size) {
            return;
        }
    }
}

fn free_where(bench: &mut Bench<NoBacking>, mut which: impl FnMut(usize) -> bool) {
    for at in (0..bench.live.len()).rev() {
        if which(at) {
            bench.free(at);
        }
    }
}

#[test]
fn fragmenting_patterns_and_what_they_need() {
    if cfg!(miri) {
        return;
    }
    let limit = 64 * KIB;
    // (name, the most it may need in hundredths of the limit, pattern)
    type Pattern = fn(&mut Bench<NoBacking>);
    let patterns: [(&str, usize, Pattern); 8] = [
        ("random churn, up to 4 KiB", 180, |b| {
            let mut rng = Rng(31);
            for _ in 0..6000 {
                let size = rng.skewed(4096);
                while b.heap.used() + charge(size) > b.heap.limit() {
                    b.free(rng.below(b.live.len()));
                }
                b.alloc(size);
            }
        }),
        ("random churn, up to 128 bytes", 150, |b| {
            let mut rng = Rng(32);
            for _ in 0..12_000 {
                let size = 1 + rng.below(128);
                while b.heap.used() + charge(size) > b.heap.limit() {
                    b.free(rng.below(b.live.len()));
                }
                b.alloc(size);
            }
        }),
        ("sawtooth: fill, free 9 in 10, other sizes", 150, |b| {
            let mut rng = Rng(33);
            for tooth in 0..40 {
                to_the_limit(b, || 1 + rng.below(100 + tooth * 60 % 1500));
                free_where(b, |_| rng.below(10) != 0);
            }
        }),
        ("sawtooth: fill and free all, other sizes", 130, |b| {
            let mut rng = Rng(34);
            for tooth in 0..40 {
                to_the_limit(b, || 1 + rng.below(20 + tooth * 100));
                free_where(b, |_| true);
            }
        }),
        ("fill with 32, free every other, fill with 64", 180, |b| {
            to_the_limit(b, || 32);
            free_where(b, |at| at % 2 == 0);
            to_the_limit(b, || 64);
        }),
        ("fill with 160, free every other, fill with 320", 170, |b| {
            to_the_limit(b, || 160);
            free_where(b, |at| at % 2 == 0);
            to_the_limit(b, || 320);
        }),
        ("each size in turn, 15 in 16 freed", 235, |b| {
            for size in (8..=128).step_by(8) {
                to_the_limit(b, || size);
                free_where(b, |at| at % 16 != 0);
            }
            to_the_limit(b, || 4096);
        }),
        ("queue: oldest freed first, sizes drift", 175, |b| {
            let mut rng = Rng(35);
            for step in 0..12_000usize {
                let size = 1 + rng.below(16 + step / 8 % 700);
                while b.heap.used() + charge(size) > b.heap.limit() {
                    let last = b.live.len() - 1;
                    let oldest = b.live.remove(0);
                    b.live.push(oldest);
                    b.free(last);
                }
                b.alloc(size);
            }
        }),
    ];
    println!("least reserve for a limit of 64 KiB, in hundredths of the limit:");
    for (name, most, pattern) in patterns {
        let needs = least_reserve(limit, pattern) * 100 / limit;
        println!("  {needs:4}  {name}");
        assert!(
            needs <= most,
            "{name} needs {needs}, should be {most} or less"
        );
    }
}

#[test]
fn topping_up_between_slices_meets_the_worst_pattern() {
    // The worst pattern above, with the owner looking after the reserve before each fill.
    if cfg!(miri) {
        return;
    }
    let limit = 64 * KIB;
    let mut bench = Bench::new(limit, NoBacking);
    for size in (8..=128).step_by(8).chain([200, 1000, 4096]) {
        bench.top_up();
        to_the_limit(&mut bench, || size);
        free_where(&mut bench, |at| at % 16 != 0);
    }
    let stats = bench.heap.stats();
    println!(
        "{} bytes in {} segments for a limit of {limit}",
        stats.reserved, stats.segments
    );
    assert_eq!(stats.failed_room, 0);
    assert!(stats.segments < MAX_SEGMENTS);
    bench.finish();
}

/// Blocks of a fresh Lua 5.3 state with base, coroutine, table, string, utf8, math and debug:
/// (bytes, how many), in the order of size.
const FRESH: [(usize, usize); 12] = [
    (32, 131),
    (37, 25),
    (48, 1),
    (56, 10),
    (72, 1),
    (256, 4),
    (512, 1),
    (544, 1),
    (1024, 2),
    (1552, 1),
    (2048, 1),
    (2047, 1),
];

/// Makes the blocks of a fresh state, in a mixed order.
fn fresh_state(bench: &mut Bench<NoBacking>, rng: &mut Rng) {
    let mut left = FRESH;
    loop {
        let total: usize = left.iter().map(|e| e.1).sum();
        if total == 0 {
            return;
        }
        let mut pick = rng.below(total);
        for entry in &mut left {
            if pick < entry.1 {
                entry.1 -= 1;
                assert!(bench.alloc(entry.0), "a fresh state does not fit");
                break;
            }
            pick -= entry.1;
        }
    }
}

#[test]
fn a_fresh_state_takes_five_pages() {
    for seed in 0..10 {
        let mut bench = Bench::new(32 * KIB, NoBacking);
        bench.add(5 * PAGE);
        fresh_state(&mut bench, &mut Rng(seed));
        let stats = bench.heap.stats();
        if seed == 0 {
            println!(
                "{} bytes charged in {} pages, {} free",
                stats.used,
                stats.reserved / PAGE,
                stats.free
            );
        }
        assert!(stats.used < 16 * KIB, "charged {}", stats.used);
        bench.finish();
    }
}

#[test]
fn a_lua_like_program_runs_at_its_limit() {
    // Objects as Lua makes them: strings, tables with arrays and hash parts that double, closures,
    // and a collector that sweeps what has died, in the order of age, when the limit is near.
    let limit = 64 * KIB;
    let mut rng = Rng(41);
    let mut bench = Bench::new(limit, NoBacking);
    bench.top_up();
    fresh_state(&mut bench, &mut rng);
    let base = bench.live.len();
    let mut spurious = 0;
    for step in 0..rounds(60_000) {
        if step % 2000 == 0 {
            bench.top_up();
        }
        let made = match rng.below(10) {
            0..=3 => bench.alloc(25 + rng.skewed(200)),
            4..=6 => bench.alloc(56) && bench.alloc(32 << rng.below(4)),
            7 => bench.alloc(40 + 8 * rng.below(4)),
            8 => bench.alloc(16 << rng.below(5)),
            _ if bench.live.len() > base => {
                // An array doubles.
                let at = base + rng.below(bench.live.len() - base);
                let size = bench.live[at].size;
                size > 1024 || bench.realloc(at, size * 2)
            }
            _ => true,
        };
        if !made || bench.heap.used() > limit * 9 / 10 {
            let room = bench.heap.stats().failed_room;
            spurious += usize::from(!made && room > 0);
            // Sweep: two thirds have died.
            for at in (base..bench.live.len()).rev() {
                if rng.below(3) != 0 {
                    bench.free(at);
                }
            }
        }
    }
    let stats = bench.heap.stats();
    println!(
        "peak {} of {limit}, {} bytes reserved, {} failures for room",
        stats.peak, stats.reserved, stats.failed_room
    );
    assert_eq!((stats.failed_room, spurious), (0, 0));
    assert!(
        stats.reserved <= limit * 9 / 4,
        "{} bytes reserved",
        stats.reserved
    );
    bench.finish();
}
