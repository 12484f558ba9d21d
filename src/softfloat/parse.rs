// SPDX-License-Identifier: GPL-2.0-only

//! Numbers read from text as C's `strtod` reads them in the C locale, to the bits of a double; any context.
//!
//! Rounding is to nearest, ties to even, for text of any length: a 128-bit interval decides nearly always, and
//! where the interval holds the midpoint of two doubles the digits are compared with it exactly. The names
//! `inf` and `nan` are left out, because Lua refuses them before it converts.

use core::cmp::Ordering;

use super::bignum::Big;
use super::powers;

/// The bits of infinity: every finite double has fewer.
const INFINITY: u64 = 0x7ff0_0000_0000_0000;
const SIGN: u64 = 1 << 63;
/// The exponent of bit 0 of the least subnormal.
const LEAST_EXPONENT: i32 = -1074;
/// Digits that fit 64 bits whatever they are.
const WORD_DIGITS: u32 = 19;
/// More digits than any midpoint of two doubles has (767): what follows only says "a little more".
const EXACT_DIGITS: u32 = 768;
/// Limbs for the exact comparison: 769 digits have 2555 bits, and the two numbers compared are about as great.
const LIMBS: usize = 84;

/// The digits of a number, as they stand in the text: `0.` and an exponent are not interpreted yet.
struct Decimal<'a> {
    /// From the first digit other than zero on; may hold one point.
    digits: &'a [u8],
    /// The first 19 digits as a number.
    word: u64,
    /// The exponent of ten that belongs to `word`.
    exponent: i64,
    /// Digits other than zero follow those in `word`.
    truncated: bool,
}

/// Reads a decimal number at the start of `s`, after white space and a sign.
///
/// Returns the bits of the nearest double (infinity and zero where the exponent says so) and the number
/// of bytes read, white space and sign included; `None` when there is no number.
pub(crate) fn parse(s: &[u8]) -> Option<(u64, usize)> {
    let (negative, start) = skip_sign(s);
    let (decimal, used) = scan(s.get(start..)?)?;
    let bits = convert(&decimal);
    let sign = if negative { SIGN } else { 0 };
    Some((bits | sign, start.wrapping_add(used)))
}

/// Reads a hexadecimal number (`0x1.8p3`; point and exponent are optional) at the start of `s`, after white
/// space and a sign. The results are those of [`parse`]; a `0x` that no digit follows is the number 0 with
/// the `x` left over, and so is text that has no `0x`: `None`.
pub(crate) fn parse_hex(s: &[u8]) -> Option<(u64, usize)> {
    let (negative, start) = skip_sign(s);
    let (bits, used) = hex(s.get(start..)?)?;
    let sign = if negative { SIGN } else { 0 };
    Some((bits | sign, start.wrapping_add(used)))
}

/// The sign, and the bytes of white space and sign before the number.
fn skip_sign(s: &[u8]) -> (bool, usize) {
    let mut at = 0usize;
    while matches!(s.get(at), Some(b' ' | b'\t'..=b'\r')) {
        at = at.wrapping_add(1);
    }
    match s.get(at) {
        Some(b'-') => (true, at.wrapping_add(1)),
        Some(b'+') => (false, at.wrapping_add(1)),
        _ => (false, at),
    }
}

/// The value of an exponent after its letter, and the bytes it takes; 0 and 0 when no digit follows.
fn exponent(s: &[u8]) -> (i64, usize) {
    let (negative, mut at) = match s.first() {
        Some(b'-') => (true, 1usize),
        Some(b'+') => (false, 1),
        _ => (false, 0),
    };
    let first = at;
    let mut value = 0i64;
    at = at.wrapping_add(zeros_run(s.get(at..).unwrap_or(&[])));
    while let Some(digit @ b'0'..=b'9') = s.get(at) {
        // Cut off far above any text's length, so that no number of zeros can bring it back into range.
        if value >= 1 << 56 {
            at = at.wrapping_add(digits_run(s.get(at..).unwrap_or(&[])).0);
            break;
        }
        value = value
            .wrapping_mul(10)
            .wrapping_add(i64::from(digit.wrapping_sub(b'0')));
        at = at.wrapping_add(1);
    }
    if at == first {
        return (0, 0);
    }
    (
        if negative {
            value.wrapping_neg()
        } else {
            value
        },
        at,
    )
}

/// Eight bytes at a time: digits are those whose high half is 3 and stays so when 6 is added.
const DIGITS: u64 = 0x3030_3030_3030_3030;
const HIGH_HALVES: u64 = 0xf0f0_f0f0_f0f0_f0f0;
const SIXES: u64 = 0x0606_0606_0606_0606;

/// How many digits `s` begins with, and whether one of them is other than zero.
fn digits_run(s: &[u8]) -> (usize, bool) {
    let mut some = 0u64;
    let mut count = 0usize;
    let mut left = s;
    while let Some((word, rest)) = left.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        // No carry goes from one byte to the next where all are digits; where one is none, the loop ends.
        if word & HIGH_HALVES != DIGITS || word.wrapping_add(SIXES) & HIGH_HALVES != DIGITS {
            break;
        }
        some |= word ^ DIGITS;
        count = count.wrapping_add(8);
        left = rest;
    }
    for byte in left {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        some |= u64::from(digit);
        count = count.wrapping_add(1);
    }
    (count, some != 0)
}

/// How many zeros `s` begins with.
fn zeros_run(s: &[u8]) -> usize {
    let mut left = s;
    while let Some((word, rest)) = left.split_first_chunk() {
        if u64::from_le_bytes(*word) != DIGITS {
            break;
        }
        left = rest;
    }
    let zeros = left.iter().take_while(|byte| **byte == b'0').count();
    s.len().wrapping_sub(left.len()).wrapping_add(zeros)
}

/// The value of a hexadecimal digit; 16 or more for what is none.
fn hex_value(byte: u8) -> u8 {
    match byte.wrapping_sub(b'0') {
        digit @ 0..=9 => digit,
        _ => match (byte | 0x20).wrapping_sub(b'a') {
            digit @ 0..=5 => digit.wrapping_add(10),
            _ => 16,
        },
    }
}

/// Finds a number's digits and exponent in one pass; of digits past those in the word only how many they are, and
/// whether all are zero, is looked at: a text may be as long as a state's memory, and nothing interrupts this.
fn scan(s: &[u8]) -> Option<(Decimal<'_>, usize)> {
    let mut at = 0usize;
    let mut word = 0u64;
    let mut count = 0u32;
    let mut exponent_of_word = 0i64;
    let mut truncated = false;
    let mut any = false;
    let mut point = false;
    let mut first = None;
    loop {
        let rest = s.get(at..).unwrap_or(&[]);
        let digit = match rest.first() {
            Some(digit @ b'0'..=b'9') => digit.wrapping_sub(b'0'),
            Some(b'.') if !point => {
                point = true;
                at = at.wrapping_add(1);
                continue;
            }
            _ => break,
        };
        any = true;
        let mut run = 1usize;
        if digit == 0 && first.is_none() {
            run = zeros_run(rest);
            exponent_of_word = exponent_of_word.wrapping_sub(if point { run as i64 } else { 0 });
        } else if count < WORD_DIGITS {
            first = first.or(Some(at));
            word = word.wrapping_mul(10).wrapping_add(u64::from(digit));
            count = count.wrapping_add(1);
            exponent_of_word = exponent_of_word.wrapping_sub(i64::from(point));
        } else {
            let some;
            (run, some) = digits_run(rest);
            truncated |= some;
            exponent_of_word = exponent_of_word.wrapping_add(if point { 0 } else { run as i64 });
        }
        at = at.wrapping_add(run);
    }
    if !any {
        return None;
    }
    let digits = s.get(first.unwrap_or(at)..at).unwrap_or(&[]);
    if let Some(b'e' | b'E') = s.get(at) {
        let after = at.wrapping_add(1);
        let (value, used) = exponent(s.get(after..).unwrap_or(&[]));
        if used != 0 {
            exponent_of_word = exponent_of_word.saturating_add(value);
            at = after.wrapping_add(used);
        }
    }
    let decimal = Decimal {
        digits,
        word,
        exponent: exponent_of_word,
        truncated,
    };
    Some((decimal, at))
}

/// The nearest double, without its sign.
fn convert(decimal: &Decimal<'_>) -> u64 {
    if decimal.word == 0 {
        return 0;
    }
    let Ok(exponent) = i32::try_from(decimal.exponent) else {
        return if decimal.exponent < 0 { 0 } else { INFINITY };
    };
    // The word has at most 19 digits: beyond the table on the low side everything is below half of the least
    // subnormal, and above 10^308 everything overflows.
    if exponent < powers::MIN {
        return 0;
    }
    if exponent > 308 {
        return INFINITY;
    }
    let Some((low, mut high)) = bounds(decimal.word, exponent) else {
        return 0;
    };
    if decimal.truncated {
        // The number lies between the word and the next one.
        if let Some((_, above)) = bounds(decimal.word.wrapping_add(1), exponent) {
            high = above;
        }
    }
    if low == high {
        low
    } else {
        decide(decimal, exponent, low)
    }
}

/// The doubles nearest to the lower and to the upper bound of what is known of `word * 10^exponent`.
fn bounds(word: u64, exponent: i32) -> Option<(u64, u64)> {
    let zeros = word.leading_zeros();
    let product = powers::multiply(word.wrapping_shl(zeros), exponent)?;
    let exp2 = product
        .exp2
        .wrapping_add(exponent)
        .wrapping_sub(zeros as i32);
    let top = 127i32.wrapping_sub(product.x.leading_zeros() as i32);
    // What is kept are 53 bits, or fewer where the least exponent cuts them off.
    let shift = top.wrapping_sub(52).max(LEAST_EXPONENT.wrapping_sub(exp2));
    if shift > 128 {
        return Some((0, 0));
    }
    let round = |x, sticky| {
        let mantissa = powers::round_shift(x, shift as u32, sticky);
        // For subnormals the exponent field is 0 and this is 0; a carry out of the mantissa raises the field.
        let field = shift
            .wrapping_add(exp2)
            .wrapping_sub(LEAST_EXPONENT)
            .clamp(0, 2047);
        (field as u64)
            .wrapping_shl(52)
            .wrapping_add(mantissa)
            .min(INFINITY)
    };
    let low = round(product.x, product.sticky);
    let high = if product.exact {
        low
    } else {
        round(product.x.wrapping_add(1), true)
    };
    Some((low, high))
}

/// `low` or the next double: compares all digits with the midpoint of the two.
#[inline(never)]
fn decide(decimal: &Decimal<'_>, exponent_of_word: i32, low: u64) -> u64 {
    let (mut number, count) = number(decimal.digits);
    // With fewer digits than the word can hold, the word's exponent is that of the last digit already.
    let exponent = exponent_of_word
        .wrapping_add(WORD_DIGITS as i32)
        .wrapping_sub(count.max(WORD_DIGITS) as i32);

    let (mantissa, field) = (low & ((1 << 52) - 1), (low >> 52) as i32);
    let (mantissa, exp2) = if field == 0 {
        (mantissa, LEAST_EXPONENT)
    } else {
        (
            mantissa | 1 << 52,
            LEAST_EXPONENT.wrapping_add(field).wrapping_sub(1),
        )
    };
    let mut midpoint = Big::<LIMBS>::new(mantissa.wrapping_mul(2).wrapping_add(1));
    let exp2 = exp2.wrapping_sub(1);

    // number * 10^exponent against midpoint * 2^exp2: powers of five to the side where they are whole, then those of two.
    if exponent >= 0 {
        number.multiply_pow5(exponent.unsigned_abs());
    } else {
        midpoint.multiply_pow5(exponent.unsigned_abs());
    }
    let shift = exponent.wrapping_sub(exp2);
    if shift >= 0 {
        number.shift_left(shift.unsigned_abs());
    } else {
        midpoint.shift_left(shift.unsigned_abs());
    }
    match number.compare(&midpoint) {
        Ordering::Less => low,
        Ordering::Equal => low.wrapping_add(low & 1),
        Ordering::Greater => low.wrapping_add(1),
    }
}

/// The digits as one number, and how many they are; of more than `EXACT_DIGITS`, one digit stands for the rest.
fn number(digits: &[u8]) -> (Big<LIMBS>, u32) {
    let mut number = Big::new(0);
    let mut count = 0u32;
    // Nine digits at a time go into the big number.
    let (mut block, mut scale) = (0u32, 1u32);
    let mut rest = digits.iter();
    for &byte in rest.by_ref() {
        if byte == b'.' {
            continue;
        }
        block = block
            .wrapping_mul(10)
            .wrapping_add(u32::from(byte.wrapping_sub(b'0')));
        scale = scale.wrapping_mul(10);
        count = count.wrapping_add(1);
        if scale == 1_000_000_000 {
            number.multiply(scale, block);
            (block, scale) = (0, 1);
        }
        if count == EXACT_DIGITS {
            break;
        }
    }
    number.multiply(scale, block);
    // One unit below the last digit is as good as all that may follow.
    if has_more(rest.as_slice()) {
        number.multiply(10, 1);
        count = count.wrapping_add(1);
    }
    (number, count)
}

/// True when a digit other than zero is among these digits, and perhaps a point.
fn has_more(mut digits: &[u8]) -> bool {
    loop {
        let zeros = zeros_run(digits);
        match digits.get(zeros..) {
            Some([b'.', rest @ ..]) => digits = rest,
            Some([]) | None => return false,
            Some(_) => return true,
        }
    }
}

/// A hexadecimal number without its sign, and the bytes it takes.
fn hex(s: &[u8]) -> Option<(u64, usize)> {
    if !matches!(s, [b'0', b'x' | b'X', ..]) {
        return None;
    }
    let mut at = 2usize;
    let mut word = 0u64;
    let mut exp2 = 0i64;
    let mut sticky = false;
    let mut any = false;
    let mut point = false;
    while let Some(&byte) = s.get(at) {
        let digit = hex_value(byte);
        if byte == b'.' && !point {
            point = true;
        } else if digit > 15 {
            break;
        } else if word >> 60 == 0 {
            any = true;
            word = word << 4 | u64::from(digit);
            exp2 = exp2.wrapping_sub(if point { 4 } else { 0 });
        } else {
            let rest = s.get(at..).unwrap_or(&[]);
            let run = rest.iter().take_while(|byte| hex_value(**byte) < 16).count();
            sticky |= zeros_run(rest) < run;
            exp2 = exp2.wrapping_add(if point { 0 } else { (run as i64).wrapping_mul(4) });
            at = at.wrapping_add(run);
            continue;
        }
        at = at.wrapping_add(1);
    }
    if !any {
        // The zero of `0x` is a number of its own.
        return Some((0, 1));
    }
    if let Some(b'p' | b'P') = s.get(at) {
        let after = at.wrapping_add(1);
        let (value, used) = exponent(s.get(after..).unwrap_or(&[]));
        if used != 0 {
            exp2 = exp2.saturating_add(value);
            at = after.wrapping_add(used);
        }
    }
    Some((scale(word, exp2, sticky), at))
}

/// The double nearest to `word * 2^exp2`, or to a little more if `sticky`.
fn scale(word: u64, exp2: i64, sticky: bool) -> u64 {
    if word == 0 {
        return 0;
    }
    let zeros = word.leading_zeros();
    let exp2 = exp2.saturating_sub(i64::from(zeros));
    if exp2 > 1023 {
        return INFINITY;
    }
    let low = i64::from(LEAST_EXPONENT);
    let shift = low.wrapping_sub(exp2).max(11);
    if exp2 < low.wrapping_sub(64) {
        return 0;
    }
    // The word is put at the top of 128 bits: the rest it leaves then has room for any shift.
    let x = u128::from(word.wrapping_shl(zeros)) << 63;
    let mantissa = powers::round_shift(x, (shift as u32).wrapping_add(63), sticky);
    let field = shift.wrapping_add(exp2).wrapping_sub(low).clamp(0, 2047);
    (field as u64)
        .wrapping_shl(52)
        .wrapping_add(mantissa)
        .min(INFINITY)
}
