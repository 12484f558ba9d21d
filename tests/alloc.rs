// SPDX-License-Identifier: GPL-2.0-only

//! The heap of a Lua state against a model, its limit, its segments and its protocol with Lua.
//!
//! Runs on the host. Random numbers have fixed seeds, so a failure repeats. What it leaves out:
//! fragmentation (`alloc/fragmentation.rs`), and Lua itself on this heap, which other tests run.

#[path = "alloc/bench.rs"]
mod bench;
#[path = "alloc/fragmentation.rs"]
mod fragmentation;

use bench::*;
use core::ffi::c_void;
use core::ptr::NonNull;
use lunatik::alloc::{
    lunatik_lua_alloc, lunatik_lua_alloc_failing, segment_for, Backing, Busy, Heap, NoBacking,
    Refused, BACKING_ALIGN, BACKING_MIN, MAX_SEGMENTS, SEGMENT_MIN,
};
use std::alloc::{alloc, dealloc, Layout};
use std::collections::BTreeMap;

#[test]
fn random_operations_agree_with_the_model() {
    for (seed, most, segments, limit) in [
        (1, 64, &[16 * KIB][..], usize::MAX),
        (2, 300, &[64 * KIB, 16 * KIB], usize::MAX),
        (3, 5000, &[256 * KIB], usize::MAX),
        (
            4,
            20_000,
            &[64 * KIB, 128 * KIB, 16 * KIB, 512 * KIB],
            usize::MAX,
        ),
        (5, 2000, &[512 * KIB], 100 * KIB),
        (6, 200_000, &[2048 * KIB, 4096 * KIB], 3 << 20),
        (7, 128, &[PAGE; MAX_SEGMENTS], usize::MAX),
        (8, 1000, &[600 * KIB, 1024 * KIB], 520 * KIB),
    ] {
        let mut rng = Rng(seed);
        let mut bench = Bench::new(limit, NoBacking);
        for &len in segments {
            bench.add(len);
        }
        churn(&mut bench, &mut rng, rounds(20_000), most, 4000, false);
        bench.finish();
    }
}

#[test]
fn charges_are_the_rounded_sizes_where_room_is_ample() {
    let mut bench = Bench::new(usize::MAX, NoBacking);
    bench.add(16 << 20);
    churn(&mut bench, &mut Rng(11), rounds(20_000), 4000, 1000, true);
    assert_eq!(bench.heap.stats().failed_room, 0);
    bench.finish();
}

#[test]
fn the_limit_is_exact_and_counted() {
    let mut rng = Rng(21);
    for limit in [0, 8, 100, 4096, 40_000] {
        let mut bench = Bench::new(limit, NoBacking);
        bench.add(1 << 20);
        for _ in 0..rounds(4000) {
            let size = rng.skewed(600);
            let (used, failed) = (bench.heap.used(), bench.heap.stats().failed_limit);
            let fits = used + charge(size) <= limit;
            assert_eq!(bench.alloc(size), fits, "{size} bytes at {used} of {limit}");
            assert_eq!(bench.heap.stats().failed_limit, failed + u64::from(!fits));
            if rng.below(10) == 0 && !bench.live.is_empty() {
                bench.free(rng.below(bench.live.len()));
            }
        }
        let stats = bench.heap.stats();
        assert_eq!((stats.failed_room, stats.peak <= limit), (0, true));
        assert_eq!(
            bench
                .heap
                .set_limit(stats.used.wrapping_sub(1).min(stats.used)),
            if stats.used == 0 { Ok(()) } else { Err(Busy) }
        );
        assert_eq!(bench.heap.set_limit(stats.used), Ok(()));
        assert!(!bench.alloc(1));
        assert_eq!(bench.heap.set_limit(stats.used + 8), Ok(()));
        assert!(bench.alloc(1));
        bench.finish();
    }
}

#[test]
fn a_growing_block_is_charged_the_difference() {
    let mut bench = Bench::new(10 * KIB, NoBacking);
    bench.add(256 * KIB);
    // Both ways of growing: in place, and past a neighbour.
    for _ in 0..2 {
        assert!(bench.alloc(5 * KIB));
        assert!(bench.alloc(2 * KIB));
        assert!(
            bench.realloc(0, 8 * KIB),
            "5 + 3 KiB are below the limit of 10"
        );
        assert_eq!(bench.heap.used(), 10 * KIB);
        assert!(!bench.realloc(0, 8 * KIB + 1));
        assert!(bench.realloc(1, 40));
        assert!(bench.realloc(1, 2 * KIB), "from a slot to a run");
        assert!(!bench.alloc(1));
        assert_eq!((bench.heap.used(), bench.heap.peak()), (10 * KIB, 10 * KIB));
        bench.free_all(&mut Rng(3));
        assert_eq!(bench.heap.used(), 0);
    }
    bench.finish();
}

#[test]
fn sizes_beyond_reason_are_refused() {
    let mut bench = Bench::new(usize::MAX, NoBacking);
    bench.add(64 * KIB);
    for size in [
        usize::MAX,
        usize::MAX - 7,
        isize::MAX as usize + 1,
        isize::MAX as usize,
        1 << 40,
        65 * KIB,
    ] {
        assert!(!bench.alloc(size));
        assert!(bench.alloc(100));
        assert!(!bench.realloc(0, size));
        bench.free(0);
    }
    assert!(bench.heap.alloc(0).is_none());
    assert_eq!(bench.heap.used(), 0);
    bench.finish();
}

/// Allocates until nothing more fits, not even 1 byte.
fn stuff<B: Backing>(bench: &mut Bench<B>, rng: &mut Rng, most: usize) {
    let mut bound = most;
    while bound > 0 {
        if !bench.alloc(1 + rng.below(bound)) {
            bound /= 2;
        }
    }
    while bench.alloc(1) {}
    bench.check();
}

#[test]
fn a_shrink_never_fails_and_stays_accounted() {
    for seed in (0..40).step_by(if cfg!(miri) { 17 } else { 1 }) {
        let mut rng = Rng(seed);
        let mut bench = Bench::new(usize::MAX, NoBacking);
        bench.add(32 * KIB);
        bench.add(16 * KIB);
        let most = [60, 128, 400, 3000, 12_000][seed as usize % 5];
        stuff(&mut bench, &mut rng, most);
        for _ in 0..rounds(400) {
            let at = rng.below(bench.live.len());
            let size = bench.live[at].size;
            let used = bench.heap.used();
            // `realloc` asserts that it does not fail.
            bench.realloc(at, 1 + rng.below(size));
            assert!(bench.heap.used() <= used, "a shrink was charged");
            assert!(bench.heap.used() >= bench.model());
            if rng.below(4) == 0 {
                stuff(&mut bench, &mut rng, 200);
            }
            bench.check();
        }
        bench.finish();
    }
}

#[test]
fn a_shrunken_large_block_shares_its_room_at_once() {
    let mut bench = Bench::new(64 * KIB, NoBacking);
    bench.add(SEGMENT_MIN);
    let most = bench.heap.largest_free();
    assert!(bench.alloc(most));
    assert!(!bench.alloc(1));
    assert!(bench.realloc(0, 24));
    assert_eq!(bench.heap.used(), 24);
    // The block stayed, and what it left serves its own size, others, and a large block.
    assert!(bench.alloc(24) && bench.alloc(50) && bench.alloc(most - 2 * KIB));
    bench.finish();
}

#[test]
fn the_last_room_is_used_up() {
    let mut bench = Bench::new(64 * KIB, NoBacking);
    bench.add(PAGE);
    // A chunk of the usual length does not fit into what is left, a short one does.
    let most = bench.heap.largest_free();
    assert!(bench.alloc(most - 160));
    assert_eq!(bench.heap.largest_free(), 160);
    for _ in 0..128 / 40 {
        assert!(bench.alloc(40));
    }
    assert!(!bench.alloc(40));
    // A slot of a larger class is better than a failure, and is charged as what it is.
    bench.free(1);
    let used = bench.heap.used();
    assert!(bench.alloc(3));
    assert_eq!(
        (bench.heap.used(), bench.heap.stats().failed_room),
        (used + 40, 1)
    );
    // It may grow within it, and gives all of it back.
    let last = bench.live.len() - 1;
    assert!(bench.realloc(last, 37));
    bench.free(last);
    assert_eq!(bench.heap.used(), used);
    bench.finish();
}

#[test]
fn segments_come_and_go() {
    let mut bench = Bench::new(usize::MAX, NoBacking);
    let wrong = bench.regions.get(2 * PAGE);
    // SAFETY: the region is not used by anyone else.
    unsafe {
        assert_eq!(bench.heap.add_segment(wrong, PAGE - 1), Err(Refused::Shape));
        assert_eq!(
            bench.heap.add_segment(wrong.add(8), PAGE),
            Err(Refused::Shape)
        );
    }
    bench.regions.0.clear();
    // SAFETY: allocated with this layout.
    unsafe { dealloc(wrong.as_ptr(), Regions::layout(2 * PAGE)) };

    assert!(!bench.alloc(1), "a heap without segments has nothing");
    let first = bench.add(16 * KIB);
    assert!(bench.alloc(40));
    assert_eq!(bench.heap.take_free_segment(), None);
    let second = bench.add(32 * KIB);
    assert!(bench.alloc(20 * KIB), "only the second has the room");
    assert_eq!(bench.heap.take_free_segment(), None);
    bench.free(0);
    assert_eq!(bench.heap.take_free_segment(), Some(first));
    bench.regions.0.retain(|r| *r != first);
    // SAFETY: the heap gave it back.
    unsafe { dealloc(first.0.as_ptr(), Regions::layout(first.1)) };
    bench.free(0);
    assert_eq!(bench.heap.take_free_segment(), Some(second));
    assert_eq!(bench.heap.stats().reserved, 0);
    assert!(!bench.alloc(1));
    // SAFETY: the heap gave it back just now.
    unsafe { bench.heap.add_segment(second.0, second.1) }.unwrap();
    assert!(bench.alloc(20 * KIB));
    for _ in 1..MAX_SEGMENTS {
        bench.add(PAGE);
    }
    let more = bench.regions.get(PAGE);
    // SAFETY: the region is not used by anyone else.
    let refused = unsafe { bench.heap.add_segment(more, PAGE) };
    assert_eq!(refused, Err(Refused::Full));
    assert_eq!(bench.heap.stats().segments, MAX_SEGMENTS);
    bench.regions.0.pop();
    // SAFETY: allocated with this layout.
    unsafe { dealloc(more.as_ptr(), Regions::layout(PAGE)) };
    bench.finish();
}

#[test]
fn a_surplus_segment_is_one_that_the_reserve_does_not_need() {
    let mut bench = Bench::new(32 * KIB, NoBacking);
    bench.top_up();
    assert_eq!(bench.heap.take_surplus_segment(0), None);
    let more = bench.add(64 * KIB);
    assert!(bench.alloc(100));
    bench.heap.set_limit(KIB).unwrap();
    assert_eq!(bench.heap.take_surplus_segment(256 * KIB), None);
    // Either will do now; the first found is the one with the block or the other.
    let taken = bench.heap.take_surplus_segment(0).unwrap();
    assert!(taken == more || taken == bench.regions.0[0]);
    assert_eq!(bench.heap.reserve_shortfall(), 0);
    bench.heap.set_limit(1 << 20).unwrap();
    assert_eq!(bench.heap.take_surplus_segment(0), None);
    // SAFETY: the heap gave it back just now.
    unsafe { bench.heap.add_segment(taken.0, taken.1) }.unwrap();
    bench.finish();
}

#[test]
fn a_request_without_room_tells_what_it_wanted() {
    let limit = if cfg!(miri) { 256 * KIB } else { 4 << 20 };
    let mut bench = Bench::new(limit, NoBacking);
    bench.top_up();
    assert_eq!(bench.heap.wanted(), 0);
    // Break the long runs up, then ask for one.
    while bench.alloc(16 * KIB) {}
    for at in (0..bench.live.len()).rev().filter(|at| at % 4 != 3) {
        bench.free(at);
    }
    let size = limit / 2;
    assert!(bench.heap.used() + size <= bench.heap.limit());
    assert!(!bench.alloc(size) && !bench.alloc(size * 3 / 4));
    assert_eq!(bench.heap.wanted(), size);
    assert!(bench.heap.stats().failed_room >= 2);
    bench.add(segment_for(size));
    assert_eq!(bench.heap.wanted(), 0);
    assert!(bench.heap.largest_free() >= size);
    assert!(bench.alloc(size));
    bench.finish();
}

#[test]
fn a_table_of_the_whole_limit_is_possible() {
    let limit = if cfg!(miri) { 1 << 20 } else { 64 << 20 };
    let mut heap = Heap::new(limit, NoBacking);
    let mut regions = Regions::default();
    let len = segment_for(limit);
    // SAFETY: the region outlives the heap's use.
    unsafe { heap.add_segment(regions.get(len), len) }.unwrap();
    let block = heap.alloc(limit).expect("the segment was made for it");
    assert_eq!((heap.used(), heap.alloc(1)), (limit, None));
    // SAFETY: a live block.
    let block = unsafe { heap.realloc(block, limit, 100) }.unwrap();
    // SAFETY: a live block.
    unsafe { heap.free(block, 100) };
    assert_eq!(heap.used(), 0);
    heap.check().unwrap();
}

/// A backing that knows what it gave, and may be told to refuse. With `EACH` it wants every block.
#[derive(Default)]
struct Store<const EACH: bool> {
    given: BTreeMap<usize, usize>,
    refuse: bool,
    calls: usize,
}

// SAFETY: blocks come from the host's allocator with size and alignment as promised.
unsafe impl<const EACH: bool> Backing for Store<EACH> {
    const EACH_BLOCK: bool = EACH;

    fn alloc_large(&mut self, size: usize) -> Option<NonNull<u8>> {
        assert!(EACH || size > BACKING_MIN);
        self.calls += 1;
        if self.refuse {
            return None;
        }
        let layout = Layout::from_size_align(size, BACKING_ALIGN).unwrap();
        // SAFETY: `size` is not 0.
        let ptr = NonNull::new(unsafe { alloc(layout) })?;
        self.given.insert(ptr.as_ptr() as usize, size);
        Some(ptr)
    }

    unsafe fn free_large(&mut self, ptr: NonNull<u8>, size: usize) {
        assert_eq!(
            self.given.remove(&(ptr.as_ptr() as usize)),
            Some(size),
            "freed with another size"
        );
        // SAFETY: allocated above with this layout.
        unsafe {
            dealloc(
                ptr.as_ptr(),
                Layout::from_size_align(size, BACKING_ALIGN).unwrap(),
            )
        };
    }
}

#[test]
fn large_blocks_go_to_the_backing_when_the_segments_are_full() {
    let mut bench = Bench::new(1 << 20, Store::<false>::default());
    bench.add(32 * KIB);
    assert!(bench.alloc(20 * KIB), "in the segment");
    assert_eq!(bench.heap.backing().calls, 0);
    assert!(bench.alloc(40 * KIB) && bench.alloc(5 * KIB + 1) && bench.alloc(100 * KIB));
    assert_eq!(bench.heap.backing().given.len(), 2);
    assert!(bench.heap.stats().outside >= 140 * KIB);
    assert_eq!(bench.heap.used(), bench.model());
    // Grows outside, shrinks outside, comes in when it is small enough.
    assert!(bench.realloc(1, 60 * KIB) && bench.realloc(1, 50 * KIB) && bench.realloc(1, 3 * KIB));
    assert_eq!(bench.heap.used(), bench.model());
    assert_eq!(bench.heap.backing().given.len(), 1);
    bench.check();

    // Full within and refused without: a shrink still succeeds, and stays charged in full.
    stuff_within(&mut bench);
    bench.heap.backing().refuse = true;
    let at = bench.live.iter().position(|b| b.size == 100 * KIB).unwrap();
    let (used, failed) = (bench.heap.used(), bench.heap.stats().failed_room);
    for size in [90 * KIB, 4 * KIB, 100, 1] {
        assert!(bench.realloc(at, size));
        assert_eq!(
            (bench.heap.used(), bench.heap.stats().failed_room),
            (used, failed)
        );
    }
    // It may grow again where it is.
    assert!(bench.realloc(at, 80 * KIB));
    assert!(!bench.realloc(at, 101 * KIB));
    bench.free(at);
    assert_eq!(bench.heap.used(), used - 100 * KIB);
    bench.heap.backing().refuse = false;
    bench.free_all(&mut Rng(1));
    assert!(bench.heap.backing().given.is_empty());
    bench.finish();
}

fn stuff_within(bench: &mut Bench<Store<false>>) {
    for size in [2000, 500, 128, 8] {
        while bench.alloc(size) {}
    }
}

#[test]
fn random_operations_with_a_backing() {
    for seed in 51..54 {
        let mut rng = Rng(seed);
        let mut bench = Bench::new(300 * KIB, Store::<false>::default());
        bench.add(100 * KIB);
        for _ in 0..rounds(40) {
            bench.heap.backing().refuse = rng.below(4) == 0;
            churn(&mut bench, &mut rng, 300, 30_000, 1000, false);
        }
        assert!(bench.heap.backing().calls > 0);
        bench.free_all(&mut rng);
        assert!(bench.heap.backing().given.is_empty());
        bench.finish();
    }
}

#[test]
fn with_each_block_outside_the_account_is_the_same() {
    let limit = 200 * KIB;
    let mut plain = Bench::new(limit, NoBacking);
    plain.add(1 << 20);
    let mut each = Bench::new(limit, Store::<true>::default());
    each.add(16 * KIB);
    let mut rng = Rng(61);
    for _ in 0..rounds(20_000) {
        let size = rng.skewed(3000);
        let (a, b) = match rng.below(10) {
            0..=4 => (plain.alloc(size), each.alloc(size)),
            5..=7 if !plain.live.is_empty() => {
                let at = rng.below(plain.live.len());
                (plain.realloc(at, size), each.realloc(at, size))
            }
            _ if !plain.live.is_empty() => {
                let at = rng.below(plain.live.len());
                plain.free(at);
                each.free(at);
                (true, true)
            }
            _ => (true, true),
        };
        assert_eq!(a, b);
        assert_eq!(
            (plain.heap.used(), plain.heap.peak()),
            (each.heap.used(), each.heap.peak())
        );
        assert_eq!(
            plain.heap.stats().failed_limit,
            each.heap.stats().failed_limit
        );
        assert_eq!(
            each.heap.backing().given.len(),
            each.live.len(),
            "each block comes from outside"
        );
    }
    assert!(plain.heap.stats().failed_limit > 0 || cfg!(miri));
    // Every block has the bounds it asked for, also after a shrink.
    for block in &each.live {
        let start = block.ptr.as_ptr() as usize - BACKING_ALIGN;
        assert_eq!(
            each.heap.backing().given.get(&start),
            Some(&(block.size + BACKING_ALIGN))
        );
    }
    plain.finish();
    each.free_all(&mut rng);
    assert!(each.heap.backing().given.is_empty());
    each.finish();
}

#[test]
fn the_c_function_keeps_to_the_protocol_of_lua() {
    let mut bench = Bench::new(8 * KIB, NoBacking);
    bench.add(64 * KIB);
    let ud: *mut c_void = (&raw mut bench.heap).cast();
    let null = core::ptr::null_mut::<c_void>();
    let call = lunatik_lua_alloc::<NoBacking>;
    // SAFETY: the heap is used through `ud` alone here, with blocks of its own.
    unsafe {
        // For a new block the old size is a type: LUA_TTABLE.
        let a = call(ud, null, 5, 56);
        assert!(!a.is_null());
        a.cast::<u8>().write_bytes(7, 56);
        let b = call(ud, a, 56, 5000);
        assert!(!b.is_null() && (0..56).all(|i| b.cast::<u8>().add(i).read() == 7));
        assert!(call(ud, b, 5000, 9000).is_null(), "over the limit");
        assert!(call(ud, null, 0, 5000).is_null(), "over the limit");
        assert_eq!((*ud.cast::<Heap>()).used(), charge(5000));
        assert_eq!(call(ud, b, 5000, 3000), b);
        assert!(call(ud, b, 3000, 0).is_null());
        assert!(call(ud, null, 0, 0).is_null());
        assert_eq!((*ud.cast::<Heap>()).used(), 0);
    }
    bench.finish();
}

#[test]
fn chosen_requests_fail_and_no_others() {
    let mut bench = Bench::new(8 * KIB, NoBacking);
    bench.add(64 * KIB);
    bench.heap.inject_failures(2, 2);
    let ud: *mut c_void = (&raw mut bench.heap).cast();
    let null = core::ptr::null_mut::<c_void>();
    let call = lunatik_lua_alloc_failing::<NoBacking>;
    // SAFETY: the heap is used through `ud` alone here, with blocks of its own.
    unsafe {
        let a = call(ud, null, 4, 40);
        let b = call(ud, a, 40, 400);
        let c = call(ud, b, 400, 300);
        assert!(
            !a.is_null() && !b.is_null() && !c.is_null(),
            "a shrink does not count"
        );
        assert!(
            call(ud, c, 300, 500).is_null(),
            "the third that needs memory"
        );
        assert_eq!((*ud.cast::<Heap>()).failures_left(), 1);
        let c = call(ud, c, 300, 299);
        assert!(!c.is_null(), "nor does a shrink fail");
        assert!(call(ud, null, 4, 1).is_null(), "the fourth");
        let d = call(ud, c, 299, 500);
        assert!(!d.is_null(), "only two fail");
        assert_eq!((*ud.cast::<Heap>()).failures_left(), 0);
        assert!(call(ud, d, 500, 0).is_null());
    }
    assert_eq!(bench.heap.used(), 0);
    bench.finish();
}

#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "free of what is no block"))]
fn a_second_free_of_a_large_block_is_ignored_and_counted() {
    let mut bench = Bench::new(usize::MAX, NoBacking);
    bench.add(64 * KIB);
    let block = bench.heap.alloc(1000).unwrap();
    // SAFETY: the second call breaks the contract on purpose; it touches only the heap's memory.
    unsafe {
        bench.heap.free(block, 1000);
        bench.heap.free(block, 1000);
    }
    assert_eq!((bench.heap.used(), bench.heap.stats().bad_frees), (0, 1));
    bench.check();
}
