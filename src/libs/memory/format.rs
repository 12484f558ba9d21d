// SPDX-License-Identifier: GPL-2.0-only

//! Formats of packed data, option by option, as `string.pack` of Lua 5.3 reads them. Pure, any context.
//!
//! A format ends at its first zero byte. What is different from `string.pack` is the caller's affair, but
//! that alignment counts from the beginning of the memory.

/// The largest integer, in bytes.
pub const MAX_INTEGER: usize = 16;
/// `!` without a number.
const DEFAULT_ALIGN: usize = 8;
/// A number in a format grows as long as it is no larger than this, so that one more digit fits a C int.
const MAX_NUMBER: usize = (i32::MAX as usize - 9) / 10;

/// How an item is represented; the numbers are C's (`enum lunatik_kind`).
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Signed = 1,
    Unsigned = 2,
    Float = 3,
    /// Exactly `size` bytes of a string.
    Chars = 4,
    /// A string after its length, an unsigned integer of `size` bytes.
    Counted = 5,
    /// A string and a zero byte.
    Terminated = 6,
    /// A byte that is left as it is.
    Padding = 7,
    /// Nothing, but the bytes skipped before it.
    Nothing = 8,
}

/// One option of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    pub kind: Kind,
    /// Bytes it takes, without those that depend on a value.
    pub size: usize,
    /// Bytes to skip before it, for alignment.
    pub skip: usize,
}

/// What is wrong with a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// There is no such option.
    Option(u8),
    /// The size of an integer is out of limits.
    Size(usize),
    /// `c` without a size.
    NoSize,
    /// `X` before what has no alignment.
    Next,
    /// An alignment that is no power of 2.
    Power,
}

/// A format being read. C keeps it between two options (`struct lunatik_format`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// How much of the format was read.
    pub at: usize,
    /// The largest alignment in force; 1 to begin with.
    pub align: usize,
    /// Not 0 for little endian.
    pub little: usize,
}

impl Format {
    /// A format's beginning: no alignment, the byte order of the machine.
    pub const fn new() -> Self {
        Self { at: 0, align: 1, little: cfg!(target_endian = "little") as usize }
    }

    /// The next option, for data that goes to `offset`; `None` at the end.
    pub fn next(&mut self, text: &[u8], offset: usize) -> Result<Option<Item>, Malformed> {
        let Some(letter) = self.letter(text) else {
            return Ok(None);
        };
        let (kind, size) = self.option(letter, text)?;
        let mut align = size;
        if letter == b'X' {
            let next = self.letter(text).ok_or(Malformed::Next)?;
            let (kind, size) = self.option(next, text)?;
            if kind == Kind::Chars || size == 0 {
                return Err(Malformed::Next);
            }
            align = size;
        }
        let skip = if align > 1 && kind != Kind::Chars { self.skip(align.min(self.align), offset)? } else { 0 };
        Ok(Some(Item { kind, size, skip }))
    }

    fn skip(&self, align: usize, offset: usize) -> Result<usize, Malformed> {
        if !align.is_power_of_two() {
            return Err(Malformed::Power);
        }
        Ok(offset.wrapping_neg() & (align - 1))
    }

    fn letter(&mut self, text: &[u8]) -> Option<u8> {
        let letter = text.get(self.at).copied().filter(|byte| *byte != 0)?;
        self.at = self.at.saturating_add(1);
        Some(letter)
    }

    /// The kind and the size of an option whose letter was read; takes in its number.
    fn option(&mut self, letter: u8, text: &[u8]) -> Result<(Kind, usize), Malformed> {
        Ok(match letter {
            b'b' => (Kind::Signed, 1),
            b'B' => (Kind::Unsigned, 1),
            b'h' => (Kind::Signed, 2),
            b'H' => (Kind::Unsigned, 2),
            b'l' | b'j' => (Kind::Signed, 8),
            b'L' | b'J' | b'T' => (Kind::Unsigned, 8),
            b'i' => (Kind::Signed, self.limited(text, 4)?),
            b'I' => (Kind::Unsigned, self.limited(text, 4)?),
            b'f' => (Kind::Float, 4),
            b'd' | b'n' => (Kind::Float, 8),
            b's' => (Kind::Counted, self.limited(text, 8)?),
            b'c' => (Kind::Chars, self.number(text).ok_or(Malformed::NoSize)?),
            b'z' => (Kind::Terminated, 0),
            b'x' => (Kind::Padding, 1),
            b'X' | b' ' => (Kind::Nothing, 0),
            b'<' | b'>' | b'=' => {
                let native = cfg!(target_endian = "little");
                self.little = usize::from(letter == b'<' || letter == b'=' && native);
                (Kind::Nothing, 0)
            }
            b'!' => {
                self.align = self.limited(text, DEFAULT_ALIGN)?;
                (Kind::Nothing, 0)
            }
            _ => return Err(Malformed::Option(letter)),
        })
    }

    /// The size of an integer: the number that follows, or `default`.
    fn limited(&mut self, text: &[u8], default: usize) -> Result<usize, Malformed> {
        match self.number(text).unwrap_or(default) {
            size if (1..=MAX_INTEGER).contains(&size) => Ok(size),
            size => Err(Malformed::Size(size)),
        }
    }

    fn number(&mut self, text: &[u8]) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = text.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            let before = number.unwrap_or(0);
            if before > MAX_NUMBER {
                break;
            }
            number = Some(before * 10 + usize::from(digit - b'0'));
            self.at = self.at.saturating_add(1);
        }
        number
    }
}

impl Default for Format {
    fn default() -> Self {
        Self::new()
    }
}
