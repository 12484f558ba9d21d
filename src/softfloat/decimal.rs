// SPDX-License-Identifier: GPL-2.0-only

//! The decimal digits of a double, rounded to nearest (ties to even) at a place the caller names; any context.
//!
//! [`quick`] takes up to 17 digits from a 128-bit product and says when that cannot decide; [`exact`] writes
//! the number out in full, as far as it must be. How digits are laid out is [`super::format`]'s business.

use super::bignum::Big;
use super::powers;

/// Where the digits end.
#[derive(Clone, Copy)]
pub(crate) enum Cut {
    /// After this many significant digits, at least 1.
    Significant(u32),
    /// After this many digits behind the point.
    Fraction(u32),
}

/// A finite double other than zero without its sign: `mantissa * 2^exp2`.
#[derive(Clone, Copy)]
pub(crate) struct Finite {
    pub(crate) mantissa: u64,
    pub(crate) exp2: i32,
}

/// The digits that [`exact`] can need: 767 significant ones are the most a double has, and blocks of nine overshoot.
pub(crate) const EXACT_CAPACITY: usize = 784;
/// The digits that [`quick`] gives at most.
pub(crate) const QUICK_CAPACITY: usize = 20;
/// Limbs for the greatest double as an integer (1024 bits) and for the least as a fraction (1074 bits).
const LIMBS: usize = 36;
const BLOCK: u32 = 1_000_000_000;
const BLOCK_DIGITS: usize = 9;
/// With more digits than this the product's interval is no longer narrow against the last digit.
const QUICK_DIGITS: u32 = 17;

/// Powers of ten that fit 64 bits.
static POW10: [u64; 20] = {
    let mut table = [1; 20];
    let mut i = 1;
    #[allow(clippy::indexing_slicing)]
    while i < 20 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

/// The number of digits written and the place of the point: the value is `0.DDD * 10^point`.
pub(crate) type Placed = (usize, i32);

fn add(a: i32, b: i32) -> i32 {
    a.saturating_add(b)
}

fn pow10(exponent: u32) -> u64 {
    POW10.get(exponent as usize).copied().unwrap_or(u64::MAX)
}

/// The exponent of ten of `2^exp2`, rounded down; right for all exponents a double can have.
fn floor_log10_pow2(exp2: i32) -> i32 {
    (i64::from(exp2).wrapping_mul(1_292_913_986) >> 32) as i32
}

/// Writes `value` in decimal, `count` digits with leading zeros; `count` is what the buffer has room for at most.
fn put(buffer: &mut [u8], mut value: u64, count: usize) {
    for place in buffer.iter_mut().take(count).rev() {
        *place = b'0'.wrapping_add((value % 10) as u8);
        value /= 10;
    }
}

fn count_digits(value: u64) -> usize {
    // 1233 / 4096 is log10(2): the guess is right or one too low.
    let bits = 64u32.wrapping_sub(value.leading_zeros());
    let guess = bits.wrapping_mul(1233) >> 12;
    guess.wrapping_add(u32::from(value >= pow10(guess) && value != 0)) as usize
}

/// The rounded integer nearest to the number times `10^q`, if the interval leaves no doubt and it has 18 digits at
/// most. The other result is the same rounded down.
fn scaled(number: Finite, q: i32) -> Option<(u64, u64)> {
    let zeros = number.mantissa.leading_zeros();
    let product = powers::multiply(number.mantissa.wrapping_shl(zeros), q)?;
    let shift = (zeros as i32)
        .wrapping_sub(product.exp2)
        .wrapping_sub(q)
        .wrapping_sub(number.exp2);
    if shift > 128 {
        // Less than one half: all of 128 bits lie below the place of 1/2.
        return Some((0, 0));
    }
    // The product has 127 bits or more.
    if shift < 68 {
        return None;
    }
    let shift = shift as u32;
    let low = powers::round_shift(product.x, shift, product.sticky);
    if !product.exact && low != powers::round_shift(product.x.wrapping_add(1), shift, true) {
        return None;
    }
    Some((low, product.x.checked_shr(shift).unwrap_or(0) as u64))
}

/// Up to 17 digits by one multiplication; `None` when it takes [`exact`] to tell.
pub(crate) fn quick(number: Finite, cut: Cut, buffer: &mut [u8; QUICK_CAPACITY]) -> Option<Placed> {
    match cut {
        Cut::Significant(count) if (1..=QUICK_DIGITS).contains(&count) => {
            let top = 63i32.wrapping_sub(number.mantissa.leading_zeros() as i32);
            let mut exponent = floor_log10_pow2(number.exp2.wrapping_add(top));
            let limit = pow10(count);
            let last = (count as i32).wrapping_sub(1);
            let (mut digits, floor) = scaled(number, last.wrapping_sub(exponent))?;
            if floor >= limit {
                // The power of two lies below a power of ten that the number has reached.
                exponent = exponent.wrapping_add(1);
                (digits, _) = scaled(number, last.wrapping_sub(exponent))?;
            }
            if digits >= limit {
                digits = pow10(count.wrapping_sub(1));
                exponent = exponent.wrapping_add(1);
            }
            put(buffer, digits, count as usize);
            Some((count as usize, exponent.wrapping_add(1)))
        }
        Cut::Fraction(places) if places <= powers::MAX as u32 => {
            let (digits, _) = scaled(number, places as i32)?;
            let count = count_digits(digits);
            put(buffer, digits, count);
            Some((count, (count as i32).wrapping_sub(places as i32)))
        }
        _ => None,
    }
}

/// Digits gathered one block after another: the first one that is not zero comes first.
struct Digits<'a> {
    buffer: &'a mut [u8; EXACT_CAPACITY],
    length: usize,
    point: i32,
}

impl Digits<'_> {
    /// Appends nine digits; zeros before the first other digit are skipped, and counted by the result.
    fn append(&mut self, block: u32) -> usize {
        let count = if self.length == 0 {
            count_digits(u64::from(block))
        } else {
            BLOCK_DIGITS
        };
        if let Some(rest) = self.buffer.get_mut(self.length..) {
            put(rest, u64::from(block), count);
        }
        self.length = self.length.wrapping_add(count).min(EXACT_CAPACITY);
        BLOCK_DIGITS.wrapping_sub(count)
    }

    /// Takes an integer, whose digits come in blocks from the last to the first.
    fn integer(&mut self, number: &mut Big<LIMBS>) {
        let mut count = 0;
        while !number.is_zero() {
            let block = number.divide(BLOCK);
            // Written backwards, and turned round below.
            if let Some(place) = self.buffer.get_mut(count..) {
                put(place, u64::from(block), BLOCK_DIGITS);
                if let Some(digits) = place.get_mut(..BLOCK_DIGITS) {
                    digits.reverse();
                }
            }
            count = count.wrapping_add(BLOCK_DIGITS);
        }
        let mut digits = self.buffer.get_mut(..count).unwrap_or(&mut []);
        while let [rest @ .., b'0'] = digits {
            digits = rest;
        }
        digits.reverse();
        self.length = digits.len();
        self.point = self.length as i32;
    }

    /// Appends the digits of a fraction until `enough`; the result tells whether anything is left of it.
    fn fraction(&mut self, number: &mut Big<LIMBS>, cut: Cut) -> bool {
        let mut places = 0u32;
        while !number.is_zero() {
            let enough = match cut {
                Cut::Significant(count) => self.length > count as usize,
                Cut::Fraction(count) => places > count,
            };
            if enough {
                return true;
            }
            let started = self.length != 0;
            let skipped = self.append(number.multiply_within(BLOCK, 0));
            if !started {
                self.point = self.point.wrapping_sub(skipped as i32);
            }
            places = places.wrapping_add(BLOCK_DIGITS as u32);
        }
        false
    }

    /// Rounds to `keep` digits; `more` says that the digits do not end with the buffer.
    fn round(&mut self, keep: usize, more: bool) {
        let (kept, dropped) = match self.buffer.get_mut(..self.length) {
            Some(digits) if keep < self.length => digits.split_at_mut(keep),
            _ => return,
        };
        let odd = kept.last().is_some_and(|digit| digit & 1 != 0);
        let up = match dropped {
            [b'5', rest @ ..] => odd || more || rest.iter().any(|&digit| digit != b'0'),
            [digit, ..] => *digit > b'5',
            [] => false,
        };
        self.length = keep;
        if !up {
            return;
        }
        for digit in kept.iter_mut().rev() {
            if *digit != b'9' {
                *digit = digit.wrapping_add(1);
                return;
            }
            *digit = b'0';
        }
        // All were nines: the result is the next power of ten.
        if let Some(digit) = self.buffer.first_mut() {
            *digit = b'1';
        }
        self.length = keep.max(1);
        self.point = self.point.wrapping_add(1);
    }
}

/// Any number of digits, from the number written out in full. Digits that the result leaves out at the end are zeros.
pub(crate) fn exact(number: Finite, cut: Cut, buffer: &mut [u8; EXACT_CAPACITY]) -> Placed {
    let Finite { mantissa, exp2 } = number;
    let mut digits = Digits {
        buffer,
        length: 0,
        point: 0,
    };
    // The digits behind the point are those of a fraction over 2^places, and there is none for an integer.
    let places = exp2.wrapping_neg().max(0).unsigned_abs();
    let mask = 1u64.checked_shl(places).unwrap_or(0).wrapping_sub(1);
    let more = if places == 0 {
        let mut number = Big::new(mantissa);
        number.shift_left(exp2.unsigned_abs());
        digits.integer(&mut number);
        false
    } else {
        let whole = mantissa.checked_shr(places).unwrap_or(0);
        let count = count_digits(whole);
        put(digits.buffer, whole, count);
        digits.length = count;
        digits.point = count as i32;
        let mut number = Big::new(mantissa & mask);
        number.make_fraction(places);
        digits.fraction(&mut number, cut)
    };
    let keep = match cut {
        Cut::Significant(count) => i32::try_from(count).unwrap_or(i32::MAX),
        Cut::Fraction(count) => add(digits.point, i32::try_from(count).unwrap_or(i32::MAX)),
    };
    match usize::try_from(keep) {
        Ok(keep) => digits.round(keep, more),
        Err(_) => digits.length = 0,
    }
    (digits.length, digits.point)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(number: Finite, cut: Cut) -> (String, i32) {
        let mut buffer = [b'?'; EXACT_CAPACITY];
        let (length, point) = exact(number, cut, &mut buffer);
        let digits = std::str::from_utf8(&buffer[..length]).unwrap();
        (digits.trim_end_matches('0').to_string(), point)
    }

    fn finite(value: f64) -> Finite {
        let bits = value.to_bits();
        Finite {
            mantissa: bits & ((1 << 52) - 1) | 1 << 52,
            exp2: (bits >> 52) as i32 - 1075,
        }
    }

    #[test]
    fn rounds_where_no_digit_is_kept() {
        for (value, digits) in [
            (0.4, ""),
            (0.5, ""),
            (0.500001, "1"),
            (0.96, "1"),
            (1.5, "2"),
            (0.04, ""),
        ] {
            assert_eq!(
                written(finite(value), Cut::Fraction(0)).0,
                digits,
                "{value}"
            );
        }
        assert_eq!(written(finite(0.96), Cut::Fraction(1)), ("1".into(), 1));
        assert_eq!(written(finite(99.6), Cut::Significant(2)), ("1".into(), 3));
        assert_eq!(
            written(finite(0.5), Cut::Significant(u32::MAX)),
            ("5".into(), 0)
        );
        assert_eq!(
            written(finite(0.5), Cut::Fraction(u32::MAX)),
            ("5".into(), 0)
        );
    }

    /// The two ways must agree wherever the quick one answers; it seldom leaves cases to the exact one.
    #[test]
    fn quick_is_exact() {
        let mut answered = 0;
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let number = Finite {
                mantissa: (state >> 11 | 1) >> (state % 53),
                exp2: (state >> 20) as i32 % 1075 % (1 << (state % 11)),
            };
            if number.mantissa == 0 {
                continue;
            }
            let cut = if state >> 63 == 0 {
                Cut::Significant(1 + (state >> 50) as u32 % 17)
            } else {
                Cut::Fraction((state >> 50) as u32 % 30)
            };
            let mut buffer = [b'?'; QUICK_CAPACITY];
            let Some((length, point)) = quick(number, cut, &mut buffer) else {
                continue;
            };
            answered += 1;
            let digits = std::str::from_utf8(&buffer[..length])
                .unwrap()
                .trim_end_matches('0');
            let (expected, expected_point) = written(number, cut);
            assert_eq!(
                digits, expected,
                "{:#x} * 2^{}",
                number.mantissa, number.exp2
            );
            if !digits.is_empty() {
                assert_eq!(
                    point, expected_point,
                    "{:#x} * 2^{}",
                    number.mantissa, number.exp2
                );
            }
        }
        assert!(answered > 12_000, "{answered}");
    }
}
