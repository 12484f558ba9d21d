// SPDX-License-Identifier: GPL-2.0-only

//! The pure half of the `memory` library against plain models, on random operations with fixed seeds.
//!
//! Every test prints its number of operations and its seed. `LUNATIK_FUZZ_CASES` sets the number of operations of
//! each, `LUNATIK_FUZZ_SEED` the seed. What Lua sees of all this, `tests/lua_host.rs` looks at.

use lunatik::libs::memory::fill::Fill;
use lunatik::libs::memory::find::{Find, Found};
use lunatik::libs::memory::format::{Format, Item, Kind, Malformed};
use lunatik::libs::memory::number::{fits_signed, fits_unsigned, get_integer, put_integer};
use lunatik::libs::memory::{differ, position, range};
use lunatik::lua::memlib;

/// SplitMix64 (G. Steele et al., 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 up to, without, `limit`.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn bytes(&mut self, len: usize, letters: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(letters) as u8).collect()
    }

    /// An integer, more often one near a power of two, or small, than not.
    fn integer(&mut self) -> i64 {
        let near = (self.below(5) as i64).wrapping_sub(2);
        match self.below(4) {
            0 => self.next() as i64,
            1 => near,
            2 => (1_i64 << self.below(64)).wrapping_add(near),
            _ => (-1_i64 << self.below(64)).wrapping_add(near),
        }
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")),
        Err(_) => default,
    }
}

/// Runs `cases` operations, and says how many.
fn run(what: &str, cases: u64, mut operation: impl FnMut(&mut Random)) {
    let (cases, seed) = (from_environment("LUNATIK_FUZZ_CASES", cases), from_environment("LUNATIK_FUZZ_SEED", 1));
    let mut random = Random(seed);
    for _ in 0..cases {
        operation(&mut random);
    }
    println!("{what}: {cases} operations, seed {seed}");
}

#[test]
fn positions_and_ranges() {
    run("positions", 300_000, |random| {
        let len = random.below(20);
        let (i, j) = if random.below(3) == 0 {
            (random.integer(), random.integer())
        } else {
            (random.below(50) as i64 - 25, random.below(50) as i64 - 25)
        };
        let plain = |pos: i64| match i128::from(pos) {
            pos if pos >= 0 => pos,
            pos if pos < -(len as i128) => 0,
            pos => len as i128 + pos + 1,
        };
        assert_eq!(i128::from(position(i, len)), plain(i), "{i} of {len}");
        let (i, j) = (position(i, len), position(j, len));
        let wanted: Vec<usize> = (0..len).filter(|at| (i..=j).contains(&(*at as i64 + 1))).collect();
        let (start, count) = range(i, j, len);
        assert_eq!((start..start + count).collect::<Vec<_>>(), wanted, "{i} to {j} of {len}");
    });
}

#[test]
fn differences() {
    run("differences", 200_000, |random| {
        let (len, cut) = (random.below(40), random.below(40));
        let a = random.bytes(len, 256);
        let mut b = a.clone();
        b.truncate(cut);
        for _ in 0..random.below(3) {
            if !b.is_empty() {
                let at = random.below(b.len());
                b[at] = b[at].wrapping_add(random.below(2) as u8);
            }
        }
        let wanted = (0..a.len().min(b.len())).find(|at| a[*at] != b[*at]);
        assert_eq!(differ(&a, &b), wanted, "{a:?} {b:?}");
    });
}

/// As the document has it: each repetition is one memmove from where the source is.
fn fill_plainly(arena: &mut [u8], target: usize, source: usize, fill: &Fill) {
    let mut to = fill.begin;
    while to < fill.end && fill.unit > 0 {
        let len = fill.unit.min(fill.end - to);
        let chunk: Vec<u8> = arena[source + fill.from..][..len].to_vec();
        arena[target + to..][..len].copy_from_slice(&chunk);
        to += len;
    }
}

#[test]
fn fills_of_blocks_that_may_overlap() {
    run("fills", 200_000, |random| {
        let size = if random.below(2000) == 0 { 300_000 } else { 60 };
        let mut wanted = random.bytes(size, 256);
        let mut arena = wanted.clone();
        let (target, source) = (random.below(size), random.below(size));
        let (target_len, source_len) = (random.below(size - target) + 1, random.below(size - source) + 1);
        let (a, b) = (random.below(target_len + 1), random.below(target_len + 1));
        let from = random.below(source_len);
        let (begin, unit) = (a.min(b), source_len - from);
        let mut fill = Fill { begin, to: begin, end: a.max(b), from, unit, done: 0 };
        fill_plainly(&mut wanted, target, source, &fill);
        if random.below(2) == 0 {
            let most = random.below(10) + 1;
            while let Some(piece) = fill.next(source as isize - target as isize, most) {
                assert!((1..=most).contains(&piece.len));
                let from = if piece.inside { target } else { source } + piece.from;
                arena.copy_within(from..from + piece.len, target + piece.to);
            }
        } else {
            let (to, from) = (arena[target..].as_mut_ptr(), arena[source..].as_ptr());
            // SAFETY: both blocks are parts of the arena, which nobody else uses.
            while unsafe { memlib::lunatik_mem_fill(&mut fill, to, target_len, from, source_len) } == 2 {}
        }
        assert!(arena == wanted, "{fill:?}, source at {source}, target at {target} of {size}");
    });
}

fn find(hay: &[u8], needle: &[u8]) -> (Option<usize>, usize) {
    let mut search = Find::new();
    for steps in 1.. {
        match search.step(hay, needle) {
            Found::At(at) => return (Some(at), steps),
            Found::Nowhere => return (None, steps),
            Found::NotYet => (),
        }
    }
    unreachable!()
}

#[test]
fn searches() {
    run("searches", 400_000, |random| {
        let letters = [1, 2, 2, 3, 256][random.below(5)];
        let len = random.below(60);
        let hay = random.bytes(len, letters);
        let len = random.below(12);
        let mut needle = random.bytes(len, letters);
        // What recurs is the hard case.
        if random.below(2) == 0 {
            needle = needle.repeat(random.below(4) + 1);
        }
        if random.below(3) == 0 && !hay.is_empty() {
            let at = random.below(hay.len());
            needle = hay[at..][..random.below(hay.len() - at + 1)].to_vec();
        }
        let wanted = (0..hay.len()).find(|at| !needle.is_empty() && hay[*at..].starts_with(&needle));
        assert_eq!(find(&hay, &needle).0, wanted, "{needle:?} in {hay:?}");
    });
}

#[test]
fn long_searches_take_linear_time() {
    const LEN: usize = 1 << 20;
    let mut hay = vec![b'a'; LEN];
    hay[LEN - 1] = b'b';
    for (needle, wanted) in [
        ([vec![b'a'; LEN / 2], vec![b'b']].concat(), Some(LEN - 1 - LEN / 2)),
        ([vec![b'b'], vec![b'a'; LEN / 2]].concat(), None),
        ([vec![b'a'; LEN / 4], vec![b'b'], vec![b'a'; LEN / 4]].concat(), None),
        ([vec![b'a'; LEN / 2], vec![b'b'; 2]].concat(), None),
        (b"ab".to_vec(), Some(LEN - 2)),
        (b"ba".to_vec(), None),
    ] {
        let (found, steps) = find(&hay, &needle);
        assert_eq!(found, wanted);
        let comparisons = steps * (1 << 12);
        assert!(comparisons < 4 * (LEN + needle.len()), "{} bytes: {comparisons} comparisons", needle.len());
    }
}

#[test]
fn what_is_searched_may_change() {
    run("changing searches", 2_000, |random| {
        let len = 40_000 + random.below(40_000);
        let mut hay = random.bytes(len, 2);
        let mut needle = hay[len / 2..][..random.below(20_000)].to_vec();
        let mut search = Find::new();
        for _ in 0..1000 {
            match search.step(&hay, &needle) {
                Found::NotYet => (),
                Found::At(at) => {
                    assert!(at + needle.len() <= hay.len());
                    return;
                }
                Found::Nowhere => return,
            }
            hay.truncate(hay.len() - random.below(hay.len() / 4 + 1));
            if random.below(4) == 0 {
                needle.resize(random.below(20_000), 1);
            }
        }
        panic!("a search without end");
    });
}

#[test]
fn integers() {
    run("integers", 300_000, |random| {
        let (value, size, little, signed) =
            (random.integer(), random.below(16) + 1, random.below(2) == 0, random.below(2) == 0);
        let bits = size as u32 * 8;
        if size < 8 {
            let wide = i128::from(value);
            assert_eq!(fits_signed(value, size), (-(1 << (bits - 1))..1 << (bits - 1)).contains(&wide), "{value} {size}");
            assert_eq!(fits_unsigned(value as u64, size), (0..1 << bits).contains(&wide), "{value} {size}");
        } else {
            assert!(fits_signed(value, size) && fits_unsigned(value as u64, size));
        }
        let wide = if signed { i128::from(value) } else { i128::from(value as u64) };
        let mut wanted = wide.to_le_bytes()[..size].to_vec();
        if !little {
            wanted.reverse();
        }
        let mut packed = vec![0x55; size];
        put_integer(&mut packed, value as u64, if signed && value < 0 { 0xff } else { 0 }, little);
        assert_eq!(packed, wanted);
        // Read what was written, or with a byte of it changed.
        if random.below(2) == 0 {
            packed[random.below(size)] = random.next() as u8;
        }
        let mut full = packed.clone();
        if !little {
            full.reverse();
        }
        let negative = signed && full[size - 1] >= 0x80;
        full.resize(16, if negative { 0xff } else { 0 });
        let wide = i128::from_le_bytes(full.try_into().expect("16 bytes"));
        let wanted = if signed { i64::try_from(wide).ok().map(|v| v as u64) } else { u64::try_from(wide).ok() };
        assert_eq!(get_integer(&packed, signed, little), wanted, "{packed:?} {signed} {little}");
    });
}

/// The manual's section 6.4.2, as literally as can be: the items, and what ended them.
fn read_plainly(text: &str, first_offset: usize) -> (Vec<(Item, bool)>, Option<Malformed>) {
    let (mut rest, mut offset, mut most, mut little) = (text, first_offset, 1_usize, true);
    let mut items = Vec::new();
    type Option_ = (Kind, usize, char);
    fn take(rest: &mut &str) -> Result<Option_, Malformed> {
        let letter = rest.chars().next().expect("not empty");
        *rest = &rest[1..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let numbered = "!iIsc".contains(letter);
        let number: Option<usize> = if numbered && digits > 0 { rest[..digits].parse().ok() } else { None };
        if numbered {
            *rest = &rest[digits..];
        }
        let integer = |default| match number.unwrap_or(default) {
            n @ 1..=16 => Ok(n),
            n => Err(Malformed::Size(n)),
        };
        let (kind, size) = match letter {
            'b' => (Kind::Signed, 1),
            'B' => (Kind::Unsigned, 1),
            'h' => (Kind::Signed, 2),
            'H' => (Kind::Unsigned, 2),
            'l' | 'j' => (Kind::Signed, 8),
            'L' | 'J' | 'T' => (Kind::Unsigned, 8),
            'i' => (Kind::Signed, integer(4)?),
            'I' => (Kind::Unsigned, integer(4)?),
            's' => (Kind::Counted, integer(8)?),
            'f' => (Kind::Float, 4),
            'd' | 'n' => (Kind::Float, 8),
            'c' => (Kind::Chars, number.ok_or(Malformed::NoSize)?),
            'z' => (Kind::Terminated, 0),
            'x' => (Kind::Padding, 1),
            '!' => (Kind::Nothing, integer(8)?),
            '<' | '>' | '=' | ' ' | 'X' => (Kind::Nothing, 0),
            other => return Err(Malformed::Option(other as u8)),
        };
        Ok((kind, size, letter))
    }
    while !rest.is_empty() {
        let (kind, mut size, letter) = match take(&mut rest) {
            Ok(option) => option,
            Err(error) => return (items, Some(error)),
        };
        let mut align = if kind == Kind::Chars { 0 } else { size };
        match letter {
            '<' | '=' => little = true,
            '>' => little = false,
            '!' => (most, size, align) = (size, 0, 0),
            'X' => {
                if rest.is_empty() {
                    return (items, Some(Malformed::Next));
                }
                align = match take(&mut rest) {
                    Err(error) => return (items, Some(error)),
                    Ok((Kind::Chars | Kind::Nothing | Kind::Terminated, ..)) => return (items, Some(Malformed::Next)),
                    Ok((_, size, _)) => size,
                };
            }
            _ => (),
        }
        let mut skip = 0;
        if align > 1 {
            let align = align.min(most);
            if align.count_ones() != 1 {
                return (items, Some(Malformed::Power));
            }
            while (offset + skip) % align != 0 {
                skip += 1;
            }
        }
        items.push((Item { kind, size, skip }, little));
        offset += skip + size;
    }
    (items, None)
}

#[test]
fn formats() {
    let mut malformed = 0_u64;
    run("formats", 300_000, |random| {
        let letters = "bBhHlLjJTiIsfdnczxX!<>= iIsc!X";
        let mut text = String::new();
        for _ in 0..random.below(8) {
            text.push(letters.as_bytes()[random.below(letters.len())] as char);
            match random.below(12) {
                0..=5 => text.push_str(&(random.below(9)).to_string()),
                6 => text.push_str(&random.below(40).to_string()),
                7 => text.push(['r', '@', '5', 'Z'][random.below(4)]),
                _ => (),
            }
        }
        let first = random.below(40);
        // A number after `!` that `X` skips sets the alignment, a byte order the order: such formats are errors anyway.
        let (wanted, why) = read_plainly(&text, first);
        let (mut format, mut offset, mut got) = (Format::new(), first, Vec::new());
        let end = loop {
            match format.next(text.as_bytes(), offset) {
                Ok(Some(item)) => {
                    offset += item.skip + item.size;
                    got.push((item, format.little != 0));
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        malformed += u64::from(why.is_some());
        assert_eq!((got, end), (wanted, why), "{text:?} at {first}");
    });
    println!("formats: {malformed} of them malformed");
    assert!(malformed > 1000);
}

#[test]
fn a_format_ends_at_a_zero_byte_and_numbers_have_a_limit() {
    let first = |text: &[u8]| Format::new().next(text, 0);
    assert_eq!(first(b"\0b"), Ok(None));
    assert_eq!(first(b""), Ok(None));
    assert_eq!(first(b"c2147483639").map(|item| item.map(|item| item.size)), Ok(Some(2_147_483_639)));
    // As in string.pack, further digits are no part of the number.
    assert_eq!(first(b"c99999999999").map(|item| item.map(|item| item.size)), Ok(Some(999_999_999)));
    assert_eq!(first(b"i99999999999"), Err(Malformed::Size(999_999_999)));
    assert_eq!(first(b"\xff"), Err(Malformed::Option(0xff)));
}
