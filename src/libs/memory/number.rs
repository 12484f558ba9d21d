// SPDX-License-Identifier: GPL-2.0-only

//! Integers of 1 to 16 bytes in either byte order. Pure, any context.

/// Bytes of a Lua integer.
const WORD: usize = 8;

/// True if a signed integer of `size` bytes can hold `value`.
pub fn fits_signed(value: i64, size: usize) -> bool {
    // What is left of the sign bit must be like it.
    size >= WORD || matches!(value >> (size * 8).saturating_sub(1), 0 | -1)
}

/// True if an unsigned integer of `size` bytes can hold the bits of `value`.
pub fn fits_unsigned(value: u64, size: usize) -> bool {
    size >= WORD || value >> (size * 8) == 0
}

/// Writes the low bytes of `value` all over `to`; bytes beyond a Lua integer are all `fill`.
pub fn put_integer(to: &mut [u8], value: u64, fill: u8, little: bool) {
    let bytes = value.to_le_bytes().into_iter().chain(core::iter::repeat(fill));
    if little {
        to.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
    } else {
        to.iter_mut().rev().zip(bytes).for_each(|(slot, byte)| *slot = byte);
    }
}

/// Reads an integer from all of `from`; `None` if its value is not that of a Lua integer's bits.
pub fn get_integer(from: &[u8], signed: bool, little: bool) -> Option<u64> {
    let from_lowest = |index: usize| {
        let index = if little { index } else { from.len().checked_sub(index + 1)? };
        from.get(index).copied()
    };
    let mut value = 0;
    for index in (0..from.len().min(WORD)).rev() {
        value = value << 8 | u64::from(from_lowest(index)?);
    }
    if from.len() < WORD {
        let sign = 1_u64 << (from.len() * 8).saturating_sub(1);
        return Some(if signed { (value ^ sign).wrapping_sub(sign) } else { value });
    }
    let fill = if signed && (value as i64) < 0 { 0xff } else { 0 };
    (WORD..from.len()).all(|index| from_lowest(index) == Some(fill)).then_some(value)
}
