// SPDX-License-Identifier: GPL-2.0-only

//! What the `memory` library does with bytes: positions, comparison, filling, searching, packed numbers.
//!
//! Pure: any context, no locks, `core` alone; the kernel and the user-space module share it. Work that
//! grows with its input is done in steps of a bounded size, so that a caller can give way in between, and
//! the slices may be others at the next step. Pointers are `src/lua/memlib.rs`'s affair, Lua values
//! `src/lua/memlib.c`'s.

pub mod fill;
pub mod find;
pub mod format;
pub mod number;

/// The most bytes that one step of anything copies or compares.
pub const STEP: usize = 1 << 16;

/// A position as Lua gives it, 1-based or negative from the end, in a block of `len` bytes: 1-based, 0 for
/// what lies before the beginning. It may lie behind the end.
pub fn position(pos: i64, len: usize) -> i64 {
    if pos >= 0 {
        return pos;
    }
    // A block is never longer than half of the address space.
    pos.checked_add(len as i64).filter(|before| *before >= 0).map_or(0, |before| before + 1)
}

/// The bytes at `i` to `j`, both translated by [`position`], as far as they exist: offset and number.
pub fn range(i: i64, j: i64, len: usize) -> (usize, usize) {
    let start = usize::try_from(i.saturating_sub(1)).unwrap_or(0);
    let end = usize::try_from(j).unwrap_or(0).min(len);
    if start < end {
        (start, end - start)
    } else {
        (0, 0)
    }
}

/// The offset of the first byte in which `a` and `b` differ, as far as both have it.
pub fn differ(a: &[u8], b: &[u8]) -> Option<usize> {
    let words = |bytes: &[u8]| bytes.first_chunk().copied().map(u64::from_le_bytes);
    let (mut rest_a, mut rest_b, mut at) = (a, b, 0);
    while let (Some(x), Some(y)) = (words(rest_a), words(rest_b)) {
        if x != y {
            return Some(at + (x ^ y).trailing_zeros() as usize / 8);
        }
        rest_a = rest_a.get(8..).unwrap_or(&[]);
        rest_b = rest_b.get(8..).unwrap_or(&[]);
        at += 8;
    }
    rest_a.iter().zip(rest_b).position(|(x, y)| x != y).map(|more| at + more)
}
