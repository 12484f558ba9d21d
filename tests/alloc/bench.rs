// SPDX-License-Identifier: GPL-2.0-only

//! A heap under test: the memory it was given, what it should hold, and random numbers.
//!
//! Every block is filled with a pattern that is verified when it is freed or moved, and no two
//! may overlap. What it leaves out: the tests themselves.

use lunatik::alloc::{Backing, Heap, ALIGN, SMALL_MAX};
use std::alloc::{alloc, dealloc, Layout};
use std::collections::BTreeMap;
use std::ptr::NonNull;

pub const KIB: usize = 1024;
pub const PAGE: usize = 4096;

/// Fewer rounds where each instruction is interpreted.
pub fn rounds(n: usize) -> usize {
    if cfg!(miri) {
        n / 400 + 5
    } else {
        n
    }
}

/// SplitMix64.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// 1 to `most`, small ones more often, as in programs.
    pub fn skewed(&mut self, most: usize) -> usize {
        let bits = 1 + self.below(most.ilog2() as usize + 1);
        (1 + self.below(1 << bits)).min(most)
    }
}

/// What a block of `size` bytes is charged if it gets what it asks for.
pub fn charge(size: usize) -> usize {
    let unit = if size <= SMALL_MAX { 8 } else { 32 };
    size.div_ceil(unit) * unit
}

/// Page-aligned regions that live as long as the test.
#[derive(Default)]
pub struct Regions(pub Vec<(NonNull<u8>, usize)>);

impl Regions {
    pub fn layout(len: usize) -> Layout {
        Layout::from_size_align(len, PAGE).unwrap()
    }

    pub fn get(&mut self, len: usize) -> NonNull<u8> {
        // SAFETY: no test asks for 0 bytes.
        let ptr = NonNull::new(unsafe { alloc(Self::layout(len)) }).unwrap();
        // What a segment holds is not zero in general.
        // SAFETY: the region is `len` bytes long.
        unsafe { ptr.as_ptr().write_bytes(0x5a, len) };
        self.0.push((ptr, len));
        ptr
    }
}

impl Drop for Regions {
    fn drop(&mut self) {
        for &(ptr, len) in &self.0 {
            // SAFETY: allocated above with this layout.
            unsafe { dealloc(ptr.as_ptr(), Self::layout(len)) };
        }
    }
}

/// A live block of the model.
#[derive(Clone, Copy)]
pub struct Block {
    pub ptr: NonNull<u8>,
    pub size: usize,
    seed: u8,
}

/// A heap, the memory it was given, and what it should hold.
pub struct Bench<B: Backing> {
    pub heap: Heap<B>,
    pub live: Vec<Block>,
    /// Start and end of every live block.
    spans: BTreeMap<usize, usize>,
    pub regions: Regions,
    seed: u8,
}

impl<B: Backing> Bench<B> {
    pub fn new(limit: usize, backing: B) -> Self {
        Bench {
            heap: Heap::new(limit, backing),
            live: vec![],
            spans: BTreeMap::new(),
            regions: Regions::default(),
            seed: 0,
        }
    }

    pub fn add(&mut self, len: usize) -> (NonNull<u8>, usize) {
        let ptr = self.regions.get(len);
        // SAFETY: the region lives as long as the heap and belongs to it.
        unsafe { self.heap.add_segment(ptr, len) }.unwrap();
        (ptr, len)
    }

    pub fn fill(&mut self, block: Block, from: usize) {
        for i in from..block.size {
            // SAFETY: inside the block.
            unsafe {
                block
                    .ptr
                    .as_ptr()
                    .add(i)
                    .write(block.seed.wrapping_add(i as u8))
            };
        }
    }

    pub fn verify(&self, block: Block, len: usize) {
        for i in 0..len {
            // SAFETY: inside the block.
            let byte = unsafe { block.ptr.as_ptr().add(i).read() };
            assert_eq!(
                byte,
                block.seed.wrapping_add(i as u8),
                "byte {i} of a block of {} changed",
                block.size
            );
        }
    }

    pub fn enter(&mut self, ptr: NonNull<u8>, size: usize) {
        let start = ptr.as_ptr() as usize;
        assert_eq!(start % ALIGN, 0);
        if let Some((_, &end)) = self.spans.range(..=start).next_back() {
            assert!(end <= start, "overlaps the block before");
        }
        if let Some((&next, _)) = self.spans.range(start..).next() {
            assert!(start + size <= next, "overlaps the block after");
        }
        self.spans.insert(start, start + size);
    }

    pub fn alloc(&mut self, size: usize) -> bool {
        let Some(ptr) = self.heap.alloc(size) else {
            return false;
        };
        self.enter(ptr, size);
        self.seed = self.seed.wrapping_add(37);
        let block = Block {
            ptr,
            size,
            seed: self.seed,
        };
        self.fill(block, 0);
        self.live.push(block);
        true
    }

    pub fn free(&mut self, at: usize) {
        let block = self.live.swap_remove(at);
        self.verify(block, block.size);
        self.spans.remove(&(block.ptr.as_ptr() as usize));
        // SAFETY: a live block with its size.
        unsafe { self.heap.free(block.ptr, block.size) };
    }

    pub fn realloc(&mut self, at: usize, new: usize) -> bool {
        let block = self.live[at];
        self.verify(block, block.size);
        // SAFETY: a live block with its size.
        let Some(ptr) = (unsafe { self.heap.realloc(block.ptr, block.size, new) }) else {
            assert!(new > block.size, "a shrink failed");
            self.verify(block, block.size);
            return false;
        };
        self.spans.remove(&(block.ptr.as_ptr() as usize));
        self.enter(ptr, new);
        let moved = Block {
            ptr,
            size: new,
            seed: block.seed,
        };
        self.verify(moved, block.size.min(new));
        self.fill(moved, block.size.min(new));
        self.live[at] = moved;
        true
    }

    pub fn free_all(&mut self, rng: &mut Rng) {
        while !self.live.is_empty() {
            let at = rng.below(self.live.len());
            self.free(at);
        }
    }

    pub fn model(&self) -> usize {
        self.live.iter().map(|b| charge(b.size)).sum()
    }

    pub fn check(&self) {
        self.heap.check().unwrap();
    }

    /// Adds what the heap asks for.
    pub fn top_up(&mut self) {
        let len = self.heap.reserve_shortfall();
        if len != 0 {
            self.add(len);
        }
        assert_eq!(
            self.heap.reserve_shortfall(),
            0,
            "the segment asked for was too short"
        );
    }

    /// Everything freed: the account is 0 and each segment comes back as it was given.
    pub fn finish(mut self) {
        self.free_all(&mut Rng(1));
        assert_eq!(self.heap.used(), 0);
        self.check();
        let mut back = vec![];
        while let Some(seg) = self.heap.take_free_segment() {
            back.push(seg);
        }
        back.sort();
        self.regions.0.sort();
        assert_eq!(back, self.regions.0, "segments given and taken back");
        let stats = self.heap.stats();
        assert_eq!(
            (stats.reserved, stats.free, stats.segments, stats.outside),
            (0, 0, 0, 0)
        );
        assert_eq!(stats.bad_frees, 0);
    }
}

/// Random allocations, frees and changes of size.
pub fn churn<B: Backing>(
    bench: &mut Bench<B>,
    rng: &mut Rng,
    steps: usize,
    most: usize,
    full: usize,
    exact: bool,
) {
    for step in 0..steps {
        // Drifts between empty and full.
        let grow = if (step / 500) % 2 == 0 { 55 } else { 45 };
        match rng.below(100) {
            n if n < grow * 8 / 10 || bench.live.is_empty() => {
                if bench.live.len() < full {
                    bench.alloc(rng.skewed(most));
                }
            }
            n if n < 80 => bench.free(rng.below(bench.live.len())),
            _ => {
                let at = rng.below(bench.live.len());
                bench.realloc(at, rng.skewed(most));
            }
        }
        let (used, model) = (bench.heap.used(), bench.model_if(step % 64 == 0));
        if let Some(model) = model {
            assert!(used >= model && used <= bench.heap.limit() && bench.heap.peak() >= used);
            assert!(!exact || used == model, "charged {used}, should be {model}");
            bench.check();
        }
    }
}

impl<B: Backing> Bench<B> {
    pub fn model_if(&self, wanted: bool) -> Option<usize> {
        wanted.then(|| self.model())
    }
}
